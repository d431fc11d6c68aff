//! What a fleet hears and what it wants done. Inputs are in the past tense, effects imperative; plain
//! data, comparable, without a channel inside.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use thiserror::Error;

use super::fact::FleetFact;
use super::{JobId, JobOutcome, JobState, MachineLoad, Mono, Slot};
use crate::id::ProfileId;
use crate::outcome::{FleetOutcome, RunOutcome};

/// What is known of a profile before it is queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileStatus {
    /// Steps are open and nobody runs it.
    Open,
    Completed,
    NeedsAttention,
    /// Its session document cannot be read.
    Damaged,
    /// A living run holds its lock.
    Held,
    /// Steps are open and nobody runs it, but something of its dead run lives still.
    LeftBehind,
}

/// How a child process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildExit {
    Code(i32),
    Signal(i32),
    /// The system could not say.
    Unknown,
}

impl ChildExit {
    /// By SIGTERM, which asks a run to stop.
    pub const ASKED: Self = Self::Signal(15);

    /// `None`: it crashed.
    pub fn outcome(self) -> Option<RunOutcome> {
        match self {
            Self::Code(code) => RunOutcome::from_exit_code(code),
            Self::Signal(_) | Self::Unknown => None,
        }
    }
}

impl fmt::Display for ChildExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::Unknown => f.write_str("an unknown end"),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum FleetInput {
    /// Higher priorities are launched first.
    ProfileEnqueued {
        profile: ProfileId,
        standing: ProfileStatus,
        priority: i32,
    },
    /// The locks of all profiles known by now were looked at. Nothing is launched before: a living
    /// run found late would be one too many.
    SurveyEnded,
    /// No further profile will come.
    IntakeClosed,
    ChildSpawned {
        job: JobId,
    },
    SpawnFailed {
        job: JobId,
    },
    ChildExited {
        job: JobId,
        exit: ChildExit,
    },
    /// The lock of an adopted run fell. Without an outcome it crashed.
    AdoptedEnded {
        job: JobId,
        outcome: Option<RunOutcome>,
    },
    /// Nothing is left of the crashed run and its browser, or of a run of before this fleet.
    CleanedUp {
        job: JobId,
    },
    /// A living run told something.
    ChildReported {
        job: JobId,
    },
    /// The machine was measured, as far as the system tells.
    MachineMeasured(MachineLoad),
    /// The provider was asked whether it answers; without a problem it does.
    ProviderProbed {
        problem: Option<String>,
    },
    /// A run learnt that the provider opens no more browsers for so long.
    ProviderPaused {
        pause: Duration,
    },
    /// A run is refused its profile, which is open on another device; its end follows.
    UsedElsewhere {
        job: JobId,
    },
    /// A run ends because its site answers 429 or 503; its end follows.
    SiteBusy {
        job: JobId,
        /// The time that the site asks for.
        retry_after: Option<Duration>,
    },
    /// A run says that another one would end in the same way; its end follows.
    RunFailedForGood {
        job: JobId,
    },
    /// Of those the provider was asked about, these are open on another device. None where it could not
    /// say.
    ElsewhereChecked {
        open: Vec<JobId>,
    },
    /// Raises the severity by one.
    StopRequested,
    /// The moment of the latest `WakeAt` has come.
    TimeReached,
}

#[derive(Debug, Clone, PartialEq)]
#[must_use = "an effect that is not carried out leaves its profile without an outcome"]
pub enum FleetEffect {
    /// Answered by `ChildSpawned` or `SpawnFailed`. Attempts count from 1.
    Spawn { job: JobId, slot: Slot, attempt: u32 },
    /// A run of somebody else lives: answered by `AdoptedEnded` when its lock falls.
    Watch { job: JobId, slot: Slot, attempt: u32 },
    /// End what is left of the crashed run, then stop its browser: answered by `CleanedUp`.
    CleanUp { job: JobId },
    /// Ask the run to stop after its current step.
    Terminate { job: JobId },
    /// End the run and its group at once.
    Kill { job: JobId },
    /// Look how much room the machine has: answered by `MachineMeasured`.
    Measure,
    /// Ask whether the provider is there: answered by `ProviderProbed`.
    Probe,
    /// Ask the provider which of these are open on another device: answered by `ElsewhereChecked`.
    CheckElsewhere { jobs: Vec<JobId> },
    /// Answered by `TimeReached`. The latest one counts alone.
    WakeAt(Mono),
    /// Show the fact to everyone who watches.
    Report(FleetFact),
    /// The job has its outcome: close its record and report it as `FleetFact::ProfileEnded`.
    End { job: JobId, outcome: JobOutcome, attempts: u32 },
    /// An input was not for the state its job is in. Nothing else came of it.
    RejectInput(FleetInputError),
    /// The last effect of all, but for refusals.
    Finish { outcome: FleetOutcome },
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FleetInputError {
    #[error("profile {0} is in the list already")]
    Duplicate(ProfileId),
    #[error("profile {0} came after the list was closed")]
    IntakeClosed(ProfileId),
    #[error("there is no job {}", .0.index())]
    UnknownJob(JobId),
    #[error("job {} is {state}: it cannot have {input}", .job.index())]
    WrongState { job: JobId, state: JobState, input: &'static str },
}

/// How hard the fleet is being stopped. Only rises.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    #[default]
    None,
    /// Nothing is launched; runs stop after their current step.
    Drain,
    /// Runs are killed and their browsers stopped.
    Now,
}

impl Severity {
    pub(super) const fn raised(self) -> Self {
        match self {
            Self::None => Self::Drain,
            Self::Drain | Self::Now => Self::Now,
        }
    }
}
