//! What a person may do to a profile from the dashboard and from `watch`: start a run of it, ask its run
//! to stop, forget its steps. Each is refused with what to do instead where it does not fit.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::command_error::CommandError;
use crate::orchestrate::ask_to_stop;
use crate::providers::leftovers;
use crate::store::{Layout, OpenSession, StoreError, lock, session};
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

/// A run as a fleet starts one: in a group of its own, its output in the profile's log.
pub fn start(layout: &Layout, run: &RunCommand, profile: &ProfileId) -> Result<String, CommandError> {
    if session::is_running(layout, profile)? {
        return Err(CommandError::usage(format!("{profile} is being run already")));
    }
    match session::read(layout, profile)?.map(|session| session.status) {
        Some(Status::Completed) => {
            return Err(CommandError::usage(format!("{profile} is completed: nothing is left to do"))
                .hint("reset it to do its steps again".to_owned()));
        }
        Some(Status::NeedsAttention) => {
            return Err(CommandError::usage(format!("{profile} waits for your answer"))
                .hint(format!("look, then: regatta resolve {profile} --done, or --again")));
        }
        _ => {}
    }
    layout.create_folders()?;
    let path = layout.log(profile);
    let log = OpenOptions::new().create(true).append(true).open(&path);
    let log = log.map_err(StoreError::at("open the log", &path))?;
    let error = log.try_clone().map_err(StoreError::at("open the log", &path))?;
    let mut command = Command::new(&run.program);
    command.args(&run.arguments).arg(profile.as_str());
    command.env(leftovers::MARK, leftovers::mark(layout, profile));
    command.stdin(Stdio::null()).stdout(log).stderr(error);
    // What ends this program by the terminal does not end the run.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child =
        command.spawn().map_err(|error| CommandError::usage(format!("cannot start a process: {error}")))?;
    let pid = child.id();
    // Somebody has to hear of its end, or it stays as a zombie.
    std::thread::spawn(move || child.wait());
    Ok(format!("{profile}: a run was started (process {pid})"))
}

/// Only the holder of the lock is asked: a number alone may be anybody's.
pub fn stop(layout: &Layout, profile: &ProfileId) -> Result<String, CommandError> {
    let path = layout.session_lock(profile);
    let holder = if lock::is_held(&path)? { lock::holder(&path) } else { None };
    let Some(holder) = holder else {
        return Err(CommandError::usage(format!("nobody runs {profile}")));
    };
    ask_to_stop(&holder).map_err(|error| {
        CommandError::usage(format!("cannot ask process {} to stop: {error}", holder.pid))
    })?;
    Ok(format!("{profile}: its run stops after the step it is in"))
}

/// As `regatta reset`: identity fields are kept.
pub fn reset(layout: &Layout, profile: &ProfileId) -> Result<String, CommandError> {
    let Some(found) = session::read(layout, profile)? else {
        return Err(CommandError::usage(format!("there is no session of {profile}: it has not run yet")));
    };
    let now = jiff::Timestamp::now();
    let run_id = RunId::new(now, rand::random());
    let mut open = OpenSession::open(layout, profile, &run_id, now, || found)?;
    open.update(|session| session.reset(None))?;
    Ok(format!("{profile}: every step will run again"))
}
