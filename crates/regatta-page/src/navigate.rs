//! Navigates to an address. Navigations that a flow asserts of other steps: see [`crate::input::asserted`].

use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::page::{NavigateParams, StopLoadingParams};
use serde::Deserialize;
use tokio::time::Instant;

use crate::attempt::StepAttempt;
use crate::error::{ActionError, ActionErrorKind, WaitError};
use crate::state::FrameView;
use crate::state::urls;
use regatta_core::site_busy::is_busy;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NavigateResult {
    loader_id: Option<String>,
    error_text: Option<String>,
    #[serde(default)]
    is_download: bool,
}

/// How often a navigation is tried that the page replaces by one of its own each time.
const TRIES: u32 = 3;

/// The events of a navigation that was given up come at most this long after its answer.
const GIVEN_UP: Duration = Duration::from_secs(1);

impl StepAttempt<'_> {
    /// Navigates, and waits until the main frame's document has loaded, but not for more that its frames load. A
    /// navigation that the page replaces by one of its own before it arrives is repeated once that one has
    /// arrived.
    pub async fn navigate(&mut self, url: &str) -> Result<(), ActionError> {
        if url != "about:blank" && !urls::is_allowed(url, &self.page.allowed) {
            let origin = urls::origin(url);
            return Err(ActionError::refused(format!("{origin} is not in allowed_origins")));
        }
        // Waits for the step's tab, so that the page's own is not taken for it.
        let there = self.page.until(self.deadline(), |_| Some(())).await;
        there.map_err(|error| self.wait_failed(error))?;
        self.pin_target();
        for _ in 0..TRIES {
            if self.navigate_once(url).await? {
                return Ok(());
            }
        }
        let there = self.page.with_view(|view| view.frame.document.url.clone()).unwrap_or_default();
        Err(ActionError::navigation(format!("the page went to {there} each time before it came to {url}")))
    }

    /// False where the page has navigated elsewhere, and has arrived there.
    async fn navigate_once(&mut self, url: &str) -> Result<bool, ActionError> {
        let before = self.page.with_view(|view| view.frame.arrived).unwrap_or_default();
        let downloads = self.page.state.borrow().downloads.len();
        // A frame may lose the session of its own over it.
        let answer = self.page.tab_session().send_unbounded::<_, NavigateResult>(self.navigation_to(url));
        let navigated = match self.page.answer(answer, self.deadline()).await {
            Ok(navigated) => navigated,
            Err(WaitError::Deadline) => return Err(self.gave_up_loading()),
            Err(WaitError::Script(message)) => {
                return Err(ActionError::new(ActionErrorKind::Navigation, message));
            }
            Err(error) => return Err(self.wait_failed(error)),
        };
        if navigated.is_download {
            return self.until_saved(downloads).await.map(|()| true);
        }
        let loader = navigated.loader_id.as_deref();
        match (navigated.error_text.as_deref(), loader) {
            // It stayed in the document.
            (None | Some(""), None) => Ok(true),
            (None | Some(""), Some(loader)) => self.until_loaded(before, Some(loader)).await,
            (Some("net::ERR_ABORTED"), loader) => {
                let replaced = |view: FrameView<'_>| {
                    let frame = view.frame;
                    let is_another = frame.departing() != loader && frame.leaving;
                    (frame.arrived > before || is_another).then_some(())
                };
                let patience = self.deadline().min(Instant::now() + GIVEN_UP);
                match self.page.until(patience, replaced).await {
                    Ok(()) => self.until_replaced().await.map(|()| false),
                    Err(WaitError::Deadline) => {
                        Err(ActionError::navigation(format!("net::ERR_ABORTED at {url}"))
                            .hint("the server sent no page, or the page stopped it"))
                    }
                    Err(error) => Err(self.wait_failed(error)),
                }
            }
            (Some(error), _) => {
                // By then it is known whether the engine refused the request: that is noted before the refusal.
                let comes = |view: FrameView<'_>| view.frame.document.is_error_page.then_some(());
                match self.page.until(self.deadline(), comes).await {
                    Err(error @ WaitError::OriginNotAllowed(_)) => Err(self.wait_failed(error)),
                    _ => Err(ActionError::navigation(format!("{error} at {url}"))),
                }
            }
        }
    }

    /// Waits until the page's own navigation has ended, in any way.
    async fn until_replaced(&self) -> Result<(), ActionError> {
        match self.page.until(self.deadline(), |view| (!view.frame.leaving).then_some(())).await {
            Ok(()) => Ok(()),
            Err(WaitError::Deadline) => Err(self.gave_up_loading()),
            Err(error) => Err(self.wait_failed(error)),
        }
    }

    /// Waits until the browser has begun to save a file beyond the known ones.
    async fn until_saved(&self, known: usize) -> Result<(), ActionError> {
        if self.page.downloads.is_none() {
            return Err(ActionError::navigation("the server sent a download instead of a page"));
        }
        let begun = |view: FrameView<'_>| (view.state.downloads.len() > known).then_some(());
        match self.page.until(self.deadline(), begun).await {
            Ok(()) => Ok(()),
            Err(WaitError::Deadline) => {
                let what = format!("the browser did not begin to save the download {}", self.within());
                Err(ActionError::timed_out(what))
            }
            Err(error) => Err(self.wait_failed(error)),
        }
    }

    fn navigation_to(&self, url: &str) -> NavigateParams {
        let mut navigate = NavigateParams::new(url);
        // For the tab's own frame no id is needed.
        let inner = self.page.with_view(|view| view.frame.parent.is_some().then(|| view.frame.id.clone()));
        navigate.frame_id = inner.flatten().map(Into::into);
        navigate
    }

    /// Waits until the main frame's latest document has loaded: a page may navigate on while it loads. With
    /// `loader`, that document must have arrived: an earlier navigation may still have been arriving. False where
    /// it was given up for another document, which has arrived.
    pub async fn until_loaded(&mut self, before: u64, loader: Option<&str>) -> Result<bool, ActionError> {
        let loaded = |view: FrameView<'_>| {
            let frame = view.frame;
            let mut since = frame.arrivals.iter().filter(|arrival| arrival.number > before);
            let arrived = since.any(|arrival| loader.is_none_or(|loader| arrival.loader == loader));
            if !arrived && loader.is_some() && frame.given_up.as_deref() == loader {
                return Some(None);
            }
            let is_there = arrived && (frame.document.loaded || frame.document.is_error_page);
            is_there.then(|| Some(self.refusal(view)))
        };
        match self.page.until(self.deadline(), loaded).await {
            Ok(None) => self.until_replaced().await.map(|()| false),
            Ok(Some(None)) => {
                let document = self.page.with_view(|view| view.frame.document.clone()).unwrap_or_default();
                if document.status.is_some_and(|status| self.allowed_statuses.contains(&status)) {
                    self.page.allowed_error = Some(document.loader);
                }
                Ok(true)
            }
            Ok(Some(Some(refusal))) => Err(refusal),
            Err(WaitError::Deadline) => Err(self.gave_up_loading()),
            Err(error) => Err(self.wait_failed(error)),
        }
    }

    /// The error for a document that is an error page or has an HTTP error status.
    pub fn refusal(&self, view: FrameView<'_>) -> Option<ActionError> {
        let frame = view.frame;
        let url = frame.arrivals.back().map(|arrival| arrival.url.as_str()).unwrap_or_default();
        if frame.document.is_error_page {
            let failure =
                if frame.failure.is_empty() { "the page failed to load" } else { frame.failure.as_str() };
            return Some(ActionError::navigation(format!("{failure} at {url}")));
        }
        let status = frame.document.status.filter(|status| *status >= 400)?;
        if self.allowed_statuses.contains(&status) {
            return None;
        }
        if is_busy(status) {
            return Some(Self::busy_answer(view, status, url));
        }
        Some(
            ActionError::navigation(format!("the server answered {status} for {url}"))
                .hint("where that is expected, say so: a customStep `regatta.allowStatus` before this step"),
        )
    }

    fn gave_up_loading(&self) -> ActionError {
        // What comes later must not replace the document under the next attempt.
        drop(self.page.tab_session().send(StopLoadingParams::default()));
        ActionError::timed_out(format!("the page did not load {}", self.within()))
    }
}
