//! The document in which an outcome is delivered to the source. A published format: version 1.
//!
//! Made of the events of runs, whose messages hold no identity value. Its key, made of the run and the number
//! of the event, is the same for every delivery, so a receiver can drop duplicates.

use serde::{Deserialize, Serialize};

use crate::event::{Event, EventKind, StepOutcome};
use crate::id::{Flag, ProfileId};
use crate::outcome::RunOutcome;
use crate::session::{Session, Status};

pub const OUTCOME_VERSION: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeDocument {
    pub v: u32,
    pub key: String,
    pub profile_id: ProfileId,
    /// `PROCESSING` where a step was completed and the run continues.
    pub status: Status,
    /// The step that was completed or that is to blame.
    pub flag: Option<Flag>,
    pub error: Option<String>,
    pub at: jiff::Timestamp,
}

/// Turns the events of a run into outcomes, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutcomeTranslator {
    /// The step that failed last or needs a person.
    flag: Option<Flag>,
}

impl OutcomeTranslator {
    /// Returns `None` for an event without an outcome. `session` was read after the event: a run that was
    /// stopped may have left steps open.
    pub fn translate(&mut self, event: &Event, session: Option<&Session>) -> Option<OutcomeDocument> {
        let (status, flag, error) = match &event.kind {
            EventKind::RunStarted { .. } => {
                self.flag = None;
                return None;
            }
            EventKind::StepFinished { flag, outcome: StepOutcome::Done | StepOutcome::Verified, .. } => {
                self.flag = None;
                (Status::Processing, Some(flag.clone()), None)
            }
            EventKind::StepFinished { flag, .. } => {
                self.flag = Some(flag.clone());
                return None;
            }
            EventKind::AttentionNeeded { flag, .. } => {
                self.flag.clone_from(flag);
                return None;
            }
            EventKind::RunFinished { outcome, message, .. } => {
                let ended = match outcome {
                    RunOutcome::Completed
                        if session.is_some_and(|session| session.status == Status::Pending) =>
                    {
                        Status::Pending
                    }
                    RunOutcome::Completed => Status::Completed,
                    RunOutcome::NeedsAttention => Status::NeedsAttention,
                    RunOutcome::Stopped => Status::Pending,
                    _ => Status::Failed,
                };
                let blamed = || session.and_then(|session| session.last_error.as_ref()?.flag.clone());
                let has_blame = matches!(ended, Status::Failed | Status::NeedsAttention);
                let flag = self.flag.take().or_else(blamed).filter(|_| has_blame);
                (ended, flag, message.clone())
            }
            _ => return None,
        };
        Some(OutcomeDocument {
            v: OUTCOME_VERSION,
            key: format!("{}:{}:{}", event.profile_id, event.run_id, event.seq),
            profile_id: event.profile_id.clone(),
            status,
            flag,
            error,
            at: event.at,
        })
    }
}

impl OutcomeDocument {
    /// Returns the outcome in a session, where no event reports it.
    pub fn from_session(session: &Session, now: jiff::Timestamp) -> Self {
        let error = session.last_error.as_ref();
        let at = error.map(|error| error.at);
        let stamp = at.map_or_else(|| session.plan.clone().unwrap_or_default(), |at| at.to_string());
        Self {
            v: OUTCOME_VERSION,
            key: format!("{}:{}:{stamp}", session.profile_id, session.status),
            profile_id: session.profile_id.clone(),
            status: session.status,
            flag: error.and_then(|error| error.flag.clone()),
            error: error.map(|error| error.message.clone()),
            at: at.unwrap_or(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;
    use crate::session::Platform;

    #[track_caller]
    fn check(events: &[serde_json::Value], status: Option<Status>, expected: Expect) {
        let session = status.map(|status| {
            let mut session = Session::new("p".parse().unwrap(), Platform::Desktop, &[]);
            session.status = status;
            session
        });
        let mut translator = OutcomeTranslator::default();
        let mut lines = Vec::new();
        for (seq, kind) in (1..).zip(events) {
            let mut event =
                json!({ "v": 1, "seq": seq, "at": "2026-01-02T03:04:05Z", "run_id": "r", "profile_id": "p" });
            event.as_object_mut().unwrap().extend(kind.as_object().unwrap().clone());
            let event: Event = serde_json::from_value(event).unwrap();
            lines.extend(
                translator
                    .translate(&event, session.as_ref())
                    .map(|document| serde_json::to_string(&document).unwrap()),
            );
        }
        expected.assert_eq(&lines.join("\n"));
    }

    fn step(flag: &str, outcome: &str) -> serde_json::Value {
        let network = json!({ "requests": 0, "failed": 0, "bytes_received": 0, "bytes_sent": 0 });
        json!({ "type": "step_finished", "flag": flag, "outcome": outcome, "ms": 1, "network": network })
    }

    fn run(outcome: &str, message: Option<&str>) -> serde_json::Value {
        json!({ "type": "run_finished", "outcome": outcome, "exit_code": 0, "message": message, "ms": 1 })
    }

    #[test]
    fn steps_and_the_end_of_a_run_are_outcomes() {
        check(
            &[step("one", "done"), step("two", "verified"), run("completed", None)],
            Some(Status::Completed),
            expect![[r#"
                {"v":1,"key":"p:r:1","profile_id":"p","status":"PROCESSING","flag":"one","error":null,"at":"2026-01-02T03:04:05Z"}
                {"v":1,"key":"p:r:2","profile_id":"p","status":"PROCESSING","flag":"two","error":null,"at":"2026-01-02T03:04:05Z"}
                {"v":1,"key":"p:r:3","profile_id":"p","status":"COMPLETED","flag":null,"error":null,"at":"2026-01-02T03:04:05Z"}"#]],
        );
    }

    #[test]
    fn a_failure_names_its_step() {
        check(
            &[step("one", "failed"), run("step_failed", Some("step `one`: no"))],
            Some(Status::Failed),
            expect![[
                r#"{"v":1,"key":"p:r:2","profile_id":"p","status":"FAILED","flag":"one","error":"step `one`: no","at":"2026-01-02T03:04:05Z"}"#
            ]],
        );
        check(
            &[
                json!({ "type": "attention_needed", "flag": "one", "message": "look" }),
                run("needs_attention", Some("look")),
            ],
            Some(Status::NeedsAttention),
            expect![[
                r#"{"v":1,"key":"p:r:2","profile_id":"p","status":"NEEDS_ATTENTION","flag":"one","error":"look","at":"2026-01-02T03:04:05Z"}"#
            ]],
        );
        check(
            &[step("one", "failed"), step("one", "done"), run("no_browser", Some("none"))],
            None,
            expect![[r#"
                {"v":1,"key":"p:r:2","profile_id":"p","status":"PROCESSING","flag":"one","error":null,"at":"2026-01-02T03:04:05Z"}
                {"v":1,"key":"p:r:3","profile_id":"p","status":"FAILED","flag":null,"error":"none","at":"2026-01-02T03:04:05Z"}"#]],
        );
    }

    #[test]
    fn a_run_that_left_steps_open_has_not_completed_its_profile() {
        check(
            &[run("completed", None), run("stopped", None)],
            Some(Status::Pending),
            expect![[r#"
                {"v":1,"key":"p:r:1","profile_id":"p","status":"PENDING","flag":null,"error":null,"at":"2026-01-02T03:04:05Z"}
                {"v":1,"key":"p:r:2","profile_id":"p","status":"PENDING","flag":null,"error":null,"at":"2026-01-02T03:04:05Z"}"#]],
        );
    }
}
