//! What `clean`, and a fleet at its end, remove of what a folder no longer needs.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use clap::Args;

use super::command_error::CommandError;
use super::quantity::{Bytes, parse_age};
use super::runtime::block_on;
use super::settings::{RemovableBrowsers, Settings};
use super::{load, report};
use crate::providers::leftovers;
use crate::store::LockHolder;
use crate::store::retention::{RemovableItem, RemovableKind, Retention, remove};
use regatta_core::id::{ProfileId, RunId};

const REMOVE: &str = "What to remove";

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = REMOVE)]
pub struct RetentionArgs {
    /// Remove the browsers' user data of completed profiles [default: `clean_browsers` in regatta.toml, else none]
    #[arg(long, value_enum, value_name = "WHICH")]
    pub browsers: Option<RemovableBrowsers>,
    /// Remove evidence older than this, as in 30d [default: `clean_artifacts` in regatta.toml, else none]
    #[arg(long, value_name = "AGE", value_parser = parse_age)]
    pub artifacts: Option<Duration>,
    /// Remove logs and events older than this [default: `clean_logs` in regatta.toml, else none]
    #[arg(long, value_name = "AGE", value_parser = parse_age)]
    pub logs: Option<Duration>,
    /// Remove the oldest evidence while all artifacts take more, as in 10GiB [default: `max_artifacts` in
    /// regatta.toml, else no limit]
    #[arg(long, value_name = "SIZE")]
    pub max_artifacts: Option<Bytes>,
}

impl RetentionArgs {
    /// Over what the settings say.
    pub fn over(&self, settings: Retention) -> Retention {
        Retention {
            browsers: settings.browsers || self.browsers.is_some(),
            artifacts: self.artifacts.or(settings.artifacts),
            logs: self.logs.or(settings.logs),
            most_artifacts: self.max_artifacts.map(|Bytes(bytes)| bytes).or(settings.most_artifacts),
        }
    }
}

/// The files of one kind that were found of a profile, and whether they were removed.
#[derive(Debug)]
pub struct RemovedItem {
    pub profile: Option<ProfileId>,
    pub kind: RemovableKind,
    pub bytes: u64,
    /// Folders of evidence, say.
    pub count: usize,
    pub outcome: RemovalOutcome,
}

#[derive(Debug, PartialEq, Eq)]
pub enum RemovalOutcome {
    /// Found by a dry run.
    Found,
    Removed,
    Failed(String),
}

/// Finds, and removes unless it is a `dry_run`. What a run has taken meanwhile is left out, and so is the
/// user data of browsers that are `alive`.
pub fn clean_up(
    settings: &Settings,
    retention: Retention,
    only: &[ProfileId],
    alive: &HashSet<ProfileId>,
    dry_run: bool,
) -> Result<Vec<RemovedItem>, CommandError> {
    if retention.removes_nothing() {
        return Ok(Vec::new());
    }
    let (_, steps) = report::workflow(settings);
    let mut found = retention.find(&settings.layout, &steps, only, SystemTime::now())?;
    found.retain(|old| {
        old.kind != RemovableKind::BrowserData
            || old.profile.as_ref().is_none_or(|profile| !alive.contains(profile))
    });
    let now = jiff::Timestamp::now();
    let holder = LockHolder::new(RunId::new(now, rand::random()), now);
    let mut cleaned = Vec::new();
    for olds in found.chunk_by(|a, b| a.profile == b.profile) {
        let outcome = match dry_run {
            true => RemovalOutcome::Found,
            false => match remove(&settings.layout, &steps, olds, &holder) {
                Ok(Some(())) => RemovalOutcome::Removed,
                Ok(None) => continue,
                Err(error) => RemovalOutcome::Failed(regatta_core::error_chain::with_cause(&error)),
            },
        };
        for of_kind in olds.chunk_by(|a, b| a.kind == b.kind) {
            cleaned.push(RemovedItem {
                profile: of_kind[0].profile.clone(),
                kind: of_kind[0].kind,
                bytes: of_kind.iter().map(|old: &RemovableItem| old.bytes).sum(),
                count: of_kind.len(),
                outcome: match &outcome {
                    RemovalOutcome::Found => RemovalOutcome::Found,
                    RemovalOutcome::Removed => RemovalOutcome::Removed,
                    RemovalOutcome::Failed(problem) => RemovalOutcome::Failed(problem.clone()),
                },
            });
        }
    }
    Ok(cleaned)
}

/// After a fleet: what the settings name goes, and what fails is a remark in its log.
pub fn after_fleet(settings: &Settings) {
    if settings.retention.removes_nothing() {
        return;
    }
    // A browser that was kept open on purpose still writes its user data.
    let alive = load::provider(settings, None).and_then(|provider| {
        block_on(async {
            let found = leftovers::find(&settings.layout, provider.as_ref()).await;
            found.map_err(|error| CommandError::usage(error.to_string()))
        })
    });
    let cleaned = alive.and_then(|found| {
        let alive = found.iter().map(|left| left.profile().clone()).collect();
        clean_up(settings, settings.retention, &[], &alive, false)
    });
    match cleaned {
        Ok(cleaned) => {
            let removed = cleaned.iter().filter(|cleaned| cleaned.outcome == RemovalOutcome::Removed);
            let bytes: u64 = removed.map(|cleaned| cleaned.bytes).sum();
            if bytes > 0 {
                tracing::info!("removed {bytes} bytes of what the settings below [folders] do not keep");
            }
            for RemovedItem { profile, outcome, .. } in &cleaned {
                if let (RemovalOutcome::Failed(problem), Some(profile)) = (outcome, profile) {
                    tracing::warn!("{profile}: {problem}");
                }
            }
        }
        Err(failure) => tracing::warn!("nothing old was removed: {}", failure.into_parts().0),
    }
}
