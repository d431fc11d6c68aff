//! Waits for the consequences of an input before the flow goes elsewhere.
//!
//! A form submits itself in a task of its own, a page sends what a click has asked for from a timer, one
//! answer sets off the next request. A navigation of the flow, the end of a tab and the end of the browser
//! would cut all of that off, so they wait until the page rests. Every other step goes on at once: it acts
//! in the page, and cuts nothing off.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::attempt::StepAttempt;
use crate::error::ActionError;
use crate::page::PendingInput;
use crate::script::methods::RestReply;
use crate::state::{FrameView, PageState, urls};
use regatta_core::duration::in_words;

/// Requests have been quiet for this long when what an input set off is over. A timer of the page that
/// runs later than this after the input is not waited for.
const QUIET: Duration = Duration::from_millis(100);

/// A page that never rests is waited for no longer than this, and so is one request, from its beginning.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// How long the document of a navigation is waited for at the end of a flow. Elsewhere the step's timeout
/// applies.
pub const ARRIVAL: Duration = Duration::from_secs(10);

/// Until when requests and navigations are waited for.
struct AftermathLimits {
    rest: Instant,
    arrival: Instant,
    /// How long documents had been held back by then: what is held from here on moves both.
    held: Duration,
}

impl StepAttempt<'_> {
    /// Returns once what the input since the last call has set off is over, or after [`PATIENCE`]. The time
    /// that it takes is not counted against the step.
    ///
    /// # Errors
    /// `TimedOut` where a submission has not been answered within the step's timeout; `SiteBusy` where a busy
    /// site has refused what the input has set off.
    pub async fn await_aftermath(&mut self) -> Result<(), ActionError> {
        let Some(pending) = self.page.pending_input.clone() else { return Ok(()) };
        let (started, held) = (Instant::now(), self.page.held());
        let limits = AftermathLimits { rest: started + PATIENCE, arrival: started + self.timeout, held };
        let step_target = std::mem::replace(&mut self.page.step_target, pending.step_target.clone());
        self.await_rest(&pending, &limits).await;
        let unanswered = self.page.with_view(unanswered_submission).flatten();
        let refused = self.refuse_busy();
        self.page.step_target = step_target;
        self.page.pending_input = None;
        self.page.tasks_pending = false;
        let held = self.page.held() - held;
        self.extend(started.elapsed().saturating_sub(held));
        match unanswered {
            None => refused,
            Some(origin) => Err(ActionError::timed_out(format!(
                "the submission to {origin} was not answered within {}; to go on would cut it off",
                in_words(self.timeout)
            ))),
        }
    }

    async fn await_rest(&self, pending: &PendingInput, limits: &AftermathLimits) {
        let mut quiet_since = pending.last;
        loop {
            // Timers of the page run by the page's own clock, and before later ones of ours.
            let rest = QUIET.saturating_sub(quiet_since.elapsed());
            tokio::select! {
                () = self.rest_in_page(rest, limits.rest + self.held_since(limits)) => {}
                () = tokio::time::sleep_until(limits.rest + self.held_since(limits)) => {}
            }
            self.await_answers(pending, limits).await;
            let last_answer = self.page.state.borrow().network.last_answer();
            if last_answer <= quiet_since || Instant::now() >= limits.rest + self.held_since(limits) {
                return;
            }
            quiet_since = last_answer;
        }
    }

    fn held_since(&self, limits: &AftermathLimits) -> Duration {
        self.page.held().saturating_sub(limits.held)
    }

    /// Waits for the page's timers and tasks, also where the document goes away meanwhile.
    async fn rest_in_page(&self, rest: Duration, deadline: Instant) {
        let is_there = self.page.with_view(|view| view.tab().ended.is_none()) == Some(true);
        if is_there && let Ok(world) = self.page.world(deadline).await {
            let query = json!({ "ms": rest.as_secs_f64() * 1000.0 });
            let _ = self.page.call::<RestReply>(&world, &query, &[], deadline).await;
        } else {
            tokio::time::sleep(rest).await;
        }
    }

    /// Waits until no navigation, request or download is under way that has to be waited for.
    async fn await_answers(&self, pending: &PendingInput, limits: &AftermathLimits) {
        let mut states = self.page.state.subscribe();
        loop {
            let until = on_its_way(&states.borrow_and_update(), pending, limits);
            let until = until.map(|until| until + self.held_since(limits));
            let Some(until) = until.filter(|until| *until > Instant::now()) else { return };
            tokio::select! {
                changed = states.changed() => if changed.is_err() { return },
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }
}

/// Until when to wait, if anything is under way.
fn on_its_way(state: &PageState, pending: &PendingInput, limits: &AftermathLimits) -> Option<Instant> {
    if state.is_gone {
        return None;
    }
    let view = state.resolve(&pending.step_target).filter(|view| view.tab().ended.is_none());
    let leaving = view.filter(FrameView::is_leaving).map(|view| match view.departing_request() {
        Some(_) => limits.arrival,
        None => limits.rest,
    });
    let aged = |began: Instant| (began + PATIENCE).min(limits.rest);
    let requests = state.network.under_way(pending.first).map(|request| aged(request.began));
    let downloads = state.downloads_due().map(aged);
    leaving.into_iter().chain(requests).chain(downloads).max()
}

/// The origin that a form was sent to. A request that only reads may be given up.
fn unanswered_submission(view: FrameView<'_>) -> Option<String> {
    let request = view.departing_request()?.exchange()?;
    let is_read = matches!(request.method.as_str(), "GET" | "HEAD");
    (!is_read).then(|| urls::origin(&request.url))
}
