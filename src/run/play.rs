//! One pass of a workflow's step through a flow of it: what is durable before the page is touched,
//! and what is told.

use std::path::PathBuf;

use super::heal;
use super::player::{Host, Player, Unplayed};
use super::{Journal, Outside, PlayPage, Run, Stop};
use crate::browser::page::{ActionError, ActionErrorKind, Downloaded, Healed};
use crate::domain::event::{EventKind, StepMode};
use crate::domain::flow::{Flow, Place, Step};
use crate::domain::mask::Mask;
use crate::domain::plan::{PlanStep, Setting};
use crate::domain::session::Captures;
use crate::domain::template::Scope;
use crate::domain::workflow::Heal;
use crate::store::session::{OpenSession, SessionError};

#[derive(Debug, Clone, Copy)]
pub(super) struct Pass {
    pub mode: StepMode,
    /// Counts from 1 within the run.
    pub attempt: u32,
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
        page.set_dialogs(&step.dialogs);
        let mut stop = self.stop.clone();
        let mut host = StepHost {
            flow,
            actions: flow.all_steps(),
            pictures: self.folder(step, pass.attempt),
            session: &mut self.session,
            journal: &mut self.journal,
            setting: &self.setting,
            step,
            attempt: pass.attempt,
            heal: heal::within(pass.mode, step.heal),
            touched: pass.mode == StepMode::Verify,
        };
        let mut player = Player::new(flow, page, &mut host);
        let played = tokio::select! {
            biased;
            played = tokio::time::timeout(step.timeout, player.play()) => played,
            () = stop.reached(Stop::Now) => return Err(Unplayed::Stopped),
        };
        player.tell_healed();
        let unplayed = match played {
            Ok(Ok(())) => return Ok(player.captures),
            Ok(Err(unplayed)) => unplayed,
            Err(_) => Unplayed::Action { error: out_of_time(step), place: player.place },
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

    pub(super) fn scope<'s>(&'s self, captures: &'s Captures) -> Scope<'s> {
        scope(&self.session, &self.setting, captures, self.journal.now())
    }
}

fn scope<'s>(
    session: &'s OpenSession,
    setting: &'s Setting,
    captures: &'s Captures,
    now: jiff::Timestamp,
) -> Scope<'s> {
    let session = session.session();
    Scope {
        profile_id: &session.profile_id,
        platform: session.platform,
        identity: &session.identity,
        captures,
        variables: &setting.variables,
        now,
    }
}

fn out_of_time(step: &PlanStep) -> ActionError {
    ActionError {
        kind: ActionErrorKind::TimedOut,
        message: format!("the step did not reach its end within {:?}", step.timeout),
        hint: Some(format!("raise `timeout` of step `{}` in the workflow if it needs longer", step.flag)),
    }
}

/// A step of a workflow, with the session behind it.
struct StepHost<'a, 'j> {
    flow: &'a Flow,
    /// Of the flow, in their order.
    actions: Vec<&'a Step>,
    session: &'a mut OpenSession,
    journal: &'a mut Journal<'j>,
    setting: &'a Setting,
    step: &'a PlanStep,
    attempt: u32,
    pictures: PathBuf,
    heal: Heal,
    /// `in_flight` is durable, or is not to be: a verify flow passes no gate.
    touched: bool,
}

impl Host for StepHost<'_, '_> {
    fn scope<'s>(&'s self, captures: &'s Captures) -> Scope<'s> {
        scope(self.session, self.setting, captures, self.journal.now())
    }

    fn mask(&self) -> &Mask {
        self.journal.masker()
    }

    fn pictures(&self) -> PathBuf {
        self.pictures.clone()
    }

    /// Makes `in_flight` durable before the first input of an attempt, once.
    fn before_touch(&mut self) -> Result<(), SessionError> {
        if !self.touched {
            self.session.begin_step(&self.step.flag, self.attempt, self.journal.now())?;
            self.touched = true;
        }
        Ok(())
    }

    /// A captured value is masked from now on, though it becomes durable only with the flag.
    fn captured(&mut self, _: &Step, field: &str, captures: &Captures) {
        let mut identity = self.session.session().identity.clone();
        for (field, value) in captures {
            identity.set(field, value);
        }
        self.journal.set_mask(Mask::of(&identity));
        self.journal
            .emit(EventKind::Captured { flag: self.step.flag.clone(), fields: vec![field.to_owned()] });
    }

    fn pictured(&mut self, _: &Step, file: PathBuf) {
        let path = file.display().to_string();
        self.journal.emit(EventKind::Screenshot { flag: self.step.flag.clone(), path });
    }

    fn heal(&self) -> Heal {
        self.heal
    }

    fn secrets(&self) -> Mask {
        heal::secrets(self.journal.masker(), &self.session.session().profile_id, &self.setting.variables)
    }

    fn healed(&mut self, place: &Place, healed: &Healed) {
        let event = heal::event(&self.step.flag, place, healed, |text| self.journal.mask(text));
        self.journal.emit(event);
    }

    fn began(&mut self, step: &Step) {
        let before = self.actions.iter().take_while(|action| !std::ptr::eq(**action, step)).count();
        self.journal.emit(EventKind::ActionStarted {
            flag: self.step.flag.clone(),
            flow: self.flow.file.clone(),
            step: step.number.clone(),
            number: before + 1,
            of: self.actions.len(),
            action: step.action.name().to_owned(),
        });
    }

    fn downloaded(&mut self, Downloaded { path, bytes }: Downloaded) {
        let path = path.display().to_string();
        self.journal.emit(EventKind::Downloaded { flag: self.step.flag.clone(), path, bytes });
    }
}
