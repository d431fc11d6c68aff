//! A status as a person writes it.

use std::str::FromStr;

use regatta_core::view::overview::DisplayStatus;

/// Parsed without regard to case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusName(pub DisplayStatus);

impl FromStr for StatusName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = DisplayStatus::ALL.into_iter().find(|shown| shown.as_str().eq_ignore_ascii_case(text));
        found.map(Self).ok_or_else(|| {
            let names = DisplayStatus::ALL.map(DisplayStatus::as_str).join(", ");
            format!("no profile is ever `{text}`: {names}")
        })
    }
}
