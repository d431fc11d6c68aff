//! Profiles that wait for their first launch, by priority and then in order of arrival.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

use super::JobId;

/// There are few priorities, so each has a queue of its own.
#[derive(Debug, Clone, Default)]
pub struct LaunchQueue(BTreeMap<Reverse<i32>, VecDeque<JobId>>);

impl LaunchQueue {
    pub fn push_back(&mut self, priority: i32, job: JobId) {
        self.0.entry(Reverse(priority)).or_default().push_back(job);
    }

    pub fn push_front(&mut self, priority: i32, job: JobId) {
        self.0.entry(Reverse(priority)).or_default().push_front(job);
    }

    pub fn pop_front(&mut self) -> Option<JobId> {
        let mut first = self.0.first_entry()?;
        let job = first.get_mut().pop_front();
        if first.get().is_empty() {
            first.remove();
        }
        job
    }

    /// Jobs in launch order.
    pub fn iter(&self) -> impl Iterator<Item = JobId> {
        self.0.values().flatten().copied()
    }

    pub fn retain(&mut self, keep: impl Fn(&JobId) -> bool) {
        self.0.values_mut().for_each(|jobs| jobs.retain(&keep));
        self.0.retain(|_, jobs| !jobs.is_empty());
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }
}
