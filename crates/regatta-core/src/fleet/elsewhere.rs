//! Profiles that are open on another device. A provider that lends a profile once refuses them here.
//!
//! Only the person who has the profile open can change that. So it goes behind all others, keeps its
//! attempts, and is retried until it was put off too often. Where the provider can report on many profiles at
//! once, they are found before anything is launched.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use super::{JobId, Mono};
use crate::retry::Backoff;

/// The delays of a profile that is put off: 12 min in all, counted once nothing else is left to launch.
const WAITS: Backoff =
    Backoff { base: Duration::from_secs(30), factor: 2.0, cap: Duration::from_secs(300), jitter: 0.0 };
const MOST_WAITS: u32 = 5;

#[derive(Debug, Clone, Default)]
pub struct OpenElsewhere {
    /// How many profiles one call asks about; 0 where the provider cannot be asked.
    at_once: usize,
    /// The jobs of the call that is not yet answered.
    asked: Vec<JobId>,
    /// Jobs that were checked since they were put off last.
    checked: HashSet<JobId>,
    /// Jobs whose run was refused.
    refused: HashSet<JobId>,
    waiting: BTreeSet<(Mono, JobId)>,
}

impl OpenElsewhere {
    pub fn new(at_once: usize) -> Self {
        Self { at_once, ..Self::default() }
    }

    /// Whether the job can be launched without a check.
    pub fn is_clear(&self, job: JobId) -> bool {
        self.at_once == 0 || self.checked.contains(&job)
    }

    /// Returns the next jobs to check, in launch order; `None` while a call is not yet answered.
    #[must_use = "the question has to be asked"]
    pub fn next_check(&mut self, coming: impl Iterator<Item = JobId>) -> Option<Vec<JobId>> {
        if !self.asked.is_empty() {
            return None;
        }
        self.asked = coming.filter(|job| !self.checked.contains(job)).take(self.at_once).collect();
        (!self.asked.is_empty()).then(|| self.asked.clone())
    }

    /// Takes the answer in and returns the jobs that were checked.
    pub fn take_checked(&mut self) -> HashSet<JobId> {
        let asked: HashSet<JobId> = std::mem::take(&mut self.asked).into_iter().collect();
        self.checked.extend(&asked);
        asked
    }

    /// Records that the run of the job was refused its profile.
    pub fn record_refusal(&mut self, job: JobId) {
        self.refused.insert(job);
    }

    /// Whether the run of the job was refused; forgets it.
    pub fn was_refused(&mut self, job: JobId) -> bool {
        self.refused.remove(&job)
    }

    /// Returns the delay of a job that was put off `times` times before; `None` where that is too often.
    pub fn delay(times: u32) -> Option<Duration> {
        (times < MOST_WAITS).then(|| WAITS.delay(times + 1, 0.5))
    }

    pub fn put_off(&mut self, job: JobId, until: Mono) {
        self.checked.remove(&job);
        self.waiting.insert((until, job));
    }

    pub fn first(&self) -> Option<(Mono, JobId)> {
        self.waiting.first().copied()
    }

    pub fn pop_first(&mut self) -> Option<JobId> {
        self.waiting.pop_first().map(|(_, job)| job)
    }

    pub fn due(&self, now: Mono) -> impl Iterator<Item = JobId> {
        self.waiting.iter().take_while(move |(until, _)| *until <= now).map(|(_, job)| *job)
    }

    pub fn remove(&mut self, until: Mono, job: JobId) {
        self.waiting.remove(&(until, job));
    }

    pub fn clear(&mut self) {
        self.waiting.clear();
    }
}
