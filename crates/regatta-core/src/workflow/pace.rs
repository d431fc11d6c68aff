//! How often a site may be asked for a document: `[[pace]]` of a workflow.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::workflow::Located;

/// The documents a minute that a workflow may allow for an origin.
pub const PER_MINUTE: std::ops::RangeInclusive<u32> = 1..=6000;

/// As a workflow writes it: `origin` is a template.
#[derive(Debug, Clone)]
pub struct Pace {
    pub origin: Located<String>,
    pub per_minute: u32,
}

/// For one profile, with the origin rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaceLimit {
    /// `http://127.0.0.1:8800`.
    pub origin: String,
    pub per_minute: u32,
}

impl PaceLimit {
    /// Returns the least time between two documents.
    pub fn interval(&self) -> Duration {
        Duration::from_secs(60) / self.per_minute.max(1)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PaceWire {
    #[schemars(with = "String")]
    pub origin: toml::Spanned<String>,
    #[schemars(with = "u32")]
    pub per_minute: toml::Spanned<u32>,
}
