//! `regatta status`: where every profile stands.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::command_error::CommandError;
use super::complete;
use super::global_args::{OUTPUT, WHICH};
use super::report;
use super::settings::Settings;
use super::status_name::StatusName;
use super::unknown_names::{refuse_unknown_profiles, refuse_unknown_step};
use crate::report::bytes;
use crate::store::disk::ProfileDiskUsage;
use crate::store::provider_labels::{ProfileLabel, ProviderLabels};
use crate::store::session::SessionReader;
use crate::store::{event_log, folder_watcher};
use regatta_core::event::StepMode;
use regatta_core::id::{Flag, ProfileId};
use regatta_core::view::overview::{DisplayStatus, ProfileView, ReplacedField};
use regatta_core::view::summary::CurrentAction;
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta status
  regatta status k18imh7u --json
  regatta status --watch
  regatta status --status failed,needs_attention --sort error
  regatta status --step store_signup
  regatta status --sizes --sort profile

INTERRUPTED is a profile whose run died: run it again to go on. A profile whose steps are all done is \
PENDING again once the workflow has another step.")]
pub struct StatusArgs {
    /// Show only these profiles [default: all]
    #[arg(value_name = "PROFILE", add = complete::profiles())]
    pub profiles: Vec<ProfileId>,
    /// Show only profiles with this status, as in failed,interrupted
    #[arg(long, value_name = "STATUS", value_delimiter = ',', help_heading = WHICH, add = complete::statuses())]
    pub status: Vec<StatusName>,
    /// Show only profiles that stand at this step
    #[arg(long, value_name = "FLAG", help_heading = WHICH, add = complete::flags())]
    pub step: Option<Flag>,
    /// Sort by this column
    #[arg(long, value_enum, value_name = "COLUMN", default_value_t = SortBy::Profile, help_heading = OUTPUT)]
    pub sort: SortBy,
    /// Show what each profile's browser, artifacts and logs take on the disk
    #[arg(long, help_heading = OUTPUT)]
    pub sizes: bool,
    /// Print one JSON document
    #[arg(long, conflicts_with = "watch", help_heading = OUTPUT)]
    pub json: bool,
    /// Show it again every second until Ctrl-C; without a terminal, whenever it has changed
    #[arg(short, long, help_heading = OUTPUT)]
    pub watch: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SortBy {
    Profile,
    Status,
    Steps,
    Error,
}

/// Longer names of profiles are cut.
const LONGEST_LABEL: usize = 24;

/// Between two pictures of `--watch`.
const LOOK: Duration = Duration::from_secs(1);

/// One profile, as `--json` publishes it.
#[derive(Debug, Serialize)]
struct StatusRow {
    profile_id: ProfileId,
    /// As AdsPower's lists said them last.
    #[serde(flatten)]
    label: ProfileLabel,
    /// The stored status, or INTERRUPTED, or DAMAGED.
    status: DisplayStatus,
    done: usize,
    steps: usize,
    /// The step in flight; in doubt where no run of the profile is active.
    #[serde(skip_serializing_if = "Option::is_none")]
    in_flight: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Values that runs have replaced, newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    superseded: Vec<ReplacedField>,
    /// Process that drives the profile now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    /// Its current activity.
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<StatusStep>,
    /// Bytes on the disk, with `--sizes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    sizes: Option<RowSizes>,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct RowSizes {
    browser: u64,
    artifacts: u64,
    logs: u64,
}

impl From<ProfileDiskUsage> for RowSizes {
    fn from(sizes: ProfileDiskUsage) -> Self {
        Self { browser: sizes.browser, artifacts: sizes.artifacts, logs: sizes.logs }
    }
}

#[derive(Debug, Serialize)]
struct StatusStep {
    flag: String,
    attempt: u32,
    mode: StepMode,
    #[serde(flatten)]
    action: Option<CurrentAction>,
}

pub fn status(settings: &Settings, args: StatusArgs) -> Result<u8, CommandError> {
    let mut shown = None;
    loop {
        let rows = rows(settings, &args)?;
        if args.json {
            crate::report::say!("{}", serde_json::to_string_pretty(&rows).unwrap_or_default());
            return Ok(0);
        }
        let is_filtered = !args.status.is_empty() || args.step.is_some();
        let table = match rows.is_empty() && is_filtered {
            true => "no profile fits\n".to_owned(),
            false => table(&rows, settings.color, settings.terminal.then(width).flatten()),
        };
        if !args.watch {
            // The reader may have gone (`| head`).
            std::io::stdout().write_all(table.as_bytes()).ok();
            return Ok(0);
        }
        let picture = if settings.terminal {
            // Clear and home, then the whole picture in one write: no flicker.
            format!("\u{1b}[H\u{1b}[2J{table}")
        } else if shown.as_ref() == Some(&table) {
            // A file or another program gets what has changed, and no codes for a terminal.
            String::new()
        } else {
            format!("{}{table}", if shown.is_some() { "\n" } else { "" })
        };
        let mut out = std::io::stdout().lock();
        if out.write_all(picture.as_bytes()).and_then(|()| out.flush()).is_err() {
            return Ok(0);
        }
        drop(out);
        shown = Some(table);
        std::thread::sleep(LOOK);
    }
}

fn rows(settings: &Settings, args: &StatusArgs) -> Result<Vec<StatusRow>, CommandError> {
    refuse_unknown_profiles(settings, &args.profiles)?;
    let layout = &settings.layout;
    // The folder is listed once, however many profiles it holds.
    let reader = SessionReader::new(layout)?;
    let profiles = if args.profiles.is_empty() { reader.profiles() } else { &args.profiles };
    let (_, steps) = report::workflow(settings);
    let mut labels = ProviderLabels::new(layout, "adspower").read();
    let mut known: HashSet<Flag> = steps.iter().cloned().collect();
    let mut rows = Vec::new();
    for profile in profiles {
        let mut view = folder_watcher::read(layout, &steps, &reader, profile)?;
        if view.pid.is_some() {
            // Events say more about running profiles. If they cannot be read, the rest is still shown.
            let run = event_log::last_run(&layout.events(profile)).ok().flatten();
            view.summary = run.iter().flat_map(|run| &run.events).collect();
        }
        if args.step.is_some() {
            known.extend(view.flags.iter().map(|(flag, _)| flag).chain(&view.in_flight).cloned());
        }
        let is_wanted = args.status.is_empty() || args.status.iter().any(|status| status.0 == view.status);
        let stands_there = args.step.as_ref().is_none_or(|step| view.step() == Some(step));
        if is_wanted && stands_there {
            let label = labels.remove(view.id.as_str()).unwrap_or_default();
            let sizes = args.sizes.then(|| ProfileDiskUsage::of(layout, &view.id).into());
            rows.push(StatusRow { label, sizes, ..row(view, steps.len()) });
        }
    }
    if let Some(flag) = args.step.as_ref().filter(|flag| !known.contains(*flag)) {
        refuse_unknown_step(flag, &steps, "the workflow")?;
    }
    match args.sort {
        // As the folder or the command names them.
        SortBy::Profile => {}
        SortBy::Status => rows.sort_by_key(|row| row.status),
        SortBy::Steps => rows.sort_by_key(|row| (row.done, row.steps)),
        SortBy::Error => {
            rows.sort_by(|a, b| (a.error.is_none(), &a.error).cmp(&(b.error.is_none(), &b.error)))
        }
    }
    Ok(rows)
}

/// `steps` are the workflow's: a profile that never ran has all of them open.
fn row(mut view: ProfileView, steps: usize) -> StatusRow {
    let is_new = view.flags.is_empty() && view.status != DisplayStatus::Damaged;
    let current = view.summary.current.take().filter(|_| view.status == DisplayStatus::Processing);
    StatusRow {
        now: current.map(|step| StatusStep {
            flag: step.flag.to_string(),
            attempt: step.attempt,
            mode: step.mode,
            action: step.action,
        }),
        sizes: None,
        status: view.status,
        done: view.done(),
        steps: if is_new { steps } else { view.flags.len() },
        in_flight: view.in_flight.map(|flag| flag.to_string()),
        error: view.error,
        superseded: view.superseded,
        pid: view.pid,
        profile_id: view.id,
        label: ProfileLabel::default(),
    }
}

fn width() -> Option<usize> {
    ratatui::crossterm::terminal::size()
        .ok()
        .map(|(columns, _)| columns.into())
        .filter(|columns| *columns > 0)
}

/// `width`: of the terminal, to which notes are cut.
fn table(rows: &[StatusRow], color: bool, terminal: Option<usize>) -> String {
    let mut out = String::new();
    if rows.is_empty() {
        return "no sessions yet; a profile gets one with its first run\n".to_owned();
    }
    let width = rows.iter().map(|row| row.profile_id.as_str().len()).max().unwrap_or(0).max(7);
    // Where profiles have none, there are no columns for them.
    let shown = |of: fn(&ProfileLabel) -> Option<&String>| {
        let widths =
            rows.iter().filter_map(|row| of(&row.label)).map(|text| console::measure_text_width(text));
        widths.max().unwrap_or(0).min(LONGEST_LABEL)
    };
    let (numbers, names) = (shown(|label| label.number.as_ref()), shown(|label| label.name.as_ref()));
    let labels = |number: &str, name: &str| {
        let column = |text: &str, width: usize| match width {
            0 => String::new(),
            width => format!(
                "  {}",
                console::pad_str(
                    &text.replace(char::is_control, " "),
                    width,
                    console::Alignment::Left,
                    Some("…")
                )
            ),
        };
        format!(
            "{}{}",
            column(number, numbers.max(2 * usize::from(numbers > 0))),
            column(name, names.max(4 * usize::from(names > 0)))
        )
    };
    let (dim, reset) = if color { ("\u{1b}[2m", "\u{1b}[0m") } else { ("", "") };
    let head = labels("NO", "NAME");
    let heads = if rows[0].sizes.is_some() {
        format!("  {:>10}  {:>10}  {:>10}", "BROWSER", "ARTIFACTS", "LOGS")
    } else {
        String::new()
    };
    let _ = writeln!(
        out,
        "{dim}{:<width$}{head}  {:<15}  {:>5}{heads}  NOTE{reset}",
        "PROFILE", "STATUS", "STEPS"
    );
    let width_of_labels = console::measure_text_width(&head);
    for row in rows {
        let action = row.now.as_ref().and_then(|now| Some((&now.flag, now.action.as_ref()?)));
        let note = match (&row.pid, &row.in_flight, &row.error) {
            (Some(pid), in_flight, _) => match (action, in_flight) {
                (Some((flag, action)), _) => format!("{flag}, {action} (process {pid})"),
                (None, Some(flag)) => format!("{flag} under way (process {pid})"),
                (None, None) => format!("process {pid}"),
            },
            (None, Some(flag), None) => format!("{flag} in doubt"),
            (None, _, Some(error)) => error.lines().next().unwrap_or_default().to_owned(),
            (None, None, None) => String::new(),
        };
        // In front of it: the columns and what lies between them.
        let columns = width + width_of_labels + 2 + 15 + 2 + 5 + heads.len() + 2;
        let room = terminal.map(|terminal| terminal.saturating_sub(columns));
        let note = room.map_or(note.as_str().into(), |room| console::truncate_str(&note, room, "…"));
        let paint = match row.status {
            _ if !color => "",
            DisplayStatus::Completed => "\u{1b}[32m",
            DisplayStatus::Failed | DisplayStatus::Damaged => "\u{1b}[31m",
            DisplayStatus::NeedsAttention | DisplayStatus::Interrupted => "\u{1b}[33m",
            DisplayStatus::Processing => "\u{1b}[36m",
            DisplayStatus::Pending => "",
        };
        let steps = format!("{}/{}", row.done, row.steps);
        let text = |of: &Option<String>| of.clone().unwrap_or_default();
        let label = labels(&text(&row.label.number), &text(&row.label.name));
        let sizes = row.sizes.map_or_else(String::new, |sizes| {
            let [browser, artifacts, logs] = [sizes.browser, sizes.artifacts, sizes.logs].map(bytes);
            format!("  {browser:>10}  {artifacts:>10}  {logs:>10}")
        });
        let line = format!(
            "{:<width$}{label}  {paint}{:<15}{reset}  {steps:>5}{sizes}  {note}",
            row.profile_id, row.status
        );
        let _ = writeln!(out, "{}", line.trim_end());
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    rows.iter().for_each(|row| *counts.entry(row.status.as_str()).or_default() += 1);
    let counts: Vec<_> = counts.iter().map(|(status, count)| format!("{count} {status}")).collect();
    let (done, steps) = rows.iter().fold((0, 0), |(done, steps), row| (done + row.done, steps + row.steps));
    let _ = writeln!(
        out,
        "{dim}{} profile{}: {}; {done} of {steps} steps done{reset}",
        rows.len(),
        if rows.len() == 1 { "" } else { "s" },
        counts.join(", ")
    );
    let sizes: u64 = rows.iter().filter_map(|row| row.sizes).map(|s| s.browser + s.artifacts + s.logs).sum();
    if rows[0].sizes.is_some() {
        let _ = writeln!(out, "{dim}{} on the disk{reset}", bytes(sizes));
    }
    out
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn the_table_says_what_a_person_asks() {
        let row = |id: &str, status, done, in_flight: Option<&str>, error: Option<&str>, pid| StatusRow {
            profile_id: id.parse().unwrap(),
            status,
            done,
            steps: 4,
            in_flight: in_flight.map(str::to_owned),
            error: error.map(str::to_owned),
            superseded: Vec::new(),
            pid,
            now: None,
            label: ProfileLabel::default(),
            sizes: None,
        };
        let mut rows = [
            row("p1", DisplayStatus::Completed, 4, None, None, None),
            row("k18imh7u", DisplayStatus::Processing, 1, Some("store_signup"), None, Some(42)),
            row("p3", DisplayStatus::Interrupted, 1, Some("store_signup"), None, None),
            row("p4", DisplayStatus::Failed, 2, None, Some("dev_registration: the button is disabled"), None),
            row("p5", DisplayStatus::Processing, 1, None, None, Some(43)),
        ];
        rows[4].now = Some(StatusStep {
            flag: "store_signup".to_owned(),
            attempt: 1,
            mode: StepMode::Act,
            action: Some(CurrentAction { name: "waitForElement".to_owned(), number: 2, of: 12 }),
        });
        expect![[r#"
            PROFILE   STATUS           STEPS  NOTE
            p1        COMPLETED          4/4
            k18imh7u  PROCESSING         1/4  store_signup under way (process 42)
            p3        INTERRUPTED        1/4  store_signup in doubt
            p4        FAILED             2/4  dev_registration: the button is disabled
            p5        PROCESSING         1/4  store_signup, waitForElement 2/12 (process 43)
            5 profiles: 1 COMPLETED, 1 FAILED, 1 INTERRUPTED, 2 PROCESSING; 9 of 20 steps done
        "#]]
        .assert_eq(&table(&rows, false, None));
        expect![[r#"
            PROFILE   STATUS           STEPS  NOTE
            p1        COMPLETED          4/4
            k18imh7u  PROCESSING         1/4  store_signup u…
            p3        INTERRUPTED        1/4  store_signup i…
            p4        FAILED             2/4  dev_registrati…
            p5        PROCESSING         1/4  store_signup, …
            5 profiles: 1 COMPLETED, 1 FAILED, 1 INTERRUPTED, 2 PROCESSING; 9 of 20 steps done
        "#]]
        .assert_eq(&table(&rows, false, Some(49)));
        rows[0].label = ProfileLabel { number: Some("12".to_owned()), name: Some("Ann".to_owned()) };
        rows[3].label = ProfileLabel { number: Some("7".to_owned()), name: None };
        expect![[r#"
            PROFILE   NO  NAME  STATUS           STEPS  NOTE
            p1        12  Ann   COMPLETED          4/4
            k18imh7u            PROCESSING         1/4  store_signup under way (process 42)
            p3                  INTERRUPTED        1/4  store_signup in doubt
            p4        7         FAILED             2/4  dev_registration: the button is disabled
            p5                  PROCESSING         1/4  store_signup, waitForElement 2/12 (process 43)
            5 profiles: 1 COMPLETED, 1 FAILED, 1 INTERRUPTED, 2 PROCESSING; 9 of 20 steps done
        "#]]
        .assert_eq(&table(&rows, false, None));
    }
}
