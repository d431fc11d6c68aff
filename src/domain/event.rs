//! What a run tells the world, one JSON object a line. A persisted format: version 1.
//!
//! Invariant: no event holds the value of an identity field. Fields are named, never quoted, and
//! every message passes [`crate::domain::mask::Mask`] first.

use serde::{Deserialize, Serialize};

use super::id::{Flag, ProfileId, RunId};
use super::outcome::RunOutcome;

pub const EVENT_VERSION: u32 = 1;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub v: u32,
    /// Counts from 1 within a run.
    pub seq: u64,
    pub at: jiff::Timestamp,
    pub run_id: RunId,
    pub profile_id: ProfileId,
    #[serde(flatten)]
    pub kind: EventKind,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventKind {
    RunStarted {
        pid: u32,
        plan: String,
        /// Steps of the workflow, and how many of them were done before this run.
        steps: usize,
        done: usize,
    },
    PacerWaited {
        call: String,
        ms: u64,
    },
    BrowserStarted {
        provider: String,
        /// A browser that already ran for this profile was taken over.
        reused: bool,
        ms: u64,
    },
    StepPrepared {
        flag: Flag,
        fields: Vec<String>,
    },
    StepStarted {
        flag: Flag,
        attempt: u32,
        mode: StepMode,
    },
    ActionFailed {
        flag: Flag,
        attempt: u32,
        /// File of the flow, number of the step in it (`4`, or `4.2` inside a `when`), its type.
        flow: String,
        step: String,
        action: String,
        message: String,
    },
    /// No selector of an action led to its element, and one was found by likeness.
    Healed {
        flag: Flag,
        flow: String,
        step: String,
        how: HealHow,
        selector: String,
        /// The element as it was, and as it was found.
        known: String,
        found: String,
    },
    Captured {
        flag: Flag,
        fields: Vec<String>,
    },
    StepFinished {
        flag: Flag,
        outcome: StepOutcome,
        ms: u64,
        network: NetworkTotals,
    },
    Evidence {
        flag: Flag,
        path: String,
    },
    AttentionNeeded {
        flag: Option<Flag>,
        message: String,
    },
    BrowserStopped {
        ms: u64,
    },
    RunFinished {
        outcome: RunOutcome,
        exit_code: u8,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        ms: u64,
    },
}

/// Whether an attempt acts, or only looks whether an earlier one reached its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepMode {
    Act,
    Verify,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealHow {
    /// It was named, and the action failed.
    Suggested,
    /// It was acted on.
    Acted,
    /// It was acted on, as it was in a step that reached its end.
    Remembered,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// The flow reached its end.
    Done,
    /// An earlier attempt had already done it: the verify flow says so.
    Verified,
    Failed,
    NeedsAttention,
    Stopped,
}

/// Main-frame and sub-resource traffic of one step. Bytes are as encoded on the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkTotals {
    pub requests: u64,
    pub failed: u64,
    pub bytes_received: u64,
    pub bytes_sent: u64,
}

impl std::ops::AddAssign for NetworkTotals {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.failed += other.failed;
        self.bytes_received += other.bytes_received;
        self.bytes_sent += other.bytes_sent;
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn an_event_is_one_flat_object() {
        let event = Event {
            v: EVENT_VERSION,
            seq: 7,
            at: "2026-01-02T03:04:05Z".parse().unwrap(),
            run_id: RunId::new("2026-01-02T03:04:05Z".parse().unwrap(), 0xbeef),
            profile_id: "k18imh7u".parse().unwrap(),
            kind: EventKind::StepFinished {
                flag: "store_signup".parse().unwrap(),
                outcome: StepOutcome::Done,
                ms: 1200,
                network: NetworkTotals { requests: 9, failed: 1, bytes_received: 2048, bytes_sent: 512 },
            },
        };
        let line = serde_json::to_string(&event).unwrap();
        expect![[r#"{"v":1,"seq":7,"at":"2026-01-02T03:04:05Z","run_id":"20260102T030405-0000beef","profile_id":"k18imh7u","type":"step_finished","flag":"store_signup","outcome":"done","ms":1200,"network":{"requests":9,"failed":1,"bytes_received":2048,"bytes_sent":512}}"#]]
            .assert_eq(&line);
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
    }
}
