//! A fold of events into what every view shows of a run and of a fleet.
//!
//! Accepts any sequence of events: a tail that begins in the middle, a run without `run_finished`, and
//! several runs in one file give a summary of what is known.

use std::fmt;

use serde::Serialize;

use crate::event::{Event, EventKind, NetworkTotals, StepMode, StepOutcome};
use crate::id::{Flag, RunId};
use crate::outcome::RunOutcome;

pub use self::history::{FailedAction, History, RunSpan, StepSpan};

mod history;

/// One profile, as its latest run reported it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProfileSummary {
    pub run_id: Option<RunId>,
    pub pid: Option<u32>,
    pub phase: Phase,
    /// Steps of the workflow, and how many are done.
    pub steps: usize,
    pub done: usize,
    pub current: Option<CurrentStep>,
    /// The reason why the run waits, such as the rate limit or the browser's kernel.
    pub waits_for: Option<String>,
    /// The error of the latest run. Cleared by a step that is done afterwards.
    pub last_error: Option<String>,
    /// The evidence of the latest failure.
    pub evidence: Option<String>,
    /// The traffic of every folded run.
    pub network: NetworkTotals,
    pub started_at: Option<jiff::Timestamp>,
    /// The time of the latest event.
    pub last_event_at: Option<jiff::Timestamp>,
    /// The history of every folded run.
    pub history: History,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    /// No event yet.
    #[default]
    NoEvents,
    /// Waiting for the provider's browser.
    Starting,
    /// Has a browser. [`ProfileSummary::current`] shows whether a step is running.
    Driving,
    /// The browser is stopped and `run_finished` has not been read.
    Ending,
    Finished(RunOutcome),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrentStep {
    pub flag: Flag,
    /// Counts from 1 in the order of the workflow, as far as steps are done in order.
    pub number: usize,
    pub attempt: u32,
    pub mode: StepMode,
    pub since: jiff::Timestamp,
    /// The latest action of its flow.
    pub action: Option<CurrentAction>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CurrentAction {
    /// The type of the action, such as `click`.
    #[serde(rename = "action")]
    pub name: String,
    /// Counts from 1.
    pub number: usize,
    pub of: usize,
}

impl fmt::Display for CurrentAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.name, self.number, self.of)
    }
}

impl ProfileSummary {
    pub fn apply(&mut self, event: &Event) {
        let of_another = self.run_id.as_ref().is_some_and(|run_id| *run_id != event.run_id);
        // Another process tried the profile while it was being run: nothing happened to it.
        let turned_away = matches!(event.kind, EventKind::RunFinished { outcome: RunOutcome::Busy, .. });
        if of_another && turned_away {
            return;
        }
        if self.run_id.is_none() || of_another {
            *self = Self {
                steps: self.steps,
                done: self.done,
                network: std::mem::take(&mut self.network),
                history: std::mem::take(&mut self.history),
                ..Self::default()
            };
            self.run_id = Some(event.run_id.clone());
            self.started_at = Some(event.at);
        }
        self.last_event_at = Some(event.at);
        self.history.apply(event);
        match &event.kind {
            EventKind::RunStarted { pid, steps, done, .. } => {
                self.pid = Some(*pid);
                self.phase = Phase::Starting;
                self.steps = *steps;
                self.done = *done;
            }
            EventKind::PacerWaiting { call } => {
                self.waits_for = Some(format!("the provider (rate limit, {call})"));
            }
            EventKind::PacerWaited { .. } => self.waits_for = None,
            EventKind::PaceWaiting { origin } => {
                self.waits_for = Some(format!("{origin} ([[pace]] limit)"));
            }
            EventKind::PaceWaited { .. } => self.waits_for = None,
            EventKind::SiteBusy { .. } => self.waits_for = Some("the site is busy".to_owned()),
            EventKind::KernelDownloading { message, .. } => self.waits_for = Some(message.clone()),
            EventKind::ProviderPaused { .. }
            | EventKind::UsedElsewhere
            | EventKind::ProviderRefused { .. }
            | EventKind::StepPrepared { .. }
            | EventKind::Healed { .. }
            | EventKind::Captured { .. }
            | EventKind::TotpWaiting { .. }
            | EventKind::Downloaded { .. } => {}
            EventKind::BrowserStarted { .. } => {
                self.phase = Phase::Driving;
                self.waits_for = None;
            }
            EventKind::StepStarted { flag, attempt, mode } => {
                self.phase = Phase::Driving;
                self.waits_for = None;
                self.current = Some(CurrentStep {
                    flag: flag.clone(),
                    number: self.done + 1,
                    attempt: *attempt,
                    mode: *mode,
                    since: event.at,
                    action: None,
                });
            }
            EventKind::ActionStarted { number, of, action, .. } => {
                if let Some(step) = &mut self.current {
                    step.action = Some(CurrentAction { name: action.clone(), number: *number, of: *of });
                }
            }
            EventKind::ActionFailed { flow, step, action, message, .. } => {
                self.last_error = Some(format!("{flow}, step {step} ({action}): {message}"));
            }
            EventKind::StepFinished { outcome, network, .. } => {
                self.phase = Phase::Driving;
                self.network += network;
                self.current = None;
                if matches!(outcome, StepOutcome::Done | StepOutcome::Verified) {
                    self.done += 1;
                    self.last_error = None;
                    self.evidence = None;
                }
            }
            EventKind::Evidence { path, .. } => self.evidence = Some(path.clone()),
            EventKind::Screenshot { .. } => {}
            EventKind::AttentionNeeded { message, .. } => self.last_error = Some(message.clone()),
            EventKind::BrowserStopped { .. } => self.phase = Phase::Ending,
            EventKind::RunFinished { outcome, message, .. } => {
                self.phase = Phase::Finished(*outcome);
                self.current = None;
                self.waits_for = None;
                if *outcome == RunOutcome::Completed {
                    self.last_error = None;
                    self.evidence = None;
                } else if message.is_some() {
                    self.last_error.clone_from(message);
                }
            }
        }
    }

    /// Returns the outcome of the latest run once it has reported one.
    pub const fn outcome(&self) -> Option<RunOutcome> {
        match self.phase {
            Phase::Finished(outcome) => Some(outcome),
            _ => None,
        }
    }
}

impl<'a> FromIterator<&'a Event> for ProfileSummary {
    fn from_iter<T: IntoIterator<Item = &'a Event>>(events: T) -> Self {
        events.into_iter().fold(Self::default(), |mut summary, event| {
            summary.apply(event);
            summary
        })
    }
}

/// Counts over many profiles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FleetTotals {
    pub profiles: usize,
    /// Profiles with events and without a `run_finished`.
    pub running: usize,
    pub completed: usize,
    pub need_attention: usize,
    /// Profiles whose run reported any other outcome.
    pub failed: usize,
    pub steps: usize,
    pub done: usize,
    pub network: NetworkTotals,
}

impl<'a> FromIterator<&'a ProfileSummary> for FleetTotals {
    fn from_iter<T: IntoIterator<Item = &'a ProfileSummary>>(profiles: T) -> Self {
        profiles.into_iter().fold(Self::default(), |mut totals, profile| {
            totals.profiles += 1;
            totals.steps += profile.steps;
            totals.done += profile.done;
            totals.network += &profile.network;
            match profile.phase {
                Phase::NoEvents => {}
                Phase::Starting | Phase::Driving | Phase::Ending => totals.running += 1,
                Phase::Finished(RunOutcome::Completed) => totals.completed += 1,
                Phase::Finished(RunOutcome::NeedsAttention) => totals.need_attention += 1,
                Phase::Finished(_) => totals.failed += 1,
            }
            totals
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::view::overview::tests::samples::events;

    #[track_caller]
    fn check(story: &str, expected: Expect) {
        let mut summary = ProfileSummary::default();
        let lines: Vec<String> = events(story)
            .iter()
            .map(|event| {
                summary.apply(event);
                line(&summary)
            })
            .collect();
        expected.assert_eq(&lines.join("\n"));
    }

    fn line(summary: &ProfileSummary) -> String {
        let current = summary.current.as_ref().map_or(String::new(), |step| {
            format!(
                " step {}/{} {} attempt {} {:?}{}",
                step.number,
                summary.steps,
                step.flag,
                step.attempt,
                step.mode,
                step.action.as_ref().map_or(String::new(), |action| format!(", {action}"))
            )
        });
        let waits = summary.waits_for.as_ref().map_or(String::new(), |what| format!(" waits: {what}"));
        let error = summary.last_error.as_ref().map_or(String::new(), |error| format!(" error: {error}"));
        let evidence = summary.evidence.as_ref().map_or(String::new(), |path| format!(" see {path}"));
        format!(
            "{:?} {}/{}{current}{waits}, {} requests{error}{evidence}",
            summary.phase, summary.done, summary.steps, summary.network.requests
        )
    }

    const NETWORK: &str = r#""network":{"requests":9,"failed":1,"bytes_received":2048,"bytes_sent":512}"#;

    #[test]
    fn a_run_is_summarized_from_its_first_event_to_its_last() {
        check(
            &format!(
                r#"
                00 r1 "type":"run_started","pid":5,"plan":"x","steps":2,"done":0
                01 r1 "type":"browser_started","provider":"chromium","reused":false,"ms":900
                02 r1 "type":"step_started","flag":"a","attempt":1,"mode":"act"
                02 r1 "type":"action_started","flag":"a","flow":"flows/a.json","step":"1","number":1,"of":5,"action":"navigate"
                03 r1 "type":"action_started","flag":"a","flow":"flows/a.json","step":"3.1","number":4,"of":5,"action":"click"
                03 r1 "type":"action_failed","flag":"a","attempt":1,"flow":"flows/a.json","step":"4","action":"click","message":"no element"
                04 r1 "type":"evidence","flag":"a","path":"artifacts/p/1"
                05 r1 "type":"step_finished","flag":"a","outcome":"failed","ms":1,{NETWORK}
                06 r1 "type":"step_started","flag":"a","attempt":2,"mode":"verify"
                07 r1 "type":"step_finished","flag":"a","outcome":"verified","ms":1,{NETWORK}
                08 r1 "type":"step_started","flag":"b","attempt":1,"mode":"act"
                09 r1 "type":"attention_needed","flag":"b","message":"a person must look"
                10 r1 "type":"step_finished","flag":"b","outcome":"needs_attention","ms":1,{NETWORK}
                11 r1 "type":"browser_stopped","ms":5
                12 r1 "type":"run_finished","outcome":"needs_attention","exit_code":3,"ms":12000"#
            ),
            expect![[r#"
                Starting 0/2, 0 requests
                Driving 0/2, 0 requests
                Driving 0/2 step 1/2 a attempt 1 Act, 0 requests
                Driving 0/2 step 1/2 a attempt 1 Act, navigate 1/5, 0 requests
                Driving 0/2 step 1/2 a attempt 1 Act, click 4/5, 0 requests
                Driving 0/2 step 1/2 a attempt 1 Act, click 4/5, 0 requests error: flows/a.json, step 4 (click): no element
                Driving 0/2 step 1/2 a attempt 1 Act, click 4/5, 0 requests error: flows/a.json, step 4 (click): no element see artifacts/p/1
                Driving 0/2, 9 requests error: flows/a.json, step 4 (click): no element see artifacts/p/1
                Driving 0/2 step 1/2 a attempt 2 Verify, 9 requests error: flows/a.json, step 4 (click): no element see artifacts/p/1
                Driving 1/2, 18 requests
                Driving 1/2 step 2/2 b attempt 1 Act, 18 requests
                Driving 1/2 step 2/2 b attempt 1 Act, 18 requests error: a person must look
                Driving 1/2, 27 requests error: a person must look
                Ending 1/2, 27 requests error: a person must look
                Finished(NeedsAttention) 1/2, 27 requests error: a person must look"#]],
        );
    }

    #[test]
    fn a_second_run_begins_anew_and_a_refused_one_changes_nothing() {
        check(
            &format!(
                r#"
                00 r1 "type":"run_started","pid":5,"plan":"x","steps":2,"done":0
                01 r1 "type":"step_started","flag":"a","attempt":1,"mode":"act"
                02 r9 "type":"run_finished","outcome":"busy","exit_code":4,"ms":1
                03 r1 "type":"step_finished","flag":"a","outcome":"done","ms":1,{NETWORK}
                04 r1 "type":"action_failed","flag":"b","attempt":1,"flow":"flows/b.json","step":"1","action":"click","message":"gone"
                05 r2 "type":"run_started","pid":6,"plan":"x","steps":2,"done":1
                06 r2 "type":"run_finished","outcome":"no_browser","exit_code":5,"message":"the provider is down","ms":3"#
            ),
            expect![[r#"
                Starting 0/2, 0 requests
                Driving 0/2 step 1/2 a attempt 1 Act, 0 requests
                Driving 0/2 step 1/2 a attempt 1 Act, 0 requests
                Driving 1/2, 9 requests
                Driving 1/2, 9 requests error: flows/b.json, step 1 (click): gone
                Starting 1/2, 9 requests
                Finished(NoBrowser) 1/2, 9 requests error: the provider is down"#]],
        );
    }

    #[test]
    fn the_reason_for_waiting_is_known_until_the_browser_starts() {
        check(
            r#"
            00 r1 "type":"run_started","pid":5,"plan":"x","steps":2,"done":0
            02 r1 "type":"pacer_waiting","call":"start"
            07 r1 "type":"pacer_waited","call":"start","ms":7000
            08 r1 "type":"kernel_downloading","message":"40 %","ms":900
            09 r1 "type":"browser_started","provider":"adspower","reused":false,"ms":900"#,
            expect![[r#"
                Starting 0/2, 0 requests
                Starting 0/2 waits: the provider (rate limit, start), 0 requests
                Starting 0/2, 0 requests
                Starting 0/2 waits: 40 %, 0 requests
                Driving 0/2, 0 requests"#]],
        );
    }

    #[test]
    fn a_tail_may_begin_in_the_middle() {
        check(
            r#"
            06 r1 "type":"action_started","flag":"b","flow":"f","step":"9","number":9,"of":9,"action":"close"
            07 r1 "type":"step_started","flag":"c","attempt":1,"mode":"act""#,
            expect![[r#"
                NoEvents 0/0, 0 requests
                Driving 0/0 step 1/0 c attempt 1 Act, 0 requests"#]],
        );
    }

    #[test]
    fn totals_count_every_profile_once() {
        let finished = |outcome| ProfileSummary {
            phase: Phase::Finished(outcome),
            steps: 4,
            done: 2,
            ..ProfileSummary::default()
        };
        let profiles = [
            ProfileSummary::default(),
            ProfileSummary { phase: Phase::Driving, steps: 4, done: 1, ..ProfileSummary::default() },
            finished(RunOutcome::Completed),
            finished(RunOutcome::NeedsAttention),
            finished(RunOutcome::Damaged),
        ];
        assert_eq!(
            profiles.iter().collect::<FleetTotals>(),
            FleetTotals {
                profiles: 5,
                running: 1,
                completed: 1,
                need_attention: 1,
                failed: 1,
                steps: 16,
                done: 7,
                network: NetworkTotals::default(),
            }
        );
    }
}
