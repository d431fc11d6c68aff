//! A real headless Chromium: shared by the tests that run at the same time, gone with the last of them.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

pub struct Chrome {
    process: Child,
    folder: TempDir,
    ws: String,
}

static SHARED: Mutex<Weak<Chrome>> = Mutex::new(Weak::new());

impl Chrome {
    pub fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        shared.upgrade().unwrap_or_else(|| {
            // A tab that cannot be taken for an unused one.
            let chrome = Arc::new(Self::launch("data:text/html,keeper"));
            *shared = Arc::downgrade(&chrome);
            chrome
        })
    }

    /// For tests that hang, crash or close it.
    pub fn launch(url: &str) -> Self {
        Self::start(&executable(), &[], url)
    }

    /// The desktop browser, which has dialogs of its own, also where the tests run on a headless shell.
    pub fn desktop(further: &[&str]) -> Arc<Self> {
        Arc::new(Self::start(&desktop_executable(), further, "data:text/html,keeper"))
    }

    fn start(executable: &Path, further: &[&str], url: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("stderr");
        let process = Command::new(executable)
            .args(["--headless=new", "--no-sandbox", "--remote-debugging-port=0", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-quic", "--disable-component-update"])
            .args(["--disable-sync", "--disable-dev-shm-usage", "--disable-gpu", "--window-size=1000,800"])
            // The headless shell blocks no pop-ups; without this the full browser does.
            .arg("--disable-popup-blocking")
            .arg(format!("--user-data-dir={}", folder.path().display()))
            .args(further)
            .arg(url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .process_group(0)
            .spawn()
            .expect("Chromium starts: `scripts/need shell`, or set CHROME");
        let mut chrome = Self { process, folder, ws: String::new() };
        let port_file = chrome.folder.path().join("DevToolsActivePort");
        let start = Instant::now();
        chrome.ws = loop {
            let text = std::fs::read_to_string(&port_file).unwrap_or_default();
            if let Some((port, path)) = text.trim().split_once('\n') {
                break format!("ws://127.0.0.1:{port}{path}");
            }
            let failed =
                chrome.process.try_wait().unwrap().is_some() || start.elapsed() > Duration::from_secs(30);
            assert!(!failed, "no browser: {}", std::fs::read_to_string(&log).unwrap_or_default());
            // A file of another process: there is nothing to wait on.
            std::thread::sleep(Duration::from_millis(10));
        };
        chrome
    }

    pub fn ws(&self) -> &str {
        &self.ws
    }

    pub fn kill(&mut self) {
        if let Some(group) = Pid::from_raw(self.process.id() as i32)
            && self.process.try_wait().is_ok_and(|ended| ended.is_none())
        {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.process.wait();
    }
}

impl Drop for Chrome {
    fn drop(&mut self) {
        self.kill();
    }
}

fn executable() -> PathBuf {
    if let Some(chrome) = std::env::var_os("CHROME") {
        return chrome.into();
    }
    let names = ["chromium-headless-shell", "chrome-headless-shell", "chromium", "google-chrome"];
    in_path(&names).expect("no Chromium in PATH: `scripts/need shell`, or set CHROME")
}

fn desktop_executable() -> PathBuf {
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    in_path(&names).expect("no full browser in PATH, whose dialogs this is about: `scripts/need chromium`")
}

fn in_path(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    names.iter().find_map(|name| {
        std::env::split_paths(&path).map(|folder| folder.join(name)).find(|candidate| candidate.is_file())
    })
}
