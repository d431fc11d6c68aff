//! What is kept of steps for people to look at.

use serde::Deserialize;

use super::flow::StepLocation;

/// When a trace is kept of an attempt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TraceMode {
    Off,
    /// The actions of a failed attempt, and the page as it stood then.
    #[default]
    OnFailure,
    /// Of every attempt, with the page before and after each action.
    Always,
}

/// Why evidence is kept: what went wrong, and where in the flow.
#[derive(Debug, Clone, Default)]
pub struct Incident {
    /// `store_signup, attempt 2`.
    pub title: String,
    pub place: Option<StepLocation>,
    pub message: String,
    pub hint: Option<String>,
}
