//! Plays a flow for one attempt of a step: makes the intent durable before the first input, and captured
//! values before the next action, and emits events.

use std::cell::Cell;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::flow_player::{FlowHost, FlowPlayer, PlayError};
use super::pace::PaceNews;
use super::{BrowserHost, EventEmitter, FlowPage, Run, StopSeverity, heal, sign_in, totp};
use crate::store::session::{OpenSession, SessionError};
use regatta_core::duration::in_words;
use regatta_core::event::{EventKind, StepMode};
use regatta_core::flow::{Flow, Step, StepLocation};
use regatta_core::mask::Mask;
use regatta_core::session::KEPT_VALUES;
use regatta_core::workflow::Heal;
use regatta_core::workflow::plan::{PlanStep, ProfileSettings};
use regatta_core::workflow::template::{Scope, TOTP_SECRET_FIELD, totp_window};
use regatta_page::{ActionError, ActionErrorKind, DocumentPace as _, DownloadedFile, HealingEvent};

#[derive(Debug, Clone, Copy)]
pub(super) struct FlowAttempt {
    pub mode: StepMode,
    /// Counts from 1 within the run.
    pub attempt: u32,
}

/// Between two checks of a deadline that moves while a document waits for its turn.
const LEAST: Duration = Duration::from_millis(20);

impl<O: BrowserHost> Run<'_, O> {
    /// Plays `flow` once, bounded by the step's timeout. In `Act` mode `in_flight` becomes
    /// durable right before the first input. Returns the identity fields that were captured.
    pub(super) async fn play(
        &mut self,
        step: &PlanStep,
        flow: &Flow,
        pass: FlowAttempt,
        page: &mut O::Page,
    ) -> Result<Vec<String>, PlayError> {
        self.events.emit(EventKind::StepStarted {
            flag: step.flag.clone(),
            attempt: pass.attempt,
            mode: pass.mode,
        });
        page.set_dialogs(&step.dialogs);
        page.set_http_auth(sign_in::credentials(&self.profile_settings.http_auth, &self.scope()));
        if let Some(pace) = self.pacing.pace.clone() {
            page.set_pace(pace);
        }
        let mut stop = self.stop.clone();
        let held = self.pacing.held();
        let pace = self.pacing.pace.clone();
        let held_since = || pace.as_ref().map_or(Duration::ZERO, |pace| pace.held()) - held;
        let deadline = Cell::new(Instant::now() + step.timeout);
        let mut host = StepHost {
            flow,
            actions: flow.all_steps(),
            pictures: self.folder(step, pass.attempt),
            session: &mut self.session,
            events: &mut self.events,
            profile_settings: &self.profile_settings,
            step,
            attempt: pass.attempt,
            heal: heal::within(pass.mode, step.heal),
            touched: pass.mode == StepMode::Verify,
            captured: Vec::new(),
            deadline: &deadline,
            is_first: false,
        };
        let mut player = FlowPlayer::new(flow, page, &mut host).paced_by(&mut self.pacing.news);
        let played = tokio::select! {
            biased;
            played = until(|| deadline.get() + held_since(), player.play()) => played,
            () = stop.reached(StopSeverity::Now) => return Err(PlayError::Stopped),
        };
        player.emit_healed();
        let unplayed = match played {
            Some(Ok(())) => return Ok(host.captured),
            Some(Err(unplayed)) => unplayed,
            None => PlayError::Action { error: out_of_time(step), place: player.place },
        };
        if let PlayError::Action { error, place } = &unplayed {
            let message = self.events.mask(&error.message);
            self.events.emit(EventKind::ActionFailed {
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

    pub(super) fn scope(&self) -> Scope<'_> {
        scope(&self.session, &self.profile_settings, self.events.now())
    }
}

/// `None` where the deadline passed first. It may be moved meanwhile.
async fn until<T>(deadline: impl Fn() -> Instant, future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    loop {
        tokio::select! {
            biased;
            done = &mut future => return Some(done),
            () = sleep_until(deadline().max(Instant::now() + LEAST)) => {
                if Instant::now() >= deadline() {
                    return None;
                }
            }
        }
    }
}

fn scope<'s>(
    session: &'s OpenSession,
    profile_settings: &'s ProfileSettings,
    now: jiff::Timestamp,
) -> Scope<'s> {
    let session = session.session();
    Scope {
        profile_id: &session.profile_id,
        platform: session.platform,
        identity: &session.identity,
        variables: &profile_settings.variables,
        now,
    }
}

fn out_of_time(step: &PlanStep) -> ActionError {
    let message = format!("the step did not reach its end within {}", in_words(step.timeout));
    ActionError::new(ActionErrorKind::TimedOut, message)
        .hint(format!("raise `timeout` of step `{}` in the workflow if it needs longer", step.flag))
}

/// A step of a workflow, with the session behind it.
struct StepHost<'a, 'j> {
    flow: &'a Flow,
    /// The actions of the flow, in their order.
    actions: Vec<&'a Step>,
    session: &'a mut OpenSession,
    events: &'a mut EventEmitter<'j>,
    profile_settings: &'a ProfileSettings,
    step: &'a PlanStep,
    attempt: u32,
    pictures: PathBuf,
    heal: Heal,
    /// `in_flight` is durable, or is not to be: a verify flow passes no gate.
    touched: bool,
    /// The identity fields that this attempt has captured.
    captured: Vec<String>,
    /// When the attempt runs out of time.
    deadline: &'a Cell<Instant>,
    /// `in_flight` became durable for the action under way, the first one with an input.
    is_first: bool,
}

impl FlowHost for StepHost<'_, '_> {
    fn scope(&self) -> Scope<'_> {
        scope(self.session, self.profile_settings, self.events.now())
    }

    fn mask(&self) -> &Mask {
        self.events.masker()
    }

    fn pictures(&self) -> PathBuf {
        self.pictures.clone()
    }

    /// Makes `in_flight` durable before the first input of an attempt, once.
    fn before_input(&mut self) -> Result<(), SessionError> {
        self.is_first = !self.touched;
        if !self.touched {
            let now = self.events.now();
            self.session.begin_step(&self.step.flag, self.attempt, &self.captured, now)?;
            self.touched = true;
        }
        Ok(())
    }

    /// The attempt may be repeated where no action before this one has touched the page.
    fn input_not_seen(&mut self) -> Result<(), SessionError> {
        if std::mem::take(&mut self.is_first) {
            self.session.clear_in_flight()?;
            self.touched = false;
        }
        Ok(())
    }

    /// The site may never show the value again: it is durable before the next action is sent.
    fn captured(&mut self, _: &Step, field: &str, value: &str) -> Result<Option<String>, SessionError> {
        let flag = &self.step.flag;
        // Masked even where the disk refuses it.
        self.events.mask_value(field, value);
        self.session.record_capture(flag, field, value, self.events.now())?;
        self.captured.push(field.to_owned());
        self.events.set_mask(Mask::for_session(self.session.session()));
        self.events.emit(EventKind::Captured { flag: flag.clone(), fields: vec![field.to_owned()] });
        let has_too_many = self.session.session().has_too_many_values(field);
        Ok(has_too_many.then(|| {
            format!(
                "step `{flag}` has captured `identity.{field}` again: {KEPT_VALUES} earlier values are kept, and while the step is in doubt none may be dropped"
            )
        }))
    }

    async fn claim_totp(&mut self, _: &Step) -> Result<jiff::Timestamp, SessionError> {
        let field = TOTP_SECRET_FIELD;
        loop {
            let now = self.events.now();
            let last_used = self.session.session().totp_used.get(field).copied();
            let Some(wait) = totp::wait(last_used, now) else {
                self.session.use_totp(field, totp_window(now))?;
                return Ok(now);
            };
            self.events.emit(EventKind::TotpWaiting {
                flag: self.step.flag.clone(),
                field: field.to_owned(),
                ms: wait.as_millis() as u64,
            });
            self.deadline.set(self.deadline.get() + wait);
            // Not less: a moment before the window begins it would be asked again.
            sleep(wait + Duration::from_millis(1)).await;
        }
    }

    fn paced(&mut self, news: PaceNews) {
        self.events.emit(match news {
            PaceNews::Waits { origin } => EventKind::PaceWaiting { origin },
            PaceNews::Waited { origin, waited } => {
                EventKind::PaceWaited { origin, ms: waited.as_millis() as u64 }
            }
        });
    }

    fn pictured(&mut self, _: &Step, file: PathBuf) {
        let path = file.display().to_string();
        self.events.emit(EventKind::Screenshot { flag: self.step.flag.clone(), path });
    }

    fn heal(&self) -> Heal {
        self.heal
    }

    fn secrets(&self) -> Mask {
        heal::secrets(
            self.events.masker(),
            &self.session.session().profile_id,
            &self.profile_settings.variables,
        )
    }

    fn healed(&mut self, place: &StepLocation, healed: &HealingEvent) {
        let event = heal::event(&self.step.flag, place, healed, |text| self.events.mask(text));
        self.events.emit(event);
    }

    fn step_started(&mut self, step: &Step) {
        let before = self.actions.iter().take_while(|action| !std::ptr::eq(**action, step)).count();
        self.events.emit(EventKind::ActionStarted {
            flag: self.step.flag.clone(),
            flow: self.flow.file.clone(),
            step: step.number.clone(),
            number: before + 1,
            of: self.actions.len(),
            action: step.action.name().to_owned(),
        });
    }

    fn downloaded(&mut self, DownloadedFile { path, bytes }: DownloadedFile) {
        let path = path.display().to_string();
        self.events.emit(EventKind::Downloaded { flag: self.step.flag.clone(), path, bytes });
    }
}
