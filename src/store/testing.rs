//! For the tests of this room: folders, error stories, and child processes of the test binary.

use std::error::Error;
use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Layout;
use regatta_core::id::{ProfileId, RunId};

pub fn folder() -> (tempfile::TempDir, Layout) {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    layout.create_folders().unwrap();
    (folder, layout)
}

pub fn profile() -> ProfileId {
    "p1".parse().unwrap()
}

pub fn now() -> jiff::Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

pub fn run_id() -> RunId {
    RunId::new(now(), 1)
}

/// The error and its causes, a line each, as the command line prints them.
pub fn story(error: &dyn Error, hint: Option<&str>) -> String {
    let mut lines = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        lines.push(error.to_string());
        cause = error.source();
    }
    lines.extend(hint.map(|hint| format!("hint: {hint}")));
    lines.join("\n")
}

const CHILD: &str = "REGATTA_TEST_CHILD";

/// The test binary again, running only `test` (its full name), which finds `value` in
/// [`child_value`]. Under any other start that function gives `None` and the test does nothing.
pub fn child(test: &str, value: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(CHILD, value);
    command
}

pub fn child_value() -> Option<String> {
    std::env::var(CHILD).ok()
}

/// Runs sixteen children at once, and kills and replaces one after the other, for
/// `STORM_SECONDS` or a moment. `next` gives the child of a place, and is shown what the one before it
/// had printed; the last ones are killed too.
pub fn storm(mut next: impl FnMut(usize, Option<&str>) -> Command) {
    let seconds = std::env::var("STORM_SECONDS").map_or(2, |seconds| seconds.parse().unwrap());
    let until = Instant::now() + Duration::from_secs(seconds);
    let spawn = |mut command: Command| command.stdout(Stdio::piped()).spawn().unwrap();
    let kill = |child: &mut Child| {
        child.kill().unwrap();
        child.wait().unwrap();
        let mut said = String::new();
        child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        said
    };
    let mut children: Vec<_> = (0..16).map(|place| spawn(next(place, None))).collect();
    let mut kills = 0;
    while Instant::now() < until {
        // Not to synchronise: the kill is to fall anywhere.
        sleep(Duration::from_millis(rand::random_range(0..100)));
        let place = rand::random_range(0..children.len());
        let said = kill(&mut children[place]);
        children[place] = spawn(next(place, Some(&said)));
        kills += 1;
    }
    for (place, child) in children.iter_mut().enumerate() {
        let said = kill(child);
        let _ = next(place, Some(&said));
    }
    println!("{kills} kills in {seconds} s");
}
