//! The values that pages must not be remembered with, and the events of elements found by likeness.

use serde_json::{Map, Value};

use regatta_core::event::{EventKind, HealHow, StepMode};
use regatta_core::flow::StepLocation;
use regatta_core::id::{Flag, ProfileId};
use regatta_core::mask::Mask;
use regatta_core::workflow::Heal;
use regatta_page::{HealingEvent, HealingKind};

/// A verify flow must not guess, so it never acts on an element found by likeness.
pub(super) fn within(mode: StepMode, heal: Heal) -> Heal {
    match (mode, heal) {
        (StepMode::Verify, Heal::Auto) => Heal::Suggest,
        (_, heal) => heal,
    }
}

/// Values of the profile and of variables are in nothing that all runs share.
pub(super) fn secrets(mask: &Mask, profile: &ProfileId, variables: &Map<String, Value>) -> Mask {
    let mut mask = mask.clone();
    mask.add("profile_id", profile.as_str());
    for (name, value) in variables {
        if let Value::String(value) = value {
            mask.add(&format!("variables.{name}"), value);
        }
    }
    mask
}

pub(super) fn event(
    flag: &Flag,
    place: &StepLocation,
    healed: &HealingEvent,
    mask: impl Fn(&str) -> String,
) -> EventKind {
    EventKind::Healed {
        flag: flag.clone(),
        flow: place.file.clone(),
        step: place.step.clone(),
        how: match healed.how {
            HealingKind::Suggested => HealHow::Suggested,
            HealingKind::Acted => HealHow::Acted,
            HealingKind::Remembered => HealHow::Remembered,
            HealingKind::Changed => HealHow::Changed,
        },
        selector: mask(&healed.selector),
        known: mask(&healed.known),
        found: mask(&healed.found),
    }
}
