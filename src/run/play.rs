//! `regatta play`: plays one flow for its author, without a step, a session or durable state.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep};

use super::browser_host::with_news;
use super::flow_player::{FlowHost, FlowPlayer, PlayError, PlayedStep};
use super::pace::{PaceNews, Pacing};
use super::{BrowserHost, FlowPage, RunEnd, StopSeverity, StopWatch, heal, sign_in, totp};
use crate::providers::{ErrorHint, ProviderNews};
use crate::store::session::SessionError;
use regatta_core::error_chain::with_cause;
use regatta_core::event::NetworkTotals;
use regatta_core::event::play::{ActionName, ActionOutcome, PLAY_EVENT_VERSION, PlayEvent, PlayEventKind};
use regatta_core::evidence::Incident;
use regatta_core::flow::{Flow, Step};
use regatta_core::id::ProfileId;
use regatta_core::mask::Mask;
use regatta_core::outcome::RunOutcome;
use regatta_core::session::{Identity, Platform};
use regatta_core::workflow::Heal;
use regatta_core::workflow::dialog::DialogPolicy;
use regatta_core::workflow::http_auth::SignIn;
use regatta_core::workflow::template::{Scope, TOTP_SECRET_FIELD, totp_window};
use regatta_page::{ActionErrorKind, DownloadedFile};

/// How long requests of the last step may take: the browser ends right after it.
const IDLE_AT_END: Duration = Duration::from_secs(2);

pub struct FlowPlay<'a, O: BrowserHost> {
    pub flow: &'a Flow,
    pub profile_id: ProfileId,
    pub platform: Platform,
    pub identity: Identity,
    /// The last window whose two-factor code was used for the profile: see `Session::totp_used`.
    pub totp_used: Option<u64>,
    pub variables: Map<String, Value>,
    pub browser_host: O,
    /// News of the provider while it opens the browser.
    pub provider_news: UnboundedReceiver<ProviderNews>,
    pub provider_hint: ErrorHint,
    pub dialogs: DialogPolicy,
    pub http_auth: Vec<SignIn>,
    pub pacing: Pacing,
    /// Between two steps.
    pub pause: Duration,
    /// Where pictures and evidence go, and how that folder is named to people.
    pub artifacts: PathBuf,
    pub stop: StopWatch,
    pub observe: Box<dyn FnMut(&PlayEvent) + 'a>,
}

impl<O: BrowserHost> FlowPlay<'_, O> {
    /// Plays the flow, and closes the browser at the end, also after an error. Any request to stop ends it at
    /// once.
    pub async fn play(self) -> RunEnd {
        let FlowPlay {
            flow,
            profile_id,
            platform,
            identity,
            variables,
            mut browser_host,
            pause,
            artifacts,
            ..
        } = self;
        let (dialogs, http_auth) = (self.dialogs, self.http_auth);
        let mut pacing = self.pacing;
        let mut stop = self.stop;
        let mut provider_news = self.provider_news;
        let mask = Mask::for_identity(&identity);
        let mut host = PlayHost {
            profile_id,
            platform,
            identity,
            variables,
            artifacts,
            mask,
            totp_used: self.totp_used,
            observe: self.observe,
            seq: 0,
        };
        let started = Instant::now();
        host.emit(PlayEventKind::PlayStarted {
            flow: flow.file.clone(),
            title: host.mask.apply(&flow.title),
            steps: flow.all_steps().len(),
        });
        let (end, network) =
            match open(&mut browser_host, &mut stop, &mut host, &mut provider_news, self.provider_hint).await
            {
                Ok(mut page) => {
                    page.set_dialogs(&dialogs);
                    page.set_http_auth(sign_in::credentials(&http_auth, &host.scope()));
                    if let Some(pace) = pacing.pace.clone() {
                        page.set_pace(pace);
                    }
                    page.begin_trace(&flow.file);
                    let end = host.play(flow, pause, &mut page, &mut stop, &mut pacing).await;
                    let network = page.take_network_totals();
                    close(&mut browser_host, page, &mut host).await;
                    (end, network)
                }
                Err(end) => (end, NetworkTotals::default()),
            };
        host.emit(PlayEventKind::PlayFinished {
            outcome: end.outcome,
            exit_code: end.outcome.exit_code(),
            message: end.message.clone(),
            ms: millis(started.elapsed()),
            network,
        });
        end
    }
}

async fn open<O: BrowserHost>(
    browser_host: &mut O,
    stop: &mut StopWatch,
    host: &mut PlayHost<'_>,
    news: &mut UnboundedReceiver<ProviderNews>,
    hint: ErrorHint,
) -> Result<O::Page, RunEnd> {
    let started = Instant::now();
    let opening = with_news(browser_host.open(false), news, |news| host.emit(event_of(news)));
    let opened = tokio::select! {
        opened = opening => opened.map_err(|error| RunEnd {
            message: Some(with_cause(&error)),
            hint: hint(&error),
            ..RunEnd::of(RunOutcome::NoBrowser)
        }),
        () = stop.reached(StopSeverity::AfterStep) => Err(RunEnd::of(RunOutcome::Stopped)),
    };
    match opened {
        Ok(opened) => {
            host.emit(PlayEventKind::BrowserStarted {
                provider: browser_host.provider().to_owned(),
                reused: opened.reused,
                version: opened.version.clone(),
                ms: millis(started.elapsed()),
            });
            Ok(opened.page)
        }
        Err(end) => {
            // A browser may be on its way up all the same.
            browser_host.close(None).await.ok();
            Err(end)
        }
    }
}

async fn close<O: BrowserHost>(browser_host: &mut O, page: O::Page, host: &mut PlayHost<'_>) {
    let started = Instant::now();
    match browser_host.close(Some(page)).await {
        Ok(()) if browser_host.leaves_browser_open() => {}
        Ok(()) => host.emit(PlayEventKind::BrowserStopped { ms: millis(started.elapsed()) }),
        Err(error) => tracing::warn!("the browser could not be stopped: {error}"),
    }
}

struct PlayHost<'a> {
    profile_id: ProfileId,
    platform: Platform,
    identity: Identity,
    variables: Map<String, Value>,
    artifacts: PathBuf,
    mask: Mask,
    /// The last window whose two-factor code was used: see [`super::totp`].
    totp_used: Option<u64>,
    observe: Box<dyn FnMut(&PlayEvent) + 'a>,
    seq: u64,
}

impl PlayHost<'_> {
    async fn play<P: FlowPage>(
        &mut self,
        flow: &Flow,
        pause: Duration,
        page: &mut P,
        stop: &mut StopWatch,
        pacing: &mut Pacing,
    ) -> RunEnd {
        let mut player = FlowPlayer::new(flow, page, self).paced_by(&mut pacing.news);
        player.pause = pause;
        let played = tokio::select! {
            played = player.play() => played,
            () = stop.reached(StopSeverity::AfterStep) => Err(PlayError::Stopped),
        };
        match played {
            Ok(()) => {
                page.wait_until_idle(IDLE_AT_END).await;
                if let Some(trace) = page.keep_trace(&self.artifacts, &self.mask).await {
                    self.emit(PlayEventKind::Trace { path: trace.display().to_string() });
                }
                RunEnd::of(RunOutcome::Completed)
            }
            Err(PlayError::Stopped) => RunEnd::of(RunOutcome::Stopped),
            Err(PlayError::Store(error)) => {
                RunEnd { message: Some(with_cause(&error)), ..RunEnd::of(RunOutcome::StepFailed) }
            }
            Err(PlayError::Attention { message }) => {
                let message = self.mask.apply(&message);
                let incident = Incident { message: message.clone(), ..Incident::default() };
                RunEnd {
                    message: Some(message),
                    hint: Some("here a run would end as NEEDS_ATTENTION and wait for a person".to_owned()),
                    evidence: self.evidence(incident, page).await,
                    ..RunEnd::of(RunOutcome::NeedsAttention)
                }
            }
            Err(PlayError::Action { error, place }) => {
                let gone = matches!(error.kind, ActionErrorKind::BrowserGone | ActionErrorKind::PageCrashed);
                let message = self.mask.apply(&error.message);
                let hint =
                    error.hint.map(|hint| self.mask.apply(&hint)).or_else(|| elsewhere(&error.message));
                let incident = Incident {
                    title: flow.file.clone(),
                    place: Some(place.clone()),
                    message: message.clone(),
                    hint: hint.clone(),
                };
                RunEnd {
                    message: Some(message),
                    hint,
                    place: Some(place),
                    evidence: if gone { None } else { self.evidence(incident, page).await },
                    ..RunEnd::of(RunOutcome::StepFailed)
                }
            }
        }
    }

    async fn evidence<P: FlowPage>(&mut self, incident: Incident, page: &mut P) -> Option<PathBuf> {
        if page.evidence(&self.artifacts, &incident, &self.mask).await.is_empty() {
            return None;
        }
        self.emit(PlayEventKind::Evidence { path: self.artifacts.display().to_string() });
        Some(self.artifacts.clone())
    }

    fn emit(&mut self, kind: PlayEventKind) {
        self.seq += 1;
        let at = jiff::Timestamp::now();
        (self.observe)(&PlayEvent { v: PLAY_EVENT_VERSION, seq: self.seq, at, kind });
    }

    fn name(&self, step: &Step) -> ActionName {
        ActionName {
            step: step.number.clone(),
            line: step.line,
            action: step.action.name().to_owned(),
            subject: step.action.subject().map(|subject| self.mask.apply(&subject)),
        }
    }
}

impl FlowHost for PlayHost<'_> {
    fn scope(&self) -> Scope<'_> {
        Scope {
            profile_id: &self.profile_id,
            platform: self.platform,
            identity: &self.identity,
            variables: &self.variables,
            now: jiff::Timestamp::now(),
        }
    }

    fn mask(&self) -> &Mask {
        &self.mask
    }

    fn pictures(&self) -> PathBuf {
        self.artifacts.clone()
    }

    fn before_input(&mut self) -> Result<(), SessionError> {
        Ok(())
    }

    fn captured(&mut self, step: &Step, field: &str, value: &str) -> Result<Option<String>, SessionError> {
        self.identity.set(field, value);
        self.mask.add(&format!("identity.{field}"), value);
        if field == TOTP_SECRET_FIELD {
            self.totp_used = None;
        }
        let (step, field, characters) = (step.number.clone(), field.to_owned(), value.chars().count());
        self.emit(PlayEventKind::Captured { step, field, characters });
        Ok(None)
    }

    async fn claim_totp(&mut self, step: &Step) -> Result<jiff::Timestamp, SessionError> {
        loop {
            let now = jiff::Timestamp::now();
            let Some(wait) = totp::wait(self.totp_used, now) else {
                self.totp_used = Some(totp_window(now));
                return Ok(now);
            };
            let ms = millis(wait);
            self.emit(PlayEventKind::TotpWaiting { step: step.number.clone(), ms });
            sleep(wait + Duration::from_millis(1)).await;
        }
    }

    fn paced(&mut self, news: PaceNews) {
        self.emit(match news {
            PaceNews::Waits { origin } => PlayEventKind::PaceWaiting { origin },
            PaceNews::Waited { origin, waited } => PlayEventKind::PaceWaited { origin, ms: millis(waited) },
        });
    }

    fn pictured(&mut self, step: &Step, file: PathBuf) {
        let path = file.display().to_string();
        self.emit(PlayEventKind::Screenshot { step: step.number.clone(), path });
    }

    /// The error that follows says what would match; nothing is acted on by guess.
    fn heal(&self) -> Heal {
        Heal::Suggest
    }

    fn secrets(&self) -> Mask {
        heal::secrets(&self.mask, &self.profile_id, &self.variables)
    }

    fn downloaded(&mut self, DownloadedFile { path, bytes }: DownloadedFile) {
        self.emit(PlayEventKind::Downloaded { path: path.display().to_string(), bytes });
    }

    fn step_started(&mut self, step: &Step) {
        let action = self.name(step);
        self.emit(PlayEventKind::ActionStarted { action });
    }

    fn step_finished(&mut self, step: &Step, turn: &Result<PlayedStep<'_>, PlayError>, took: Duration) {
        let (outcome, message) = match turn {
            Ok(PlayedStep::Done) => (ActionOutcome::Done, None),
            Ok(PlayedStep::Inside(_)) => (ActionOutcome::Holds, None),
            Ok(PlayedStep::Past) => (ActionOutcome::HoldsNot, None),
            Ok(PlayedStep::PassedOver) => (ActionOutcome::PassedOver, None),
            Err(PlayError::Attention { message }) => (ActionOutcome::NeedsAttention, Some(message.clone())),
            Err(PlayError::Action { error, .. }) => (ActionOutcome::Failed, Some(error.message.clone())),
            Err(PlayError::Store(error)) => (ActionOutcome::Failed, Some(error.to_string())),
            // The step never came to an end.
            Err(PlayError::Stopped) => return,
        };
        let message = message.map(|message| self.mask.apply(&message));
        let action = self.name(step);
        self.emit(PlayEventKind::ActionFinished { action, outcome, ms: millis(took), message });
    }
}

fn event_of(news: ProviderNews) -> PlayEventKind {
    match news {
        ProviderNews::Waits { call } => PlayEventKind::PacerWaiting { call: call.to_owned() },
        ProviderNews::Waited { call, waited } => {
            PlayEventKind::PacerWaited { call: call.to_owned(), ms: millis(waited) }
        }
        ProviderNews::KernelDownloading { message, waited } => {
            PlayEventKind::KernelDownloading { message, ms: millis(waited) }
        }
    }
}

/// The page's message names the key of a workflow, which need not be there.
fn elsewhere(message: &str) -> Option<String> {
    let hint = "only if it is yours: --allow ORIGIN, or `allowed_origins` of the folder's workflow";
    message.contains("allowed_origins").then(|| hint.to_owned())
}

fn millis(duration: Duration) -> u64 {
    duration.as_millis() as u64
}
