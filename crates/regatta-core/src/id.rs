//! Names that the whole program uses, parsed once at the edge.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The provider's name of a browser profile.
///
/// Shared, since a fleet of a hundred thousand profiles names each of them several times.
///
/// Sorted as a person counts: `p2` before `p10`.
///
/// Invariant: 1..=128 of `[A-Za-z0-9_-]`; safe as a file name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = "^[A-Za-z0-9_-]{1,128}$"))]
pub struct ProfileId(Arc<str>);

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a profile id: use 1 to 128 of A-Z a-z 0-9 _ -")]
pub struct InvalidProfileId(String);

impl ProfileId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProfileId {
    type Err = InvalidProfileId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if (1..=128).contains(&text.len()) && text.chars().all(allowed) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidProfileId(text.chars().take(140).collect()))
        }
    }
}

impl TryFrom<String> for ProfileId {
    type Error = InvalidProfileId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl Ord for ProfileId {
    fn cmp(&self, other: &Self) -> Ordering {
        // Ids that differ only in leading zeros are different.
        natural(self.0.as_bytes(), other.0.as_bytes()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for ProfileId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Compares runs of digits as numbers of any length, and other bytes as they are.
fn natural(mut one: &[u8], mut other: &[u8]) -> Ordering {
    loop {
        let both = (take_number(&mut one), take_number(&mut other));
        let order = match both {
            (Some(one), Some(other)) => one.len().cmp(&other.len()).then_with(|| one.cmp(other)),
            // A digit belongs to the bytes that begin a number.
            (Some(_), None) => b"0".first().cmp(&other.first()),
            (None, Some(_)) => one.first().cmp(&b"0".first()),
            (None, None) => match (one.split_first(), other.split_first()) {
                (Some((a, one_left)), Some((b, other_left))) => {
                    (one, other) = (one_left, other_left);
                    a.cmp(b)
                }
                (None, None) => return Ordering::Equal,
                (a, b) => return a.is_some().cmp(&b.is_some()),
            },
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// Takes the leading digits off and returns them without leading zeros.
fn take_number<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len());
    let (number, rest) = bytes.split_at(end);
    (end > 0).then(|| {
        *bytes = rest;
        let zeros = number.iter().take_while(|digit| **digit == b'0').count();
        &number[zeros..]
    })
}

impl From<ProfileId> for String {
    fn from(id: ProfileId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl fmt::Display for ProfileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The name of a step: the key of its completion flag in the session document.
///
/// Invariant: not empty, no control characters. Any other name is allowed (`2fa_enabled`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Flag(String);

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a flag is a name of at least one character, without control characters")]
pub struct InvalidFlag;

impl Flag {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Flag {
    type Err = InvalidFlag;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim().is_empty() || text.chars().any(char::is_control) {
            Err(InvalidFlag)
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

impl TryFrom<String> for Flag {
    type Error = InvalidFlag;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Flag> for String {
    fn from(flag: Flag) -> Self {
        flag.0
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// One process that drives one profile. Unique over time, so that the events of two runs never mix.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct RunId(String);

impl RunId {
    /// Made of the time a run starts and 32 random bits. Sorts by time.
    pub fn new(at: jiff::Timestamp, random: u32) -> Self {
        Self(format!("{}-{random:08x}", at.strftime("%Y%m%dT%H%M%S")))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_id_is_safe_as_a_file_name() {
        for good in ["k18imh7u", "A-b_9", &"x".repeat(128)] {
            assert_eq!(good.parse::<ProfileId>().unwrap().as_str(), good);
        }
        for bad in ["", "a/b", "..", "a b", "é", "a.json", &"x".repeat(129)] {
            assert!(bad.parse::<ProfileId>().is_err(), "{bad:?}");
        }
        assert_eq!(
            "../x".parse::<ProfileId>().unwrap_err().to_string(),
            "`../x` is not a profile id: use 1 to 128 of A-Z a-z 0-9 _ -"
        );
    }

    #[test]
    fn ids_sort_as_a_person_counts() {
        let id = |text: &str| text.parse::<ProfileId>().unwrap();
        let sorted = [
            "-",
            "-9",
            "001",
            "01",
            "1",
            "2",
            "10",
            "A",
            "done",
            "done2",
            "done02a",
            "done2a",
            "done10",
            "done10-2",
            "done10-10",
            "done99999999999999999999999",
            "done100000000000000000000000",
            "done_1",
        ];
        let mut ids: Vec<_> = sorted.map(id).to_vec();
        ids.reverse();
        ids.sort();
        assert_eq!(ids.iter().map(ProfileId::as_str).collect::<Vec<_>>(), sorted);
        // Comparing every pair gives the same order as sorting the whole.
        for (place, one) in ids.iter().enumerate() {
            for (other_place, other) in ids.iter().enumerate() {
                assert_eq!(one.cmp(other), place.cmp(&other_place), "{one} {other}");
            }
        }
    }

    #[test]
    fn a_flag_may_have_any_visible_name() {
        assert!("2fa_enabled".parse::<Flag>().is_ok());
        assert!("Schritt 1: Öffnen".parse::<Flag>().is_ok());
        assert!("".parse::<Flag>().is_err());
        assert!("a\nb".parse::<Flag>().is_err());
    }
}
