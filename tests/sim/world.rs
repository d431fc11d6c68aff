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
use regatta_core::fleet::ChildExit;
use regatta_core::id::{ProfileId, RunId};
use regatta_core::session::{InFlight, Session};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::chance::{Chance, Fault, Faults};
use crate::workflow::{SETTLE_MS, Spelt};

pub const SIGTERM: i32 = 15;
pub const SIGKILL: i32 = 9;

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
    /// Started or adopted by a fleet: it has a slot.
    in_slot: bool,
    points: u32,
    dies_at: Option<u32>,
    signals: u32,
    stop: watch::Sender<StopSeverity>,
    /// Taken by the run once it handles signals.
    ear: Option<StopWatch>,
    killed_by: i32,
    waker: Option<Waker>,
    on_exit: Option<OnExit>,
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

    /// Runs `body` as the process: until it ends or dies.
    pub fn start(&self, pid: u32, body: impl Future<Output = i32> + 'static) {
        let mortal = Mortal { world: self.clone(), pid, body: Box::pin(body) };
        let world = self.clone();
        tokio::task::spawn_local(async move {
            let exit = mortal.await;
            let mut state = world.state();
            state.log(|| format!("process {pid}: {exit}"));
            state.release(pid);
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
    pub fn new_process(&mut self, kind: Kind, in_slot: bool, on_exit: Option<OnExit>) -> u32 {
        let dies = match kind {
            Kind::Run { .. } => self.strikes(Fault::Death).then(|| self.chance.below(60)),
            Kind::Fleet => self.strikes(Fault::OrchestratorDeath).then(|| {
                let within = 40 * self.profiles.len() as u64;
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
            in_slot,
            points: 0,
            dies_at: dies.map(|point| u32::try_from(point).unwrap()),
            signals: 0,
            stop,
            ear: Some(ear),
            killed_by: SIGKILL,
            waker: None,
            on_exit,
        });
        let pid = u32::try_from(self.processes.len()).unwrap();
        self.alive.insert(pid);
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
        if let Kind::Run { profile } = self.process(pid).kind {
            self.unlock(profile, pid);
        }
    }

    pub fn unlock(&mut self, profile: usize, pid: u32) {
        let lock = &mut self.profiles[profile].lock;
        if lock.as_ref().is_some_and(|(holder, _)| *holder == pid) {
            *lock = None;
        }
    }

    pub fn signal(&mut self, pid: u32, signal: i32) {
        if !self.process(pid).alive {
            return;
        }
        self.log(|| format!("signal {signal} to process {pid}"));
        let process = self.process(pid);
        match signal {
            SIGKILL => self.die(pid),
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

    pub fn adopted(&mut self, pid: u32) {
        self.process(pid).in_slot = true;
    }

    /// A run finds its profile held: if it has a slot, the holder takes it over.
    pub fn busy(&mut self, pid: u32, holder: u32) {
        if self.process(pid).in_slot {
            self.adopted(holder);
        }
    }

    /// Checks the moment at which a fleet is about to start a run of `profile`, while it cleans up after
    /// others.
    pub fn may_spawn(&mut self, profile: usize, cleaning: usize, max: usize) {
        let in_slots = self.pids(|process| process.in_slot && process.kind != Kind::Fleet);
        if in_slots.len() + cleaning >= max {
            self.violated(format!(
                "a run of p{profile} is spawned beside {in_slots:?} and {cleaning} crashed ones, and max is {max}"
            ));
        }
        let twins = self.pids(|process| process.in_slot && process.kind == Kind::Run { profile });
        if !twins.is_empty() {
            self.violated(format!("p{profile} is spawned while process {twins:?} runs it"));
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
