//! The actions of a flow, each with the checks a person's hand and eye would make.

use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::input::{
    DispatchMouseEventParams, DispatchMouseEventType, InsertTextParams, MouseButton,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::keys::Key;
use super::locate::{Needs, Seek};
use super::navigate::seconds;
use super::script::{Aim, Found};
use super::{ActionError, ActionErrorKind, Gate, Page};
use crate::browser::cdp::CdpError;
use crate::domain::flow::{Action, Button, Step};

const CLICK: Needs = Needs { visible: true, enabled: true, editable: false, point: true };
const HOVER: Needs = Needs { visible: true, enabled: false, editable: false, point: true };
const FILL: Needs = Needs { visible: true, enabled: true, editable: true, point: false };
const NOTHING: Needs = Needs { visible: false, enabled: false, editable: false, point: false };

/// A press whose page navigated away may never be answered.
const PRESS_ANSWER: Duration = Duration::from_secs(5);

#[derive(Debug, Deserialize)]
struct Verdict {
    ok: bool,
}

#[derive(Debug, Deserialize)]
struct ChoiceOption {
    value: String,
    label: String,
    disabled: bool,
}

impl Page {
    /// Plays one rendered step of `flow`. The gate is asked right before the first input is sent,
    /// never earlier. Gives the text a `regatta.capture` read.
    pub async fn perform(
        &mut self,
        flow: &str,
        step: &Step,
        timeout: Duration,
        gate: &mut dyn Gate,
    ) -> Result<Option<String>, ActionError> {
        let deadline = Instant::now() + timeout;
        let before = self.state.borrow().navigations;
        let result = self.act(flow, step, timeout, deadline, gate).await;
        // A navigation that was refused explains what went wrong better than what it led to.
        if let Some(url) = self.take_refused() {
            return Err(self.outside(&url));
        }
        let captured = result?;
        self.asserted(&step.navigations, before, deadline).await?;
        Ok(captured)
    }

    async fn act(
        &mut self,
        flow: &str,
        step: &Step,
        timeout: Duration,
        deadline: Instant,
        gate: &mut dyn Gate,
    ) -> Result<Option<String>, ActionError> {
        let seek = |locator| Seek { flow, step: &step.number, locator, timeout, deadline };
        match &step.action {
            Action::SetViewport(viewport) => {
                self.set_viewport(viewport).await.map_err(|error| self.lost(error))?;
            }
            Action::Navigate { url } => self.navigate(url, deadline).await?,
            Action::Click(click) => {
                let offset = Some((click.offset_x, click.offset_y));
                self.click(&seek(&click.locator), offset, click.button, 1, click.duration, gate).await?;
            }
            Action::DoubleClick(click) => {
                let offset = Some((click.offset_x, click.offset_y));
                self.click(&seek(&click.locator), offset, click.button, 2, click.duration, gate).await?;
            }
            Action::Hover { locator } => {
                let seek = seek(locator);
                let (found, _) = self.point_at(&seek, HOVER, None).await?;
                self.remember(&seek, &found);
            }
            Action::Change { locator, value } => self.change(&seek(locator), value, gate).await?,
            Action::KeyDown { key } => self.key_event(key, true, gate).await?,
            Action::KeyUp { key } => self.key_event(key, false, gate).await?,
            Action::Scroll { locator, x, y } => {
                self.scroll(locator.as_ref().map(seek), *x, *y, deadline).await?
            }
            Action::WaitForElement(wait) => self.wait_for_element(&seek(&wait.locator), wait).await?,
            Action::WaitForExpression { expression } => {
                self.wait_for_expression(expression, timeout, deadline).await?;
            }
            Action::Capture(capture) => {
                return self.capture(&seek(&capture.locator), capture).await.map(Some);
            }
            // `Flow::unplayable` has refused these before the browser started.
            other => return Err(ActionError::refused(format!("this version cannot play {}", other.name()))),
        }
        Ok(None)
    }

    async fn click(
        &mut self,
        seek: &Seek<'_>,
        offset: Option<(f64, f64)>,
        button: Button,
        count: i64,
        duration: Option<Duration>,
        gate: &mut dyn Gate,
    ) -> Result<(), ActionError> {
        let (found, at) = self.point_at(seek, CLICK, offset).await?;
        self.press(at, button, count, duration, gate).await?;
        self.remember(seek, &found);
        Ok(())
    }

    /// Moves the pointer onto the element. The move is answered at the next frame; the element must
    /// then still be where it was, and get what happens there.
    async fn point_at(
        &mut self,
        seek: &Seek<'_>,
        needs: Needs,
        offset: Option<(f64, f64)>,
    ) -> Result<(Found, Aim), ActionError> {
        loop {
            let found = self.locate(seek, needs, offset, false).await?;
            let Some(at) = found.at else {
                return Err(ActionError::timed_out("the element has no place on the page"));
            };
            self.send_mouse(DispatchMouseEventType::MouseMoved, at, None, 0)
                .await
                .map_err(|error| self.lost(error))?;
            let confirmed: Verdict = self.script("confirm", seek.deadline, |_| json!([at.x, at.y])).await?;
            if confirmed.ok {
                return Ok((found, at));
            }
            if Instant::now() >= seek.deadline {
                let within = seconds(seek.timeout);
                return Err(ActionError::timed_out(format!(
                    "the element did not stop moving within {within}"
                )));
            }
        }
    }

    async fn press(
        &mut self,
        at: Aim,
        button: Button,
        count: i64,
        duration: Option<Duration>,
        gate: &mut dyn Gate,
    ) -> Result<(), ActionError> {
        ask(gate)?;
        for click in 1..=count {
            let pressed = self.send_mouse(DispatchMouseEventType::MousePressed, at, Some(button), click);
            // Press and release travel together: each would otherwise wait a round trip.
            let released = || self.send_mouse(DispatchMouseEventType::MouseReleased, at, Some(button), click);
            let both = async {
                match duration {
                    None => futures::future::join(pressed, released()).await,
                    Some(duration) => {
                        let pressed = pressed.await;
                        tokio::time::sleep(duration).await;
                        (pressed, released().await)
                    }
                }
            };
            // A page that goes away over the click may never answer: it has been clicked.
            let bound = PRESS_ANSWER + duration.unwrap_or_default();
            if let Ok((pressed, released)) = tokio::time::timeout(bound, both).await {
                for answer in [pressed, released] {
                    answer.or_else(
                        |error| if error.is_context_lost() { Ok(()) } else { Err(self.lost(error)) },
                    )?;
                }
            }
        }
        Ok(())
    }

    fn send_mouse(
        &self,
        kind: DispatchMouseEventType,
        at: Aim,
        button: Option<Button>,
        count: i64,
    ) -> impl Future<Output = Result<(), CdpError>> + use<> {
        let (name, bits) = match button {
            None => (MouseButton::None, 0),
            Some(Button::Primary) => (MouseButton::Left, 1),
            Some(Button::Secondary) => (MouseButton::Right, 2),
            Some(Button::Auxiliary) => (MouseButton::Middle, 4),
            Some(Button::Back) => (MouseButton::Back, 8),
            Some(Button::Forward) => (MouseButton::Forward, 16),
        };
        let held = if kind == DispatchMouseEventType::MouseReleased { 0 } else { bits };
        let mut event = DispatchMouseEventParams::new(kind, at.x, at.y);
        event.button = Some(name);
        event.buttons = Some(held);
        event.click_count = Some(count);
        event.modifiers = Some(self.modifiers);
        let sent = self.session.send(event);
        async move { sent.await.map(|_| ()) }
    }

    async fn change(&mut self, seek: &Seek<'_>, value: &str, gate: &mut dyn Gate) -> Result<(), ActionError> {
        let found = self.locate(seek, FILL, None, true).await?;
        self.refuse_foreign(&found.origin)?;
        match found.control.as_str() {
            "text" | "content" => {
                ask(gate)?;
                self.replace_selection(value).await?;
            }
            "value" => {
                ask(gate)?;
                let set: Verdict = self.script("setValue", seek.deadline, |_| json!([value])).await?;
                if !set.ok {
                    return Err(ActionError::refused("the field does not take the value as it is written"));
                }
            }
            "select" => self.choose(seek, value, gate).await?,
            "check" => self.check(seek, value, gate).await?,
            _ => return Err(ActionError::refused("the element is no field that can be changed")),
        }
        self.remember(seek, &found);
        Ok(())
    }

    /// What the field holds is selected already.
    async fn replace_selection(&mut self, value: &str) -> Result<(), ActionError> {
        if value.is_empty() {
            // Deleting is what a person would do; it is nothing where the field is empty.
            for down in [true, false] {
                if let Some(key) = Key::named("Delete") {
                    self.session.send(key.event(down, 0)).await.map_err(|error| self.lost(error))?;
                }
            }
            return Ok(());
        }
        self.session.send(InsertTextParams::new(value)).await.map_err(|error| self.lost(error))?;
        Ok(())
    }

    async fn choose(&mut self, seek: &Seek<'_>, value: &str, gate: &mut dyn Gate) -> Result<(), ActionError> {
        let options: Vec<ChoiceOption> = self.script("options", seek.deadline, |_| json!([])).await?;
        let by_value = options.iter().position(|option| option.value == value);
        let index = by_value.or_else(|| options.iter().position(|option| option.label == value));
        let Some(index) = index else {
            let known: Vec<_> = options.iter().map(|option| format!("\"{}\"", option.value)).collect();
            return Err(ActionError::refused("the list has no such option")
                .hint(format!("its options: {}", known.join(", "))));
        };
        if options[index].disabled {
            return Err(ActionError::refused("the option is disabled"));
        }
        ask(gate)?;
        self.script::<Value>("choose", seek.deadline, |_| json!([index])).await?;
        Ok(())
    }

    /// Sets what was asked for, by a click where it differs.
    async fn check(&mut self, seek: &Seek<'_>, value: &str, gate: &mut dyn Gate) -> Result<(), ActionError> {
        let wanted = match value {
            "true" | "on" | "1" => true,
            "false" | "off" | "0" => false,
            _ => {
                return Err(ActionError::refused(
                    "a checkbox or radio button is set to \"true\" or \"false\"",
                ));
            }
        };
        let checked: bool = self.script("checked", seek.deadline, |_| json!([])).await?;
        if checked == wanted {
            return Ok(());
        }
        let (_, at) = self.point_at(seek, CLICK, None).await?;
        self.press(at, Button::Primary, 1, None, gate).await?;
        let checked: bool = self.script("checked", seek.deadline, |_| json!([])).await?;
        if checked == wanted {
            return Ok(());
        }
        let state = if wanted { "checked" } else { "unchecked" };
        Err(ActionError::refused(format!("the element was clicked and is still not {state}")))
    }

    async fn key_event(&mut self, name: &str, down: bool, gate: &mut dyn Gate) -> Result<(), ActionError> {
        let Some(key) = Key::named(name) else {
            return Err(ActionError::refused(format!("`{name}` is not a key")).hint(
                "use a character, or a name of KeyboardEvent.key such as Enter, Tab, ArrowDown, Control",
            ));
        };
        if !key.text.is_empty() {
            self.refuse_foreign(&self.current_origin())?;
        }
        ask(gate)?;
        if down {
            self.modifiers |= key.modifier();
        } else {
            self.modifiers &= !key.modifier();
        }
        let sent = self.session.send(key.event(down, self.modifiers));
        match tokio::time::timeout(PRESS_ANSWER, sent).await {
            Ok(Err(error)) if !error.is_context_lost() => Err(self.lost(error)),
            _ => Ok(()),
        }
    }

    async fn scroll(
        &mut self,
        seek: Option<Seek<'_>>,
        x: Option<f64>,
        y: Option<f64>,
        deadline: Instant,
    ) -> Result<(), ActionError> {
        let of_page = seek.is_none();
        if let Some(seek) = seek {
            let found = self.locate(&seek, NOTHING, None, false).await?;
            self.remember(&seek, &found);
        }
        self.script::<Value>("scroll", deadline, |_| json!([x, y, of_page])).await?;
        Ok(())
    }

    /// Nothing is typed outside the allowed origins.
    fn refuse_foreign(&self, origin: &str) -> Result<(), ActionError> {
        if self.allowed_origins.iter().any(|allowed| allowed == origin) {
            return Ok(());
        }
        let mut error = self.outside(origin);
        error.message = format!("nothing is typed on {origin}: it is outside the workflow's allowed origins");
        Err(error)
    }

    /// For `locate` without needs: reading what is there.
    pub(super) async fn locate_any(&mut self, seek: &Seek<'_>) -> Result<Found, ActionError> {
        self.locate(seek, NOTHING, None, false).await
    }
}

fn ask(gate: &mut dyn Gate) -> Result<(), ActionError> {
    gate.before_touch().map_err(|problem| {
        ActionError::new(ActionErrorKind::Gate, format!("the step was not begun: {problem}"))
    })
}
