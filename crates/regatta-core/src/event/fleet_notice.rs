//! What a fleet tells those who watch it, as plain data: the orchestrator does not know who listens,
//! and the reports do not know who speaks.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::event::source_notice::SourceNotice;
use crate::event::{Event, NetworkTotals};
use crate::fleet::{Enforcement, JobOutcome, Severity, Shortage, Slot, Tally, TimeLimit};
use crate::id::ProfileId;
use crate::outcome::FleetOutcome;

/// The version of [`FleetReport`] as JSON.
pub const FLEET_REPORT_VERSION: u32 = 1;

#[derive(Debug, Clone, PartialEq)]
pub struct FleetNotice {
    pub at: jiff::Timestamp,
    pub kind: NoticeKind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum NoticeKind {
    /// Every profile there is was looked at; the first launch follows. Told again where a long or
    /// followed source named more meanwhile.
    Surveyed {
        profiles: usize,
        ended: Tally,
    },
    /// The source named it, and it waits for what becomes of it.
    Taken {
        profile: ProfileId,
    },
    /// A process was started. Attempts count from 1.
    Launched {
        profile: ProfileId,
        slot: Slot,
        attempt: u32,
        pid: u32,
    },
    /// A living run was found; `pid` where its lock names one.
    Adopted {
        profile: ProfileId,
        slot: Slot,
        attempt: u32,
        pid: Option<u32>,
    },
    /// A run of this fleet told something.
    Told {
        slot: Slot,
        event: Event,
    },
    /// A run died without its last word; what it left is being ended.
    CleaningUp {
        profile: ProfileId,
        cause: String,
    },
    /// What a run of before this fleet had left is gone; the profile waits for its turn.
    Cleared {
        profile: ProfileId,
    },
    /// The slot is free for others meanwhile.
    BackingOff {
        profile: ProfileId,
        attempt: u32,
        delay: Duration,
        cause: String,
    },
    /// The site answers 429 or 503: the profile is back in the queue for the `times`th time of at most `of`, and
    /// is tried again after this delay.
    SiteBusy {
        profile: ProfileId,
        times: u32,
        of: u32,
        delay: Duration,
    },
    /// It is open on another device: it is tried again after all others, and not before this delay.
    PutOff {
        profile: ProfileId,
        delay: Duration,
    },
    /// A run is over its time, and what was done about it.
    OverTime {
        profile: ProfileId,
        limit: TimeLimit,
        demand: Enforcement,
    },
    /// Launches wait for the machine.
    Waiting(Shortage),
    /// Launches wait for the provider, which is down.
    ProviderDown {
        problem: String,
    },
    /// The provider opens no more browsers for so long.
    ProviderPaused {
        pause: Duration,
    },
    /// Launches go on.
    Resumed,
    /// Of the source of profiles, or of the outcomes on their way back.
    Source(SourceNotice),
    Ended(ProfileReport),
    Stopping(Severity),
    Finished {
        outcome: FleetOutcome,
        tally: Tally,
    },
}

/// One profile at the end of the fleet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProfileReport {
    pub profile_id: ProfileId,
    #[serde(flatten)]
    pub outcome: JobOutcome,
    /// Attempts of this fleet, an adopted run included; 0 where nothing had to run.
    pub attempts: u32,
    /// Steps of the workflow that are done, of how many.
    pub steps_done: usize,
    pub steps: usize,
    /// From the first launch to the end, waiting included.
    pub ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// Where the evidence of the last failure lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    pub network: NetworkTotals,
}

/// The whole fleet at its end, profiles in the order of the list. A published format.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FleetReport {
    pub v: u32,
    pub outcome: FleetOutcome,
    pub exit_code: u8,
    pub started_at: jiff::Timestamp,
    pub ms: u64,
    pub tally: Tally,
    /// Rows of the source that could not be read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub refused: usize,
    pub profiles: Vec<ProfileReport>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
const fn is_zero(number: &usize) -> bool {
    *number == 0
}
