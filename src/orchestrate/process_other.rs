//! Child processes where there are no process groups and no signals. A child cannot be asked to stop
//! there, only ended; and what it started is ended by the provider alone.

use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::machine_world::RunSpawner;
use super::uptime::Uptime;
use super::world::{EndedRunGroup, ProcessTable, SpawnedRun, StopSignals};
use crate::store::LockHolder;
use regatta_core::fleet::ChildExit;
use regatta_core::id::ProfileId;

/// The system does not signal that a child died.
const POLL: Duration = Duration::from_millis(50);

/// The processes of this machine, and how a run is spawned.
#[derive(Debug)]
pub struct SystemProcesses {
    command: RunSpawner,
}

impl SystemProcesses {
    pub fn new(command: RunSpawner) -> io::Result<Self> {
        Ok(Self { command })
    }
}

impl ProcessTable for SystemProcesses {
    type Child = Child;
    type Group = EndedGroup;

    fn spawn(&mut self, profile: &ProfileId) -> io::Result<Child> {
        self.command.spawn(profile)
    }

    async fn changed(&mut self) {
        tokio::time::sleep(POLL).await;
    }

    fn end_group(&mut self, _child: Child) -> Option<EndedGroup> {
        None
    }

    fn terminate_adopted(&self, holder: &LockHolder) -> io::Result<()> {
        terminate_adopted(holder)
    }

    fn kill_adopted(&self, _holder: &LockHolder) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn end_adopted_group(&self, _holder: &LockHolder, _seen: Uptime) -> Option<EndedGroup> {
        None
    }
}

impl SpawnedRun for Child {
    fn pid(&self) -> u32 {
        self.id()
    }

    fn exit(&mut self) -> Option<ChildExit> {
        match self.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(status.code().map_or(ChildExit::Unknown, ChildExit::Code)),
            Err(_) => Some(ChildExit::Unknown),
        }
    }

    fn terminate(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn kill(&mut self) -> io::Result<()> {
        Child::kill(self)
    }

    fn reap(self) {}
}

/// Starts a process that outlives this one: its output is appended to `log`, and it has no input.
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
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()
}

#[derive(Debug)]
pub struct EndedGroup;

impl EndedRunGroup for EndedGroup {
    async fn gone(self) -> bool {
        true
    }
}

pub fn terminate_adopted(_holder: &LockHolder) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[derive(Debug)]
pub struct SystemSignals;

impl SystemSignals {
    pub fn new() -> io::Result<Self> {
        Ok(Self)
    }
}

impl StopSignals for SystemSignals {
    async fn requested(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
