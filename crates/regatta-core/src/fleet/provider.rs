//! Decides whether a run without a browser is the fault of its profile or of the provider. Launches wait for
//! a provider that is down, and it uses no attempt.

use super::fact::{FleetFact, WaitReason};
use super::{AttemptEnd, Fleet, FleetEffect, JobFailure, JobId, JobOutcome, JobState, Mono, Severity};
use crate::outcome::RunOutcome;

impl Fleet {
    /// A run without a browser may be the provider's fault; a run with one shows that the provider works.
    pub(super) fn judge_provider(
        &mut self,
        job: JobId,
        attempt: &AttemptEnd,
        effects: &mut Vec<FleetEffect>,
    ) {
        match attempt {
            AttemptEnd::Finished(RunOutcome::NoBrowser) if self.breaker.is_open() => self.excuse(job),
            AttemptEnd::Finished(RunOutcome::NoBrowser) => {
                let last = self.jobs[job.index()].attempts > self.config.retries;
                if self.severity == Severity::None && self.breaker.record_refusal(job, last) {
                    effects.push(FleetEffect::Probe);
                }
            }
            AttemptEnd::Finished(
                RunOutcome::Completed | RunOutcome::StepFailed | RunOutcome::NeedsAttention,
            ) => {
                self.breaker.record_browser();
            }
            _ => {}
        }
    }

    pub(super) fn provider_answered(
        &mut self,
        now: Mono,
        problem: Option<String>,
        effects: &mut Vec<FleetEffect>,
    ) {
        // Nothing is launched any more.
        if self.finished || self.severity > Severity::None {
            return;
        }
        let awaiting_probe = std::mem::take(&mut self.awaiting_probe);
        let Some(problem) = problem else {
            if self.breaker.close() {
                effects.push(FleetEffect::Report(FleetFact::LaunchesResumed));
            }
            for job in awaiting_probe {
                if let JobState::BackingOff { until } = self.state(job) {
                    self.backing_off.remove(&(until, job));
                    self.end(job, JobOutcome::Failed(JobFailure::NoBrowser), effects);
                }
            }
            return;
        };
        if let Some(refused) = self.breaker.record_outage(now) {
            self.excuse_all(&refused);
            let reason = WaitReason::Provider { problem };
            effects.push(FleetEffect::Report(FleetFact::LaunchesWaiting(reason)));
        }
    }

    /// Gives an attempt back to each job that waits for its next one.
    pub(super) fn excuse_all(&mut self, jobs: &[JobId]) {
        for job in jobs {
            if matches!(self.state(*job), JobState::BackingOff { .. }) {
                self.excuse(*job);
            }
        }
    }

    /// Gives an attempt back that the profile did not lose by its own fault.
    pub(super) fn excuse(&mut self, job: JobId) {
        let attempts = &mut self.jobs[job.index()].attempts;
        *attempts = attempts.saturating_sub(1);
    }
}
