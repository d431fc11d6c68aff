//! What a session document and the events say of a profile, to whoever did not run it.

use crate::fleet::Standing;
use crate::id::{Flag, RunId};
use crate::outcome::RunOutcome;
use crate::session::{Session, Status};
use crate::view::summary::ProfileSummary;

/// Of a profile that nobody runs. `flags` are the workflow's.
pub fn standing(session: &Session, flags: &[Flag]) -> Standing {
    match session.status {
        Status::Completed if steps_done(session, flags) == flags.len() => Standing::Completed,
        Status::NeedsAttention => Standing::NeedsAttention,
        _ => Standing::Open,
    }
}

pub fn steps_done(session: &Session, flags: &[Flag]) -> usize {
    flags.iter().filter(|flag| session.completion_flags.is_set(flag)).count()
}

/// How a run ended whose process only its lock told of. The session knows best; what it leaves open
/// the run's own last word says. `None`: it crashed. `held_by` is the run the lock named.
pub fn outcome(
    session: Option<&Session>,
    flags: &[Flag],
    summary: &ProfileSummary,
    held_by: Option<&RunId>,
) -> Option<RunOutcome> {
    match session.map(|session| standing(session, flags)) {
        Some(Standing::Completed) => return Some(RunOutcome::Completed),
        Some(Standing::NeedsAttention) => return Some(RunOutcome::NeedsAttention),
        _ => {}
    }
    let is_its_own = held_by.is_none() || held_by == summary.run_id.as_ref();
    // A last word that the session does not bear out is that of another workflow.
    summary.outcome().filter(|outcome| is_its_own && *outcome != RunOutcome::Completed)
}
