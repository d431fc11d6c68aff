//! The evidence that is kept of steps for people.

use schemars::JsonSchema;
use serde::Deserialize;

use super::flow::StepLocation;

/// Which attempts are traced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TraceMode {
    Off,
    /// Failed attempts: their actions, and the page at the end.
    #[default]
    OnFailure,
    /// Every attempt, with the page before and after each action.
    Always,
}

/// Why evidence is kept: the failure, and where in the flow it happened.
#[derive(Debug, Clone, Default)]
pub struct Incident {
    /// `store_signup, attempt 2`.
    pub title: String,
    pub place: Option<StepLocation>,
    pub message: String,
    pub hint: Option<String>,
}
