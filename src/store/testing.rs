//! For the tests of this room: folders, error stories, and child processes of the test binary.

use std::error::Error;
use std::process::Command;

use super::Layout;
use crate::domain::id::{ProfileId, RunId};

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
