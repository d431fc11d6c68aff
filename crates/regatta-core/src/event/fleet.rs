//! What `orchestrate --json` prints: what the fleet itself does, the events of its runs between it as
//! they stand in their files, and the closing report as the last line. A published format: version 1.
//!
//! Named apart from the notices, so that those may change without it. Holds no more than they do: no
//! credential and no value of an identity.

use jiff::Timestamp;
use serde::Serialize;

use crate::event::Event;
use crate::event::fleet_notice::{FleetNotice, FleetReport, NoticeKind, ProfileReport};
use crate::event::source_notice::SourceNotice;
use crate::fleet::{Enforcement, JobOutcome, Severity, Shortage, Tally, TimeLimit};
use crate::id::ProfileId;

pub const FLEET_EVENT_VERSION: u32 = 1;

/// One line. Its `type` says which of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum FleetLine<'a> {
    /// Of a run: the only lines with a `run_id`.
    Told(&'a Event),
    Fleet(FleetEvent<'a>),
    Finished(FleetFinished<'a>),
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FleetEvent<'a> {
    v: u32,
    at: Timestamp,
    #[serde(flatten)]
    kind: FleetEventKind<'a>,
}

/// The report with the `type` of a line; `v` is the report's.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FleetFinished<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    at: Timestamp,
    #[serde(flatten)]
    report: &'a FleetReport,
}

/// Every `ms` is a time in milliseconds: for how long, or until when at the earliest.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FleetEventKind<'a> {
    /// Every profile there is was looked at. Told again where the source names more later.
    FleetSurveyed {
        profiles: usize,
        /// Of those that have nothing to do.
        tally: Tally,
    },
    /// Slots and attempts count from 1.
    RunLaunched {
        profile_id: &'a ProfileId,
        slot: usize,
        attempt: u32,
        pid: u32,
    },
    /// A living run was found.
    RunAdopted {
        profile_id: &'a ProfileId,
        slot: usize,
        attempt: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        pid: Option<u32>,
    },
    /// A run is over its time, and what is done about it.
    RunOverTime {
        profile_id: &'a ProfileId,
        limit: &'static str,
        ms: u64,
        demand: &'static str,
    },
    /// It died without its last word; what it left is being ended.
    RunCrashed {
        profile_id: &'a ProfileId,
        cause: &'a str,
    },
    /// What an earlier run had left is gone.
    LeftOversEnded {
        profile_id: &'a ProfileId,
    },
    ProfileBackingOff {
        profile_id: &'a ProfileId,
        attempt: u32,
        ms: u64,
        cause: &'a str,
    },
    /// Its site answers 429 or 503: the profile is back in the queue for the `times`th time of at most `of`.
    ProfileSiteBusy {
        profile_id: &'a ProfileId,
        times: u32,
        of: u32,
        ms: u64,
    },
    /// It is open on another device.
    ProfilePutOff {
        profile_id: &'a ProfileId,
        ms: u64,
    },
    ProfileEnded(&'a ProfileReport),
    LaunchesWaiting(WaitReason<'a>),
    LaunchesResumed,
    /// The session is kept; names of fields, never values.
    SourceDiffers {
        profile_id: &'a ProfileId,
        fields: &'a [String],
    },
    RowRefused {
        place: &'a str,
        problem: &'a str,
    },
    SourceRetrying {
        problem: &'a str,
        ms: u64,
    },
    OutcomesWaiting {
        problem: &'a str,
        outcomes: u64,
    },
    OutcomesDelivering,
    FleetStopping {
        severity: &'static str,
    },
    /// So many lines are missing here: they were not read in time.
    LinesLeftOut {
        lines: u64,
    },
}

/// What launches wait for.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum WaitReason<'a> {
    /// In bytes.
    Memory {
        free: u64,
        wanted: u64,
    },
    MemoryPressure {
        percent: f64,
    },
    /// For each processor.
    Load {
        load: f64,
        most: f64,
    },
    /// The last launches have not yet shown what they take.
    Settling,
    Provider {
        problem: &'a str,
    },
    ProviderQuota {
        ms: u64,
    },
}

impl<'a> FleetLine<'a> {
    /// `None` for what the closing report says alone: which profiles had nothing to do.
    pub fn from_notice(notice: &'a FleetNotice) -> Option<Self> {
        if let NoticeKind::Told { event, .. } = &notice.kind {
            return Some(Self::Told(event));
        }
        let kind = kind(&notice.kind)?;
        Some(Self::Fleet(FleetEvent { v: FLEET_EVENT_VERSION, at: notice.at, kind }))
    }

    pub const fn left_out(at: Timestamp, lines: u64) -> Self {
        Self::Fleet(FleetEvent { v: FLEET_EVENT_VERSION, at, kind: FleetEventKind::LinesLeftOut { lines } })
    }

    /// The last line.
    pub const fn finished(at: Timestamp, report: &'a FleetReport) -> Self {
        Self::Finished(FleetFinished { kind: "fleet_finished", at, report })
    }
}

fn kind(notice: &NoticeKind) -> Option<FleetEventKind<'_>> {
    Some(match notice {
        NoticeKind::Surveyed { profiles, ended } => {
            FleetEventKind::FleetSurveyed { profiles: *profiles, tally: *ended }
        }
        NoticeKind::Launched { profile, slot, attempt, pid } => FleetEventKind::RunLaunched {
            profile_id: profile,
            slot: slot.index() + 1,
            attempt: *attempt,
            pid: *pid,
        },
        NoticeKind::Adopted { profile, slot, attempt, pid } => FleetEventKind::RunAdopted {
            profile_id: profile,
            slot: slot.index() + 1,
            attempt: *attempt,
            pid: *pid,
        },
        NoticeKind::CleaningUp { profile, cause } => {
            FleetEventKind::RunCrashed { profile_id: profile, cause }
        }
        NoticeKind::Cleared { profile } => FleetEventKind::LeftOversEnded { profile_id: profile },
        NoticeKind::BackingOff { profile, attempt, delay, cause } => FleetEventKind::ProfileBackingOff {
            profile_id: profile,
            attempt: *attempt,
            ms: millis(*delay),
            cause,
        },
        NoticeKind::SiteBusy { profile, times, of, delay } => FleetEventKind::ProfileSiteBusy {
            profile_id: profile,
            times: *times,
            of: *of,
            ms: millis(*delay),
        },
        NoticeKind::PutOff { profile, delay } => {
            FleetEventKind::ProfilePutOff { profile_id: profile, ms: millis(*delay) }
        }
        NoticeKind::OverTime { profile, limit, demand } => {
            let (limit, span) = match limit {
                TimeLimit::Run(span) => ("run", span),
                TimeLimit::Stall(span) => ("stall", span),
            };
            let demand = match demand {
                Enforcement::StopAfterStep => "stop_after_step",
                Enforcement::StopNow => "stop_now",
                Enforcement::Kill => "kill",
            };
            FleetEventKind::RunOverTime { profile_id: profile, limit, ms: millis(*span), demand }
        }
        NoticeKind::Waiting(shortage) => FleetEventKind::LaunchesWaiting(match *shortage {
            Shortage::Memory { free, wanted } => WaitReason::Memory { free, wanted },
            Shortage::MemoryPressure { percent } => WaitReason::MemoryPressure { percent },
            Shortage::Load { load, most } => WaitReason::Load { load, most },
            Shortage::Settling => WaitReason::Settling,
        }),
        NoticeKind::ProviderDown { problem } => {
            FleetEventKind::LaunchesWaiting(WaitReason::Provider { problem })
        }
        NoticeKind::ProviderPaused { pause } => {
            FleetEventKind::LaunchesWaiting(WaitReason::ProviderQuota { ms: millis(*pause) })
        }
        NoticeKind::Resumed => FleetEventKind::LaunchesResumed,
        NoticeKind::Source(notice) => source(notice),
        // Passed over: they are counted by the survey and listed in the report.
        NoticeKind::Ended(report)
            if report.attempts == 0 && !matches!(report.outcome, JobOutcome::Failed(_)) =>
        {
            return None;
        }
        NoticeKind::Ended(report) => FleetEventKind::ProfileEnded(report),
        NoticeKind::Stopping(severity) => FleetEventKind::FleetStopping {
            severity: match severity {
                Severity::None => return None,
                Severity::Drain => "drain",
                Severity::Now => "now",
            },
        },
        NoticeKind::Taken { .. } | NoticeKind::Told { .. } | NoticeKind::Finished { .. } => return None,
    })
}

fn source(notice: &SourceNotice) -> FleetEventKind<'_> {
    match notice {
        SourceNotice::Conflict { profile, fields } => {
            FleetEventKind::SourceDiffers { profile_id: profile, fields }
        }
        SourceNotice::Refused { place, problem } => FleetEventKind::RowRefused { place, problem },
        SourceNotice::Retrying { problem, after } => {
            FleetEventKind::SourceRetrying { problem, ms: millis(*after) }
        }
        SourceNotice::Undelivered { problem, waiting } => {
            FleetEventKind::OutcomesWaiting { problem, outcomes: *waiting }
        }
        SourceNotice::Delivering => FleetEventKind::OutcomesDelivering,
    }
}

fn millis(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
