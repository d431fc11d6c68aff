//! Records the actions of an attempt.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::snapshot::PageSnapshot;
use crate::error::ActionError;
use regatta_core::evidence::TraceMode;
use regatta_core::flow::{Action, Chain, SelectorKind, Step};

/// Actions that are remembered, and bytes of what was seen around them.
const REMEMBERED: usize = 500;
const SEEN: usize = 64 << 20;

#[derive(Debug)]
pub struct TraceRecorder {
    mode: TraceMode,
    pub title: String,
    pub clock: TraceClock,
    pub acts: VecDeque<ActionRecord>,
    seen: usize,
    begun: usize,
}

/// Milliseconds since the epoch, which only run forward.
#[derive(Debug, Clone, Copy)]
pub struct TraceClock {
    started: Instant,
    pub epoch: f64,
}

/// One step of a flow, as it was played.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionRecord {
    pub number: usize,
    pub flow: String,
    pub line: usize,
    pub step: String,
    pub action: String,
    /// Its arguments, named as in the flow.
    pub arguments: Vec<(&'static str, String)>,
    /// As the flow writes them, and as the page's script takes them.
    pub selectors: Vec<String>,
    pub chains: Vec<serde_json::Value>,
    pub started: f64,
    pub ended: Option<f64>,
    pub error: Option<(String, Option<String>)>,
    /// Where the mouse went.
    pub point: Option<(f64, f64)>,
    pub before: Option<PageSnapshot>,
    pub after: Option<PageSnapshot>,
}

impl TraceClock {
    pub fn start() -> Self {
        Self { started: Instant::now(), epoch: jiff::Timestamp::now().as_millisecond() as f64 }
    }

    pub fn now(&self) -> f64 {
        let since: Duration = self.started.elapsed();
        self.epoch + since.as_secs_f64() * 1000.0
    }
}

impl TraceRecorder {
    pub fn new(mode: TraceMode) -> Self {
        Self {
            mode,
            title: String::new(),
            clock: TraceClock::start(),
            acts: VecDeque::new(),
            seen: 0,
            begun: 0,
        }
    }

    /// Begins a trace and forgets the one before.
    pub fn begin(&mut self, title: &str) {
        *self = Self { title: title.to_owned(), ..Self::new(self.mode) };
    }

    pub const fn mode(&self) -> TraceMode {
        self.mode
    }

    /// Whether snapshots are taken around each action: while there is room.
    pub const fn takes_snapshots(&self) -> bool {
        matches!(self.mode, TraceMode::Always) && self.seen < SEEN
    }

    pub fn open(&mut self, flow: &str, step: &Step) {
        if self.acts.len() == REMEMBERED
            && let Some(forgotten) = self.acts.pop_front()
        {
            self.seen -= forgotten.size();
        }
        self.begun += 1;
        self.acts.push_back(ActionRecord::new(self.begun, flow, step, self.clock.now()));
    }

    pub fn aimed(&mut self, x: f64, y: f64) {
        if let Some(act) = self.acts.back_mut() {
            act.point = Some((x, y));
        }
    }

    pub fn snapshot_before(&mut self, view: Option<PageSnapshot>) {
        self.seen += view.as_ref().map_or(0, PageSnapshot::size);
        if let Some(act) = self.acts.back_mut() {
            act.started = self.clock.now();
            act.before = view;
        }
    }

    pub fn snapshot_after(&mut self, view: Option<PageSnapshot>) {
        self.seen += view.as_ref().map_or(0, PageSnapshot::size);
        if let Some(act) = self.acts.back_mut() {
            act.after = view;
        }
    }

    pub fn close(&mut self, error: Option<&ActionError>) {
        let now = self.clock.now();
        if let Some(act) = self.acts.back_mut() {
            act.ended = Some(now);
            act.error = error.map(|error| (error.message.clone(), error.hint.clone()));
        }
    }

    /// Milliseconds since the epoch.
    pub fn now(&self) -> f64 {
        self.clock.now()
    }

    /// The last action.
    pub fn last(&self) -> Option<&ActionRecord> {
        self.acts.back()
    }
}

impl ActionRecord {
    fn new(number: usize, flow: &str, step: &Step, started: f64) -> Self {
        let arguments = match &step.action {
            Action::Navigate { url } => vec![("url", url.clone())],
            Action::Change { value, .. } => vec![("value", value.clone())],
            Action::KeyDown { key } | Action::KeyUp { key } => vec![("key", key.clone())],
            Action::WaitForExpression { expression } => vec![("expression", expression.clone())],
            _ => Vec::new(),
        };
        let alternatives = step.action.locator().map(|locator| locator.alternatives.as_slice());
        let alternatives = alternatives.unwrap_or_default();
        Self {
            number,
            flow: flow.to_owned(),
            line: step.line,
            step: step.number.clone(),
            action: step.action.name().to_owned(),
            arguments,
            selectors: alternatives.iter().map(ToString::to_string).collect(),
            chains: alternatives.iter().filter_map(script_chain).collect(),
            started,
            ended: None,
            error: None,
            point: None,
            before: None,
            after: None,
        }
    }

    fn size(&self) -> usize {
        [&self.before, &self.after].into_iter().flatten().map(PageSnapshot::size).sum()
    }
}

/// A selector in the script's form. `None` for `aria/`, which the script cannot follow.
fn script_chain(chain: &Chain) -> Option<Value> {
    let pair = |selector: &regatta_core::flow::Selector| {
        let kind = match selector.kind {
            SelectorKind::Css => "css",
            SelectorKind::Text => "text",
            SelectorKind::XPath => "xpath",
            SelectorKind::Pierce => "pierce",
            SelectorKind::Aria => return None,
        };
        Some(json!([kind, selector.text]))
    };
    chain.0.iter().map(pair).collect::<Option<Vec<_>>>().map(Value::Array)
}
