//! What is told of the fleet: as it happens, and at the end.

use std::time::Duration;

use tracing::{info, warn};

use super::Shell;
use regatta_core::event::fleet_notice::{
    FLEET_REPORT_VERSION, FleetNotice, FleetReport, NoticeKind, ProfileReport,
};
use regatta_core::fleet::{FleetFact, JobId, JobOutcome};
use regatta_core::outcome::FleetOutcome;

impl Shell<'_> {
    pub fn report_fact(&mut self, fact: FleetFact) {
        match fact {
            FleetFact::BackingOff { job, attempt, delay, failure } => {
                let profile = self.fleet.profile(job).clone();
                let cause = self.records[job].error().unwrap_or_else(|| failure.to_string());
                info!(%profile, attempt, ?delay, cause, "backing off");
                self.emit(NoticeKind::BackingOff { profile, attempt, delay, cause });
            }
            FleetFact::SiteBusy { job, times, of, delay } => {
                let profile = self.fleet.profile(job).clone();
                warn!(%profile, times, of, ?delay, "the site is busy");
                self.emit(NoticeKind::SiteBusy { profile, times, of, delay });
            }
            FleetFact::PutOff { job, delay } => {
                let profile = self.fleet.profile(job).clone();
                warn!(%profile, ?delay, "open outside of Regatta");
                self.emit(NoticeKind::PutOff { profile, delay });
            }
            FleetFact::Ended { job, outcome, attempts } => {
                let report = self.profile_report(job, outcome, attempts);
                info!(profile = %report.profile_id, ?outcome, attempts, "ended");
                self.records.close(job, report.clone());
                self.emit(NoticeKind::Ended(report));
            }
            FleetFact::OverTime { job, limit, demand } => {
                let profile = self.fleet.profile(job).clone();
                warn!(%profile, %limit, ?demand, "over its time");
                self.records[job].over_time = Some(limit.to_string());
                self.emit(NoticeKind::OverTime { profile, limit, demand });
            }
            FleetFact::Waiting(shortage) => {
                info!(?shortage, "launches wait for room");
                self.emit(NoticeKind::Waiting(shortage));
            }
            FleetFact::ProviderDown => {
                let problem = self.provider_problem.clone().unwrap_or_default();
                warn!(problem, "launches wait for the provider");
                self.emit(NoticeKind::ProviderDown { problem });
            }
            FleetFact::ProviderPaused { pause } => {
                warn!(?pause, "the provider opens no more browsers for a while");
                self.emit(NoticeKind::ProviderPaused { pause });
            }
            FleetFact::Resumed => {
                info!("launches go on");
                self.emit(NoticeKind::Resumed);
            }
            FleetFact::Cleared { job } => {
                let profile = self.fleet.profile(job).clone();
                info!(%profile, "what an earlier run left is gone");
                self.emit(NoticeKind::Cleared { profile });
            }
            FleetFact::Stopping(severity) => {
                info!(?severity, "stopping");
                self.emit(NoticeKind::Stopping(severity));
            }
        }
    }

    fn profile_report(&self, job: JobId, outcome: JobOutcome, attempts: u32) -> ProfileReport {
        let record = &self.records[job];
        let (last_error, evidence) = match outcome {
            JobOutcome::Completed => (None, None),
            JobOutcome::Failed(failure) => {
                (record.error().or_else(|| Some(failure.to_string())), record.known.summary.evidence.clone())
            }
            // That it was killed is no error of its own.
            JobOutcome::Stopped => (record.known.last_error.clone(), record.known.summary.evidence.clone()),
            JobOutcome::NeedsAttention => (record.error(), record.known.summary.evidence.clone()),
        };
        ProfileReport {
            profile_id: self.fleet.profile(job).clone(),
            outcome,
            attempts,
            steps_done: record.known.steps_done,
            steps: self.options.flags.len(),
            ms: record.begun.map_or(0, |begun| millis(self.now().0.saturating_sub(begun.0))),
            last_error,
            evidence,
            network: record.network.clone(),
        }
    }

    pub fn report(self, outcome: FleetOutcome) -> FleetReport {
        // A row that could not be read is a profile that was not completed.
        let outcome = match outcome {
            FleetOutcome::Completed | FleetOutcome::SomeNeedAttention if self.refused > 0 => {
                FleetOutcome::SomeFailed
            }
            outcome => outcome,
        };
        let outcome = if self.provider_refusal.is_some() { FleetOutcome::Usage } else { outcome };
        FleetReport {
            v: FLEET_REPORT_VERSION,
            outcome,
            exit_code: outcome.exit_code(),
            started_at: self.started_at,
            ms: millis(self.started.elapsed()),
            tally: self.fleet.tally(),
            profiles: self.records.into_reports(),
            refused: self.refused,
        }
    }

    pub fn emit(&mut self, kind: NoticeKind) {
        (self.notices)(FleetNotice { at: jiff::Timestamp::now(), kind });
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
