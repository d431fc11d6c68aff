//! Drives many profiles at once: the shell around [`regatta_core::fleet`].
//!
//! Children, signals, timers and files become inputs of the fleet, one after the other, and its
//! effects are carried out. Nothing here decides which profile runs, waits, or is given up.
//!
//! One task, no locks between tasks: files are read on other threads (`files`), which send what they
//! found. All that this process holds in memory may be lost at any moment: the next
//! orchestrator recovers it from sessions, locks and event files.

use std::cell::RefCell;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::mpsc::unbounded_channel;

use self::machine_world::MachineWorld;
use self::outcomes::{Outcomes, SinkSpec};
use self::shell::Shell;
use self::world::{FleetWorld, FolderLock as _};
use crate::defaults;
use crate::providers::{ErrorHint, Provider};
use crate::store::{Layout, LockError, LockHolder, StoreError};
use regatta_core::fleet::fact::{FleetFact, FleetNotice};
use regatta_core::fleet::report::FleetReport;
use regatta_core::fleet::source_notice::SourceNotice;
use regatta_core::fleet::{Admission, FleetConfig, TimeLimits};
use regatta_core::id::Flag;
use regatta_core::retry::Backoff;
use regatta_core::site_busy::BUSY_RETRIES;

mod children;
mod files;
mod intake;
mod machine;
mod machine_world;
pub mod outcomes;
#[cfg_attr(unix, path = "process_unix.rs")]
#[cfg_attr(not(unix), path = "process_other.rs")]
mod process;
pub mod profile_actions;
mod shell;
pub mod source;
mod spool;
mod uptime;
pub mod world;

pub use self::intake::{Intake, IntakeError};
pub use self::machine::resident_memory;
pub use self::spool::Spool;
pub use self::uptime::Uptime;

/// After an orchestrator was killed: a run it had just launched has its profile's lock by then, and is
/// found alive. Until then no orchestrator counts it.
pub const LAUNCH_GRACE: Duration = Duration::from_secs(1);

#[derive(Debug, Clone)]
pub struct OrchestrateOptions {
    pub layout: Layout,
    pub provider_hint: ErrorHint,
    /// Runs that may live at once.
    pub max: u32,
    /// Between two launches, and the share of it that chance adds or takes.
    pub stagger: Duration,
    pub stagger_jitter: f64,
    /// Further attempts after the first.
    pub retries: u32,
    pub backoff: Backoff,
    /// How often a profile whose site is busy goes back into the queue.
    pub busy_retries: u32,
    /// The seed of all the fleet's randomness.
    pub seed: u64,
    /// Own binary, and what comes before the profile id.
    pub program: PathBuf,
    pub run_arguments: Vec<OsString>,
    /// The workflow's flags: a profile is completed when all of them are set.
    pub flags: Vec<Flag>,
    /// After the first request to stop, how long runs may take before they are killed; `None`: as
    /// long as their step needs.
    pub term_grace: Option<Duration>,
    pub limits: TimeLimits,
    pub admission: Admission,
    /// Bound of stopping the browser of a crashed run.
    pub browser_stop_bound: Duration,
    /// Where outcomes are delivered.
    pub outcomes: Option<SinkSpec>,
}

impl OrchestrateOptions {
    /// With the usual limits.
    pub fn new(layout: Layout, program: PathBuf, run_arguments: Vec<OsString>, flags: Vec<Flag>) -> Self {
        Self {
            layout,
            provider_hint: |_| None,
            max: defaults::MAX_RUNS.into(),
            stagger: defaults::STAGGER,
            stagger_jitter: defaults::STAGGER_JITTER,
            retries: defaults::RETRIES,
            busy_retries: BUSY_RETRIES,
            backoff: Backoff::default(),
            seed: 0,
            program,
            run_arguments,
            flags,
            term_grace: None,
            limits: TimeLimits::default(),
            admission: Admission::default(),
            browser_stop_bound: defaults::BROWSER_STOP,
            outcomes: None,
        }
    }

    const fn fleet(&self, asked_at_once: usize) -> FleetConfig {
        FleetConfig {
            max: self.max,
            stagger: self.stagger,
            stagger_jitter: self.stagger_jitter,
            retries: self.retries,
            busy_retries: self.busy_retries,
            backoff: self.backoff,
            drain_limit: self.term_grace,
            seed: self.seed,
            limits: self.limits,
            admission: self.admission,
            asked_at_once,
        }
    }
}

#[derive(Debug, Error)]
pub enum OrchestrateError {
    #[error("another orchestrator holds this folder{}", holder.as_ref().map(|h| format!(" (process {})", h.pid)).unwrap_or_default())]
    Busy { holder: Option<LockHolder> },
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Profiles that were enqueued before ran to their end, as the report says.
    #[error("{problem}")]
    Intake { problem: IntakeError, report: Box<FleetReport> },
    /// Runs that were launched before ran to their end, as the report says.
    #[error("{message}")]
    ProviderRefuses { message: String, hint: Option<String>, report: Box<FleetReport> },
    #[error("cannot open the outbox {}: {problem}", path.display())]
    Outbox { path: PathBuf, problem: String },
    #[error("cannot listen for signals, or keep a file in the folder of sessions")]
    Signals(#[source] io::Error),
}

/// Runs every profile to its outcome, or until it is asked to stop (Ctrl-C, or what a service or a
/// closing terminal sends: once to drain, twice to kill). The children outlive this process if it
/// dies; the next call adopts them. Wants a tokio runtime with io and time.
pub async fn orchestrate(
    options: OrchestrateOptions,
    profiles: impl Into<Intake>,
    provider: Arc<dyn Provider>,
    notices: &mut dyn FnMut(FleetNotice),
) -> Result<FleetReport, OrchestrateError> {
    let world = MachineWorld::new(&options);
    orchestrate_in(world, options, profiles, provider, notices).await
}

/// As [`orchestrate`], in a given world. Outcomes are delivered from this machine.
pub async fn orchestrate_in<W: FleetWorld>(
    world: W,
    options: OrchestrateOptions,
    profiles: impl Into<Intake>,
    provider: Arc<dyn Provider>,
    notices: &mut dyn FnMut(FleetNotice),
) -> Result<FleetReport, OrchestrateError> {
    let lock = world.lock_folder().map_err(|error| match error {
        LockError::Held { holder } => OrchestrateError::Busy { holder },
        LockError::Io(error) => error.into(),
    })?;
    if lock.holder_was_killed() {
        tokio::time::sleep(LAUNCH_GRACE).await;
    }
    let (sink_notices, mut received) = unbounded_channel();
    let outcomes = match &options.outcomes {
        Some(sink) => {
            let started = Outcomes::start(&options.layout, sink.clone(), sink_notices).await;
            Some(started.map_err(|error| {
                let problem = source::sql_problem(&error);
                OrchestrateError::Outbox { path: options.layout.outbox(), problem }
            })?)
        }
        None => None,
    };
    // Both the fleet and the delivery of outcomes emit notices.
    let notices = RefCell::new(notices);
    let mut tap = |notice: FleetNotice| {
        if let Some(outcomes) = &outcomes {
            outcomes.observe(&notice);
        }
        (notices.borrow_mut())(notice);
    };
    let emit = |notice: SourceNotice| {
        (notices.borrow_mut())(FleetNotice { at: world.now(), fact: FleetFact::Source(notice) });
    };
    let report = {
        let shell =
            Shell::new(world.clone(), options, provider, &mut tap).map_err(OrchestrateError::Signals)?;
        let fleet = shell.run(profiles.into());
        tokio::pin!(fleet);
        loop {
            tokio::select! {
                biased;
                report = &mut fleet => break report,
                Some(notice) = received.recv() => emit(notice),
            }
        }
    };
    if let Some(outcomes) = outcomes
        && let Some(waiting) = outcomes.finish().await
    {
        emit(waiting);
    }
    report
}
