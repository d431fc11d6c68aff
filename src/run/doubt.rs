//! What becomes of a step that may or may not have happened outside: its process died in it, or its
//! attempt failed after it had touched the page.

use tokio::time::Instant;

use super::play::Pass;
use super::player::Unplayed;
use super::{Failure, Leave, Outside, PlayPage, Run, Stop};
use regatta_core::event::StepMode;
use regatta_core::workflow::InDoubt;
use regatta_core::workflow::plan::PlanStep;
use regatta_page::ActionErrorKind;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// It had happened: its flag is durable.
    Done,
    /// It had not happened, or repeating it does no harm: nothing is in flight any more.
    NotDone,
}

impl<O: Outside> Run<'_, O> {
    /// `None` where the step is not in doubt. `since`: the last moment something could have acted.
    pub(super) async fn answer_doubt(
        &mut self,
        step: &PlanStep,
        since: Instant,
        page: &mut O::Page,
    ) -> Result<Option<Answer>, Leave> {
        if self.session.session().in_flight.as_ref().is_none_or(|in_flight| in_flight.flag != step.flag) {
            return Ok(None);
        }
        if let Some(problem) = step.unanswerable_doubt(self.session.session().platform) {
            return Err(attention(step, problem));
        }
        let answer = match step.in_doubt {
            InDoubt::Repeat => Answer::NotDone,
            InDoubt::Verify | InDoubt::Ask => self.verify(step, since, page).await?,
        };
        if answer == Answer::NotDone {
            self.session.clear_in_flight()?;
        }
        Ok(Some(answer))
    }

    /// Asks the site. A "yes" counts at once; a "no" counts only from a look that began `settle`
    /// after the last moment something could have acted, since a site may still be at work on what
    /// it has received. Anything else is no answer: asked again, then a person's.
    async fn verify(&mut self, step: &PlanStep, since: Instant, page: &mut O::Page) -> Result<Answer, Leave> {
        let Some(flow) = step.verify_on(self.session.session().platform) else {
            return Err(attention(step, "it has no verify flow"));
        };
        page.settle(step.settle).await;
        let mut attempt = 1;
        let mut unanswered = 0;
        // Counted apart: an answer of a busy site does not bring a person's question nearer.
        let mut busy = 0;
        loop {
            let looked = Instant::now();
            let pass = Pass { mode: StepMode::Verify, attempt };
            attempt += 1;
            let (error, place) = match self.play(step, flow, pass, page).await {
                Ok(captured) => {
                    self.complete(step, &captured)?;
                    return Ok(Answer::Done);
                }
                Err(Unplayed::Action { error, place }) => (error, place),
                Err(Unplayed::Attention { message }) => return Err(attention(step, &message)),
                Err(Unplayed::Stopped) => return Err(Leave::Stopped),
                Err(Unplayed::Store(error)) => return Err(Leave::Store(error)),
            };
            match error.kind {
                ActionErrorKind::NotMet if looked.duration_since(since) >= step.settle => {
                    return Ok(Answer::NotDone);
                }
                ActionErrorKind::NotMet => self.wait_until_settled(step, since).await?,
                ActionErrorKind::BrowserGone
                | ActionErrorKind::PageCrashed
                | ActionErrorKind::MissingField => {
                    let (flag, place) = (step.flag.clone(), Some(place));
                    return Err(Failure { flag, error, place, evidence: None }.into());
                }
                ActionErrorKind::SiteBusy { .. } => {
                    busy += 1;
                    // The doubt stays for the next run: a busy site is no reason to ask a person.
                    if busy >= step.attempts || !self.wait_after(step, busy, &error).await? {
                        let (flag, place) = (step.flag.clone(), Some(place));
                        return Err(Failure { flag, error, place, evidence: None }.into());
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

    async fn wait_until_settled(&mut self, step: &PlanStep, since: Instant) -> Result<(), Leave> {
        let rest = step.settle.saturating_sub(since.elapsed());
        tokio::select! {
            biased;
            () = tokio::time::sleep(rest) => Ok(()),
            () = self.stop.reached(Stop::AfterStep) => Err(Leave::Stopped),
        }
    }
}

fn attention(step: &PlanStep, problem: &str) -> Leave {
    Leave::Attention {
        flag: Some(step.flag.clone()),
        message: format!("step `{}`: {problem}", step.flag),
        evidence: None,
    }
}
