//! A local Chromium with one user-data folder for each profile.
//!
//! A browser outlives the run that started it: it has its own process group and no pipe to us. So the
//! folder is what identifies it: a later run finds the living browser by the folder's
//! `DevToolsActivePort`, and its processes by the folder in their arguments, never by a remembered
//! process id alone.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use self::executable::ChromiumPrograms;
use self::processes::{EndSignal, signal};
use super::liveness::{self, Liveness};
use super::run_mark;
use super::{Endpoint, ListedProfile, OpenBrowser, Provider, ProviderError, StartOptions};
use crate::defaults;
use crate::store::layout::create_folder;
use crate::store::{Layout, StoreError};
use regatta_core::id::ProfileId;

pub mod executable;
mod processes;
mod user_data;

pub(super) use self::processes::{folder_argument, holds as names_folder};

/// Between two polls of a process or file that gives no notification.
const POLL_INTERVAL: Duration = Duration::from_millis(25);
/// For a browser that a crashed run had just started.
const LEFT_STARTING: Duration = Duration::from_secs(5);
const CLOSES_ITSELF: Duration = Duration::from_secs(5);
const ENDS_ON_SIGNAL: Duration = Duration::from_secs(3);

#[derive(Debug, Clone)]
pub struct ChromiumSettings {
    pub programs: ChromiumPrograms,
    /// Further arguments.
    pub args: Vec<String>,
    pub start_timeout: Duration,
}

impl Default for ChromiumSettings {
    fn default() -> Self {
        Self {
            programs: ChromiumPrograms::default(),
            args: Vec::new(),
            start_timeout: defaults::CHROMIUM_START,
        }
    }
}

#[derive(Debug)]
pub struct Chromium {
    layout: Layout,
    settings: ChromiumSettings,
    client: reqwest::Client,
}

impl Chromium {
    pub fn new(layout: Layout, settings: ChromiumSettings) -> Self {
        Self { layout, settings, client: liveness::client() }
    }

    async fn start_browser(
        &self,
        profile: &ProfileId,
        options: &StartOptions,
    ) -> Result<Endpoint, ProviderError> {
        let folder = self.layout.browser_folder(profile);
        create_folder(&folder)?;
        let folder = canonical(&folder)?;
        if let Some(endpoint) = self.left_running(&folder).await? {
            return Ok(endpoint);
        }
        let executable = self.settings.programs.find(options.headless)?;
        // What a dead browser left: its lock would keep the new one out, its port be taken for new.
        user_data::clear(&folder)?;

        let log = folder.join("chromium.log");
        let mut child = self.spawn(profile, &executable, &folder, options, &log)?;
        let ready = timeout(self.settings.start_timeout, self.ready(&mut child, &folder)).await;
        match ready {
            Ok(Ok(ws)) => {
                // Reaps it, should it end before this process does.
                tokio::spawn(async move { child.wait().await });
                Ok(Endpoint { ws, reused: false })
            }
            Ok(Err(status)) => {
                Err(ProviderError::EndedEarly { executable, status, output: last_lines(&log) })
            }
            Err(_) => {
                self.end_processes(profile, &folder).await?;
                Err(ProviderError::NotReady {
                    profile: profile.clone(),
                    after: self.settings.start_timeout,
                    output: last_lines(&log),
                })
            }
        }
    }

    /// The living browser of the folder, or none; an error where it cannot be driven.
    async fn left_running(&self, folder: &Path) -> Result<Option<Endpoint>, ProviderError> {
        let deadline = Instant::now() + LEFT_STARTING.min(self.settings.start_timeout);
        loop {
            if let Some(ws) = self.driven_at(folder).await {
                return Ok(Some(Endpoint { ws, reused: true }));
            }
            let holder = match user_data::holder(folder) {
                Some(holder) if !holder.is_of_this_machine() => Some(holder.to_string()),
                _ => processes::main_of(folder).await?.map(|pid| format!("a browser (process {pid})")),
            };
            match holder {
                None => return Ok(None),
                Some(holder) if Instant::now() >= deadline => {
                    return Err(ProviderError::FolderInUse { folder: folder.to_owned(), holder });
                }
                Some(_) => sleep(POLL_INTERVAL).await,
            }
        }
    }

    /// The address the folder names, if its browser answers there.
    async fn driven_at(&self, folder: &Path) -> Option<String> {
        let ws = user_data::devtools_address(folder)?;
        (liveness::liveness(&self.client, &ws).await == Liveness::Alive).then_some(ws)
    }

    fn spawn(
        &self,
        profile: &ProfileId,
        executable: &Path,
        folder: &Path,
        options: &StartOptions,
        log: &Path,
    ) -> Result<Child, ProviderError> {
        let output = File::create(log).map_err(|error| StoreError::new("write", log, error))?;
        let errors = output.try_clone().map_err(|error| StoreError::new("write", log, error))?;
        let mut command = Command::new(executable);
        command
            .args(arguments(folder, options, &self.settings.args))
            .env(run_mark::MARK, run_mark::mark(&self.layout, profile))
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors);
        // A group of its own: Ctrl-C in a terminal is for us. No `pre_exec`: it would make every
        // spawn a fork of this whole process.
        #[cfg(unix)]
        command.process_group(0);
        command.spawn().map_err(|source| ProviderError::Spawn { executable: executable.to_owned(), source })
    }

    /// Waits until the browser can be driven; an error is how it ended instead.
    async fn ready(&self, child: &mut Child, folder: &Path) -> Result<String, String> {
        loop {
            if let Some(ws) = self.driven_at(folder).await {
                return Ok(ws);
            }
            if let Ok(status) = timeout(POLL_INTERVAL, child.wait()).await {
                return Err(status.map_or_else(|error| error.to_string(), |status| status.to_string()));
            }
        }
    }

    async fn stop_browser(&self, profile: &ProfileId) -> Result<(), ProviderError> {
        let folder = self.layout.browser_folder(profile);
        if !folder.exists() {
            return Ok(());
        }
        let folder = canonical(&folder)?;
        if let Some(ws) = self.driven_at(&folder).await {
            liveness::close(&ws).await;
            if let Some(pid) = processes::main_of(&folder).await? {
                processes::wait_gone(pid, &folder, CLOSES_ITSELF).await?;
            }
        }
        self.end_processes(profile, &folder).await?;
        if user_data::holder(&folder).is_none_or(|holder| holder.is_of_this_machine()) {
            user_data::clear(&folder)?;
        }
        Ok(())
    }

    /// Ends what still works in the folder: politely first, the main process before the others.
    async fn end_processes(&self, profile: &ProfileId, folder: &Path) -> Result<(), ProviderError> {
        for how in [EndSignal::End, EndSignal::Kill] {
            if let Some(pid) = processes::main_of(folder).await? {
                signal(pid, folder, how)?;
                processes::wait_gone(pid, folder, ENDS_ON_SIGNAL).await?;
            }
        }
        // Its children mostly notice and end; a hanging one does not.
        let deadline = Instant::now() + ENDS_ON_SIGNAL;
        loop {
            let left = processes::of(folder).await?;
            let Some(first) = left.first() else { return Ok(()) };
            if Instant::now() >= deadline {
                return Err(ProviderError::BrowserDoesNotEnd {
                    profile: profile.clone(),
                    pid: Some(first.pid),
                });
            }
            for process in left {
                signal(process.pid, folder, EndSignal::Kill)?;
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    async fn left_in(&self, profiles: &[ProfileId]) -> Result<Vec<OpenBrowser>, ProviderError> {
        let all = processes::all_below(&self.layout.browser_folders()).await?;
        let left = profiles.iter().filter_map(|profile| {
            let processes = all.get(profile.as_str())?;
            let main = processes::main_among(processes).or(processes.first())?;
            Some(OpenBrowser { profile: profile.clone(), pid: Some(main.pid), ws: None })
        });
        Ok(left.collect())
    }
}

impl Provider for Chromium {
    fn name(&self) -> &'static str {
        "chromium"
    }

    fn program(&self, options: &StartOptions) -> Option<PathBuf> {
        self.settings.programs.find(options.headless).ok()
    }

    fn owns_browsers(&self) -> bool {
        true
    }

    fn start<'a>(
        &'a self,
        profile: &'a ProfileId,
        options: &'a StartOptions,
    ) -> BoxFuture<'a, Result<Endpoint, ProviderError>> {
        self.start_browser(profile, options).boxed()
    }

    fn stop<'a>(&'a self, profile: &'a ProfileId) -> BoxFuture<'a, Result<(), ProviderError>> {
        self.stop_browser(profile).boxed()
    }

    fn active<'a>(
        &'a self,
        profile: &'a ProfileId,
    ) -> BoxFuture<'a, Result<Option<Endpoint>, ProviderError>> {
        async {
            let ws = self.driven_at(&self.layout.browser_folder(profile)).await;
            Ok(ws.map(|ws| Endpoint { ws, reused: true }))
        }
        .boxed()
    }

    /// The profiles that ever ran here.
    fn list(&self) -> BoxFuture<'_, Result<Vec<ListedProfile>, ProviderError>> {
        async {
            let ids = self.layout.profiles_with_browser_folder()?;
            Ok(ids
                .into_iter()
                .map(|id| ListedProfile { id, number: None, name: None, group: None })
                .collect())
        }
        .boxed()
    }

    fn left_open<'a>(
        &'a self,
        profiles: &'a [ProfileId],
    ) -> BoxFuture<'a, Result<Vec<OpenBrowser>, ProviderError>> {
        self.left_in(profiles).boxed()
    }
}

/// Nothing here hides that the browser is automated.
fn arguments(folder: &Path, options: &StartOptions, further: &[String]) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = [
        "--no-first-run",
        "--no-default-browser-check",
        "--disable-background-networking",
        "--disable-quic",
        "--disable-component-update",
        "--disable-sync",
        "--password-store=basic",
        "--use-mock-keychain",
        // It would be a dialog that takes all input: see `page/prompts.rs`.
        "--auto-reject-capture",
        // A window behind others works as fast as one in front.
        "--disable-background-timer-throttling",
        "--disable-backgrounding-occluded-windows",
        "--disable-renderer-backgrounding",
    ]
    .map(OsString::from)
    .into();
    if options.headless {
        arguments.push("--headless=new".into());
    }
    if processes::is_root() {
        // Chromium refuses root with its sandbox.
        arguments.push("--no-sandbox".into());
    }
    arguments.extend(further.iter().map(OsString::from));
    // Last, since the last one wins: without these two the browser would be lost to us.
    arguments.push("--remote-debugging-port=0".into());
    arguments.push(processes::folder_argument(folder));
    arguments.push("about:blank".into());
    arguments
}

/// Returns the folder without links, as its browser has it in its arguments.
fn canonical(folder: &Path) -> Result<PathBuf, StoreError> {
    fs::canonicalize(folder).map_err(|error| StoreError::new("find", folder, error))
}

fn last_lines(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(5)..].join("\n")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use regatta_core::session::Platform;

    #[test]
    fn settings_cannot_replace_the_folder_or_the_port() {
        let options = StartOptions { headless: true, platform: Platform::Mobile };
        let further = ["--lang=de".to_owned(), "--remote-debugging-port=9222".to_owned()];
        let arguments = arguments(Path::new("/w/browsers/p1"), &options, &further);
        let mut lines: Vec<_> = arguments.iter().map(|a| a.to_str().unwrap()).collect();
        lines.retain(|line| *line != "--no-sandbox");
        expect![[r#"
            --no-first-run
            --no-default-browser-check
            --disable-background-networking
            --disable-quic
            --disable-component-update
            --disable-sync
            --password-store=basic
            --use-mock-keychain
            --auto-reject-capture
            --disable-background-timer-throttling
            --disable-backgrounding-occluded-windows
            --disable-renderer-backgrounding
            --headless=new
            --lang=de
            --remote-debugging-port=9222
            --remote-debugging-port=0
            --user-data-dir=/w/browsers/p1
            about:blank"#]]
        .assert_eq(&lines.join("\n"));
    }

    #[test]
    fn the_last_lines_of_a_log_are_reported() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("chromium.log");
        assert_eq!(last_lines(&log), "");
        fs::write(&log, "1\n2\n\n3\n4\n5\n6\n").unwrap();
        assert_eq!(last_lines(&log), "2\n3\n4\n5\n6");
    }
}
