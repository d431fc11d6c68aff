//! The events of a run, one JSON object a line. A persisted format: version 1.
//!
//! Invariant: no event holds the value of an identity field. Fields are named, never quoted, and every
//! message passes [`crate::mask::Mask`] first.

pub mod play;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::id::{Flag, ProfileId, RunId};
use super::outcome::RunOutcome;

pub const EVENT_VERSION: u32 = 1;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    pub v: u32,
    /// Counts from 1 within a run.
    pub seq: u64,
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: jiff::Timestamp,
    pub run_id: RunId,
    pub profile_id: ProfileId,
    #[serde(flatten)]
    pub kind: EventKind,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventKind {
    RunStarted {
        pid: u32,
        plan: String,
        /// Steps of the workflow, and steps that were done before this run.
        steps: usize,
        done: usize,
        /// The browser that the run will start; absent where the provider chooses it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        browser: Option<String>,
    },
    /// A call to the provider has waited two seconds for its turn. `PacerWaited` follows.
    PacerWaiting {
        call: String,
    },
    PacerWaited {
        call: String,
        ms: u64,
    },
    /// The provider downloads the browser's kernel; the run has waited `ms` for it.
    KernelDownloading {
        /// In the provider's words.
        message: String,
        ms: u64,
    },
    /// The profile is open outside of Regatta, on another device or on this machine, and cannot be used.
    UsedElsewhere,
    /// The provider refuses every profile until an operator changes the settings or the account.
    ProviderRefused {
        message: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    },
    /// The provider opens no browser for any profile during `ms`.
    ProviderPaused {
        ms: u64,
    },
    BrowserStarted {
        provider: String,
        /// A browser that already ran for this profile was taken over.
        reused: bool,
        /// As the browser reports it: `HeadlessChrome/156.0.8078.108`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
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
    /// An action of a flow begins. Its subject is left out: a selector may hold a value.
    ActionStarted {
        flag: Flag,
        flow: String,
        /// As in `ActionFailed`.
        step: String,
        /// Counts from 1 among the `of` actions of the flow, those inside a `when` included.
        number: usize,
        of: usize,
        action: String,
    },
    ActionFailed {
        flag: Flag,
        attempt: u32,
        /// The file of the flow, the number of the step in it (`4`, or `4.2` inside a `when`), and its type.
        flow: String,
        step: String,
        action: String,
        message: String,
    },
    /// No selector of an action matched its element, and one was found by likeness; or a selector matched it,
    /// and the element has changed.
    Healed {
        flag: Flag,
        flow: String,
        step: String,
        how: HealHow,
        selector: String,
        /// The element as it was known, and as it was found.
        known: String,
        found: String,
    },
    /// The values of these fields are durable.
    Captured {
        flag: Flag,
        fields: Vec<String>,
    },
    /// The current code of this field's secret was used; the run waits `ms` for the next one.
    TotpWaiting {
        flag: Flag,
        field: String,
        ms: u64,
    },
    /// A document has waited two seconds for its turn at this origin, as `[[pace]]` demands. `PaceWaited`
    /// follows.
    PaceWaiting {
        origin: String,
    },
    PaceWaited {
        origin: String,
        ms: u64,
    },
    /// The site answered 429 or 503; the run retries in `ms`.
    SiteBusy {
        flag: Flag,
        ms: u64,
    },
    /// The step's flow has downloaded a file.
    Downloaded {
        flag: Flag,
        path: String,
        bytes: u64,
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
    /// A screenshot of the flow.
    Screenshot {
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
        /// Another run would end in the same way until something is changed.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        permanent: bool,
        /// Why the run ended, where the reason has a name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<RunCause>,
        /// The time that a busy site asks for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
        ms: u64,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunCause {
    /// The site answered 429 or 503 until the attempts were used up. A later run may succeed.
    SiteBusy,
}

/// Whether an attempt acts, or verifies that an earlier one reached its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepMode {
    Act,
    Verify,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealHow {
    /// The element was named, and the action failed.
    Suggested,
    /// The element was used.
    Acted,
    /// The element was used, and has been before in a step that reached its end.
    Remembered,
    /// A selector matched the element: its label, text or row had changed, and it was used.
    Changed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// The flow reached its end.
    Done,
    /// An earlier attempt had already done the step, as the verify flow shows.
    Verified,
    Failed,
    NeedsAttention,
    Stopped,
}

/// Traffic of one step: documents, their frames, and everything they load. Bytes are counted as encoded on
/// the wire; requests that were never sent or answered from a cache have none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NetworkTotals {
    /// All requests of the pages, failed and blocked ones included.
    pub requests: u64,
    pub failed: u64,
    pub bytes_received: u64,
    pub bytes_sent: u64,
    /// Refused by Regatta: `[network] block`, or a document outside the allowed origins.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub blocked: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_type: BTreeMap<ResourceType, TypeTotals>,
}

/// The same for one type of resource. Zeros are left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TypeTotals {
    #[serde(skip_serializing_if = "is_zero")]
    pub requests: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub failed: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub bytes_received: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub bytes_sent: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub blocked: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The purpose of a request, as in the DevTools protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ResourceType {
    Document,
    Stylesheet,
    Image,
    Media,
    Font,
    Script,
    TextTrack,
    Xhr,
    Fetch,
    EventSource,
    WebSocket,
    Manifest,
    Ping,
    /// Also stands for types that a later version adds.
    #[serde(other)]
    Other,
}

impl std::ops::AddAssign<&Self> for NetworkTotals {
    fn add_assign(&mut self, other: &Self) {
        self.requests += other.requests;
        self.failed += other.failed;
        self.bytes_received += other.bytes_received;
        self.bytes_sent += other.bytes_sent;
        self.blocked += other.blocked;
        for (kind, more) in &other.by_type {
            let sum = self.by_type.entry(*kind).or_default();
            sum.requests += more.requests;
            sum.failed += more.failed;
            sum.bytes_received += more.bytes_received;
            sum.bytes_sent += more.bytes_sent;
            sum.blocked += more.blocked;
        }
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
                network: NetworkTotals {
                    requests: 9,
                    failed: 1,
                    bytes_received: 2048,
                    bytes_sent: 512,
                    ..NetworkTotals::default()
                },
            },
        };
        let line = serde_json::to_string(&event).unwrap();
        expect![[r#"{"v":1,"seq":7,"at":"2026-01-02T03:04:05Z","run_id":"20260102T030405-0000beef","profile_id":"k18imh7u","type":"step_finished","flag":"store_signup","outcome":"done","ms":1200,"network":{"requests":9,"failed":1,"bytes_received":2048,"bytes_sent":512}}"#]]
            .assert_eq(&line);
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
    }

    #[test]
    fn totals_are_kept_and_summed_by_type() {
        let image = TypeTotals { requests: 3, blocked: 3, ..TypeTotals::default() };
        let font = TypeTotals { requests: 1, bytes_received: 900, ..TypeTotals::default() };
        let mut totals = NetworkTotals {
            requests: 4,
            bytes_received: 900,
            blocked: 3,
            by_type: [(ResourceType::Image, image), (ResourceType::Font, font)].into(),
            ..NetworkTotals::default()
        };
        let text = serde_json::to_string(&totals).unwrap();
        expect![[r#"{"requests":4,"failed":0,"bytes_received":900,"bytes_sent":0,"blocked":3,"by_type":{"image":{"requests":3,"blocked":3},"font":{"requests":1,"bytes_received":900}}}"#]]
            .assert_eq(&text);
        assert_eq!(serde_json::from_str::<NetworkTotals>(&text).unwrap(), totals);
        totals += &totals.clone();
        assert_eq!((totals.blocked, totals.by_type[&ResourceType::Font].bytes_received), (6, 1800));
    }

    #[test]
    fn totals_of_older_and_newer_versions_are_read() {
        let older = r#"{"requests":9,"failed":1,"bytes_received":2048,"bytes_sent":512}"#;
        assert_eq!(serde_json::from_str::<NetworkTotals>(older).unwrap().requests, 9);
        let younger = r#"{"requests":1,"failed":0,"bytes_received":1,"bytes_sent":1,"by_type":{"hologram":{"requests":1}},"x":2}"#;
        let younger = serde_json::from_str::<NetworkTotals>(younger).unwrap();
        assert_eq!(younger.by_type[&ResourceType::Other].requests, 1);
    }
}
