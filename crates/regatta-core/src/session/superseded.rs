//! Values that were replaced. A site may show a value only once, so a session keeps the old value beside the
//! new one.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::id::RunId;

/// The number of values kept for each field. More are kept only while a step is in doubt.
pub const KEPT_VALUES: usize = 10;

/// An earlier value of an identity field. It is a secret: `Debug` leaves it out.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Superseded {
    /// The identity field.
    pub field: String,
    pub value: Value,
    /// When the value was replaced.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: jiff::Timestamp,
    /// The run that replaced the value.
    pub run_id: RunId,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

impl Superseded {
    pub(super) fn new(field: String, value: Value, at: jiff::Timestamp, run_id: RunId) -> Self {
        Self { field, value, at, run_id, unknown: Map::new() }
    }
}

impl fmt::Debug for Superseded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Superseded")
            .field("field", &self.field)
            .field("at", &self.at)
            .field("run_id", &self.run_id)
            .finish_non_exhaustive()
    }
}
