//! Durations in sentences. `regatta::report` renders those that stand in columns.

use std::time::Duration;

use serde::{Serialize, Serializer};

/// `250 ms`, `2.2 s`, `30 s`, `1 min 30 s`, `2 h 5 min`. Parts that are zero are left out.
pub fn in_words(duration: Duration) -> String {
    let ms = duration.as_millis();
    let parts = |whole: u128, unit: &str, rest: u128, of: &str| match rest {
        0 => format!("{whole} {unit}"),
        rest => format!("{whole} {unit} {rest} {of}"),
    };
    // Rounded first: 59.96 s are one minute.
    let tenths = (ms + 50) / 100;
    let seconds = (ms + 500) / 1000;
    match ms {
        0..1000 => format!("{ms} ms"),
        _ if tenths >= 36_000 => parts(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ if tenths >= 600 => parts(seconds / 60, "min", seconds % 60, "s"),
        _ if tenths.is_multiple_of(10) => format!("{} s", tenths / 10),
        _ => format!("{}.{} s", tenths / 10, tenths % 10),
    }
}

/// Serializes a duration as whole milliseconds.
pub fn serialize_millis<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_no_zero_part() {
        let words = [
            0, 250, 999, 1_000, 1_234, 2_200, 30_000, 59_940, 59_960, 60_000, 65_000, 89_700, 90_000,
            600_000, 3_599_960, 3_600_000, 7_500_000, 90_000_000,
        ];
        let words = words.map(|ms| in_words(Duration::from_millis(ms))).join(", ");
        expect_test::expect!["0 ms, 250 ms, 999 ms, 1 s, 1.2 s, 2.2 s, 30 s, 59.9 s, 1 min, 1 min, 1 min 5 s, 1 min 30 s, 1 min 30 s, 10 min, 1 h, 1 h, 2 h 5 min, 25 h"].assert_eq(&words);
    }
}
