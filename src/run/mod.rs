//! Drives one profile through the steps that are still open: a straight line of awaits over a
//! session and a page.
//!
//! Invariants: prepared identity values are durable before the flow that types them; `in_flight` is
//! durable before the first click or keystroke; a captured value is durable before the next action; the
//! flag becomes durable only with every value that its step captures; a step is never silently done
//! twice.

use std::path::PathBuf;
use std::time::Duration;

use rand::rngs::StdRng;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use self::browser_host::with_news;
use crate::providers::{ErrorHint, ProviderError, ProviderNews};
use crate::store::session::{OpenSession, SessionError};
use regatta_core::error_chain::with_cause;
use regatta_core::event::{EventKind, RunCause};
use regatta_core::flow::StepLocation;
use regatta_core::id::{Flag, RunId};
use regatta_core::mask::Mask;
use regatta_core::outcome::RunOutcome;
use regatta_core::session::{LastError, Status};
use regatta_core::workflow::plan::{Plan, PlanStep, ProfileSettings};
use regatta_page::{ActionError, ActionErrorKind};

pub use self::browser_host::{BrowserHost, FlowPage, OpenedBrowser};
pub use self::event_emitter::{EventEmitter, WallClock};
pub use self::live_browser::{AttachedBrowser, LiveBrowser, SelectorStorage};
pub use self::pace::Pacing;
pub use self::play::FlowPlay;
pub use self::stop::{StopSeverity, StopWatch};

mod browser_host;
mod busy;
mod doubt;
mod event_emitter;
mod flow_player;
mod heal;
mod live_browser;
mod pace;
mod play;
mod prepare;
mod sign_in;
mod step;
mod step_flow;
mod stop;
#[cfg(test)]
mod tests;
mod totp;

#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// Only this step.
    pub only: Option<Flag>,
    /// Stop after this step.
    pub until: Option<Flag>,
    pub keep_browser: bool,
    /// Only verify whether the step in doubt has happened.
    pub verify_only: bool,
}

/// How a run ended, as its caller and its event report it. [`Run::drive`] makes it from a success or a
/// `RunExit`, after the session has recorded the end. Identity values are masked.
#[derive(Debug)]
pub struct RunEnd {
    pub outcome: RunOutcome,
    pub flag: Option<Flag>,
    pub message: Option<String>,
    pub place: Option<StepLocation>,
    pub hint: Option<String>,
    /// The folder with screenshot, page and console of a failed step.
    pub evidence: Option<PathBuf>,
    /// Another run ends in the same way until something is changed: a fleet starts none.
    pub permanent: bool,
    /// The reason, where it has a name, and how long a busy site asks to be left alone.
    pub cause: Option<RunCause>,
    pub retry_after: Option<Duration>,
}

impl RunEnd {
    fn of(outcome: RunOutcome) -> Self {
        Self {
            outcome,
            flag: None,
            message: None,
            place: None,
            hint: None,
            evidence: None,
            permanent: false,
            cause: None,
            retry_after: None,
        }
    }
}

pub struct Run<'a, O: BrowserHost> {
    pub session: OpenSession,
    pub plan: &'a Plan,
    pub profile_settings: ProfileSettings,
    pub run_id: RunId,
    /// The process id of this program.
    pub pid: u32,
    /// For passwords and jitter.
    pub random: StdRng,
    pub browser_host: O,
    /// The provider's reports while it opens the browser.
    pub provider_news: UnboundedReceiver<ProviderNews>,
    pub provider_hint: ErrorHint,
    pub events: EventEmitter<'a>,
    pub stop: StopWatch,
    pub pacing: Pacing,
    pub options: RunOptions,
    /// Where evidence of this profile's failures goes, and how that folder is named to people.
    pub artifacts: PathBuf,
}

/// Why a run stops before its last step: the error inside the run, not yet recorded or masked. [`RunEnd`]
/// reports it.
#[derive(Debug)]
pub(crate) enum RunExit {
    Failed(Box<FailedStep>),
    Attention { flag: Option<Flag>, message: String, evidence: Option<PathBuf> },
    NoBrowser(ProviderError),
    Stopped,
    Store(SessionError),
}

/// A step that did not succeed.
#[derive(Debug)]
pub(crate) struct FailedStep {
    pub flag: Flag,
    pub error: ActionError,
    pub place: Option<StepLocation>,
    pub evidence: Option<PathBuf>,
}

/// A missing identity field needs a person; any other error is a failure.
impl From<FailedStep> for RunExit {
    fn from(failure: FailedStep) -> Self {
        if failure.error.kind != ActionErrorKind::MissingField {
            return Self::Failed(Box::new(failure));
        }
        let hint = failure.error.hint.map(|hint| format!("; {hint}")).unwrap_or_default();
        Self::Attention {
            message: format!("step `{}`: {}{hint}", failure.flag, failure.error.message),
            flag: Some(failure.flag),
            evidence: failure.evidence,
        }
    }
}

impl From<SessionError> for RunExit {
    fn from(error: SessionError) -> Self {
        Self::Store(error)
    }
}

impl<'a, O: BrowserHost> Run<'a, O> {
    /// Drives the profile from the durable `PROCESSING` to the last event. The browser is stopped before the
    /// end is written, unless it is to be kept. So a `PROCESSING` found at start means that a run may have
    /// left its browser.
    pub async fn drive(mut self) -> RunEnd {
        let started = Instant::now();
        let mut page = None;
        let was_processing = self.session.session().status == Status::Processing;
        let result = self.drive_steps(&mut page).await;
        let may_have_left_browser = was_processing && !matches!(result, Err(RunExit::NoBrowser(_)));
        if (page.is_some() || may_have_left_browser) && !self.options.keep_browser {
            self.stop_browser(page).await;
        }
        let result = result.and_then(|()| self.conclude());
        let end = self.record(result);
        self.events.emit(EventKind::RunFinished {
            outcome: end.outcome,
            exit_code: end.outcome.exit_code(),
            message: end.message.clone(),
            permanent: end.permanent,
            cause: end.cause,
            retry_after_ms: end.retry_after.map(|time| time.as_millis() as u64),
            ms: millis(started),
        });
        end
    }

    async fn drive_steps(&mut self, page: &mut Option<O::Page>) -> Result<(), RunExit> {
        self.session.begin_run(&self.plan.digest, self.plan.flags())?;
        self.mask_identity();
        let steps = self.chosen_steps();
        self.events.emit(EventKind::RunStarted {
            pid: self.pid,
            plan: self.plan.digest.clone(),
            steps: self.plan.steps.len(),
            done: self.plan.steps.len() - self.plan.open_steps(self.session.session()).count(),
            browser: self.browser_host.program(),
        });
        self.refuse_orphaned_doubt()?;
        self.refuse_missing_fields(&steps)?;
        if !steps.is_empty() {
            self.stop.check()?;
            let page = page.insert(self.start_browser().await?);
            if self.options.verify_only {
                return self.verify_doubt(page).await;
            }
            for step in steps {
                self.stop.check()?;
                self.drive_step(step, page).await?;
            }
        }
        Ok(())
    }

    async fn verify_doubt(&mut self, page: &mut O::Page) -> Result<(), RunExit> {
        let doubted = self.session.session().in_flight.as_ref();
        if let Some(step) = doubted.and_then(|in_flight| self.plan.step(&in_flight.flag)) {
            self.resolve_doubt(step, Instant::now(), page).await?;
        }
        Ok(())
    }

    fn conclude(&mut self) -> Result<(), RunExit> {
        let all_done = self.plan.open_steps(self.session.session()).next().is_none();
        self.session.update(|session| {
            if all_done {
                session.complete_run()
            } else {
                session.pause()
            }
            Ok(())
        })?;
        Ok(())
    }

    /// The open steps this run is to drive, a step in doubt before all others.
    fn chosen_steps(&self) -> Vec<&'a PlanStep> {
        let session = self.session.session();
        let open = |step: &&PlanStep| !session.completion_flags.is_set(&step.flag);
        let wanted = |step: &&PlanStep| self.options.only.as_ref().is_none_or(|only| *only == step.flag);
        let until = self.options.until.as_ref();
        let last = self.plan.steps.iter().position(|step| until == Some(&step.flag));
        let last = last.unwrap_or(self.plan.steps.len());
        let doubted = session.in_flight.as_ref().map(|in_flight| &in_flight.flag);
        let steps = self.plan.steps.iter().enumerate();
        let within = steps.filter(|(index, step)| *index <= last || doubted == Some(&step.flag));
        let mut chosen: Vec<_> = within.map(|(_, step)| step).filter(open).filter(wanted).collect();
        chosen.sort_by_key(|step| doubted != Some(&step.flag));
        chosen
    }

    /// A step in flight that the workflow no longer has needs a person.
    fn refuse_orphaned_doubt(&mut self) -> Result<(), RunExit> {
        let Some(in_flight) = &self.session.session().in_flight else { return Ok(()) };
        let flag = in_flight.flag.clone();
        if self.session.session().completion_flags.is_set(&flag) {
            self.session.clear_in_flight()?;
            return Ok(());
        }
        match self.plan.orphaned_doubt(self.session.session()) {
            Some((flag, message)) => Err(RunExit::Attention { flag: Some(flag), message, evidence: None }),
            None => Ok(()),
        }
    }

    /// A missing identity field needs a person: nothing in the workflow sets it.
    fn refuse_missing_fields(&mut self, chosen: &[&PlanStep]) -> Result<(), RunExit> {
        let session = self.session.session();
        // Other problems of the plan were refused before the session was opened.
        let missing = self.plan.check(session.platform, Some(session)).unwrap_or_default();
        let is_chosen = |flag: &Flag| chosen.iter().any(|step| step.flag == *flag);
        let Some((field, flag)) = missing.into_iter().find(|(_, flag)| is_chosen(flag)) else {
            return Ok(());
        };
        let message = format!(
            "step `{flag}` needs `identity.{field}`, which the profile does not have; give it: regatta resolve {} --again --set identity.{field}",
            session.profile_id
        );
        Err(RunExit::Attention { flag: Some(flag), message, evidence: None })
    }

    async fn start_browser(&mut self) -> Result<O::Page, RunExit> {
        let started = Instant::now();
        let in_doubt = self.session.session().in_flight.is_some();
        let (news, events) = (&mut self.provider_news, &mut self.events);
        let opening = self.browser_host.open(in_doubt);
        let opened = tokio::select! {
            biased;
            opened = with_news(opening, news, |news| events.emit(event_of(news))) => opened.map_err(RunExit::NoBrowser),
            () = self.stop.reached(StopSeverity::AfterStep) => Err(RunExit::Stopped),
        };
        let opened = match opened {
            Ok(opened) => opened,
            Err(exit) => {
                // A browser may be on its way up all the same.
                self.browser_host.close(None).await.ok();
                return Err(exit);
            }
        };
        self.events.emit(EventKind::BrowserStarted {
            provider: self.browser_host.provider().to_owned(),
            reused: opened.reused,
            version: opened.version,
            ms: millis(started),
        });
        Ok(opened.page)
    }

    async fn stop_browser(&mut self, page: Option<O::Page>) {
        let started = Instant::now();
        match self.browser_host.close(page).await {
            Ok(()) if self.browser_host.leaves_browser_open() => {}
            Ok(()) => self.events.emit(EventKind::BrowserStopped { ms: millis(started) }),
            Err(error) => tracing::warn!("the browser could not be stopped: {error}"),
        }
    }

    /// Makes the end durable and describes it.
    fn record(&mut self, result: Result<(), RunExit>) -> RunEnd {
        let now = self.events.now();
        let mut end = RunEnd::of(RunOutcome::Completed);
        let written = match result {
            Ok(()) => return end,
            Err(RunExit::Stopped) => {
                end.outcome = RunOutcome::Stopped;
                // Between two steps nothing is left open; in the middle of one it stays PROCESSING.
                self.session.update(|session| {
                    if session.in_flight.is_none() {
                        session.pause();
                    }
                    Ok(())
                })
            }
            Err(RunExit::Failed(failure)) => {
                let message = self.events.mask(&failure.error.message);
                end.outcome = RunOutcome::StepFailed;
                end.permanent = failure.error.kind == ActionErrorKind::Refused;
                if let ActionErrorKind::SiteBusy { retry_after } = failure.error.kind {
                    (end.cause, end.retry_after) = (Some(RunCause::SiteBusy), retry_after);
                }
                end.message = Some(format!("step `{}`: {message}", failure.flag));
                let gone =
                    matches!(failure.error.kind, ActionErrorKind::BrowserGone | ActionErrorKind::PageCrashed);
                end.hint = failure.error.hint.map(|hint| self.events.mask(&hint)).or_else(|| {
                    let profile = &self.session.session().profile_id;
                    gone.then(|| {
                        format!("regatta run {profile} goes on, and first finds out what the step had done")
                    })
                });
                end.place = failure.place;
                end.evidence = failure.evidence;
                end.flag = Some(failure.flag.clone());
                self.session.fail(LastError::new(Some(failure.flag), message, now))
            }
            Err(RunExit::NoBrowser(error)) => {
                end.outcome = RunOutcome::NoBrowser;
                end.permanent = error.is_permanent();
                match &error {
                    // It holds for every profile: a fleet waits instead of trying them all.
                    ProviderError::DailyQuota { recovery: Some(recovery), .. } => {
                        self.events.emit(EventKind::ProviderPaused { ms: recovery.as_millis() as u64 });
                    }
                    // A fleet tries it again after all others.
                    ProviderError::OpenElsewhere { .. } | ProviderError::OpenHere { .. } => {
                        self.events.emit(EventKind::UsedElsewhere);
                    }
                    // No profile of the fleet would fare better.
                    error if error.holds_for_every_profile() => {
                        let (message, hint) = (with_cause(error), (self.provider_hint)(error));
                        self.events.emit(EventKind::ProviderRefused { message, hint });
                    }
                    _ => {}
                }
                let message = with_cause(&error);
                end.message = Some(message.clone());
                end.hint = (self.provider_hint)(&error);
                self.session.fail(LastError::new(None, message, now))
            }
            Err(RunExit::Attention { flag, message, evidence }) => {
                let message = self.events.mask(&message);
                self.events.emit(EventKind::AttentionNeeded { flag: flag.clone(), message: message.clone() });
                end.outcome = RunOutcome::NeedsAttention;
                end.message = Some(message.clone());
                end.hint = Some(format!(
                    "look, then answer: regatta resolve {} --done | --again",
                    self.session.session().profile_id
                ));
                end.evidence = evidence;
                end.flag = flag.clone();
                self.session.need_attention(LastError::new(flag, message, now))
            }
            Err(RunExit::Store(error)) => Err(error),
        };
        if let Err(error) = written {
            end.outcome = RunOutcome::StepFailed;
            end.hint = error.hint();
            end.message = Some(with_cause(&error));
        }
        end
    }

    fn mask_identity(&mut self) {
        self.events.set_mask(Mask::for_session(self.session.session()));
    }
}

fn event_of(news: ProviderNews) -> EventKind {
    match news {
        ProviderNews::Waits { call } => EventKind::PacerWaiting { call: call.to_owned() },
        ProviderNews::Waited { call, waited } => {
            EventKind::PacerWaited { call: call.to_owned(), ms: waited.as_millis() as u64 }
        }
        ProviderNews::KernelDownloading { message, waited } => {
            EventKind::KernelDownloading { message, ms: waited.as_millis() as u64 }
        }
    }
}

fn millis(since: Instant) -> u64 {
    since.elapsed().as_millis() as u64
}
