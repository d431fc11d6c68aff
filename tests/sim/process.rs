//! A run as a process: the real loop over a simulated disk, provider and page. The lines around it stand for
//! `cli/run.rs`: lock, document, the question to a person, exit code.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use regatta::providers::ProviderError;
use regatta::run::{BrowserHost, EventEmitter, FlowPage, OpenedBrowser, Pacing, Run, RunOptions};
use regatta::store::event_log::EventLog;
use regatta::store::session::SessionWriter;
use regatta::store::{OpenSession, SessionError, StoreError};
use regatta_core::event::{EventKind, NetworkTotals};
use regatta_core::evidence::Incident;
use regatta_core::flow::{Action, Step};
use regatta_core::id::RunId;
use regatta_core::mask::Mask;
use regatta_core::outcome::RunOutcome;
use regatta_core::session::{Platform, Session, Status};
use regatta_core::workflow::dialog::DialogPolicy;
use regatta_page::{ActionError, ActionErrorKind, DownloadedFile, InputGate};

use crate::chance::Fault;
use crate::world::{Click, Kind, OnExit, World};

/// Exit codes of a run that has done nothing. 0 and 3 would be false.
const ODD_EXITS: [i32; 9] = [1, 2, 4, 5, 6, 7, 101, 134, 255];

/// Starts a run of the profile. `fleet`: the process that spawns it in a slot.
pub fn spawn_run(world: &World, profile: usize, fleet: Option<u32>, on_exit: Option<OnExit>) -> u32 {
    let pid = world.state().new_process(Kind::Run { profile }, fleet, on_exit);
    world.start(pid, run(world.clone(), pid, profile));
    pid
}

async fn run(world: World, pid: u32, profile: usize) -> i32 {
    world.pause(pid, 30).await;
    if world.strikes(Fault::OddExit) {
        let which = world.state().chance.below(ODD_EXITS.len() as u64);
        return ODD_EXITS[which as usize];
    }
    let (spelt, id, run_id, random, stop) = {
        let mut state = world.state();
        let at = state.wall();
        let run_id = RunId::new(at, state.chance.next() as u32);
        if let Some((holder, _)) = state.profiles[profile].lock {
            state.busy(pid, holder);
            return exit_code(RunOutcome::Busy);
        }
        state.lock(profile, pid, &run_id);
        let random = StdRng::seed_from_u64(state.chance.next());
        (state.spelt, state.profiles[profile].id.clone(), run_id, random, state.listen(pid))
    };
    let keep = Box::new(Disk { world: world.clone(), pid, profile });
    world.pause(pid, 5).await;
    world.state().describe_holder(profile, pid);
    // As another process reads it.
    let document = world.state().session(profile).map(|session| serde_json::to_vec(session).unwrap());
    let found = document.map(|document| serde_json::from_slice(&document).expect("it is a document"));
    let fresh = || Session::new(id.clone(), Platform::Desktop, spelt.plan.flags());
    let session = match OpenSession::resume(keep, &run_id, found, fresh) {
        Ok(session) => session,
        // The disk was full.
        Err(SessionError::Store(_)) => return exit_code(RunOutcome::StepFailed),
        Err(error) => panic!("{error}"),
    };
    world.point(pid).await;
    if session.session().status == Status::NeedsAttention {
        return exit_code(RunOutcome::NeedsAttention);
    }
    let log = {
        let state = world.state();
        let cut = state.profiles[profile].events.last().is_some_and(|last| *last != b'\n');
        EventLog::over(Log { world: world.clone(), pid, profile }, PathBuf::from("events"), cut, &id, &run_id)
    };
    let counting = world.clone();
    let count = move |event: &regatta_core::event::Event| {
        if let EventKind::StepStarted { .. } = event.kind {
            counting.state().steps += 1;
        }
    };
    let run = Run {
        session,
        plan: &spelt.plan,
        profile_settings: spelt.plan.settings_for(&id, Platform::Desktop).unwrap(),
        events: EventEmitter::new(log, world.clock(), count),
        run_id: run_id.clone(),
        pid,
        random,
        browser_host: Browser { world: world.clone(), pid, profile, run_id },
        provider_news: tokio::sync::mpsc::unbounded_channel().1,
        provider_hint: |_| None,
        stop,
        pacing: Pacing::default(),
        options: RunOptions::default(),
        artifacts: PathBuf::from("artifacts"),
    };
    exit_code(run.drive().await.outcome)
}

fn exit_code(outcome: RunOutcome) -> i32 {
    outcome.exit_code().into()
}

/// The session's document and lock. A write is old or new, never a part: `store::durable` has tests of its
/// own for that, with real files and real kills.
#[derive(Clone)]
struct Disk {
    world: World,
    pid: u32,
    profile: usize,
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the disk under process {}", self.pid)
    }
}

impl SessionWriter for Disk {
    fn write(&mut self, session: &Session) -> Result<(), StoreError> {
        let mut state = self.world.state();
        if !state.point(self.pid) {
            return Ok(());
        }
        if state.strikes(Fault::DiskFull) {
            return Err(StoreError::new("write", "document", io::ErrorKind::StorageFull.into()));
        }
        state.put_document(self.profile, session);
        state.point(self.pid);
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.world.state().unlock(self.profile, self.pid);
    }
}

/// The file of events. One write is one line; a part of it may be lost.
struct Log {
    world: World,
    pid: u32,
    profile: usize,
}

impl io::Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut state = self.world.state();
        if !state.point(self.pid) {
            return Ok(line.len());
        }
        if state.strikes(Fault::EventLost) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let whole = !state.strikes(Fault::EventCut);
        let (first, second) = line.split_at(line.len() / 2);
        state.profiles[self.profile].events.extend_from_slice(first);
        if !whole {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if state.point(self.pid) {
            state.profiles[self.profile].events.extend_from_slice(second);
            state.event_written(self.pid);
            state.point(self.pid);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Browser {
    world: World,
    pid: u32,
    profile: usize,
    run_id: RunId,
}

impl BrowserHost for Browser {
    type Page = Page;

    fn provider(&self) -> &'static str {
        "simulated"
    }

    async fn open(&mut self, in_doubt: bool) -> Result<OpenedBrowser<Page>, ProviderError> {
        self.world.pause(self.pid, 200).await;
        let profile = self.world.state().profiles[self.profile].id.clone();
        if self.world.strikes(Fault::ProviderDown) {
            let (url, problem) = ("http://provider.test".to_owned(), "refused".to_owned());
            return Err(ProviderError::Unreachable { url, problem });
        }
        if self.world.strikes(Fault::ProviderThrottled) {
            return Err(ProviderError::Throttled { call: "start", times: 3 });
        }
        if self.world.strikes(Fault::ProviderSlow) {
            self.world.pause(self.pid, 90_000).await;
        }
        let (number, reused) = self.world.state().open_browser(self.profile, in_doubt);
        self.world.pause(self.pid, 20).await;
        if self.world.strikes(Fault::NoPort) {
            let (after, output) = (Duration::from_secs(60), String::new());
            return Err(ProviderError::NotReady { profile, after, output });
        }
        let page = Page {
            world: self.world.clone(),
            pid: self.pid,
            profile: self.profile,
            run_id: self.run_id.clone(),
            browser: number,
        };
        Ok(OpenedBrowser { page, reused, version: None })
    }

    async fn close(&mut self, _: Option<Page>) -> Result<(), ProviderError> {
        self.world.pause(self.pid, 20).await;
        if self.world.strikes(Fault::CloseFails) {
            let profile = self.world.state().profiles[self.profile].id.clone();
            return Err(ProviderError::BrowserDoesNotEnd { profile, pid: None });
        }
        self.world.state().close_browser(self.profile);
        self.world.pause(self.pid, 20).await;
        Ok(())
    }
}

struct Page {
    world: World,
    pid: u32,
    profile: usize,
    run_id: RunId,
    browser: u64,
}

impl FlowPage for Page {
    async fn perform(
        &mut self,
        flow: &str,
        step: &Step,
        _: Duration,
        gate: &mut dyn InputGate,
    ) -> Result<Option<String>, ActionError> {
        let (_, number) = flow.split_once('/').unwrap();
        let number = number.parse().unwrap();
        self.world.pause(self.pid, 20).await;
        self.world.state().send(self.profile, self.pid);
        self.disturbed().await?;
        match &step.action {
            Action::Click(_) => self.click(number, gate).await.map(|()| None),
            Action::WaitForElement(_) => self.look(number).map(|()| None),
            Action::Capture(_) => {
                let mut state = self.world.state();
                let shown = match state.spelt.has_key(number) {
                    true => state.show_key(self.profile, number),
                    false => state.shown(self.profile, number),
                };
                let shown = shown.ok_or_else(|| failed(ActionErrorKind::TimedOut))?;
                state.captured(self.profile, self.pid, &shown);
                Ok(Some(shown))
            }
            other => panic!("no simulated workflow has {other:?}"),
        }
    }

    fn set_dialogs(&mut self, _: &DialogPolicy) {}

    async fn finish(&mut self) -> Vec<DownloadedFile> {
        Vec::new()
    }

    fn begin_trace(&mut self, _: &str) {}

    async fn keep_trace(&mut self, _: &Path, _: &Mask) -> Option<PathBuf> {
        None
    }

    async fn evidence(&mut self, _: &Path, _: &Incident, _: &Mask) -> Vec<PathBuf> {
        self.world.pause(self.pid, 5).await;
        Vec::new()
    }

    async fn wait_until_idle(&mut self, _: Duration) {
        self.world.pause(self.pid, 5).await;
    }

    async fn isolate(&mut self, _: Duration) {
        self.world.pause(self.pid, 20).await;
    }

    fn left_allowed_origins(&self) -> Option<ActionError> {
        None
    }

    fn take_network_totals(&mut self) -> NetworkTotals {
        NetworkTotals::default()
    }
}

impl Page {
    /// What may happen to a browser at any time.
    async fn disturbed(&self) -> Result<(), ActionError> {
        if self.disturb()? {
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    /// Whether the page hangs.
    fn disturb(&self) -> Result<bool, ActionError> {
        let mut state = self.world.state();
        if state.strikes(Fault::BrowserGone) {
            state.close_browser(self.profile);
        }
        if !state.has_browser(self.profile, self.browser) {
            return Err(failed(ActionErrorKind::BrowserGone));
        }
        if state.strikes(Fault::PageCrashed) {
            return Err(failed(ActionErrorKind::PageCrashed));
        }
        if state.strikes(Fault::Frozen) {
            state.freeze(self.pid);
        }
        Ok(state.strikes(Fault::PageHangs))
    }

    async fn click(&self, step: usize, gate: &mut dyn InputGate) -> Result<(), ActionError> {
        if self.world.strikes(Fault::Unreached) {
            return Err(failed(ActionErrorKind::TimedOut));
        }
        gate.before_input().map_err(|_| failed(ActionErrorKind::Gate))?;
        let Some((click, is_busy)) = self.act(step) else { return std::future::pending().await };
        self.world.pause(self.pid, 20).await;
        self.disturbed().await?;
        match click {
            _ if is_busy => Err(failed(BUSY)),
            Click::Accepted => Ok(()),
            // The flow waits for the site's answer, which never arrives.
            _ => Err(failed(ActionErrorKind::TimedOut)),
        }
    }

    /// Returns the fate of the click, and whether the site answers that it is busy. `None`: the process is dead.
    fn act(&self, step: usize) -> Option<(Click, bool)> {
        let mut state = self.world.state();
        let lived = state.alive(self.pid);
        if !state.point(self.pid) {
            // It died right here: the browser may have received the input before.
            if lived && state.strikes(Fault::ActsOn) {
                state.leave_acting(self.profile, step);
            }
            return None;
        }
        let fates = [
            (Fault::AnswerLost, Click::AnswerLost),
            (Fault::Swallowed, Click::Swallowed),
            (Fault::AcceptedLate, Click::AcceptedLate),
            (Fault::Busy, Click::Swallowed),
            (Fault::BusyAfter, Click::AnswerLost),
        ];
        let fate = fates.into_iter().find(|(fault, _)| state.strikes(*fault));
        let is_busy = fate.is_some_and(|(fault, _)| matches!(fault, Fault::Busy | Fault::BusyAfter));
        let click = fate.map_or(Click::Accepted, |(_, click)| click);
        state.act(self.profile, step, &self.run_id, click);
        Some((click, is_busy))
    }

    fn look(&self, step: usize) -> Result<(), ActionError> {
        let mut state = self.world.state();
        if state.strikes(Fault::Unclear) {
            return Err(failed(ActionErrorKind::Navigation));
        }
        if state.strikes(Fault::Busy) {
            return Err(failed(BUSY));
        }
        let shown = state.shown(self.profile, step);
        state.log(|| format!("p{} is asked for s{step}: {shown:?}", self.profile));
        shown.map(|_| ()).ok_or_else(|| failed(ActionErrorKind::NotMet))
    }
}

const BUSY: ActionErrorKind = ActionErrorKind::SiteBusy { retry_after: Some(Duration::from_secs(20)) };

fn failed(kind: ActionErrorKind) -> ActionError {
    ActionError::new(kind, "simulated")
}
