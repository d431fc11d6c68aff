//! A line for each profile, for spreadsheets.

use super::Report;

const HEADS: [&str; 12] = [
    "profile_id",
    "status",
    "steps_done",
    "steps",
    "runs",
    "seconds",
    "bytes_received",
    "bytes_sent",
    "started_at",
    "heard_at",
    "error",
    "evidence",
];

/// RFC 4180, UTF-8, with a line of heads. A text that a spreadsheet would take for a formula begins with
/// an apostrophe.
pub fn csv(report: &Report) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(HEADS)?;
    for profile in &report.profiles {
        let time = |at: Option<jiff::Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
        writer.write_record([
            &plain(profile.profile_id.as_str()),
            profile.status.as_str(),
            &profile.steps_done.to_string(),
            &profile.steps.len().to_string(),
            &profile.runs.to_string(),
            &format!("{:.3}", profile.ms as f64 / 1000.0),
            &profile.network.bytes_received.to_string(),
            &profile.network.bytes_sent.to_string(),
            &time(profile.started_at),
            &time(profile.heard_at),
            &plain(profile.error.as_deref().unwrap_or_default()),
            &plain(profile.evidence.as_deref().unwrap_or_default()),
        ])?;
    }
    let bytes = writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn plain(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}
