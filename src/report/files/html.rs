//! One page that requests nothing and runs no script: for a mail, an archive, a colleague.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment};
use serde::Serialize;

use super::Report;
use crate::report::words::{bytes, span};
use regatta_core::duration::in_words;
use regatta_core::view::overview::{DisplayStatus, Timeline};

const TEMPLATE: &str = include_str!("report.html");
/// Pictures of failures in one page, and the largest of one, in bytes.
const PICTURES: usize = 20;
const LARGEST: usize = 2 << 20;
/// With more profiles than this only those in trouble are listed.
const LISTED: usize = 500;

#[derive(Serialize)]
struct ReportPage<'a> {
    name: &'a str,
    at: String,
    span: String,
    tiles: Vec<SummaryTile>,
    steps: Vec<StepRow<'a>>,
    plot: Option<ActivityChart>,
    causes: Vec<CauseRow<'a>>,
    slowest: Vec<[String; 3]>,
    profiles: Vec<ReportProfile<'a>>,
    unlisted: usize,
}

#[derive(Serialize)]
struct SummaryTile {
    tone: &'static str,
    number: String,
    what: &'static str,
}

#[derive(Serialize)]
struct StepRow<'a> {
    flag: &'a str,
    reached: usize,
    done: usize,
    troubled: usize,
    failed_attempts: u64,
    median: String,
    p95: String,
    /// The share of all profiles, in percent.
    done_share: f64,
    reached_share: f64,
}

#[derive(Serialize)]
struct ActivityChart {
    bars: Vec<ChartBar>,
    /// The count of the highest bar, and the time that each bar covers.
    most: u64,
    bucket: String,
    from: String,
    to: String,
}

/// In percent of the plot.
#[derive(Serialize)]
struct ChartBar {
    left: f64,
    width: f64,
    done: f64,
    failed: f64,
    failed_top: f64,
    title: String,
}

#[derive(Serialize)]
struct CauseRow<'a> {
    flag: Option<&'a str>,
    place: Option<&'a str>,
    message: &'a str,
    attempts: u64,
    troubled: usize,
    profiles: String,
    evidence: Option<&'a str>,
    /// Base64 of a PNG.
    picture: Option<String>,
}

#[derive(Serialize)]
struct ReportProfile<'a> {
    id: &'a str,
    status: &'static str,
    tone: &'static str,
    steps: String,
    runs: usize,
    time: String,
    bytes: String,
    error: Option<&'a str>,
}

/// `picture` gives the PNG that was kept in a folder of evidence, if there is one.
pub fn html(
    report: &Report,
    mut picture: impl FnMut(&str) -> Option<Vec<u8>>,
) -> Result<String, minijinja::Error> {
    let overview = &report.overview;
    let mut pictures = 0;
    let causes = report.causes.iter().map(|cause| {
        let wanted = cause.evidence.as_deref().filter(|_| pictures < PICTURES);
        let found = wanted.and_then(&mut picture).filter(|png| png.len() <= LARGEST);
        pictures += usize::from(found.is_some());
        let names: Vec<_> = cause.profiles.iter().map(ToString::to_string).collect();
        let more = cause.troubled.saturating_sub(names.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        CauseRow {
            flag: cause.flag.as_ref().map(|flag| flag.as_str()),
            place: cause.place.as_deref(),
            message: &cause.message,
            attempts: cause.attempts,
            troubled: cause.troubled,
            profiles: names.join(", ") + &more,
            evidence: cause.evidence.as_deref(),
            picture: found.map(|png| STANDARD.encode(png)),
        }
    });
    let causes = causes.collect();
    let all = report.profiles.len() <= LISTED;
    let listed = report.profiles.iter().filter(|profile| all || profile.status.is_trouble());
    let profiles: Vec<_> = listed
        .map(|profile| ReportProfile {
            id: profile.profile_id.as_str(),
            status: profile.status.as_str(),
            tone: tone(profile.status),
            steps: format!("{}/{}", profile.steps_done, profile.steps.len()),
            runs: profile.runs,
            time: if profile.runs == 0 { String::new() } else { span(profile.ms) },
            bytes: if profile.runs == 0 { String::new() } else { bytes(profile.network.bytes_received) },
            error: profile.error.as_deref(),
        })
        .collect();
    let page = ReportPage {
        name: &report.name,
        at: report.at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        span: match (overview.started_at, overview.last_event_at) {
            (Some(from), Some(to)) => {
                let ms = u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0);
                format!(
                    "{} to {}, {}",
                    from.strftime("%Y-%m-%d %H:%M"),
                    to.strftime("%Y-%m-%d %H:%M UTC"),
                    span(ms)
                )
            }
            _ => "nothing has run yet".to_owned(),
        },
        tiles: tiles(report),
        steps: steps(report),
        plot: report.timeline.as_ref().map(plot),
        causes,
        slowest: report
            .slowest
            .iter()
            .map(|slow| [slow.profile_id.to_string(), slow.flag.to_string(), span(slow.ms)])
            .collect(),
        unlisted: report.profiles.len() - profiles.len(),
        profiles,
    };
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.render_str(TEMPLATE, Serde(&page))
}

fn tiles(report: &Report) -> Vec<SummaryTile> {
    let overview = &report.overview;
    let count = |shown| overview.count(shown);
    let number = |tone, number: usize, what| SummaryTile { tone, number: number.to_string(), what };
    let mut tiles = vec![
        number("plain", overview.profiles, "profiles"),
        number("good", count(DisplayStatus::Completed), "completed"),
        number("bad", count(DisplayStatus::Failed) + count(DisplayStatus::Damaged), "failed"),
        number("warn", count(DisplayStatus::NeedsAttention), "need a person"),
    ];
    for (shown, what) in [
        (DisplayStatus::Processing, "running"),
        (DisplayStatus::Interrupted, "interrupted"),
        (DisplayStatus::Pending, "pending"),
    ] {
        if count(shown) > 0 {
            tiles.push(number(tone(shown), count(shown), what));
        }
    }
    tiles.push(SummaryTile {
        tone: "plain",
        number: format!("{}/{}", overview.steps_done, overview.steps_total),
        what: "steps done",
    });
    tiles.push(SummaryTile {
        tone: "plain",
        number: bytes(overview.network.bytes_received),
        what: "received",
    });
    tiles
}

fn steps(report: &Report) -> Vec<StepRow<'_>> {
    let share = |count: usize| 100.0 * count as f64 / report.overview.profiles.max(1) as f64;
    let steps = report.overview.steps.iter().map(|step| StepRow {
        flag: step.flag.as_str(),
        reached: step.reached,
        done: step.done,
        troubled: step.troubled,
        failed_attempts: step.failed_attempts,
        median: step.median_ms.map(span).unwrap_or_default(),
        p95: step.p95_ms.map(span).unwrap_or_default(),
        done_share: share(step.done),
        reached_share: share(step.reached.max(step.done)),
    });
    steps.collect()
}

fn plot(timeline: &Timeline) -> ActivityChart {
    let most = timeline.buckets.iter().map(|bucket| bucket.steps + bucket.failed).max().unwrap_or(0).max(1);
    let width = 100.0 / timeline.buckets.len().max(1) as f64;
    let height = |count: u64| 100.0 * count as f64 / most as f64;
    let bars = timeline.buckets.iter().enumerate().map(|(at, bucket)| ChartBar {
        left: width * at as f64,
        width: width * 0.86,
        done: height(bucket.steps),
        failed: height(bucket.failed),
        failed_top: 100.0 - height(bucket.steps + bucket.failed),
        title: format!("{} steps done, {} attempts failed", bucket.steps, bucket.failed),
    });
    let time = |at: jiff::Timestamp| at.strftime("%H:%M:%S").to_string();
    ActivityChart {
        bars: bars.collect(),
        most,
        bucket: in_words(Duration::from_secs(u64::try_from(timeline.bucket_seconds).unwrap_or(0))),
        from: time(timeline.from),
        to: time(timeline.to),
    }
}

const fn tone(shown: DisplayStatus) -> &'static str {
    match shown {
        DisplayStatus::Completed => "good",
        DisplayStatus::Failed | DisplayStatus::Damaged => "bad",
        DisplayStatus::NeedsAttention | DisplayStatus::Interrupted => "warn",
        DisplayStatus::Processing => "live",
        DisplayStatus::Pending => "plain",
    }
}
