//! Waits, conditions and captures: actions that read the page without touching it.

use std::time::Duration;

use chromiumoxide::cdp::js_protocol::runtime::EvaluateParams;
use regex::Regex;
use serde_json::json;

use crate::attempt::StepAttempt;
use crate::error::{ActionError, ActionErrorKind, WaitError};
use crate::script::methods::{ChangedReply, ReadReply, WaitReply};
use crate::script::{OBJECTS, RemoteObject, RemoteResult};
use regatta_core::flow::{Capture, CaptureFrom, Operator, WaitForElement};
use regatta_core::mask::Mask;

/// A page with no request under way for this long is quiet: nothing still to come would make a wait hold.
const QUIET: Duration = Duration::from_millis(300);

impl StepAttempt<'_> {
    pub async fn wait_for_element(&mut self, wait: &WaitForElement) -> Result<(), ActionError> {
        let operator = match wait.operator {
            Operator::AtLeast => ">=",
            Operator::Exactly => "==",
            Operator::AtMost => "<=",
        };
        let attributes: serde_json::Map<_, _> =
            wait.attributes.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let query = json!({
            "operator": operator, "count": wait.count, "visible": wait.visible,
            "properties": wait.properties, "attributes": attributes,
        });
        let reply = self.query::<WaitReply>(&wait.locator, query.clone()).await?;
        if reply.ok {
            return Ok(());
        }
        let mismatch = match wait.operator {
            _ if !wait.visible => None,
            Operator::AtMost => None,
            Operator::AtLeast | Operator::Exactly => self.describe_mismatch(wait, &query).await,
        };
        let found = reply.found;
        let error = self.failed(&wait.locator, reply.reason);
        if error.kind == ActionErrorKind::Refused {
            return Err(error);
        }
        let usual = wait.operator == Operator::AtLeast && wait.count == 1;
        let (count, within) = (wait.count, self.within());
        let error = match mismatch {
            Some(message) if usual && wait.visible => ActionError { message, hint: None, ..error },
            _ if usual && wait.visible => error,
            mismatch => {
                let message = match (wait.visible, usual) {
                    (true, _) => {
                        format!("expected {operator} {count} matching elements, found {found} {within}")
                    }
                    (false, true) => format!("expected no visible matching element, found {found} {within}"),
                    (false, false) => format!(
                        "expected not {operator} {count} visible matching elements, found {found} {within}"
                    ),
                };
                ActionError { message, hint: mismatch.or(error.hint), ..error }
            }
        };
        Err(self.definite(error))
    }

    /// Waits until an expression is true in the page's own world.
    pub async fn wait_for_expression(&mut self, expression: &str) -> Result<(), ActionError> {
        let mut thrown = None;
        loop {
            let world = self.page.until(self.deadline(), |view| view.frame.page_world.clone()).await;
            let world = world.map_err(|error| self.wait_failed(error))?;
            let mut evaluate = EvaluateParams::new(expression);
            evaluate.unique_context_id = Some(world.unique.clone());
            evaluate.await_promise = Some(true);
            evaluate.silent = Some(true);
            evaluate.object_group = Some(OBJECTS.to_owned());
            let called = self.page.in_world::<_, RemoteResult>(&world, evaluate, self.deadline()).await;
            match called {
                Err(WaitError::Deadline) => {
                    let message = format!("{} came to no answer {}", quoted(expression), self.within());
                    return Err(ActionError::timed_out(message));
                }
                Err(error) => return Err(self.wait_failed(error)),
                Ok(None) => {}
                Ok(Some(called)) => {
                    self.page.release_objects();
                    thrown = called.thrown();
                    if thrown.as_ref().is_some_and(|thrown| thrown.starts_with("SyntaxError")) {
                        return Err(ActionError::refused(format!(
                            "{} is no JavaScript: {}",
                            quoted(expression),
                            thrown.unwrap_or_default()
                        )));
                    }
                    if thrown.is_none() && is_truthy(&called.result) {
                        return Ok(());
                    }
                }
            }
            if self.is_over() {
                break;
            }
            let ms = self.left().as_secs_f64() * 1000.0;
            self.call::<ChangedReply>(&json!({ "ms": ms })).await?;
        }
        let message = format!("{} did not become true {}", quoted(expression), self.within());
        let message = match thrown {
            Some(thrown) => format!("{message}: it throws {thrown}"),
            None => message,
        };
        Err(self.definite(ActionError::timed_out(message)))
    }

    pub async fn capture(&mut self, capture: &Capture) -> Result<String, ActionError> {
        let pattern = match &capture.pattern {
            Some(pattern) => Some(
                Regex::new(pattern)
                    .map_err(|_| ActionError::refused("`pattern` is no regular expression"))?,
            ),
            None => None,
        };
        let (from, attribute) = match &capture.from {
            CaptureFrom::Text => ("text", None),
            CaptureFrom::Value => ("value", None),
            CaptureFrom::Attribute(name) => ("attribute", Some(name)),
        };
        let mut not = None;
        loop {
            let query = json!({ "needs": {}, "from": from, "attribute": attribute, "not": not });
            let mut reply = self.query::<ReadReply>(&capture.locator, query).await?;
            let Some(read) = reply.value.clone().filter(|_| reply.found.ok) else {
                let error = self.failed(&capture.locator, reply.found.reason);
                return Err(if error.kind == ActionErrorKind::TimedOut {
                    self.definite(error)
                } else {
                    error
                });
            };
            let value = match &pattern {
                None => Some(read.clone()),
                Some(pattern) => pattern.captures(&read).map(|groups| {
                    let group = groups.get(1).or(groups.get(0));
                    group.map(|group| group.as_str().to_owned()).unwrap_or_default()
                }),
            };
            match value.filter(|value| !value.is_empty()) {
                Some(value) => {
                    let mut mask = Mask::default();
                    mask.add("captured", &value);
                    reply.found.element = reply.found.element.map(|element| element.masked(&mask));
                    self.remember(&capture.locator, &reply.found);
                    return Ok(value);
                }
                // Waits for another text than this one.
                None => not = Some(read),
            }
        }
    }

    /// Turns a timeout into `NotMet` if the page is quiet: waiting longer could not help.
    fn definite(&self, error: ActionError) -> ActionError {
        // An HTTP error that the flow allows is as good a page as any.
        let allowed = self.page.allowed_error.as_deref();
        let quiet = self.page.with_view(|view| view.is_sound(allowed) && view.is_quiet(QUIET)) == Some(true);
        if error.kind == ActionErrorKind::TimedOut && quiet {
            return ActionError { kind: ActionErrorKind::NotMet, ..error };
        }
        error
    }
}

/// An expression as an error shows it: in one line and not at any length.
fn quoted(expression: &str) -> String {
    const LONGEST: usize = 100;
    let line = expression.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("the expression `{}…`", &line[..end]),
        None => format!("the expression `{line}`"),
    }
}

/// JavaScript's truth of a handle: a page object need not be one that can be copied.
fn is_truthy(object: &RemoteObject) -> bool {
    if object.subtype.as_deref() == Some("null") || object.kind == "undefined" {
        return false;
    }
    if let Some(number) = &object.unserializable_value {
        return !matches!(number.as_str(), "NaN" | "-0" | "0n");
    }
    match &object.value {
        Some(serde_json::Value::Bool(value)) => *value,
        Some(serde_json::Value::Number(value)) => value.as_f64() != Some(0.0),
        Some(serde_json::Value::String(value)) => !value.is_empty(),
        _ => object.object_id.is_some() || object.kind == "symbol",
    }
}
