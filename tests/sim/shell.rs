//! The orchestrator as a process: the real scheduler, and in the place of `orchestrate/shell.rs` the few
//! lines that turn events into its inputs and apply its effects to this world. The same code,
//! `view::profile_status`, decides what a survey finds and how an adopted run ended.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use regatta::orchestrate::LAUNCH_GRACE;
use regatta::store::event_log::whole_lines;
use regatta_core::event::{Event, EventKind, RunCause};
use regatta_core::fleet::fact::FleetFact;
use regatta_core::fleet::{
    Admission, ChildExit, Fleet, FleetConfig, FleetEffect, FleetInput, JobId, JobOutcome, Mono,
    ProfileStatus, Severity, TimeLimits,
};
use regatta_core::id::RunId;
use regatta_core::outcome::FleetOutcome;
use regatta_core::retry::Backoff;
use regatta_core::view::profile_status;
use regatta_core::view::summary::ProfileSummary;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep, sleep_until};

use crate::chance::Fault;
use crate::process::spawn_run;
use crate::world::{Kind, SIGKILL, SIGTERM, World};

/// The interval at which the locks of adopted runs are checked.
const ROUND: Duration = Duration::from_millis(200);

/// The messages to an orchestrator, in order.
#[derive(Debug)]
pub enum News {
    ChildExited {
        job: JobId,
        exit: ChildExit,
    },
    CleanedUp {
        job: JobId,
    },
    /// Ctrl-C.
    StopRequested,
    ProviderProbed {
        is_up: bool,
    },
}

#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub max: u32,
    pub retries: u32,
    pub stagger: Duration,
    pub drain_limit: Option<Duration>,
    pub seed: u64,
}

/// How an orchestrator ended when it did not die.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// Another one holds the folder.
    Busy,
    Finished {
        outcome: FleetOutcome,
        jobs: Vec<JobOutcome>,
    },
}

/// A started orchestrator: where it receives signals, and its result at its end. It reports nothing when it
/// dies.
pub struct Started {
    pub pid: u32,
    pub signals: UnboundedSender<News>,
    pub end: UnboundedReceiver<End>,
}

pub fn start(world: &World, options: Options) -> Started {
    let pid = world.state().new_process(Kind::Fleet, false, None);
    let (signals, news) = unbounded_channel();
    let (say, end) = unbounded_channel();
    let (of, mailbox) = (world.clone(), signals.clone());
    world.start(pid, async move {
        let ended = orchestrate(of, pid, options, mailbox, news).await;
        let _ = say.send(ended);
        0
    });
    Started { pid, signals, end }
}

async fn orchestrate(
    world: World,
    pid: u32,
    options: Options,
    mailbox: UnboundedSender<News>,
    mut news: UnboundedReceiver<News>,
) -> End {
    world.pause(pid, 30).await;
    let predecessor_was_killed = {
        let mut state = world.state();
        if state.fleet_lock.is_some() {
            return End::Busy;
        }
        state.fleet_lock = Some(pid);
        std::mem::take(&mut state.orchestrator_was_killed)
    };
    if predecessor_was_killed {
        sleep(LAUNCH_GRACE).await;
    }
    let mut shell = Shell {
        fleet: Fleet::new(FleetConfig {
            max: options.max,
            stagger: options.stagger,
            stagger_jitter: 0.5,
            retries: options.retries,
            busy_retries: 5,
            backoff: Backoff::default(),
            drain_limit: options.drain_limit,
            seed: options.seed,
            limits: TimeLimits::default(),
            admission: Admission::default(),
            asked_at_once: 0,
        }),
        world,
        pid,
        options,
        mailbox,
        started: Instant::now(),
        alarm: None,
        children: BTreeMap::new(),
        cleaning: BTreeSet::new(),
        adopted: BTreeMap::new(),
        outcomes: BTreeMap::new(),
        severity: Severity::None,
        outcome: None,
    };
    shell.survey().await;
    loop {
        if let Some(outcome) = shell.outcome {
            return shell.end(outcome);
        }
        let alarm = shell.alarm;
        tokio::select! {
            biased;
            Some(news) = news.recv() => {
                // The events of a dead child are read first.
                shell.world.pause(pid, 10).await;
                let input = match news {
                    News::ChildExited { job, exit } => {
                        shell.children.remove(&job);
                        if shell.found_its_site_busy(job) {
                            shell.happened(FleetInput::SiteBusy { job, retry_after: None }).await;
                        }
                        FleetInput::ChildExited { job, exit }
                    }
                    News::CleanedUp { job } => {
                        shell.cleaning.remove(&job);
                        FleetInput::CleanedUp { job }
                    }
                    News::StopRequested => FleetInput::StopRequested,
                    News::ProviderProbed { is_up } => FleetInput::ProviderProbed {
                        problem: (!is_up).then(|| "no answer".to_owned()),
                    },
                };
                shell.happened(input).await;
            }
            () = sleep_until(alarm.unwrap_or_else(Instant::now)), if alarm.is_some() => {
                shell.alarm = None;
                shell.happened(FleetInput::TimeReached).await;
            }
            () = sleep(ROUND), if !shell.adopted.is_empty() => shell.round().await,
        }
    }
}

struct Shell {
    fleet: Fleet,
    world: World,
    pid: u32,
    options: Options,
    mailbox: UnboundedSender<News>,
    started: Instant,
    alarm: Option<Instant>,
    children: BTreeMap<JobId, u32>,
    cleaning: BTreeSet<JobId>,
    /// The holder of the lock when it was last seen held.
    adopted: BTreeMap<JobId, Option<RunId>>,
    outcomes: BTreeMap<JobId, JobOutcome>,
    severity: Severity,
    outcome: Option<FleetOutcome>,
}

impl Shell {
    async fn survey(&mut self) {
        let profiles = self.world.state().profiles.len();
        for profile in 0..profiles {
            self.world.point(self.pid).await;
            let (id, standing) = {
                let state = self.world.state();
                let (held, flags) = (state.profiles[profile].lock.is_some(), &state.spelt.flags);
                let standing = match state.session(profile) {
                    _ if held => ProfileStatus::Held,
                    None => ProfileStatus::Open,
                    Some(session) => profile_status::profile_status(session, flags),
                };
                (state.profiles[profile].id.clone(), standing)
            };
            self.happened(FleetInput::ProfileEnqueued { profile: id, standing, priority: 0 }).await;
        }
        self.happened(FleetInput::SurveyEnded).await;
        self.happened(FleetInput::IntakeClosed).await;
    }

    /// Feeds one input, and those that its effects bring about.
    async fn happened(&mut self, input: FleetInput) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let effects = self.fleet.handle(Mono(self.started.elapsed()), input);
            for effect in effects {
                self.world.point(self.pid).await;
                inputs.extend(self.apply(effect));
            }
        }
    }

    fn apply(&mut self, effect: FleetEffect) -> Option<FleetInput> {
        match effect {
            FleetEffect::Spawn { job, .. } => return Some(self.spawn(job)),
            FleetEffect::Watch { job, .. } => {
                let mut state = self.world.state();
                let held_by = state.profiles[job.index()].lock.clone();
                if let Some((pid, _)) = held_by {
                    state.adopted(pid);
                }
                drop(state);
                self.adopted.insert(job, None);
            }
            FleetEffect::CleanUp { job } => self.clean_up(job),
            FleetEffect::Probe => self.probe(),
            FleetEffect::CheckElsewhere { .. } => {
                self.world.state().violated("the provider is asked though it cannot be".to_owned());
            }
            FleetEffect::Measure => {
                self.world
                    .state()
                    .violated("the machine is measured though nothing asks for room".to_owned());
            }
            FleetEffect::Terminate { job } => self.signal(job, SIGTERM),
            FleetEffect::Kill { job } => self.signal(job, SIGKILL),
            FleetEffect::WakeAt(Mono(at)) => self.alarm = self.started.checked_add(at),
            FleetEffect::End { job, outcome, .. } => {
                self.world.state().log(|| format!("p{} ended: {outcome:?}", job.index()));
                if let Some(before) = self.outcomes.insert(job, outcome) {
                    let what = format!("p{} ended twice: {before:?}, {outcome:?}", job.index());
                    self.world.state().violated(what);
                }
            }
            FleetEffect::Report(FleetFact::FleetStopping { severity }) => {
                if severity <= self.severity {
                    let what = format!("stopping fell from {:?} to {severity:?}", self.severity);
                    self.world.state().violated(what);
                }
                self.severity = severity;
            }
            FleetEffect::Report(fact) => self.world.state().log(|| format!("{fact:?}")),
            FleetEffect::RejectInput(refusal) => {
                let what = format!("the fleet rejected an input: {refusal}");
                self.world.state().violated(what);
            }
            FleetEffect::Finish { outcome } => self.outcome = Some(outcome),
        }
        None
    }

    fn spawn(&mut self, job: JobId) -> FleetInput {
        let profile = job.index();
        if self.severity > Severity::None {
            self.world.state().violated(format!("p{profile} is spawned though the fleet is stopping"));
        }
        self.world.state().may_spawn(profile, self.cleaning.len(), self.options.max as usize);
        if self.world.strikes(Fault::Unspawnable) {
            return FleetInput::SpawnFailed { job };
        }
        let mailbox = self.mailbox.clone();
        let on_exit = move |exit| {
            // The message is lost where the orchestrator is dead.
            let _ = mailbox.send(News::ChildExited { job, exit });
        };
        let pid = spawn_run(&self.world, profile, true, Some(Box::new(on_exit)));
        self.world.state().log(|| format!("p{profile} is launched as process {pid}"));
        self.children.insert(job, pid);
        FleetInput::ChildSpawned { job }
    }

    /// Whether the job's run reported a busy site at its end.
    fn found_its_site_busy(&self, job: JobId) -> bool {
        let state = self.world.state();
        let mut lines = state.profiles[job.index()].events.split_inclusive(|byte| *byte == b'\n');
        let last = lines.next_back().and_then(|line| serde_json::from_slice::<Event>(line).ok());
        let kind = last.map(|event| event.kind);
        matches!(kind, Some(EventKind::RunFinished { cause: Some(RunCause::SiteBusy), .. }))
    }

    fn clean_up(&mut self, job: JobId) {
        self.cleaning.insert(job);
        let (world, pid, mailbox) = (self.world.clone(), self.pid, self.mailbox.clone());
        tokio::task::spawn_local(async move {
            let takes = Duration::from_millis(world.state().chance.below(500));
            sleep(takes).await;
            // It dies with its orchestrator.
            if !world.alive(pid) {
                return;
            }
            if !world.strikes(Fault::CloseFails) {
                world.state().close_browser(job.index());
            }
            let _ = mailbox.send(News::CleanedUp { job });
        });
    }

    fn probe(&self) {
        let (world, mailbox) = (self.world.clone(), self.mailbox.clone());
        tokio::task::spawn_local(async move {
            let takes = Duration::from_millis(world.state().chance.below(500));
            sleep(takes).await;
            let is_up = !world.strikes(Fault::ProviderDown);
            let _ = mailbox.send(News::ProviderProbed { is_up });
        });
    }

    fn signal(&self, job: JobId, signal: i32) {
        let mut state = self.world.state();
        let child = self.children.get(&job).copied().filter(|pid| state.alive(*pid));
        let holder = state.profiles[job.index()].lock.as_ref().map(|(pid, _)| *pid);
        if let Some(pid) = child.or(holder) {
            state.signal(pid, signal);
        }
    }

    async fn round(&mut self) {
        let jobs: Vec<JobId> = self.adopted.keys().copied().collect();
        for job in jobs {
            self.world.point(self.pid).await;
            let ended = {
                let mut state = self.world.state();
                let holder = state.profiles[job.index()].lock.clone();
                if let Some((_, run_id)) = holder {
                    self.adopted.insert(job, Some(run_id));
                    continue;
                }
                let mut bytes = state.profiles[job.index()].events.clone();
                if state.strikes(Fault::EventsLate) {
                    let seen = state.chance.below(bytes.len() as u64 + 1);
                    bytes.truncate(usize::try_from(seen).unwrap());
                }
                let (events, _): (Vec<Event>, usize) = whole_lines(&bytes);
                let summary: ProfileSummary = events.iter().collect();
                let (held_by, flags) = (self.adopted.remove(&job).flatten(), &state.spelt.flags);
                profile_status::outcome_from_lock(
                    state.session(job.index()),
                    flags,
                    &summary,
                    held_by.as_ref(),
                )
            };
            self.happened(FleetInput::AdoptedEnded { job, outcome: ended }).await;
        }
    }

    fn end(&self, outcome: FleetOutcome) -> End {
        let jobs: Vec<JobOutcome> =
            self.fleet.jobs().filter_map(|job| self.outcomes.get(&job).copied()).collect();
        let mut state = self.world.state();
        let profiles = state.profiles.len();
        if jobs.len() != profiles {
            state.violated(format!("the fleet ended, and {} of {profiles} have an outcome", jobs.len()));
        }
        state.fleet_lock = None;
        state.log(|| format!("the fleet ended: {outcome:?}"));
        End::Finished { outcome, jobs }
    }
}
