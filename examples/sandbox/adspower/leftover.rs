//! Clears what a killed sandbox or a crashed Chromium left in a user-data folder.
//!
//! Processes are known by their command line, since the headless shell writes no lock. The full browser's
//! `SingletonLock` (a symlink `host-pid`) survives it, and then blocks the next start.

use std::fs;
use std::io;
use std::path::Path;

use rustix::process::{Pid, getpgid};
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

use super::group;

/// Ends the browser that still runs in this folder, if any, and removes its lock.
///
/// Only called while this process holds the data folder's lock and has no browser of its own here.
pub async fn end(folder: &Path) -> io::Result<()> {
    for leader in leaders(folder) {
        group::kill(leader);
        group::gone(leader).await;
    }
    let lock = folder.join("SingletonLock");
    let Ok(target) = fs::read_link(&lock) else {
        return Ok(());
    };
    let target = target.to_string_lossy().into_owned();
    let Some((host, _)) = target.rsplit_once('-') else {
        return Ok(());
    };
    // Another host's lock says nothing about a process of this one.
    if !System::host_name().is_ok_and(|own| own == host) {
        return Ok(());
    }
    for name in ["SingletonLock", "SingletonSocket", "SingletonCookie"] {
        match fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// The groups of processes that were started with this user-data folder, but for our own.
fn leaders(folder: &Path) -> Vec<Pid> {
    let Ok(mut system) = System::new() else {
        return Vec::new();
    };
    system.refresh_processes_specifics(
        ProcessesToUpdate::All,
        true,
        ProcessRefreshKind::nothing().with_cmd(UpdateKind::Always),
    );
    let argument = format!("--user-data-dir={}", folder.display());
    let own = getpgid(None).ok();
    let mut leaders = Vec::new();
    let of_folder = system
        .processes()
        .iter()
        .filter(|(_, process)| process.cmd().iter().any(|word| word.to_string_lossy() == argument))
        .filter_map(|(pid, _)| Pid::from_raw(i32::try_from(pid.as_u32()).ok()?))
        .filter_map(|pid| getpgid(Some(pid)).ok())
        .filter(|group| Some(*group) != own);
    for leader in of_folder {
        if !leaders.contains(&leader) {
            leaders.push(leader);
        }
    }
    leaders
}
