//! The closing table. Columns are aligned by hand: six of them, the last of any length,
//! are less code than a table crate's settings.

use super::paint::{Emphasis, Paint};
use super::{counts, first_line, span};
use regatta_core::fleet::JobOutcome;
use regatta_core::fleet::report::{FleetReport, ProfileReport};

const HEADS: [&str; 6] = ["PROFILE", "STATUS", "STEPS", "ATTEMPTS", "TIME", "LAST ERROR"];

/// Completed profiles beyond this many are counted, not listed: failures must stay visible.
const LISTED: usize = 100;

pub fn closing_table(report: &FleetReport, paint: Paint) -> String {
    let wrong = |profile: &ProfileReport| profile.outcome != JobOutcome::Completed;
    // After Ctrl-C these may be thousands, and there is nothing to say of any of them.
    let never_launched =
        |profile: &&ProfileReport| profile.outcome == JobOutcome::Stopped && profile.attempts == 0;
    let (waiting, rest): (Vec<_>, Vec<_>) = report.profiles.iter().partition(never_launched);
    let all = rest.len() <= LISTED;
    let listed: Vec<_> = rest.into_iter().filter(|profile| all || wrong(profile)).collect();
    let mut out = String::new();
    if !listed.is_empty() {
        let rows: Vec<[String; 6]> = listed.iter().map(|profile| cells(profile)).collect();
        let width = |column: usize| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.chain([HEADS[column].len()]).max().unwrap_or(0)
        };
        let widths: [usize; 6] = std::array::from_fn(width);
        out += &paint.whole(Emphasis::Dim, &line(&HEADS.map(str::to_owned), &widths, |_, text| text));
        out.push('\n');
        for (row, profile) in rows.iter().zip(&listed) {
            out += &line(row, &widths, |column, text| match column {
                1 => paint.whole(tone(profile.outcome), &text),
                _ => text,
            });
            out.push('\n');
        }
        out.push('\n');
    }
    match waiting.len() {
        0 => {}
        1 => out += &format!("1 profile was never launched: {}\n", waiting[0].profile_id),
        many => out += &format!("{many} profiles were never launched\n"),
    }
    out + &summary(report, paint) + "\n"
}

fn summary(report: &FleetReport, paint: Paint) -> String {
    let (count, plural) = (report.profiles.len(), if report.profiles.len() == 1 { "" } else { "s" });
    let (done, steps) = report
        .profiles
        .iter()
        .fold((0, 0), |(done, steps), profile| (done + profile.steps_done, steps + profile.steps));
    let counts = counts(report.tally, paint);
    format!("{count} profile{plural}: {counts}; {done} of {steps} steps done, {}", span(report.ms))
}

fn cells(profile: &ProfileReport) -> [String; 6] {
    let status = match profile.outcome {
        JobOutcome::Completed => "COMPLETED",
        JobOutcome::NeedsAttention => "NEEDS_ATTENTION",
        JobOutcome::Failed(_) => "FAILED",
        JobOutcome::Stopped => "STOPPED",
    };
    let said = match (profile.outcome, &profile.last_error) {
        (_, Some(error)) => error.clone(),
        (JobOutcome::Failed(failure), None) => failure.to_string(),
        _ => String::new(),
    };
    let see = profile.evidence.as_deref().map_or_else(String::new, |path| format!(" ({path})"));
    [
        profile.profile_id.to_string(),
        status.to_owned(),
        format!("{}/{}", profile.steps_done, profile.steps),
        profile.attempts.to_string(),
        if profile.attempts == 0 { "-".to_owned() } else { span(profile.ms) },
        first_line(&said).to_owned() + &see,
    ]
}

const fn tone(outcome: JobOutcome) -> Emphasis {
    match outcome {
        JobOutcome::Completed => Emphasis::Good,
        JobOutcome::NeedsAttention => Emphasis::Warning,
        JobOutcome::Failed(_) => Emphasis::Bad,
        JobOutcome::Stopped => Emphasis::Dim,
    }
}

/// Numbers stand right, words left; painted after they are padded, since colours have no width.
fn line(cells: &[String; 6], widths: &[usize; 6], paint: impl Fn(usize, String) -> String) -> String {
    let padded = cells.iter().zip(widths).enumerate().map(|(column, (cell, &width))| match column {
        2..=4 => paint(column, format!("{cell:>width$}")),
        5 => paint(column, cell.clone()),
        _ => paint(column, format!("{cell:<width$}")),
    });
    padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}
