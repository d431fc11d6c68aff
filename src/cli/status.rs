//! `regatta status`: where every profile stands.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::args::StatusArgs;
use super::failure::Failure;
use super::settings::Settings;
use crate::domain::id::ProfileId;
use crate::domain::session::{Session, Status};
use crate::store::session::SessionReader;
use crate::store::{Layout, lock};

/// Between two pictures of `--watch`.
const LOOK: Duration = Duration::from_secs(1);

/// One profile, as `--json` publishes it.
#[derive(Debug, Serialize)]
struct Row {
    profile_id: ProfileId,
    /// The stored status, or INTERRUPTED, or DAMAGED.
    status: String,
    done: usize,
    steps: usize,
    /// The step in flight, in doubt where nobody runs the profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    in_flight: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Process that drives the profile now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
}

pub fn status(settings: &Settings, args: StatusArgs) -> Result<u8, Failure> {
    loop {
        let rows = rows(&settings.layout, &args.profiles)?;
        if args.json {
            crate::report::say!("{}", serde_json::to_string_pretty(&rows).unwrap_or_default());
            return Ok(0);
        }
        let table = table(&rows, settings.color);
        if !args.watch {
            // Whoever reads it may have gone (`| head`).
            std::io::stdout().write_all(table.as_bytes()).ok();
            return Ok(0);
        }
        // Clear and home, then the whole picture in one write: no flicker.
        let picture = format!("\u{1b}[H\u{1b}[2J{table}");
        let mut out = std::io::stdout().lock();
        if out.write_all(picture.as_bytes()).and_then(|()| out.flush()).is_err() {
            return Ok(0);
        }
        drop(out);
        std::thread::sleep(LOOK);
    }
}

fn rows(layout: &Layout, only: &[ProfileId]) -> Result<Vec<Row>, Failure> {
    // The folder is listed once, however many profiles it holds.
    let reader = SessionReader::new(layout)?;
    let profiles = if only.is_empty() { reader.profiles() } else { only };
    profiles.iter().map(|profile| row(layout, &reader, profile.clone())).collect()
}

fn row(layout: &Layout, reader: &SessionReader<'_>, profile: ProfileId) -> Result<Row, Failure> {
    let mut row = Row {
        profile_id: profile.clone(),
        status: "PENDING".to_owned(),
        done: 0,
        steps: 0,
        in_flight: None,
        error: None,
        pid: None,
    };
    let session = match reader.read(&profile) {
        Ok(Some(session)) => session,
        Ok(None) => return Ok(row),
        Err(error) => {
            row.status = "DAMAGED".to_owned();
            row.error = Some(error.to_string());
            return Ok(row);
        }
    };
    let held = lock::is_held(&layout.session_lock(&profile))?;
    row.status = shown_status(&session, held);
    row.steps = session.completion_flags.iter().count();
    row.done = session.completion_flags.iter().filter(|(_, done)| *done).count();
    row.in_flight = session.in_flight.map(|in_flight| in_flight.flag.to_string());
    row.error = session.last_error.map(|error| match error.flag {
        Some(flag) => format!("{flag}: {}", error.message),
        None => error.message,
    });
    if held {
        row.pid = lock::holder(&layout.session_lock(&profile)).map(|holder| holder.pid);
    }
    Ok(row)
}

/// `PROCESSING` without a holder of the lock is a run that died.
fn shown_status(session: &Session, held: bool) -> String {
    match session.status {
        Status::Processing if !held => "INTERRUPTED".to_owned(),
        status => status.to_string(),
    }
}

fn table(rows: &[Row], color: bool) -> String {
    let mut out = String::new();
    if rows.is_empty() {
        return "no sessions yet; a profile gets one with its first run\n".to_owned();
    }
    let width = rows.iter().map(|row| row.profile_id.as_str().len()).max().unwrap_or(0).max(7);
    let (dim, reset) = if color { ("\u{1b}[2m", "\u{1b}[0m") } else { ("", "") };
    let _ = writeln!(out, "{dim}{:<width$}  {:<15}  {:>5}  NOTE{reset}", "PROFILE", "STATUS", "STEPS");
    for row in rows {
        let note = match (&row.pid, &row.in_flight, &row.error) {
            (Some(pid), Some(flag), _) => format!("{flag} under way (process {pid})"),
            (Some(pid), None, _) => format!("process {pid}"),
            (None, Some(flag), None) => format!("{flag} in doubt"),
            (None, _, Some(error)) => error.clone(),
            (None, None, None) => String::new(),
        };
        let paint = match row.status.as_str() {
            _ if !color => "",
            "COMPLETED" => "\u{1b}[32m",
            "FAILED" | "DAMAGED" => "\u{1b}[31m",
            "NEEDS_ATTENTION" | "INTERRUPTED" => "\u{1b}[33m",
            "PROCESSING" => "\u{1b}[36m",
            _ => "",
        };
        let steps = format!("{}/{}", row.done, row.steps);
        let line =
            format!("{:<width$}  {paint}{:<15}{reset}  {steps:>5}  {note}", row.profile_id, row.status);
        let _ = writeln!(out, "{}", line.trim_end());
    }
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for row in rows {
        match counts.iter_mut().find(|(status, _)| *status == row.status) {
            Some((_, count)) => *count += 1,
            None => counts.push((&row.status, 1)),
        }
    }
    counts.sort_unstable();
    let counts: Vec<_> = counts.iter().map(|(status, count)| format!("{count} {status}")).collect();
    let _ = writeln!(
        out,
        "{dim}{} profile{}: {}{reset}",
        rows.len(),
        if rows.len() == 1 { "" } else { "s" },
        counts.join(", ")
    );
    out
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn the_table_says_what_a_person_asks() {
        let row = |id: &str, status: &str, done, in_flight: Option<&str>, error: Option<&str>, pid| Row {
            profile_id: id.parse().unwrap(),
            status: status.to_owned(),
            done,
            steps: 4,
            in_flight: in_flight.map(str::to_owned),
            error: error.map(str::to_owned),
            pid,
        };
        let rows = [
            row("p1", "COMPLETED", 4, None, None, None),
            row("k18imh7u", "PROCESSING", 1, Some("store_signup"), None, Some(42)),
            row("p3", "INTERRUPTED", 1, Some("store_signup"), None, None),
            row("p4", "FAILED", 2, None, Some("dev_registration: the button is disabled"), None),
        ];
        expect![[r#"
            PROFILE   STATUS           STEPS  NOTE
            p1        COMPLETED          4/4
            k18imh7u  PROCESSING         1/4  store_signup under way (process 42)
            p3        INTERRUPTED        1/4  store_signup in doubt
            p4        FAILED             2/4  dev_registration: the button is disabled
            4 profiles: 1 COMPLETED, 1 FAILED, 1 INTERRUPTED, 1 PROCESSING
        "#]]
        .assert_eq(&table(&rows, false));
    }
}
