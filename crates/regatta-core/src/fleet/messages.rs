//! The inputs and effects of the scheduler. Inputs are in the past tense, effects imperative. Plain
//! comparable data without channels.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use thiserror::Error;

use super::fact::FleetFact;
use super::{JobId, JobOutcome, JobState, MachineLoad, Mono, Slot};
use crate::id::ProfileId;
use crate::outcome::{FleetOutcome, RunOutcome};

/// The state of a profile when it is enqueued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileStatus {
    /// Steps are open and no process runs it.
    Open,
    Completed,
    NeedsAttention,
    /// Its session document cannot be read.
    Damaged,
    /// A living run holds its lock.
    Held,
    /// Steps are open and no process runs it, but left-overs of a dead run are alive.
    LeftBehind,
}

/// How a child process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildExit {
    Code(i32),
    Signal(i32),
    /// The system does not know.
    Unknown,
}

impl ChildExit {
    /// Ended by SIGTERM, which asks a run to stop.
    pub const ASKED: Self = Self::Signal(15);

    /// Returns `None` for a crash.
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
    /// The locks of all enqueued profiles were read. Nothing is launched before: a living run that is found
    /// later would exceed the limit.
    SurveyEnded,
    /// No further profile will be enqueued.
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
    /// The lock of an adopted run was released. Without an outcome the run crashed.
    AdoptedEnded {
        job: JobId,
        outcome: Option<RunOutcome>,
    },
    /// Nothing is left of the crashed run and its browser, or of an earlier run.
    CleanedUp {
        job: JobId,
    },
    /// A living run emitted an event.
    ChildReported {
        job: JobId,
    },
    /// The machine was measured, as far as the system reports.
    MachineMeasured(MachineLoad),
    /// The provider was probed. It answers unless there is a problem.
    ProviderProbed {
        problem: Option<String>,
    },
    /// A run reported that the provider opens no more browsers for this time.
    ProviderPaused {
        pause: Duration,
    },
    /// A run was refused its profile, which is open on another device. Its exit follows.
    UsedElsewhere {
        job: JobId,
    },
    /// A run ends because its site answers 429 or 503. Its exit follows.
    SiteFoundBusy {
        job: JobId,
        /// The time that the site asks for.
        retry_after: Option<Duration>,
    },
    /// A run reported that another run would end in the same way. Its exit follows.
    RunFailedForGood {
        job: JobId,
    },
    /// The provider reported which of the profiles are open on another device; none where it could not.
    ElsewhereChecked {
        open: Vec<JobId>,
    },
    /// Raises the severity by one.
    StopRequested,
    /// The time of the latest `WakeAt` was reached.
    TimeReached,
}

#[derive(Debug, Clone, PartialEq)]
#[must_use = "an effect that is not carried out leaves its profile without an outcome"]
pub enum FleetEffect {
    /// Answered by `ChildSpawned` or `SpawnFailed`. Attempts count from 1.
    Spawn { job: JobId, slot: Slot, attempt: u32 },
    /// Follow the run of another process. Answered by `AdoptedEnded` when its lock is released.
    Watch { job: JobId, slot: Slot, attempt: u32 },
    /// End what is left of the crashed run, then stop its browser. Answered by `CleanedUp`.
    CleanUp { job: JobId },
    /// Ask the run to stop after its current step.
    Terminate { job: JobId },
    /// Kill the run and its process group.
    Kill { job: JobId },
    /// Measure the free memory and the load. Answered by `MachineMeasured`.
    Measure,
    /// Probe the provider. Answered by `ProviderProbed`.
    Probe,
    /// Ask the provider which of these are open on another device. Answered by `ElsewhereChecked`.
    CheckElsewhere { jobs: Vec<JobId> },
    /// Answered by `TimeReached`. Replaces earlier alarms.
    WakeAt(Mono),
    /// Emit the fact to every subscriber.
    Report(FleetFact),
    /// The job has its outcome: close its record and report it as `FleetFact::ProfileEnded`.
    End { job: JobId, outcome: JobOutcome, attempts: u32 },
    /// The input does not fit the state of its job and had no effect.
    RejectInput(FleetInputError),
    /// The last effect, except for rejected inputs.
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
