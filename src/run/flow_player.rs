//! Plays one flow on a page: renders each step when its turn comes, and keeps what was captured.
//!
//! A run plays the flows of its steps, `regatta play` a flow alone. The [`FlowHost`] is what differs.

use std::cell::RefCell;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use super::pace::{self, PaceNews};
use super::{FlowPage, heal, totp};
use crate::store::session::SessionError;
use regatta_core::flow::{Action, Flow, Step, StepLocation, screenshot_name_problem};
use regatta_core::mask::Mask;
use regatta_core::workflow::Heal;
use regatta_core::workflow::template::{self, Scope, TemplateError};
use regatta_page::{ActionError, ActionErrorKind, DownloadedFile, HealingEvent, InputGate};

/// Bound of an action where neither its step nor its flow has one.
const ACTION_TIMEOUT: Duration = Duration::from_secs(10);

/// The caller of a flow: it provides the names that templates use, and keeps captured values.
pub(super) trait FlowHost {
    fn scope(&self) -> Scope<'_>;

    fn mask(&self) -> &Mask;

    /// Where pictures of the flow go.
    fn pictures(&self) -> PathBuf;

    /// Called right before each step's first input. An error refuses the input.
    fn before_input(&mut self) -> Result<(), SessionError>;

    /// No document has seen any input of the step that `before_input` was called for last.
    fn input_not_seen(&mut self) -> Result<(), SessionError> {
        Ok(())
    }

    /// The page has shown the value of an identity field. On return it is as durable as the host keeps
    /// values, and part of [`FlowHost::scope`]. Returns a message where a person has to look before any
    /// further action.
    fn captured(&mut self, step: &Step, field: &str, value: &str) -> Result<Option<String>, SessionError>;

    /// Returns a moment whose two-factor code was not used yet, and never will be by anyone else: waits
    /// for the next window where the current code was used.
    async fn claim_totp(&mut self, step: &Step) -> Result<jiff::Timestamp, SessionError>;

    /// A document waits for its turn at its site, or has waited.
    fn paced(&mut self, news: PaceNews);

    fn pictured(&mut self, step: &Step, file: PathBuf);

    fn downloaded(&mut self, file: DownloadedFile);

    /// The mode of healing, for selectors that match nothing any more.
    fn heal(&self) -> Heal;

    /// The values that must not be remembered of pages.
    fn secrets(&self) -> Mask;

    /// An element was found by likeness.
    fn healed(&mut self, _: &StepLocation, _: &HealingEvent) {}

    fn step_started(&mut self, _: &Step) {}

    fn step_finished(&mut self, _: &Step, _: &Result<PlayedStep<'_>, PlayError>, _: Duration) {}
}

/// The result of a step.
#[derive(Debug, Clone, Copy)]
pub(super) enum PlayedStep<'a> {
    Done,
    /// The condition of a `when` holds: these are next.
    Inside(&'a [Step]),
    /// It does not: its steps are left out.
    Past,
    /// The page that the recording began on: there is nothing to do.
    PassedOver,
}

/// Why a flow did not succeed.
#[derive(Debug)]
pub(super) enum PlayError {
    Action {
        error: ActionError,
        place: StepLocation,
    },
    /// A person must go on.
    Attention {
        message: String,
    },
    Stopped,
    /// The disk did not take `in_flight`, a captured value or the window of a code.
    Store(SessionError),
}

pub(super) struct FlowPlayer<'a, P, H> {
    flow: &'a Flow,
    page: &'a mut P,
    host: &'a mut H,
    /// Between two steps.
    pub pause: Duration,
    /// The location of the current step, or of the last one.
    pub place: StepLocation,
    /// Waits for the pace that are to be reported while a step is played.
    news: Option<&'a mut Option<UnboundedReceiver<PaceNews>>>,
}

impl<'a, P: FlowPage, H: FlowHost> FlowPlayer<'a, P, H> {
    pub fn new(flow: &'a Flow, page: &'a mut P, host: &'a mut H) -> Self {
        Self { flow, page, host, pause: Duration::ZERO, place: StepLocation::default(), news: None }
    }

    pub fn paced_by(self, news: &'a mut Option<UnboundedReceiver<PaceNews>>) -> Self {
        Self { news: Some(news), ..self }
    }

    pub async fn play(&mut self) -> Result<(), PlayError> {
        self.page.begin_flow(self.host.heal());
        let played = self.play_all(&self.flow.steps).await;
        // The browser may end where a person must go on, too.
        if matches!(played, Ok(()) | Err(PlayError::Attention { .. })) {
            for file in self.page.finish().await {
                self.host.downloaded(file);
            }
        }
        played?;
        match self.page.left_allowed_origins() {
            Some(error) => Err(self.unplayed(error)),
            None => Ok(()),
        }
    }

    async fn play_all(&mut self, steps: &'a [Step]) -> Result<(), PlayError> {
        for step in steps {
            if !self.pause.is_zero() && !self.place.step.is_empty() {
                tokio::time::sleep(self.pause).await;
            }
            self.place = step.location(self.flow);
            self.host.step_started(step);
            let started = Instant::now();
            let turn = self.play_step(step).await;
            self.host.step_finished(step, &turn, started.elapsed());
            if let PlayedStep::Inside(steps) = turn? {
                Box::pin(self.play_all(steps)).await?;
            }
        }
        Ok(())
    }

    async fn play_step(&mut self, step: &'a Step) -> Result<PlayedStep<'a>, PlayError> {
        if matches!(step.action, Action::StartPage { .. }) {
            return Ok(PlayedStep::PassedOver);
        }
        let code_of = match totp::is_used_by(step) {
            true => Some(self.host.claim_totp(step).await.map_err(PlayError::Store)?),
            false => None,
        };
        let rendered = self.render(step, code_of).map_err(|error| self.unplayed(error))?;
        if let Action::Handoff { message } = rendered.action {
            return Err(PlayError::Attention { message });
        }
        let timeout = step.timeout.or(self.flow.timeout).unwrap_or(ACTION_TIMEOUT);
        self.page.hide(self.host.secrets());
        let host = RefCell::new(&mut *self.host);
        let mut gate = HostInputGate { host: &host, refusal: None };
        let performed = {
            let mut performed =
                std::pin::pin!(self.page.perform(&self.flow.file, &rendered, timeout, &mut gate));
            let mut none = None;
            let news = self.news.as_deref_mut().unwrap_or(&mut none);
            loop {
                tokio::select! {
                    biased;
                    performed = &mut performed => break performed,
                    news = pace::next(news) => host.borrow_mut().paced(news),
                }
            }
        };
        let refusal = gate.refusal;
        self.emit_healed();
        if let Some(refusal) = refusal {
            return Err(PlayError::Store(refusal));
        }
        let text = performed.map_err(|error| self.unplayed(heal::with_remedies(error)))?;
        match (&step.action, rendered.action, text) {
            (Action::When { steps, .. }, _, Some(_)) => return Ok(PlayedStep::Inside(steps)),
            (Action::When { .. }, _, None) => return Ok(PlayedStep::Past),
            (Action::Capture(capture), _, Some(text)) => {
                let question = self.host.captured(step, &capture.into, &text).map_err(PlayError::Store)?;
                if let Some(message) = question {
                    return Err(PlayError::Attention { message });
                }
                self.page.hide(self.host.secrets());
            }
            (_, Action::Screenshot { name }, _) => self.host.pictured(step, name.into()),
            _ => {}
        }
        Ok(PlayedStep::Done)
    }

    /// Returns the step as the page takes it: templates filled in, files by their whole paths. `code_of`
    /// is the moment whose two-factor code was claimed.
    fn render(&self, step: &Step, code_of: Option<jiff::Timestamp>) -> Result<Step, ActionError> {
        let mut scope = self.host.scope();
        scope.now = code_of.unwrap_or(scope.now);
        let rendered = step.map_text(&mut |text| template::render(text, &scope));
        let mut rendered = rendered.map_err(|error| unrendered(&error))?;
        match &mut rendered.action {
            Action::Upload { files, .. } => {
                for file in files {
                    *file = in_words(self.flow.folder.join(&*file))?;
                }
            }
            Action::Screenshot { name } => {
                if let Some(problem) = screenshot_name_problem(name) {
                    return Err(refused(problem.to_owned()));
                }
                // A value of the identity is no name of a file either.
                let name_of_file = file_name(&self.host.mask().apply(name.trim()));
                *name = in_words(self.host.pictures().join(format!("{name_of_file}.png")))?;
            }
            _ => {}
        }
        Ok(rendered)
    }

    /// Emits what was found by likeness. Also called when the time ran out during a step.
    pub fn emit_healed(&mut self) {
        for healed in self.page.take_healing_events() {
            self.host.healed(&self.place, &healed);
        }
    }

    fn unplayed(&self, error: ActionError) -> PlayError {
        PlayError::Action { error, place: self.place.clone() }
    }
}

struct HostInputGate<'a, 'h, H> {
    /// Also for what is reported while a step is played.
    host: &'a RefCell<&'h mut H>,
    /// Why the host said no: then nothing may touch the page.
    refusal: Option<SessionError>,
}

impl<H: FlowHost> HostInputGate<'_, '_, H> {
    fn refuse(&mut self, error: SessionError) -> String {
        let message = error.to_string();
        self.refusal = Some(error);
        message
    }
}

impl<H: FlowHost> InputGate for HostInputGate<'_, '_, H> {
    fn before_input(&mut self) -> Result<(), String> {
        let written = self.host.borrow_mut().before_input();
        written.map_err(|error| self.refuse(error))
    }

    fn input_not_seen(&mut self) -> Result<(), String> {
        let written = self.host.borrow_mut().input_not_seen();
        written.map_err(|error| self.refuse(error))
    }
}

fn in_words(path: PathBuf) -> Result<String, ActionError> {
    path.into_os_string().into_string().map_err(|path| {
        refused(format!("the path `{}` is not Unicode, which a browser needs", path.to_string_lossy()))
    })
}

/// A missing identity field is the profile's state; any other missing value is an error of the flow.
pub(super) fn unrendered(error: &TemplateError) -> ActionError {
    match error.identity_field() {
        Some(field) => {
            let message = match error {
                TemplateError::UnknownName { text, .. } => {
                    format!("the profile has no `identity.{field}`, which `{text}` needs")
                }
                _ => error.to_string(),
            };
            ActionError::new(ActionErrorKind::MissingField, message)
                .hint(format!("give it with --set identity.{field}"))
        }
        None => refused(error.to_string()).hint(error.hint()),
    }
}

fn refused(message: String) -> ActionError {
    ActionError::new(ActionErrorKind::Refused, message)
}

/// Returns a name of a folder or a file for a flag or a picture, which may have any name.
pub(super) fn file_name(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' })
        .take(64)
        .collect()
}
