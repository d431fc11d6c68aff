//! Throughput over time in equal buckets, and runs in lanes.
//!
//! Lanes depend on the runs alone, the lowest free one first, so they are the same for a fleet, for single
//! runs, and for a folder in which nothing runs.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{DisplayStatus, ProfileView};
use crate::id::{Flag, ProfileId};
use crate::outcome::RunOutcome;
use crate::view::summary::RunSpan;

/// A pause that separates two stretches of work.
const PAUSE: SignedDuration = SignedDuration::from_mins(30);
const BUCKETS: i64 = 60;
/// The widths of a bucket, in seconds.
const WIDTHS: [i64; 12] = [1, 2, 5, 10, 30, 60, 300, 600, 1_800, 3_600, 21_600, 86_400];
/// The most runs that are drawn: the latest.
const DRAWN: usize = 160;

/// The latest stretch of work.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Timeline {
    pub from: Timestamp,
    pub to: Timestamp,
    pub bucket_seconds: i64,
    pub buckets: Vec<Bucket>,
    /// The flags that `LaneStep::flag` indexes.
    pub flags: Vec<Flag>,
    pub lanes: Vec<Lane>,
    /// Runs of the stretch that are not drawn.
    pub undrawn: usize,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Bucket {
    /// Steps done, profiles completed, attempts failed.
    pub steps: u64,
    pub completed: u64,
    pub failed: u64,
    pub bytes: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Lane {
    pub runs: Vec<LaneRun>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LaneRun {
    pub profile: ProfileId,
    /// Milliseconds after `Timeline::from`.
    pub start: i64,
    pub end: i64,
    /// `None` while the run lives, or where it died.
    pub outcome: Option<RunOutcome>,
    pub is_living: bool,
    pub steps: Vec<LaneStep>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LaneStep {
    pub flag: usize,
    pub start: i64,
    pub end: i64,
    pub is_failed: bool,
}

/// Returns `None` before anything ran. A run that lives ends at `now`.
pub fn timeline<'a>(views: impl IntoIterator<Item = &'a ProfileView>, now: Timestamp) -> Option<Timeline> {
    let mut runs: Vec<(&RunSpan, &ProfileView, bool)> = Vec::new();
    for view in views {
        let last = view.summary.history.runs.len();
        let living = |place: usize| place + 1 == last && view.status == DisplayStatus::Processing;
        runs.extend(view.summary.history.runs.iter().enumerate().map(|(at, run)| (run, view, living(at))));
    }
    let end = |(run, _, is_living): &(&RunSpan, &ProfileView, bool)| {
        if *is_living { now.max(run.last_event_at) } else { run.last_event_at }
    };
    // From the latest event back to the first pause.
    runs.sort_by_key(|run| std::cmp::Reverse(end(run)));
    let mut from = runs.first()?.0.started_at;
    let to = end(&runs[0]);
    let mut kept = 0;
    for run in &runs {
        if end(run) + PAUSE < from {
            break;
        }
        from = from.min(run.0.started_at);
        kept += 1;
    }
    runs.truncate(kept);
    let seconds = to.duration_since(from).as_secs().max(1);
    let fits = |width: &i64| seconds / width < BUCKETS;
    let width = WIDTHS.into_iter().find(fits).unwrap_or(seconds / BUCKETS + 1);
    let mut buckets = vec![Bucket::default(); usize::try_from(seconds / width + 1).unwrap_or(1)];
    let last = buckets.len() - 1;
    let place =
        |at: Timestamp| usize::try_from(at.duration_since(from).as_secs() / width).unwrap_or(0).min(last);
    for (run, ..) in &runs {
        for span in &run.steps {
            let bucket = &mut buckets[place(span.ended_at.unwrap_or(run.last_event_at))];
            bucket.bytes += span.bytes_received;
            bucket.failed += u64::from(span.is_failed_attempt());
            bucket.steps += u64::from(span.outcome.is_some_and(|outcome| {
                use crate::event::StepOutcome::{Done, Verified};
                matches!(outcome, Done | Verified)
            }));
        }
        buckets[place(run.last_event_at)].completed += u64::from(run.outcome == Some(RunOutcome::Completed));
    }
    let undrawn = runs.len().saturating_sub(DRAWN);
    runs.truncate(DRAWN);
    runs.sort_by_key(|(run, ..)| run.started_at);
    let mut flags = FlagIndex::default();
    let mut lanes: Vec<(Timestamp, Lane)> = Vec::new();
    for run in &runs {
        let ended = end(run);
        let drawn = draw(run, from, ended, &mut flags);
        match lanes.iter_mut().find(|(free, _)| *free <= run.0.started_at) {
            Some((free, lane)) => {
                *free = ended;
                lane.runs.push(drawn);
            }
            None => lanes.push((ended, Lane { runs: vec![drawn] })),
        }
    }
    let lanes = lanes.into_iter().map(|(_, lane)| lane).collect();
    Some(Timeline { from, to, bucket_seconds: width, buckets, flags: flags.names, lanes, undrawn })
}

fn draw(
    (run, view, is_living): &(&RunSpan, &ProfileView, bool),
    from: Timestamp,
    ended: Timestamp,
    flags: &mut FlagIndex,
) -> LaneRun {
    let after = |at: Timestamp| i64::try_from(at.duration_since(from).as_millis()).unwrap_or(i64::MAX);
    let steps = run.steps.iter().map(|span| LaneStep {
        flag: flags.place(&span.flag),
        start: after(span.started_at),
        end: after(span.ended_at.unwrap_or(ended)),
        is_failed: span.is_failed_attempt(),
    });
    LaneRun {
        profile: view.id.clone(),
        start: after(run.started_at),
        end: after(ended),
        outcome: run.outcome,
        is_living: *is_living,
        steps: steps.collect(),
    }
}

#[derive(Default)]
struct FlagIndex {
    names: Vec<Flag>,
    places: HashMap<Flag, usize>,
}

impl FlagIndex {
    fn place(&mut self, flag: &Flag) -> usize {
        if let Some(place) = self.places.get(flag) {
            return *place;
        }
        self.places.insert(flag.clone(), self.names.len());
        self.names.push(flag.clone());
        self.names.len() - 1
    }
}
