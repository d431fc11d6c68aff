//! What the source of profiles and the way back of outcomes tell those who watch. One sentence each, so
//! that every report shows them alike. Holds no credential and no value of an identity.

use std::fmt;
use std::time::Duration;

use crate::duration::in_words;
use crate::id::ProfileId;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceNotice {
    /// The session wins; names of fields, never values.
    Conflict { profile: ProfileId, fields: Vec<String> },
    /// A row that cannot be read is left out.
    Refused { place: String, problem: String },
    /// The source does not answer as it should.
    Retrying { problem: String, after: Duration },
    /// Outcomes cannot be delivered now; they are kept.
    Undelivered { problem: String, waiting: u64 },
    /// They can again.
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
