//! Whole numbers as programs write them: Python and others write `1280.0` for 1280.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Number;

/// A whole number, with or without `.0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole<T>(pub T);

impl<'de, T: TryFrom<u64>> Deserialize<'de> for Whole<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = Number::deserialize(deserializer)?;
        let whole = whole(&number).and_then(|whole| T::try_from(whole).ok());
        whole.map(Self).ok_or_else(|| D::Error::custom(format!("expected a whole number, found {number}")))
    }
}

fn whole(number: &Number) -> Option<u64> {
    /// Above it, not every whole number is a float.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    number.as_u64().or_else(|| {
        let float = number.as_f64().filter(|float| float.fract() == 0.0 && (0.0..=EXACT).contains(float))?;
        Some(float as u64)
    })
}
