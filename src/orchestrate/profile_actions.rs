//! What a person may do to one profile outside of a fleet: start a run of it, ask its run to stop, forget
//! its steps. Serves the dashboard and `watch`.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::process::{spawn_detached, terminate_adopted};
use crate::providers::run_mark;
use crate::store::{Layout, OpenSession, SessionError, StoreError, lock, session};
use regatta_core::id::{ProfileId, RunId};
use regatta_core::session::Status;

/// How this program starts a run of a profile.
#[derive(Debug, Clone)]
pub struct RunCommand {
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl RunCommand {
    /// `arguments` come before the profile's id.
    pub fn new(program: &Path, arguments: &[OsString]) -> Self {
        Self { program: program.to_owned(), arguments: arguments.to_owned() }
    }
}

#[derive(Debug, Error)]
pub enum ProfileActionError {
    #[error("{0} is already being run")]
    AlreadyRunning(ProfileId),
    #[error("{0} is completed: no step is open")]
    Completed(ProfileId),
    #[error("{0} needs your answer first")]
    NeedsAttention(ProfileId),
    #[error("{0} is not being run")]
    NotRunning(ProfileId),
    #[error("there is no session of {0}: it has not run yet")]
    NoSession(ProfileId),
    #[error("cannot start a process")]
    Spawn(#[source] io::Error),
    #[error("cannot ask process {pid} to stop")]
    Terminate { pid: u32, source: io::Error },
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Spawns a run as a fleet does: in a group of its own, its output in the profile's log. Returns its
/// process id.
pub fn start_run(layout: &Layout, run: &RunCommand, profile: &ProfileId) -> Result<u32, ProfileActionError> {
    if session::is_running(layout, profile)? {
        return Err(ProfileActionError::AlreadyRunning(profile.clone()));
    }
    match session::read(layout, profile)?.map(|session| session.status) {
        Some(Status::Completed) => return Err(ProfileActionError::Completed(profile.clone())),
        Some(Status::NeedsAttention) => return Err(ProfileActionError::NeedsAttention(profile.clone())),
        _ => {}
    }
    layout.create_folders()?;
    let arguments: Vec<OsString> = run.arguments.iter().cloned().chain([profile.as_str().into()]).collect();
    let mark = run_mark::mark(layout, profile);
    let mark = (run_mark::MARK, mark.as_os_str());
    let mut child = spawn_detached(&run.program, &arguments, mark, &layout.log(profile))
        .map_err(ProfileActionError::Spawn)?;
    let pid = child.id();
    // Reaps the child, which would stay a zombie.
    std::thread::spawn(move || child.wait());
    Ok(pid)
}

/// Asks the run of the profile to stop after the step it is in. Signals only the process that holds the
/// lock: a process id alone may belong to a stranger.
pub fn stop_run(layout: &Layout, profile: &ProfileId) -> Result<(), ProfileActionError> {
    let path = layout.session_lock(profile);
    let holder = if lock::is_held(&path)? { lock::holder(&path) } else { None };
    let Some(holder) = holder else { return Err(ProfileActionError::NotRunning(profile.clone())) };
    terminate_adopted(&holder).map_err(|source| ProfileActionError::Terminate { pid: holder.pid, source })
}

/// Forgets that steps were done, as `regatta reset` does; identity fields are kept.
pub fn reset_steps(layout: &Layout, profile: &ProfileId) -> Result<(), ProfileActionError> {
    let Some(found) = session::read(layout, profile)? else {
        return Err(ProfileActionError::NoSession(profile.clone()));
    };
    let now = jiff::Timestamp::now();
    let run_id = RunId::new(now, rand::random());
    let mut open = OpenSession::open(layout, profile, &run_id, now, || found)?;
    open.update(|session| session.reset(None))?;
    Ok(())
}
