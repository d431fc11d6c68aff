//! The event loop of a fleet. Takes one event at a time from signals, children, event files, timers and the
//! intake, feeds it to the scheduler as an input, and performs the effects that the scheduler returns. It
//! decides nothing: see [`regatta_core::fleet`].

use std::collections::{HashSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc::{Receiver, UnboundedReceiver};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tracing::{info, warn};

use self::job_records::{JobRecord, JobRecords};
use super::children::Children;
use super::files::{ProfileProgress, RunFileEvent, RunFiles};
use super::intake::{Intake, IntakeError, IntakeEvent, ScannedProfile};
use super::spool::Spool;
use super::world::{FleetWorld, StopSignals as _};
use super::{OrchestrateError, OrchestrateOptions};
use crate::providers::{ErrorHint, Provider, ProviderError};
use regatta_core::error_chain::with_cause;
use regatta_core::event::{EventKind, RunCause};
use regatta_core::fleet::fact::{FleetFact, FleetNotice};
use regatta_core::fleet::report::FleetReport;
use regatta_core::fleet::source_notice::SourceNotice;
use regatta_core::fleet::{Fleet, FleetInput, JobId, JobState, Mono, ProfileStatus, Severity, Slot};
use regatta_core::id::ProfileId;
use regatta_core::outcome::{FleetOutcome, RunOutcome};
use regatta_core::session::Platform;

mod effects;
mod job_records;
mod notices;

/// How often event files are read and the locks of adopted runs asked for.
const ROUND: Duration = Duration::from_millis(200);

pub struct Shell<'a, W: FleetWorld> {
    world: W,
    options: OrchestrateOptions,
    provider: Arc<dyn Provider>,
    notices: &'a mut dyn FnMut(FleetNotice),
    fleet: Fleet,
    started: Instant,
    started_at: jiff::Timestamp,
    children: Children<W::Processes>,
    signals: W::StopSignals,
    files: RunFiles<W>,
    news: UnboundedReceiver<RunFileEvent>,
    /// Effects under way whose results become inputs.
    answers: FuturesUnordered<LocalBoxFuture<'static, EffectResult>>,
    /// Why the provider serves no profile at all, so that the fleet ends.
    provider_refusal: Option<ProviderRefusal>,
    alarm: Option<Instant>,
    records: JobRecords,
    /// Initial session data of profiles that have never run.
    spool: Spool,
    /// The platform of such profiles, where their row names none.
    platform: Platform,
    /// `None` once no more profiles come.
    intake: Option<Receiver<IntakeEvent>>,
    /// Why the source was not read to its end.
    intake_problem: Option<IntakeError>,
    /// Rows of the source that could not be read.
    refused: usize,
    /// The number of profiles in the last survey that was reported.
    surveyed: Option<usize>,
    outcome: Option<FleetOutcome>,
}

/// An answer to an effect.
#[derive(Debug)]
enum EffectResult {
    Input(FleetInput),
    Probed(Result<(), String>),
    /// The input, and a refusal that holds for every profile.
    Refused(FleetInput, ProviderRefusal),
}

/// The provider answers, and serves no profile until an operator changes the settings or the account.
#[derive(Debug, Clone)]
struct ProviderRefusal {
    message: String,
    hint: Option<String>,
}

impl ProviderRefusal {
    fn of(error: &ProviderError, hint: ErrorHint) -> Option<Self> {
        error.holds_for_every_profile().then(|| Self { message: with_cause(error), hint: hint(error) })
    }
}

impl<'a, W: FleetWorld> Shell<'a, W> {
    pub fn new(
        world: W,
        options: OrchestrateOptions,
        provider: Arc<dyn Provider>,
        notices: &'a mut dyn FnMut(FleetNotice),
    ) -> io::Result<Self> {
        let spool = world.spool()?;
        let (files, news) = RunFiles::new(world.clone(), options.flags.as_slice().into());
        Ok(Self {
            fleet: Fleet::new(options.fleet(provider.asked_at_once())),
            options,
            provider,
            notices,
            started: Instant::now(),
            started_at: world.now(),
            children: Children::new(world.processes()?),
            signals: world.stop_signals()?,
            files,
            news,
            answers: FuturesUnordered::new(),
            provider_refusal: None,
            alarm: None,
            records: JobRecords::default(),
            spool,
            platform: Platform::default(),
            intake: None,
            intake_problem: None,
            refused: 0,
            surveyed: None,
            outcome: None,
            world,
        })
    }

    pub async fn run(mut self, intake: Intake) -> Result<FleetReport, OrchestrateError> {
        let left = self.left_behind().await;
        self.platform = intake.platform;
        self.intake = Some(intake.start(self.files.folder(), left, self.spool.clone()));
        let mut rounds = interval(ROUND);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let outcome = loop {
            if let Some(outcome) = self.outcome {
                break outcome;
            }
            let alarm = self.alarm;
            // In this order: a request to stop precedes all else, and the same inputs give the same fleet.
            tokio::select! {
                biased;
                () = self.signals.requested() => {
                    self.happened(FleetInput::StopRequested).await;
                    self.close_intake().await;
                }
                () = self.children.changed() => {
                    for (job, exit) in self.children.take_exited() {
                        self.files.drain_exited(job, exit);
                    }
                }
                Some(news) = self.news.recv() => self.read(news).await,
                Some(answer) = self.answers.next() => self.answered(answer).await,
                () = sleep_until(alarm.unwrap_or_else(Instant::now)), if alarm.is_some() => {
                    self.alarm = None;
                    self.happened(FleetInput::TimeReached).await;
                }
                _ = rounds.tick(), if self.files.follows_any() => self.files.round(),
                news = next(&mut self.intake), if self.intake.is_some() => match news {
                    Some(news) => self.take_in(news).await,
                    None => self.close_intake().await,
                },
            }
        };
        if let Some(ProviderRefusal { message, hint }) = self.provider_refusal.clone() {
            let report = Box::new(self.report(outcome));
            return Err(OrchestrateError::ProviderRefuses { message, hint, report });
        }
        if let Some(problem) = self.intake_problem.take() {
            return Err(OrchestrateError::Intake { problem, report: Box::new(self.report(outcome)) });
        }
        Ok(self.report(outcome))
    }

    async fn take_in(&mut self, news: IntakeEvent) {
        match news {
            IntakeEvent::Scanned(batch) => {
                for scanned in batch {
                    self.enqueue(scanned).await;
                }
            }
            IntakeEvent::Surveyed => {
                self.emit_survey();
                self.happened(FleetInput::SurveyEnded).await;
            }
            IntakeEvent::RowRejected { place, problem } => {
                warn!(place, %problem, "a row of the source is left out");
                self.refused += 1;
                self.emit(FleetFact::Source(SourceNotice::Refused { place, problem: problem.to_string() }));
            }
            IntakeEvent::Retrying { problem, after } => {
                warn!(problem, ?after, "the source is asked again");
                self.emit(FleetFact::Source(SourceNotice::Retrying { problem, after }));
            }
            IntakeEvent::Closed(closed) => {
                if let Err(error) = closed {
                    warn!(error = with_cause(&error), "the source was not read to its end");
                    self.intake_problem = Some(error);
                }
                let profiles = self.fleet.jobs().count();
                let is_all_wrong = profiles == 0 && self.intake_problem.is_some();
                if self.surveyed != Some(profiles) && !is_all_wrong {
                    self.emit_survey();
                }
                self.close_intake().await;
            }
        }
    }

    async fn enqueue(&mut self, scanned: ScannedProfile) {
        let ScannedProfile { profile, standing, known, priority, new, conflicts } = scanned;
        // An input that is refused has no record.
        if self.fleet.contains(&profile) {
            return;
        }
        let cause = (standing == ProfileStatus::LeftBehind).then(|| "an earlier run died".to_owned());
        let record = (standing != ProfileStatus::Open || known.says_anything())
            .then(|| Box::new(JobRecord { known, cause, ..JobRecord::default() }));
        self.records.open(record, new);
        if !conflicts.is_empty() {
            warn!(%profile, ?conflicts, "the source contradicts the session");
            self.emit(FleetFact::Source(SourceNotice::Conflict {
                profile: profile.clone(),
                fields: conflicts,
            }));
        }
        self.emit(FleetFact::ProfileEnqueued { profile: profile.clone() });
        self.happened(FleetInput::ProfileEnqueued { profile, standing, priority }).await;
    }

    /// No more profiles come, or are wanted.
    async fn close_intake(&mut self) {
        if self.intake.take().is_some() {
            self.happened(FleetInput::SurveyEnded).await;
            self.happened(FleetInput::IntakeClosed).await;
        }
    }

    fn emit_survey(&mut self) {
        let (profiles, ended) = (self.fleet.jobs().count(), self.fleet.tally());
        self.surveyed = Some(profiles);
        info!(profiles, ended = ended.ended(), "scanned every profile");
        self.emit(FleetFact::FleetSurveyed { profiles, ended });
    }

    /// Returns profiles with left-overs of a dead run. Where that fails, the next run of each profile finds
    /// its own.
    async fn left_behind(&self) -> HashSet<ProfileId> {
        match self.world.profiles_with_leftovers(self.provider.as_ref()).await {
            Ok(found) => found,
            Err(error) => {
                warn!(%error, "cannot look for what earlier runs left");
                HashSet::new()
            }
        }
    }

    async fn read(&mut self, news: RunFileEvent) {
        match news {
            RunFileEvent::EventRead { job, event } => {
                self.happened(FleetInput::ChildReported { job }).await;
                match event.kind {
                    EventKind::ProviderPaused { ms } => {
                        self.happened(FleetInput::ProviderPaused { pause: Duration::from_millis(ms) }).await;
                    }
                    EventKind::RunFinished { cause: Some(RunCause::SiteBusy), retry_after_ms, .. } => {
                        let retry_after = retry_after_ms.map(Duration::from_millis);
                        self.happened(FleetInput::SiteFoundBusy { job, retry_after }).await;
                    }
                    EventKind::UsedElsewhere => self.happened(FleetInput::UsedElsewhere { job }).await,
                    EventKind::ProviderRefused { ref message, ref hint } => {
                        let (message, hint) = (message.clone(), hint.clone());
                        self.end_for(ProviderRefusal { message, hint }).await;
                    }
                    EventKind::RunFinished { permanent: true, .. } => {
                        self.happened(FleetInput::RunFailedForGood { job }).await;
                    }
                    _ => {}
                }
                if let Some(slot) = self.slot(job) {
                    self.emit(FleetFact::RunEvent { slot, event });
                }
            }
            RunFileEvent::ChildExited { job, exit, known } => {
                let outcome = exit.outcome();
                let crashed = outcome.is_none().then(|| format!("the run crashed ({exit})"));
                self.learn(job, known, outcome, crashed);
                self.happened(FleetInput::ChildExited { job, exit }).await;
                self.children.reap(job);
            }
            RunFileEvent::LockReleased { job, outcome, held_by, known } => {
                let crashed =
                    outcome.is_none().then(|| "the run died without reporting an outcome".to_owned());
                self.learn(job, known, outcome, crashed);
                self.records[job].died = held_by;
                self.happened(FleetInput::AdoptedEnded { job, outcome }).await;
            }
        }
    }

    /// Records what an attempt has left behind in session and events.
    fn learn(
        &mut self,
        job: JobId,
        known: ProfileProgress,
        outcome: Option<RunOutcome>,
        crash: Option<String>,
    ) {
        self.files.forget(job);
        let record = &mut self.records[job];
        // A run that ended on its own after all was not ended by us.
        let by_us = outcome.is_none_or(|outcome| outcome == RunOutcome::Stopped);
        let cause = record.over_time.take().filter(|_| by_us).or(crash);
        record.network += &known.summary.network;
        record.known = known;
        record.cause = cause;
    }

    /// Feeds one input and performs its effects. An effect may return an input at once, such as a spawn that
    /// failed, which is fed before the next event is taken.
    async fn happened(&mut self, input: FleetInput) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let effects = self.fleet.handle(self.now(), input);
            for effect in effects {
                inputs.extend(self.apply(effect).await);
            }
        }
    }

    async fn answered(&mut self, answer: EffectResult) {
        let input = match answer {
            EffectResult::Input(input) => input,
            EffectResult::Probed(answered) => {
                info!(?answered, "asked the provider");
                FleetInput::ProviderProbed { problem: answered.err() }
            }
            EffectResult::Refused(input, refusal) => {
                self.end_for(refusal).await;
                input
            }
        };
        self.happened(input).await;
    }

    /// No further run would have a browser, so none is launched, and those that live end after their step.
    async fn end_for(&mut self, refusal: ProviderRefusal) {
        if self.provider_refusal.is_some() {
            return;
        }
        warn!(message = refusal.message, "the provider refuses every profile: the fleet ends");
        self.provider_refusal = Some(refusal);
        if self.fleet.severity() == Severity::None {
            self.happened(FleetInput::StopRequested).await;
        }
        self.close_intake().await;
    }

    fn slot(&self, job: JobId) -> Option<Slot> {
        match self.fleet.state(job) {
            JobState::Starting { slot }
            | JobState::Running { slot }
            | JobState::Adopted { slot }
            | JobState::CleaningUp { slot } => Some(slot),
            JobState::Queued | JobState::BackingOff { .. } | JobState::PutOff { .. } | JobState::Ended(_) => {
                None
            }
        }
    }

    fn now(&self) -> Mono {
        Mono(self.started.elapsed())
    }
}

async fn next(intake: &mut Option<Receiver<IntakeEvent>>) -> Option<IntakeEvent> {
    intake.as_mut()?.recv().await
}
