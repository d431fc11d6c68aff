//! One attempt at one step of a flow (an action), not of the workflow: its deadline, its gate, and the checks
//! before input.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::error::{ActionError, ActionErrorKind, WaitError};
use crate::input::baseline::NavigationBaseline;
use crate::page::{InputGate, Page};
use crate::script::ScriptReply;
use crate::script::methods::{FindReply, TasksReply};
use crate::state::step_target::StepTarget;
use crate::state::{ExecutionContext, ForeignOrigin};
use regatta_core::duration::in_words;
use regatta_core::fingerprint::Likeness;

/// How long a step waits for a document that the step before has set off, before it acts in the old one.
pub const DEPARTURE_PATIENCE: Duration = Duration::from_secs(5);

pub struct StepAttempt<'a> {
    pub page: &'a mut Page,
    pub flow: &'a str,
    pub step_number: &'a str,
    pub timeout: Duration,
    /// When the attempt runs out of time, unless documents are held back meanwhile: see [`Self::deadline`].
    limit: Instant,
    /// How long the page's documents had been held back when the attempt began.
    held_before: Duration,
    /// HTTP errors that a navigation of this step may end in.
    pub allowed_statuses: Vec<u16>,
    /// The element that was found by likeness, where no selector led to it.
    pub healed: Option<Likeness>,
    /// A changed element was reported: once an attempt.
    pub change_reported: bool,
    /// A press did not reach its element and was kept from the page.
    pub missed: bool,
    /// The element that the pointer was brought to, as it was when its selectors led to it.
    pub pointed: Option<FindReply>,
    /// Where the step was about to act, and what had arrived there.
    pub baseline: NavigationBaseline,
    /// A document of the page has seen an input of this attempt.
    pub delivered: bool,
    /// The last input that no document has seen.
    pub lost: Option<&'static str>,
    pub gate: &'a mut dyn InputGate,
    pub touched: bool,
}

impl<'a> StepAttempt<'a> {
    pub fn new(
        page: &'a mut Page,
        flow: &'a str,
        step_number: &'a str,
        timeout: Duration,
        gate: &'a mut dyn InputGate,
    ) -> Self {
        let limit = Instant::now() + timeout;
        let held_before = page.held();
        let allowed_statuses = std::mem::take(&mut page.allowed_statuses);
        Self {
            page,
            flow,
            step_number,
            timeout,
            limit,
            held_before,
            allowed_statuses,
            healed: None,
            change_reported: false,
            missed: false,
            pointed: None,
            baseline: NavigationBaseline::default(),
            delivered: false,
            lost: None,
            gate,
            touched: false,
        }
    }

    /// Waits for the tasks that the last input has left: only then is it known whether it set off a navigation.
    pub async fn await_input_tasks(&mut self) {
        let patience = Instant::now() + DEPARTURE_PATIENCE.min(self.timeout / 2);
        // A page or frame that closed over its input says nothing more.
        if std::mem::take(&mut self.page.tasks_pending)
            && self.page.with_view(|_| ()).is_some()
            && let Ok(world) = self.page.world(patience).await
        {
            let _ = self.page.call::<TasksReply>(&world, &Value::Null, &[], patience).await;
        }
    }

    /// Waits for a navigation that the step before set off. An element found in the old document would be lost, or
    /// clicked twice.
    pub async fn await_departure(&mut self) -> Result<(), ActionError> {
        let patience = Instant::now() + DEPARTURE_PATIENCE.min(self.timeout / 2);
        match self.page.until(patience, |view| (!view.is_leaving()).then_some(())).await {
            Ok(()) | Err(WaitError::Deadline) => Ok(()),
            Err(error) => Err(self.wait_failed(error)),
        }
    }

    /// Called before the step acts: later arrivals followed its action.
    pub fn record_baseline(&mut self) {
        let state = self.page.state.borrow();
        if let Some(view) = state.resolve(&self.page.step_target) {
            self.baseline = NavigationBaseline::at(&state, view.frame);
        }
    }

    /// Pins the target: from here on it is this tab or frame, at any address. Call right before acting.
    pub fn pin_target(&mut self) {
        self.record_baseline();
        let held = self.page.with_view(|view| view.pinned());
        if let Some(held) = held {
            self.page.step_target.pin(held);
        }
    }

    /// Called right before each input; asks the gate before the first one.
    pub fn touch(&mut self) -> Result<(), ActionError> {
        self.page.tasks_pending = true;
        self.pin_target();
        self.page.note_input();
        self.page.triggered.allow(&self.allowed_statuses);
        if self.page.modifiers() != 0 {
            self.page.guard_new_tabs();
        }
        if !self.touched {
            self.gate.before_input().map_err(|said| ActionError::new(ActionErrorKind::Gate, said))?;
            self.touched = true;
        }
        Ok(())
    }

    /// When the attempt runs out of time. The time for which the pace holds documents back does not count.
    pub fn deadline(&self) -> Instant {
        self.limit + (self.page.held() - self.held_before)
    }

    pub fn extend(&mut self, by: Duration) {
        self.limit += by;
    }

    pub fn shorten(&mut self, by: Duration) {
        self.limit -= by;
    }

    pub fn left(&self) -> Duration {
        self.deadline().saturating_duration_since(Instant::now())
    }

    pub fn is_over(&self) -> bool {
        Instant::now() >= self.deadline()
    }

    pub fn wait_failed(&self, error: WaitError) -> ActionError {
        match error {
            WaitError::Deadline => {
                self.nowhere().unwrap_or_else(|| ActionError::from_wait(error, self.timeout))
            }
            error => ActionError::from_wait(error, self.timeout),
        }
    }

    /// The error where the step's page or frame is not there.
    fn nowhere(&self) -> Option<ActionError> {
        let state = self.page.state.borrow();
        let step_target = &self.page.step_target;
        if state.resolve(step_target).is_some() {
            return None;
        }
        let within = self.within();
        let outermost = StepTarget { frame: Vec::new(), pinned: None, ..step_target.clone() };
        if let Some(view) = state.resolve(&outermost) {
            let frames: Vec<_> =
                state.inside(view.frame).iter().map(|frame| frame.document.url.clone()).collect();
            let error =
                ActionError::timed_out(format!("the page has no frame {:?} {within}", step_target.frame));
            return Some(match frames.as_slice() {
                [] => error.hint("it has no frames at all"),
                frames => error.hint(format!("its frames are {}", frames.join(", "))),
            });
        }
        let target = step_target.target.as_deref().unwrap_or_default();
        let kept = state.open_tabs().find_map(|tab| tab.violation.clone());
        let mut open: Vec<_> = state.open_tabs().filter_map(|tab| state.frame(&tab.main_frame)).collect();
        open.extend(state.inside(state.main_frame()));
        let urls: Vec<_> = open.iter().map(|frame| frame.document.url.clone()).collect();
        let same = state.targets(target);
        if same.len() > 1 {
            let what = if same.iter().all(|frame| frame.parent.is_none()) { "tabs" } else { "frames" };
            let what = format!("{} {what} are at {target}, and `target` does not say which", same.len());
            return Some(ActionError::new(ActionErrorKind::Ambiguous, what).hint(
                "close the others in a step before, name a frame by `frame`, or have the site give them \
                 different addresses",
            ));
        }
        let error = ActionError::timed_out(format!("no page or frame is at {target} {within}"));
        Some(match kept {
            Some(origin) => {
                error.hint(format!("a new tab was kept from {origin}, which is not in allowed_origins"))
            }
            None => error.hint(format!("there are {}", urls.join(", "))),
        })
    }

    /// `within 10 s`.
    pub fn within(&self) -> String {
        format!("within {}", in_words(self.timeout))
    }

    /// Calls the script in the current document; `None` where that went away.
    pub async fn call<R: ScriptReply>(&self, query: &Value) -> Result<Option<R>, ActionError> {
        let called = async {
            let world = self.page.world(self.deadline()).await?;
            self.page.call(&world, query, &[], self.deadline()).await
        };
        called.await.map_err(|error| self.wait_failed(error))
    }

    /// Refuses to type into the step's document where it is not of an allowed origin. `origin` is the document's
    /// own report.
    pub fn check_origin(&self, origin: &str) -> Result<(), ActionError> {
        match self.page.with_view(|view| view.state.foreign_in(view.frame, Some(origin), &self.page.allowed))
        {
            Some(None) => Ok(()),
            Some(Some(foreign)) => Err(not_allowed("typing into", &foreign)),
            None => Err(ActionError::refused("typing into a frame that is gone")),
        }
    }

    /// Refuses to type into the document that has the focus where it is not of an allowed origin.
    pub fn check_focused(&self, world: &ExecutionContext, origin: &str) -> Result<(), ActionError> {
        let state = self.page.state.borrow();
        let Some(frame) = state.frame_of_world(world) else {
            return Err(ActionError::refused("typing into a frame that is gone"));
        };
        match state.foreign_in(frame, Some(origin), &self.page.allowed) {
            None => Ok(()),
            Some(foreign) => Err(not_allowed("typing into", &foreign)),
        }
    }

    /// Refuses to press in a document that is not of an allowed origin.
    pub fn check_frame(&self, origin: &str) -> Result<(), ActionError> {
        let foreign = self.page.with_view(|view| {
            let place = if view.frame.parent.is_some() { "the frame is" } else { "the page is" };
            let foreign = view.state.foreign_in(view.frame, Some(origin), &self.page.allowed)?;
            Some(not_allowed(place, &foreign))
        });
        foreign.flatten().map_or(Ok(()), Err)
    }
}

fn not_allowed(place: &str, foreign: &ForeignOrigin) -> ActionError {
    match (&foreign.heir, &foreign.origin) {
        (None, origin) => {
            let origin = origin.as_deref().unwrap_or("of an unknown origin");
            ActionError::refused(format!("{place} {origin}, which is not in allowed_origins"))
        }
        (Some(kind), Some(origin)) => ActionError::refused(format!(
            "{place} a document without an address ({kind}), which may be that of {origin}"
        ))
        .hint(format!("{origin} is not in allowed_origins, and was in that frame, around it or opened it")),
        (Some(kind), None) => ActionError::refused(format!(
            "{place} a document without an address ({kind}), which may be of any origin"
        ))
        .hint("the document that requested it is not known; navigate to a page of the site"),
    }
}
