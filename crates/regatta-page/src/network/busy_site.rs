//! A busy site (429, 503) gives neither a yes nor a no: a step that fails on its answer is tried again later, and
//! the input that it answered so may or may not have taken effect.
//!
//! It counts where the main document is such an answer, or where the last input or navigation has set off a
//! request for data or for a document of an allowed origin that was answered so. A page may repeat a
//! request: an answer of another kind to the same request takes its place.

use std::time::Duration;

use tokio::time::Instant;

use crate::attempt::StepAttempt;
use crate::error::{ActionError, ActionErrorKind};
use crate::page::Page;
use crate::state::{FrameView, urls};
use regatta_core::duration::in_words;
use regatta_core::flow::Action;
use regatta_core::site_busy::is_busy;

struct BusyResponse {
    url: String,
    status: u16,
    retry_after: Option<Duration>,
}

impl Page {
    /// A satisfied wait shows that the refusals before it do not matter.
    pub(crate) fn confirm_triggered_requests(&mut self, action: &Action, asserts: bool) {
        let is_confirmed = asserts
            || matches!(
                action,
                Action::WaitForElement(_) | Action::WaitForExpression { .. } | Action::Capture(_)
            );
        if is_confirmed {
            self.triggered.confirm();
        }
    }

    /// Whether a busy site may be why a step failed.
    fn busy(&self) -> Option<BusyResponse> {
        self.busy_document().or_else(|| self.busy_request(None))
    }

    /// Whether what the flow has set off was refused, and nothing since shows that it does not matter.
    fn busy_unconfirmed(&self) -> Option<BusyResponse> {
        self.busy_document().or_else(|| self.busy_request(self.triggered.confirmed))
    }

    fn busy_document(&self) -> Option<BusyResponse> {
        let main = |view: FrameView<'_>| {
            let document = &view.state.frame(&view.tab().main_frame)?.document;
            let status = document.status.filter(|status| is_busy(*status))?;
            let is_allowed = self.allowed_error.as_deref() == Some(&document.loader)
                || self.triggered.allowed.contains(&status);
            let answer = view.state.network.busy().of_request(&document.loader);
            let retry_after = answer.and_then(|answer| answer.retry_after);
            (!is_allowed).then(|| BusyResponse { url: document.url.clone(), status, retry_after })
        };
        self.with_view(main).flatten()
    }

    fn busy_request(&self, after: Option<Instant>) -> Option<BusyResponse> {
        let since = self.triggered.since?;
        let state = self.state.borrow();
        let answer = state.network.busy().iter().rev().find(|answer| {
            answer.began >= since
                && after.is_none_or(|after| answer.answered > after)
                && !self.triggered.allowed.contains(&answer.status)
                && urls::is_allowed(&answer.url, &self.allowed)
        })?;
        Some(BusyResponse { url: answer.url.clone(), status: answer.status, retry_after: answer.retry_after })
    }
}

impl StepAttempt<'_> {
    /// Replaces an error that a busy site may have caused by `SiteBusy`.
    pub fn blame_busy(&self, error: ActionError) -> ActionError {
        let may_be_caused = matches!(
            error.kind,
            ActionErrorKind::NotMet
                | ActionErrorKind::TimedOut
                | ActionErrorKind::Ambiguous
                | ActionErrorKind::Changed
                | ActionErrorKind::Navigation
        );
        match self.page.busy().filter(|_| may_be_caused) {
            Some(busy) => {
                let seen = format!("what failed: {}", error.message);
                busy_error(&busy).hint(seen)
            }
            None => error,
        }
    }

    /// # Errors
    /// `SiteBusy` where what the flow has set off was refused.
    pub fn refuse_busy(&self) -> Result<(), ActionError> {
        self.page.busy_unconfirmed().map_or(Ok(()), |busy| {
            Err(busy_error(&busy).hint(
                "where that does not matter, say so: a customStep `regatta.allowStatus` before the step that sets it off",
            ))
        })
    }

    /// The error for a document with a busy status.
    pub fn busy_answer(view: FrameView<'_>, status: u16, url: &str) -> ActionError {
        let answer = view.state.network.busy().of_request(&view.frame.document.loader);
        let retry_after = answer.and_then(|answer| answer.retry_after);
        busy_error(&BusyResponse { url: url.to_owned(), status, retry_after })
    }
}

fn busy_error(BusyResponse { url, status, retry_after }: &BusyResponse) -> ActionError {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let asks = retry_after.map(|time| format!(" and asks to wait {}", in_words(time))).unwrap_or_default();
    let kind = ActionErrorKind::SiteBusy { retry_after: *retry_after };
    ActionError::new(kind, format!("the site is busy: it answered {status} for {url}{asks}"))
}
