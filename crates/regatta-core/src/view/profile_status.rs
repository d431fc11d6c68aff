//! The status of a profile, from its session document and its events, for processes that did not run it.

use crate::fleet::ProfileStatus;
use crate::id::{Flag, RunId};
use crate::outcome::RunOutcome;
use crate::session::{Session, Status};
use crate::view::summary::ProfileSummary;

/// Returns the status of a profile that no process runs. `flags` are those of the workflow.
pub fn profile_status(session: &Session, flags: &[Flag]) -> ProfileStatus {
    match session.status {
        Status::Completed if steps_done(session, flags) == flags.len() => ProfileStatus::Completed,
        Status::NeedsAttention => ProfileStatus::NeedsAttention,
        _ => ProfileStatus::Open,
    }
}

pub fn steps_done(session: &Session, flags: &[Flag]) -> usize {
    flags.iter().filter(|flag| session.completion_flags.is_set(flag)).count()
}

/// Returns how a run ended that was followed only by its lock; `None` where it crashed. The session decides;
/// where steps are open, the run's own `run_finished` does. `held_by` is the run that the lock named.
pub fn outcome_from_lock(
    session: Option<&Session>,
    flags: &[Flag],
    summary: &ProfileSummary,
    held_by: Option<&RunId>,
) -> Option<RunOutcome> {
    match session.map(|session| profile_status(session, flags)) {
        Some(ProfileStatus::Completed) => return Some(RunOutcome::Completed),
        Some(ProfileStatus::NeedsAttention) => return Some(RunOutcome::NeedsAttention),
        _ => {}
    }
    let is_its_own = held_by.is_none() || held_by == summary.run_id.as_ref();
    // A `completed` that the session does not confirm belongs to another workflow.
    summary.outcome().filter(|outcome| is_its_own && *outcome != RunOutcome::Completed)
}
