//! One step: attempts until its flow reached its end, and no attempt while an earlier one is in
//! doubt.

use std::path::PathBuf;
use std::time::Duration;

use rand::RngExt as _;
use tokio::time::Instant;

use super::doubt::DoubtAnswer;
use super::flow_player::{PlayError, file_name};
use super::step_flow::FlowAttempt;
use super::{BrowserHost, FailedStep, FlowPage, Run, RunExit, millis};
use regatta_core::event::{EventKind, NetworkTotals, StepMode, StepOutcome};
use regatta_core::evidence::Incident;
use regatta_core::retry::Backoff;
use regatta_core::workflow::plan::PlanStep;
use regatta_page::ActionErrorKind;

/// Between the attempts of one run; shorter than a fleet's, since the browser is open meanwhile.
const BACKOFF: Backoff =
    Backoff { base: Duration::from_secs(1), factor: 2.0, cap: Duration::from_secs(8), jitter: 0.5 };

impl<O: BrowserHost> Run<'_, O> {
    /// Drives a step until its flag is durable.
    pub(super) async fn drive_step(&mut self, step: &PlanStep, page: &mut O::Page) -> Result<(), RunExit> {
        let started = Instant::now();
        let mut network = NetworkTotals::default();
        let result = self.attempts(step, page, &mut network).await;
        network += &page.take_network_totals();
        let outcome = match &result {
            Ok(outcome) => *outcome,
            Err(RunExit::Attention { .. }) => StepOutcome::NeedsAttention,
            Err(RunExit::Stopped) => StepOutcome::Stopped,
            Err(_) => StepOutcome::Failed,
        };
        let flag = step.flag.clone();
        self.events.emit(EventKind::StepFinished { flag, outcome, ms: millis(started), network });
        result.map(|_| ())
    }

    async fn attempts(
        &mut self,
        step: &PlanStep,
        page: &mut O::Page,
        network: &mut NetworkTotals,
    ) -> Result<StepOutcome, RunExit> {
        // A doubt left by an earlier run; pages that could still act were closed with the browser's
        // opening, so it is as old as this moment.
        if let Some(DoubtAnswer::Done) = self.resolve_doubt(step, Instant::now(), page).await? {
            return Ok(StepOutcome::Verified);
        }
        let mut attempt = 1;
        loop {
            self.prepare(step)?;
            let flow = step.flow_for(self.session.session().platform);
            let pass = FlowAttempt { mode: StepMode::Act, attempt };
            page.begin_trace(&format!("{}, attempt {attempt}", step.flag));
            let unplayed = match self.play(step, flow, pass, page).await {
                Ok(captured) => {
                    self.complete(step, &captured)?;
                    page.keep_healed();
                    page.keep_trace(&self.folder(step, attempt), self.events.masker()).await;
                    return Ok(StepOutcome::Done);
                }
                Err(unplayed) => unplayed,
            };
            let failed_at = Instant::now();
            let failure = self.record_failure(step, attempt, unplayed, page).await?;
            *network += &page.take_network_totals();
            let hopeless = matches!(
                failure.error.kind,
                ActionErrorKind::BrowserGone | ActionErrorKind::PageCrashed | ActionErrorKind::Refused
            );
            // A dead browser cannot be asked: the doubt stays for the next run. Nor does the site know
            // what the profile lacks.
            if matches!(
                failure.error.kind,
                ActionErrorKind::BrowserGone | ActionErrorKind::PageCrashed | ActionErrorKind::MissingField
            ) {
                return Err(failure.into());
            }
            match self.resolve_doubt(step, failed_at, page).await {
                Ok(Some(DoubtAnswer::Done)) => return Ok(StepOutcome::Verified),
                Ok(Some(DoubtAnswer::NotDone) | None) => {}
                Err(RunExit::Attention { flag, message, .. }) => {
                    let message = format!("{message} (the attempt failed: {})", failure.error.message);
                    return Err(RunExit::Attention { flag, message, evidence: failure.evidence });
                }
                Err(exit) => return Err(exit),
            }
            // Another attempt would lose the focus again, in this run or the next.
            if failure.error.kind == ActionErrorKind::FocusStolen {
                let message = format!("step `{}`: {}", step.flag, failure.error.message);
                let (flag, evidence) = (Some(step.flag.clone()), failure.evidence);
                return Err(RunExit::Attention { flag, message, evidence });
            }
            if hopeless || attempt >= step.attempts || !self.wait_after(step, attempt, &failure.error).await?
            {
                return Err(failure.into());
            }
            attempt += 1;
        }
    }

    /// Sets the flag of a step that has happened, unless the session lacks what it should have learned:
    /// a value that the flow captures and that neither an attempt of this step nor its verify flow has
    /// captured. `captured` are the fields of the last pass.
    pub(super) fn complete(&mut self, step: &PlanStep, captured: &[String]) -> Result<(), RunExit> {
        let session = self.session.session();
        let earlier = session.in_flight.as_ref().map_or(&[][..], |in_flight| &in_flight.captured);
        let is_captured = |field: &str| captured.iter().chain(earlier).any(|captured| captured == field);
        let must_capture = step.flow_for(session.platform).certain_captures();
        let missing = must_capture.into_iter().find(|field| !is_captured(field)).map(str::to_owned);
        let uncommitted = || {
            let sources = step.commits.iter().map(|commit| &commit.from);
            sources.clone().find(|from| session.identity.get(from).is_none()).cloned()
        };
        if let Some(field) = missing.or_else(uncommitted) {
            let flag = &step.flag;
            let message = format!(
                "step `{flag}` has happened, but the run that did it ended before it had `identity.{field}`: give it with --done --set identity.{field}, or undo the step at the site and answer --again"
            );
            return Err(RunExit::Attention { flag: Some(flag.clone()), message, evidence: None });
        }
        self.session.complete_step(&step.flag, &step.commits, self.events.now())?;
        self.mask_identity();
        Ok(())
    }

    /// Writes evidence of a failed attempt, and returns the failure.
    async fn record_failure(
        &mut self,
        step: &PlanStep,
        attempt: u32,
        unplayed: PlayError,
        page: &mut O::Page,
    ) -> Result<FailedStep, RunExit> {
        match unplayed {
            PlayError::Stopped => Err(RunExit::Stopped),
            PlayError::Store(error) => Err(RunExit::Store(error)),
            PlayError::Attention { message } => {
                let incident = Incident { message: message.clone(), ..Incident::default() };
                let evidence = self.evidence(step, attempt, incident, page).await;
                Err(RunExit::Attention { flag: Some(step.flag.clone()), message, evidence })
            }
            PlayError::Action { error, place } => {
                let evidence = match error.kind {
                    ActionErrorKind::BrowserGone | ActionErrorKind::PageCrashed => None,
                    _ => {
                        let incident = Incident {
                            place: Some(place.clone()),
                            message: error.message.clone(),
                            hint: error.hint.clone(),
                            ..Incident::default()
                        };
                        self.evidence(step, attempt, incident, page).await
                    }
                };
                Ok(FailedStep { flag: step.flag.clone(), error, place: Some(place), evidence })
            }
        }
    }

    async fn evidence(
        &mut self,
        step: &PlanStep,
        attempt: u32,
        mut incident: Incident,
        page: &mut O::Page,
    ) -> Option<PathBuf> {
        let folder = self.folder(step, attempt);
        incident.title = format!("{}, attempt {attempt}", step.flag);
        let files = page.evidence(&folder, &incident, self.events.masker()).await;
        if files.is_empty() {
            return None;
        }
        let path = folder.display().to_string();
        self.events.emit(EventKind::Evidence { flag: step.flag.clone(), path });
        Some(folder)
    }

    /// Returns the folder of an attempt in the profile's artifacts.
    pub(super) fn folder(&self, step: &PlanStep, attempt: u32) -> PathBuf {
        self.artifacts.join(format!("{}-{}-{attempt}", self.run_id, file_name(step.flag.as_str())))
    }

    /// Waits before attempt `attempt + 1`. A request to stop ends the wait and the run.
    pub(super) async fn back_off(&mut self, attempt: u32) -> Result<(), RunExit> {
        let delay = BACKOFF.delay(attempt, self.random.random_range(-1.0..=1.0));
        self.pause(delay).await
    }
}
