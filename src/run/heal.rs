//! What a run says to the page's memory, and tells of what was found by likeness.

use serde_json::Value;

use super::play::Pass;
use super::{Outside, PlayPage, Run};
use crate::browser::page::How;
use crate::domain::event::{EventKind, HealHow, StepMode};
use crate::domain::flow::Place;
use crate::domain::id::Flag;
use crate::domain::plan::PlanStep;
use crate::domain::workflow::Heal;

impl<O: Outside> Run<'_, O> {
    /// A verify flow's yes is no guess: nothing is acted on by likeness there.
    pub(super) fn begin_flow(&self, step: &PlanStep, pass: Pass, page: &mut O::Page) {
        page.begin_flow(match (pass.mode, step.heal) {
            (StepMode::Verify, Heal::Auto) => Heal::Suggest,
            (_, heal) => heal,
        });
    }

    /// Values of the profile and of variables are in nothing that all runs share.
    pub(super) fn hide_values(&self, page: &mut O::Page) {
        let mut mask = self.journal.masker().clone();
        mask.add("profile_id", self.session.session().profile_id.as_str());
        for (name, value) in &self.setting.variables {
            if let Value::String(value) = value {
                mask.add(&format!("variables.{name}"), value);
            }
        }
        page.hide(mask);
    }

    pub(super) fn tell_healed(&mut self, flag: &Flag, place: &Place, page: &mut O::Page) {
        for healed in page.take_healed() {
            let mask = |text: &str| self.journal.mask(text);
            let (selector, known, found) = (mask(&healed.selector), mask(&healed.known), mask(&healed.found));
            self.journal.emit(EventKind::Healed {
                flag: flag.clone(),
                flow: place.file.clone(),
                step: place.step.clone(),
                how: match healed.how {
                    How::Suggested => HealHow::Suggested,
                    How::Acted => HealHow::Acted,
                    How::Remembered => HealHow::Remembered,
                },
                selector,
                known,
                found,
            });
        }
    }
}
