//! Resolves a step in doubt, which may or may not have happened outside: its process died during it, or
//! its attempt failed after the first input.

use tokio::time::Instant;

use super::flow_player::PlayError;
use super::step_flow::FlowAttempt;
use super::{BrowserHost, FailedStep, FlowPage, Run, RunExit, StopSeverity};
use regatta_core::event::StepMode;
use regatta_core::workflow::InDoubt;
use regatta_core::workflow::plan::PlanStep;
use regatta_page::ActionErrorKind;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DoubtAnswer {
    /// It had happened: its flag is durable.
    Done,
    /// It had not happened, or repeating it does no harm: nothing is in flight any more.
    NotDone,
}

impl<O: BrowserHost> Run<'_, O> {
    /// `None` where the step is not in doubt. `since`: the last moment something could have acted.
    pub(super) async fn resolve_doubt(
        &mut self,
        step: &PlanStep,
        since: Instant,
        page: &mut O::Page,
    ) -> Result<Option<DoubtAnswer>, RunExit> {
        if self.session.session().in_flight.as_ref().is_none_or(|in_flight| in_flight.flag != step.flag) {
            return Ok(None);
        }
        if let Some(problem) = step.unanswerable_doubt(self.session.session().platform) {
            return Err(attention(step, problem));
        }
        let answer = match step.in_doubt {
            InDoubt::Repeat => DoubtAnswer::NotDone,
            InDoubt::Verify | InDoubt::Ask => self.verify(step, since, page).await?,
        };
        if answer == DoubtAnswer::NotDone {
            self.session.clear_in_flight()?;
        }
        Ok(Some(answer))
    }

    /// Plays the verify flow. A "yes" counts at once. A "no" counts only from an attempt that began `settle`
    /// after the last moment at which an input could have acted, since the site may still be working. Any
    /// other result is no answer: the flow is repeated, then a person decides.
    async fn verify(
        &mut self,
        step: &PlanStep,
        since: Instant,
        page: &mut O::Page,
    ) -> Result<DoubtAnswer, RunExit> {
        let Some(flow) = step.verify_for(self.session.session().platform) else {
            return Err(attention(step, "it has no verify flow"));
        };
        page.isolate(step.settle).await;
        let mut attempt = 1;
        let mut unanswered = 0;
        // Counted apart: an answer of a busy site does not bring a person's question nearer.
        let mut busy = 0;
        loop {
            let began = Instant::now();
            let pass = FlowAttempt { mode: StepMode::Verify, attempt };
            attempt += 1;
            let (error, place) = match self.play(step, flow, pass, page).await {
                Ok(captured) => {
                    self.complete(step, &captured)?;
                    return Ok(DoubtAnswer::Done);
                }
                Err(PlayError::Action { error, place }) => (error, place),
                Err(PlayError::Attention { message }) => return Err(attention(step, &message)),
                Err(PlayError::Stopped) => return Err(RunExit::Stopped),
                Err(PlayError::Store(error)) => return Err(RunExit::Store(error)),
            };
            match error.kind {
                ActionErrorKind::NotMet if began.duration_since(since) >= step.settle => {
                    return Ok(DoubtAnswer::NotDone);
                }
                ActionErrorKind::NotMet => self.wait_until_settled(step, since).await?,
                ActionErrorKind::BrowserGone
                | ActionErrorKind::PageCrashed
                | ActionErrorKind::MissingField => {
                    let (flag, place) = (step.flag.clone(), Some(place));
                    return Err(FailedStep { flag, error, place, evidence: None }.into());
                }
                ActionErrorKind::SiteBusy { .. } => {
                    busy += 1;
                    // The doubt stays for the next run: a busy site is no reason to ask a person.
                    if busy >= step.attempts || !self.wait_after(step, busy, &error).await? {
                        let (flag, place) = (step.flag.clone(), Some(place));
                        return Err(FailedStep { flag, error, place, evidence: None }.into());
                    }
                }
                _ => {
                    unanswered += 1;
                    if unanswered >= step.attempts {
                        let problem = format!(
                            "it may or may not have happened, and verifying failed: {}",
                            error.message
                        );
                        return Err(attention(step, &problem));
                    }
                    self.back_off(unanswered).await?;
                }
            }
        }
    }

    async fn wait_until_settled(&mut self, step: &PlanStep, since: Instant) -> Result<(), RunExit> {
        let rest = step.settle.saturating_sub(since.elapsed());
        tokio::select! {
            biased;
            () = tokio::time::sleep(rest) => Ok(()),
            () = self.stop.reached(StopSeverity::AfterStep) => Err(RunExit::Stopped),
        }
    }
}

fn attention(step: &PlanStep, problem: &str) -> RunExit {
    RunExit::Attention {
        flag: Some(step.flag.clone()),
        message: format!("step `{}`: {problem}", step.flag),
        evidence: None,
    }
}
