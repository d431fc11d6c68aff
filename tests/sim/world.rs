//! Everything outside the code under test: the disk, the processes, the provider, the site. It strikes with
//! faults, keeps the story, and checks whether each act is allowed.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use regatta::run::{StopSeverity, StopWatch, WallClock};
use regatta::store::LockHolder;
use regatta_core::event::Event;
use regatta_core::fleet::{ChildExit, JobOutcome};
use regatta_core::id::{ProfileId, RunId};
use regatta_core::session::{InFlight, Session};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::chance::{Chance, Fault, Faults};
use crate::orchestrator::{has_row, holder};
use crate::workflow::{SETTLE_MS, Spelt};

pub const SIGINT: i32 = 2;
pub const SIGTERM: i32 = 15;
pub const SIGKILL: i32 = 9;

/// A fleet has handled a request to stop by then, and its runs have the signal.
const STOPS_WITHIN: Duration = Duration::from_secs(5);
/// For a signal to a run that has just died.
const STALE: Duration = Duration::from_secs(1);

/// Called once, when the process has ended.
pub type OnExit = Box<dyn FnOnce(ChildExit) + Send>;

#[derive(Clone)]
pub struct World(Arc<Mutex<State>>);

pub struct State {
    pub spelt: &'static Spelt,
    pub chance: Chance,
    pub faults: Faults,
    /// Nothing goes wrong any more.
    pub calm: bool,
    started: Instant,
    /// How far the wall clock is off.
    wall_is_off: SignedDuration,
    pub profiles: Vec<Profile>,
    /// By process id, from 1.
    processes: Vec<Process>,
    /// Their order; most are dead.
    alive: BTreeSet<u32>,
    pub fleet_lock: Option<u32>,
    /// The last holder of the folder did not release it itself.
    pub orchestrator_was_killed: bool,
    /// Visits of runs to a step, to act or to verify.
    pub steps: u64,
    pub violation: Option<String>,
    story: Option<String>,
}

pub struct Profile {
    pub id: ProfileId,
    /// Its document, as it parses.
    session: Option<Session>,
    pub events: Vec<u8>,
    pub lock: Option<(u32, RunId)>,
    /// What the last holder wrote of itself, unless it has removed it.
    pub lock_text: Option<LockHolder>,
    pub has_lock_file: bool,
    /// The fleet that is ending its left-overs.
    cleaning: Option<u32>,
    /// The fleet whose run crashed, until its left-overs were ended.
    unclean: Option<u32>,
    /// The run in the slot of a fleet: the last one that was spawned or adopted.
    in_slot: Option<u32>,
    /// The last reading of the events missed some.
    events_late: bool,
    browser: Option<Browser>,
    browsers_opened: u64,
    /// Captured values by process.
    captured: Vec<(u32, String)>,
    pub site: Vec<Site>,
}

/// An open browser; the number identifies it.
struct Browser {
    number: u64,
    /// An input of a dead run that is still to arrive: a step, and when. Without a time it arrives at the
    /// worst one, right after another run has done the step.
    acts_on: Option<(usize, Option<Instant>)>,
}

/// What the site has seen of one step of one profile.
#[derive(Default)]
pub struct Site {
    /// Attempts that acted on the page.
    pub acts: u32,
    /// How often a person asked for the step to be repeated.
    pub agains: u32,
    /// When each submission counts, and the code that is shown for it.
    pub submissions: Vec<(Instant, String)>,
    /// Keys that were shown, each once; the last one counts once there is a submission.
    keys: Vec<String>,
    /// The first durable value.
    kept: Option<String>,
    done: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Run { profile: usize },
    Fleet,
}

struct Process {
    kind: Kind,
    alive: bool,
    frozen: bool,
    deaf: bool,
    /// The fleet that spawned or adopted it: it has a slot.
    fleet: Option<u32>,
    points: u32,
    dies_at: Option<u32>,
    signals: u32,
    stop: watch::Sender<StopSeverity>,
    /// Taken by the run once it handles signals.
    ear: Option<StopWatch>,
    killed_by: i32,
    waker: Option<Waker>,
    on_exit: Option<OnExit>,
    /// Spawned by the fleet of its slot, not adopted.
    is_child: bool,
    exit: Option<ChildExit>,
    started: Instant,
    /// Its parent has reaped it, or ended its group.
    reaped: bool,
    died_at: Option<Instant>,
    /// Signals that were sent to it, received or not.
    sent: u32,
    /// Of a run: its name, the events it has written, and those that its fleet has reported.
    run_id: Option<RunId>,
    written: u64,
    reported: u64,
    last_reported: u64,
    /// Of a fleet that listens to signals.
    stops: Option<UnboundedSender<()>>,
    stops_sent: u32,
    stops_received: u32,
}

/// The fate of a click.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Click {
    Accepted,
    AcceptedLate,
    AnswerLost,
    Swallowed,
}

impl World {
    pub fn new(spelt: &'static Spelt, profiles: usize, seed: u64, faults: Faults, logged: bool) -> Self {
        let profile = |index: usize| Profile {
            id: format!("p{index}").parse().unwrap(),
            session: None,
            events: Vec::new(),
            lock: None,
            lock_text: None,
            has_lock_file: false,
            cleaning: None,
            unclean: None,
            in_slot: None,
            events_late: false,
            browser: None,
            browsers_opened: 0,
            captured: Vec::new(),
            site: spelt.letters.iter().map(|_| Site::default()).collect(),
        };
        Self(Arc::new(Mutex::new(State {
            spelt,
            chance: Chance::new(seed),
            faults,
            calm: false,
            started: Instant::now(),
            wall_is_off: SignedDuration::ZERO,
            profiles: (0..profiles).map(profile).collect(),
            processes: Vec::new(),
            alive: BTreeSet::new(),
            fleet_lock: None,
            orchestrator_was_killed: false,
            steps: 0,
            violation: None,
            story: logged.then(String::new),
        })))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn clock(&self) -> WallClock {
        let world = self.clone();
        Arc::new(move || world.state().wall())
    }

    pub fn strikes(&self, fault: Fault) -> bool {
        self.state().strikes(fault)
    }

    pub fn alive(&self, pid: u32) -> bool {
        self.state().alive(pid)
    }

    /// A point where the process may die; a dead process stays here.
    pub async fn point(&self, pid: u32) {
        if !self.state().point(pid) {
            std::future::pending().await
        }
    }

    /// Lets time pass and other processes run.
    pub async fn pause(&self, pid: u32, at_most_ms: u64) {
        self.point(pid).await;
        let millis = {
            let mut state = self.state();
            match state.chance.below(4) {
                0 => Some(state.chance.below(at_most_ms + 1)),
                1 => Some(0),
                // Most often nothing happens in between.
                _ => None,
            }
        };
        match millis {
            None => {}
            Some(0) => tokio::task::yield_now().await,
            Some(millis) => sleep(Duration::from_millis(millis)).await,
        }
        self.point(pid).await;
    }

    /// A fleet has taken a request to stop: its runs have the signal soon.
    pub fn stop_received(&self, fleet: u32) {
        let mut state = self.state();
        let process = state.process(fleet);
        process.stops_received += 1;
        let kills = process.stops_received > 1;
        let signalled: Vec<(u32, u32)> =
            state.runs_of(fleet).iter().map(|pid| (*pid, state.process(*pid).sent)).collect();
        drop(state);
        let world = self.clone();
        tokio::task::spawn_local(async move {
            sleep(STOPS_WITHIN).await;
            let mut state = world.state();
            if !state.alive(fleet) {
                return;
            }
            let holders = state.lock_holders();
            let spared = |(pid, sent): &&(u32, u32)| {
                let process = &state.processes[*pid as usize - 1];
                process.alive && holders.contains(pid) && (kills || process.sent == *sent)
            };
            if let Some((pid, _)) = signalled.iter().find(spared) {
                let what = if kills { "killed" } else { "asked to stop" };
                let pid = *pid;
                state.violated(format!("fleet {fleet} is stopping, and process {pid} was not {what}"));
            }
        });
    }

    /// Ctrl-C for a fleet. One that does not listen yet dies of it.
    pub fn interrupt(&self, fleet: u32) {
        self.state().signal(fleet, SIGINT);
        let world = self.clone();
        tokio::task::spawn_local(async move {
            sleep(STOPS_WITHIN).await;
            let mut state = world.state();
            let process = state.process(fleet);
            if process.alive && process.stops_received < process.stops_sent {
                state.violated(format!("fleet {fleet} does not handle a request to stop"));
            }
        });
    }

    /// Runs `body` as the process: until it ends or dies.
    pub fn start(&self, pid: u32, body: impl Future<Output = i32> + 'static) {
        let mortal = Mortal { world: self.clone(), pid, body: Box::pin(body) };
        let world = self.clone();
        tokio::task::spawn_local(async move {
            let exit = mortal.await;
            let mut state = world.state();
            state.log(|| format!("process {pid}: {exit}"));
            state.release(pid);
            state.exited(pid, exit);
            let on_exit = state.process(pid).on_exit.take();
            drop(state);
            if let Some(on_exit) = on_exit {
                on_exit(exit);
            }
        });
    }
}

/// A process: polled while it lives and is not frozen, and cut off at the await at which it dies.
struct Mortal {
    world: World,
    pid: u32,
    body: Pin<Box<dyn Future<Output = i32>>>,
}

impl Future for Mortal {
    type Output = ChildExit;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ChildExit> {
        {
            let mut state = self.world.state();
            let process = state.process(self.pid);
            process.waker = Some(cx.waker().clone());
            match (process.alive, process.frozen) {
                (false, _) => return Poll::Ready(ChildExit::Signal(process.killed_by)),
                (true, true) => return Poll::Pending,
                (true, false) => {}
            }
        }
        let polled = self.body.as_mut().poll(cx);
        let mut state = self.world.state();
        if !state.alive(self.pid) {
            return Poll::Ready(ChildExit::Signal(state.process(self.pid).killed_by));
        }
        drop(state);
        polled.map(ChildExit::Code)
    }
}

impl State {
    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    pub fn wall(&self) -> Timestamp {
        let start: Timestamp = Timestamp::from_second(1_767_225_600).unwrap();
        start + SignedDuration::try_from(self.now()).unwrap() + self.wall_is_off
    }

    pub fn set_wall(&mut self) {
        let off = i64::try_from(self.chance.below(172_800)).unwrap() - 86_400;
        self.wall_is_off = SignedDuration::from_secs(off);
        self.log(|| format!("the clock is {off} s off"));
    }

    pub fn strikes(&mut self, fault: Fault) -> bool {
        let strikes = !self.calm && self.faults.strikes(fault, &mut self.chance);
        if strikes {
            self.log(|| format!("  ! {fault:?}"));
        }
        strikes
    }

    pub fn log(&mut self, line: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            writeln!(story, "{:>9.3} {}", self.started.elapsed().as_secs_f64(), line()).unwrap();
        }
    }

    pub fn story(&self) -> &str {
        self.story.as_deref().unwrap_or_default()
    }

    /// The first violation counts; later ones may follow from it.
    pub fn violated(&mut self, what: impl Into<String>) {
        let what = what.into();
        self.log(|| format!("VIOLATED: {what}"));
        self.violation.get_or_insert(what);
    }

    fn process(&mut self, pid: u32) -> &mut Process {
        &mut self.processes[pid as usize - 1]
    }

    /// `on_exit` belongs to the child of a fleet.
    pub fn new_process(&mut self, kind: Kind, fleet: Option<u32>, on_exit: Option<OnExit>) -> u32 {
        let dies = match kind {
            Kind::Run { .. } => self.strikes(Fault::Death).then(|| self.chance.below(60)),
            Kind::Fleet => self.strikes(Fault::OrchestratorDeath).then(|| {
                let within = 60 * self.profiles.len() as u64;
                self.chance.below(within)
            }),
        };
        let deaf = matches!(kind, Kind::Run { .. }) && self.strikes(Fault::Deaf);
        let (stop, ear) = StopWatch::new();
        self.processes.push(Process {
            kind,
            alive: true,
            frozen: false,
            deaf,
            fleet,
            points: 0,
            dies_at: dies.map(|point| u32::try_from(point).unwrap()),
            signals: 0,
            stop,
            ear: Some(ear),
            killed_by: SIGKILL,
            waker: None,
            is_child: fleet.is_some() && on_exit.is_some(),
            on_exit,
            exit: None,
            started: Instant::now(),
            reaped: false,
            died_at: None,
            sent: 0,
            run_id: None,
            written: 0,
            reported: 0,
            last_reported: 0,
            stops: None,
            stops_sent: 0,
            stops_received: 0,
        });
        let pid = u32::try_from(self.processes.len()).unwrap();
        self.alive.insert(pid);
        if let (Kind::Run { profile }, Some(_)) = (kind, fleet) {
            self.profiles[profile].in_slot = Some(pid);
        }
        pid
    }

    pub fn dies_at(&mut self, pid: u32, point: u32) {
        self.process(pid).dies_at = Some(point);
    }

    pub fn alive(&self, pid: u32) -> bool {
        self.processes[pid as usize - 1].alive
    }

    /// From now on the run handles signals; before, they end it.
    pub fn listen(&mut self, pid: u32) -> StopWatch {
        self.process(pid).ear.take().expect("a run listens once")
    }

    /// From now on the fleet receives requests to stop; before, they end it.
    pub fn listen_as_fleet(&mut self, pid: u32) -> UnboundedReceiver<()> {
        let (sender, receiver) = unbounded_channel();
        self.process(pid).stops = Some(sender);
        receiver
    }

    /// A run takes the lock of its profile.
    pub fn lock(&mut self, profile: usize, pid: u32, run_id: &RunId) {
        self.profiles[profile].lock = Some((pid, run_id.clone()));
        self.profiles[profile].has_lock_file = true;
        self.process(pid).run_id = Some(run_id.clone());
    }

    /// The holder of a lock describes itself, a moment after it has taken it.
    pub fn describe_holder(&mut self, profile: usize, pid: u32) {
        let at = self.wall();
        if let Some((by, run_id)) = &self.profiles[profile].lock
            && *by == pid
        {
            self.profiles[profile].lock_text = Some(holder(pid, run_id, at));
        }
    }

    fn lock_holders(&self) -> BTreeSet<u32> {
        self.profiles.iter().filter_map(|profile| Some(profile.lock.as_ref()?.0)).collect()
    }

    /// Whether the process lives on. Points are counted, so that each can be the last one.
    pub fn point(&mut self, pid: u32) -> bool {
        let process = self.process(pid);
        if !process.alive {
            return false;
        }
        if process.dies_at == Some(process.points) {
            self.die(pid);
            return false;
        }
        self.process(pid).points += 1;
        true
    }

    pub fn points(&self, pid: u32) -> u32 {
        self.processes[pid as usize - 1].points
    }

    fn die(&mut self, pid: u32) {
        let points = self.process(pid).points;
        self.log(|| format!("process {pid} dies at its point {points}"));
        self.process(pid).alive = false;
        self.process(pid).died_at = Some(Instant::now());
        self.release(pid);
        if let Some(waker) = self.process(pid).waker.take() {
            waker.wake();
        }
    }

    /// Releases what the system takes back from an ended process.
    fn release(&mut self, pid: u32) {
        self.process(pid).alive = false;
        self.alive.remove(&pid);
        if self.fleet_lock == Some(pid) {
            self.fleet_lock = None;
            self.orchestrator_was_killed = true;
        }
        match self.process(pid).kind {
            Kind::Run { profile } => self.unlock(profile, pid),
            // Those of the profiles whose left-overs it was ending.
            Kind::Fleet => (0..self.profiles.len()).for_each(|profile| self.unlock(profile, pid)),
        }
    }

    pub fn unlock(&mut self, profile: usize, pid: u32) {
        let lock = &mut self.profiles[profile].lock;
        if lock.as_ref().is_some_and(|(holder, _)| *holder == pid) {
            *lock = None;
            // One that is killed leaves its text.
            if self.process(pid).alive {
                self.profiles[profile].lock_text = None;
            }
        }
    }

    pub fn signal(&mut self, pid: u32, signal: i32) {
        if !self.process(pid).alive {
            return;
        }
        self.log(|| format!("signal {signal} to process {pid}"));
        let process = self.process(pid);
        process.sent += 1;
        match signal {
            SIGKILL => self.die(pid),
            _ if process.kind == Kind::Fleet && process.stops.is_some() => {
                process.stops_sent += 1;
                process.stops.as_ref().map(|stops| stops.send(()));
            }
            _ if process.deaf => {}
            _ if process.ear.is_some() => {
                process.killed_by = signal;
                self.die(pid);
            }
            _ => {
                process.signals += 1;
                let stop = if process.signals > 1 { StopSeverity::Now } else { StopSeverity::AfterStep };
                process.stop.send_replace(stop);
            }
        }
    }

    /// Freezes the process; only SIGKILL ends it.
    pub fn freeze(&mut self, pid: u32) {
        self.log(|| format!("process {pid} is frozen"));
        self.process(pid).frozen = true;
    }

    pub fn frozen(&self) -> Vec<u32> {
        self.pids(|process| process.frozen)
    }

    pub fn living_runs(&self) -> Vec<u32> {
        self.pids(|process| process.kind != Kind::Fleet)
    }

    pub fn living(&self) -> Vec<u32> {
        self.pids(|_| true)
    }

    /// Counts living processes.
    fn pids(&self, of: impl Fn(&Process) -> bool) -> Vec<u32> {
        self.alive.iter().copied().filter(|pid| of(&self.processes[*pid as usize - 1])).collect()
    }

    /// A fleet signals what it takes for its run.
    pub fn signal_from(&mut self, fleet: u32, pid: u32, signal: i32) {
        if !self.point(fleet) {
            return;
        }
        let stops = self.process(fleet).stops_received;
        let process = self.process(pid);
        let is_its_run = process.kind != Kind::Fleet && process.fleet == Some(fleet);
        let is_stale = process.died_at.is_some_and(|at| at.elapsed() > STALE);
        if is_stale || (process.alive && !is_its_run) {
            self.violated(format!("fleet {fleet} signals process {pid}, which is not its run"));
        }
        if stops == 0 {
            self.violated(format!("fleet {fleet} signals process {pid}, and nothing has asked it to stop"));
        }
        self.signal(pid, signal);
        self.point(fleet);
    }

    /// What the parent reads of a dead child.
    pub fn exit_of(&self, pid: u32) -> Option<ChildExit> {
        self.processes[pid as usize - 1].exit
    }

    /// A fleet reaps its dead child.
    pub fn reaped(&mut self, pid: u32) {
        if self.alive(pid) || self.process(pid).reaped {
            self.violated(format!("process {pid} is reaped, and it lives or was reaped before"));
        }
        self.process(pid).reaped = true;
    }

    fn exited(&mut self, pid: u32, exit: ChildExit) {
        let process = self.process(pid);
        process.exit = Some(exit);
        process.died_at.get_or_insert(Instant::now());
        let (kind, fleet) = (process.kind, process.fleet);
        if let (Kind::Run { profile }, Some(fleet), None) = (kind, fleet, exit.outcome())
            && self.profiles[profile].in_slot == Some(pid)
            && self.process(pid).is_child
        {
            self.profiles[profile].unclean = Some(fleet);
        }
    }

    /// The living runs in the slots of a fleet.
    fn runs_of(&self, fleet: u32) -> Vec<u32> {
        self.pids(|process| process.kind != Kind::Fleet && process.fleet == Some(fleet))
    }

    /// A fleet has found a living run: it has a slot from now on.
    pub fn adopted_by(&mut self, fleet: u32, profile: usize) {
        self.profiles[profile].in_slot = None;
        let Some((pid, _)) = self.profiles[profile].lock else { return };
        if self.process(pid).kind != (Kind::Run { profile }) {
            return;
        }
        let process = self.process(pid);
        process.fleet = Some(fleet);
        process.is_child = false;
        (process.reported, process.last_reported) = (0, 0);
        self.profiles[profile].in_slot = Some(pid);
    }

    /// A run finds its profile held: if it has a slot, the holder takes it from now on.
    pub fn busy(&mut self, pid: u32, holder: u32) {
        let fleet = self.process(pid).fleet;
        if fleet.is_some() && self.process(holder).kind != Kind::Fleet {
            self.process(holder).fleet = fleet;
        }
    }

    /// At the moment a fleet is about to start a run of `profile`.
    pub fn may_spawn(&mut self, fleet: u32, profile: usize, max: usize) {
        if self.process(fleet).stops_received > 0 {
            self.violated(format!("p{profile} is spawned though the fleet is stopping"));
        }
        let in_slots = self.pids(|process| process.fleet.is_some() && process.kind != Kind::Fleet);
        let is_crashed =
            |profile: &&Profile| profile.cleaning == Some(fleet) || profile.unclean == Some(fleet);
        let crashed = self.profiles.iter().filter(is_crashed).count();
        if in_slots.len() + crashed >= max {
            self.violated(format!(
                "a run of p{profile} is spawned beside {in_slots:?} and {crashed} crashed ones, and max is {max}"
            ));
        }
        let twins = self.pids(|process| process.fleet.is_some() && process.kind == Kind::Run { profile });
        if !twins.is_empty() {
            self.violated(format!("p{profile} is spawned while process {twins:?} runs it"));
        }
        if is_crashed(&&self.profiles[profile]) {
            self.violated(format!("p{profile} is spawned beside what its crashed run left"));
        }
        if has_row(profile) && self.session(profile).is_none() {
            self.violated(format!("p{profile} is spawned, and its row is not on the disk"));
        }
    }

    /// A fleet takes the lock of a profile to end its left-overs. Returns whether it could.
    pub fn begin_cleaning(&mut self, fleet: u32, profile: usize) -> bool {
        if self.profiles[profile].lock.is_some() {
            self.profiles[profile].unclean = None;
            return false;
        }
        let run_id = RunId::new(self.wall(), 0);
        self.lock(profile, fleet, &run_id);
        self.profiles[profile].cleaning = Some(fleet);
        true
    }

    pub fn end_cleaning(&mut self, fleet: u32, profile: usize, closes: bool) {
        if !self.alive(fleet) {
            return;
        }
        if closes {
            self.close_browser(profile);
        }
        self.unlock(profile, fleet);
        self.profiles[profile].cleaning = None;
        self.profiles[profile].unclean = None;
    }

    pub fn has_any_browser(&mut self, profile: usize) -> bool {
        self.act_on(profile);
        self.profiles[profile].browser.is_some()
    }

    /// The last reading of a profile's events missed some, or none.
    pub fn events_late(&mut self, profile: usize, late: bool) {
        self.profiles[profile].events_late = late;
    }

    /// A run has written a whole line.
    pub fn event_written(&mut self, pid: u32) {
        self.process(pid).written += 1;
    }

    /// A fleet reports an event: of the run in its slot each one once, in their order.
    pub fn event_reported(&mut self, event: &Event) {
        let profile = crate::orchestrator::index(&event.profile_id);
        let Some(pid) = self.profiles[profile].in_slot else { return };
        let process = self.process(pid);
        if process.run_id.as_ref() != Some(&event.run_id) {
            let (started, is_child) = (process.started, process.is_child);
            let of = self.processes.iter().rfind(|other| other.run_id.as_ref() == Some(&event.run_id));
            let is_history = of.is_some_and(|other| other.died_at.is_some_and(|at| at < started));
            if is_child && is_history {
                self.violated(format!("an event of a run before process {pid} is reported as its own"));
            }
            return;
        }
        let again = event.seq <= process.last_reported;
        process.last_reported = event.seq;
        process.reported += 1;
        if again {
            self.violated(format!("event {} of process {pid} is reported twice", event.seq));
        }
    }

    /// A fleet reports the end of an attempt: it has reported all events of its run by then.
    pub fn attempt_ends(&mut self, fleet: u32, profile: usize) {
        let late = self.profiles[profile].events_late;
        let Some(pid) = self.profiles[profile].in_slot.take() else { return };
        let process = self.process(pid);
        let (written, reported) = (process.written, process.reported);
        if process.fleet != Some(fleet) {
            return;
        }
        if process.alive && self.lock_holders().contains(&pid) {
            self.violated(format!("the end of process {pid} is reported, and it lives"));
        } else if !late && written != reported {
            self.violated(format!(
                "process {pid} has ended, and {reported} of its {written} events were reported"
            ));
        }
    }

    /// A fleet reports how a profile ended.
    pub fn profile_ends(&mut self, profile: usize, outcome: JobOutcome) {
        let flags = &self.spelt.flags;
        let is_done = self
            .session(profile)
            .is_some_and(|session| flags.iter().all(|flag| session.completion_flags.is_set(flag)));
        if outcome == JobOutcome::Completed && !is_done {
            self.violated(format!("p{profile} is reported as completed, and it is not"));
        }
    }

    /// A fleet has ended with this many outcomes: nothing of it lives.
    pub fn fleet_ends(&mut self, fleet: u32, outcomes: usize) {
        let profiles = self.profiles.len();
        // One that is asked to stop may not have read its whole source.
        let is_cut = self.process(fleet).stops_received > 0 && outcomes < profiles;
        if outcomes != profiles && !is_cut {
            self.violated(format!("the fleet ended, and {outcomes} of {profiles} have an outcome"));
        }
        let is_zombie = |process: &Process| {
            process.is_child && process.fleet == Some(fleet) && process.exit.is_some() && !process.reaped
        };
        if let Some(pid) = self.processes.iter().position(is_zombie) {
            self.violated(format!("the fleet ended, and has not reaped process {}", pid + 1));
        }
        let holders = self.lock_holders();
        let mut left = self.runs_of(fleet);
        left.retain(|pid| holders.contains(pid));
        if !left.is_empty() {
            self.violated(format!("the fleet ended, and {left:?} in its slots live"));
        }
    }

    /// The document on the disk.
    pub fn session(&self, profile: usize) -> Option<&Session> {
        self.profiles[profile].session.as_ref()
    }

    /// Replaces the document, and checks that nothing is lost.
    pub fn put_document(&mut self, profile: usize, session: &Session) {
        let mut lost = None;
        for (step, (flag, done)) in session.completion_flags.iter().enumerate() {
            let site = &mut self.profiles[profile].site[step];
            if site.done && !done {
                lost = Some(format!("p{profile} loses the flag {flag}"));
            }
            if done && site.submissions.is_empty() {
                lost = Some(format!("p{profile} says {flag} is done, and it never was"));
            }
            site.done = done;
            if !done || !self.spelt.captures(step) {
                continue;
            }
            let code = session.identity.get(&self.spelt.fields[step]);
            let has_key = self.spelt.has_key(step);
            let given = |code: &String| match has_key {
                true => site.keys.last() == Some(code),
                false => site.submissions.iter().any(|(_, given)| given == code),
            };
            match (&code, &site.kept) {
                (Some(code), None) if given(code) => site.kept = Some(code.clone()),
                (Some(code), Some(kept)) if code == kept => {}
                (_, kept) => {
                    let given: Vec<_> = site.submissions.iter().map(|(_, code)| code).collect();
                    lost = Some(format!(
                        "p{profile} keeps {code:?} of {flag}, was {kept:?}, the site gave {given:?}"
                    ));
                }
            }
        }
        self.log(|| {
            let done: Vec<_> = session.completion_flags.iter().filter(|(_, done)| *done).collect();
            let done: Vec<_> = done.iter().map(|(flag, _)| flag.as_str()).collect();
            let doubt = session.in_flight.as_ref().map(|step| format!(", {} in flight", step.flag));
            format!("p{profile} is {}, done {done:?}{}", session.status, doubt.unwrap_or_default())
        });
        self.profiles[profile].session = Some(session.clone());
        if let Some(lost) = lost {
            self.violated(lost);
        }
    }

    /// A run has read a value from the page.
    pub fn captured(&mut self, profile: usize, pid: u32, value: &str) {
        self.log(|| format!("p{profile} captures {value}"));
        self.profiles[profile].captured.push((pid, value.to_owned()));
    }

    /// A run sends an action: what it captured before must be on the disk by now, as the value of a field or
    /// as a superseded one.
    pub fn send(&mut self, profile: usize, pid: u32) {
        let Some(session) = self.session(profile) else { return };
        let is_kept = |value: &str| {
            session.identity.iter().any(|(_, kept)| kept == value)
                || session.superseded.iter().any(|old| old.value == value)
        };
        let captured = self.profiles[profile].captured.iter();
        let lost = captured.filter(|(by, _)| *by == pid).find(|(_, value)| !is_kept(value));
        if let Some((_, value)) = lost.cloned() {
            self.violated(format!(
                "p{profile} goes on, and {value}, which it has captured, is not on the disk"
            ));
        }
    }

    /// A key that is shown only this once; none once the step was done.
    pub fn show_key(&mut self, profile: usize, step: usize) -> Option<String> {
        let site = &mut self.profiles[profile].site[step];
        if !site.submissions.is_empty() {
            return None;
        }
        site.keys.push(format!("key-{profile}-{step}-{}", site.keys.len()));
        site.keys.last().cloned()
    }

    /// What the site holds of a step that is done, and its session must hold as well.
    pub fn held(&self, profile: usize, step: usize) -> Option<String> {
        let shown = self.shown(profile, step)?;
        Some(self.profiles[profile].site[step].keys.last().cloned().unwrap_or(shown))
    }

    /// A run acts on the page. Its step must be on the disk by now.
    pub fn act(&mut self, profile: usize, step: usize, run_id: &RunId, click: Click) {
        let in_flight = self.session(profile).and_then(|session| session.in_flight.as_ref());
        let said = |it: &InFlight| it.flag == self.spelt.flags[step] && it.run_id == *run_id;
        if !in_flight.is_some_and(said) {
            self.violated(format!("p{profile} acts in s{step}, and nothing on the disk says so"));
        }
        self.log(|| format!("p{profile} acts in s{step}"));
        self.submit(profile, step, click);
        let browser = self.profiles[profile].browser.as_mut();
        if browser.is_some_and(|browser| browser.acts_on.take_if(|act| *act == (step, None)).is_some()) {
            self.log(|| format!("the browser of p{profile} acts on in s{step}"));
            self.submit(profile, step, Click::Accepted);
        }
    }

    fn submit(&mut self, profile: usize, step: usize, click: Click) {
        let delay = match click {
            Click::AcceptedLate => self.chance.below(SETTLE_MS),
            _ => 0,
        };
        let site = &mut self.profiles[profile].site[step];
        site.acts += 1;
        if click != Click::Swallowed {
            let code = format!("code-{profile}-{step}-{}", site.submissions.len());
            site.submissions.push((Instant::now() + Duration::from_millis(delay), code));
        }
        let (acts, submissions, may) = (site.acts, site.submissions.len(), 1 + site.agains);
        if self.spelt.asks(step) && acts > may {
            self.violated(format!("p{profile} acts {acts} times in s{step}, and no person answered"));
        }
        if self.spelt.once(step) && submissions > 1 {
            self.violated(format!("p{profile} does s{step} twice"));
        }
    }

    /// The code that the site shows now.
    pub fn shown(&self, profile: usize, step: usize) -> Option<String> {
        let submissions = &self.profiles[profile].site[step].submissions;
        submissions.iter().rev().find(|(at, _)| *at <= Instant::now()).map(|(_, code)| code.clone())
    }

    /// Returns the number of the browser, and whether it ran before. `alone`: nothing else in it acts any
    /// more.
    pub fn open_browser(&mut self, profile: usize, alone: bool) -> (u64, bool) {
        self.act_on(profile);
        let profile = &mut self.profiles[profile];
        if let Some(browser) = &mut profile.browser {
            if alone {
                browser.acts_on = None;
            }
            return (browser.number, true);
        }
        profile.browsers_opened += 1;
        profile.browser = Some(Browser { number: profile.browsers_opened, acts_on: None });
        (profile.browsers_opened, false)
    }

    pub fn close_browser(&mut self, profile: usize) {
        self.act_on(profile);
        self.profiles[profile].browser = None;
    }

    pub fn has_browser(&mut self, profile: usize, number: u64) -> bool {
        self.act_on(profile);
        self.profiles[profile].browser.as_ref().is_some_and(|browser| browser.number == number)
    }

    /// The input was on its way when its run died: the browser acts some time later, if it lives.
    pub fn leave_acting(&mut self, profile: usize, step: usize) {
        let after = Duration::from_millis(self.chance.below(3000));
        let at = self.chance.per_mille(500).then(|| Instant::now() + after);
        if let Some(browser) = &mut self.profiles[profile].browser {
            browser.acts_on = Some((step, at));
        }
    }

    fn act_on(&mut self, profile: usize) {
        let browser = self.profiles[profile].browser.as_mut();
        let due = browser
            .and_then(|browser| browser.acts_on.take_if(|(_, at)| at.is_some_and(|at| at <= Instant::now())));
        if let Some((step, _)) = due {
            self.log(|| format!("the browser of p{profile} acts on in s{step}"));
            self.submit(profile, step, Click::Accepted);
        }
    }
}
