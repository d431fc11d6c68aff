//! Inputs that the fleet refuses are a defect of the shell. It only logs them, so the log is read.

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{DefaultGuard, set_default};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::world::World;

/// Reports every refused input as a violation for as long as the guard lives.
pub fn report_refusals(world: &World) -> DefaultGuard {
    set_default(RefusalLog(world.clone()))
}

struct RefusalLog(World);

impl Subscriber for RefusalLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::DEBUG
            && metadata.target() == "regatta::orchestrate::shell::effects"
            && metadata.fields().field("refusal").is_some()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::DEBUG)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Refusal(&self.0));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Refusal<'a>(&'a World);

impl Visit for Refusal<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "refusal" {
            self.0.state().violated(format!("the fleet refuses an input: {value:?}"));
        }
    }
}
