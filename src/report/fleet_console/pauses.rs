//! The line of profiles that wait for their next attempt: they hold no slot, so they have no line of their
//! own.

use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};

use regatta_core::duration::in_words;
use regatta_core::id::ProfileId;

/// Those that are named; the others are counted.
const NAMED: usize = 2;
/// Redraws while it is counted down.
const TICK: Duration = Duration::from_millis(500);

#[derive(Default)]
pub struct Pauses {
    waiting: Arc<Mutex<Vec<PausedProfile>>>,
    line: Option<ProgressBar>,
}

struct PausedProfile {
    profile: ProfileId,
    until: Instant,
}

impl Pauses {
    /// `below`: the line that comes after.
    pub fn begin(&mut self, profile: &ProfileId, delay: Duration, bars: &MultiProgress, below: &ProgressBar) {
        let until = Instant::now() + delay;
        {
            let mut waiting = guard(&self.waiting);
            waiting.retain(|pause| pause.profile != *profile);
            let place = waiting.partition_point(|pause| pause.until <= until);
            waiting.insert(place, PausedProfile { profile: profile.clone(), until });
        }
        if self.line.is_none() {
            let waiting = Arc::clone(&self.waiting);
            let draw = move |_: &ProgressState, out: &mut dyn Write| {
                let _ = out.write_str(&text(&guard(&waiting), Instant::now()));
            };
            let style = ProgressStyle::with_template("  {pauses}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner())
                .with_key("pauses", draw);
            let line = bars.insert_before(below, ProgressBar::new_spinner().with_style(style));
            line.enable_steady_tick(TICK);
            self.line = Some(line);
        }
    }

    pub fn end(&mut self, profile: &ProfileId, bars: &MultiProgress) {
        let is_empty = {
            let mut waiting = guard(&self.waiting);
            waiting.retain(|pause| pause.profile != *profile);
            waiting.is_empty()
        };
        if is_empty {
            self.clear(bars);
        }
    }

    pub fn clear(&mut self, bars: &MultiProgress) {
        if let Some(line) = self.line.take() {
            line.finish_and_clear();
            bars.remove(&line);
        }
    }
}

/// `b-2 retries in 12 s, c-9 in 30 s, 4 more wait`; those whose time has come wait for a slot.
fn text(waiting: &[PausedProfile], now: Instant) -> String {
    let mut text = String::new();
    for (place, PausedProfile { profile, until }) in waiting.iter().take(NAMED).enumerate() {
        let verb = if place == 0 { " retries" } else { "" };
        let comma = if place == 0 { "" } else { ", " };
        let left = until.saturating_duration_since(now).as_millis().div_ceil(1000);
        let left = Duration::from_secs(u64::try_from(left).unwrap_or(u64::MAX));
        let when = if left.is_zero() { "next".to_owned() } else { format!("in {}", in_words(left)) };
        text += &format!("{comma}{profile}{verb} {when}");
    }
    match waiting.len().saturating_sub(NAMED) {
        0 => {}
        1 => text += ", 1 more waits",
        more => text += &format!(", {more} more wait"),
    }
    text
}

fn guard(waiting: &Mutex<Vec<PausedProfile>>) -> MutexGuard<'_, Vec<PausedProfile>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_are_next_are_named_and_the_others_counted() {
        let now = Instant::now();
        let after = |name: &str, ms: u64| PausedProfile {
            profile: name.parse().unwrap(),
            until: now + Duration::from_millis(ms),
        };
        let mut waiting = vec![after("b-2", 11_200)];
        assert_eq!(text(&waiting, now), "b-2 retries in 12 s");
        waiting.insert(0, after("a", 0));
        assert_eq!(text(&waiting, now), "a retries next, b-2 in 12 s");
        waiting.push(after("c", 30_000));
        assert_eq!(text(&waiting, now), "a retries next, b-2 in 12 s, 1 more waits");
        waiting.push(after("d", 40_000));
        assert_eq!(text(&waiting, now), "a retries next, b-2 in 12 s, 2 more wait");
        assert_eq!(text(&waiting, now + Duration::from_secs(60)), "a retries next, b-2 next, 2 more wait");
    }

    #[test]
    fn the_line_is_there_as_long_as_somebody_waits_and_the_first_comes_first() {
        let bars = MultiProgress::with_draw_target(indicatif::ProgressDrawTarget::hidden());
        let below = bars.add(ProgressBar::new(1));
        let mut pauses = Pauses::default();
        let id = |name: &str| name.parse::<ProfileId>().unwrap();
        for (name, seconds) in [("late", 60), ("soon", 10), ("late", 90)] {
            pauses.begin(&id(name), Duration::from_secs(seconds), &bars, &below);
        }
        let order: Vec<String> =
            guard(&pauses.waiting).iter().map(|pause| pause.profile.to_string()).collect();
        assert_eq!(order, ["soon", "late"]);
        pauses.end(&id("soon"), &bars);
        assert!(pauses.line.is_some());
        pauses.end(&id("late"), &bars);
        assert!(pauses.line.is_none());
    }
}
