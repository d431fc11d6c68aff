//! The closing report of a fleet. A published format: version 1.

use serde::{Deserialize, Serialize};

use super::{JobOutcome, Tally};
use crate::event::NetworkTotals;
use crate::id::ProfileId;
use crate::outcome::FleetOutcome;

/// The version of [`FleetReport`] as JSON.
pub const FLEET_REPORT_VERSION: u32 = 1;

/// One profile at the end of the fleet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProfileReport {
    pub profile_id: ProfileId,
    #[serde(flatten)]
    pub outcome: JobOutcome,
    /// Attempts of this fleet, an adopted run included; 0 where nothing had to run.
    pub attempts: u32,
    /// Steps of the workflow that are done.
    pub steps_done: usize,
    /// Steps of the workflow.
    pub steps: usize,
    /// Milliseconds from the first launch to the end, waits included.
    pub ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// The path of the evidence of the last failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    pub network: NetworkTotals,
}

/// The whole fleet at its end, profiles in the order of the list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FleetReport {
    pub v: u32,
    pub outcome: FleetOutcome,
    pub exit_code: u8,
    pub started_at: jiff::Timestamp,
    pub ms: u64,
    pub tally: Tally,
    /// Rows of the source that could not be read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub refused: usize,
    pub profiles: Vec<ProfileReport>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(number: &usize) -> bool {
    *number == 0
}
