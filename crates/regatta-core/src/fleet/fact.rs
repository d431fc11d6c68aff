//! The facts of a fleet: one vocabulary for the scheduler that reports them, the consoles that show them
//! and `orchestrate --json`, which prints them.
//!
//! The JSON of a fact is a published format: the name of its variant is the `type` of its line. A fact holds
//! no credential and no value of an identity.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::report::ProfileReport;
use super::source_notice::SourceNotice;
use super::{Enforcement, Severity, Slot, Tally, TimeLimit};
use crate::duration::serialize_millis;
use crate::event::Event;
use crate::id::ProfileId;
use crate::outcome::FleetOutcome;

/// A fact and the moment it became known.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetNotice {
    pub at: jiff::Timestamp,
    pub fact: FleetFact,
}

/// In JSON every duration is `ms`: milliseconds of waiting, at least.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FleetFact {
    /// Every known profile was scanned, and launches begin. Reported again where the source names more
    /// profiles later.
    FleetSurveyed {
        profiles: usize,
        /// Profiles that have nothing to do.
        #[serde(rename = "tally")]
        ended: Tally,
    },
    /// The source named the profile. Not printed.
    #[serde(skip)]
    ProfileEnqueued {
        profile: ProfileId,
    },
    /// A process was started. Attempts count from 1.
    RunLaunched {
        #[serde(rename = "profile_id")]
        profile: ProfileId,
        #[serde(serialize_with = "from_one")]
        slot: Slot,
        attempt: u32,
        pid: u32,
    },
    /// A living run was found; `pid` where its lock names one.
    RunAdopted {
        #[serde(rename = "profile_id")]
        profile: ProfileId,
        #[serde(serialize_with = "from_one")]
        slot: Slot,
        attempt: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        pid: Option<u32>,
    },
    /// An event of a run of this fleet. Printed as it stands in the event file.
    #[serde(skip)]
    RunEvent {
        slot: Slot,
        event: Event,
    },
    /// A run exceeded a limit, and how the limit is enforced.
    RunOverTime {
        #[serde(rename = "profile_id")]
        profile: ProfileId,
        #[serde(flatten)]
        limit: TimeLimit,
        demand: Enforcement,
    },
    /// A run died without a `run_finished`; its left-overs are being ended.
    RunCrashed {
        #[serde(rename = "profile_id")]
        profile: ProfileId,
        cause: String,
    },
    /// The left-overs of an earlier run are gone; the profile is queued.
    LeftOversEnded {
        #[serde(rename = "profile_id")]
        profile: ProfileId,
    },
    /// The attempt failed and another one follows. The slot is free meanwhile.
    ProfileBackingOff {
        #[serde(rename = "profile_id")]
        profile: ProfileId,
        attempt: u32,
        #[serde(rename = "ms", serialize_with = "serialize_millis")]
        delay: Duration,
        cause: String,
    },
    /// The site answers 429 or 503: the profile is queued again, for the `times`th time of at most `of`. Until
    /// profiles complete, no more than `at_once` runs are launched at once.
    ProfileSiteBusy {
        #[serde(rename = "profile_id")]
        profile: ProfileId,
        times: u32,
        of: u32,
        at_once: u32,
        #[serde(rename = "ms", serialize_with = "serialize_millis")]
        delay: Duration,
    },
    /// The profile is open on another device: it is retried after all others, and no sooner than this delay.
    ProfilePutOff {
        #[serde(rename = "profile_id")]
        profile: ProfileId,
        #[serde(rename = "ms", serialize_with = "serialize_millis")]
        delay: Duration,
    },
    /// Printed unless the profile had nothing to do: the survey and the report count those.
    ProfileEnded(ProfileReport),
    LaunchesWaiting(WaitReason),
    LaunchesResumed,
    FleetStopping {
        severity: Severity,
    },
    /// The last fact. Not printed: the closing report follows.
    #[serde(skip)]
    FleetFinished {
        outcome: FleetOutcome,
        tally: Tally,
    },
    /// A fact about the source of profiles or the delivery of outcomes.
    #[serde(untagged)]
    Source(SourceNotice),
}

/// Why launches wait.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum WaitReason {
    /// In bytes.
    Memory { free: u64, wanted: u64 },
    /// Percent of the last ten seconds in which some work waited for memory.
    MemoryPressure { percent: f64 },
    /// For each processor.
    Load { load: f64, most: f64 },
    /// The last launches have not yet taken what they will take.
    #[serde(rename = "settling")]
    BrowsersStarting,
    /// The provider is down.
    Provider { problem: String },
    /// The provider opens no more browsers for this time.
    ProviderQuota {
        #[serde(rename = "ms", serialize_with = "serialize_millis")]
        pause: Duration,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn from_one<S: Serializer>(slot: &Slot, serializer: S) -> Result<S::Ok, S::Error> {
    (slot.index() + 1).serialize(serializer)
}
