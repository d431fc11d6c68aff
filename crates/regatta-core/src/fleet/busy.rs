//! Profiles whose site is busy. No run is to blame, and the site answers later: the profile goes back into the
//! queue and keeps its attempts, until the site has been busy too often.

use std::time::Duration;

use super::{Failure, Fleet, FleetEffect, FleetFact, JobId, JobOutcome, JobState, Mono, Severity};
use crate::busy::{BETWEEN_RUNS, delay};
use crate::retry::{Draw, chance};

/// The busy answers that runs of a job have reported.
#[derive(Debug, Clone, Copy, Default)]
pub struct Busy {
    /// The run under way is ending over it; the time that the site asks for.
    pub found: Option<Option<Duration>>,
    /// How often the profile went back into the queue for it.
    pub times: u32,
}

impl Fleet {
    /// A run of the job has ended over a busy site.
    pub(super) fn requeue_busy(
        &mut self,
        now: Mono,
        job: JobId,
        retry_after: Option<Duration>,
        effects: &mut Vec<FleetEffect>,
    ) {
        let of = self.config.busy_retries;
        let times = self.jobs[job.index()].busy.times + 1;
        if times > of {
            return self.end(job, JobOutcome::Failed(Failure::SiteBusy), effects);
        }
        self.excuse(job);
        if self.severity > Severity::None {
            return self.end(job, JobOutcome::Stopped, effects);
        }
        self.jobs[job.index()].busy.times = times;
        let chance = chance(self.config.seed, Draw::Busy { job: job.0, times });
        let delay = delay(BETWEEN_RUNS, times, retry_after, chance);
        let until = now.after(delay);
        self.set(job, JobState::BackingOff { until });
        self.backing_off.insert((until, job));
        effects.push(FleetEffect::Report(FleetFact::SiteBusy { job, times, of, delay }));
    }
}
