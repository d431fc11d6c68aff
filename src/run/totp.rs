//! Types each two-factor code once: a correct server refuses one that it has seen (RFC 6238, 5.2).
//!
//! Invariant: the window of a code is durable before the code is typed.

use std::time::Duration;

use regatta_core::flow::Step;
use regatta_core::workflow::template::{self, TOTP_PERIOD};

/// A window further ahead than this was recorded by a clock that was wrong: its code was never good.
const CLOCKS_DIFFER: u64 = 2;

/// Whether the step types the current code.
pub(super) fn is_used_by(step: &Step) -> bool {
    let mut used = false;
    let looked = step.map_text(&mut |text| {
        used |= template::uses_totp(text);
        Ok::<_, std::convert::Infallible>(String::new())
    });
    looked.is_ok() && used
}

/// A code that is typed later than this before the end of its window may reach the server after it.
const LEAST_LEFT: Duration = Duration::from_secs(3);

/// How long no code may be typed; `None` where the current one is unused and good for long enough.
pub(super) fn wait(last_used: Option<u64>, now: jiff::Timestamp) -> Option<Duration> {
    let window = template::totp_window(now);
    let until_after = |window: u64| {
        let next = jiff::Timestamp::from_second(i64::try_from((window + 1) * TOTP_PERIOD).ok()?).ok()?;
        Duration::try_from(next.duration_since(now)).ok()
    };
    match last_used.filter(|used| (window..=window + CLOCKS_DIFFER).contains(used)) {
        Some(used) => until_after(used),
        None => until_after(window).filter(|left| *left < LEAST_LEFT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use regatta_core::flow;

    #[test]
    fn a_code_is_used_once_and_the_next_one_is_waited_for() {
        let at = |ms: i64| jiff::Timestamp::from_millisecond(ms).unwrap();
        let wait_ms = |used: Option<u64>, ms: i64| wait(used, at(ms)).map(|wait| wait.as_millis());
        // Window 2 is from 60 s to 90 s.
        assert_eq!(wait_ms(None, 61_000), None);
        assert_eq!(wait_ms(Some(1), 61_000), None);
        assert_eq!(wait_ms(Some(2), 61_250), Some(28_750));
        assert_eq!(wait_ms(Some(2), 90_000), None);
        // The clock was set back a little: the server has seen the code of window 3.
        assert_eq!(wait_ms(Some(3), 89_000), Some(31_000));
        assert_eq!(wait_ms(Some(900), 80_000), None, "recorded by a wrong clock");
    }

    /// A server that allows no skew refused it, and the attempts were used up.
    #[test]
    fn a_code_that_is_about_to_end_is_not_typed() {
        let wait_at = |ms: i64| wait(None, jiff::Timestamp::from_millisecond(ms).unwrap());
        assert_eq!(wait_at(87_000), None);
        assert_eq!(wait_at(87_001), Some(Duration::from_millis(2_999)));
        assert_eq!(wait_at(90_000), None);
    }

    #[test]
    fn a_step_uses_a_code_wherever_its_template_stands() {
        let flow = |value: &str| {
            let text = format!(
                r#"{{"title":"t","steps":[{{"type":"change","selectors":["a"],"value":"{value}"}}]}}"#
            );
            is_used_by(&flow::parse("f.json", &text).unwrap().steps[0])
        };
        assert!(flow("code {{ totp }}"));
        assert!(!flow("{{ identity.totp }}") && !flow("totp"));
    }
}
