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
    /// How dialogs are answered from now on.
    pub fn set_dialogs(&mut self, policy: DialogPolicy) {
        self.state.send_modify(|state| state.settings.dialogs = policy);
    }

    /// Plays one rendered step. Calls `gate.before_input()` once, right before the first click or
    /// keystroke it sends: never earlier, and not at all where it sends none (a wait, a scroll, a
    /// navigation). The text that a `regatta.capture` read; of a `regatta.when`, whose inner steps are
    /// the caller's to play, a text where its condition holds and none where it does not.
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
        if self.trace.looks() {
            let view = capture::look(self).await;
            self.trace.looked_before(Some(view));
        }
        // Boxed, because the layout of this deep future would exceed the recursion limit of callers' crates.
        let mut attempt = StepAttempt::new(self, flow, &step.number, timeout, gate);
        let performed = Box::pin(attempt.perform(step)).await;
        self.is_covered |= performed.as_ref().is_err_and(|error| error.kind == ActionErrorKind::Unseen);
        self.trace.close(performed.as_ref().err());
        if self.trace.looks() {
            let view = capture::look(self).await;
            self.trace.looked_after(Some(view));
        }
        performed
    }

    /// A flow begins: what to do where its selectors match nothing any more.
    pub fn begin_flow(&mut self, heal: Heal) {
        self.healing.begin(heal);
        self.triggered.confirm();
    }

    /// Nothing of this is remembered of a page.
    pub fn hide(&mut self, mask: Mask) {
        self.healing.hide(mask, &mut *self.memory);
    }

    /// What was found by likeness since the last call.
    pub fn take_healing_events(&mut self) -> Vec<HealingEvent> {
        self.healing.take_events()
    }

    /// A trace is one of what follows.
    pub fn begin_trace(&mut self, title: &str) {
        self.trace.begin(title);
    }

    /// index.html, screenshot.png, page.html, console.txt and trace.zip in `dir`, which is created. Values
    /// are masked in the texts, and text fields are blurred in the pictures. Best effort: whatever could
    /// be had.
    pub async fn evidence(&mut self, dir: &Path, incident: &Incident, mask: &Mask) -> Vec<PathBuf> {
        evidence::gather(self, dir, incident, mask).await
    }

    /// trace.zip in `dir`, which is created: of an attempt that went well, where every one is traced.
    pub async fn keep_trace(&mut self, dir: &Path, mask: &Mask) -> Option<PathBuf> {
        match self.trace.mode() {
            TraceMode::Always => evidence::keep_trace(self, dir, mask).await,
            TraceMode::Off | TraceMode::OnFailure => None,
        }
    }

    /// Since the last call.
    pub fn take_network_totals(&mut self) -> NetworkTotals {
        let mut taken = NetworkTotals::default();
        self.state.send_modify(|state| taken = state.network.take_totals());
        taken
    }

    /// Returns when everything the page might still send is on its way or answered: a tenth of a second
    /// without traffic, or `at_most`.
    pub async fn wait_until_idle(&mut self, at_most: Duration) {
        const QUIET: Duration = Duration::from_millis(100);
        self.step_target = StepTarget::default();
        let until_quiet = async {
            let deadline = Instant::now() + at_most;
            // Whatever the last input set off in the page has run after two frames.
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

    /// The site tried to take the main frame outside the allowed origins since the last `navigate` step.
    /// Every step says so too; this is for after the last one.
    pub fn left_allowed_origins(&self) -> Option<ActionError> {
        let violation = self.state.borrow().main_tab().violation.clone();
        violation.map(|origin| ActionError::from_wait(WaitError::OriginNotAllowed(origin), Duration::ZERO))
    }

    /// The submission that the last flow had set off when [`Self::finish`] was called and that has not been
    /// answered.
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
            // One that closed in between is closed.
            let _ = session.send(ClosePageParams::default()).await;
        }
    }

    /// Of the main document, without what follows its path.
    pub fn url(&self) -> String {
        let url = self.state.borrow().main_frame().document.url.clone();
        url.split(['?', '#']).next().unwrap_or_default().to_owned()
    }
}

impl StepAttempt<'_> {
    pub async fn perform(&mut self, step: &Step) -> Result<Option<String>, ActionError> {
        let adds = self.page.adds;
        let performed = match &step.action {
            Action::KeyUp { key } if step.navigations.is_empty() => self.let_up(step, key).await,
            _ => self.play(step).await,
        };
        // What a click has begun to choose goes on until something else is done.
        if !matches!(step.action, Action::Click(_)) {
            self.page.adds = adds && matches!(step.action, Action::KeyDown { .. } | Action::KeyUp { .. });
        }
        performed
    }

    /// A key that was pressed in a tab which has closed over it is up.
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
        // Sent again, it was not even waited for: the page in the background draws nothing more.
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

    /// What the last input set off is heard of where that input went, before the step turns elsewhere.
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

    /// The page itself or, with a `target`, another one.
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

    /// Whether something visible matches now. Where the step's page or frame is not there, nothing does.
    async fn holds(&mut self, exists: &Locator) -> Result<bool, ActionError> {
        if self.page.with_view(|_| ()).is_none() {
            return Ok(false);
        }
        self.exists(exists).await
    }
}
