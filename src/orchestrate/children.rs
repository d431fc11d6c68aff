//! The children of a fleet by job. A dead one is kept until its job is done with it: as long as it is not
//! reaped, neither its number nor its group's can belong to another process.

use std::collections::BTreeMap;
use std::io;

use super::uptime::Uptime;
use super::world::{ProcessTable, SpawnedRun as _};
use crate::store::LockHolder;
use regatta_core::fleet::{ChildExit, JobId};
use regatta_core::id::ProfileId;

/// The living and the dead but not yet reaped.
#[derive(Debug)]
pub struct Children<T: ProcessTable> {
    table: T,
    living: BTreeMap<JobId, T::Child>,
    dead: BTreeMap<JobId, T::Child>,
}

impl<T: ProcessTable> Children<T> {
    pub const fn new(table: T) -> Self {
        Self { table, living: BTreeMap::new(), dead: BTreeMap::new() }
    }

    /// Spawns a run of the profile. Returns its process id.
    pub fn spawn(&mut self, job: JobId, profile: &ProfileId) -> io::Result<u32> {
        let child = self.table.spawn(profile)?;
        let pid = child.pid();
        self.living.insert(job, child);
        Ok(pid)
    }

    /// Returns when some child may have died. Safe to drop and to call again.
    pub async fn changed(&mut self) {
        self.table.changed().await;
    }

    /// Returns those that died since the last call. They stay zombies until [`Children::reap`] or
    /// [`Children::end_group`].
    pub fn take_exited(&mut self) -> Vec<(JobId, ChildExit)> {
        let exited: Vec<(JobId, ChildExit)> =
            self.living.iter_mut().filter_map(|(job, child)| Some((*job, child.exit()?))).collect();
        for (job, _) in &exited {
            if let Some(child) = self.living.remove(job) {
                self.dead.insert(*job, child);
            }
        }
        exited
    }

    /// Whether the job's process is a child that lives.
    pub fn lives(&self, job: JobId) -> bool {
        self.living.contains_key(&job)
    }

    pub fn terminate(&self, job: JobId) -> io::Result<()> {
        self.living.get(&job).map_or(Ok(()), T::Child::terminate)
    }

    /// Kills the child and everything in its group.
    pub fn kill(&mut self, job: JobId) -> io::Result<()> {
        self.living.get_mut(&job).map_or(Ok(()), T::Child::kill)
    }

    /// Forgets a dead child; what it left behind stays.
    pub fn reap(&mut self, job: JobId) {
        if let Some(child) = self.dead.remove(&job) {
            child.reap();
        }
    }

    /// Kills what is left of a dead child's group, then reaps it. `None` where it was no child: the owner of
    /// its group is unknown by now.
    pub fn end_group(&mut self, job: JobId) -> Option<T::Group> {
        let child = self.dead.remove(&job)?;
        self.table.end_group(child)
    }

    pub fn terminate_adopted(&self, holder: &LockHolder) -> io::Result<()> {
        self.table.terminate_adopted(holder)
    }

    pub fn kill_adopted(&self, holder: &LockHolder) -> io::Result<()> {
        self.table.kill_adopted(holder)
    }

    pub fn end_adopted_group(&self, holder: &LockHolder, seen: Uptime) -> Option<T::Group> {
        self.table.end_adopted_group(holder, seen)
    }
}
