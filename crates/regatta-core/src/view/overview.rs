//! The state of many profiles at once. Every view of a folder shows this, so that all of them agree. A pure
//! fold; the caller reads the files.

use std::collections::HashMap;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::event::{NetworkTotals, StepOutcome};
use crate::id::{Flag, ProfileId, RunId};
use crate::outcome::RunOutcome;
use crate::session::{Session, Status, Superseded};
use crate::view::summary::{Phase, ProfileSummary, RunSpan};

pub use self::causes::{FailureCause, causes, shape};
pub use self::timeline::{Bucket, Lane, LaneRun, LaneStep, Timeline, timeline};

mod causes;
mod timeline;

/// The status of a profile as people see it: the stored one, or what only the lock and the file can show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DisplayStatus {
    Processing,
    #[default]
    Pending,
    /// `PROCESSING`, and no process holds the lock: the run died.
    Interrupted,
    NeedsAttention,
    Failed,
    /// The document cannot be read.
    Damaged,
    Completed,
}

impl DisplayStatus {
    pub const ALL: [Self; 7] = [
        Self::Processing,
        Self::Pending,
        Self::Interrupted,
        Self::NeedsAttention,
        Self::Failed,
        Self::Damaged,
        Self::Completed,
    ];

    pub const fn new(status: Status, is_held: bool) -> Self {
        match status {
            Status::Processing if !is_held => Self::Interrupted,
            Status::Processing => Self::Processing,
            Status::Pending => Self::Pending,
            Status::Completed => Self::Completed,
            Status::Failed => Self::Failed,
            Status::NeedsAttention => Self::NeedsAttention,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Processing => "PROCESSING",
            Self::Pending => "PENDING",
            Self::Interrupted => "INTERRUPTED",
            Self::NeedsAttention => "NEEDS_ATTENTION",
            Self::Failed => "FAILED",
            Self::Damaged => "DAMAGED",
            Self::Completed => "COMPLETED",
        }
    }

    /// Whether a person has something to check.
    pub const fn is_trouble(self) -> bool {
        matches!(self, Self::Interrupted | Self::NeedsAttention | Self::Failed | Self::Damaged)
    }
}

impl fmt::Display for DisplayStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An identity field whose value was superseded by a run. The value itself stays in the session.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReplacedField {
    pub field: String,
    pub at: jiff::Timestamp,
    pub run_id: RunId,
}

impl From<&Superseded> for ReplacedField {
    fn from(old: &Superseded) -> Self {
        Self { field: old.field.clone(), at: old.at, run_id: old.run_id.clone() }
    }
}

/// Everything known of one profile: its document, its lock, and the events of its runs.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfileView {
    pub id: ProfileId,
    pub status: DisplayStatus,
    /// In the order of the workflow, or of the document where the workflow is not known. Empty before the
    /// first run.
    pub flags: Vec<(Flag, bool)>,
    /// The step in flight. In doubt where no process runs the profile.
    pub in_flight: Option<Flag>,
    /// The last error of the document: `FLAG: MESSAGE`.
    pub error: Option<String>,
    /// Superseded fields, newest first.
    pub superseded: Vec<ReplacedField>,
    /// The process that drives the profile now.
    pub pid: Option<u32>,
    pub summary: ProfileSummary,
}

impl ProfileView {
    /// The view of a profile that never ran.
    pub fn pending(id: ProfileId) -> Self {
        Self {
            id,
            status: DisplayStatus::Pending,
            flags: Vec::new(),
            in_flight: None,
            error: None,
            superseded: Vec::new(),
            pid: None,
            summary: ProfileSummary::default(),
        }
    }

    /// The view of a document that cannot be read.
    pub fn damaged(id: ProfileId, problem: String) -> Self {
        Self { status: DisplayStatus::Damaged, error: Some(problem), ..Self::pending(id) }
    }

    /// The view of a profile that no process runs.
    pub fn from_session(session: &Session) -> Self {
        Self {
            id: session.profile_id.clone(),
            status: DisplayStatus::new(session.status, false),
            flags: session.completion_flags.iter().map(|(flag, done)| (flag.clone(), done)).collect(),
            in_flight: session.in_flight.as_ref().map(|in_flight| in_flight.flag.clone()),
            error: session.last_error.as_ref().map(|error| match &error.flag {
                Some(flag) => format!("{flag}: {}", error.message),
                None => error.message.clone(),
            }),
            superseded: session.superseded.iter().map(ReplacedField::from).collect(),
            pid: None,
            summary: ProfileSummary::default(),
        }
    }

    /// Restricts the view to the `steps` of a workflow: a run does those, whichever other steps the document
    /// has. Without `steps` the document is kept as it is.
    #[must_use]
    pub fn for_workflow(mut self, steps: &[Flag]) -> Self {
        if steps.is_empty() || self.flags.is_empty() {
            return self;
        }
        let is_done = |flag: &Flag| self.flags.iter().any(|(name, done)| name == flag && *done);
        self.flags = steps.iter().map(|flag| (flag.clone(), is_done(flag))).collect();
        if self.status == DisplayStatus::Completed && self.done() < self.flags.len() {
            self.status = DisplayStatus::Pending;
        }
        self
    }

    pub fn done(&self) -> usize {
        self.flags.iter().filter(|(_, done)| *done).count()
    }

    /// The number of steps in the document, or else in the run.
    pub fn steps(&self) -> usize {
        if self.flags.is_empty() { self.summary.steps } else { self.flags.len() }
    }

    /// The current step, or the one where the profile stopped.
    pub fn step(&self) -> Option<&Flag> {
        let current = self.summary.current.as_ref().filter(|_| self.status == DisplayStatus::Processing);
        let next = || self.flags.iter().find(|(_, done)| !done).map(|(flag, _)| flag);
        current.map(|step| &step.flag).or(self.in_flight.as_ref()).or_else(next)
    }

    /// The error that keeps the profile from completing.
    pub fn trouble(&self) -> Option<&str> {
        let error = self.error.as_deref().or(self.summary.last_error.as_deref());
        error.filter(|_| self.status.is_trouble())
    }

    /// Milliseconds of all runs, each from its first to its last event; the time between runs does not count.
    pub fn run_ms(&self) -> u64 {
        let span = |run: &RunSpan| run.last_event_at.duration_since(run.started_at).as_millis();
        let sum: i128 = self.summary.history.runs.iter().map(span).sum();
        u64::try_from(sum).unwrap_or(0)
    }
}

/// A step over all profiles, as one stage of a funnel.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepStats {
    pub flag: Flag,
    /// Profiles that have reached this step, and profiles that have done it.
    pub reached: usize,
    pub done: usize,
    /// Profiles that are in this step now.
    pub running: usize,
    /// Attempts that acted and did not reach the end.
    pub failed_attempts: u64,
    /// Profiles that are in trouble in this step.
    pub troubled: usize,
    /// Percentiles of the milliseconds of each attempt that did the step; `None` where there was none.
    pub median_ms: Option<u64>,
    pub p95_ms: Option<u64>,
    #[serde(skip)]
    pub durations_ms: Vec<u64>,
    /// The number of each outcome, in the order of [`STEP_OUTCOMES`].
    #[serde(serialize_with = "named_outcomes")]
    pub outcomes: [u64; 5],
}

/// The counts over a folder.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Overview {
    pub profiles: usize,
    /// In the order of [`DisplayStatus::ALL`].
    #[serde(serialize_with = "named_statuses")]
    pub by_status: [usize; 7],
    pub steps_done: usize,
    pub steps_total: usize,
    pub steps: Vec<StepStats>,
    /// Runs, and runs that followed another of the same profile.
    pub runs: u64,
    pub retries: u64,
    pub runs_without_browser: u64,
    pub browsers: u64,
    pub pacer_waits: u64,
    pub pacer_wait_ms: u64,
    pub healed: u64,
    pub downloads: u64,
    pub network: NetworkTotals,
    pub started_at: Option<jiff::Timestamp>,
    #[serde(rename = "heard_at")]
    pub last_event_at: Option<jiff::Timestamp>,
}

impl Overview {
    pub fn count(&self, status: DisplayStatus) -> usize {
        self.by_status[status as usize]
    }

    /// `order` holds the workflow's steps where it is known. Steps that only documents name follow.
    pub fn from_views<'a>(views: impl IntoIterator<Item = &'a ProfileView>, order: &[Flag]) -> Self {
        let mut overview = Self::default();
        let mut steps = Steps::default();
        for flag in order {
            steps.at(flag);
        }
        for view in views {
            overview.add(view);
            steps.add(view);
        }
        overview.steps = steps.finish();
        overview
    }

    fn add(&mut self, view: &ProfileView) {
        self.profiles += 1;
        self.by_status[view.status as usize] += 1;
        self.steps_done += view.done();
        self.steps_total += view.steps();
        let summary = &view.summary;
        let history = &summary.history;
        self.runs += history.runs.len() as u64;
        self.retries += (history.runs.len() as u64).saturating_sub(1);
        let without = history.runs.iter().filter(|run| run.outcome == Some(RunOutcome::NoBrowser));
        self.runs_without_browser += without.count() as u64;
        self.browsers += history.browsers;
        self.pacer_waits += history.pacer_waits;
        self.pacer_wait_ms += history.pacer_wait_ms;
        self.healed += history.healed;
        self.downloads += history.downloads;
        self.network += &summary.network;
        let first = history.runs.first().map(|run| run.started_at);
        self.started_at = self.started_at.into_iter().chain(first).min();
        self.last_event_at = self.last_event_at.max(summary.last_event_at);
    }
}

#[derive(Default)]
struct Steps {
    places: HashMap<Flag, usize>,
    stats: Vec<StepStats>,
}

impl Steps {
    fn at(&mut self, flag: &Flag) -> &mut StepStats {
        let place = match self.places.get(flag) {
            Some(place) => *place,
            None => {
                self.places.insert(flag.clone(), self.stats.len());
                self.stats.push(StepStats {
                    flag: flag.clone(),
                    reached: 0,
                    done: 0,
                    running: 0,
                    failed_attempts: 0,
                    troubled: 0,
                    median_ms: None,
                    p95_ms: None,
                    durations_ms: Vec::new(),
                    outcomes: [0; 5],
                });
                self.stats.len() - 1
            }
        };
        &mut self.stats[place]
    }

    fn add(&mut self, view: &ProfileView) {
        // A profile with a run has reached every step up to the first open one.
        let mut open = false;
        for (flag, done) in &view.flags {
            let stats = self.at(flag);
            stats.done += usize::from(*done);
            stats.reached += usize::from(*done || (!open && view.status != DisplayStatus::Pending));
            open |= !done;
        }
        if let Some(flag) = view.step() {
            let stats = self.at(flag);
            stats.running += usize::from(
                view.status == DisplayStatus::Processing && view.summary.phase != Phase::Starting,
            );
            stats.troubled += usize::from(view.status.is_trouble());
        }
        for span in view.summary.history.spans() {
            let stats = self.at(&span.flag);
            stats.durations_ms.extend(span.duration_ms());
            stats.failed_attempts += u64::from(span.is_failed_attempt());
            if let Some(outcome) = span.outcome {
                stats.outcomes[outcome_place(outcome)] += 1;
            }
        }
    }

    fn finish(mut self) -> Vec<StepStats> {
        for stats in &mut self.stats {
            stats.durations_ms.sort_unstable();
            stats.median_ms = quantile(&stats.durations_ms, 50);
            stats.p95_ms = quantile(&stats.durations_ms, 95);
        }
        self.stats
    }
}

/// The names in the order of `StepStats::outcomes`.
pub const STEP_OUTCOMES: [&str; 5] = ["done", "verified", "failed", "needs_attention", "stopped"];

const fn outcome_place(outcome: StepOutcome) -> usize {
    match outcome {
        StepOutcome::Done => 0,
        StepOutcome::Verified => 1,
        StepOutcome::Failed => 2,
        StepOutcome::NeedsAttention => 3,
        StepOutcome::Stopped => 4,
    }
}

fn named_statuses<S: Serializer>(counts: &[usize; 7], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(DisplayStatus::ALL.iter().zip(counts))
}

fn named_outcomes<S: Serializer>(counts: &[u64; 5], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(STEP_OUTCOMES.iter().zip(counts))
}

/// The nearest rank: a measured value, never one between two.
fn quantile(sorted: &[u64], percent: usize) -> Option<u64> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
pub(crate) mod tests;
