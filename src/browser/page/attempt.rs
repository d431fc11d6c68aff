//! One attempt at one step: its deadline, its gate, and which action it is.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::error::{ActionError, ActionErrorKind, seconds};
use super::script::{Halt, Reply};
use super::{Gate, Page, urls};
use crate::domain::fingerprint::Likeness;
use crate::domain::flow::{Action, Step};

/// How long a step waits for a document that the step before has set off, before it looks at the old one.
const LEAVING: Duration = Duration::from_secs(5);

pub struct Attempt<'a> {
    pub page: &'a mut Page,
    pub flow: &'a str,
    pub step: &'a str,
    pub timeout: Duration,
    pub deadline: Instant,
    /// What was found by likeness, where no selector led to the element.
    pub healed: Option<Likeness>,
    gate: &'a mut dyn Gate,
    touched: bool,
}

impl<'a> Attempt<'a> {
    pub fn new(
        page: &'a mut Page,
        flow: &'a str,
        step: &'a str,
        timeout: Duration,
        gate: &'a mut dyn Gate,
    ) -> Self {
        Self {
            page,
            flow,
            step,
            timeout,
            deadline: Instant::now() + timeout,
            healed: None,
            gate,
            touched: false,
        }
    }

    pub async fn perform(&mut self, step: &Step) -> Result<Option<String>, ActionError> {
        if step.target.is_some() || !step.frame.is_empty() {
            return Err(ActionError::refused("steps in frames and other pages are not played yet"));
        }
        if let Action::Navigate { .. } = step.action {
            self.page.state.send_modify(|state| state.violation = None);
        } else {
            // Before a click the frame that it costs anyway is used: see `aim`.
            let aims =
                matches!(step.action, Action::Click(_) | Action::DoubleClick(_) | Action::Hover { .. });
            if !aims {
                self.hear_out().await;
            }
            self.let_leave().await?;
        }
        let before = self.page.state.borrow().arrived;
        let dialogs = self.page.state.borrow().dialogs;
        let result = self.act(&step.action).await;
        let result = match result {
            Ok(text) => self.assert_navigations(before, &step.navigations).await.map(|()| text),
            Err(error) => Err(error),
        };
        result.map_err(|error| {
            let state = self.page.state.borrow();
            if state.dialogs == dialogs {
                return error;
            }
            let dialog = format!("the page opened a dialog, which was dismissed: {:?}", state.last_dialog);
            match &error.hint {
                Some(hint) => {
                    let both = format!("{hint}; {dialog}");
                    error.hint(both)
                }
                None => error.hint(dialog),
            }
        })
    }

    async fn act(&mut self, action: &Action) -> Result<Option<String>, ActionError> {
        match action {
            Action::SetViewport(viewport) => {
                let applied = self.page.apply_viewport(viewport);
                self.page.answer(applied, self.deadline).await.map_err(|halt| self.halted(halt))?;
            }
            Action::Navigate { url } => self.navigate(url).await?,
            Action::Click(click) => self.click(click, 1).await?,
            Action::DoubleClick(click) => self.click(click, 2).await?,
            Action::Hover { locator } => self.hover(locator).await?,
            Action::Change { locator, value } => {
                self.page.healing.typed(value);
                self.change(locator, value).await?;
            }
            Action::KeyDown { key } => self.key(key, true).await?,
            Action::KeyUp { key } => self.key(key, false).await?,
            Action::Scroll { locator, x, y } => self.scroll(locator.as_ref(), *x, *y).await?,
            Action::WaitForElement(wait) => self.wait_for_element(wait).await?,
            Action::WaitForExpression { expression } => self.wait_for_expression(expression).await?,
            Action::Capture(capture) => return self.capture(capture).await.map(Some),
            Action::EmulateNetworkConditions { .. }
            | Action::Close
            | Action::When { .. }
            | Action::Upload { .. }
            | Action::Handoff { .. }
            | Action::Screenshot { .. }
            | Action::Foreign { .. } => {
                return Err(ActionError::refused(format!("{} is not an action of the page", action.name())));
            }
        }
        Ok(None)
    }

    /// Whether the last input has set off a navigation is known when the page has been heard of since.
    async fn hear_out(&mut self) {
        let patience = Instant::now() + LEAVING.min(self.timeout / 2);
        if std::mem::take(&mut self.page.stirred)
            && let Ok(world) = self.page.world(patience).await
        {
            let _ = self.page.call(&world, "tasks", &Value::Null, &[], patience).await;
        }
    }

    /// A navigation that the step before set off is about to replace the document: what is found in the
    /// old one now would be lost, or worse, clicked twice.
    pub async fn let_leave(&mut self) -> Result<(), ActionError> {
        let patience = Instant::now() + LEAVING.min(self.timeout / 2);
        match self.page.until(patience, |state| (!state.leaving).then_some(())).await {
            Ok(()) | Err(Halt::Deadline) => Ok(()),
            Err(halt) => Err(self.halted(halt)),
        }
    }

    /// Once, right before the first input.
    pub fn touch(&mut self) -> Result<(), ActionError> {
        self.page.stirred = true;
        if !self.touched {
            self.gate.before_touch().map_err(|said| ActionError::new(ActionErrorKind::Gate, said))?;
            self.touched = true;
        }
        Ok(())
    }

    pub fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    pub fn is_over(&self) -> bool {
        Instant::now() >= self.deadline
    }

    pub fn halted(&self, halt: Halt) -> ActionError {
        ActionError::from_halt(halt, self.timeout)
    }

    /// `within 10 s`.
    pub fn within(&self) -> String {
        format!("within {}", seconds(self.timeout))
    }

    /// One call of the script in the current document; `None` where that went away.
    pub async fn call(&self, method: &str, query: &Value) -> Result<Option<Reply>, ActionError> {
        let called = async {
            let world = self.page.world(self.deadline).await?;
            self.page.call(&world, method, query, &[], self.deadline).await
        };
        called.await.map_err(|halt| self.halted(halt))
    }

    /// Nothing is typed into a document of another origin.
    pub fn check_origin(&self, origin: &str) -> Result<(), ActionError> {
        if urls::is_allowed(origin, &self.page.allowed) {
            return Ok(());
        }
        let place = match origin {
            "" => "a frame of another origin",
            "null" => "a page without an origin",
            origin => origin,
        };
        Err(ActionError::refused(format!("typing into {place}, which is not in allowed_origins")))
    }
}
