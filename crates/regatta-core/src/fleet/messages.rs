//! What a fleet hears and what it wants done. Inputs are in the past tense, effects imperative; plain
//! data, comparable, without a channel inside.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

use super::{
    Enforcement, JobFailure, JobId, JobOutcome, JobState, MachineLoad, Mono, Shortage, Slot, TimeLimit,
};
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
    /// The provider was asked whether it is there.
    ProviderProbed {
        is_up: bool,
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
    Spawn {
        job: JobId,
        slot: Slot,
        attempt: u32,
    },
    /// A run of somebody else lives: answered by `AdoptedEnded` when its lock falls.
    Watch {
        job: JobId,
        slot: Slot,
        attempt: u32,
    },
    /// End what is left of the crashed run, then stop its browser: answered by `CleanedUp`.
    CleanUp {
        job: JobId,
    },
    /// Ask the run to stop after its current step.
    Terminate {
        job: JobId,
    },
    /// End the run and its group at once.
    Kill {
        job: JobId,
    },
    /// Look how much room the machine has: answered by `MachineMeasured`.
    Measure,
    /// Ask whether the provider is there: answered by `ProviderProbed`.
    Probe,
    /// Ask the provider which of these are open on another device: answered by `ElsewhereChecked`.
    CheckElsewhere {
        jobs: Vec<JobId>,
    },
    /// Answered by `TimeReached`. The latest one counts alone.
    WakeAt(Mono),
    Report(FleetFact),
    /// An input was not for the state its job is in. Nothing else came of it.
    RejectInput(FleetInputError),
    /// The last effect of all, but for refusals.
    Finish {
        outcome: FleetOutcome,
    },
}

/// What those who watch are told.
#[derive(Debug, Clone, PartialEq)]
pub enum FleetFact {
    /// A run is over its time, and what is done about it now.
    OverTime {
        job: JobId,
        limit: TimeLimit,
        demand: Enforcement,
    },
    /// Launches wait, for another reason than before.
    Waiting(Shortage),
    /// Launches wait for the provider, which is down.
    ProviderDown,
    /// The provider opens no more browsers for so long.
    ProviderPaused {
        pause: Duration,
    },
    /// Launches go on.
    Resumed,
    /// What a run of before this fleet had left is gone: the profile waits for its turn.
    Cleared {
        job: JobId,
    },
    /// It is open on another device: it comes after all others, and not before this delay.
    PutOff {
        job: JobId,
        delay: Duration,
    },
    /// The site is busy: the profile is back in the queue for the `times`th time of at most `of`.
    SiteBusy {
        job: JobId,
        times: u32,
        of: u32,
        delay: Duration,
    },
    BackingOff {
        job: JobId,
        attempt: u32,
        delay: Duration,
        failure: JobFailure,
    },
    Ended {
        job: JobId,
        outcome: JobOutcome,
        attempts: u32,
    },
    Stopping(Severity),
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
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
