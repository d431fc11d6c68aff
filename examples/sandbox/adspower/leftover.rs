//! Clears what a killed sandbox or a crashed Chromium left in a user-data folder.
//!
//! Chromium's `SingletonLock` (a symlink `host-pid`) survives both, and then blocks the next start.

use std::fs;
use std::io;
use std::path::Path;

use rustix::process::Pid;
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

use super::group;

/// Ends the browser that still runs in this folder, if any, and removes its lock.
///
/// Only called while this process holds the data folder's lock and has no browser of its own here.
pub async fn end(folder: &Path) -> io::Result<()> {
    let lock = folder.join("SingletonLock");
    let Ok(target) = fs::read_link(&lock) else {
        return Ok(());
    };
    let target = target.to_string_lossy().into_owned();
    let Some((host, pid)) = target.rsplit_once('-') else {
        return Ok(());
    };
    // Another host's lock says nothing about a process of this one.
    if !System::host_name().is_ok_and(|own| own == host) {
        return Ok(());
    }
    if let Some(pid) = pid.parse().ok().and_then(Pid::from_raw)
        && drives(pid, folder)
    {
        group::kill(pid);
        group::gone(pid).await;
    }
    for name in ["SingletonLock", "SingletonSocket", "SingletonCookie"] {
        match fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// The number alone proves nothing: it may belong to a stranger by now.
fn drives(pid: Pid, folder: &Path) -> bool {
    let pid = sysinfo::Pid::from_u32(pid.as_raw_nonzero().get().unsigned_abs());
    let Ok(mut system) = System::new() else {
        return false;
    };
    system.refresh_processes_specifics(
        ProcessesToUpdate::Some(&[pid]),
        true,
        ProcessRefreshKind::nothing().with_cmd(UpdateKind::Always),
    );
    let argument = format!("--user-data-dir={}", folder.display());
    system
        .process(pid)
        .is_some_and(|process| process.cmd().iter().any(|word| word.to_string_lossy() == argument))
}
