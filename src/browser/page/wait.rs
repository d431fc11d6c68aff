//! Waits and captures: what the page shows, looked at and never touched.

use std::time::Duration;

use chromiumoxide::cdp::js_protocol::runtime::EvaluateParams;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::locate::{Seek, order};
use super::navigate::seconds;
use super::script::{Waited, alternatives};
use super::{ActionError, ActionErrorKind, Page, state};
use crate::browser::cdp::CdpError;
use crate::domain::flow::{Capture, CaptureFrom, Operator, WaitForElement};

/// A page that is still busy when time is over may yet show what was waited for.
const LAST_LOOK: Duration = Duration::from_millis(1500);

impl Page {
    pub(super) async fn wait_for_element(
        &mut self,
        seek: &Seek<'_>,
        wait: &WaitForElement,
    ) -> Result<(), ActionError> {
        let absence = wait.operator.holds(0, wait.count);
        let key = self.key(seek);
        let remembered = if absence { None } else { self.memory.recall(&key) };
        let operator = match wait.operator {
            Operator::AtLeast => ">=",
            Operator::Exactly => "==",
            Operator::AtMost => "<=",
        };
        let selectors = alternatives(seek.locator);
        let order = order(seek.locator, remembered);
        let arguments = |left: Duration| {
            json!({
                "alternatives": selectors,
                "order": order,
                "operator": operator,
                "wanted": wait.count,
                "filter": { "visible": wait.visible, "properties": wait.properties, "attributes": wait.attributes },
                "ms": left.as_millis() as u64,
            })
        };
        let asked = self.ask(seek, "waitFor", &arguments).await;
        let found = match asked {
            Err(error) if error.kind == ActionErrorKind::TimedOut => {
                self.last_look(seek, error, wait, &arguments).await?
            }
            asked => asked?,
        };
        if !absence {
            self.remember(seek, &found);
        }
        Ok(())
    }

    /// Time is over. The page is given a moment to become quiet and is looked at once more, so that
    /// its "no" is one.
    async fn last_look(
        &mut self,
        seek: &Seek<'_>,
        error: ActionError,
        wait: &WaitForElement,
        arguments: &impl Fn(Duration) -> Value,
    ) -> Result<super::script::Found, ActionError> {
        self.quiet(Instant::now() + LAST_LOOK).await;
        let again = Seek { deadline: Instant::now() + state::QUIET, ..*seek };
        match self.ask(&again, "waitFor", arguments).await {
            Err(late) if late.kind == ActionErrorKind::TimedOut => {
                self.check_status()?;
                let mut unmet = self.unmet(message(seek, wait));
                unmet.hint = error.hint;
                Err(unmet)
            }
            other => other,
        }
    }

    /// The expression is the page's own language: it runs in the page's world.
    pub(super) async fn wait_for_expression(
        &mut self,
        expression: &str,
        timeout: Duration,
        deadline: Instant,
    ) -> Result<(), ActionError> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let waited =
                self.until(Instant::now() + left + state::QUIET, |state| state.main_context.is_some()).await;
            if let Waited::Lost = waited {
                return Err(self.lost(CdpError::Gone));
            }
            let context = self.state.borrow().main_context.clone();
            let Some(context) = context else { return Err(self.unmet("the page does not load".to_owned())) };
            let mut call = EvaluateParams::new(expression_loop(expression, left));
            call.unique_context_id = Some(context.clone());
            call.await_promise = Some(true);
            call.return_by_value = Some(true);
            match tokio::time::timeout(left + LAST_LOOK, self.session.send(call)).await {
                Ok(Ok(answer)) => {
                    if let Some(thrown) = answer.exception_details {
                        let what = thrown
                            .exception
                            .and_then(|exception| exception.description)
                            .unwrap_or(thrown.text);
                        return Err(ActionError::refused(format!(
                            "the expression cannot be evaluated: {what}"
                        )));
                    }
                    if answer.result.value == Some(Value::Bool(true)) {
                        return Ok(());
                    }
                    self.quiet(Instant::now() + LAST_LOOK).await;
                    self.check_status()?;
                    return Err(
                        self.unmet(format!("the expression did not become true within {}", seconds(timeout)))
                    );
                }
                Ok(Err(error)) if error.is_context_lost() => {
                    self.state_sender
                        .send_modify(|state| drop(state.main_context.take_if(|known| *known == context)));
                }
                Ok(Err(error)) => return Err(self.lost(error)),
                Err(_) => return Err(ActionError::timed_out("the page does not answer: it hangs")),
            }
        }
    }

    /// The text, once the element holds one that the pattern finds.
    pub(super) async fn capture(
        &mut self,
        seek: &Seek<'_>,
        capture: &Capture,
    ) -> Result<String, ActionError> {
        let pattern = match capture.pattern.as_deref().map(regex::Regex::new).transpose() {
            Ok(pattern) => pattern,
            Err(error) => {
                return Err(ActionError::refused(format!("`pattern` is not a regular expression: {error}")));
            }
        };
        let (from, attribute) = match &capture.from {
            CaptureFrom::Text => ("text", None),
            CaptureFrom::Value => ("value", None),
            CaptureFrom::Attribute(name) => ("attribute", Some(name)),
        };
        loop {
            let found = match self.locate_any(seek).await {
                Err(error) if error.kind == ActionErrorKind::TimedOut => return Err(self.unmet_as(error)),
                found => found?,
            };
            let text: Option<String> =
                self.script("read", seek.deadline, |_| json!([from, attribute])).await?;
            let value = text.and_then(|text| extract(pattern.as_ref(), &text));
            if let Some(value) = value {
                self.remember(seek, &found);
                return Ok(value);
            }
            if Instant::now() >= seek.deadline {
                let within = seconds(seek.timeout);
                let message = match &capture.pattern {
                    Some(pattern) => {
                        format!("the element holds nothing that `{pattern}` finds within {within}")
                    }
                    None => format!("the element holds nothing within {within}"),
                };
                return Err(self.unmet(message));
            }
            self.script::<Value>("changed", seek.deadline, |left| json!([left.as_millis() as u64])).await?;
        }
    }

    fn unmet_as(&self, error: ActionError) -> ActionError {
        ActionError { hint: error.hint, ..self.unmet(error.message) }
    }
}

/// The first group, or the whole match, or without a pattern the whole text. Nothing is no value.
fn extract(pattern: Option<&regex::Regex>, text: &str) -> Option<String> {
    let value = match pattern {
        None => text,
        Some(pattern) => {
            let captures = pattern.captures(text)?;
            captures.get(1).or_else(|| captures.get(0))?.as_str()
        }
    };
    let value = value.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

/// Looks at every frame. What throws is not true yet; what cannot be parsed throws at once.
fn expression_loop(expression: &str, left: Duration) -> String {
    format!(
        "(async () => {{ const deadline = performance.now() + {};\
         for (;;) {{ try {{ if (await (async () => (\n{expression}\n))()) return true; }} catch {{}}\
         if (performance.now() >= deadline) return false;\
         await new Promise((resume) => {{ requestAnimationFrame(resume); setTimeout(resume, 100); }}); }} }})()",
        left.as_millis()
    )
}

fn message(seek: &Seek<'_>, wait: &WaitForElement) -> String {
    let what = match &seek.locator.alternatives[..] {
        [one] => format!("`{one}`"),
        several => format!("any of its {} selectors", several.len()),
    };
    let kind = if wait.visible { "visible" } else { "invisible" };
    let within = seconds(seek.timeout);
    match (wait.operator, wait.count) {
        (Operator::AtLeast, 1) => format!("no {kind} element matches {what} within {within}"),
        (Operator::AtLeast, count) => {
            format!("fewer than {count} {kind} elements match {what} within {within}")
        }
        (Operator::Exactly, count) => {
            format!("not exactly {count} {kind} elements match {what} within {within}")
        }
        (Operator::AtMost, count) => {
            format!("more than {count} {kind} elements match {what} within {within}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_takes_its_group_or_the_match() {
        let extract = |pattern: Option<&str>, text| {
            extract(pattern.map(|p| regex::Regex::new(p).unwrap()).as_ref(), text)
        };
        assert_eq!(extract(Some(r"code is (\d{6})"), "Your code is 123456."), Some("123456".into()));
        assert_eq!(extract(Some(r"\d+"), "a 12 b"), Some("12".into()));
        assert_eq!(extract(Some(r"\d+"), "none"), None);
        assert_eq!(extract(None, "  x "), Some("x".into()));
        assert_eq!(extract(None, "  "), None);
    }
}
