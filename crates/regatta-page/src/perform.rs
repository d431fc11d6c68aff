//! What a page offers its caller, and the dispatch of a step by its action.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::page::CloseParams as ClosePageParams;
use tokio::time::Instant;

use crate::attempt::StepAttempt;
use crate::error::{ActionError, ActionErrorKind, PageEnd, WaitError};
use crate::evidence;
use crate::evidence::trace::capture;
use crate::healing::state::HealingEvent;
use crate::page::{InputGate, Page};
use crate::script::methods::FramesReply;
use crate::state::step_target::StepTarget;
use regatta_core::event::NetworkTotals;
use regatta_core::evidence::{Incident, TraceMode};
use regatta_core::flow::{Action, Locator, Step, keyboard};
use regatta_core::mask::Mask;
use regatta_core::workflow::Heal;
use regatta_core::workflow::dialog::DialogPolicy;

impl Page {
    /// Sets how dialogs are answered.
    pub fn set_dialogs(&mut self, policy: DialogPolicy) {
        self.state.send_modify(|state| state.settings.dialogs = policy);
    }

    /// Performs one rendered step. Calls `gate.before_input()` once, right before the first click or
    /// keystroke it sends: never earlier, and not at all where it sends none (a wait, a scroll, a
    /// navigation). Returns the text that a `regatta.capture` read. For a `regatta.when`,
    /// whose inner steps the caller performs, returns a text where its condition holds and `None` otherwise.
    ///
    /// A `regatta.upload` names its files, a `regatta.screenshot` the file it makes, by their paths.
    ///
    /// `flow` is the flow's file: with the step's number it names what is remembered of its selectors.
    pub async fn perform(
        &mut self,
        flow: &str,
        step: &Step,
        timeout: Duration,
        gate: &mut dyn InputGate,
    ) -> Result<Option<String>, ActionError> {
        let begins = matches!(step.action, Action::Navigate { .. } | Action::SetViewport(_));
        let closed = self.state.borrow().main_tab().ended == Some(PageEnd::Closed);
        if begins && (closed || self.is_covered) && step.target.is_none() && !self.connection.is_gone() {
            let reopened = self.reopen().await;
            reopened.map_err(|error| ActionError::new(ActionErrorKind::BrowserGone, error.to_string()))?;
        }
        self.trace.open(flow, step);
        if self.trace.takes_snapshots() {
            let view = capture::snapshot(self).await;
            self.trace.snapshot_before(Some(view));
        }
        // Boxed, because the layout of this deep future would exceed the recursion limit of callers' crates.
        let mut attempt = StepAttempt::new(self, flow, &step.number, timeout, gate);
        let performed = Box::pin(attempt.perform(step)).await;
        self.is_covered |= performed.as_ref().is_err_and(|error| error.kind == ActionErrorKind::Unseen);
        self.trace.close(performed.as_ref().err());
        if self.trace.takes_snapshots() {
            let view = capture::snapshot(self).await;
            self.trace.snapshot_after(Some(view));
        }
        performed
    }

    /// Begins a flow. `heal` decides what happens where its selectors match nothing any more.
    pub fn begin_flow(&mut self, heal: Heal) {
        self.healing.begin(heal);
        self.triggered.confirm();
    }

    /// Keeps these values out of everything that is remembered.
    pub fn hide(&mut self, mask: Mask) {
        self.healing.hide(mask, &mut *self.memory);
    }

    /// Returns what was found by likeness since the last call.
    pub fn take_healing_events(&mut self) -> Vec<HealingEvent> {
        self.healing.take_events()
    }

    /// Begins a trace of the following steps.
    pub fn begin_trace(&mut self, title: &str) {
        self.trace.begin(title);
    }

    /// Writes index.html, screenshot.png, page.html, console.txt and trace.zip into `dir`, which is created. Values
    /// are masked in the texts, and text fields are blurred in the pictures. Best effort: files that could not be made are missing.
    pub async fn evidence(&mut self, dir: &Path, incident: &Incident, mask: &Mask) -> Vec<PathBuf> {
        evidence::gather(self, dir, incident, mask).await
    }

    /// Writes trace.zip into `dir`, which is created, after a successful attempt, where every attempt is traced.
    pub async fn keep_trace(&mut self, dir: &Path, mask: &Mask) -> Option<PathBuf> {
        match self.trace.mode() {
            TraceMode::Always => evidence::keep_trace(self, dir, mask).await,
            TraceMode::Off | TraceMode::OnFailure => None,
        }
    }

    /// Returns the network totals since the last call.
    pub fn take_network_totals(&mut self) -> NetworkTotals {
        let mut taken = NetworkTotals::default();
        self.state.send_modify(|state| taken = state.network.take_totals());
        taken
    }

    /// Waits until the page has had no traffic for a tenth of a second, or for `at_most`.
    pub async fn wait_until_idle(&mut self, at_most: Duration) {
        const QUIET: Duration = Duration::from_millis(100);
        self.step_target = StepTarget::default();
        let until_quiet = async {
            let deadline = Instant::now() + at_most;
            // The consequences of the last input in the page have run after two frames.
            if let Ok(world) = self.world(deadline).await {
                let _ = self.call::<FramesReply>(&world, &serde_json::Value::Null, &[], deadline).await;
            }
            loop {
                let idle = self.until(deadline, |view| {
                    view.is_quiet(Duration::ZERO).then_some(view.state.network.last_traffic())
                });
                let Ok(last_traffic) = idle.await else { return };
                tokio::time::sleep_until(last_traffic + QUIET).await;
                if self.with_view(|view| view.is_quiet(QUIET)) == Some(true) {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(at_most, until_quiet).await;
    }

    /// The error where the site tried to navigate the main frame outside the allowed origins since the last
    /// `navigate` step. Every step reports it too; this is for after the last one.
    pub fn left_allowed_origins(&self) -> Option<ActionError> {
        let violation = self.state.borrow().main_tab().violation.clone();
        violation.map(|origin| ActionError::from_wait(WaitError::OriginNotAllowed(origin), Duration::ZERO))
    }

    /// The error where a submission of the last flow was not answered when [`Self::finish`] returned.
    pub fn unanswered(&self) -> Option<ActionError> {
        self.unanswered.clone()
    }

    /// Closes the tab. A page that is only dropped stays open in the browser.
    pub async fn close(self) {
        let session = self.state.borrow().main_tab().session.clone();
        let _ = session.send(ClosePageParams::default()).await;
    }

    /// Closes the tabs that this page has opened, and no other tab of the browser.
    pub async fn close_opened_tabs(&self) {
        let opened: Vec<_> = {
            let state = self.state.borrow();
            let main = state.main_tab().session.id().map(str::to_owned);
            let others = state.open_tabs().filter(|tab| tab.session.id() != main.as_deref());
            others.map(|tab| tab.session.clone()).collect()
        };
        for session in opened {
            // A tab may have closed in between.
            let _ = session.send(ClosePageParams::default()).await;
        }
    }

    /// The address of the main document, without query and fragment.
    pub fn url(&self) -> String {
        let url = self.state.borrow().main_frame().document.url.clone();
        url.split(['?', '#']).next().unwrap_or_default().to_owned()
    }
}

impl StepAttempt<'_> {
    pub async fn perform(&mut self, step: &Step) -> Result<Option<String>, ActionError> {
        let extends_selection = self.page.extends_selection;
        let performed = match &step.action {
            Action::KeyUp { key } if step.navigations.is_empty() => self.let_up(step, key).await,
            _ => self.play(step).await,
        };
        // A choice that a click has begun continues until another action.
        if !matches!(step.action, Action::Click(_)) {
            self.page.extends_selection =
                extends_selection && matches!(step.action, Action::KeyDown { .. } | Action::KeyUp { .. });
        }
        performed
    }

    /// Releases a key. If the tab in which it was pressed has closed since, the key is up already.
    async fn let_up(&mut self, step: &Step, key: &str) -> Result<Option<String>, ActionError> {
        let tab = keyboard::key_named(key).and_then(|key| {
            self.page.pressed.iter().find(|pressed| pressed.key == key).map(|pressed| pressed.tab)
        });
        let Some(tab) = tab else { return self.play(step).await };
        let mut states = self.page.state.subscribe();
        let closed = states.wait_for(|state| state.tabs[tab].ended == Some(PageEnd::Closed));
        tokio::select! {
            biased;
            Ok(_) = closed => {}
            played = self.play(step) => return played,
        }
        self.page.pressed.retain(|pressed| keyboard::key_named(key).as_ref() != Some(&pressed.key));
        Ok(None)
    }

    async fn play(&mut self, step: &Step) -> Result<Option<String>, ActionError> {
        if matches!(step.action, Action::Navigate { .. } | Action::Close) {
            self.await_aftermath().await?;
        }
        self.enter(StepTarget::of(step)).await;
        if let Action::Navigate { .. } = step.action {
            self.page.clear_violation();
        } else {
            // Before a click the frame that it costs anyway is used: see `aim`.
            let aims =
                matches!(step.action, Action::Click(_) | Action::DoubleClick(_) | Action::Hover { .. });
            if !aims {
                self.await_input_tasks().await;
            }
            self.await_departure().await?;
        }
        self.record_baseline();
        let dialogs = self.page.state.borrow().dialogs.len();
        let mut result = self.act(&step.action).await;
        // The input was sent again and got no answer: a page in the background draws nothing.
        if let (Err(error), Some(input)) = (&result, self.lost)
            && error.kind == ActionErrorKind::TimedOut
        {
            result = Err(self.unseen(input));
        }
        if let Err(error) = &result
            && error.kind == ActionErrorKind::Unseen
            && self.touched
            && !self.delivered
        {
            self.gate.input_not_seen().map_err(|said| ActionError::new(ActionErrorKind::Gate, said))?;
        } else if self.touched {
            self.page.note_input_sent();
        }
        let result = match result {
            Ok(text) => self.assert_navigations(&step.navigations).await.map(|()| text),
            Err(error) => Err(error),
        };
        if result.is_ok() {
            self.page.confirm_triggered_requests(&step.action, !step.navigations.is_empty());
        }
        result.map_err(|error| self.blame_busy(error)).map_err(|error| {
            let state = self.page.state.borrow();
            let Some(dialog) = state.dialogs.get(dialogs..).and_then(<[_]>::last) else { return error };
            let done = if dialog.accepted { "accepted" } else { "dismissed" };
            let dialog = format!("the page opened a dialog, which was {done}: {:?}", dialog.message);
            match &error.hint {
                Some(hint) => {
                    let both = format!("{hint}; {dialog}");
                    error.hint(both)
                }
                None => error.hint(dialog),
            }
        })
    }

    /// Waits for the tasks of the last input where that input went, before the step acts elsewhere.
    async fn enter(&mut self, step_target: StepTarget) {
        let is_there_already = {
            let state = self.page.state.borrow();
            let there = state.frame_id(&step_target);
            there.is_some() && there == state.frame_id(&self.page.step_target)
        };
        if !is_there_already {
            self.await_input_tasks().await;
        }
        self.page.step_target = step_target;
    }

    async fn act(&mut self, action: &Action) -> Result<Option<String>, ActionError> {
        match action {
            Action::SetViewport(viewport) => {
                let applied = self.page.apply_viewport(viewport);
                self.page.answer(applied, self.deadline()).await.map_err(|error| self.wait_failed(error))?;
            }
            Action::EmulateNetworkConditions(conditions) => {
                let applied = self.page.apply_conditions(*conditions);
                self.page.answer(applied, self.deadline()).await.map_err(|error| self.wait_failed(error))?;
            }
            Action::Close => self.close().await?,
            Action::Navigate { url } => {
                self.page.triggered.track();
                self.page.triggered.allow(&self.allowed_statuses);
                self.navigate(url).await?;
            }
            Action::Click(click) => self.click(click, 1).await?,
            Action::DoubleClick(click) => self.click(click, 2).await?,
            Action::Hover { locator } => self.hover(locator).await?,
            Action::Change { locator, value, further } => {
                self.page.healing.typed(value);
                self.change(locator, value, further).await?;
            }
            Action::KeyDown { key } => self.key(key, true).await?,
            Action::KeyUp { key } => self.key(key, false).await?,
            Action::Scroll { locator, x, y } => self.scroll(locator.as_ref(), *x, *y).await?,
            Action::WaitForElement(wait) => self.wait_for_element(wait).await?,
            Action::WaitForExpression { expression } => self.wait_for_expression(expression).await?,
            Action::Capture(capture) => return self.capture(capture).await.map(Some),
            Action::When { exists, .. } => return Ok(self.holds(exists).await?.then(String::new)),
            Action::Upload { locator, files } => self.upload(locator, files).await?,
            Action::Screenshot { name } => self.screenshot(Path::new(name)).await?,
            Action::StartPage { .. } => {}
            Action::AllowStatus { statuses } => self.page.allowed_statuses.clone_from(statuses),
            Action::Handoff { .. } | Action::Foreign { .. } => {
                return Err(ActionError::refused(format!("{} is not an action of the page", action.name())));
            }
        }
        Ok(None)
    }

    /// Closes the page itself or, with a `target`, another one.
    async fn close(&mut self) -> Result<(), ActionError> {
        let tab = self.page.until(self.deadline(), |view| Some(view.frame.tab)).await;
        let tab = tab.map_err(|error| self.wait_failed(error))?;
        // Its answer may be lost in the end that it brings about.
        drop(self.page.tab_session().send(ClosePageParams::default()));
        let mut states = self.page.state.subscribe();
        let closed = states.wait_for(|state| state.is_gone || state.tabs[tab].ended.is_some());
        match self.page.within(self.deadline(), closed).await {
            Some(_) => Ok(()),
            None => Err(ActionError::timed_out(format!("the page did not close {}", self.within()))),
        }
    }

    /// Whether a visible element matches now. Where the step's page or frame is not there, none does.
    async fn holds(&mut self, exists: &Locator) -> Result<bool, ActionError> {
        if self.page.with_view(|_| ()).is_none() {
            return Ok(false);
        }
        self.exists(exists).await
    }
}
