//! What several of these tests need.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};

/// Process ids with the user-data folder in their arguments: the browser's own, the script that started
/// it, its helpers.
pub fn browser_processes(folder: &Path) -> Vec<i32> {
    let argument = format!("--user-data-dir={}", folder.display());
    let mut found: Vec<(bool, bool, i32)> = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let entry = entry.unwrap();
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let arguments = fs::read(entry.path().join("cmdline")).ok()?;
            let arguments = String::from_utf8_lossy(&arguments).into_owned();
            let (is_helper, is_script) = (arguments.contains("--type="), arguments.starts_with("/bin/sh"));
            arguments.contains(&argument).then_some((is_helper, is_script, pid))
        })
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(.., pid)| pid).collect()
}

/// A failed test leaves no browser of this folder either.
pub struct EndsBrowsers(pub PathBuf);

impl Drop for EndsBrowsers {
    fn drop(&mut self) {
        for pid in browser_processes(&self.0) {
            let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
        }
    }
}
