//! The world of the program: the processes, files, signals and clock of this machine.

use std::collections::HashSet;
use std::ffi::OsString;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::process::Child;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tracing::warn;

use super::OrchestrateOptions;
use super::machine;
use super::process::{SystemProcesses, SystemSignals, spawn_detached};
use super::spool::Spool;
use super::uptime::Uptime;
use super::world::{FleetWorld, SessionFolder};
use crate::providers::leftovers::{self, EndError};
use crate::providers::run_mark;
use crate::providers::{Provider, ProviderError};
use crate::store::session::{self, SessionReader};
use crate::store::{
    Layout, Lock, LockError, LockHolder, OpenSession, SessionError, StoreError, filesystem, lock, log_file,
};
use regatta_core::fleet::MachineLoad;
use regatta_core::id::{ProfileId, RunId};
use regatta_core::session::Session;

/// The most that is read of a run's output. A run that was refused prints little.
const MOST_OUTPUT: u64 = 64 * 1024;

/// One folder on this machine.
#[derive(Debug, Clone)]
pub struct MachineWorld {
    layout: Arc<Layout>,
    command: RunSpawner,
}

/// How this program spawns a run of a profile.
#[derive(Debug, Clone)]
pub struct RunSpawner {
    layout: Arc<Layout>,
    program: PathBuf,
    /// The arguments before the profile's id.
    arguments: Arc<[OsString]>,
}

impl RunSpawner {
    pub fn spawn(&self, profile: &ProfileId) -> io::Result<Child> {
        let arguments: Vec<OsString> =
            self.arguments.iter().cloned().chain([profile.as_str().into()]).collect();
        let mark = run_mark::mark(&self.layout, profile);
        let mark = (run_mark::MARK, mark.as_os_str());
        spawn_detached(&self.program, &arguments, mark, &self.layout.log(profile))
    }
}

impl MachineWorld {
    pub fn new(options: &OrchestrateOptions) -> Self {
        let layout = Arc::new(options.layout.clone());
        let command = RunSpawner {
            layout: Arc::clone(&layout),
            program: options.program.clone(),
            arguments: options.run_arguments.as_slice().into(),
        };
        Self { layout, command }
    }
}

impl FleetWorld for MachineWorld {
    type FolderLock = Lock;
    type Processes = SystemProcesses;
    type StopSignals = SystemSignals;
    type Sessions = SessionReader;
    type EventFile = PathBuf;

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn spawn_file_work(&self, work: impl Future<Output = ()> + Send + 'static) {
        let runtime = Handle::current();
        spawn_blocking(move || runtime.block_on(work));
    }

    fn lock_folder(&self) -> Result<Lock, LockError> {
        self.layout.create_folders()?;
        let now = self.now();
        let holder = LockHolder::new(RunId::new(now, rand::random()), now);
        Lock::try_acquire(&self.layout.orchestrator_lock(), &holder)
    }

    fn processes(&self) -> io::Result<SystemProcesses> {
        SystemProcesses::new(self.command.clone())
    }

    fn stop_signals(&self) -> io::Result<SystemSignals> {
        SystemSignals::new()
    }

    fn spool(&self) -> io::Result<Spool> {
        Spool::new(self.layout.state())
    }

    async fn is_held(&self, profile: &ProfileId) -> Result<bool, StoreError> {
        session::is_running(&self.layout, profile)
    }

    async fn lock_holder(&self, profile: &ProfileId) -> Option<LockHolder> {
        lock::holder(&self.layout.session_lock(profile))
    }

    fn profiles_with_lock(&self) -> Result<Vec<ProfileId>, StoreError> {
        self.layout.profiles_with_lock()
    }

    fn uptime(&self) -> Option<Uptime> {
        Uptime::now()
    }

    fn sessions(&self) -> Result<SessionReader, SessionError> {
        SessionReader::new(&self.layout)
    }

    async fn session(&self, profile: &ProfileId) -> Result<Option<Session>, SessionError> {
        session::read(&self.layout, profile)
    }

    fn begin_session(
        &self,
        profile: &ProfileId,
        fresh: impl FnOnce() -> Session,
    ) -> Result<(), SessionError> {
        let now = self.now();
        OpenSession::open(&self.layout, profile, &RunId::new(now, rand::random()), now, fresh).map(drop)
    }

    fn events(&self, profile: &ProfileId) -> PathBuf {
        self.layout.events(profile)
    }

    fn output_length(&self, profile: &ProfileId) -> u64 {
        std::fs::metadata(self.layout.log(profile)).map_or(0, |log| log.len())
    }

    fn output(&self, profile: &ProfileId, from: u64) -> Option<String> {
        log_file::read_from(&self.layout.log(profile), from, MOST_OUTPUT).ok()
    }

    fn is_disk_full(&self) -> bool {
        filesystem::is_full(self.layout.state())
    }

    async fn measure(&self) -> MachineLoad {
        // Should it fail, nothing is known and nothing held up.
        spawn_blocking(machine::measure).await.unwrap_or_default()
    }

    async fn profiles_with_leftovers(
        &self,
        provider: &dyn Provider,
    ) -> Result<HashSet<ProfileId>, ProviderError> {
        let found = leftovers::find(&self.layout, provider).await?;
        Ok(found.iter().map(|left| left.profile().clone()).collect())
    }

    async fn end_leftovers(
        &self,
        provider: &dyn Provider,
        profile: &ProfileId,
        bound: Duration,
    ) -> Result<(), EndError> {
        match leftovers::end_if_free(&self.layout, provider, profile, bound).await {
            // They have to go; a run could not have acquired the lock either.
            Err(EndError::Lock(error)) => {
                warn!(%profile, %error, "cannot hold the profile while it is cleaned up");
                leftovers::end_within(&self.layout, provider, profile, bound).await
            }
            ended => ended,
        }
    }
}

impl SessionFolder for SessionReader {
    async fn read(&self, profile: &ProfileId) -> Result<Option<Session>, SessionError> {
        Self::read(self, profile)
    }
}
