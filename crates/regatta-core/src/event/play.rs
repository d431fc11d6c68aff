//! The events of `regatta play`, which plays one flow without a workflow, and the origins that the flow
//! visits.

use std::collections::BTreeSet;
use std::convert::Infallible;

use serde::Serialize;

use crate::event::NetworkTotals;
use crate::flow::{Action, Flow};
use crate::origin::origin_of;
use crate::outcome::RunOutcome;
use crate::workflow::template::{self, Scope};

pub const PLAY_EVENT_VERSION: u32 = 1;

/// One JSON object a line, for the program beside the flow's author; never stored. Like an
/// [`Event`](crate::event::Event) it holds no value of an identity field.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlayEvent {
    pub v: u32,
    /// Counts from 1.
    pub seq: u64,
    pub at: jiff::Timestamp,
    #[serde(flatten)]
    pub kind: PlayEventKind,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum PlayEventKind {
    PlayStarted {
        flow: String,
        title: String,
        /// Steps inside a `when` included.
        steps: usize,
    },
    /// A document waits for its turn at this origin, as `[[pace]]` demands. `PaceWaited` follows.
    PaceWaiting {
        origin: String,
    },
    PaceWaited {
        origin: String,
        ms: u64,
    },
    PacerWaiting {
        call: String,
    },
    PacerWaited {
        call: String,
        ms: u64,
    },
    KernelDownloading {
        message: String,
        ms: u64,
    },
    BrowserStarted {
        provider: String,
        reused: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<String>,
        ms: u64,
    },
    ActionStarted {
        #[serde(flatten)]
        action: ActionName,
    },
    ActionFinished {
        #[serde(flatten)]
        action: ActionName,
        outcome: ActionOutcome,
        ms: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    Captured {
        step: String,
        field: String,
        /// The length of the value, which is not shown.
        characters: usize,
    },
    /// The current two-factor code was used; the run waits `ms` for the next one.
    TotpWaiting {
        step: String,
        ms: u64,
    },
    Screenshot {
        step: String,
        path: String,
    },
    Downloaded {
        path: String,
        bytes: u64,
    },
    /// The trace of a flow that reached its end.
    Trace {
        path: String,
    },
    Evidence {
        path: String,
    },
    BrowserStopped {
        ms: u64,
    },
    PlayFinished {
        outcome: RunOutcome,
        exit_code: u8,
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        ms: u64,
        network: NetworkTotals,
    },
}

/// A step of the flow, as its author finds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ActionName {
    /// `4`, or `4.2` inside a `when`.
    pub step: String,
    pub line: usize,
    pub action: String,
    /// The subject of the step, as the flow writes it: a selector, an address, a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionOutcome {
    Done,
    /// The condition of a `when` holds: its steps follow.
    Holds,
    /// The condition of a `when` does not hold: its steps are skipped.
    HoldsNot,
    /// The blank page on which the recording began: there is nothing to do.
    PassedOver,
    Failed,
    NeedsAttention,
}

/// Returns the origins that the flow's own `navigate` steps name, in order. An address that needs a captured
/// value names none yet.
pub fn origins(flow: &Flow, scope: &Scope<'_>) -> Vec<String> {
    let mut origins = Vec::new();
    for step in flow.all_steps() {
        let Action::Navigate { url } = &step.action else { continue };
        let origin = template::render(url, scope).ok().and_then(|url| origin_of(&url));
        origins.extend(origin.filter(|origin| !origins.contains(origin)));
    }
    origins
}

/// Returns the variables that the flow's steps use.
pub fn variables(flow: &Flow) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for step in flow.all_steps() {
        let mut collect = |text: &str| {
            used.extend(template::variables(text));
            Ok::<_, Infallible>(String::new())
        };
        let Ok(_) = step.map_text(&mut collect);
    }
    used
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow;
    use crate::session::{Identity, Platform};

    #[test]
    fn a_flow_names_the_origins_it_goes_to() {
        let text = r#"{"title":"t","steps":[
            {"type":"navigate","url":"{{ variables.site }}/a?b"},
            {"type":"customStep","name":"regatta.when","parameters":{"exists":["a"],"steps":[{"type":"navigate","url":"https://b.test:443/"}]}},
            {"type":"navigate","url":"http://a.test/"},
            {"type":"navigate","url":"{{ identity.captured }}"},
            {"type":"navigate","url":"about:blank"}]}"#;
        let variables = serde_json::from_str(r#"{"site":"http://a.test:80"}"#).unwrap();
        let scope = Scope {
            profile_id: &"p".parse().unwrap(),
            platform: Platform::Desktop,
            identity: &Identity::default(),
            variables: &variables,
            now: jiff::Timestamp::UNIX_EPOCH,
        };
        let flow = flow::parse("f.json", text).unwrap();
        assert_eq!(origins(&flow, &scope), ["http://a.test", "https://b.test"]);
        assert_eq!(super::variables(&flow).into_iter().collect::<Vec<_>>(), ["site"]);
    }
}
