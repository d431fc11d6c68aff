//! The actions of the dashboard and of `watch`, with the sentences that a person reads.

use super::command_error::CommandError;
use crate::orchestrate::profile_actions::{ProfileActionError, RunCommand, reset_steps, start_run, stop_run};
use crate::report::dashboard::ProfileAction;
use crate::store::Layout;
use regatta_core::error_chain::with_cause;
use regatta_core::id::ProfileId;

/// Performs the action and returns what was done, in one sentence.
pub fn perform(
    action: ProfileAction,
    layout: &Layout,
    runs: &RunCommand,
    profile: &ProfileId,
) -> Result<String, CommandError> {
    Ok(match action {
        ProfileAction::Retry => {
            let pid = start_run(layout, runs, profile)?;
            format!("{profile}: a run was started (process {pid})")
        }
        ProfileAction::Stop => {
            stop_run(layout, profile)?;
            format!("{profile}: its run stops after the current step")
        }
        ProfileAction::Reset => {
            reset_steps(layout, profile)?;
            format!("{profile}: every step will run again")
        }
    })
}

impl From<ProfileActionError> for CommandError {
    fn from(error: ProfileActionError) -> Self {
        let hint = match error {
            ProfileActionError::Session(error) => return error.into(),
            ProfileActionError::Store(error) => return error.into(),
            ProfileActionError::Completed(_) => Some("reset it to run its steps again".to_owned()),
            ProfileActionError::NeedsAttention(ref profile) => {
                Some(format!("check what happened, then: regatta resolve {profile} --done, or --again"))
            }
            _ => None,
        };
        Self::usage(with_cause(&error)).hint(hint)
    }
}
