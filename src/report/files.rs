//! The morning after: what a folder's profiles did, as files for people and for programs.
//!
//! One content, four forms; each is a function of [`Report`] alone.

use serde::Serialize;

use regatta_core::event::NetworkTotals;
use regatta_core::id::{Flag, ProfileId};
use regatta_core::view::overview::{
    DisplayStatus, FailureCause, Overview, ProfileView, Timeline, causes, timeline,
};

mod csv;
mod html;
mod junit;

pub use self::csv::csv;
pub use self::html::html;
pub use self::junit::junit;

/// The version of [`Report`] as JSON.
pub const REPORT_VERSION: u32 = 1;
/// Attempts that took longest.
const SLOWEST: usize = 10;

/// A published format, as JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    pub v: u32,
    /// The workflow's name.
    pub name: String,
    pub at: jiff::Timestamp,
    pub overview: Overview,
    pub causes: Vec<FailureCause>,
    pub slowest: Vec<SlowStep>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Timeline>,
    pub profiles: Vec<ProfileLine>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SlowStep {
    pub profile_id: ProfileId,
    pub flag: Flag,
    pub ms: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProfileLine {
    pub profile_id: ProfileId,
    pub status: DisplayStatus,
    pub steps_done: usize,
    pub steps: Vec<StepLine>,
    pub runs: usize,
    /// Over all runs, pauses between them left out.
    pub ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    pub network: NetworkTotals,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<jiff::Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heard_at: Option<jiff::Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepLine {
    pub flag: Flag,
    pub done: bool,
    /// Attempts that acted.
    pub attempts: usize,
    /// Of the time it was done, or else of the last time it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ms: Option<u64>,
    /// Why it failed last, unless it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

impl Report {
    /// `order`: the workflow's steps, where it is known.
    pub fn of(name: &str, views: &[&ProfileView], order: &[Flag], now: jiff::Timestamp) -> Self {
        let all = || views.iter().copied();
        let mut slowest: Vec<SlowStep> = all()
            .flat_map(|view| {
                view.summary.history.spans().filter_map(|span| {
                    let (profile_id, flag) = (view.id.clone(), span.flag.clone());
                    Some(SlowStep { profile_id, flag, ms: span.duration_ms()? })
                })
            })
            .collect();
        slowest.sort_by(|a, b| b.ms.cmp(&a.ms).then_with(|| a.profile_id.cmp(&b.profile_id)));
        slowest.truncate(SLOWEST);
        Self {
            v: REPORT_VERSION,
            name: name.to_owned(),
            at: now,
            overview: Overview::from_views(all(), order),
            causes: causes(all()),
            slowest,
            timeline: timeline(all(), now),
            profiles: all().map(line).collect(),
        }
    }

    pub fn json(&self) -> String {
        // Infallible: string keys only, nothing that fails to serialise.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

fn line(view: &ProfileView) -> ProfileLine {
    let history = &view.summary.history;
    let steps = view.flags.iter().map(|(flag, done)| {
        let spans: Vec<_> = history.spans().filter(|span| span.flag == *flag).collect();
        let took = spans.iter().rev().find_map(|span| span.duration_ms());
        let last = spans.iter().rev().find(|span| span.outcome.is_some()).map(|span| span.ms);
        let failed = spans.iter().rev().find(|span| span.is_failed_attempt()).filter(|_| !done);
        let standing = view.trouble().filter(|_| view.step() == Some(flag));
        StepLine {
            flag: flag.clone(),
            done: *done,
            attempts: spans.iter().filter(|span| span.mode == regatta_core::event::StepMode::Act).count(),
            ms: took.or(last),
            error: failed
                .and_then(|span| span.failed.as_ref())
                .map(|failed| {
                    format!("{} ({}, step {} {})", failed.message, failed.flow, failed.step, failed.action)
                })
                .or_else(|| standing.map(str::to_owned)),
            evidence: failed.and_then(|span| span.evidence.clone()),
        }
    });
    ProfileLine {
        profile_id: view.id.clone(),
        status: view.status,
        steps_done: view.done(),
        steps: steps.collect(),
        runs: history.runs.len(),
        ms: view.run_ms(),
        error: view.trouble().map(str::to_owned),
        evidence: history.evidence.clone().filter(|_| view.status.is_trouble()),
        network: view.summary.network.clone(),
        started_at: history.runs.first().map(|run| run.started_at),
        heard_at: view.summary.last_event_at,
    }
}

#[cfg(test)]
mod tests;
