//! A local Chromium, one user-data folder per profile. It outlives the run that started it, so that
//! a run after a crash takes it over.
//!
//! Invariant: only a process whose arguments name our user-data folder is ever taken for ours; a
//! process id alone proves nothing.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use futures::future::BoxFuture;
use serde::Deserialize;
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, Signal, System, UpdateKind};
use tokio::time::{Instant, sleep, timeout};

use super::page::BrowserConnection;
use super::provider::{Endpoint, ListedProfile, Provider, ProviderError, StartOptions};
use crate::domain::id::ProfileId;
use crate::store::Layout;

const NAMES: [&str; 5] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
/// Between two looks for a file or a process that is on its way.
const LOOK: Duration = Duration::from_millis(20);
const VERSION_ANSWER: Duration = Duration::from_secs(2);
/// How long a browser may take to write its profile and go, before it is made to.
const GRACE: Duration = Duration::from_secs(5);
/// A browser's port and path, in its user-data folder.
const PORT_FILE: &str = "DevToolsActivePort";
const LOCK_FILES: [&str; 3] = ["SingletonLock", "SingletonSocket", "SingletonCookie"];

#[derive(Debug, Clone)]
pub struct ChromiumSettings {
    /// `None` looks for the usual names.
    pub executable: Option<PathBuf>,
    /// The value of `PATH`.
    pub search_path: Option<OsString>,
    pub arguments: Vec<String>,
    pub start_timeout: Duration,
}

pub struct Chromium {
    layout: Layout,
    settings: ChromiumSettings,
}

#[derive(Deserialize)]
struct Version {
    #[serde(rename = "webSocketDebuggerUrl")]
    ws: String,
}

impl Chromium {
    pub fn new(layout: Layout, settings: ChromiumSettings) -> Self {
        Self { layout, settings }
    }

    async fn start(&self, profile: &ProfileId, options: &StartOptions) -> Result<Endpoint, ProviderError> {
        let folder = self.folder(profile)?;
        if let Some(ws) = living(&folder).await {
            return Ok(Endpoint { ws, reused: true });
        }
        if let Some(pid) = main_process(&folder) {
            return Err(ProviderError::FolderTaken { folder, pid });
        }
        // Whoever left these is dead: they would block the start, or lead to an old port.
        for name in LOCK_FILES.iter().chain(&[PORT_FILE]) {
            fs::remove_file(folder.join(name)).ok();
        }
        let executable =
            find_executable(self.settings.executable.as_deref(), self.settings.search_path.as_deref())?;
        let log = folder.join("chromium.log");
        let unusable = |error: std::io::Error| ProviderError::Unusable {
            problem: format!("cannot start `{}`: {error}", executable.display()),
        };
        let output = File::create(&log).map_err(unusable)?;
        let mut command = Command::new(&executable);
        command
            .args(arguments(&folder, options))
            .args(&self.settings.arguments)
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(output.try_clone().map_err(unusable)?)
            .stderr(output);
        own_group(&mut command);
        let mut child = command.spawn().map_err(unusable)?;
        let deadline = Instant::now() + self.settings.start_timeout;
        loop {
            if let Some(ws) = living(&folder).await {
                return Ok(Endpoint { ws, reused: false });
            }
            if let Ok(Some(status)) = child.try_wait() {
                let said = last_lines(&log).unwrap_or_else(|| status.to_string());
                return Err(ProviderError::EndedEarly { said });
            }
            if Instant::now() >= deadline {
                end(&folder).await;
                return Err(ProviderError::NotReady { after: self.settings.start_timeout });
            }
            sleep(LOOK).await;
        }
    }

    async fn stop(&self, profile: &ProfileId) -> Result<(), ProviderError> {
        let folder = self.folder(profile)?;
        if let Some(ws) = living(&folder).await
            && let Ok(Ok(connection)) = timeout(GRACE, BrowserConnection::connect(&ws)).await
        {
            // The answer is often lost with the browser; what counts is that it goes.
            connection.close_browser(GRACE).await.ok();
            gone(&folder, GRACE).await;
        }
        end(&folder).await;
        if gone(&folder, GRACE).await {
            fs::remove_file(folder.join(PORT_FILE)).ok();
            return Ok(());
        }
        Err(ProviderError::Unusable {
            problem: format!("the browser on `{}` does not end", folder.display()),
        })
    }

    /// Absolute: it is compared with the arguments of processes.
    fn folder(&self, profile: &ProfileId) -> Result<PathBuf, ProviderError> {
        let folder = self.layout.browser_folder(profile);
        let made = fs::create_dir_all(&folder).and_then(|()| fs::canonicalize(&folder));
        made.map_err(|error| ProviderError::Unusable {
            problem: format!("cannot make its folder `{}`: {error}", folder.display()),
        })
    }
}

impl Provider for Chromium {
    fn name(&self) -> &'static str {
        "chromium"
    }

    fn start<'a>(
        &'a self,
        profile: &'a ProfileId,
        options: &'a StartOptions,
    ) -> BoxFuture<'a, Result<Endpoint, ProviderError>> {
        Box::pin(self.start(profile, options))
    }

    fn stop<'a>(&'a self, profile: &'a ProfileId) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(self.stop(profile))
    }

    fn active<'a>(
        &'a self,
        profile: &'a ProfileId,
    ) -> BoxFuture<'a, Result<Option<Endpoint>, ProviderError>> {
        Box::pin(async move {
            let folder = self.folder(profile)?;
            Ok(living(&folder).await.map(|ws| Endpoint { ws, reused: true }))
        })
    }

    /// The profiles that have a user-data folder.
    fn list(&self) -> BoxFuture<'_, Result<Vec<ListedProfile>, ProviderError>> {
        let folders = fs::read_dir(self.layout.root().join("browsers")).into_iter().flatten().flatten();
        let ids = folders.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let mut profiles: Vec<_> = ids.map(|id| ListedProfile { id, name: None }).collect();
        profiles.sort_by(|a, b| a.id.cmp(&b.id));
        Box::pin(async { Ok(profiles) })
    }
}

/// `explicit` as a path or a name; else the usual names along `search_path`, and the usual places.
pub fn find_executable(
    explicit: Option<&Path>,
    search_path: Option<&OsStr>,
) -> Result<PathBuf, ProviderError> {
    let along_path = |name: &Path| {
        let folders = search_path.map(std::env::split_paths).into_iter().flatten();
        folders.map(|folder| folder.join(name)).find(|path| path.is_file())
    };
    if let Some(explicit) = explicit {
        let found = if explicit.components().count() > 1 {
            explicit.is_file().then(|| explicit.to_owned())
        } else {
            along_path(explicit)
        };
        return found.ok_or_else(|| ProviderError::NoExecutable { looked_for: Some(explicit.to_owned()) });
    }
    let named = NAMES.iter().find_map(|name| along_path(Path::new(name)));
    let placed = || PLACES.iter().map(PathBuf::from).find(|path| path.is_file());
    named.or_else(placed).ok_or(ProviderError::NoExecutable { looked_for: None })
}

/// What `--version` says.
pub fn version(executable: &Path) -> Result<String, ProviderError> {
    let output =
        Command::new(executable).arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output();
    match output {
        Ok(output) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        }
        Ok(output) => Err(ProviderError::EndedEarly { said: output.status.to_string() }),
        Err(error) => Err(ProviderError::Unusable {
            problem: format!("cannot start `{}`: {error}", executable.display()),
        }),
    }
}

#[cfg(target_os = "macos")]
const PLACES: [&str; 2] = [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
];
#[cfg(windows)]
const PLACES: [&str; 2] = [
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
];
#[cfg(not(any(target_os = "macos", windows)))]
const PLACES: [&str; 1] = ["/usr/lib/chromium/chromium"];

/// Ctrl-C in a terminal is the run's to hear, not the browser's.
#[cfg(unix)]
fn own_group(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

#[cfg(not(unix))]
fn own_group(_: &mut Command) {}

#[cfg(unix)]
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

/// Nothing here hides that the browser is automated.
fn arguments(folder: &Path, options: &StartOptions) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = [
        "--remote-debugging-port=0",
        "--no-first-run",
        "--no-default-browser-check",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-quic",
        // Background tabs and covered windows run like all others.
        "--disable-background-timer-throttling",
        "--disable-backgrounding-occluded-windows",
        "--disable-renderer-backgrounding",
        // No key ring of the desktop is asked for.
        "--password-store=basic",
        "--use-mock-keychain",
    ]
    .map(OsString::from)
    .to_vec();
    if options.headless {
        arguments.push("--headless=new".into());
    }
    if is_root() {
        // Chromium refuses to start as root with its sandbox.
        arguments.push("--no-sandbox".into());
    }
    arguments.push(user_data_argument(folder));
    arguments
}

fn user_data_argument(folder: &Path) -> OsString {
    let mut argument = OsString::from("--user-data-dir=");
    argument.push(folder);
    argument
}

/// The DevTools address of the browser that runs on this folder, if it answers and is the one that
/// the folder names: ports are used again by others.
async fn living(folder: &Path) -> Option<String> {
    let text = fs::read_to_string(folder.join(PORT_FILE)).ok()?;
    let (port, path) = text.split_once('\n')?;
    let port: u16 = port.trim().parse().ok()?;
    let path = path.trim();
    let client = reqwest::Client::builder().no_proxy().timeout(VERSION_ANSWER).build().ok()?;
    let answer = client.get(format!("http://127.0.0.1:{port}/json/version")).send().await.ok()?;
    let version: Version = answer.json().await.ok()?;
    (!path.is_empty() && version.ws.ends_with(path)).then(|| format!("ws://127.0.0.1:{port}{path}"))
}

/// Whether every process on this folder went within `patience`.
async fn gone(folder: &Path, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    loop {
        if processes(folder) == 0 {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        sleep(LOOK).await;
    }
}

/// Asks what is left on this folder to end, then ends it.
async fn end(folder: &Path) {
    for signal in [Signal::Term, Signal::Kill] {
        on_folder(folder, |process| {
            // Not every system knows every signal; all can end a process.
            if process.kill_with(signal).is_none() {
                process.kill();
            }
        });
        if gone(folder, GRACE).await {
            return;
        }
    }
}

/// The browser process itself; its children carry `--type=…`.
fn main_process(folder: &Path) -> Option<u32> {
    let mut main = None;
    on_folder(folder, |process| {
        let child = process.cmd().iter().any(|argument| argument.to_string_lossy().starts_with("--type="));
        if !child {
            main = Some(process.pid().as_u32());
        }
    });
    main
}

fn processes(folder: &Path) -> usize {
    let mut count = 0;
    on_folder(folder, |_| count += 1);
    count
}

/// Every living process whose arguments name the folder, as it is at this moment.
fn on_folder(folder: &Path, mut then: impl FnMut(&sysinfo::Process)) {
    let ours = user_data_argument(folder);
    let Ok(mut system) = System::new() else { return };
    let arguments = ProcessRefreshKind::nothing().with_cmd(UpdateKind::Always).without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, arguments);
    // A zombie holds nothing any more; it only waits to be reaped.
    let living = |process: &&sysinfo::Process| process.status() != sysinfo::ProcessStatus::Zombie;
    system
        .processes()
        .values()
        .filter(living)
        .filter(|process| process.cmd().contains(&ours))
        .for_each(&mut then);
}

/// For an error: what Chromium wrote before it ended.
fn last_lines(log: &Path) -> Option<String> {
    const AT_MOST: u64 = 2000;
    let mut file = File::open(log).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(AT_MOST))).ok()?;
    let mut text = Vec::new();
    file.read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines[lines.len().saturating_sub(3)..].join(" | ");
    (!last.is_empty()).then_some(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_executable_is_told_with_its_remedy() {
        let error = find_executable(Some(Path::new("/no/chrome")), None).unwrap_err();
        assert_eq!(error.to_string(), "no Chromium found at `/no/chrome`");
        let nowhere = tempfile::tempdir().unwrap();
        let error = find_executable(Some(Path::new("chrome")), Some(nowhere.path().as_os_str())).unwrap_err();
        assert!(error.hint().unwrap().contains("CHROME=/path/to/chrome"));
        let placed = nowhere.path().join("google-chrome");
        fs::write(&placed, "").unwrap();
        assert_eq!(find_executable(None, Some(nowhere.path().as_os_str())).unwrap(), placed);
    }
}
