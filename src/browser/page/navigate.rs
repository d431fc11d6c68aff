//! Navigations: followed by lifecycle events of the main frame, never by its iframes.

use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::page::NavigateParams;
use serde_json::json;
use tokio::time::Instant;

use super::script::{Waited, Where};
use super::state::{PageState, origin_allowed};
use super::{ActionError, ActionErrorKind, Page};
use crate::browser::cdp::CdpError;
use crate::domain::flow::AssertedNavigation;

impl Page {
    pub(super) async fn navigate(&mut self, url: &str, deadline: Instant) -> Result<(), ActionError> {
        if url != "about:blank" && !origin_allowed(url, &self.allowed_origins) {
            return Err(self.outside(url));
        }
        self.state_sender.send_modify(|state| state.refused = None);
        let navigating = self.session.send(NavigateParams::new(url));
        let answer = match tokio::time::timeout_at(deadline, navigating).await {
            Ok(answer) => answer.map_err(|error| self.lost(error))?,
            Err(_) => return Err(ActionError::timed_out(format!("{url} does not answer"))),
        };
        if let Some(refused) = self.take_refused() {
            return Err(self.outside(&refused));
        }
        if let Some(problem) = answer.error_text.filter(|text| !text.is_empty()) {
            return Err(ActionError::new(
                ActionErrorKind::Navigation,
                format!("{url} cannot be reached: {problem}"),
            ));
        }
        // Without a loader the document stayed and only the fragment changed.
        if let Some(loader) = answer.loader_id {
            let loader = String::from(loader);
            self.loaded(deadline, |state| state.loader == loader || state.loaded == loader).await?;
        }
        self.check_status()
    }

    /// Waits until the navigations that `asserted` names, counted from `before`, have ended there.
    pub(super) async fn asserted(
        &mut self,
        asserted: &[AssertedNavigation],
        before: u64,
        deadline: Instant,
    ) -> Result<(), ActionError> {
        for expected in asserted {
            self.navigated(expected, before, deadline).await?;
        }
        Ok(())
    }

    async fn navigated(
        &mut self,
        expected: &AssertedNavigation,
        before: u64,
        deadline: Instant,
    ) -> Result<(), ActionError> {
        let url = expected.url.as_deref().filter(|url| !url.is_empty());
        let title = expected.title.as_deref().filter(|title| !title.is_empty());
        let arrived =
            |state: &PageState| state.navigations > before && url.is_none_or(|url| same_url(url, &state.url));
        if let Err(error) = self.loaded(deadline, arrived).await {
            if error.kind != ActionErrorKind::TimedOut {
                return Err(error);
            }
            self.check_status()?;
            let (navigations, shown) = {
                let state = self.state.borrow();
                (state.navigations, state.url.clone())
            };
            let message = match url {
                _ if navigations <= before => "no navigation followed".to_owned(),
                Some(url) => format!("the navigation ended at {shown}, not at {url}"),
                None => format!("{shown} does not finish loading"),
            };
            return Err(self.unmet(message));
        }
        self.check_status()?;
        let Some(title) = title else { return Ok(()) };
        let shown: Where = self.script("state", deadline, |_| json!([])).await?;
        if shown.title == title {
            return Ok(());
        }
        let message = format!("the page's title is \"{}\", not \"{title}\"", shown.title);
        Err(self.unmet(message))
    }

    /// An assertion that does not hold: a definite no where the page has loaded and is quiet; else
    /// what was asked for may still be on its way.
    pub(super) fn unmet(&self, message: String) -> ActionError {
        let sure = self.state.borrow().can_say_no();
        ActionError::new(if sure { ActionErrorKind::NotMet } else { ActionErrorKind::TimedOut }, message)
    }

    /// Until `there` holds and the document has loaded.
    async fn loaded(
        &mut self,
        deadline: Instant,
        there: impl Fn(&PageState) -> bool,
    ) -> Result<(), ActionError> {
        let over = |state: &PageState| state.refused.is_some() || there(state) && state.is_loaded();
        match self.until(deadline, over).await {
            Waited::Holds => {}
            Waited::Lost => return Err(self.lost(CdpError::Gone)),
            Waited::Late => return Err(ActionError::timed_out("the page does not finish loading")),
        }
        match self.take_refused() {
            Some(url) => Err(self.outside(&url)),
            None => Ok(()),
        }
    }

    pub(super) fn check_status(&self) -> Result<(), ActionError> {
        let state = self.state.borrow();
        match state.status() {
            Some(status) if status >= 400 => Err(ActionError::new(
                ActionErrorKind::Navigation,
                format!("{} answered with HTTP {status}", state.url),
            )),
            _ => Ok(()),
        }
    }

    /// The URL of a main-frame navigation that was refused since the last call.
    pub(super) fn take_refused(&self) -> Option<String> {
        let mut refused = None;
        self.state_sender.send_if_modified(|state| {
            refused = state.refused.take();
            refused.is_some()
        });
        refused
    }

    pub(super) fn outside(&self, url: &str) -> ActionError {
        let allowed = self.allowed_origins.join(", ");
        ActionError::refused(format!("{url} is outside the workflow's allowed origins")).hint(format!(
            "allowed: {allowed}; add an origin to `allowed_origins` only if you may automate it"
        ))
    }
}

/// After normalisation, so that `http://a` is `http://a/`.
fn same_url(expected: &str, shown: &str) -> bool {
    match (url::Url::parse(expected), url::Url::parse(shown)) {
        (Ok(expected), Ok(shown)) => expected == shown,
        _ => expected == shown,
    }
}

/// For messages: `10 s`, `1.5 s`.
pub(super) fn seconds(duration: Duration) -> String {
    let text = format!("{:.1}", duration.as_secs_f64());
    format!("{} s", text.strip_suffix(".0").unwrap_or(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_compared_as_browsers_read_them() {
        assert!(same_url("http://a.test", "http://a.test/"));
        assert!(same_url("HTTP://A.test:80/x", "http://a.test/x"));
        assert!(!same_url("http://a.test/x", "http://a.test/x/"));
        assert!(!same_url("http://a.test/x", "http://a.test/x?y"));
        assert_eq!(
            (seconds(Duration::from_secs(10)), seconds(Duration::from_millis(1500))),
            ("10 s".into(), "1.5 s".into())
        );
    }
}
