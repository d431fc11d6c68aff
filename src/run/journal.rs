//! Writes a run's events to its log and shows them to whoever watches this process.

use crate::domain::event::{Event, EventKind};
use crate::domain::mask::Mask;
use crate::store::event_log::EventLog;

pub struct Journal<'a> {
    log: EventLog,
    mask: Mask,
    observe: Box<dyn FnMut(&Event) + 'a>,
}

impl<'a> Journal<'a> {
    pub fn new(log: EventLog, observe: impl FnMut(&Event) + 'a) -> Self {
        Self { log, mask: Mask::default(), observe: Box::new(observe) }
    }

    /// An event that cannot be written is no reason to stop a profile: the session is the truth.
    pub fn emit(&mut self, kind: EventKind) {
        match self.log.append(jiff::Timestamp::now(), kind) {
            Ok(event) => (self.observe)(&event),
            Err(error) => tracing::warn!("an event is lost: {error}"),
        }
    }

    pub fn mask(&self, text: &str) -> String {
        self.mask.apply(text)
    }

    pub(super) fn masker(&self) -> &Mask {
        &self.mask
    }

    pub(super) fn set_mask(&mut self, mask: Mask) {
        self.mask = mask;
    }
}
