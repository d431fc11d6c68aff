//! Child processes on Unix, each the leader of its own group.
//!
//! A dead leader is inspected without being reaped first: as long as it is a zombie, neither its
//! number nor its group's can belong to another process, and the group may safely be signalled. Neither
//! tokio nor process-wrap leaves that moment open, since both reap when they wait.
//!
//! Nothing here uses `pre_exec`, which would make the standard library fork instead of
//! `posix_spawn`: 30 times slower from a process of some size.

use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, getpgid, kill_process, kill_process_group, test_kill_process_group,
    waitid,
};
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};
use tokio::signal::unix::{self, SignalKind};

use super::machine_world::RunSpawner;
use super::uptime::Uptime;
use super::world::{EndedRunGroup, ProcessTable, SpawnedRun, StopSignals};
use crate::store::LockHolder;
use regatta_core::fleet::ChildExit;
use regatta_core::id::ProfileId;

/// How long members of a killed group may take to be gone.
const GROUP_GONE: Duration = Duration::from_secs(2);
const GROUP_POLL: Duration = Duration::from_millis(5);

/// Between what the lock says and what the system says about the start of one process: the system
/// counts whole seconds.
const START_SLACK: i64 = 2;

/// The processes of this machine, and how a run is spawned.
#[derive(Debug)]
pub struct SystemProcesses {
    command: RunSpawner,
    changed: unix::Signal,
}

impl SystemProcesses {
    /// Needs tokio's signal driver.
    pub fn new(command: RunSpawner) -> io::Result<Self> {
        Ok(Self { command, changed: unix::signal(SignalKind::child())? })
    }
}

impl ProcessTable for SystemProcesses {
    type Child = Child;
    type Group = EndedGroup;

    fn spawn(&mut self, profile: &ProfileId) -> io::Result<Child> {
        self.command.spawn(profile)
    }

    async fn changed(&mut self) {
        if self.changed.recv().await.is_none() {
            std::future::pending().await
        }
    }

    fn end_group(&mut self, mut child: Child) -> Option<EndedGroup> {
        let group = Pid::from_child(&child);
        // On some systems a group of zombies only may not be signalled; there is nothing to kill then.
        let _ = kill_process_group(group, Signal::KILL);
        let _ = child.wait();
        Some(EndedGroup(group))
    }

    fn terminate_adopted(&self, holder: &LockHolder) -> io::Result<()> {
        terminate_adopted(holder)
    }

    fn kill_adopted(&self, holder: &LockHolder) -> io::Result<()> {
        let Some(pid) = living_pid(holder) else { return Ok(()) };
        let leads = getpgid(Some(pid)).is_ok_and(|group| group == pid);
        tolerate_gone(if leads {
            kill_process_group(pid, Signal::KILL)
        } else {
            kill_process(pid, Signal::KILL)
        })
    }

    fn end_adopted_group(&self, holder: &LockHolder, seen: Uptime) -> Option<EndedGroup> {
        end_adopted_group(holder, seen)
    }
}

impl SpawnedRun for Child {
    fn pid(&self) -> u32 {
        self.id()
    }

    /// It stays a zombie.
    fn exit(&mut self) -> Option<ChildExit> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(Pid::from_child(self)), options) {
            Ok(None) | Err(Errno::INTR) => None,
            Ok(Some(status)) => Some(match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => ChildExit::Code(code),
                (None, Some(signal)) => ChildExit::Signal(signal),
                (None, None) => ChildExit::Unknown,
            }),
            // Another part of the process reaped it, or the system leaves no zombies.
            Err(_) => Some(ChildExit::Unknown),
        }
    }

    fn terminate(&self) -> io::Result<()> {
        tolerate_gone(kill_process(Pid::from_child(self), Signal::TERM))
    }

    fn kill(&mut self) -> io::Result<()> {
        tolerate_gone(kill_process_group(Pid::from_child(self), Signal::KILL))
    }

    fn reap(mut self) {
        // Cannot fail or wait: it was seen dead.
        let _ = self.wait();
    }
}

/// Starts a process that outlives this one: it leads a group of its own, its output is appended to `log`, and it has no input.
/// `mark` is a variable of the environment that it passes on to all that it starts.
pub fn spawn_detached(
    program: &Path,
    arguments: &[OsString],
    mark: (&str, &OsStr),
    log: &Path,
) -> io::Result<Child> {
    let output = OpenOptions::new().append(true).create(true).open(log)?;
    Command::new(program)
        .args(arguments)
        .env(mark.0, mark.1)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()
}

/// A killed group; its members may need a moment to go.
#[derive(Debug)]
pub struct EndedGroup(Pid);

impl EndedRunGroup for EndedGroup {
    async fn gone(self) -> bool {
        // While one member is left, the number of the group cannot be reused; once none is, the
        // test is harmless.
        let waited = tokio::time::timeout(GROUP_GONE, async {
            while test_kill_process_group(self.0) != Err(Errno::SRCH) && has_running_member(self.0) {
                tokio::time::sleep(GROUP_POLL).await;
            }
        });
        waited.await.is_ok()
    }
}

/// Asks a run that is not our child to stop after its current step.
pub fn terminate_adopted(holder: &LockHolder) -> io::Result<()> {
    let Some(pid) = living_pid(holder) else { return Ok(()) };
    tolerate_gone(kill_process(pid, Signal::TERM))
}

/// Requests to stop: Ctrl-C, and what a service or a closing terminal sends.
#[derive(Debug)]
pub struct SystemSignals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
    hangup: unix::Signal,
}

impl SystemSignals {
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: unix::signal(SignalKind::interrupt())?,
            terminate: unix::signal(SignalKind::terminate())?,
            hangup: unix::signal(SignalKind::hangup())?,
        })
    }
}

impl StopSignals for SystemSignals {
    async fn requested(&mut self) {
        tokio::select! {
            Some(()) = self.interrupt.recv() => {}
            Some(()) = self.terminate.recv() => {}
            Some(()) = self.hangup.recv() => {}
            else => std::future::pending().await,
        }
    }
}

fn tolerate_gone(result: Result<(), Errno>) -> io::Result<()> {
    match result {
        Err(Errno::SRCH) => Ok(()),
        other => other.map_err(io::Error::from),
    }
}

/// The holder's process, if the process of that number is not a later one.
fn living_pid(holder: &LockHolder) -> Option<Pid> {
    let pid = sysinfo::Pid::from_u32(holder.pid);
    let mut system = System::new().ok()?;
    system.refresh_processes_specifics(
        ProcessesToUpdate::Some(&[pid]),
        true,
        ProcessRefreshKind::nothing().without_tasks(),
    );
    let started = i64::try_from(system.process(pid)?.start_time()).ok()?;
    let is_holder = started <= holder.started_at.as_second() + START_SLACK;
    is_holder.then(|| Pid::from_raw(i32::try_from(holder.pid).ok()?)).flatten()
}

/// Kills what is left of the group of a run that was no child of ours and died. `None` where there is
/// nothing, or nothing that is surely its own.
///
/// `seen` is when the run was last seen alive. A member that began before then was in the group
/// while the run led it, and a group with a member keeps its number: it is the same group still.
#[cfg(target_os = "linux")]
fn end_adopted_group(holder: &LockHolder, seen: Uptime) -> Option<EndedGroup> {
    let group = Pid::from_raw(i32::try_from(holder.pid).ok()?)?;
    let mut members = running_members(group).peekable();
    members.peek()?;
    if !members.any(|member| member.started <= seen.hundredths()) {
        return None;
    }
    let _ = kill_process_group(group, Signal::KILL);
    Some(EndedGroup(group))
}

/// Only Linux lists the members of a group.
#[cfg(not(target_os = "linux"))]
fn end_adopted_group(_holder: &LockHolder, _seen: Uptime) -> Option<EndedGroup> {
    None
}

/// Zombies whose new parent does not reap stay members for ever, and can do nothing any more.
#[cfg(target_os = "linux")]
fn has_running_member(group: Pid) -> bool {
    running_members(group).next().is_some()
}

#[cfg(not(target_os = "linux"))]
fn has_running_member(_group: Pid) -> bool {
    true
}

#[cfg(target_os = "linux")]
struct Member {
    /// As [`Uptime`] counts.
    started: u64,
}

#[cfg(target_os = "linux")]
fn running_members(group: Pid) -> impl Iterator<Item = Member> {
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().as_encoded_bytes().first().is_some_and(u8::is_ascii_digit))
        .filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok())
        .filter_map(move |stat| {
            // `pid (name) state parent group … started`; a name may hold anything, a parenthesis too.
            let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
            let of_group = fields.get(2)?.parse() == Ok(group.as_raw_pid());
            let running = !matches!(*fields.first()?, "Z" | "X");
            let started = fields.get(19)?.parse().ok()?;
            (of_group && running).then_some(Member { started })
        })
}
