//! A site that answers 429 (Too Many Requests) or 503 (Service Unavailable) is busy. That is neither a yes
//! nor a no: the same question has an answer later.

use std::time::Duration;

use jiff::Timestamp;

use super::retry::Backoff;

/// Between two attempts of a run where the site does not ask for a time.
pub const WITHIN_RUN: Backoff =
    Backoff { base: Duration::from_secs(2), factor: 2.0, cap: Duration::from_secs(60), jitter: 0.5 };

/// The longest time for which a run keeps its browser open while it waits for a busy site.
pub const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// Between two runs of a profile where the site does not ask for a time.
pub const BETWEEN_RUNS: Backoff =
    Backoff { base: Duration::from_secs(30), factor: 2.0, cap: Duration::from_secs(300), jitter: 0.5 };

/// How often a profile is queued again because its site is busy.
pub const BUSY_RETRIES: u32 = 5;

/// The largest share of a `Retry-After` that is added to it, so that profiles that were refused together do
/// not return together.
const SPREAD: f64 = 0.25;

pub const fn is_busy(status: u16) -> bool {
    matches!(status, 429 | 503)
}

/// Parses the header `Retry-After` (RFC 9110, 10.2.3): seconds, or a date. A date that has passed is zero.
pub fn parse_retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

/// Returns how long to wait after `attempt` (from 1) has found the site busy: what the site asks for and a
/// little more, or the schedule's delay, whichever is longer. `chance` is within -1..=1.
pub fn retry_delay(schedule: Backoff, attempt: u32, retry_after: Option<Duration>, chance: f64) -> Duration {
    let asked = retry_after.map(|asked| {
        let spread = SPREAD * f64::midpoint(chance, 1.0);
        super::retry::jittered(asked, 1.0, spread)
    });
    // `Retry-After` is about one request, not a whole step. Without the schedule every waiting profile would
    // return for that one request.
    schedule.delay(attempt, chance).max(asked.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = "2026-01-02T03:04:05Z".parse().unwrap();
        let parsed = [
            "0",
            " 30 ",
            "Fri, 02 Jan 2026 03:05:05 GMT",
            "Fri, 02 Jan 2026 03:00:00 GMT",
            "soon",
            "",
            "-5",
            "99999999999999999999999",
        ]
        .map(|value| format!("{value:?}: {:?}", parse_retry_after(value, now)));
        expect![[r#"
            "0": Some(0ns)
            " 30 ": Some(30s)
            "Fri, 02 Jan 2026 03:05:05 GMT": Some(60s)
            "Fri, 02 Jan 2026 03:00:00 GMT": Some(0ns)
            "soon": None
            "": None
            "-5": None
            "99999999999999999999999": None"#]]
        .assert_eq(&parsed.join("\n"));
    }

    #[test]
    fn a_site_is_asked_again_no_sooner_than_it_says() {
        let delays = |retry_after: Option<u64>| {
            let retry_after = retry_after.map(Duration::from_secs);
            [-1.0, 0.0, 1.0].map(|chance| retry_delay(WITHIN_RUN, 2, retry_after, chance))
        };
        expect!["[2s, 4s, 6s]"].assert_eq(&format!("{:?}", delays(None)));
        expect!["[40s, 45s, 50s]"].assert_eq(&format!("{:?}", delays(Some(40))));
        expect!["[2s, 4s, 6s]"].assert_eq(&format!("{:?}", delays(Some(0))));
    }
}
