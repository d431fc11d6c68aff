//! Plays one flow on the page: renders each step when its turn comes, and keeps what was captured.

use std::time::Duration;

use super::{Outside, PlayPage, Run, Stop};
use crate::browser::page::{ActionError, ActionErrorKind, Gate};
use crate::domain::event::{EventKind, StepMode};
use crate::domain::flow::{Action, Flow, Place, Step};
use crate::domain::id::Flag;
use crate::domain::mask::Mask;
use crate::domain::plan::PlanStep;
use crate::domain::session::Captures;
use crate::domain::template::{self, Scope};
use crate::store::session::{OpenSession, SessionError};

/// Bound of an action where neither its step nor its flow has one.
const ACTION_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy)]
pub(super) struct Pass {
    pub mode: StepMode,
    /// Counts from 1 within the run.
    pub attempt: u32,
}

/// Why a flow did not reach its end.
#[derive(Debug)]
pub(super) enum Unplayed {
    Action {
        error: ActionError,
        place: Place,
    },
    Handoff {
        message: String,
    },
    Stopped,
    /// The disk did not take `in_flight`.
    Store(SessionError),
}

impl<O: Outside> Run<'_, O> {
    /// One pass through `flow`, bounded by the step's timeout. In `Act` mode `in_flight` becomes
    /// durable right before the first input.
    pub(super) async fn play(
        &mut self,
        step: &PlanStep,
        flow: &Flow,
        pass: Pass,
        page: &mut O::Page,
    ) -> Result<Captures, Unplayed> {
        self.journal.emit(EventKind::StepStarted {
            flag: step.flag.clone(),
            attempt: pass.attempt,
            mode: pass.mode,
        });
        let mut stop = self.stop.clone();
        let mut place = Place::default();
        let played = tokio::select! {
            played = tokio::time::timeout(step.timeout, self.play_steps(step, flow, pass, page, &mut place)) => played,
            () = stop.reached(Stop::Now) => return Err(Unplayed::Stopped),
        };
        self.tell_healed(&step.flag, &place, page);
        let unplayed = match played {
            Ok(Ok(captures)) => return Ok(captures),
            Ok(Err(unplayed)) => unplayed,
            Err(_) => Unplayed::Action { error: out_of_time(step), place },
        };
        if let Unplayed::Action { error, place } = &unplayed {
            let message = self.journal.mask(&error.message);
            self.journal.emit(EventKind::ActionFailed {
                flag: step.flag.clone(),
                attempt: pass.attempt,
                flow: place.file.clone(),
                step: place.step.clone(),
                action: place.action.clone(),
                message,
            });
        }
        Err(unplayed)
    }

    async fn play_steps(
        &mut self,
        step: &PlanStep,
        flow: &Flow,
        pass: Pass,
        page: &mut O::Page,
        place: &mut Place,
    ) -> Result<Captures, Unplayed> {
        let mut captures = Captures::new();
        let mut touched = pass.mode == StepMode::Verify;
        self.begin_flow(step, pass, page);
        for action in &flow.steps {
            *place = action.place(flow);
            let failed = |error| Unplayed::Action { error, place: action.place(flow) };
            let rendered = self.render(action, &captures).map_err(failed)?;
            if let Action::Handoff { message } = &rendered.action {
                return Err(Unplayed::Handoff { message: message.clone() });
            }
            let timeout = action.timeout.or(flow.timeout).unwrap_or(ACTION_TIMEOUT);
            self.hide_values(page);
            let mut gate = DurableGate {
                session: &mut self.session,
                flag: &step.flag,
                attempt: pass.attempt,
                touched: &mut touched,
                refusal: None,
            };
            let performed = page.perform(&flow.file, &rendered, timeout, &mut gate).await;
            let refusal = gate.refusal;
            self.tell_healed(&step.flag, place, page);
            if let Some(refusal) = refusal {
                return Err(Unplayed::Store(refusal));
            }
            if let (Some(text), Action::Capture(capture)) = (performed.map_err(failed)?, &rendered.action) {
                captures.insert(capture.into.clone(), text);
                self.captured(step, &capture.into, &captures);
                self.hide_values(page);
            }
        }
        match page.left_allowed_origins() {
            Some(error) => Err(Unplayed::Action { error, place: place.clone() }),
            None => Ok(captures),
        }
    }

    /// A captured value is masked from now on, though it becomes durable only with the flag.
    fn captured(&mut self, step: &PlanStep, field: &str, captures: &Captures) {
        let mut identity = self.session.session().identity.clone();
        for (field, value) in captures {
            identity.set(field, value);
        }
        self.journal.set_mask(Mask::of(&identity));
        self.journal.emit(EventKind::Captured { flag: step.flag.clone(), fields: vec![field.to_owned()] });
    }

    pub(super) fn scope<'s>(&'s self, captures: &'s Captures) -> Scope<'s> {
        let session = self.session.session();
        Scope {
            profile_id: &session.profile_id,
            platform: session.platform,
            identity: &session.identity,
            captures,
            variables: &self.setting.variables,
            now: jiff::Timestamp::now(),
        }
    }

    fn render(&self, step: &Step, captures: &Captures) -> Result<Step, ActionError> {
        let scope = self.scope(captures);
        step.map_text(&mut |text| template::render(text, &scope)).map_err(|error| ActionError {
            kind: ActionErrorKind::Refused,
            message: error.to_string(),
            hint: Some(error.hint().to_owned()),
        })
    }
}

fn out_of_time(step: &PlanStep) -> ActionError {
    ActionError {
        kind: ActionErrorKind::TimedOut,
        message: format!("the step did not reach its end within {:?}", step.timeout),
        hint: Some(format!("raise `timeout` of step `{}` in the workflow if it needs longer", step.flag)),
    }
}

/// Makes `in_flight` durable before the first input of an attempt, once.
struct DurableGate<'a> {
    session: &'a mut OpenSession,
    flag: &'a Flag,
    attempt: u32,
    touched: &'a mut bool,
    /// Why `in_flight` could not be written: then nothing may touch the page.
    refusal: Option<SessionError>,
}

impl Gate for DurableGate<'_> {
    fn before_touch(&mut self) -> Result<(), String> {
        if *self.touched {
            return Ok(());
        }
        match self.session.begin_step(self.flag, self.attempt, jiff::Timestamp::now()) {
            Ok(()) => {
                *self.touched = true;
                Ok(())
            }
            Err(error) => {
                let message = error.to_string();
                self.refusal = Some(error);
                Err(message)
            }
        }
    }
}
