//! Ends a browser's process group and sees it gone.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

/// Kills the group of `leader`, which must not have been reaped: until then no other process has its number.
pub fn kill(leader: Pid) {
    // The only failure is that the group has ended.
    let _ = kill_process_group(leader, Signal::KILL);
}

/// The killed members are not our children, so there is nothing to wait on but the group's number.
/// The check sends no signal, so a reused number does no harm.
pub async fn gone(leader: Pid) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while has_members(leader) && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A zombie does nothing any more, and is its new parent's business, which may take its time.
fn has_members(leader: Pid) -> bool {
    if test_kill_process_group(leader).is_err() {
        return false;
    }
    let Ok(processes) = fs::read_dir("/proc") else {
        return true;
    };
    let leader = leader.to_string();
    processes
        .flatten()
        .filter_map(|process| fs::read_to_string(process.path().join("stat")).ok())
        .any(|stat| is_running_member(&stat, &leader))
}

/// `pid (name) state parent group …`, where the name may hold anything.
fn is_running_member(stat: &str, leader: &str) -> bool {
    let Some((_, fields)) = stat.rsplit_once(") ") else {
        return false;
    };
    let mut fields = fields.split(' ');
    let state = fields.next();
    let group = fields.nth(1);
    group == Some(leader) && state != Some("Z") && state != Some("X")
}

#[cfg(test)]
mod tests {
    use super::is_running_member;

    #[test]
    fn a_zombie_is_no_running_member() {
        assert!(is_running_member("12 (a) b) S 1 7 7 0", "7"));
        assert!(!is_running_member("12 (a) b) Z 1 7 7 0", "7"));
        assert!(!is_running_member("12 (a) b) S 1 8 7 0", "7"));
    }
}
