//! Facts about the source of profiles and the delivery of outcomes. One sentence each, so that every report
//! shows them alike. Holds no credential and no value of an identity.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::duration::{in_words, serialize_millis};
use crate::id::ProfileId;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type")]
pub enum SourceNotice {
    /// The source and the session differ; the session wins. Names of fields, never values.
    #[serde(rename = "source_differs")]
    Conflict {
        #[serde(rename = "profile_id")]
        profile: ProfileId,
        fields: Vec<String>,
    },
    /// A row cannot be read and is left out.
    #[serde(rename = "row_refused")]
    Refused { place: String, problem: String },
    /// The source does not answer as expected.
    #[serde(rename = "source_retrying")]
    Retrying {
        problem: String,
        #[serde(rename = "ms", serialize_with = "serialize_millis")]
        after: Duration,
    },
    /// Outcomes cannot be delivered now; they are kept.
    #[serde(rename = "outcomes_waiting")]
    Undelivered {
        problem: String,
        #[serde(rename = "outcomes")]
        waiting: u64,
    },
    /// Outcomes are delivered again.
    #[serde(rename = "outcomes_delivering")]
    Delivering,
}

impl SourceNotice {
    pub const fn is_good(&self) -> bool {
        matches!(self, Self::Delivering)
    }
}

impl fmt::Display for SourceNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict { profile, fields } => {
                write!(
                    f,
                    "{profile}: the source says otherwise about {}; the session is kept",
                    fields.join(", ")
                )
            }
            Self::Refused { place, problem } => write!(f, "{place} is left out: {problem}"),
            Self::Retrying { problem, after } => {
                write!(f, "the source is asked again in {}: {problem}", in_words(*after))
            }
            Self::Undelivered { problem, waiting } => {
                let plural = if *waiting == 1 { "outcome waits" } else { "outcomes wait" };
                write!(f, "{waiting} {plural} to be delivered: {problem}")
            }
            Self::Delivering => f.write_str("outcomes are delivered again"),
        }
    }
}
