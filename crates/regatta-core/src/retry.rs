//! When a failed run may start again, and the fleet's only source of randomness.
//!
//! A draw is a pure function of a seed and of its purpose, not part of a stream: neither another profile in
//! the list nor an earlier input changes any other delay.

use std::time::Duration;

/// Exponential back-off with jitter. Invariant of [`Backoff::delay`]: at most `cap` × (1 + `jitter`), never
/// negative.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// The delay before the second attempt.
    pub base: Duration,
    pub factor: f64,
    pub cap: Duration,
    /// The share of the delay that jitter adds or subtracts: `0.5` is ±50 %.
    pub jitter: f64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { base: Duration::from_secs(2), factor: 2.0, cap: Duration::from_secs(60), jitter: 0.5 }
    }
}

impl Backoff {
    /// Returns how long to wait after `attempt` (from 1) has failed. `chance` is within -1..=1.
    pub fn delay(&self, attempt: u32, chance: f64) -> Duration {
        let doublings = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let cap = self.cap.as_secs_f64();
        let plain = self.base.as_secs_f64() * self.factor.powi(doublings);
        // `0 × ∞` is not a number: a base of zero stays zero.
        let plain = if plain.is_nan() { 0.0 } else { plain.clamp(0.0, cap) };
        seconds(plain * (1.0 + self.jitter * chance))
    }
}

/// The purpose of a random value. Two values for the same purpose are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChancePurpose {
    Launch { number: u64 },
    Retry { job: u32, attempt: u32 },
    Busy { job: u32, times: u32 },
}

/// Returns a value within -1..=1, evenly distributed.
pub fn chance(seed: u64, purpose: ChancePurpose) -> f64 {
    let (stream, counter) = match purpose {
        ChancePurpose::Launch { number } => (1, number),
        ChancePurpose::Retry { job, attempt } => (2, (u64::from(job) << 32) | u64::from(attempt)),
        ChancePurpose::Busy { job, times } => (3, (u64::from(job) << 32) | u64::from(times)),
    };
    let mixed = mix(mix(mix(seed).wrapping_add(stream)).wrapping_add(counter));
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
    let unit = (mixed >> 11) as f64 / ((1_u64 << 53) - 1) as f64;
    unit.mul_add(2.0, -1.0)
}

/// Returns `plain` ± `jitter` (a share of it), by `chance` within -1..=1.
pub fn jittered(plain: Duration, jitter: f64, chance: f64) -> Duration {
    seconds(plain.as_secs_f64() * (1.0 + jitter * chance))
}

/// `SplitMix64`: one step spreads any change of its input over all bits.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// Rounds to whole milliseconds, which are precise enough and keep the stories of tests readable.
fn seconds(value: f64) -> Duration {
    let millis = Duration::try_from_secs_f64(value.max(0.0)).unwrap_or(Duration::MAX).as_millis();
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn the_delay_doubles_up_to_its_cap() {
        let backoff = Backoff::default();
        let delays = |chance| (1..=8).map(|attempt| backoff.delay(attempt, chance)).collect::<Vec<_>>();
        expect!["[2s, 4s, 8s, 16s, 32s, 60s, 60s, 60s]"].assert_eq(&format!("{:?}", delays(0.0)));
        expect!["[1s, 2s, 4s, 8s, 16s, 30s, 30s, 30s]"].assert_eq(&format!("{:?}", delays(-1.0)));
        expect!["[3s, 6s, 12s, 24s, 48s, 90s, 90s, 90s]"].assert_eq(&format!("{:?}", delays(1.0)));
    }

    #[test]
    fn no_setting_makes_a_delay_panic() {
        for base in [Duration::ZERO, Duration::MAX] {
            for factor in [0.0, 1.0, 1e300, -2.0] {
                let backoff = Backoff { base, factor, cap: Duration::MAX, jitter: 5.0 };
                for attempt in [0, 1, 2, u32::MAX] {
                    let _ = (backoff.delay(attempt, 1.0), backoff.delay(attempt, -1.0));
                }
            }
        }
    }

    #[test]
    fn chance_is_even_and_a_function_of_its_seed() {
        let draws: Vec<f64> = (0..10_000).map(|number| chance(7, ChancePurpose::Launch { number })).collect();
        assert!(draws.iter().all(|draw| (-1.0..=1.0).contains(draw)));
        let mean = draws.iter().sum::<f64>() / 10_000.0;
        assert!(mean.abs() < 0.03, "{mean}");
        let quarter = draws.iter().filter(|draw| **draw < -0.5).count();
        assert!((2_300..2_700).contains(&quarter), "{quarter}");
        let draw = ChancePurpose::Retry { job: 3, attempt: 2 };
        assert_eq!(chance(7, draw).to_bits(), chance(7, draw).to_bits());
        assert_ne!(chance(7, draw).to_bits(), chance(8, draw).to_bits());
    }
}
