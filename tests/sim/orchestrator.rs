//! The orchestrator as a process: the real shell, over the simulated disk, process table, clock and signals.
//! [`OrchestratorWorld`] is what one orchestrator sees of the world; [`Witness`] judges what it reports.

use std::collections::{BTreeMap, HashSet};
use std::future::Future;
use std::io::{self, Cursor};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use regatta::orchestrate::source::{ReadError, Rows, Source};
use regatta::orchestrate::world::{
    EndedRunGroup, FleetWorld, FolderLock, ProcessTable, SessionFolder, SpawnedRun, StopSignals,
};
use regatta::orchestrate::{Intake, OrchestrateError, OrchestrateOptions, Spool, Uptime, orchestrate_in};
use regatta::providers::leftovers::EndError;
use regatta::providers::{Endpoint, ListedProfile, OpenBrowser, Provider, ProviderError, StartOptions};
use regatta::store::event_log::FollowedFile;
use regatta::store::{Layout, LockError, LockHolder, SessionError, StoreError};
use regatta_core::fleet::fact::{FleetFact, FleetNotice};
use regatta_core::fleet::{ChildExit, JobOutcome, MachineLoad, Severity};
use regatta_core::id::{ProfileId, RunId};
use regatta_core::outcome::FleetOutcome;
use regatta_core::session::{Platform, Session};
use regatta_core::source::row::{NewSession, ProfileRow};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::sleep;

use crate::chance::{Chance, Fault};
use crate::process::spawn_run;
use crate::world::{Kind, SIGKILL, SIGTERM, World};

#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub max: u32,
    pub retries: u32,
    pub stagger: Duration,
    pub drain_limit: Option<Duration>,
    pub seed: u64,
}

/// How an orchestrator ended that did not die.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// Another one holds the folder.
    Busy,
    Finished {
        outcome: FleetOutcome,
        jobs: Vec<JobOutcome>,
    },
}

/// A started orchestrator. The channel closes without an end when it dies.
pub struct Started {
    pub pid: u32,
    pub end: UnboundedReceiver<End>,
}

pub fn start(world: &World, options: Options) -> Started {
    let pid = world.state().new_process(Kind::Fleet, None, None);
    let (say, end) = unbounded_channel();
    let seen = OrchestratorWorld { world: world.clone(), pid, max: options.max };
    world.start(pid, async move {
        let ended = orchestrate(seen, options).await;
        let _ = say.send(ended);
        0
    });
    Started { pid, end }
}

async fn orchestrate(seen: OrchestratorWorld, settings: Options) -> End {
    let (world, pid) = (seen.world.clone(), seen.pid);
    world.pause(pid, 30).await;
    let flags = world.state().spelt.flags.clone();
    let mut options = OrchestrateOptions::new(Layout::new("/simulated"), PathBuf::new(), Vec::new(), flags);
    options.max = settings.max;
    options.retries = settings.retries;
    options.stagger = settings.stagger;
    options.stagger_jitter = 0.5;
    options.term_grace = settings.drain_limit;
    options.seed = settings.seed;
    let source = RowSource { world: world.clone(), pid, chance: Chance::new(settings.seed) };
    let mut intake = Intake::new(Box::new(source), Platform::Desktop);
    intake.shuffle = settings.seed.is_multiple_of(3).then_some(settings.seed);
    let provider = Arc::new(SimulatedProvider(world.clone()));
    let mut witness =
        Witness { world: world.clone(), pid, outcomes: BTreeMap::new(), severity: Severity::None };
    let mut notices = |notice: FleetNotice| witness.judge(&notice.fact);
    match orchestrate_in(seen, options, intake, provider, &mut notices).await {
        Ok(report) => {
            let jobs: Vec<JobOutcome> = report.profiles.iter().map(|profile| profile.outcome).collect();
            world.state().fleet_ends(pid, jobs.len());
            End::Finished { outcome: report.outcome, jobs }
        }
        Err(OrchestrateError::Busy { .. }) => End::Busy,
        Err(error) => panic!("{error:?}"),
    }
}

/// Judges what a fleet reports, as it reports it.
struct Witness {
    world: World,
    pid: u32,
    outcomes: BTreeMap<ProfileId, JobOutcome>,
    severity: Severity,
}

impl Witness {
    fn judge(&mut self, fact: &FleetFact) {
        let mut state = self.world.state();
        if !matches!(fact, FleetFact::RunEvent { .. } | FleetFact::ProfileEnqueued { .. }) {
            state.log(|| format!("{fact:?}"));
        }
        match fact {
            FleetFact::RunEvent { event, .. } => state.event_reported(event),
            FleetFact::RunAdopted { profile, .. } => state.adopted_by(self.pid, index(profile)),
            FleetFact::RunCrashed { profile, .. }
            | FleetFact::ProfileBackingOff { profile, .. }
            | FleetFact::ProfileSiteBusy { profile, .. } => state.attempt_ends(self.pid, index(profile)),
            FleetFact::ProfileEnded(report) => {
                let (profile, outcome) = (&report.profile_id, report.outcome);
                state.attempt_ends(self.pid, index(profile));
                state.profile_ends(index(profile), outcome);
                if let Some(before) = self.outcomes.insert(profile.clone(), outcome) {
                    state.violated(format!("{profile} ended twice: {before:?}, {outcome:?}"));
                }
            }
            FleetFact::FleetStopping { severity } => {
                if *severity <= self.severity {
                    state.violated(format!("stopping fell from {:?} to {severity:?}", self.severity));
                }
                self.severity = *severity;
            }
            _ => {}
        }
    }
}

/// Names every profile, some of them twice. Every third row says what a new session begins with.
struct RowSource {
    world: World,
    pid: u32,
    chance: Chance,
}

/// Whether the row of the profile has contents.
pub const fn has_row(profile: usize) -> bool {
    profile.is_multiple_of(3)
}

impl Source for RowSource {
    fn name(&self) -> &str {
        "the simulated list"
    }

    fn read<'a>(&'a mut self, rows: &'a mut Rows) -> BoxFuture<'a, Result<(), ReadError>> {
        Box::pin(async move {
            let profiles = self.world.state().profiles.len();
            for profile in 0..profiles {
                let row = || {
                    let mut new = NewSession::default();
                    if has_row(profile) {
                        new.identity.set("nick", &format!("row-{profile}"));
                    }
                    ProfileRow { id: id(profile), priority: 0, new }
                };
                rows.push(row()).await?;
                match self.chance.below(20) {
                    0 => rows.push(row()).await?,
                    1 => {
                        rows.flush().await?;
                        self.world.pause(self.pid, 100).await;
                    }
                    _ => {}
                }
            }
            Ok(())
        })
    }
}

fn id(profile: usize) -> ProfileId {
    format!("p{profile}").parse().unwrap()
}

pub fn index(profile: &ProfileId) -> usize {
    profile.as_str()[1..].parse().unwrap()
}

/// What one orchestrator sees of the world. A dead one changes nothing any more.
#[derive(Clone)]
pub struct OrchestratorWorld {
    world: World,
    pid: u32,
    max: u32,
}

impl FleetWorld for OrchestratorWorld {
    type FolderLock = SimulatedFolderLock;
    type Processes = SimulatedProcesses;
    type StopSignals = SimulatedSignals;
    type Sessions = Self;
    type EventFile = SimulatedEvents;

    fn now(&self) -> Timestamp {
        self.world.state().wall()
    }

    fn spawn_file_work(&self, work: impl Future<Output = ()> + Send + 'static) {
        let (world, pid) = (self.world.clone(), self.pid);
        let begun = async move {
            world.pause(pid, 20).await;
            work.await;
        };
        let thread = Thread { world: self.world.clone(), pid: self.pid, body: Box::pin(begun) };
        tokio::task::spawn_local(thread);
    }

    fn lock_folder(&self) -> Result<SimulatedFolderLock, LockError> {
        let mut state = self.world.state();
        if state.fleet_lock.is_some() {
            return Err(LockError::Held { holder: None });
        }
        state.fleet_lock = Some(self.pid);
        let holder_was_killed = std::mem::take(&mut state.orchestrator_was_killed);
        Ok(SimulatedFolderLock { world: self.world.clone(), pid: self.pid, holder_was_killed })
    }

    fn processes(&self) -> io::Result<SimulatedProcesses> {
        Ok(SimulatedProcesses { seen: self.clone(), changed: Arc::default() })
    }

    fn stop_signals(&self) -> io::Result<SimulatedSignals> {
        let signals = self.world.state().listen_as_fleet(self.pid);
        Ok(SimulatedSignals { world: self.world.clone(), pid: self.pid, signals })
    }

    fn spool(&self) -> io::Result<Spool> {
        Spool::over(Cursor::new(Vec::new()))
    }

    async fn is_held(&self, profile: &ProfileId) -> Result<bool, StoreError> {
        self.world.pause(self.pid, 5).await;
        Ok(self.world.state().profiles[index(profile)].lock.is_some())
    }

    async fn lock_holder(&self, profile: &ProfileId) -> Option<LockHolder> {
        self.world.pause(self.pid, 5).await;
        self.world.state().profiles[index(profile)].lock_text.clone()
    }

    fn profiles_with_lock(&self) -> Result<Vec<ProfileId>, StoreError> {
        let state = self.world.state();
        let locked = state.profiles.iter().filter(|profile| profile.has_lock_file);
        Ok(locked.map(|profile| profile.id.clone()).collect())
    }

    fn uptime(&self) -> Option<Uptime> {
        let hundredths = self.world.state().now().as_millis() / 10;
        u64::try_from(hundredths).ok().map(Uptime::from_hundredths)
    }

    fn sessions(&self) -> Result<Self, SessionError> {
        Ok(self.clone())
    }

    async fn session(&self, profile: &ProfileId) -> Result<Option<Session>, SessionError> {
        self.world.pause(self.pid, 5).await;
        Ok(self.world.state().session(index(profile)).cloned())
    }

    fn begin_session(
        &self,
        profile: &ProfileId,
        fresh: impl FnOnce() -> Session,
    ) -> Result<(), SessionError> {
        let mut state = self.world.state();
        if !state.point(self.pid) {
            return Ok(());
        }
        if state.profiles[index(profile)].lock.is_some() {
            return Err(SessionError::Busy { profile: profile.clone(), holder: None });
        }
        if state.strikes(Fault::DiskFull) {
            return Err(StoreError::new("write", "document", io::ErrorKind::StorageFull.into()).into());
        }
        if state.session(index(profile)).is_none() {
            state.put_document(index(profile), &fresh());
        }
        state.point(self.pid);
        Ok(())
    }

    fn events(&self, profile: &ProfileId) -> SimulatedEvents {
        SimulatedEvents {
            world: self.world.clone(),
            profile: index(profile),
            seen: AtomicU64::new(0),
            was_read: AtomicBool::new(false),
        }
    }

    fn output_length(&self, _: &ProfileId) -> u64 {
        0
    }

    fn output(&self, _: &ProfileId, _: u64) -> Option<String> {
        None
    }

    fn is_disk_full(&self) -> bool {
        false
    }

    async fn measure(&self) -> MachineLoad {
        self.world.state().violated("the machine is measured though nothing asks for room");
        MachineLoad::default()
    }

    async fn profiles_with_leftovers(&self, _: &dyn Provider) -> Result<HashSet<ProfileId>, ProviderError> {
        self.takes(500).await;
        if self.world.strikes(Fault::ProviderDown) {
            return Err(unreachable());
        }
        let mut state = self.world.state();
        let profiles = 0..state.profiles.len();
        Ok(profiles.filter(|profile| state.has_any_browser(*profile)).map(id).collect())
    }

    async fn end_leftovers(
        &self,
        _: &dyn Provider,
        profile: &ProfileId,
        _: Duration,
    ) -> Result<(), EndError> {
        let profile = index(profile);
        if !self.world.state().begin_cleaning(self.pid, profile) {
            return Err(EndError::Running);
        }
        self.takes(500).await;
        let fails = self.world.strikes(Fault::CloseFails);
        self.world.state().end_cleaning(self.pid, profile, !fails);
        match fails {
            true => Err(ProviderError::BrowserDoesNotEnd { profile: id(profile), pid: None }.into()),
            false => Ok(()),
        }
    }
}

impl OrchestratorWorld {
    /// Half of all times nearly at once, so that nothing rests on its duration.
    async fn takes(&self, at_most_ms: u64) {
        let takes = {
            let mut state = self.world.state();
            let at_most_ms = if state.chance.per_mille(500) { 2 } else { at_most_ms };
            Duration::from_millis(state.chance.below(at_most_ms))
        };
        sleep(takes).await;
        self.world.point(self.pid).await;
    }
}

impl SessionFolder for OrchestratorWorld {
    async fn read(&self, profile: &ProfileId) -> Result<Option<Session>, SessionError> {
        self.session(profile).await
    }
}

/// Work beside the loop, which ends with its process.
struct Thread {
    world: World,
    pid: u32,
    body: Pin<Box<dyn Future<Output = ()>>>,
}

impl Future for Thread {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.world.alive(self.pid) {
            true => self.body.as_mut().poll(cx),
            false => Poll::Ready(()),
        }
    }
}

pub struct SimulatedFolderLock {
    world: World,
    pid: u32,
    holder_was_killed: bool,
}

impl FolderLock for SimulatedFolderLock {
    fn holder_was_killed(&self) -> bool {
        self.holder_was_killed
    }
}

impl Drop for SimulatedFolderLock {
    fn drop(&mut self) {
        let mut state = self.world.state();
        if state.fleet_lock == Some(self.pid) {
            state.fleet_lock = None;
        }
    }
}

pub struct SimulatedSignals {
    world: World,
    pid: u32,
    signals: UnboundedReceiver<()>,
}

impl StopSignals for SimulatedSignals {
    async fn requested(&mut self) {
        match self.signals.recv().await {
            Some(()) => self.world.stop_received(self.pid),
            None => std::future::pending().await,
        }
    }
}

pub struct SimulatedProcesses {
    seen: OrchestratorWorld,
    changed: Arc<Notify>,
}

impl ProcessTable for SimulatedProcesses {
    type Child = SimulatedChild;
    type Group = SimulatedGroup;

    fn spawn(&mut self, profile: &ProfileId) -> io::Result<SimulatedChild> {
        let OrchestratorWorld { world, pid, max } = &self.seen;
        let profile = index(profile);
        {
            let mut state = world.state();
            if !state.point(*pid) {
                return Err(io::ErrorKind::Other.into());
            }
            state.may_spawn(*pid, profile, *max as usize);
            if state.strikes(Fault::Unspawnable) {
                return Err(io::ErrorKind::OutOfMemory.into());
            }
        }
        let (changed, late) = (Arc::clone(&self.changed), world.state().chance.below(20));
        let on_exit = move |_| {
            tokio::task::spawn_local(async move {
                sleep(Duration::from_millis(late)).await;
                changed.notify_one();
            });
        };
        let child = spawn_run(world, profile, Some(*pid), Some(Box::new(on_exit)));
        let mut state = world.state();
        state.log(|| format!("p{profile} is launched as process {child}"));
        state.point(*pid);
        drop(state);
        Ok(SimulatedChild { world: world.clone(), fleet: *pid, pid: child })
    }

    async fn changed(&mut self) {
        self.changed.notified().await;
    }

    fn end_group(&mut self, child: SimulatedChild) -> Option<SimulatedGroup> {
        child.reap();
        Some(SimulatedGroup(self.seen.clone()))
    }

    fn terminate_adopted(&self, holder: &LockHolder) -> io::Result<()> {
        self.seen.world.state().signal_from(self.seen.pid, holder.pid, SIGTERM);
        Ok(())
    }

    fn kill_adopted(&self, holder: &LockHolder) -> io::Result<()> {
        self.seen.world.state().signal_from(self.seen.pid, holder.pid, SIGKILL);
        Ok(())
    }

    fn end_adopted_group(&self, holder: &LockHolder, _: Uptime) -> Option<SimulatedGroup> {
        let mut state = self.seen.world.state();
        if state.alive(holder.pid) {
            state.violated(format!("the group of process {} is ended, which lives", holder.pid));
        }
        drop(state);
        Some(SimulatedGroup(self.seen.clone()))
    }
}

pub struct SimulatedChild {
    world: World,
    fleet: u32,
    pid: u32,
}

impl SpawnedRun for SimulatedChild {
    fn pid(&self) -> u32 {
        self.pid
    }

    fn exit(&mut self) -> Option<ChildExit> {
        self.world.state().exit_of(self.pid)
    }

    fn terminate(&self) -> io::Result<()> {
        self.world.state().signal_from(self.fleet, self.pid, SIGTERM);
        Ok(())
    }

    fn kill(&mut self) -> io::Result<()> {
        self.world.state().signal_from(self.fleet, self.pid, SIGKILL);
        Ok(())
    }

    fn reap(self) {
        self.world.state().reaped(self.pid);
    }
}

pub struct SimulatedGroup(OrchestratorWorld);

impl EndedRunGroup for SimulatedGroup {
    async fn gone(self) -> bool {
        self.0.takes(50).await;
        true
    }
}

/// The event file of a profile. Its last bytes may come late.
pub struct SimulatedEvents {
    world: World,
    profile: usize,
    /// The greatest length that was read; the first reading is not late.
    seen: AtomicU64,
    was_read: AtomicBool,
}

impl std::fmt::Debug for SimulatedEvents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the events of p{}", self.profile)
    }
}

impl FollowedFile for SimulatedEvents {
    fn length(&self) -> io::Result<u64> {
        let mut state = self.world.state();
        let length = state.profiles[self.profile].events.len() as u64;
        let seen = self.seen.load(Ordering::Relaxed);
        let was_read = self.was_read.swap(true, Ordering::Relaxed);
        let late = was_read && length > seen && state.strikes(Fault::EventsLate);
        state.events_late(self.profile, late);
        let length = if late { seen + state.chance.below(length - seen) } else { length };
        self.seen.store(length, Ordering::Relaxed);
        Ok(length)
    }

    fn read(&self, start: u64, end: u64) -> io::Result<Vec<u8>> {
        let range = usize::try_from(start).unwrap()..usize::try_from(end).unwrap();
        Ok(self.world.state().profiles[self.profile].events[range].to_vec())
    }

    fn path(&self) -> &Path {
        Path::new("events")
    }
}

/// Answers whether it is there. Browsers are opened by runs and closed by [`OrchestratorWorld`].
struct SimulatedProvider(World);

impl Provider for SimulatedProvider {
    fn name(&self) -> &'static str {
        "simulated"
    }

    fn start<'a>(
        &'a self,
        _: &'a ProfileId,
        _: &'a StartOptions,
    ) -> BoxFuture<'a, Result<Endpoint, ProviderError>> {
        panic!("an orchestrator opens no browser")
    }

    fn stop<'a>(&'a self, _: &'a ProfileId) -> BoxFuture<'a, Result<(), ProviderError>> {
        panic!("left-overs are ended by the world")
    }

    fn active<'a>(&'a self, _: &'a ProfileId) -> BoxFuture<'a, Result<Option<Endpoint>, ProviderError>> {
        panic!("an orchestrator opens no browser")
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<ListedProfile>, ProviderError>> {
        panic!("profiles come from the source")
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        Box::pin(async {
            let takes = Duration::from_millis(self.0.state().chance.below(500));
            sleep(takes).await;
            if self.0.strikes(Fault::ProviderDown) { Err(unreachable()) } else { Ok(()) }
        })
    }

    fn left_open<'a>(&'a self, _: &'a [ProfileId]) -> BoxFuture<'a, Result<Vec<OpenBrowser>, ProviderError>> {
        panic!("left-overs are found by the world")
    }
}

fn unreachable() -> ProviderError {
    ProviderError::Unreachable { url: "http://provider.test".to_owned(), problem: "refused".to_owned() }
}

/// Describes a simulated process that holds a lock.
pub fn holder(pid: u32, run_id: &RunId, started_at: Timestamp) -> LockHolder {
    LockHolder { pid, started_at, run_id: run_id.clone() }
}
