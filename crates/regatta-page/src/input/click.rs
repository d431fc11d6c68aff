//! The pointer: moved, checked against the page, then pressed and released.

use chromiumoxide::cdp::browser_protocol::input::{
    DispatchMouseEventParams, DispatchMouseEventPointerType, DispatchMouseEventType, DispatchTouchEventType,
    MouseButton, TouchPoint,
};
use chromiumoxide::types::{Command, Method, MethodId};
use futures::future::{BoxFuture, join_all, try_join_all};
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::attempt::StepAttempt;
use crate::connection::CdpError;
use crate::error::{ActionError, PageEnd, WaitError};
use crate::input::{ADDING, PAUSE, PRESS_ANSWER};
use crate::locating::frames::TabMapping;
use crate::script::ScriptReply;
use crate::script::methods::{
    ConfirmReply, ElementPoint, FailureReason, FindReply, FrameConfirmReply, PressedReply, ReachedReply,
    ReasonCode, RevalidateReply, SeenReply, UnwatchReply,
};
use crate::state::ExecutionContext;
use regatta_core::flow::{Button, Click, Device, Locator};

/// Why the pointer is moved onto an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PointerPurpose {
    Rest,
    Press,
}

/// The outcome of a press that the browser has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PressOutcome {
    Reached,
    /// Another element came under the pointer at the last moment: the page has not seen that press.
    Kept,
    /// No document of the tab has seen it.
    Unseen,
}

/// An element that the pointer is on.
pub struct PointerTarget {
    pub found: FindReply,
    /// Where it is in the tab.
    pub point: ElementPoint,
    /// The worlds of the documents around the element's own, innermost first.
    around: Vec<ExecutionContext>,
}

type WatcherReplies<R> = FuturesUnordered<BoxFuture<'static, Result<R, CdpError>>>;

/// The generated command leaves an empty list of points out, and the browser refuses what has none.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct DispatchTouchEvent {
    #[serde(rename = "type")]
    kind: DispatchTouchEventType,
    touch_points: Vec<TouchPoint>,
    modifiers: i64,
}

impl Method for DispatchTouchEvent {
    fn identifier(&self) -> MethodId {
        "Input.dispatchTouchEvent".into()
    }
}

impl Command for DispatchTouchEvent {
    type Response = Value;
}

impl StepAttempt<'_> {
    pub async fn click(&mut self, click: &Click, count: i64) -> Result<(), ActionError> {
        let at = click.offset.map(|(x, y)| json!({ "x": x, "y": y }));
        let needs = json!({ "visible": true, "enabled": true, "hit": true, "at": at });
        loop {
            let aimed = self.aim(&click.locator, &needs, click.device, PointerPurpose::Press).await?;
            self.check_frame(&aimed.point.origin)?;
            self.touch()?;
            if click.button == Button::Auxiliary {
                self.page.guard_new_tabs();
            }
            let reached = match click.device {
                Device::Touch => self.tap(&aimed, click, count).await?,
                Device::Mouse | Device::Pen => self.press(&aimed, click, count).await?,
            };
            if reached == PressOutcome::Reached {
                self.page.extends_selection = self.page.modifiers() & ADDING != 0;
                self.remember(&click.locator, &aimed.found);
                return Ok(());
            }
            self.check_missed(reached).await?;
        }
    }

    /// Called after a press that has not reached its element, which is tried again until the deadline.
    pub async fn check_missed(&mut self, how: PressOutcome) -> Result<(), ActionError> {
        match how {
            PressOutcome::Unseen if self.is_over() => Err(self.unseen("press")),
            PressOutcome::Unseen => {
                self.lost = Some("press");
                tokio::time::sleep(PAUSE.min(self.left())).await;
                Ok(())
            }
            PressOutcome::Kept | PressOutcome::Reached => {
                (self.missed, self.lost) = (true, None);
                if self.is_over() { Err(self.all_missed()) } else { Ok(()) }
            }
        }
    }

    fn all_missed(&self) -> ActionError {
        let what = format!("each press would have reached something else {}", self.within());
        ActionError::timed_out(what)
            .hint("the page covers, moves or replaces the element the moment it is pressed")
    }

    pub async fn hover(&mut self, locator: &Locator) -> Result<(), ActionError> {
        let needs = json!({ "visible": true, "hit": true });
        let aimed = self.aim(locator, &needs, Device::Mouse, PointerPurpose::Rest).await?;
        self.remember(locator, &aimed.found);
        Ok(())
    }

    /// Finds the element, moves the mouse onto it, and confirms that it is still there and on top. The answer to
    /// the move comes with the next frame, so the element is stable if its box is the same by then. A finger moves
    /// nothing; there the script waits for the frame.
    pub async fn aim(
        &mut self,
        locator: &Locator,
        needs: &Value,
        device: Device,
        purpose: PointerPurpose,
    ) -> Result<PointerTarget, ActionError> {
        let mut last = None;
        loop {
            let found = match self.revalidate(locator, needs).await? {
                Some(found) => found,
                None => self.find(locator, needs).await?,
            };
            let mut point = found.point();
            let around = match self.map_to_tab(&mut point).await? {
                TabMapping::Mapped(around) => around,
                TabMapping::Lost => continue,
                TabMapping::Blocked(reason) if self.is_over() => return Err(self.failed(locator, reason)),
                TabMapping::Blocked(reason) => {
                    last = Some(reason);
                    continue;
                }
            };
            self.page.trace.aimed(point.x, point.y);
            if device != Device::Touch {
                let moved = self.mouse(DispatchMouseEventType::MouseMoved, &point, None, 0, device);
                match self.page.answer(moved, self.deadline()).await {
                    Ok(_) => self.pointed = Some(found.clone()),
                    Err(WaitError::Deadline) => {
                        return Err(match last {
                            Some(reason) => self.failed(locator, reason),
                            None if self.missed => self.all_missed(),
                            None => {
                                ActionError::timed_out(format!("the page drew no frame {}", self.within()))
                            }
                        });
                    }
                    // A navigation may swallow the move; finding the element again shows it.
                    Err(WaitError::Script(_)) if !self.is_over() => continue,
                    Err(error) => return Err(self.wait_failed(error)),
                }
            }
            let tasks_pending = self.page.tasks_pending;
            let query = json!({ "tasks": tasks_pending, "watch": purpose == PointerPurpose::Press });
            let (inside, outside) =
                tokio::try_join!(self.call::<ConfirmReply>(&query), self.confirm_around(&around, &query))?;
            match inside.map(|inside| confirmation(inside, outside)) {
                // The step before has set off a navigation: this is not the document that is meant.
                Some(Ok(()))
                    if tasks_pending && self.page.with_view(|view| view.is_leaving()) == Some(true) =>
                {
                    self.page.tasks_pending = false;
                    self.await_departure().await?;
                }
                Some(Ok(())) => {
                    self.page.tasks_pending = false;
                    return Ok(PointerTarget { found, point, around });
                }
                Some(Err(reason)) if self.is_over() => return Err(self.failed(locator, reason)),
                Some(Err(reason)) => last = Some(reason),
                None => last = None,
            }
        }
    }

    /// Keeps the element that the pointer is on, while it is connected: its text, classes and size may change under
    /// the pointer, and its selectors may no longer lead to it.
    async fn revalidate(
        &mut self,
        locator: &Locator,
        needs: &Value,
    ) -> Result<Option<FindReply>, ActionError> {
        let Some(found) = self.pointed.take() else { return Ok(None) };
        let ms = self.left().as_secs_f64() * 1000.0;
        match self.call::<RevalidateReply>(&json!({ "needs": needs, "ms": ms })).await? {
            None => Ok(None),
            Some(reply) if reply.again => Ok(None),
            Some(reply) if !reply.ok => Err(self.failed(locator, reply.reason)),
            Some(RevalidateReply { point, .. }) => Ok(Some(FindReply { point, ..found })),
        }
    }

    /// Press and release travel together: each would otherwise wait a round trip. The move before them has
    /// already cost the frame that proves the element is not moving.
    pub async fn press(
        &mut self,
        aimed: &PointerTarget,
        click: &Click,
        count: i64,
    ) -> Result<PressOutcome, ActionError> {
        let at = &aimed.point;
        let button = match click.button {
            Button::Primary => MouseButton::Left,
            Button::Auxiliary => MouseButton::Middle,
            Button::Secondary => MouseButton::Right,
            Button::Back => MouseButton::Back,
            Button::Forward => MouseButton::Forward,
        };
        let loader = self.loader();
        let replies = self.ask_watchers::<ReachedReply>(aimed);
        let sent_at = Instant::now();
        let mut answers = Vec::new();
        for n in 1..=count {
            let pressed =
                self.mouse(DispatchMouseEventType::MousePressed, at, Some(button.clone()), n, click.device);
            match click.duration {
                // The recording held the button down: from when the page knows of it.
                Some(duration) => {
                    self.taken(pressed, &loader, "click").await?;
                    tokio::time::sleep(duration).await;
                }
                None => answers.push(pressed),
            }
            answers.push(self.mouse(
                DispatchMouseEventType::MouseReleased,
                at,
                Some(button.clone()),
                n,
                click.device,
            ));
        }
        self.taken(try_join_all(answers), &loader, "click").await?;
        let pressed = self.reached(aimed, replies, sent_at).await;
        self.delivered |= pressed == PressOutcome::Reached;
        Ok(pressed)
    }

    /// A finger: the browser makes the mouse events that pages expect after it.
    async fn tap(
        &mut self,
        aimed: &PointerTarget,
        click: &Click,
        count: i64,
    ) -> Result<PressOutcome, ActionError> {
        let at = &aimed.point;
        let loader = self.loader();
        let replies = self.ask_watchers::<ReachedReply>(aimed);
        let sent_at = Instant::now();
        let mut answers = Vec::new();
        for _ in 0..count {
            let point = TouchPoint::new(at.x, at.y);
            let down = self.finger(DispatchTouchEventType::TouchStart, vec![point]);
            match click.duration {
                Some(duration) => {
                    self.taken(down, &loader, "touch").await?;
                    tokio::time::sleep(duration).await;
                }
                None => answers.push(down),
            }
            answers.push(self.finger(DispatchTouchEventType::TouchEnd, Vec::new()));
        }
        self.taken(try_join_all(answers), &loader, "touch").await?;
        let pressed = self.reached(aimed, replies, sent_at).await;
        self.delivered |= pressed == PressOutcome::Reached;
        Ok(pressed)
    }

    /// Asks each document that watches a press: the step's own, and those around it.
    fn ask_watchers<R: ScriptReply>(&self, aimed: &PointerTarget) -> WatcherReplies<R> {
        let own = self.page.with_view(|view| view.frame.world.clone()).flatten();
        own.iter().chain(&aimed.around).map(|world| self.page.ask::<R>(world, &Value::Null).boxed()).collect()
    }

    /// Determines where a press went. The press's first event answers the watchers, as a rule before the browser's
    /// own answer. Otherwise the documents are asked again for what they have seen: one that has answered the
    /// press sees no more of it. The press has reached a document that went away with it, or another document of
    /// the tab that has seen a press meanwhile.
    async fn reached(
        &self,
        aimed: &PointerTarget,
        mut replies: WatcherReplies<ReachedReply>,
        sent_at: Instant,
    ) -> PressOutcome {
        let outcome = |reply: &Result<ReachedReply, CdpError>| {
            if reply.as_ref().is_ok_and(|reply| !reply.ok) {
                PressOutcome::Kept
            } else {
                PressOutcome::Reached
            }
        };
        if replies.is_empty() {
            return PressOutcome::Reached;
        }
        let pressed = match replies.next().now_or_never().flatten() {
            Some(first) => outcome(&first),
            None => {
                let answered = async {
                    tokio::select! {
                        Some(first) = replies.next() => outcome(&first),
                        seen = self.seen(aimed, sent_at) => seen,
                    }
                };
                tokio::time::timeout(PRESS_ANSWER, answered).await.unwrap_or(PressOutcome::Reached)
            }
        };
        // A later press there belongs to another action.
        for world in &aimed.around {
            drop(self.page.ask::<UnwatchReply>(world, &Value::Null));
        }
        pressed
    }

    /// Asks the documents what they have seen of a press that was answered.
    async fn seen(&self, aimed: &PointerTarget, sent_at: Instant) -> PressOutcome {
        let mut watchers = self.ask_watchers::<SeenReply>(aimed);
        let mut all = PressOutcome::Unseen;
        while let Some(reply) = watchers.next().await {
            match reply {
                Ok(reply) if !reply.ok => return PressOutcome::Kept,
                Ok(reply) if !reply.seen => {}
                Ok(_) | Err(_) => all = PressOutcome::Reached,
            }
        }
        if all == PressOutcome::Reached {
            return all;
        }
        let query = json!({ "ms": sent_at.elapsed().as_secs_f64() * 1000.0 });
        let asked =
            self.worlds_of_tab().into_iter().map(|world| self.page.ask::<PressedReply>(&world, &query));
        let replies = join_all(asked).await;
        if replies.iter().any(|reply| reply.as_ref().is_ok_and(|reply| reply.ok)) {
            PressOutcome::Reached
        } else {
            all
        }
    }

    /// The loader of the document that input is about to change.
    pub fn loader(&self) -> String {
        self.page.with_view(|view| view.frame.document.loader.clone()).unwrap_or_default()
    }

    /// Waits for the answer to input that was sent. A document that goes away with it never answers: the input has
    /// then succeeded.
    pub async fn taken<T>(
        &self,
        answers: impl Future<Output = Result<T, CdpError>>,
        loader: &str,
        input: &str,
    ) -> Result<(), ActionError> {
        let deadline = self.deadline().max(Instant::now() + PRESS_ANSWER);
        let answered = tokio::select! {
            answered = self.page.answer(answers, deadline) => answered.map(|_| ()),
            left = self.page.until(deadline, |view| (view.frame.document.loader != loader).then_some(())) => left,
        };
        match answered {
            Ok(()) | Err(WaitError::Ended(PageEnd::Closed)) => Ok(()),
            Err(WaitError::Deadline) => {
                Err(ActionError::timed_out(format!("the page did not answer the {input}")))
            }
            Err(error) => Err(self.wait_failed(error)),
        }
    }

    fn mouse(
        &self,
        kind: DispatchMouseEventType,
        at: &ElementPoint,
        button: Option<MouseButton>,
        count: i64,
        device: Device,
    ) -> impl Future<Output = Result<Value, CdpError>> + Send + use<> {
        let is_pressed = kind == DispatchMouseEventType::MousePressed;
        let mut event = DispatchMouseEventParams::new(kind, at.x, at.y);
        event.modifiers = Some(self.page.modifiers());
        event.click_count = Some(count);
        event.button = button;
        // As a mouse has it, whose buttons know no more.
        event.force = is_pressed.then_some(0.5);
        event.pointer_type = (device == Device::Pen).then_some(DispatchMouseEventPointerType::Pen);
        self.page.tab_session().send_as(event)
    }

    fn finger(
        &self,
        kind: DispatchTouchEventType,
        points: Vec<TouchPoint>,
    ) -> impl Future<Output = Result<Value, CdpError>> + Send + use<> {
        let modifiers = self.page.modifiers();
        self.page.tab_session().send_as(DispatchTouchEvent { kind, touch_points: points, modifiers })
    }
}

/// Checks that the documents confirm the element that the pointer was moved onto. Into a frame with a process of its
/// own the browser takes the pointer once it has drawn the frame: until then the document around it gets it.
fn confirmation(inside: ConfirmReply, outside: FrameConfirmReply) -> Result<(), Option<FailureReason>> {
    if !outside.ok {
        return Err(outside.reason);
    }
    if inside.ok && outside.moved && !inside.moved {
        let message = "the frame does not get the pointer".to_owned();
        return Err(Some(FailureReason { code: ReasonCode::Moving, message, ..FailureReason::default() }));
    }
    if inside.ok { Ok(()) } else { Err(inside.reason) }
}
