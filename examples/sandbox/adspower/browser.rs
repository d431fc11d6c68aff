//! One Chromium in a process group of its own.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::group;

const SHELL_NAMES: [&str; 2] = ["chromium-headless-shell", "chrome-headless-shell"];
const FULL_NAMES: [&str; 5] =
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

const ALWAYS: [&str; 8] = [
    "--remote-debugging-port=0",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-quic",
    "--disable-component-update",
    "--disable-sync",
    "--password-store=basic",
];

const START_LIMIT: Duration = Duration::from_secs(60);
/// Chromium writes its cookies when it is asked to end; then it has had its time.
const STOP_LIMIT: Duration = Duration::from_secs(5);

pub struct Launch {
    pub headless: bool,
    pub args: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmulatedConnection {
    pub ws: String,
    pub port: u16,
    pub webdriver: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum ProcessStage {
    Alive,
    /// The leader is dead, the rest of its group not certainly.
    Dying,
    Gone,
}

/// Whether a browser's process still runs; outlives the browser.
#[derive(Clone)]
pub struct ProcessStatus(watch::Receiver<ProcessStage>);

impl ProcessStatus {
    pub fn is_alive(&self) -> bool {
        *self.0.borrow() == ProcessStage::Alive
    }

    async fn reached(&mut self, stage: ProcessStage) {
        // An error means that the reaper is gone, and it goes only after the browser.
        drop(self.0.wait_for(|current| *current >= stage).await);
    }
}

pub struct EmulatedBrowser {
    /// Leader of the group. None once reaped: after that the number may be a stranger's.
    pid: Arc<std::sync::Mutex<Option<Pid>>>,
    liveness: ProcessStatus,
    connection: EmulatedConnection,
}

impl EmulatedBrowser {
    pub async fn launch(programs: &Programs, folder: &Path, launch: &Launch) -> io::Result<EmulatedBrowser> {
        // Without a display a browser with a window cannot start, and a headless one is better than none.
        let has_window = !launch.headless && has_display();
        let chrome = if has_window { &programs.window } else { &programs.headless };
        fs::create_dir_all(folder)?;
        let port_file = folder.join("DevToolsActivePort");
        // One of an earlier browser would be taken for this one's.
        match fs::remove_file(&port_file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let log = File::create(folder.join("chromium.log"))?;
        let mut command = Command::new(chrome);
        command
            .args(ALWAYS)
            .arg(format!("--user-data-dir={}", folder.display()))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0);
        if !has_window {
            command.arg("--headless=new");
        }
        if rustix::process::geteuid().is_root() {
            command.arg("--no-sandbox");
        }
        command.args(&launch.args).arg("about:blank");
        let child = command.spawn()?;
        let (pid, liveness) = watch_over(child)?;
        let mut browser = EmulatedBrowser {
            pid,
            liveness,
            connection: EmulatedConnection {
                ws: String::new(),
                port: 0,
                webdriver: chrome.with_file_name("chromedriver").display().to_string(),
            },
        };
        match browser.listening(&port_file).await {
            Ok((port, path)) => {
                browser.connection.ws = format!("ws://127.0.0.1:{port}{path}");
                browser.connection.port = port;
                Ok(browser)
            }
            Err(error) => {
                browser.stop().await;
                Err(error)
            }
        }
    }

    pub fn connection(&self) -> &EmulatedConnection {
        &self.connection
    }

    pub fn liveness(&self) -> ProcessStatus {
        self.liveness.clone()
    }

    pub fn is_alive(&self) -> bool {
        self.liveness.is_alive()
    }

    /// Nothing of it is left when this returns.
    pub async fn stop(mut self) {
        self.signal(|leader| kill_process(leader, Signal::TERM));
        let ended = self.liveness.reached(ProcessStage::Dying);
        if tokio::time::timeout(STOP_LIMIT, ended).await.is_err() {
            self.signal(|leader| kill_process_group(leader, Signal::KILL));
        }
        self.liveness.reached(ProcessStage::Gone).await;
    }

    fn signal(&self, send: impl FnOnce(Pid) -> rustix::io::Result<()>) {
        let pid = self.pid.lock().unwrap_or_else(|error| error.into_inner());
        if let Some(pid) = *pid {
            // It is ours and not reaped, so the only failure is that the process has ended.
            let _ = send(pid);
        }
    }

    /// Chromium reports its port only in a file, so this polls for the file.
    async fn listening(&mut self, port_file: &Path) -> io::Result<(u16, String)> {
        let mut ended = self.liveness.clone();
        let found = async {
            loop {
                if let Some(found) =
                    fs::read_to_string(port_file).ok().and_then(|text| parse_port_file(&text))
                {
                    return Ok(found);
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            found = tokio::time::timeout(START_LIMIT, found) =>
                found.map_err(|_| io::Error::other("chromium did not open its port"))?,
            () = ended.reached(ProcessStage::Dying) => Err(io::Error::other("chromium ended at its start")),
        }
    }
}

/// Port and browser path, one a line; none while the file is being written.
fn parse_port_file(text: &str) -> Option<(u16, String)> {
    let (port, path) = text.split_once('\n')?;
    let path = path.trim();
    let complete = path.len() == "/devtools/browser/".len() + 36;
    Some((port.parse().ok()?, path.to_owned())).filter(|_| complete)
}

type Reaped = (Arc<std::sync::Mutex<Option<Pid>>>, ProcessStatus);

/// Sees the leader's death, ends what is left of its group, and only then reaps it: until then
/// no other process can have its number.
fn watch_over(mut child: Child) -> io::Result<Reaped> {
    let leader = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(Pid::from_raw)
        .ok_or_else(|| io::Error::other("chromium ended at its start"))?;
    let pid = Arc::new(std::sync::Mutex::new(Some(leader)));
    let (sender, alive) = watch::channel(ProcessStage::Alive);
    let held = Arc::clone(&pid);
    drop(tokio::spawn(async move {
        // Without NOWAIT this would reap; the thread is given back when the browser ends.
        let seen = tokio::task::spawn_blocking(move || {
            waitid(WaitId::Pid(leader), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
        });
        drop(seen.await);
        // Sent at once: the rest takes a moment, and no caller may get a dead browser.
        // Fails only where there is no receiver.
        let _ = sender.send(ProcessStage::Dying);
        {
            let mut pid = held.lock().unwrap_or_else(|error| error.into_inner());
            group::kill(leader);
            *pid = None;
        }
        drop(child.wait().await);
        group::gone(leader).await;
        let _ = sender.send(ProcessStage::Gone);
    }));
    Ok((pid, ProcessStatus(alive)))
}

fn has_display() -> bool {
    ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// The browser without a window, the headless shell where there is one, and the browser with one.
pub struct Programs {
    headless: PathBuf,
    window: PathBuf,
}

impl Programs {
    /// `given`, or the variable `CHROME`, names both.
    pub fn find(given: Option<&Path>) -> io::Result<Self> {
        let variable = env::var_os("CHROME").filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(named) = given.map(Path::to_owned).or(variable) {
            return Ok(Self { headless: named.clone(), window: named });
        }
        let path = env::var_os("PATH").unwrap_or_default();
        let folders: Vec<PathBuf> = env::split_paths(&path).collect();
        let find = |names: &[&str]| {
            let places = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
            places.into_iter().find(|candidate| candidate.is_file())
        };
        let window = find(&FULL_NAMES);
        let headless = find(&SHELL_NAMES).or_else(|| window.clone());
        let headless = headless.ok_or_else(|| io::Error::other("no Chromium found; say --chrome PATH"))?;
        Ok(Self { window: window.unwrap_or_else(|| headless.clone()), headless })
    }
}

#[cfg(test)]
mod tests {
    use super::parse_port_file;

    #[test]
    fn a_port_file_counts_once_it_is_whole() {
        let path = "/devtools/browser/7e1e7bd0-8a3a-4d5c-9c0e-6e0d8a5f1b2c";
        assert_eq!(parse_port_file(&format!("43703\n{path}")), Some((43703, path.to_owned())));
        assert_eq!(parse_port_file("43703\n/devtools/bro"), None);
        assert_eq!(parse_port_file("437"), None);
    }
}
