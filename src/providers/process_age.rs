//! Reads when a browser's process began, which distinguishes a new browser from one that ran before.

use jiff::Timestamp;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

/// `None` where the process cannot be seen, or is not a browser that can be driven: in another namespace
/// of processes the number is a stranger's.
pub fn began(pid: u32) -> Option<Timestamp> {
    let mut system = System::new().ok()?;
    let number = Pid::from_u32(pid);
    let wanted = ProcessRefreshKind::nothing().without_tasks().with_cmd(UpdateKind::Always);
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[number]), true, wanted);
    let process = system.process(number)?;
    let can_be_driven =
        process.cmd().iter().any(|argument| argument.to_string_lossy().starts_with("--remote-debugging-p"));
    if !can_be_driven {
        return None;
    }
    precise(pid).or_else(|| Timestamp::from_second(process.start_time().try_into().ok()?).ok())
}

/// To a tick of the kernel: `sysinfo` knows whole seconds.
#[cfg(target_os = "linux")]
fn precise(pid: u32) -> Option<Timestamp> {
    use rustix::time::{ClockId, clock_gettime};
    use std::time::Duration;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let ticks: u64 = stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()?;
    let began = Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64);
    let up = Duration::try_from(clock_gettime(ClockId::Boottime)).ok()?;
    Timestamp::now().checked_sub(up.checked_sub(began)?).ok()
}

#[cfg(not(target_os = "linux"))]
fn precise(_: u32) -> Option<Timestamp> {
    None
}
