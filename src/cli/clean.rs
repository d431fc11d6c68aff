//! `regatta clean`: ends what dead runs of this folder left running, and removes what is old.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::command_error::CommandError;
use super::complete;
use super::global_args::{OUTPUT, WHAT};
use super::retention::{self, RemovalOutcome, RemovedItem, RetentionArgs};
use super::runtime::block_on;
use super::settings::Settings;
use super::unknown_names::refuse_unknown_profiles;
use super::{hint, load};
use crate::providers::ProviderError;
use crate::providers::leftovers::{self, EndError, Leftover};
use crate::providers::temporary_browser;
use crate::store::lock;
use crate::store::retention::RemovableKind;
use regatta_core::error_chain::with_cause;
use regatta_core::id::ProfileId;
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta clean --dry-run
  regatta clean
  regatta clean k18imh7u --json
  regatta clean --browsers completed --artifacts 30d --logs 30d --dry-run

It ends browsers that runs of this folder opened, also those kept open with --keep-browser, and \
processes that carry the mark of a run. A fleet and the next run of a profile do the same.

It removes only what the options or [folders] in regatta.toml name. It never removes a session, a \
download, or anything of a profile that is being run, has failed, is in doubt or waits for a person. A \
completed profile whose user data is gone begins a later step of the workflow without its cookies. \
Events stay where outcomes are delivered.

Exit codes:
  0 nothing is left
  1 something does not end or cannot be removed")]
pub struct CleanArgs {
    /// Clean up only these profiles [default: all]
    #[arg(value_name = "PROFILE", add = complete::profiles())]
    pub profiles: Vec<ProfileId>,
    #[command(flatten)]
    pub retention: RetentionArgs,
    /// Show what would be ended and removed, and touch nothing
    #[arg(long, help_heading = WHAT)]
    pub dry_run: bool,
    /// Print one JSON document
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
}

/// The limit for one profile: a browser that does not close is killed well within it.
const BOUND: Duration = Duration::from_secs(60);

/// One left-over, as `--json` publishes it.
#[derive(Debug, Serialize)]
struct CleanRow {
    profile_id: ProfileId,
    kind: CleanKind,
    /// The name of a process, or the address of a browser that is known by it.
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    /// The size of what is removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    state: CleanState,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum CleanKind {
    Browser,
    Process,
    BrowserData,
    Artifacts,
    Logs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum CleanState {
    /// Found by a dry run.
    Found,
    Ended,
    NotEnded,
    Removed,
    NotRemoved,
}

pub fn clean(settings: &Settings, args: CleanArgs) -> Result<u8, CommandError> {
    super::log::to_stderr();
    refuse_unknown_profiles(settings, &args.profiles)?;
    let provider = load::provider(settings, None)?;
    let rows = block_on(async {
        let found = leftovers::find(&settings.layout, provider.as_ref()).await.map_err(provider_failure)?;
        let mut rows = Vec::new();
        let mut left = found.into_iter().filter(|left| wanted(settings, &args, left.profile())).peekable();
        while let Some(first) = left.next() {
            let profile = first.profile().clone();
            let mut of_one = vec![row(first)];
            while let Some(next) = left.next_if(|next| *next.profile() == profile) {
                of_one.push(row(next));
            }
            if !args.dry_run {
                let ended = leftovers::end_if_free(&settings.layout, provider.as_ref(), &profile, BOUND);
                let ended = match ended.await {
                    Ok(()) => Ok(()),
                    // The run that has begun meanwhile ends them itself.
                    Err(EndError::Running) => continue,
                    Err(EndError::Lock(error)) => return Err(error.into()),
                    Err(error) => Err(with_cause(&error)),
                };
                for row in &mut of_one {
                    row.state = if ended.is_ok() { CleanState::Ended } else { CleanState::NotEnded };
                    row.problem = ended.as_ref().err().cloned();
                }
            }
            rows.extend(of_one);
        }
        if args.profiles.is_empty() {
            rows.extend(of_play(settings, args.dry_run).await);
        }
        Ok(rows)
    })?;
    let mut rows = rows;
    let alive = rows.iter().filter(|row| row.state == CleanState::NotEnded);
    let alive = alive.map(|row| row.profile_id.clone()).collect();
    let retention = args.retention.over(settings.retention);
    let cleaned = retention::clean_up(settings, retention, &args.profiles, &alive, args.dry_run)?;
    rows.extend(cleaned.into_iter().map(old_row));
    if args.json {
        crate::report::say!("{}", serde_json::to_string_pretty(&rows).unwrap_or_default());
    } else {
        // The reader may have gone (`| head`).
        std::io::stdout().write_all(table(&rows, settings.color).as_bytes()).ok();
    }
    Ok(u8::from(rows.iter().any(|row| matches!(row.state, CleanState::NotEnded | CleanState::NotRemoved))))
}

/// Ends what killed `play`s left on this machine, in whichever folder they ran: their browsers have no
/// owner.
async fn of_play(settings: &Settings, dry_run: bool) -> Vec<CleanRow> {
    let chromium = load::chromium_settings(settings);
    let mut rows = Vec::new();
    for mut left in temporary_browser::find_left(&chromium).await {
        let mut of_one: Vec<_> = left.found.drain(..).map(row).collect();
        if !dry_run {
            let ended = left.end(&chromium).await;
            for row in &mut of_one {
                row.state = if ended.is_ok() { CleanState::Ended } else { CleanState::NotEnded };
                row.problem = ended.as_ref().err().map(|error| with_cause(error));
            }
        }
        rows.extend(of_one);
    }
    rows
}

/// Whether the profile is to be cleaned: not while a run holds it.
fn wanted(settings: &Settings, args: &CleanArgs, profile: &ProfileId) -> bool {
    (args.profiles.is_empty() || args.profiles.contains(profile))
        && !lock::is_held(&settings.layout.session_lock(profile)).unwrap_or(false)
}

fn row(left: Leftover) -> CleanRow {
    let (kind, name, pid, profile_id) = match left {
        Leftover::Browser(browser) => {
            (CleanKind::Browser, browser.ws.unwrap_or_default(), browser.pid, browser.profile)
        }
        Leftover::Process(stray) => (CleanKind::Process, stray.name, Some(stray.pid), stray.profile),
    };
    CleanRow { profile_id, kind, name, pid, bytes: None, state: CleanState::Found, problem: None }
}

fn old_row(cleaned: RemovedItem) -> CleanRow {
    let (state, problem) = match cleaned.outcome {
        RemovalOutcome::Found => (CleanState::Found, None),
        RemovalOutcome::Removed => (CleanState::Removed, None),
        RemovalOutcome::Failed(problem) => (CleanState::NotRemoved, Some(problem)),
    };
    let (kind, name) = match (cleaned.kind, cleaned.count) {
        (RemovableKind::BrowserData, _) => (CleanKind::BrowserData, "user data of the browser".to_owned()),
        (RemovableKind::Artifacts, 1) => (CleanKind::Artifacts, "evidence of 1 attempt".to_owned()),
        (RemovableKind::Artifacts, count) => (CleanKind::Artifacts, format!("evidence of {count} attempts")),
        (RemovableKind::Logs, _) => (CleanKind::Logs, "logs".to_owned()),
    };
    let profile_id = cleaned.profile.unwrap_or_else(temporary_browser::play_profile);
    CleanRow { profile_id, kind, name, pid: None, bytes: Some(cleaned.bytes), state, problem }
}

fn provider_failure(error: ProviderError) -> CommandError {
    CommandError::usage(with_cause(&error)).hint(hint::of_provider(&error))
}

fn table(rows: &[CleanRow], color: bool) -> String {
    if rows.is_empty() {
        return "nothing is left over\n".to_owned();
    }
    let width = rows.iter().map(|row| row.profile_id.as_str().len()).max().unwrap_or(0).max(7);
    let (dim, red, reset) = if color { ("\u{1b}[2m", "\u{1b}[31m", "\u{1b}[0m") } else { ("", "", "") };
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{dim}{:<width$}  {:<9}  {:>8}  WHAT{reset}", "PROFILE", "STATE", "PROCESS");
    for row in rows {
        let state = match row.state {
            CleanState::Found => "found",
            CleanState::Ended => "ended",
            CleanState::NotEnded => "NOT ENDED",
            CleanState::Removed => "removed",
            CleanState::NotRemoved => "NOT REMOVED",
        };
        let paint = if matches!(row.state, CleanState::NotEnded | CleanState::NotRemoved) { red } else { "" };
        let pid = row.pid.map_or_else(String::new, |pid| pid.to_string());
        let what = match (row.kind, row.bytes) {
            (CleanKind::Browser, _) => format!("browser {}", row.name),
            (_, Some(bytes)) => format!("{}, {}", row.name, crate::report::bytes(bytes)),
            (_, None) => row.name.clone(),
        };
        let problem = row.problem.as_ref().map_or_else(String::new, |problem| format!(": {problem}"));
        let line = format!(
            "{:<width$}  {paint}{state:<9}{reset}  {pid:>8}  {}{problem}",
            row.profile_id,
            what.trim_end()
        );
        let _ = writeln!(out, "{}", line.trim_end());
    }
    if rows.iter().any(|row| row.state == CleanState::Found) {
        let _ =
            writeln!(out, "{dim}nothing was touched; without --dry-run these are ended or removed{reset}");
    }
    let bytes: u64 =
        rows.iter().filter(|row| row.state != CleanState::NotRemoved).filter_map(|row| row.bytes).sum();
    if bytes > 0 {
        let would = if rows.iter().any(|row| row.state == CleanState::Found) { "would be " } else { "" };
        let _ = writeln!(out, "{dim}{} {would}removed{reset}", crate::report::bytes(bytes));
    }
    out
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn the_table_says_what_was_left_and_what_became_of_it() {
        let row = |id: &str, kind, name: &str, pid, state, problem: Option<&str>| CleanRow {
            profile_id: id.parse().unwrap(),
            kind,
            name: name.to_owned(),
            pid,
            bytes: None,
            state,
            problem: problem.map(str::to_owned),
        };
        let rows = [
            row("p1", CleanKind::Browser, "", Some(4711), CleanState::Ended, None),
            row("p1", CleanKind::Process, "sleep", Some(4712), CleanState::Ended, None),
            row(
                "k18imh7u",
                CleanKind::Browser,
                "ws://h/b-1",
                None,
                CleanState::NotEnded,
                Some("it does not end"),
            ),
        ];
        expect![[r#"
            PROFILE   STATE       PROCESS  WHAT
            p1        ended          4711  browser
            p1        ended          4712  sleep
            k18imh7u  NOT ENDED            browser ws://h/b-1: it does not end
        "#]]
        .assert_eq(&table(&rows, false));
        expect![[r#"
            PROFILE  STATE       PROCESS  WHAT
            p1       found          4711  browser
            nothing was touched; without --dry-run these are ended or removed
        "#]]
        .assert_eq(&table(&[row("p1", CleanKind::Browser, "", Some(4711), CleanState::Found, None)], false));
        assert_eq!(table(&[], false), "nothing is left over\n");
    }
}
