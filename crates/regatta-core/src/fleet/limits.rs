//! How long a run may take, and how long it may emit no event.
//!
//! A run over its time is asked to stop after its step, then to stop now, then killed, with a grace between
//! the stages. Each stage happens once; an event does not undo it.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::{JobFailure, JobId, Mono};
use crate::duration::serialize_millis;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLimits {
    /// The limit of one attempt, from its launch or its adoption.
    pub run: Option<Duration>,
    /// The longest time without an event of the run.
    pub stall: Option<Duration>,
    /// The time between two stages.
    pub grace: Duration,
}

impl Default for TimeLimits {
    fn default() -> Self {
        Self { run: None, stall: None, grace: Duration::from_secs(10) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "limit", content = "ms", rename_all = "snake_case")]
pub enum TimeLimit {
    Run(#[serde(serialize_with = "serialize_millis")] Duration),
    Stall(#[serde(serialize_with = "serialize_millis")] Duration),
}

impl TimeLimit {
    pub const fn failure(self) -> JobFailure {
        match self {
            Self::Run(_) => JobFailure::OutOfTime,
            Self::Stall(_) => JobFailure::Stalled,
        }
    }
}

impl fmt::Display for TimeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(limit) => write!(f, "it ran longer than {limit:?}"),
            Self::Stall(limit) => write!(f, "it emitted no event for {limit:?}"),
        }
    }
}

/// The stages of ending a run over its time, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Enforcement {
    /// Ask the run to stop after its step.
    StopAfterStep,
    /// Ask the run to stop now.
    StopNow,
    Kill,
}

/// The times of one living run.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunClock {
    began: Mono,
    last_event: Mono,
    over: Option<(TimeLimit, Enforcement)>,
}

impl RunClock {
    pub const fn began(now: Mono) -> Self {
        Self { began: now, last_event: now, over: None }
    }

    pub fn observe_event(&mut self, now: Mono) {
        self.last_event = now;
    }

    pub const fn over(&self) -> Option<TimeLimit> {
        match self.over {
            Some((limit, _)) => Some(limit),
            None => None,
        }
    }
}

/// The deadlines of living runs. Lazy: an event moves no deadline; a deadline that passed too early is set
/// again.
#[derive(Debug, Clone, Default)]
pub struct DeadlineQueue(BTreeSet<(Mono, JobId)>);

impl DeadlineQueue {
    pub fn watch(&mut self, limits: &TimeLimits, job: JobId, clock: &RunClock) {
        if let Some((until, _)) = next_limit(limits, clock) {
            self.0.insert((until, job));
        }
    }

    pub fn next(&self) -> Option<Mono> {
        self.0.first().map(|(until, _)| *until)
    }

    /// Removes and returns a job whose deadline has passed.
    pub fn pop_due(&mut self, now: Mono) -> Option<JobId> {
        let first = *self.0.first().filter(|(until, _)| *until <= now)?;
        self.0.remove(&first);
        Some(first.1)
    }

    /// Returns what is done about a job whose deadline has passed, and sets the next deadline.
    pub fn escalate(
        &mut self,
        limits: &TimeLimits,
        now: Mono,
        job: JobId,
        clock: &mut RunClock,
    ) -> Option<(TimeLimit, Enforcement)> {
        let demand = match (clock.over, next_limit(limits, clock)) {
            (Some((limit, Enforcement::StopAfterStep)), _) => (limit, Enforcement::StopNow),
            (Some((limit, Enforcement::StopNow)), _) => (limit, Enforcement::Kill),
            // There is no further stage.
            (Some((_, Enforcement::Kill)), _) | (None, None) => return None,
            (None, Some((until, limit))) if until <= now => (limit, Enforcement::StopAfterStep),
            (None, Some((until, _))) => {
                self.0.insert((until, job));
                return None;
            }
        };
        clock.over = Some(demand);
        if demand.1 < Enforcement::Kill {
            self.0.insert((now.after(limits.grace), job));
        }
        Some(demand)
    }
}

fn next_limit(limits: &TimeLimits, clock: &RunClock) -> Option<(Mono, TimeLimit)> {
    let run = limits.run.map(|limit| (clock.began.after(limit), TimeLimit::Run(limit)));
    let stall = limits.stall.map(|limit| (clock.last_event.after(limit), TimeLimit::Stall(limit)));
    run.into_iter().chain(stall).min_by_key(|(until, _)| *until)
}
