//! Profiles whose site is busy. The site answers later, so the profile is queued again and keeps its
//! attempts, until the site was busy too often.
//!
//! Meanwhile fewer runs share the site: each run that ends over it halves their number, and each completed
//! profile adds one. Otherwise all of them would return together and be refused together.

use std::time::Duration;

use super::fact::FleetFact;
use super::{Fleet, FleetEffect, JobFailure, JobId, JobOutcome, JobState, Mono, Severity};
use crate::retry::{ChancePurpose, chance};
use crate::site_busy::{BETWEEN_RUNS, retry_delay};

/// The busy answers that the runs of a job have reported.
#[derive(Debug, Clone, Copy, Default)]
pub struct SiteBusyState {
    /// The current run ends over a busy site; holds the time that the site asks for.
    pub found: Option<Option<Duration>>,
    /// How often the profile was queued again for it.
    pub times: u32,
}

/// The number of runs that the site bears.
#[derive(Debug, Clone, Copy)]
pub struct SiteAllowance {
    max: u32,
    runs: u32,
}

impl SiteAllowance {
    pub const fn new(max: u32) -> Self {
        Self { max, runs: max }
    }

    /// The most runs that may live at once.
    pub const fn runs(self) -> u32 {
        self.runs
    }

    /// `living` counts the run that has ended.
    fn halve(&mut self, living: u32) {
        self.runs = (self.runs.min(living) / 2).max(1);
    }

    pub fn grow(&mut self) {
        self.runs = self.runs.saturating_add(1).min(self.max);
    }
}

impl Fleet {
    /// Handles the end of a run over a busy site.
    pub(super) fn requeue_for_busy_site(
        &mut self,
        now: Mono,
        job: JobId,
        retry_after: Option<Duration>,
        effects: &mut Vec<FleetEffect>,
    ) {
        self.site.halve(self.slots.taken + 1);
        let of = self.config.busy_retries;
        let times = self.jobs[job.index()].site_busy.times + 1;
        if times > of {
            return self.end(job, JobOutcome::Failed(JobFailure::SiteBusy), effects);
        }
        self.excuse(job);
        if self.severity > Severity::None {
            return self.end(job, JobOutcome::Stopped, effects);
        }
        self.jobs[job.index()].site_busy.times = times;
        let chance = chance(self.config.seed, ChancePurpose::Busy { job: job.0, times });
        let delay = retry_delay(BETWEEN_RUNS, times, retry_after, chance);
        let until = now.after(delay);
        self.set(job, JobState::BackingOff { until });
        self.backing_off.insert((until, job));
        let profile = self.profile(job).clone();
        effects.push(FleetEffect::Report(FleetFact::ProfileSiteBusy {
            profile,
            times,
            of,
            at_once: self.site.runs(),
            delay,
        }));
    }
}
