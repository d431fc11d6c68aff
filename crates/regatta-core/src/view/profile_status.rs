//! What a session document and the events say of a profile, to whoever did not run it.

use crate::fleet::ProfileStatus;
use crate::id::{Flag, RunId};
use crate::outcome::RunOutcome;
use crate::session::{Session, Status};
use crate::view::summary::ProfileSummary;

/// Of a profile that nobody runs. `flags` are the workflow's.
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

/// How a run ended whose process only its lock told of. The session knows best; what it leaves open
/// the run's own last word says. `None`: it crashed. `held_by` is the run the lock named.
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
    // A last word that the session does not bear out is that of another workflow.
    summary.outcome().filter(|outcome| is_its_own && *outcome != RunOutcome::Completed)
}
