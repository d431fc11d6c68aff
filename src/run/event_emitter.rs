//! Emits a run's events: to its log, and to the observer in this process.

use std::sync::Arc;

use jiff::Timestamp;

use crate::store::event_log::EventLog;
use regatta_core::event::{Event, EventKind};
use regatta_core::mask::Mask;

/// The wall clock, which may be set at any time. Durations are measured by another clock.
pub type WallClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

pub struct EventEmitter<'a> {
    log: EventLog,
    clock: WallClock,
    mask: Mask,
    observe: Box<dyn FnMut(&Event) + 'a>,
}

impl<'a> EventEmitter<'a> {
    pub fn new(log: EventLog, clock: WallClock, observe: impl FnMut(&Event) + 'a) -> Self {
        Self { log, clock, mask: Mask::default(), observe: Box::new(observe) }
    }

    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Writes an event and shows it to the observer. An event that cannot be written does not stop the run:
    /// the session is the truth.
    pub fn emit(&mut self, kind: EventKind) {
        match self.log.append(self.now(), kind) {
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

    /// Hides the value of one more identity field.
    pub(super) fn mask_value(&mut self, field: &str, value: &str) {
        self.mask.add(&format!("identity.{field}"), value);
    }

    pub(super) fn set_mask(&mut self, mask: Mask) {
        self.mask = mask;
    }
}
