//! A fleet from its first start until every profile is done, with what people and machines do to it
//! meanwhile. At first everything goes wrong that can, later nothing.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use regatta_core::fleet::{ChildExit, JobOutcome};
use regatta_core::id::RunId;
use regatta_core::outcome::FleetOutcome;
use regatta_core::session::{Change, Resolution, Status};
use tokio::task::LocalSet;
use tokio::time::{sleep, timeout};

use crate::chance::{Fault, Faults};
use crate::orchestrator::{self, End, Options};
use crate::process::spawn_run;
use crate::refusals::report_refusals;
use crate::workflow::{SETTLE_MS, spelt};
use crate::world::{SIGKILL, SIGTERM, World};

/// Nothing that can be simulated takes longer, unless it never ends.
const FOR_EVER: Duration = Duration::from_secs(30 * 24 * 3600);

#[derive(Debug, Clone)]
pub struct Scenario {
    pub letters: &'static str,
    pub profiles: usize,
    pub max: u32,
    pub retries: u32,
    pub drain_limit: Option<Duration>,
    pub seed: u64,
    pub faults: Faults,
    /// How long faults strike and people interfere.
    pub storm: Duration,
    /// The point at which the first orchestrator dies.
    pub orchestrator_dies_at: Option<u32>,
}

/// The result of a scenario.
#[derive(Debug)]
pub struct SimulationResult {
    pub steps: u64,
    pub violation: Option<String>,
    pub story: String,
    /// Over all profiles.
    pub events: Vec<u8>,
    /// How often each fault has struck.
    pub struck: BTreeMap<Fault, u64>,
    /// Points that the first orchestrator reached.
    pub orchestrator_points: u32,
}

/// Plays in a runtime of its own, so that nothing depends on what was played before.
pub fn simulate<T>(body: impl AsyncFnOnce() -> T) -> T {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, body())
}

impl Scenario {
    pub fn play(&self, logged: bool) -> SimulationResult {
        simulate(async || {
            let world =
                World::new(spelt(self.letters), self.profiles, self.seed, self.faults.clone(), logged);
            let _refusals = report_refusals(&world);
            if timeout(FOR_EVER, self.drive(&world)).await.is_err() {
                world.state().violated("the fleet never ends");
            }
            let state = world.state();
            SimulationResult {
                steps: state.steps,
                violation: state.violation.clone(),
                story: state.story().to_owned(),
                events: state
                    .profiles
                    .iter()
                    .map(|profile| profile.events.as_slice())
                    .collect::<Vec<_>>()
                    .concat(),
                struck: state.faults.struck.clone(),
                orchestrator_points: state.points(1),
            }
        })
    }

    async fn drive(&self, world: &World) {
        let running = Rc::new(RefCell::new(None));
        let meddling = tokio::task::spawn_local(meddle(world.clone(), self.clone(), Rc::clone(&running)));
        tokio::task::spawn_local({
            let (world, storm) = (world.clone(), self.storm);
            async move {
                sleep(storm).await;
                world.state().calm = true;
                world.state().log(|| "calm".to_owned());
            }
        });
        // An operator kills what no longer moves.
        let minding = tokio::task::spawn_local(mind(world.clone()));
        let mut orchestrators = 0;
        let mut rounds_in_calm = 0;
        loop {
            let calm = {
                let state = world.state();
                // What the storm left alive may still be frozen, or about to die.
                state.calm && state.living_runs().is_empty()
            };
            let mut started = orchestrator::start(world, self.options(orchestrators));
            if let (0, Some(point)) = (orchestrators, self.orchestrator_dies_at) {
                world.state().dies_at(started.pid, point);
            }
            orchestrators += 1;
            running.replace(Some(started.pid));
            self.interrupt_early(world, started.pid);
            let end = started.end.recv().await;
            running.replace(None);
            if world.state().violation.is_some() {
                break;
            }
            rounds_in_calm += u32::from(calm);
            match end {
                Some(End::Finished { outcome: FleetOutcome::Completed, jobs })
                    if jobs.len() == self.profiles =>
                {
                    break;
                }
                Some(End::Finished { jobs, .. }) if calm => {
                    let clear =
                        |job: &JobOutcome| matches!(job, JobOutcome::Completed | JobOutcome::NeedsAttention);
                    if !jobs.iter().all(clear) {
                        world
                            .state()
                            .violated(format!("nothing goes wrong any more, and the fleet ends {jobs:?}"));
                    }
                    answer_all(world).await;
                }
                // Dead, or stopped, or not the only one: an operator starts it again.
                _ => {
                    let after = {
                        let mut state = world.state();
                        let at_most = [20, 3000][usize::from(state.chance.per_mille(500))];
                        state.chance.below(at_most)
                    };
                    sleep(Duration::from_millis(after)).await;
                }
            }
            if rounds_in_calm > 20 {
                world.state().violated("nothing goes wrong any more, and it is never done");
                break;
            }
        }
        // Any other orchestrator finds nothing to do.
        while !world.state().living().is_empty() {
            sleep(Duration::from_secs(1)).await;
        }
        meddling.abort();
        minding.abort();
        self.verdict(world);
    }

    /// By chance the fleet is asked to stop while it surveys its profiles.
    fn interrupt_early(&self, world: &World, pid: u32) {
        let mut state = world.state();
        if state.calm || !self.faults.by_chance || !state.chance.per_mille(100) {
            return;
        }
        let after = Duration::from_millis(state.chance.below(600));
        let world = world.clone();
        tokio::task::spawn_local(async move {
            sleep(after).await;
            if world.alive(pid) {
                world.state().log(|| "Ctrl-C, early".to_owned());
                world.interrupt(pid);
            }
        });
    }

    fn options(&self, orchestrators: u64) -> Options {
        Options {
            max: self.max,
            retries: self.retries,
            stagger: Duration::from_millis(100),
            drain_limit: self.drain_limit,
            seed: self.seed.wrapping_add(orchestrators),
        }
    }

    fn verdict(&self, world: &World) {
        let mut state = world.state();
        for profile in 0..self.profiles {
            let (session, flags) = (state.session(profile).cloned(), &state.spelt.flags);
            let completed = session.as_ref().is_some_and(|session| {
                let done = flags.iter().all(|flag| session.completion_flags.is_set(flag));
                done && session.status == Status::Completed && session.in_flight.is_none()
            });
            if !completed {
                state.violated(format!("p{profile} is not completed: {session:?}"));
            }
            for step in 0..state.spelt.letters.len() {
                let submissions = state.profiles[profile].site[step].submissions.len();
                if submissions == 0 || (submissions > 1 && state.spelt.once(step)) {
                    state.violated(format!("p{profile} did s{step} {submissions} times"));
                }
            }
        }
    }
}

type Running = Rc<RefCell<Option<u32>>>;

/// People and machines, until the storm is over.
async fn meddle(world: World, scenario: Scenario, running: Running) {
    if !scenario.faults.by_chance {
        return;
    }
    let mut others = 0;
    loop {
        let (pause, what) = {
            let mut state = world.state();
            (state.chance.below(20_000), state.chance.below(10))
        };
        sleep(Duration::from_millis(pause)).await;
        if world.state().calm {
            return;
        }
        let run = {
            let mut state = world.state();
            let living = state.living_runs();
            let which = state.chance.below(living.len() as u64);
            living.get(usize::try_from(which).unwrap()).copied()
        };
        let interrupt = |times: u32| {
            if let Some(pid) = *running.borrow() {
                world.state().log(|| format!("Ctrl-C, {times} times"));
                (0..times).for_each(|_| world.interrupt(pid));
            }
        };
        match what {
            0 => interrupt(1),
            1 => interrupt(2),
            2 => {
                world.state().log(|| "a second orchestrator".to_owned());
                others += 1;
                orchestrator::start(&world, scenario.options(1000 + others));
            }
            3 => {
                let profile = world.state().chance.below(scenario.profiles as u64);
                world.state().log(|| format!("a person runs p{profile}"));
                spawn_run(&world, usize::try_from(profile).unwrap(), None, None);
            }
            4 => run.into_iter().for_each(|pid| world.state().signal(pid, SIGKILL)),
            5 => run.into_iter().for_each(|pid| world.state().signal(pid, SIGTERM)),
            6 => run.into_iter().for_each(|pid| (0..2).for_each(|_| world.state().signal(pid, SIGTERM))),
            7 => world.state().set_wall(),
            8 => {
                let pid = *running.borrow();
                pid.into_iter().for_each(|pid| world.state().signal(pid, SIGKILL));
            }
            _ => {
                let profile = world.state().chance.below(scenario.profiles as u64);
                world.state().log(|| format!("the browser of p{profile} is killed"));
                world.state().close_browser(usize::try_from(profile).unwrap());
            }
        }
    }
}

async fn mind(world: World) {
    loop {
        sleep(Duration::from_secs(60)).await;
        let frozen = world.state().frozen();
        frozen.into_iter().for_each(|pid| world.state().signal(pid, SIGKILL));
    }
}

/// A person checks the site and reports its state.
pub async fn answer_all(world: &World) {
    sleep(Duration::from_millis(SETTLE_MS)).await;
    let mut state = world.state();
    for profile in 0..state.profiles.len() {
        let Some(mut session) = state.session(profile).cloned() else { continue };
        if session.status != Status::NeedsAttention {
            continue;
        }
        let flag = session.questioned_step().cloned();
        let step = flag.and_then(|flag| state.spelt.flags.iter().position(|known| *known == flag)).unwrap();
        let shown = state.held(profile, step);
        let (at, run_id) = (state.wall(), RunId::new(state.wall(), 0));
        let change = Change { at, run_id: &run_id };
        state.log(|| format!("a person answers for s{step} of p{profile}: {shown:?}"));
        match shown {
            Some(code) => {
                session.resolve(Resolution::Done, &[], change).unwrap();
                if state.spelt.captures(step) {
                    session.replace(&format!("code{step}"), &code, change);
                }
            }
            None => {
                session.resolve(Resolution::Again, &[], change).unwrap();
                state.profiles[profile].site[step].agains += 1;
            }
        }
        state.put_document(profile, &session);
    }
}

/// One profile and no fleet: one run after the other until the profile is done, each dying at the point in
/// `deaths`. Returns how many points each run had.
pub async fn live(world: &World, deaths: &[Option<u32>]) -> Vec<u32> {
    let mut points = Vec::new();
    for death in deaths.iter().copied().chain(std::iter::repeat_n(None, 30)) {
        let (ended, mut end) = tokio::sync::mpsc::unbounded_channel();
        let on_exit = Box::new(move |exit: ChildExit| ended.send(exit).unwrap());
        let pid = spawn_run(world, 0, None, Some(on_exit));
        if let Some(death) = death {
            world.state().dies_at(pid, death);
        }
        let exit = end.recv().await.unwrap();
        points.push(world.state().points(pid));
        match exit {
            ChildExit::Code(0) if points.len() >= deaths.len() => break,
            ChildExit::Code(3) => answer_all(world).await,
            _ => {}
        }
    }
    points
}
