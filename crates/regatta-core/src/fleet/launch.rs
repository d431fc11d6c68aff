//! Decides which job is launched and when, from back-off, stagger, room on the machine, the provider, and
//! profiles that are open on another device.

use std::collections::HashSet;

use super::admission::LaunchRoom;
use super::elsewhere::OpenElsewhere;
use super::fact::{FleetFact, WaitReason};
use super::{Fleet, FleetEffect, JobFailure, JobId, JobOutcome, JobState, Mono, Severity};
use crate::retry::{ChancePurpose, chance, jittered};

impl Fleet {
    /// The only place that spawns.
    pub(super) fn launch(&mut self, now: Mono, effects: &mut Vec<FleetEffect>) {
        if self.severity > Severity::None || !self.surveyed {
            return;
        }
        while self.slots.taken < self.site.runs() && self.next_launch <= now && self.has_ready(now) {
            if self.breaker.holds() || !self.admits(now, effects) || !self.is_free(now, effects) {
                return;
            }
            let Some(job) = self.next_job(now) else { return };
            self.admission.launched(now);
            let slot = self.slots.acquire();
            self.set(job, JobState::Starting { slot });
            let attempt = &mut self.jobs[job.index()].attempts;
            *attempt += 1;
            effects.push(FleetEffect::Spawn { job, slot, attempt: *attempt });
            let chance = chance(self.config.seed, ChancePurpose::Launch { number: self.launches });
            self.launches += 1;
            self.next_launch = now.after(jittered(self.config.stagger, self.config.stagger_jitter, chance));
        }
    }

    fn has_ready(&self, now: Mono) -> bool {
        self.coming(now).next().is_some()
    }

    /// The jobs that may be launched now, in order.
    fn coming(&self, now: Mono) -> impl Iterator<Item = JobId> {
        let begun = self.backing_off.iter().take_while(move |(until, _)| *until <= now).map(|(_, job)| *job);
        begun.chain(self.queue.iter()).chain(self.elsewhere.due(now))
    }

    /// Whether the next job is known not to be open on another device, as far as that can be known.
    fn is_free(&mut self, now: Mono, effects: &mut Vec<FleetEffect>) -> bool {
        let Some(next) = self.coming(now).next() else { return false };
        if self.elsewhere.is_clear(next) {
            return true;
        }
        let coming: Vec<JobId> = self.coming(now).take(self.config.asked_at_once).collect();
        if let Some(jobs) = self.elsewhere.next_check(coming.into_iter()) {
            effects.push(FleetEffect::CheckElsewhere { jobs });
        }
        false
    }

    fn admits(&mut self, now: Mono, effects: &mut Vec<FleetEffect>) -> bool {
        match self.admission.check(now, self.live_runs()) {
            LaunchRoom::Available => {
                if std::mem::take(&mut self.waiting) {
                    effects.push(FleetEffect::Report(FleetFact::LaunchesResumed));
                }
                return true;
            }
            LaunchRoom::Unknown => {
                if !std::mem::replace(&mut self.admission.measuring, true) {
                    effects.push(FleetEffect::Measure);
                }
            }
            // This ends within seconds and is not worth a report.
            LaunchRoom::Short(WaitReason::BrowsersStarting) => {}
            LaunchRoom::Short(shortage) => {
                if !std::mem::replace(&mut self.waiting, true) {
                    effects.push(FleetEffect::Report(FleetFact::LaunchesWaiting(shortage)));
                }
            }
        }
        false
    }

    fn next_job(&mut self, now: Mono) -> Option<JobId> {
        match self.backing_off.first() {
            Some((until, _)) if *until <= now => self.backing_off.pop_first().map(|(_, job)| job),
            _ => self.queue.pop_front().or_else(|| self.elsewhere.pop_first()),
        }
    }

    /// Puts off the checked jobs that are open on another device.
    pub(super) fn put_off_all(&mut self, now: Mono, open: &[JobId], effects: &mut Vec<FleetEffect>) {
        let asked = self.elsewhere.take_checked();
        let open: HashSet<JobId> = open.iter().filter(|job| asked.contains(job)).copied().collect();
        if open.is_empty() {
            return;
        }
        self.queue.retain(|job| !open.contains(job));
        let mut open: Vec<JobId> = open.into_iter().collect();
        open.sort();
        for job in open {
            match self.state(job) {
                JobState::Queued => {}
                JobState::BackingOff { until } => {
                    self.backing_off.remove(&(until, job));
                }
                JobState::PutOff { until } => self.elsewhere.remove(until, job),
                // The job was stopped meanwhile.
                _ => continue,
            }
            self.put_off(now, job, effects);
        }
    }

    pub(super) fn put_off(&mut self, now: Mono, job: JobId, effects: &mut Vec<FleetEffect>) {
        let times = &mut self.jobs[job.index()].put_off;
        let Some(delay) = OpenElsewhere::delay(*times) else {
            return self.end(job, JobOutcome::Failed(JobFailure::UsedElsewhere), effects);
        };
        *times += 1;
        let until = now.after(delay);
        self.set(job, JobState::PutOff { until });
        self.elsewhere.put_off(job, until);
        let profile = self.profile(job).clone();
        effects.push(FleetEffect::Report(FleetFact::ProfilePutOff { profile, delay }));
    }
}
