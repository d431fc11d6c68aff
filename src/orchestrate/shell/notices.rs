//! Reports the fleet: notices as things happen, and the closing report.

use std::time::Duration;

use tracing::info;

use super::super::world::FleetWorld;
use super::Shell;
use regatta_core::fleet::fact::{FleetFact, FleetNotice};
use regatta_core::fleet::report::{FLEET_REPORT_VERSION, FleetReport, ProfileReport};
use regatta_core::fleet::{JobId, JobOutcome};
use regatta_core::outcome::FleetOutcome;

impl<W: FleetWorld> Shell<'_, W> {
    /// Adds what only the shell knows to a fact of the scheduler, and emits it.
    pub fn report_fact(&mut self, mut fact: FleetFact) {
        match &mut fact {
            // The error that the run itself reported says more than the kind of failure.
            FleetFact::ProfileBackingOff { profile, cause, .. } => {
                if let Some(error) = self.fleet.job(profile).and_then(|job| self.records[job].error()) {
                    *cause = error;
                }
            }
            FleetFact::RunOverTime { profile, limit, .. } => {
                if let Some(job) = self.fleet.job(profile) {
                    self.records[job].over_time = Some(limit.to_string());
                }
            }
            _ => {}
        }
        let json = serde_json::to_string(&fact).unwrap_or_default();
        info!(fact = json, "reported");
        self.emit(fact);
    }

    /// Closes the record of a job and emits its report.
    pub fn end(&mut self, job: JobId, outcome: JobOutcome, attempts: u32) {
        let report = self.profile_report(job, outcome, attempts);
        info!(profile = %report.profile_id, ?outcome, attempts, "ended");
        self.records.close(job, report.clone());
        self.emit(FleetFact::ProfileEnded(report));
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

    pub fn emit(&mut self, fact: FleetFact) {
        (self.notices)(FleetNotice { at: self.world.now(), fact });
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
