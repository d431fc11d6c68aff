//! Starts a Chromium for as long as a value lives.

use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::browser::BrowserConnection;
use crate::error::PageError;

/// Executables that are tried in this order; `CHROME` names another one.
const EXECUTABLES: [&str; 5] =
    ["chromium-headless-shell", "chrome-headless-shell", "chromium", "chromium-browser", "google-chrome"];

/// A browser that does not listen after this time has not started.
const START: Duration = Duration::from_secs(30);

/// Between two reads of the port file, and two checks whether the process has ended.
const POLL: Duration = Duration::from_millis(20);

#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    #[error("no Chromium found: looked for {} in PATH", EXECUTABLES.join(", "))]
    NotFound,
    #[error("cannot start {}", executable.display())]
    Spawn { executable: PathBuf, source: io::Error },
    #[error("{} ended, or did not listen within {} s", executable.display(), START.as_secs())]
    NotListening { executable: PathBuf },
    #[error(transparent)]
    Page(#[from] PageError),
}

/// A headless Chromium with a profile of its own in a temporary folder. Dropping it kills the browser and
/// removes the folder.
#[derive(Debug)]
pub struct LaunchedBrowser {
    process: Child,
    folder: PathBuf,
    ws: String,
}

impl LaunchedBrowser {
    /// Starts the browser and waits until it listens. `arguments` follow those that every start has.
    /// As root a browser needs `--no-sandbox`.
    pub async fn start(arguments: &[&str]) -> Result<Self, LaunchError> {
        static STARTS: AtomicU32 = AtomicU32::new(0);
        let executable = executable().ok_or(LaunchError::NotFound)?;
        let start = STARTS.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("regatta-page-{}-{start}", std::process::id()));
        let process = Command::new(&executable)
            .args(["--headless=new", "--remote-debugging-port=0", "--no-first-run", "--disable-gpu"])
            .arg(format!("--user-data-dir={}", folder.display()))
            .args(arguments)
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|source| LaunchError::Spawn { executable: executable.clone(), source })?;
        let mut browser = Self { process, folder, ws: String::new() };
        let deadline = Instant::now() + START;
        loop {
            if let Some(ws) = browser.address() {
                browser.ws = ws;
                return Ok(browser);
            }
            let has_ended = !matches!(browser.process.try_wait(), Ok(None));
            if has_ended || Instant::now() >= deadline {
                return Err(LaunchError::NotListening { executable });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The DevTools address: `ws://127.0.0.1:9222/devtools/browser/…`.
    pub fn ws(&self) -> &str {
        &self.ws
    }

    /// Connects to the browser. Every tab that opens in it belongs to the connection's page.
    pub async fn connect(&self) -> Result<BrowserConnection, LaunchError> {
        Ok(BrowserConnection::connect(&self.ws).await?.started_by_us())
    }

    /// The browser writes its port and its path into this file when it listens.
    fn address(&self) -> Option<String> {
        let text = std::fs::read_to_string(self.folder.join("DevToolsActivePort")).ok()?;
        let (port, path) = text.split_once('\n')?;
        Some(format!("ws://127.0.0.1:{port}{}", path.trim_end()))
    }
}

impl Drop for LaunchedBrowser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        // Its other processes may still write for a moment.
        for _ in 0..50 {
            match std::fs::remove_dir_all(&self.folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => std::thread::sleep(POLL),
                _ => return,
            }
        }
    }
}

fn executable() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("CHROME") {
        return Some(named.into());
    }
    let folders: Vec<_> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    let named = |name| folders.iter().map(move |folder: &PathBuf| folder.join(name));
    EXECUTABLES.iter().flat_map(named).find(|path| path.is_file())
}
