//! Failures grouped by cause: a hundred profiles that fail for one reason are one line.

use std::collections::HashMap;

use serde::Serialize;

use super::ProfileView;
use crate::id::{Flag, ProfileId};
use crate::outcome::RunOutcome;

/// The most profiles that are named of each group.
const NAMED: usize = 20;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FailureCause {
    /// `None` where no step was to blame.
    pub flag: Option<Flag>,
    /// `flows/store.json, step 4 (click)` where an action failed.
    pub place: Option<String>,
    /// The message of one of them.
    pub message: String,
    /// Attempts that failed for this cause.
    pub attempts: u64,
    /// Profiles that are in trouble for this cause, and the first of them.
    pub troubled: usize,
    pub profiles: Vec<ProfileId>,
    /// The latest evidence that was kept.
    pub evidence: Option<String>,
}

/// Sorted by the number of profiles, then of attempts.
pub fn causes<'a>(views: impl IntoIterator<Item = &'a ProfileView>) -> Vec<FailureCause> {
    let mut places: HashMap<(Option<Flag>, Option<String>, String), usize> = HashMap::new();
    let mut causes: Vec<FailureCause> = Vec::new();
    let mut at = |flag: Option<&Flag>, place: Option<String>, message: &str, profile: &ProfileId| {
        let key = (flag.cloned(), place.clone(), shape(message, profile));
        *places.entry(key).or_insert_with(|| {
            causes.push(FailureCause {
                flag: flag.cloned(),
                place,
                message: message.lines().next().unwrap_or_default().to_owned(),
                attempts: 0,
                troubled: 0,
                profiles: Vec::new(),
                evidence: None,
            });
            causes.len() - 1
        })
    };
    // For each failure its cause, the profile where it keeps one from completing, and the evidence.
    let mut found: Vec<(usize, Option<&ProfileId>, Option<&String>)> = Vec::new();
    for view in views {
        let mut last = None;
        for run in &view.summary.history.runs {
            for span in run.steps.iter().filter(|span| span.is_failed_attempt()) {
                let Some(failed) = &span.failed else { continue };
                let place = format!("{}, step {} ({})", failed.flow, failed.step, failed.action);
                let cause = at(Some(&span.flag), Some(place), &failed.message, &view.id);
                found.push((cause, None, span.evidence.as_ref()));
                last = Some((cause, &span.flag, span.evidence.as_ref()));
            }
            let without_step = matches!(run.outcome, Some(RunOutcome::NoBrowser | RunOutcome::Usage));
            if let Some(message) = run.message.as_ref().filter(|_| without_step) {
                found.push((at(None, None, message, &view.id), None, None));
            }
        }
        if !view.status.is_trouble() {
            continue;
        }
        // The last failed attempt keeps the profile from completing if it belongs to the current step.
        let stands = last.filter(|(_, flag, _)| view.step() == Some(flag));
        let standing = match stands {
            Some((cause, _, evidence)) => (cause, evidence),
            None => {
                let error = view.trouble().unwrap_or("its run died without a result");
                let flag = view.step().filter(|flag| error.starts_with(&format!("{flag}: ")));
                let message = flag.and_then(|flag| error.get(flag.as_str().len() + 2..)).unwrap_or(error);
                (at(flag, None, message, &view.id), view.summary.evidence.as_ref())
            }
        };
        found.push((standing.0, Some(&view.id), standing.1));
    }
    for (cause, stands, evidence) in found {
        let cause = &mut causes[cause];
        match stands {
            Some(profile) => {
                cause.troubled += 1;
                if cause.profiles.len() < NAMED {
                    cause.profiles.push(profile.clone());
                }
            }
            None => cause.attempts += 1,
        }
        if let Some(evidence) = evidence {
            cause.evidence = Some(evidence.clone());
        }
    }
    causes.sort_by_key(|cause| std::cmp::Reverse((cause.troubled, cause.attempts)));
    causes
}

/// Returns a message without what differs between two of one cause: numbers and the profile's id.
pub fn shape(message: &str, profile: &ProfileId) -> String {
    let first = message.lines().next().unwrap_or_default();
    let named = first.replace(profile.as_str(), "PROFILE");
    let mut shape = String::with_capacity(named.len());
    for c in named.chars() {
        match c {
            '0'..='9' if shape.ends_with('#') => {}
            '0'..='9' => shape.push('#'),
            _ => shape.push(c),
        }
    }
    shape
}
