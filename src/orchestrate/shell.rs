//! The loop: one thing that happened at a time, then everything the fleet wants done about it.

use std::collections::{HashSet, VecDeque};
use std::ffi::OsString;
use std::io;
use std::ops::{Index, IndexMut};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc::{Receiver, UnboundedReceiver};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tracing::{debug, info, warn};

use super::files::{FileNews, Files, Known};
use super::intake::{Intake, IntakeError, IntakeNews, Looked};
use super::machine;
use super::process::{
    Children, EndedGroup, Moment, StopSignals, end_adopted_group, kill_adopted, terminate_adopted,
};
use super::spool::{Spool, SpoolAt};
use super::{OrchestrateError, OrchestrateOptions};
use crate::browser::leftovers;
use crate::browser::provider::Provider;
use crate::domain::cause::with_cause;
use crate::domain::event::{EventKind, NetworkTotals};
use crate::domain::fleet::{
    Fleet, FleetEffect, FleetFact, FleetInput, JobId, JobOutcome, JobState, Mono, Slot, Standing,
};
use crate::domain::fleet_notice::{
    FLEET_REPORT_VERSION, FleetNotice, FleetReport, NoticeKind, ProfileReport,
};
use crate::domain::id::{ProfileId, RunId};
use crate::domain::outcome::{FleetOutcome, RunOutcome};
use crate::domain::session::Platform;
use crate::domain::source_notice::SourceNotice;
use crate::store::{Holder, Layout, Lock, OpenSession, SessionError, lock, session};

/// How often event files are read and the locks of adopted runs asked for.
const ROUND: Duration = Duration::from_millis(200);
/// For the provider to say that it is there.
const PROBE: Duration = Duration::from_secs(15);
/// For the provider to say which profiles are open: the question waits for its turn behind the starts.
const LOOK: Duration = Duration::from_secs(60);

pub struct Shell<'a> {
    options: OrchestrateOptions,
    provider: Arc<dyn Provider>,
    notices: &'a mut dyn FnMut(FleetNotice),
    fleet: Fleet,
    started: Instant,
    started_at: jiff::Timestamp,
    children: Children,
    signals: StopSignals,
    files: Files,
    news: UnboundedReceiver<FileNews>,
    /// What the fleet asked for and is being found out.
    answers: FuturesUnordered<LocalBoxFuture<'static, Answer>>,
    /// What the provider said when it was asked last.
    provider_problem: Option<String>,
    alarm: Option<Instant>,
    books: Books,
    /// What the sessions of profiles begin with that never ran.
    spool: Spool,
    /// Of those sessions, where their row names none.
    platform: Platform,
    /// `None` once no more profiles come.
    intake: Option<Receiver<IntakeNews>>,
    /// Why the source was not read to its end.
    intake_problem: Option<IntakeError>,
    /// Rows of the source that could not be read.
    refused: usize,
    /// Profiles there were when they were last told of.
    surveyed: Option<usize>,
    outcome: Option<FleetOutcome>,
}

/// An answer to an effect.
#[derive(Debug)]
enum Answer {
    Input(FleetInput),
    Probed(Result<(), String>),
}

#[derive(Debug, Clone, Copy)]
enum Signal {
    Terminate,
    Kill,
}

/// A book a job. Most jobs only wait: theirs is begun when there is something to write.
#[derive(Debug, Default)]
struct Books {
    begun: Vec<Option<Box<Book>>>,
    /// What is left of a job that has ended.
    ended: Vec<Option<Box<ProfileReport>>>,
    /// What the session begins with, for as long as there is none.
    new: Vec<Option<SpoolAt>>,
    empty: Book,
}

impl Books {
    fn open(&mut self, book: Option<Box<Book>>, new: Option<SpoolAt>) {
        self.begun.push(book);
        self.ended.push(None);
        self.new.push(new);
    }

    fn close(&mut self, job: JobId, report: ProfileReport) {
        self.begun[job.index()] = None;
        self.ended[job.index()] = Some(Box::new(report));
    }
}

impl Index<usize> for Books {
    type Output = Book;

    fn index(&self, job: usize) -> &Book {
        self.begun[job].as_deref().unwrap_or(&self.empty)
    }
}

impl IndexMut<usize> for Books {
    fn index_mut(&mut self, job: usize) -> &mut Book {
        self.begun[job].get_or_insert_default()
    }
}

/// What the closing report says of a job.
#[derive(Debug, Default)]
struct Book {
    known: Known,
    network: NetworkTotals,
    begun: Option<Mono>,
    /// Of the latest attempt, where the run itself could not say it.
    cause: Option<String>,
    /// Why the living run is being ended.
    over_time: Option<String>,
    /// The adopted run whose lock fell last.
    died: Option<(Holder, Moment)>,
}

impl<'a> Shell<'a> {
    pub fn new(
        options: OrchestrateOptions,
        provider: Arc<dyn Provider>,
        notices: &'a mut dyn FnMut(FleetNotice),
    ) -> io::Result<Self> {
        let spool = Spool::new(options.layout.state())?;
        let (files, news) = Files::new(Arc::new(options.layout.clone()), options.flags.as_slice().into());
        Ok(Self {
            fleet: Fleet::new(options.fleet(provider.asked_at_once())),
            options,
            provider,
            notices,
            started: Instant::now(),
            started_at: jiff::Timestamp::now(),
            children: Children::new()?,
            signals: StopSignals::new()?,
            files,
            news,
            answers: FuturesUnordered::new(),
            provider_problem: None,
            alarm: None,
            books: Books::default(),
            spool,
            platform: Platform::default(),
            intake: None,
            intake_problem: None,
            refused: 0,
            surveyed: None,
            outcome: None,
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
            tokio::select! {
                () = self.signals.requested() => {
                    self.happened(FleetInput::StopRequested);
                    self.close_intake();
                }
                () = self.children.changed() => {
                    for (job, exit) in self.children.take_exited() {
                        self.files.settle(job, exit);
                    }
                }
                Some(news) = self.news.recv() => self.read(news),
                Some(answer) = self.answers.next() => self.answered(answer),
                () = sleep_until(alarm.unwrap_or_else(Instant::now)), if alarm.is_some() => {
                    self.alarm = None;
                    self.happened(FleetInput::TimeReached);
                }
                _ = rounds.tick(), if self.files.follows_any() => self.files.round(),
                news = next(&mut self.intake), if self.intake.is_some() => match news {
                    Some(news) => self.take_in(news),
                    None => self.close_intake(),
                },
            }
        };
        if let Some(problem) = self.intake_problem.take() {
            return Err(OrchestrateError::Intake { problem, report: Box::new(self.report(outcome)) });
        }
        Ok(self.report(outcome))
    }

    fn take_in(&mut self, news: IntakeNews) {
        match news {
            IntakeNews::Looked(batch) => {
                for looked in batch {
                    self.enqueue(looked);
                }
            }
            IntakeNews::Surveyed => {
                self.tell_survey();
                self.happened(FleetInput::SurveyEnded);
            }
            IntakeNews::Refused { place, problem } => {
                warn!(place, %problem, "a row of the source is left out");
                self.refused += 1;
                self.tell(NoticeKind::Source(SourceNotice::Refused { place, problem: problem.to_string() }));
            }
            IntakeNews::Retrying { problem, after } => {
                warn!(problem, ?after, "the source is asked again");
                self.tell(NoticeKind::Source(SourceNotice::Retrying { problem, after }));
            }
            IntakeNews::Closed(closed) => {
                if let Err(error) = closed {
                    warn!(error = with_cause(&error), "the source was not read to its end");
                    self.intake_problem = Some(error);
                }
                let profiles = self.fleet.jobs().count();
                let is_all_wrong = profiles == 0 && self.intake_problem.is_some();
                if self.surveyed != Some(profiles) && !is_all_wrong {
                    self.tell_survey();
                }
                self.close_intake();
            }
        }
    }

    fn enqueue(&mut self, looked: Looked) {
        let Looked { profile, standing, known, priority, new, conflicts } = looked;
        // An input that is refused has no book.
        if self.fleet.knows(&profile) {
            return;
        }
        let cause = (standing == Standing::LeftBehind).then(|| "an earlier run died".to_owned());
        let book = (standing != Standing::Open || known.says_anything())
            .then(|| Box::new(Book { known, cause, ..Book::default() }));
        self.books.open(book, new);
        if !conflicts.is_empty() {
            warn!(%profile, ?conflicts, "the source says otherwise than the session");
            self.tell(NoticeKind::Source(SourceNotice::Conflict {
                profile: profile.clone(),
                fields: conflicts,
            }));
        }
        self.happened(FleetInput::ProfileEnqueued { profile, standing, priority });
    }

    /// No more profiles come, or are wanted.
    fn close_intake(&mut self) {
        if self.intake.take().is_some() {
            self.happened(FleetInput::SurveyEnded);
            self.happened(FleetInput::IntakeClosed);
        }
    }

    fn tell_survey(&mut self) {
        let (profiles, ended) = (self.fleet.jobs().count(), self.fleet.tally());
        self.surveyed = Some(profiles);
        info!(profiles, ended = ended.ended(), "looked at every profile there is");
        self.tell(NoticeKind::Surveyed { profiles, ended });
    }

    /// Profiles of which something runs that no run answers for. Without an answer the next run of each
    /// finds out for itself.
    async fn left_behind(&self) -> HashSet<ProfileId> {
        match leftovers::find(&self.options.layout, self.provider.as_ref()).await {
            Ok(found) => found.iter().map(|left| left.profile().clone()).collect(),
            Err(error) => {
                warn!(%error, "cannot look for what earlier runs left");
                HashSet::new()
            }
        }
    }

    fn read(&mut self, news: FileNews) {
        match news {
            FileNews::Told { job, event } => {
                self.happened(FleetInput::ChildTold { job });
                match event.kind {
                    EventKind::ProviderPaused { ms } => {
                        self.happened(FleetInput::ProviderPaused { pause: Duration::from_millis(ms) });
                    }
                    EventKind::UsedElsewhere => self.happened(FleetInput::UsedElsewhere { job }),
                    _ => {}
                }
                if let Some(slot) = self.slot(job) {
                    self.tell(NoticeKind::Told { slot, event });
                }
            }
            FileNews::Settled { job, exit, known } => {
                let outcome = exit.outcome();
                let crashed = outcome.is_none().then(|| format!("the run crashed ({exit})"));
                self.learn(job, known, outcome, crashed);
                self.happened(FleetInput::ChildExited { job, exit });
                self.children.reap(job);
            }
            FileNews::LockFell { job, outcome, held_by, known } => {
                let crashed = outcome.is_none().then(|| "the run died without its last word".to_owned());
                self.learn(job, known, outcome, crashed);
                self.books[job.index()].died = held_by;
                self.happened(FleetInput::AdoptedEnded { job, outcome });
            }
        }
    }

    /// An attempt is over: what it left to know.
    fn learn(&mut self, job: JobId, known: Known, outcome: Option<RunOutcome>, crash: Option<String>) {
        self.files.forget(job);
        let book = &mut self.books[job.index()];
        // One that ended by itself after all was not ended by us.
        let by_us = outcome.is_none_or(|outcome| outcome == RunOutcome::Stopped);
        let cause = book.over_time.take().filter(|_| by_us).or(crash);
        book.network += &known.summary.network;
        book.known = known;
        book.cause = cause;
    }

    /// Feeds one input, and those that carrying out its effects brings about.
    fn happened(&mut self, input: FleetInput) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let effects = self.fleet.handle(self.now(), input);
            for effect in effects {
                inputs.extend(self.carry_out(effect));
            }
        }
    }

    fn carry_out(&mut self, effect: FleetEffect) -> Option<FleetInput> {
        match effect {
            FleetEffect::Spawn { job, slot, attempt } => return Some(self.spawn(job, slot, attempt)),
            FleetEffect::Watch { job, slot, attempt } => self.watch(job, slot, attempt),
            FleetEffect::CleanUp { job } => self.clean_up(job),
            FleetEffect::Terminate { job } => self.signal(job, Signal::Terminate),
            FleetEffect::Kill { job } => self.signal(job, Signal::Kill),
            FleetEffect::Measure => self.answers.push(Box::pin(async {
                // Should it fail, nothing is known and nothing held up.
                let measured = spawn_blocking(machine::measure).await.unwrap_or_default();
                Answer::Input(FleetInput::MachineMeasured(measured))
            })),
            FleetEffect::Probe => {
                let provider = Arc::clone(&self.provider);
                self.answers.push(Box::pin(async move {
                    Answer::Probed(match timeout(PROBE, provider.probe()).await {
                        Ok(answered) => answered.map_err(|error| with_cause(&error)),
                        Err(_) => Err(format!("{} does not answer within {PROBE:?}", provider.name())),
                    })
                }));
            }
            FleetEffect::LookElsewhere { jobs } => self.look_elsewhere(jobs),
            FleetEffect::WakeAt(Mono(at)) => self.alarm = self.started.checked_add(at),
            FleetEffect::Report(fact) => self.pass_on(fact),
            FleetEffect::Refuse(refusal) => debug!(%refusal, "refused"),
            FleetEffect::Finish { outcome } => {
                info!(?outcome, "finished");
                self.tell(NoticeKind::Finished { outcome, tally: self.fleet.tally() });
                self.outcome = Some(outcome);
            }
        }
        None
    }

    /// A provider that cannot say holds nothing up: the run of a profile that is open elsewhere finds out.
    fn look_elsewhere(&self, jobs: Vec<JobId>) {
        let provider = Arc::clone(&self.provider);
        let profiles: Vec<ProfileId> = jobs.iter().map(|job| self.fleet.profile(*job).clone()).collect();
        self.answers.push(Box::pin(async move {
            let open = match timeout(LOOK, provider.open_elsewhere(&profiles)).await {
                Ok(Ok(open)) => open,
                Ok(Err(error)) => {
                    warn!(error = with_cause(&error), "cannot ask which profiles are open elsewhere");
                    Vec::new()
                }
                Err(_) => {
                    warn!("{} does not say within {LOOK:?} which profiles are open", provider.name());
                    Vec::new()
                }
            };
            let open = jobs.iter().zip(&profiles).filter(|(_, profile)| open.contains(profile));
            Answer::Input(FleetInput::LookedElsewhere { open: open.map(|(job, _)| *job).collect() })
        }));
    }

    fn answered(&mut self, answer: Answer) {
        let input = match answer {
            Answer::Input(input) => input,
            Answer::Probed(answered) => {
                info!(?answered, "asked the provider");
                let is_up = answered.is_ok();
                self.provider_problem = answered.err();
                FleetInput::ProviderProbed { is_up }
            }
        };
        self.happened(input);
    }

    fn spawn(&mut self, job: JobId, slot: Slot, attempt: u32) -> FleetInput {
        let now = self.now();
        let profile = self.fleet.profile(job).clone();
        let book = &mut self.books[job.index()];
        book.begun.get_or_insert(now);
        book.cause = None;
        if let Some(new) = self.books.new[job.index()].take()
            && let Err(problem) = self.begin_session(&profile, new)
        {
            warn!(%profile, problem, "cannot begin a session");
            self.books.new[job.index()] = Some(new);
            self.books[job.index()].cause = Some(problem);
            return FleetInput::SpawnFailed { job };
        }
        self.files.follow_child(job, &profile);
        let arguments: Vec<OsString> =
            self.options.run_arguments.iter().cloned().chain([profile.as_str().into()]).collect();
        let log = self.options.layout.log(&profile);
        let mark = leftovers::mark(&self.options.layout, &profile);
        let mark = (leftovers::MARK, mark.as_os_str());
        match self.children.spawn(job, &self.options.program, &arguments, mark, &log) {
            Ok(pid) => {
                info!(%profile, pid, attempt, "launched");
                self.tell(NoticeKind::Launched { profile, slot, attempt, pid });
                FleetInput::ChildSpawned { job }
            }
            Err(error) => {
                warn!(%profile, %error, "cannot start a process");
                self.files.forget(job);
                self.books[job.index()].cause = Some(format!("cannot start a process: {error}"));
                FleetInput::SpawnFailed { job }
            }
        }
    }

    /// What the source says of a profile that never ran is durable before its run starts. A session
    /// that came into being meanwhile wins.
    fn begin_session(&self, profile: &ProfileId, new: SpoolAt) -> Result<(), String> {
        let new =
            self.spool.read(new).map_err(|error| format!("cannot read the profile's row again: {error}"))?;
        let now = jiff::Timestamp::now();
        let (run_id, flags) = (RunId::new(now, rand::random()), &self.options.flags);
        let fresh = || new.into_session(profile.clone(), self.platform, flags);
        match OpenSession::open(&self.options.layout, profile, &run_id, now, fresh) {
            // Held or damaged: its run finds out, and says so.
            Ok(_)
            | Err(SessionError::Busy { .. } | SessionError::Damaged { .. } | SessionError::Newer { .. }) => {
                Ok(())
            }
            Err(error) => Err(with_cause(&error)),
        }
    }

    fn watch(&mut self, job: JobId, slot: Slot, attempt: u32) {
        let now = self.now();
        let profile = self.fleet.profile(job).clone();
        self.books[job.index()].begun.get_or_insert(now);
        let pid = lock::holder(&self.options.layout.session_lock(&profile)).map(|holder| holder.pid);
        info!(%profile, pid, "adopted a living run");
        self.files.follow_adopted(job, &profile);
        self.tell(NoticeKind::Adopted { profile, slot, attempt, pid });
    }

    fn clean_up(&mut self, job: JobId) {
        let profile = self.fleet.profile(job).clone();
        let cause = self.books[job.index()].cause.clone().unwrap_or_default();
        warn!(%profile, cause, "cleaning up");
        self.tell(NoticeKind::CleaningUp { profile: profile.clone(), cause });
        let died = self.books[job.index()].died.take();
        let adopted =
            |(holder, seen): (Holder, Moment)| -> Option<EndedGroup> { end_adopted_group(&holder, seen) };
        let group = self.children.end_group(job).or_else(|| died.and_then(adopted));
        let (provider, bound) = (Arc::clone(&self.provider), self.options.browser_stop_bound);
        let layout = self.options.layout.clone();
        self.answers.push(Box::pin(async move {
            if let Some(group) = group
                && !group.gone().await
            {
                warn!(%profile, "processes of the crashed run do not end");
            }
            let done = Answer::Input(FleetInput::CleanedUp { job });
            let Some(_lock) = hold(&layout, &profile) else { return done };
            match timeout(bound, leftovers::end(&layout, provider.as_ref(), &profile)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => warn!(%profile, %error, "cannot end what the crashed run left"),
                Err(_) => warn!(%profile, "ending what the crashed run left takes too long"),
            }
            done
        }));
    }

    fn signal(&mut self, job: JobId, how: Signal) {
        let profile = self.fleet.profile(job);
        let done = match (self.children.lives(job), how) {
            (true, Signal::Terminate) => self.children.terminate(job),
            (true, Signal::Kill) => self.children.kill(job),
            (false, _) => {
                // Who holds the lock now, not who held it once: a lock that fell names a stranger.
                let path = self.options.layout.session_lock(profile);
                let holder = lock::is_held(&path).unwrap_or(false).then(|| lock::holder(&path)).flatten();
                match (holder, how) {
                    (Some(holder), Signal::Terminate) => terminate_adopted(&holder),
                    (Some(holder), Signal::Kill) => kill_adopted(&holder),
                    (None, _) => Ok(()),
                }
            }
        };
        match done {
            Ok(()) => info!(%profile, ?how, "signalled"),
            Err(error) => warn!(%profile, ?how, %error, "cannot signal"),
        }
    }

    fn pass_on(&mut self, fact: FleetFact) {
        match fact {
            FleetFact::BackingOff { job, attempt, delay, failure } => {
                let profile = self.fleet.profile(job).clone();
                let cause = self.books[job.index()].error().unwrap_or_else(|| failure.to_string());
                info!(%profile, attempt, ?delay, cause, "backing off");
                self.tell(NoticeKind::BackingOff { profile, attempt, delay, cause });
            }
            FleetFact::PutOff { job, delay } => {
                let profile = self.fleet.profile(job).clone();
                warn!(%profile, ?delay, "open on another device");
                self.tell(NoticeKind::PutOff { profile, delay });
            }
            FleetFact::Ended { job, outcome, attempts } => {
                let report = self.profile_report(job, outcome, attempts);
                info!(profile = %report.profile_id, ?outcome, attempts, "ended");
                self.books.close(job, report.clone());
                self.tell(NoticeKind::Ended(report));
            }
            FleetFact::OverTime { job, limit, demand } => {
                let profile = self.fleet.profile(job).clone();
                warn!(%profile, %limit, ?demand, "over its time");
                self.books[job.index()].over_time = Some(limit.to_string());
                self.tell(NoticeKind::OverTime { profile, limit, demand });
            }
            FleetFact::Waiting(shortage) => {
                info!(?shortage, "launches wait for room");
                self.tell(NoticeKind::Waiting(shortage));
            }
            FleetFact::ProviderDown => {
                let problem = self.provider_problem.clone().unwrap_or_default();
                warn!(problem, "launches wait for the provider");
                self.tell(NoticeKind::ProviderDown { problem });
            }
            FleetFact::ProviderPaused { pause } => {
                warn!(?pause, "the provider opens no more browsers for a while");
                self.tell(NoticeKind::ProviderPaused { pause });
            }
            FleetFact::Resumed => {
                info!("launches go on");
                self.tell(NoticeKind::Resumed);
            }
            FleetFact::Cleared { job } => {
                let profile = self.fleet.profile(job).clone();
                info!(%profile, "what an earlier run left is gone");
                self.tell(NoticeKind::Cleared { profile });
            }
            FleetFact::Stopping(severity) => {
                info!(?severity, "stopping");
                self.tell(NoticeKind::Stopping(severity));
            }
        }
    }

    fn profile_report(&self, job: JobId, outcome: JobOutcome, attempts: u32) -> ProfileReport {
        let book = &self.books[job.index()];
        let (last_error, evidence) = match outcome {
            JobOutcome::Completed => (None, None),
            JobOutcome::Failed(failure) => {
                (book.error().or_else(|| Some(failure.to_string())), book.known.summary.evidence.clone())
            }
            // That it was killed is no error of its own.
            JobOutcome::Stopped => (book.known.last_error.clone(), book.known.summary.evidence.clone()),
            JobOutcome::NeedsAttention => (book.error(), book.known.summary.evidence.clone()),
        };
        ProfileReport {
            profile_id: self.fleet.profile(job).clone(),
            outcome,
            attempts,
            steps_done: book.known.steps_done,
            steps: self.options.flags.len(),
            ms: book.begun.map_or(0, |begun| millis(self.now().0.saturating_sub(begun.0))),
            last_error,
            evidence,
            network: book.network.clone(),
        }
    }

    fn report(self, outcome: FleetOutcome) -> FleetReport {
        // A row that could not be read is a profile that was not completed.
        let outcome = match outcome {
            FleetOutcome::Completed | FleetOutcome::SomeNeedAttention if self.refused > 0 => {
                FleetOutcome::SomeFailed
            }
            outcome => outcome,
        };
        FleetReport {
            v: FLEET_REPORT_VERSION,
            outcome,
            exit_code: outcome.exit_code(),
            started_at: self.started_at,
            ms: millis(self.started.elapsed()),
            tally: self.fleet.tally(),
            profiles: self.books.ended.into_iter().flatten().map(|report| *report).collect(),
            refused: self.refused,
        }
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

    fn tell(&mut self, kind: NoticeKind) {
        (self.notices)(FleetNotice { at: jiff::Timestamp::now(), kind });
    }

    fn now(&self) -> Mono {
        Mono(self.started.elapsed())
    }
}

impl Book {
    fn error(&self) -> Option<String> {
        self.cause.clone().or_else(|| self.known.last_error.clone())
    }
}

async fn next(intake: &mut Option<Receiver<IntakeNews>>) -> Option<IntakeNews> {
    intake.as_mut()?.recv().await
}

/// `None` where somebody runs the profile again: its left-overs are that run's business then.
fn hold(layout: &Layout, profile: &ProfileId) -> Option<Option<Lock>> {
    let now = jiff::Timestamp::now();
    match session::hold(layout, profile, &Holder::new(RunId::new(now, rand::random()), now)) {
        Ok(lock) => Some(Some(lock)),
        Err(SessionError::Busy { .. }) => None,
        // It is still to be ended; a run could not have taken the lock either.
        Err(error) => {
            warn!(%profile, %error, "cannot hold the profile while it is cleaned up");
            Some(None)
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
