//! What a page knows of healing while a flow is played on it.

use crate::healing::memory::{LocatorKey, SelectorMemory};
use regatta_core::fingerprint::Likeness;
use regatta_core::mask::Mask;
use regatta_core::workflow::Heal;

/// The state of healing while a flow is played on a page.
#[derive(Default)]
pub(crate) struct HealingState {
    pub mode: Heal,
    /// The values that must not be remembered.
    pub mask: Mask,
    /// The values that this flow has typed: the page may show them anywhere.
    typed: Vec<String>,
    /// Selectors with which actions succeeded; remembered when the step has reached its end.
    pub staged: Vec<(LocatorKey, Likeness)>,
    pub events: Vec<HealingEvent>,
}

/// An element that was found by likeness, or that has changed, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealingEvent {
    pub how: HealingKind,
    pub selector: String,
    /// The remembered element and the one that was found, in words.
    pub known: String,
    pub found: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealingKind {
    /// Named in the error.
    Suggested,
    /// About to be acted on.
    Acted,
    /// About to be acted on; a step has reached its end with it before.
    Remembered,
    /// About to be acted on, found by a written selector: its label, text or row is not what it was.
    Changed,
}

impl HealingState {
    pub fn begin(&mut self, mode: Heal) {
        *self = Self { mode, mask: std::mem::take(&mut self.mask), ..Self::default() };
    }

    /// Also of what is already remembered: a value may have been on the page before it was captured.
    pub fn hide(&mut self, mask: Mask, memory: &mut dyn SelectorMemory) {
        memory.hide(&mask);
        self.mask = mask;
        for value in &self.typed {
            self.mask.add("typed", value);
        }
    }

    pub fn typed(&mut self, value: &str) {
        self.mask.add("typed", value);
        self.typed.push(value.to_owned());
    }

    pub fn mask(&self) -> &Mask {
        &self.mask
    }

    pub fn take_events(&mut self) -> Vec<HealingEvent> {
        std::mem::take(&mut self.events)
    }
}
