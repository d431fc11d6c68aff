//! The lines of `orchestrate --json`: the facts of the fleet, between them the events of its runs as they
//! stand in their files, and the closing report as the last line. A published format: version 1.

use jiff::Timestamp;
use serde::Serialize;

use super::JobOutcome;
use super::fact::{FleetFact, FleetNotice};
use super::report::FleetReport;
use crate::event::Event;

pub const FLEET_EVENT_VERSION: u32 = 1;

/// One line. Its `type` says which.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum FleetLine<'a> {
    /// An event of a run: only these lines have a `run_id`.
    Run(&'a Event),
    Fleet(FleetEvent<'a>),
    LeftOut(LinesLeftOut),
    Finished(FleetFinished<'a>),
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FleetEvent<'a> {
    v: u32,
    at: Timestamp,
    #[serde(flatten)]
    fact: &'a FleetFact,
}

/// Lines that are missing at this place, because they were not read in time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LinesLeftOut {
    v: u32,
    at: Timestamp,
    #[serde(rename = "type")]
    kind: &'static str,
    lines: u64,
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

impl<'a> FleetLine<'a> {
    /// Returns `None` for facts that are not printed: see [`FleetFact`].
    pub fn from_notice(notice: &'a FleetNotice) -> Option<Self> {
        match &notice.fact {
            FleetFact::RunEvent { event, .. } => Some(Self::Run(event)),
            FleetFact::ProfileEnqueued { .. } | FleetFact::FleetFinished { .. } => None,
            FleetFact::ProfileEnded(report)
                if report.attempts == 0 && !matches!(report.outcome, JobOutcome::Failed(_)) =>
            {
                None
            }
            fact => Some(Self::Fleet(FleetEvent { v: FLEET_EVENT_VERSION, at: notice.at, fact })),
        }
    }

    pub const fn left_out(at: Timestamp, lines: u64) -> Self {
        Self::LeftOut(LinesLeftOut { v: FLEET_EVENT_VERSION, at, kind: "lines_left_out", lines })
    }

    /// Returns the last line.
    pub const fn finished(at: Timestamp, report: &'a FleetReport) -> Self {
        Self::Finished(FleetFinished { kind: "fleet_finished", at, report })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use expect_test::expect;

    use super::*;
    use crate::event::NetworkTotals;
    use crate::fleet::fact::WaitReason;
    use crate::fleet::report::ProfileReport;
    use crate::fleet::source_notice::SourceNotice;
    use crate::fleet::{Enforcement, JobFailure, Severity, Slot, Tally, TimeLimit};
    use crate::id::ProfileId;
    use crate::outcome::FleetOutcome;

    fn profile() -> ProfileId {
        "p1".parse().unwrap()
    }

    fn ended(attempts: u32, outcome: JobOutcome) -> FleetFact {
        FleetFact::ProfileEnded(ProfileReport {
            profile_id: profile(),
            outcome,
            attempts,
            steps_done: 1,
            steps: 2,
            ms: 3,
            last_error: None,
            evidence: Some("e".into()),
            network: NetworkTotals::default(),
        })
    }

    /// Every variant, so that a renamed field cannot change the published lines.
    #[test]
    fn every_fact_has_its_published_line() {
        let span = Duration::from_millis(1500);
        let (first, second) = (Slot::new(0), Slot::new(1));
        let over = |limit, demand| FleetFact::RunOverTime { profile: profile(), limit, demand };
        let facts = [
            FleetFact::FleetSurveyed { profiles: 3, ended: Tally { completed: 1, ..Tally::default() } },
            FleetFact::ProfileEnqueued { profile: profile() },
            FleetFact::RunLaunched { profile: profile(), slot: first, attempt: 1, pid: 7 },
            FleetFact::RunAdopted { profile: profile(), slot: second, attempt: 1, pid: None },
            FleetFact::RunAdopted { profile: profile(), slot: second, attempt: 1, pid: Some(8) },
            over(TimeLimit::Run(span), Enforcement::StopAfterStep),
            over(TimeLimit::Stall(span), Enforcement::StopNow),
            over(TimeLimit::Stall(span), Enforcement::Kill),
            FleetFact::RunCrashed { profile: profile(), cause: "signal 9".into() },
            FleetFact::LeftOversEnded { profile: profile() },
            FleetFact::ProfileBackingOff { profile: profile(), attempt: 2, delay: span, cause: "no".into() },
            FleetFact::ProfileSiteBusy { profile: profile(), times: 1, of: 5, at_once: 2, delay: span },
            FleetFact::ProfilePutOff { profile: profile(), delay: span },
            ended(1, JobOutcome::Failed(JobFailure::StepFailed)),
            ended(0, JobOutcome::Failed(JobFailure::Damaged)),
            ended(1, JobOutcome::Completed),
            ended(0, JobOutcome::Completed),
            FleetFact::LaunchesWaiting(WaitReason::Memory { free: 1, wanted: 2 }),
            FleetFact::LaunchesWaiting(WaitReason::MemoryPressure { percent: 12.5 }),
            FleetFact::LaunchesWaiting(WaitReason::Load { load: 3.0, most: 1.5 }),
            FleetFact::LaunchesWaiting(WaitReason::BrowsersStarting),
            FleetFact::LaunchesWaiting(WaitReason::Provider { problem: "gone".into() }),
            FleetFact::LaunchesWaiting(WaitReason::ProviderQuota { pause: span }),
            FleetFact::LaunchesResumed,
            FleetFact::FleetStopping { severity: Severity::Drain },
            FleetFact::FleetStopping { severity: Severity::Now },
            FleetFact::Source(SourceNotice::Conflict { profile: profile(), fields: vec!["email".into()] }),
            FleetFact::Source(SourceNotice::Refused { place: "a:1".into(), problem: "x".into() }),
            FleetFact::Source(SourceNotice::Retrying { problem: "x".into(), after: span }),
            FleetFact::Source(SourceNotice::Undelivered { problem: "x".into(), waiting: 4 }),
            FleetFact::Source(SourceNotice::Delivering),
            FleetFact::FleetFinished { outcome: FleetOutcome::Completed, tally: Tally::default() },
        ];
        let notices = facts.map(|fact| FleetNotice { at: Timestamp::UNIX_EPOCH, fact });
        let left_out = FleetLine::left_out(Timestamp::UNIX_EPOCH, 9);
        let lines = notices.iter().filter_map(FleetLine::from_notice).chain([left_out]);
        let lines: Vec<_> = lines.map(|line| serde_json::to_string(&line).unwrap()).collect();
        expect![[r#"
            {"v":1,"at":"1970-01-01T00:00:00Z","type":"fleet_surveyed","profiles":3,"tally":{"completed":1,"need_attention":0,"failed":0,"stopped":0}}
            {"v":1,"at":"1970-01-01T00:00:00Z","type":"run_launched","profile_id":"p1","slot":1,"attempt":1,"pid":7}
            {"v":1,"at":"1970-01-01T00:00:00Z","type":"run_adopted","profile_id":"p1","slot":2,"attempt":1}
            {"v":1,"at":"1970-01-01T00:00:00Z","type":"run_adopted","profile_id":"p1","slot":2,"attempt":1,"pid":8}
            {"v":1,"at":"1970-01-01T00:00:00Z","type":"run_over_time","profile_id":"p1","limit":"run","ms":1500,"demand":"stop_after_step"}
            {"v":1,"at":"1970-01-01T00:00:00Z","type":"run_over_time","profile_id":"p1","limit":"stall","ms":1500,"demand":"stop_now"}
            {"v":1,"at":"1970-01-01T00:00:00Z","type":"run_over_time","profile_id":"p1","limit":"stall","ms":1500,"demand":"kill"}
            {"v":1,"at":"1970-01-01T00:00:00Z","type":"run_crashed","profile_id":"p1","cause":"signal 9"}
            {"v":1,"at":"1970-01-01T00:00:00Z","type":"left_overs_ended","profile_id":"p1"}
            {"v":1,"at":"1970-01-01T00:00:00Z","type":"profile_backing_off","profile_id":"p1","attempt":2,"ms":1500,"cause":"no"}
            {"v":1,"at":"1970-01-01T00:00:00Z","type":"profile_site_busy","profile_id":"p1","times":1,"of":5,"at_once":2,"ms":1500}
            {"v":1,"at":"1970-01-01T00:00:00Z","type":"profile_put_off","profile_id":"p1","ms":1500}
            {"v":1,"at":"1970-01-01T00:00:00Z","type":"profile_ended","profile_id":"p1","outcome":"failed","cause":"step_failed","attempts":1,"steps_done":1,"steps":2,"ms":3,"evidence":"e","network":{"requests":0,"failed":0,"bytes_received":0,"bytes_sent":0}}
            {"v":1,"at":"1970-01-01T00:00:00Z","type":"profile_ended","profile_id":"p1","outcome":"failed","cause":"damaged","attempts":0,"steps_done":1,"steps":2,"ms":3,"evidence":"e","network":{"requests":0,"failed":0,"bytes_received":0,"bytes_sent":0}}
            {"v":1,"at":"1970-01-01T00:00:00Z","type":"profile_ended","profile_id":"p1","outcome":"completed","attempts":1,"steps_done":1,"steps":2,"ms":3,"evidence":"e","network":{"requests":0,"failed":0,"bytes_received":0,"bytes_sent":0}}
            {"v":1,"at":"1970-01-01T00:00:00Z","type":"launches_waiting","reason":"memory","free":1,"wanted":2}
            {"v":1,"at":"1970-01-01T00:00:00Z","type":"launches_waiting","reason":"memory_pressure","percent":12.5}
            {"v":1,"at":"1970-01-01T00:00:00Z","type":"launches_waiting","reason":"load","load":3.0,"most":1.5}
            {"v":1,"at":"1970-01-01T00:00:00Z","type":"launches_waiting","reason":"settling"}
            {"v":1,"at":"1970-01-01T00:00:00Z","type":"launches_waiting","reason":"provider","problem":"gone"}
            {"v":1,"at":"1970-01-01T00:00:00Z","type":"launches_waiting","reason":"provider_quota","ms":1500}
            {"v":1,"at":"1970-01-01T00:00:00Z","type":"launches_resumed"}
            {"v":1,"at":"1970-01-01T00:00:00Z","type":"fleet_stopping","severity":"drain"}
            {"v":1,"at":"1970-01-01T00:00:00Z","type":"fleet_stopping","severity":"now"}
            {"v":1,"at":"1970-01-01T00:00:00Z","type":"source_differs","profile_id":"p1","fields":["email"]}
            {"v":1,"at":"1970-01-01T00:00:00Z","type":"row_refused","place":"a:1","problem":"x"}
            {"v":1,"at":"1970-01-01T00:00:00Z","type":"source_retrying","problem":"x","ms":1500}
            {"v":1,"at":"1970-01-01T00:00:00Z","type":"outcomes_waiting","problem":"x","outcomes":4}
            {"v":1,"at":"1970-01-01T00:00:00Z","type":"outcomes_delivering"}
            {"v":1,"at":"1970-01-01T00:00:00Z","type":"lines_left_out","lines":9}"#]]
        .assert_eq(&lines.join("\n"));
    }
}
