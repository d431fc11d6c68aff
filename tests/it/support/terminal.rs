//! A terminal with a program in it, kept by tmux: what a person would see.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::program::PATIENCE;

/// The poll interval of another process's screen, which gives nothing to wait on.
const LOOK: Duration = Duration::from_millis(5);

/// Its server is its own, and ends with it.
pub struct Terminal {
    socket: String,
}

impl Terminal {
    /// `program` is a line for the shell. Panics without tmux: no other program can say what is on a screen.
    pub fn start(socket: &Path, program: &str, width: u16, height: u16) -> Self {
        Command::new("tmux")
            .arg("-V")
            .stdout(Stdio::null())
            .status()
            .expect("terminal tests need tmux: run `scripts/need tmux`");
        let terminal = Self { socket: socket.display().to_string() };
        let (width, height) = (width.to_string(), height.to_string());
        terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", &width, "-y", &height, program]);
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let output = Command::new("tmux").args(["-S", &self.socket]).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    pub fn resize(&self, width: u16, height: u16) {
        self.tmux(&["resize-window", "-x", &width.to_string(), "-y", &height.to_string()]);
    }

    /// What it shows, once all of that is in it.
    #[track_caller]
    pub fn shows(&self, parts: &[&str]) -> String {
        self.comes_to(&format!("{parts:?}"), |screen| parts.iter().all(|part| screen.contains(part)))
    }

    /// What it shows, once it is right.
    #[track_caller]
    pub fn comes_to(&self, what: &str, is_right: impl Fn(&str) -> bool) -> String {
        let since = Instant::now();
        loop {
            let screen = self.tmux(&["capture-pane", "-p"]);
            if is_right(&screen) {
                return screen;
            }
            assert!(since.elapsed() < PATIENCE, "{what} never came:\n{screen}");
            std::thread::sleep(LOOK);
        }
    }

    /// Waits for the program's end.
    #[track_caller]
    pub fn ends(&self) {
        let since = Instant::now();
        let lives = || {
            let asked = Command::new("tmux").args(["-S", &self.socket, "has-session"]).output().unwrap();
            asked.status.success()
        };
        while lives() {
            assert!(since.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(LOOK);
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = Command::new("tmux").args(["-S", &self.socket, "kill-server"]).output();
    }
}
