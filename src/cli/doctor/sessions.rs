//! Sessions that do not go on by themselves, each kind with its remedy.

use super::super::command_error::CommandError;
use super::super::load;
use super::super::settings::Settings;
use super::check::{CheckLevel, CheckResult};
use crate::store::session::{SessionReader, is_running};
use crate::store::{Layout, SessionError};
use regatta_core::id::ProfileId;
use regatta_core::session::{Session, Status};

/// Ids that are named; of the rest only the number is said.
const NAMED: usize = 5;

#[derive(Default)]
struct SessionProblems {
    total: usize,
    damaged: Vec<ProfileId>,
    newer: Vec<ProfileId>,
    unreadable: Vec<ProfileId>,
    /// In flight is a step that the workflow no longer has.
    stuck: Vec<ProfileId>,
    needs_person: Vec<ProfileId>,
    in_doubt: Vec<ProfileId>,
    interrupted: Vec<ProfileId>,
}

pub(super) fn findings(settings: &Settings) -> Result<Vec<CheckResult>, CommandError> {
    let kinds = sort(settings)?;
    let SessionProblems { total, damaged, newer, unreadable, stuck, needs_person, in_doubt, interrupted } =
        &kinds;
    let first = |profiles: &[ProfileId]| profiles.first().map(ToString::to_string).unwrap_or_default();
    let mut found = Vec::new();
    let mut add = |level, profiles: &[ProfileId], what: &str, remedy: String| {
        if !profiles.is_empty() {
            found.push(CheckResult::bad("sessions", level, format!("{what}: {}", listed(profiles)), remedy));
        }
    };
    let documents = settings.layout.state().display();
    add(
        CheckLevel::Problem,
        damaged,
        "damaged",
        format!(
            "repair the document in {documents}, or delete it (and a copy that was moved aside) to start afresh"
        ),
    );
    add(CheckLevel::Problem, newer, "written by a newer regatta", "update regatta".to_owned());
    add(
        CheckLevel::Problem,
        unreadable,
        "not readable",
        format!("regatta status {} says why", first(unreadable)),
    );
    add(
        CheckLevel::Warning,
        stuck,
        "in doubt about a step that the workflow no longer has",
        format!("look, then: regatta run {0}, and regatta resolve {0} --done | --again", first(stuck)),
    );
    add(
        CheckLevel::Warning,
        needs_person,
        "waiting for a person",
        format!("look, then: regatta resolve {} --done | --again", first(needs_person)),
    );
    add(
        CheckLevel::Warning,
        in_doubt,
        "in doubt, since a run died or was stopped in a step",
        "run them again: the step's verify flow asks the site, or you are asked".to_owned(),
    );
    add(
        CheckLevel::Warning,
        interrupted,
        "interrupted between two steps",
        "run them again: regatta orchestrate --only-status INTERRUPTED".to_owned(),
    );
    if found.is_empty() {
        found.push(CheckResult::good(
            "sessions",
            format!("{total}, none of them damaged, in doubt or waiting for a person"),
        ));
    }
    Ok(found)
}

fn sort(settings: &Settings) -> Result<SessionProblems, CommandError> {
    // Without a workflow that can be read, which is a finding of its own, no step counts as gone.
    let plan = load::plan(settings, &[]).ok();
    let layout = &settings.layout;
    let reader = SessionReader::new(layout)?;
    let mut kinds = SessionProblems { total: reader.profiles().len(), ..SessionProblems::default() };
    for profile in reader.profiles() {
        let kind = match reader.read(profile) {
            Err(SessionError::Damaged { .. }) => &mut kinds.damaged,
            Err(SessionError::Newer { .. }) => &mut kinds.newer,
            Err(_) => &mut kinds.unreadable,
            Ok(Some(session)) if is_open_question(layout, &session) => {
                let is_gone = plan.as_ref().is_some_and(|plan| plan.orphaned_doubt(&session).is_some());
                match (session.status, &session.in_flight) {
                    (Status::NeedsAttention, _) => &mut kinds.needs_person,
                    (_, Some(_)) if is_gone => &mut kinds.stuck,
                    (_, Some(_)) => &mut kinds.in_doubt,
                    (..) => &mut kinds.interrupted,
                }
            }
            Ok(_) => continue,
        };
        kind.push(profile.clone());
    }
    Ok(kinds)
}

/// A session that a run has left with something open, and that no run holds now.
fn is_open_question(layout: &Layout, session: &Session) -> bool {
    let is_open =
        session.in_flight.is_some() || matches!(session.status, Status::NeedsAttention | Status::Processing);
    is_open && !is_running(layout, &session.profile_id).unwrap_or(false)
}

/// `3 (p1, p2, p3)`
fn listed(profiles: &[ProfileId]) -> String {
    let named: Vec<_> = profiles.iter().take(NAMED).map(ToString::to_string).collect();
    let more = profiles.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{} ({}{more})", profiles.len(), named.join(", "))
}
