//! Profiles that are open on another device: a provider that lends a profile once refuses them here.
//!
//! It is nobody's failure, and only whoever has it open can change it. So such a profile goes behind all
//! others, keeps its attempts, and is tried again until it has been put off too often. Where the
//! provider can be asked about many profiles at once, they are found before anything is launched.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use super::{JobId, Mono};
use crate::retry::Backoff;

/// Waits of a profile that is put off: 12 min in all, which begin when nothing else is left to launch.
const WAITS: Backoff =
    Backoff { base: Duration::from_secs(30), factor: 2.0, cap: Duration::from_secs(300), jitter: 0.0 };
const MOST_WAITS: u32 = 5;

#[derive(Debug, Clone, Default)]
pub struct OpenElsewhere {
    /// How many profiles one question is about; 0: nobody can be asked.
    at_once: usize,
    /// The answer about them is awaited.
    asked: Vec<JobId>,
    /// They were asked about since they were put off last.
    looked_at: HashSet<JobId>,
    /// A run of theirs was refused.
    refused: HashSet<JobId>,
    waiting: BTreeSet<(Mono, JobId)>,
}

impl OpenElsewhere {
    pub fn new(at_once: usize) -> Self {
        Self { at_once, ..Self::default() }
    }

    /// Whether a launch of the job needs no answer first.
    pub fn is_clear(&self, job: JobId) -> bool {
        self.at_once == 0 || self.looked_at.contains(&job)
    }

    /// The next ones to ask about, those who come first; none while an answer is awaited.
    #[must_use = "the question has to be asked"]
    pub fn ask(&mut self, coming: impl Iterator<Item = JobId>) -> Option<Vec<JobId>> {
        if !self.asked.is_empty() {
            return None;
        }
        self.asked = coming.filter(|job| !self.looked_at.contains(job)).take(self.at_once).collect();
        (!self.asked.is_empty()).then(|| self.asked.clone())
    }

    /// The answer has come. Those that were asked about.
    pub fn answered(&mut self) -> HashSet<JobId> {
        let asked: HashSet<JobId> = std::mem::take(&mut self.asked).into_iter().collect();
        self.looked_at.extend(&asked);
        asked
    }

    /// The run of the job is being refused its profile.
    pub fn refuse(&mut self, job: JobId) {
        self.refused.insert(job);
    }

    /// Whether its run was refused for that; forgets it.
    pub fn was_refused(&mut self, job: JobId) -> bool {
        self.refused.remove(&job)
    }

    /// How long a job waits that was put off so many times before; `None`: no longer.
    pub fn wait(times: u32) -> Option<Duration> {
        (times < MOST_WAITS).then(|| WAITS.delay(times + 1, 0.5))
    }

    pub fn put_off(&mut self, job: JobId, until: Mono) {
        self.looked_at.remove(&job);
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
