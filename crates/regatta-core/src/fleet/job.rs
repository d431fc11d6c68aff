//! The state of a profile in a fleet, and its outcomes.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Mono;

/// The position of a profile in order of arrival, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub(super) u32);

impl JobId {
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The place of one run. Below `max`, unless more than `max` runs were found alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub(super) u32);

impl Slot {
    /// Counts from 0. The scheduler assigns slots; this is for reports.
    pub const fn new(index: u32) -> Self {
        Self(index)
    }

    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    Queued,
    /// `Spawn` was requested and is not yet answered.
    Starting {
        slot: Slot,
    },
    Running {
        slot: Slot,
    },
    /// A process of another orchestrator or of a person runs it.
    Adopted {
        slot: Slot,
    },
    /// The run crashed; its left-overs are being ended.
    CleaningUp {
        slot: Slot,
    },
    BackingOff {
        until: Mono,
    },
    /// Open outside of Regatta; retried after all others.
    PutOff {
        until: Mono,
    },
    Ended(JobOutcome),
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Queued => "queued",
            Self::Starting { .. } => "starting",
            Self::Running { .. } => "running",
            Self::Adopted { .. } => "adopted",
            Self::CleaningUp { .. } => "being cleaned up",
            Self::BackingOff { .. } => "backing off",
            Self::PutOff { .. } => "put off",
            Self::Ended(_) => "ended",
        })
    }
}

/// The one outcome of a profile in this fleet. In JSON: `outcome`, and `cause` where it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "outcome", content = "cause", rename_all = "snake_case")]
pub enum JobOutcome {
    Completed,
    NeedsAttention,
    Failed(JobFailure),
    /// Not completed because the fleet was stopped: never launched, stopped after a step, killed, or not
    /// retried.
    Stopped,
}

/// Why an attempt, or the last attempt, did not complete its profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobFailure {
    StepFailed,
    Usage,
    NoBrowser,
    /// Open outside of Regatta, on another device or on this machine, after every retry.
    UsedElsewhere,
    /// The site answered 429 or 503 after every retry.
    SiteBusy,
    Damaged,
    /// Stopped by a signal that the fleet did not send.
    Interrupted,
    Crashed,
    /// No process could be started.
    NotSpawned,
    /// Ended for exceeding the run timeout.
    OutOfTime,
    /// Ended for emitting no event within the stall timeout.
    Stalled,
}

impl JobFailure {
    /// Whether another run may succeed though nothing is changed.
    pub const fn may_be_retried(self) -> bool {
        match self {
            Self::StepFailed
            | Self::NoBrowser
            | Self::UsedElsewhere
            | Self::SiteBusy
            | Self::Interrupted
            | Self::Crashed
            | Self::NotSpawned
            | Self::OutOfTime
            | Self::Stalled => true,
            Self::Usage | Self::Damaged => false,
        }
    }
}

impl fmt::Display for JobFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::StepFailed => "a step failed",
            Self::Usage => "wrong usage, configuration or workflow",
            Self::NoBrowser => "no browser from the provider",
            Self::UsedElsewhere => "open outside of Regatta",
            Self::SiteBusy => "the site is busy",
            Self::Damaged => "the session document is damaged",
            Self::Interrupted => "interrupted by a signal",
            Self::Crashed => "crashed",
            Self::NotSpawned => "no process could be started",
            Self::OutOfTime => "ran longer than a run may",
            Self::Stalled => "emitted no event for too long",
        })
    }
}

/// The number of ended jobs by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub completed: usize,
    pub need_attention: usize,
    pub failed: usize,
    pub stopped: usize,
}

impl Tally {
    pub const fn ended(self) -> usize {
        self.completed + self.need_attention + self.failed + self.stopped
    }

    pub(super) const fn count(&mut self, outcome: JobOutcome) {
        match outcome {
            JobOutcome::Completed => self.completed += 1,
            JobOutcome::NeedsAttention => self.need_attention += 1,
            JobOutcome::Failed(_) => self.failed += 1,
            JobOutcome::Stopped => self.stopped += 1,
        }
    }
}

/// Assigns the lowest free slot.
#[derive(Debug, Clone, Default)]
pub struct Slots {
    free: BTreeSet<Slot>,
    /// Slots from here on were never assigned.
    fresh: u32,
    pub taken: u32,
}

impl Slots {
    pub fn acquire(&mut self) -> Slot {
        self.taken += 1;
        self.free.pop_first().unwrap_or_else(|| {
            self.fresh += 1;
            Slot(self.fresh - 1)
        })
    }

    pub fn release(&mut self, slot: Slot) {
        self.taken -= 1;
        self.free.insert(slot);
    }
}
