//! One profile, as its own page shows it.

use serde::Serialize;

use regatta_core::event::{Event, NetworkTotals};
use regatta_core::id::{Flag, ProfileId};
use regatta_core::outcome::RunOutcome;
use regatta_core::view::overview::{DisplayStatus, ProfileView};
use regatta_core::view::summary::StepSpan;

/// Runs that are listed: the latest.
const RUNS: usize = 20;

#[derive(Serialize)]
pub struct ProfileDetail {
    profile_id: ProfileId,
    status: DisplayStatus,
    flags: Vec<(Flag, bool)>,
    in_flight: Option<Flag>,
    error: Option<String>,
    pid: Option<u32>,
    network: NetworkTotals,
    runs: Vec<RunDetail>,
    /// Below `/artifacts/ID/`.
    picture: Option<String>,
    events: Vec<Event>,
    log: String,
}

#[derive(Serialize)]
struct RunDetail {
    run_id: String,
    started_at: i64,
    heard_at: i64,
    outcome: Option<RunOutcome>,
    message: Option<String>,
    steps: Vec<StepDetail>,
}

#[derive(Serialize)]
struct StepDetail {
    flag: Flag,
    mode: regatta_core::event::StepMode,
    attempt: u32,
    started_at: i64,
    ended_at: Option<i64>,
    outcome: Option<regatta_core::event::StepOutcome>,
    is_failed: bool,
    message: Option<String>,
    bytes: u64,
    requests: u64,
    /// Below `/artifacts/ID/`.
    evidence: Option<String>,
}

impl ProfileDetail {
    pub fn of(view: ProfileView, events: Vec<Event>, log: String) -> Self {
        let history = &view.summary.history;
        let latest = history.runs.iter().skip(history.runs.len().saturating_sub(RUNS));
        let runs = latest.map(|run| RunDetail {
            run_id: run.run_id.to_string(),
            started_at: run.started_at.as_millisecond(),
            heard_at: run.last_event_at.as_millisecond(),
            outcome: run.outcome,
            message: run.message.clone(),
            steps: run.steps.iter().map(step).collect(),
        });
        let runs = runs.collect();
        // The page at the last failure, or what a flow took a picture of.
        let failure = history.evidence.as_deref().and_then(below).map(|folder| folder + "/screenshot.png");
        let picture = history.picture.as_deref().and_then(below);
        Self {
            picture: if view.status.is_trouble() { failure.or(picture) } else { picture.or(failure) },
            error: view.trouble().map(str::to_owned),
            profile_id: view.id,
            status: view.status,
            flags: view.flags,
            in_flight: view.in_flight,
            pid: view.pid,
            network: view.summary.network,
            runs,
            events,
            log,
        }
    }
}

fn step(span: &StepSpan) -> StepDetail {
    StepDetail {
        flag: span.flag.clone(),
        mode: span.mode,
        attempt: span.attempt,
        started_at: span.started_at.as_millisecond(),
        ended_at: span.ended_at.map(jiff::Timestamp::as_millisecond),
        outcome: span.outcome,
        is_failed: span.is_failed_attempt(),
        message: span.failed.as_ref().map(|failed| {
            format!("{} ({}, step {} {})", failed.message, failed.flow, failed.step, failed.action)
        }),
        bytes: span.bytes_received,
        requests: span.requests,
        evidence: span.evidence.as_deref().and_then(below),
    }
}

/// The last part of a path that an event names: what lies in the profile's artifacts.
fn below(path: &str) -> Option<String> {
    let name = path.rsplit(['/', '\\']).find(|part| !part.is_empty())?;
    (!name.starts_with('.')).then(|| name.to_owned())
}
