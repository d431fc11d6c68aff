//! The runs of a profile in order: the part of the summary that is counted, timed and drawn. Accepts any
//! sequence of events.
//!
//! Everything is kept, so that no count ever falls: some hundred bytes for each step of a run.

use crate::event::{Event, EventKind, HealHow, StepMode, StepOutcome};
use crate::id::{Flag, RunId};
use crate::outcome::RunOutcome;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// In the order in which they began.
    pub runs: Vec<RunSpan>,
    /// Waits for the provider's rate limit.
    pub pacer_waits: u64,
    pub pacer_wait_ms: u64,
    /// Browsers that were opened or taken over.
    pub browsers: u64,
    pub healed: u64,
    pub downloads: u64,
    pub downloaded_bytes: u64,
    /// The latest screenshot of a flow.
    pub picture: Option<String>,
    /// The evidence of the latest failure.
    pub evidence: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct RunSpan {
    pub run_id: RunId,
    pub started_at: jiff::Timestamp,
    /// The time of its latest event; its end, where it has an outcome.
    pub last_event_at: jiff::Timestamp,
    /// `None` while the run lives, or where it died.
    pub outcome: Option<RunOutcome>,
    /// The message of `run_finished`, unless the run completed.
    pub message: Option<String>,
    pub steps: Vec<StepSpan>,
}

/// One attempt at a step, or one verification.
#[derive(Debug, Clone, PartialEq)]
pub struct StepSpan {
    pub flag: Flag,
    pub mode: StepMode,
    pub attempt: u32,
    pub started_at: jiff::Timestamp,
    /// `None` while it runs, or where its run died.
    pub ended_at: Option<jiff::Timestamp>,
    /// The outcome of the whole step, held by its last attempt. Later events of the step belong to it as
    /// well.
    pub outcome: Option<StepOutcome>,
    pub ms: u64,
    pub bytes_received: u64,
    pub bytes_sent: u64,
    pub requests: u64,
    /// The last failed action.
    pub failed: Option<Box<FailedAction>>,
    pub evidence: Option<String>,
}

/// Where a flow failed, and the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedAction {
    pub flow: String,
    pub step: String,
    pub action: String,
    pub message: String,
}

impl History {
    pub(super) fn apply(&mut self, event: &Event) {
        if self.runs.last().is_none_or(|run| run.run_id != event.run_id) {
            self.runs.push(RunSpan {
                run_id: event.run_id.clone(),
                started_at: event.at,
                last_event_at: event.at,
                outcome: None,
                message: None,
                steps: Vec::new(),
            });
        }
        let Some(run) = self.runs.last_mut() else { return };
        run.last_event_at = event.at;
        match &event.kind {
            EventKind::PacerWaited { ms, .. } => {
                self.pacer_waits += 1;
                self.pacer_wait_ms += ms;
            }
            EventKind::BrowserStarted { .. } => self.browsers += 1,
            EventKind::Healed { how: HealHow::Changed, .. } => {}
            EventKind::Healed { .. } => self.healed += 1,
            EventKind::Downloaded { bytes, .. } => {
                self.downloads += 1;
                self.downloaded_bytes += bytes;
            }
            EventKind::StepStarted { flag, attempt, mode } => {
                // An attempt has no event of its own for its end: the next one ends it.
                if let Some(span) = run.steps.last_mut() {
                    span.ended_at.get_or_insert(event.at);
                }
                run.steps.push(StepSpan::begun(flag.clone(), *mode, *attempt, event.at));
            }
            EventKind::ActionFailed { flag, flow, step, action, message, .. } => {
                if let Some(span) = run.span(flag) {
                    span.failed = Some(Box::new(FailedAction {
                        flow: flow.clone(),
                        step: step.clone(),
                        action: action.clone(),
                        message: message.clone(),
                    }));
                }
            }
            EventKind::StepFinished { flag, outcome, ms, network } => {
                if run.span(flag).is_none_or(|span| span.outcome.is_some()) {
                    // The tail begins in the middle, or the step ended before it acted.
                    run.steps.push(StepSpan::begun(flag.clone(), StepMode::Act, 1, event.at));
                }
                if let Some(span) = run.span(flag) {
                    span.ended_at = Some(event.at);
                    span.outcome = Some(*outcome);
                    span.ms = *ms;
                    span.bytes_received = network.bytes_received;
                    span.bytes_sent = network.bytes_sent;
                    span.requests = network.requests;
                }
            }
            EventKind::Evidence { flag, path } => {
                self.evidence = Some(path.clone());
                if let Some(span) = run.span(flag) {
                    span.evidence = Some(path.clone());
                }
            }
            EventKind::Screenshot { path, .. } => self.picture = Some(path.clone()),
            EventKind::RunFinished { outcome, message, .. } => {
                run.outcome = Some(*outcome);
                run.message.clone_from(message);
            }
            // Actions are too many to be kept; only failures count.
            EventKind::ActionStarted { .. }
            | EventKind::RunStarted { .. }
            | EventKind::ProviderPaused { .. }
            | EventKind::PacerWaiting { .. }
            | EventKind::KernelDownloading { .. }
            | EventKind::UsedElsewhere
            | EventKind::ProviderRefused { .. }
            | EventKind::StepPrepared { .. }
            | EventKind::Captured { .. }
            | EventKind::TotpWaiting { .. }
            | EventKind::SiteBusy { .. }
            | EventKind::PaceWaiting { .. }
            | EventKind::PaceWaited { .. }
            | EventKind::AttentionNeeded { .. }
            | EventKind::BrowserStopped { .. } => {}
        }
    }

    /// Attempts at every step, in the order in which they began.
    pub fn spans(&self) -> impl Iterator<Item = &StepSpan> {
        self.runs.iter().flat_map(|run| &run.steps)
    }

    pub fn bytes_received(&self) -> u64 {
        self.spans().map(|span| span.bytes_received).sum()
    }
}

impl RunSpan {
    /// The latest attempt at a step.
    fn span(&mut self, flag: &Flag) -> Option<&mut StepSpan> {
        self.steps.iter_mut().rev().find(|span| span.flag == *flag)
    }
}

impl StepSpan {
    const fn begun(flag: Flag, mode: StepMode, attempt: u32, at: jiff::Timestamp) -> Self {
        Self {
            flag,
            mode,
            attempt,
            started_at: at,
            ended_at: None,
            outcome: None,
            ms: 0,
            bytes_received: 0,
            bytes_sent: 0,
            requests: 0,
            failed: None,
            evidence: None,
        }
    }

    /// Returns the milliseconds of an attempt that did the step; `None` for a verification.
    pub fn duration_ms(&self) -> Option<u64> {
        matches!(self.outcome, Some(StepOutcome::Done)).then_some(self.ms)
    }

    /// Whether the attempt acted and did not reach its end. A verification with the answer no is not a
    /// failure.
    pub fn is_failed_attempt(&self) -> bool {
        self.mode == StepMode::Act && (self.failed.is_some() || self.outcome == Some(StepOutcome::Failed))
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::view::overview::tests::samples::events;

    #[track_caller]
    fn check(story: &str, expected: Expect) {
        let mut history = History::default();
        events(story).iter().for_each(|event| history.apply(event));
        let mut lines = Vec::new();
        for run in &history.runs {
            let span = |from: jiff::Timestamp, to: jiff::Timestamp| {
                format!("{}-{}", from.strftime("%S"), to.strftime("%S"))
            };
            lines.push(format!(
                "{} {} {:?}",
                run.run_id,
                span(run.started_at, run.last_event_at),
                run.outcome
            ));
            lines.extend(run.steps.iter().map(|step| {
                let until = step.ended_at.map_or("..".to_owned(), |at| at.strftime("%S").to_string());
                let failed =
                    step.failed.as_ref().map_or(String::new(), |failed| format!(" {}", failed.message));
                let counted = if step.is_failed_attempt() { " FAILED" } else { "" };
                format!(
                    "  {} {:?} {} {}-{until} {:?} took {:?}, {} B{failed}{counted}",
                    step.flag,
                    step.mode,
                    step.attempt,
                    step.started_at.strftime("%S"),
                    step.outcome,
                    step.duration_ms(),
                    step.bytes_received
                )
            }));
        }
        lines.push(format!(
            "{} waits of {} ms, {} browsers",
            history.pacer_waits, history.pacer_wait_ms, history.browsers
        ));
        expected.assert_eq(&lines.join("\n"));
    }

    const NETWORK: &str = r#""network":{"requests":9,"failed":1,"bytes_received":2048,"bytes_sent":512}"#;

    #[test]
    fn the_last_attempt_holds_the_outcome_of_the_step() {
        check(
            &format!(
                r#"
                00 r1 "type":"run_started","pid":5,"plan":"x","steps":2,"done":0
                00 r1 "type":"pacer_waited","call":"start","ms":120
                01 r1 "type":"browser_started","provider":"chromium","reused":false,"ms":900
                02 r1 "type":"step_started","flag":"a","attempt":1,"mode":"act"
                03 r1 "type":"action_failed","flag":"a","attempt":1,"flow":"f","step":"4","action":"click","message":"no element"
                04 r1 "type":"step_started","flag":"a","attempt":1,"mode":"verify"
                05 r1 "type":"action_failed","flag":"a","attempt":1,"flow":"v","step":"1","action":"waitForElement","message":"not there"
                06 r1 "type":"step_started","flag":"a","attempt":2,"mode":"act"
                09 r1 "type":"step_finished","flag":"a","outcome":"done","ms":7000,{NETWORK}
                10 r1 "type":"step_finished","flag":"b","outcome":"failed","ms":10,{NETWORK}
                11 r1 "type":"run_finished","outcome":"step_failed","exit_code":1,"ms":11000
                20 r2 "type":"run_started","pid":6,"plan":"x","steps":2,"done":1
                21 r2 "type":"step_started","flag":"b","attempt":1,"mode":"act""#
            ),
            expect![[r#"
                r1 00-11 Some(StepFailed)
                  a Act 1 02-04 None took None, 0 B no element FAILED
                  a Verify 1 04-06 None took None, 0 B not there
                  a Act 2 06-09 Some(Done) took Some(7000), 2048 B
                  b Act 1 10-10 Some(Failed) took None, 2048 B FAILED
                r2 20-21 None
                  b Act 1 21-.. None took None, 0 B
                1 waits of 120 ms, 1 browsers"#]],
        );
    }
}
