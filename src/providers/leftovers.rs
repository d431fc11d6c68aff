//! Finds processes and browsers that a dead run left, and ends them.
//!
//! The mark is a variable of the environment. A run's processes inherit it wherever they move, to
//! another group, session or parent, and it names the lock of the profile, so it says whose they are
//! after any number of crashes, ours included. Nothing remembered is acted upon: no process id is kept,
//! and a process is signalled through a handle that was taken before its mark was read. So a number
//! that became a stranger's, now or since the machine was started, is never signalled.
//!
//! The caller that ends left-overs holds the lock of the profile, so no run of it lives then.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;
use std::time::Duration;

use sysinfo::{Process, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind};
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout};

use super::run_mark::{MARK, locks, mark, marked_profile};
use super::{OpenBrowser, Provider, ProviderError};
use crate::store::{Layout, LockHolder, SessionError, session};
use regatta_core::id::{ProfileId, RunId};

const ENDS_WITHIN: Duration = Duration::from_secs(3);
const POLL_INTERVAL: Duration = Duration::from_millis(25);

/// A process of a run that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftoverProcess {
    pub profile: ProfileId,
    pub pid: u32,
    pub name: String,
    /// The browser of the profile's user-data folder, or below it.
    pub of_browser: bool,
}

/// A browser or process that a dead run left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leftover {
    Browser(OpenBrowser),
    Process(LeftoverProcess),
}

impl Leftover {
    pub const fn profile(&self) -> &ProfileId {
        match self {
            Self::Browser(browser) => &browser.profile,
            Self::Process(stray) => &stray.profile,
        }
    }
}

/// Everything that carries a mark of this folder or is a browser opened by it, but for the runs
/// themselves; whether a run lives, only its lock says. A browser's own processes are part of it.
pub async fn find(layout: &Layout, provider: &dyn Provider) -> Result<Vec<Leftover>, ProviderError> {
    let strays = strays(layout).await?;
    let mut profiles = layout.profiles_with_browser_folder()?;
    profiles.extend(strays.iter().map(|stray| stray.profile.clone()));
    profiles.sort();
    profiles.dedup();
    let browsers = provider.left_open(&profiles).await?;
    let listed: HashSet<ProfileId> = browsers.iter().map(|browser| browser.profile.clone()).collect();
    let alone = strays.into_iter().filter(|stray| !(stray.of_browser && listed.contains(&stray.profile)));
    let mut found: Vec<_> =
        browsers.into_iter().map(Leftover::Browser).chain(alone.map(Leftover::Process)).collect();
    found.sort_by(|a, b| a.profile().cmp(b.profile()));
    Ok(found)
}

/// Stops the browser of the profile, and ends every other process that carries its mark.
pub async fn end(layout: &Layout, provider: &dyn Provider, profile: &ProfileId) -> Result<(), ProviderError> {
    // One that does not stop is no reason to leave the others.
    let stopped = provider.stop(profile).await;
    end_strays(layout, profile, true).await?;
    stopped
}

/// Why left-overs of a profile were not ended.
#[derive(Debug, Error)]
pub enum EndError {
    /// A run holds the profile: its left-overs are that run's business.
    #[error("the profile is being run")]
    Running,
    #[error("cannot hold the profile")]
    Lock(#[source] SessionError),
    #[error(transparent)]
    Provider(#[from] ProviderError),
    #[error("not ended within {} s", .0.as_secs())]
    TimedOut(Duration),
}

/// Ends the left-overs of a profile under its lock, within a bound.
pub async fn end_if_free(
    layout: &Layout,
    provider: &dyn Provider,
    profile: &ProfileId,
    bound: Duration,
) -> Result<(), EndError> {
    let now = jiff::Timestamp::now();
    let holder = LockHolder::new(RunId::new(now, rand::random()), now);
    let _lock = session::hold(layout, profile, &holder).map_err(|error| match error {
        SessionError::Busy { .. } => EndError::Running,
        error => EndError::Lock(error),
    })?;
    end_within(layout, provider, profile, bound).await
}

/// Ends the left-overs of a profile that the caller holds, within a bound.
pub async fn end_within(
    layout: &Layout,
    provider: &dyn Provider,
    profile: &ProfileId,
    bound: Duration,
) -> Result<(), EndError> {
    match timeout(bound, end(layout, provider, profile)).await {
        Ok(ended) => Ok(ended?),
        Err(_) => Err(EndError::TimedOut(bound)),
    }
}

/// Ends what carries the mark of the profile; `with_browser`: its browser, too, which the next run
/// would take over.
pub async fn end_strays(
    layout: &Layout,
    profile: &ProfileId,
    with_browser: bool,
) -> Result<(), ProviderError> {
    let deadline = Instant::now() + ENDS_WITHIN;
    let mark = mark(layout, profile);
    loop {
        let mut left = strays(layout).await?;
        left.retain(|stray| stray.profile == *profile && (with_browser || !stray.of_browser));
        let Some(first) = left.first() else { return Ok(()) };
        if Instant::now() >= deadline {
            return Err(ProviderError::ProcessDoesNotEnd {
                profile: profile.clone(),
                name: first.name.clone(),
                pid: first.pid,
            });
        }
        for stray in &left {
            tracing::info!(%profile, pid = stray.pid, name = stray.name, "ending what a dead run left");
            kill_marked(stray.pid, &mark);
        }
        sleep(POLL_INTERVAL).await;
    }
}

/// Returns all processes with a mark of this folder, without the runs themselves.
async fn strays(layout: &Layout) -> Result<Vec<LeftoverProcess>, ProviderError> {
    let layout = layout.clone();
    // Reads something of every process of the machine.
    tokio::task::spawn_blocking(move || scan(&layout))
        .await
        .map_err(|error| ProviderError::ProcessesUnreadable { problem: error.to_string() })?
}

fn scan(layout: &Layout) -> Result<Vec<LeftoverProcess>, ProviderError> {
    let problem =
        |error: &dyn std::fmt::Display| ProviderError::ProcessesUnreadable { problem: error.to_string() };
    let mut system = System::new().map_err(|error| problem(&error))?;
    let wanted = ProcessRefreshKind::nothing()
        .without_tasks()
        .with_cmd(UpdateKind::Always)
        .with_environ(UpdateKind::Always)
        .with_exe(UpdateKind::Always);
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, wanted);
    let (locks, program) = (locks(layout), std::env::current_exe().ok());
    let mut found = Vec::new();
    for (pid, process) in system.processes() {
        let Some(profile) = marked_profile(process.environ(), &locks) else { continue };
        let ended = matches!(process.status(), ProcessStatus::Zombie | ProcessStatus::Dead);
        if ended || is_run(process, &profile, program.as_deref()) {
            continue;
        }
        let folder = fs::canonicalize(layout.browser_folder(&profile)).ok();
        let of_browser = folder.is_some_and(|folder| is_of_browser(&system, process, &folder));
        let name = process.name().to_string_lossy().into_owned();
        found.push(LeftoverProcess { profile, pid: pid.as_u32(), name, of_browser });
    }
    found.sort_by(|a, b| (&a.profile, a.pid).cmp(&(&b.profile, b.pid)));
    Ok(found)
}

/// A run carries the mark from its orchestrator, and one without the lock is only about to ask for it.
fn is_run(process: &Process, profile: &ProfileId, program: Option<&Path>) -> bool {
    let says = |word: &str| process.cmd().iter().any(|argument| argument == word);
    (program.is_some() && process.exe() == program) || (says("run") && says(profile.as_str()))
}

/// Below the browser of the folder, or its crash handler, which has a session of its own and no parent.
fn is_of_browser(system: &System, process: &Process, folder: &Path) -> bool {
    let argument = super::chromium::folder_argument(folder);
    let names_folder = |process: &&Process| super::chromium::names_folder(process.cmd(), &argument);
    let line = std::iter::successors(Some(process), |process| system.process(process.parent()?));
    // Longer than any tree, should the table have changed under the look and lead in a circle.
    if line.take(64).any(|process| names_folder(&process)) {
        return true;
    }
    let handler = process.exe().filter(|exe| {
        exe.file_stem().and_then(OsStr::to_str).is_some_and(|name| name.ends_with("crashpad_handler"))
    });
    let beside = handler.and_then(Path::parent);
    let mut browsers = system.processes().values().filter(names_folder);
    beside.is_some() && browsers.any(|browser| browser.exe().and_then(Path::parent) == beside)
}

/// Through a handle of the process: what was read below its number is then true of it, or it is gone.
#[cfg(target_os = "linux")]
fn kill_marked(pid: u32, mark: &OsStr) {
    use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
    let Some(number) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return };
    let Ok(handle) = pidfd_open(number, PidfdFlags::empty()) else { return };
    let mut wanted = OsString::from(MARK);
    wanted.push("=");
    wanted.push(mark);
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    if environment.split(|byte| *byte == 0).any(|entry| entry == wanted.as_encoded_bytes()) {
        // An error means that it is gone, or not ours to end: the caller looks again.
        let _ = pidfd_send_signal(handle, Signal::KILL);
    }
}

#[cfg(not(target_os = "linux"))]
fn kill_marked(pid: u32, mark: &OsStr) {
    let pid = sysinfo::Pid::from_u32(pid);
    let Ok(mut system) = System::new() else { return };
    let wanted = ProcessRefreshKind::nothing().without_tasks().with_environ(UpdateKind::Always);
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, wanted);
    let carries = |process: &&Process| {
        let value = |entry: &OsString| {
            entry.to_str().and_then(|entry| Some(entry.strip_prefix(MARK)?.strip_prefix('=')? == mark))
        };
        process.environ().iter().any(|entry| value(entry) == Some(true))
    };
    if let Some(process) = system.process(pid).filter(carries) {
        process.kill();
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;

    struct SleepingProcess(Child);

    impl SleepingProcess {
        fn with(mark: Option<&OsStr>) -> Self {
            let mut command = Command::new("sleep");
            command.arg("300").stdin(Stdio::null()).env_remove(MARK);
            if let Some(mark) = mark {
                command.env(MARK, mark);
            }
            let sleeper = Self(command.spawn().expect("sleep is there"));
            // The kernel lets the parent go on a moment before the new program's environment can be read.
            let environment = format!("/proc/{}/environ", sleeper.0.id());
            while fs::read(&environment).expect("it sleeps for long").is_empty() {
                std::thread::yield_now();
            }
            sleeper
        }

        fn lives(&mut self) -> bool {
            self.0.try_wait().is_ok_and(|ended| ended.is_none())
        }
    }

    impl Drop for SleepingProcess {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[tokio::test]
    async fn only_what_carries_the_mark_of_the_profile_in_this_folder_is_ended() {
        let (ours, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (layout, elsewhere) = (Layout::new(ours.path()), Layout::new(other.path()));
        layout.create_folders().unwrap();
        elsewhere.create_folders().unwrap();
        let (p1, p10) = ("p1".parse().unwrap(), "p10".parse().unwrap());
        let mut left = SleepingProcess::with(Some(&mark(&layout, &p1)));
        let mut spared = [
            SleepingProcess::with(Some(&mark(&layout, &p10))),
            SleepingProcess::with(Some(&mark(&elsewhere, &p1))),
            SleepingProcess::with(None),
        ];
        let found = strays(&layout).await.unwrap();
        let names: Vec<_> = found.iter().map(|stray| (stray.profile.as_str(), stray.pid)).collect();
        assert_eq!(names, [("p1", left.0.id()), ("p10", spared[0].0.id())]);

        end_strays(&layout, &p1, true).await.unwrap();
        assert!(!left.lives());
        assert!(spared.iter_mut().all(SleepingProcess::lives));
    }

    #[test]
    fn a_reused_process_id_is_not_signalled() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        let mark = mark(&layout, &"p1".parse().unwrap());
        let (mut stranger, mut left) = (SleepingProcess::with(None), SleepingProcess::with(Some(&mark)));
        // As if a look had found them both: only the second still is what was looked for.
        kill_marked(stranger.0.id(), &mark);
        kill_marked(left.0.id(), &mark);
        left.0.wait().unwrap();
        assert!(stranger.lives());
    }

    #[test]
    fn a_run_is_no_leftover_although_it_carries_the_mark() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        layout.create_folders().unwrap();
        let profile: ProfileId = "p1".parse().unwrap();
        // What a shell calls `run p1` while it waits for its own child.
        let mut run = Command::new("sh")
            .args(["-c", "sleep 300; :", "run", "p1"])
            .env(MARK, mark(&layout, &profile))
            .spawn()
            .unwrap();
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        let found = loop {
            let found = scan(&layout).unwrap();
            if !found.is_empty() || std::time::Instant::now() > deadline {
                break found;
            }
        };
        assert_eq!(found.iter().map(|stray| stray.name.as_str()).collect::<Vec<_>>(), ["sleep"]);
        for stray in &found {
            kill_marked(stray.pid, &mark(&layout, &profile));
        }
        run.wait().unwrap();
    }
}
