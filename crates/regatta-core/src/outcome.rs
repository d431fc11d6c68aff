//! How a run and a fleet can end, and their exit codes. A published format.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How one run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    Completed,
    StepFailed,
    /// Wrong usage, configuration or workflow.
    Usage,
    NeedsAttention,
    /// Another run holds the profile.
    Busy,
    /// The provider opened no browser.
    NoBrowser,
    /// The session document cannot be read.
    Damaged,
    /// Stopped by a signal, after a clean checkpoint.
    Stopped,
}

impl RunOutcome {
    pub const ALL: [Self; 8] = [
        Self::Completed,
        Self::StepFailed,
        Self::Usage,
        Self::NeedsAttention,
        Self::Busy,
        Self::NoBrowser,
        Self::Damaged,
        Self::Stopped,
    ];

    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Completed => 0,
            Self::StepFailed => 1,
            Self::Usage => 2,
            Self::NeedsAttention => 3,
            Self::Busy => 4,
            Self::NoBrowser => 5,
            Self::Damaged => 6,
            Self::Stopped => 7,
        }
    }

    /// Returns `None` for a code that no run ends with: the process crashed.
    pub fn from_exit_code(code: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|o| i32::from(o.exit_code()) == code)
    }

    /// Whether another run of the profile may succeed though nothing is changed.
    pub const fn may_be_retried(self) -> bool {
        matches!(self, Self::StepFailed | Self::NoBrowser)
    }
}

/// How a fleet ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FleetOutcome {
    Completed,
    SomeFailed,
    Usage,
    SomeNeedAttention,
    /// Another orchestrator holds the folder.
    Busy,
    Stopped,
}

impl FleetOutcome {
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Completed => 0,
            Self::SomeFailed => 1,
            Self::Usage => 2,
            Self::SomeNeedAttention => 3,
            Self::Busy => 4,
            Self::Stopped => 7,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_the_published_ones() {
        let codes = RunOutcome::ALL.map(RunOutcome::exit_code);
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7]);
        for outcome in RunOutcome::ALL {
            assert_eq!(RunOutcome::from_exit_code(outcome.exit_code().into()), Some(outcome));
        }
        assert_eq!(RunOutcome::from_exit_code(101), None);
    }
}
