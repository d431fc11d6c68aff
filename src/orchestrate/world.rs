//! The world outside of a fleet: processes, files, signals, the clock of the wall. The program has the machine
//! (`machine_world`), the simulation a world of its own, which fails at any moment.
//!
//! Reads that another process can overtake are futures, so that the simulation lets it. On a machine they
//! are ready at once and block, so they belong into [`FleetWorld::spawn_file_work`], but for a few on the
//! loop that ask about a single file.

use std::collections::HashSet;
use std::fmt;
use std::future::Future;
use std::io;
use std::time::Duration;

use jiff::Timestamp;

use super::spool::Spool;
use super::uptime::Uptime;
use crate::providers::leftovers::EndError;
use crate::providers::{Provider, ProviderError};
use crate::store::event_log::FollowedFile;
use crate::store::{Lock, LockError, LockHolder, SessionError, StoreError};
use regatta_core::fleet::{ChildExit, MachineLoad};
use regatta_core::id::ProfileId;
use regatta_core::session::Session;

pub trait FleetWorld: Clone + Send + Sync + 'static {
    type FolderLock: FolderLock;
    type Processes: ProcessTable;
    type StopSignals: StopSignals;
    type Sessions: SessionFolder;
    type EventFile: FollowedFile + fmt::Debug + Send + Sync + 'static;

    /// The time of day.
    fn now(&self) -> Timestamp;

    /// Runs work that may block for files, beside the loop.
    fn spawn_file_work(&self, work: impl Future<Output = ()> + Send + 'static);

    fn lock_folder(&self) -> Result<Self::FolderLock, LockError>;

    fn processes(&self) -> io::Result<Self::Processes>;

    fn stop_signals(&self) -> io::Result<Self::StopSignals>;

    fn spool(&self) -> io::Result<Spool>;

    /// Returns whether a run holds the profile.
    fn is_held(&self, profile: &ProfileId) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Returns the last holder of the profile's lock. It counts only while the lock is held.
    fn lock_holder(&self, profile: &ProfileId) -> impl Future<Output = Option<LockHolder>> + Send;

    /// Returns the profiles that ever ran, in order.
    fn profiles_with_lock(&self) -> Result<Vec<ProfileId>, StoreError>;

    /// Returns the time on the clock by which the system counts the starts of processes.
    fn uptime(&self) -> Option<Uptime>;

    /// Lists the sessions once, to read many.
    fn sessions(&self) -> Result<Self::Sessions, SessionError>;

    /// Reads one session.
    fn session(
        &self,
        profile: &ProfileId,
    ) -> impl Future<Output = Result<Option<Session>, SessionError>> + Send;

    /// Makes the session durable where the profile has none.
    fn begin_session(&self, profile: &ProfileId, fresh: impl FnOnce() -> Session)
    -> Result<(), SessionError>;

    fn events(&self, profile: &ProfileId) -> Self::EventFile;

    /// Returns how many bytes the profile's runs have printed.
    fn output_length(&self, profile: &ProfileId) -> u64;

    /// Returns what the profile's runs have printed from an offset on, at most some kilobytes.
    fn output(&self, profile: &ProfileId, from: u64) -> Option<String>;

    fn is_disk_full(&self) -> bool;

    fn measure(&self) -> impl Future<Output = MachineLoad> + Send;

    /// Returns the profiles whose browsers or other processes still run.
    fn profiles_with_leftovers(
        &self,
        provider: &dyn Provider,
    ) -> impl Future<Output = Result<HashSet<ProfileId>, ProviderError>>;

    /// Ends what a dead run left, its browser included, within a bound.
    fn end_leftovers(
        &self,
        provider: &dyn Provider,
        profile: &ProfileId,
        bound: Duration,
    ) -> impl Future<Output = Result<(), EndError>>;
}

/// The lock of the folder, held until it is dropped.
pub trait FolderLock {
    /// Whether the last holder ended without releasing it.
    fn holder_was_killed(&self) -> bool;
}

impl FolderLock for Lock {
    fn holder_was_killed(&self) -> bool {
        Self::holder_was_killed(self)
    }
}

/// The documents of a folder, listed once.
pub trait SessionFolder: Send + Sync {
    fn read(&self, profile: &ProfileId)
    -> impl Future<Output = Result<Option<Session>, SessionError>> + Send;
}

/// Requests to stop the fleet.
pub trait StopSignals {
    /// Returns at the next request. Safe to drop and to call again.
    fn requested(&mut self) -> impl Future<Output = ()>;
}

/// Spawns runs, and signals and reaps them.
pub trait ProcessTable {
    type Child: SpawnedRun;
    type Group: EndedRunGroup;

    fn spawn(&mut self, profile: &ProfileId) -> io::Result<Self::Child>;

    /// Returns when some child may have died. Safe to drop and to call again.
    fn changed(&mut self) -> impl Future<Output = ()>;

    /// Kills what is left of a dead child's group and reaps the child.
    fn end_group(&mut self, child: Self::Child) -> Option<Self::Group>;

    /// Asks a run that is no child to stop after its step.
    fn terminate_adopted(&self, holder: &LockHolder) -> io::Result<()>;

    /// Ends a run that is no child, its group too where it leads one.
    fn kill_adopted(&self, holder: &LockHolder) -> io::Result<()>;

    /// Kills what is left of the group of a dead run that was no child. `None` where there is nothing, or
    /// nothing that is surely its own. `seen`: when the run was last seen alive.
    fn end_adopted_group(&self, holder: &LockHolder, seen: Uptime) -> Option<Self::Group>;
}

/// A child process, dead or alive. It keeps its number until it is reaped.
pub trait SpawnedRun {
    fn pid(&self) -> u32;

    /// Returns how it ended, without reaping it.
    fn exit(&mut self) -> Option<ChildExit>;

    /// Asks it to stop after its step.
    fn terminate(&self) -> io::Result<()>;

    /// Ends it and everything in its group.
    fn kill(&mut self) -> io::Result<()>;

    /// Forgets a dead child.
    fn reap(self);
}

/// A killed group. Its members may need a moment to go.
pub trait EndedRunGroup: 'static {
    /// Returns whether every member is gone within a bound.
    fn gone(self) -> impl Future<Output = bool>;
}
