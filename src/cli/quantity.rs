//! Quantities as a person writes them, on the command line and in `regatta.toml` alike.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use thiserror::Error;

/// How many runs at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxRuns {
    /// As many as the machine carries.
    Auto,
    /// At least 1.
    Of(u16),
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a number of runs: write 1 to 65535, or \"auto\"")]
pub struct InvalidMaxRuns(String);

impl FromStr for MaxRuns {
    type Err = InvalidMaxRuns;

    fn from_str(text: &str) -> Result<Self, InvalidMaxRuns> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let number = text.parse::<u16>().ok().filter(|number| *number > 0);
        number.map(Self::Of).ok_or_else(|| InvalidMaxRuns(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for MaxRuns {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected a number of runs from 1 to 65535, or \"auto\"")]
        enum NumberOrText {
            Number(i64),
            Text(String),
        }
        let text = match NumberOrText::deserialize(deserializer)? {
            NumberOrText::Number(number) => number.to_string(),
            NumberOrText::Text(text) => text,
        };
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for MaxRuns {
    fn schema_name() -> Cow<'static, str> {
        "MaxRuns".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "oneOf": [{ "const": "auto" }, { "type": "integer", "minimum": 1, "maximum": u16::MAX }] })
    }
}

/// An amount of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub u64);

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not an amount of memory: write \"512MiB\" or \"2GiB\"")]
pub struct InvalidBytes(String);

impl JsonSchema for Bytes {
    fn schema_name() -> Cow<'static, str> {
        "Bytes".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "An amount of memory, as in 512MiB or 2GiB" })
    }
}

impl FromStr for Bytes {
    type Err = InvalidBytes;

    fn from_str(text: &str) -> Result<Self, InvalidBytes> {
        let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(at);
        let shift = match unit.trim().to_ascii_lowercase().as_str() {
            "b" => Some(0),
            "k" | "kib" => Some(10),
            "m" | "mib" => Some(20),
            "g" | "gib" => Some(30),
            _ => None,
        };
        let bytes =
            number.parse::<u64>().ok().zip(shift).and_then(|(number, shift)| number.checked_mul(1 << shift));
        bytes.map(Self).ok_or_else(|| InvalidBytes(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// `30d`, `12h`, `2w`: a day has 24 hours.
pub fn parse_age(text: &str) -> Result<Duration, String> {
    let span = text.parse::<jiff::Span>().ok();
    let age = span.and_then(|span| span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok());
    age.and_then(|age| Duration::try_from(age).ok())
        .ok_or_else(|| format!("`{text}` is not an age: write 30d or 12h"))
}

/// How many of something, as `what` names it.
fn parse_number<N: FromStr>(text: &str, what: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("`{text}` is not a number of {what}: write 0 or more"))
}

pub fn parse_profiles(text: &str) -> Result<usize, String> {
    parse_number(text, "profiles")
}

pub fn parse_attempts(text: &str) -> Result<u32, String> {
    parse_number(text, "attempts")
}

pub fn parse_lines(text: &str) -> Result<usize, String> {
    parse_number(text, "lines")
}

pub fn parse_seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("`{text}` is not a seed: write a whole number from 0"))
}

/// Where to listen. A port alone means this machine.
pub fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    let port = text.parse::<u16>().ok().map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    text.parse()
        .ok()
        .or(port)
        .ok_or_else(|| format!("`{text}` is no address to listen on: write 127.0.0.1:7700"))
}

/// Processors' worth of load.
pub fn parse_load(text: &str) -> Result<f64, String> {
    let load = text.parse::<f64>().ok().filter(|load| *load > 0.0 && load.is_finite());
    load.ok_or_else(|| format!("`{text}` is not a load for each processor: write 1.5"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_written_with_its_unit() {
        for (text, expected) in
            [("512MiB", Some(512 << 20)), ("2 GiB", Some(2 << 30)), ("64k", Some(64 << 10)), ("7B", Some(7))]
        {
            assert_eq!(text.parse().ok(), expected.map(Bytes), "{text}");
        }
        for text in ["", "MiB", "512", "1.5GiB", "-1G", "99999999999GiB"] {
            assert_eq!(
                text.parse::<Bytes>().unwrap_err().to_string(),
                format!("`{text}` is not an amount of memory: write \"512MiB\" or \"2GiB\"")
            );
        }
    }

    #[test]
    fn an_age_is_written_in_days() {
        let hours = |hours: u64| Ok(Duration::from_secs(hours * 3600));
        assert_eq!(
            (parse_age("30d"), parse_age("12h"), parse_age("2w 1d")),
            (hours(720), hours(12), hours(360))
        );
        for text in ["30", "-1d", "x", "1mo"] {
            assert_eq!(parse_age(text), Err(format!("`{text}` is not an age: write 30d or 12h")));
        }
    }

    #[test]
    fn runs_are_a_number_or_automatic() {
        assert_eq!("auto".parse(), Ok(MaxRuns::Auto));
        assert_eq!("65535".parse(), Ok(MaxRuns::Of(65_535)));
        for text in ["0", "65536", "-1", "many", ""] {
            assert!(text.parse::<MaxRuns>().is_err(), "{text}");
        }
    }
}
