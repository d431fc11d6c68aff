//! Child processes where there are no process groups and no signals. A child cannot be asked to stop
//! there, only ended; and what it started is ended by the provider alone.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::store::LockHolder;
use regatta_core::fleet::{ChildExit, JobId};

/// Nothing tells that a child died.
const POLL: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub struct Children {
    living: BTreeMap<JobId, Child>,
}

impl Children {
    pub fn new() -> io::Result<Self> {
        Ok(Self { living: BTreeMap::new() })
    }

    pub fn spawn(
        &mut self,
        job: JobId,
        program: &Path,
        arguments: &[OsString],
        mark: (&str, &OsStr),
        log: &Path,
    ) -> io::Result<u32> {
        let child = spawn_detached(program, arguments, mark, log)?;
        let pid = child.id();
        self.living.insert(job, child);
        Ok(pid)
    }

    pub async fn changed(&mut self) {
        tokio::time::sleep(POLL).await;
    }

    pub fn take_exited(&mut self) -> Vec<(JobId, ChildExit)> {
        let exit = |child: &mut Child| match child.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(status.code().map_or(ChildExit::Unknown, ChildExit::Code)),
            Err(_) => Some(ChildExit::Unknown),
        };
        let exited: Vec<_> =
            self.living.iter_mut().filter_map(|(job, child)| Some((*job, exit(child)?))).collect();
        for (job, _) in &exited {
            self.living.remove(job);
        }
        exited
    }

    pub fn lives(&self, job: JobId) -> bool {
        self.living.contains_key(&job)
    }

    pub fn terminate(&self, _job: JobId) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn kill(&mut self, job: JobId) -> io::Result<()> {
        self.living.get_mut(&job).map_or(Ok(()), Child::kill)
    }

    pub fn reap(&mut self, _job: JobId) {}

    pub fn end_group(&mut self, _job: JobId) -> Option<EndedGroup> {
        None
    }
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

impl EndedGroup {
    pub async fn gone(self) -> bool {
        true
    }
}

pub fn terminate_adopted(_holder: &LockHolder) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub fn kill_adopted(_holder: &LockHolder) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub fn end_adopted_group(_holder: &LockHolder, _seen: Uptime) -> Option<EndedGroup> {
    None
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uptime;

impl Uptime {
    pub fn now() -> Option<Self> {
        None
    }
}

#[derive(Debug)]
pub struct StopSignals;

impl StopSignals {
    pub fn new() -> io::Result<Self> {
        Ok(Self)
    }

    pub async fn requested(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
