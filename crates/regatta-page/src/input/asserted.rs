//! Waits for the navigations that a flow asserts of a step.
//!
//! They are expected in the tab or frame that the step acted in, at any address, and in the frames around it,
//! which a link in a frame may replace.

use serde_json::json;

use crate::attempt::StepAttempt;
use crate::error::{ActionError, PageEnd, WaitError};
use crate::script::methods::TitleReply;
use crate::state::{FrameView, PageState, urls};
use regatta_core::flow::AssertedNavigation;
use regatta_core::wildcard;

impl StepAttempt<'_> {
    /// Waits until each asserted navigation has followed the action, in their order.
    pub async fn assert_navigations(&mut self, asserted: &[AssertedNavigation]) -> Result<(), ActionError> {
        if self.baseline.places.is_empty() {
            self.record_baseline();
            for place in &mut self.baseline.places {
                place.after = 0;
            }
        }
        for (index, assertion) in asserted.iter().enumerate() {
            let (place, number) =
                self.assert_url(assertion.url.as_deref().filter(|url| !url.is_empty())).await?;
            let place = &mut self.baseline.places[place];
            let before = std::mem::replace(&mut place.after, number);
            self.page.step_target.pin(place.pinned.clone());
            self.until_loaded(before, None).await?;
            let title = assertion.title.as_deref().filter(|title| !title.is_empty());
            if let Some(title) = title.filter(|_| index + 1 == asserted.len()) {
                self.assert_title(title).await?;
            }
        }
        Ok(())
    }

    /// Waits for an arrival at `url`; returns its place and number.
    async fn assert_url(&self, url: Option<&str>) -> Result<(usize, u64), ActionError> {
        // An error page that was not asserted is an answer already.
        let refusal = |state: &PageState| {
            let (own, _) = self.baseline.own(state).filter(|(own, after)| own.arrived > *after)?;
            self.refusal(FrameView { state, frame: own })
        };
        let mut states = self.page.state.subscribe();
        let waiting = async {
            loop {
                {
                    let state = states.borrow_and_update();
                    if let Some(arrival) = self.baseline.arrival(&state, url) {
                        return Ok(arrival);
                    }
                    if let Some(refusal) = refusal(&state) {
                        return Err(refusal);
                    }
                    if let Some(error) = self.baseline.wait_error(&state) {
                        return Err(self.wait_failed(error));
                    }
                }
                if states.changed().await.is_err() {
                    return Err(self.wait_failed(WaitError::Ended(PageEnd::Gone)));
                }
            }
        };
        match self.page.within(self.deadline(), waiting).await {
            Some(arrived) => arrived,
            None => Err(self.not_there(url)),
        }
    }

    fn not_there(&self, url: Option<&str>) -> ActionError {
        let state = self.page.state.borrow();
        let Some((frame, after)) = self.baseline.own(&state) else {
            return self.wait_failed(WaitError::Deadline);
        };
        if let Some(ended) = state.tabs[self.baseline.tab].ended {
            return self.wait_failed(WaitError::Ended(ended));
        }
        let wanted = url.map(|url| format!(" to {url}")).unwrap_or_default();
        match frame.arrivals.iter().rfind(|arrival| arrival.number > after) {
            Some(arrival) => {
                let wanted = url.unwrap_or_default();
                let pattern = urls::pattern_of(wanted, &arrival.url);
                ActionError::navigation(format!("arrived at {} instead of {wanted}", arrival.url))
                    .hint(varies("url", pattern.as_deref()))
            }
            None => ActionError::timed_out(format!("no navigation{wanted} followed {}", self.within()))
                .hint(format!("the page is still {}", frame.document.url)),
        }
    }

    async fn assert_title(&self, title: &str) -> Result<(), ActionError> {
        loop {
            let ms = self.left().as_secs_f64() * 1000.0;
            match self.call::<TitleReply>(&json!({ "title": title, "ms": ms })).await? {
                Some(reply) if reply.ok => return Ok(()),
                Some(reply) => {
                    let got = reply.value.unwrap_or_default();
                    let pattern = wildcard::common(title, &got).filter(|_| !title.contains('*'));
                    return Err(ActionError::navigation(format!(
                        "the title is {got:?} instead of {title:?}"
                    ))
                    .hint(varies("title", pattern.as_deref())));
                }
                None => {}
            }
        }
    }
}

/// The hint for a recorded address or title that is not the same every time.
fn varies(key: &str, pattern: Option<&str>) -> String {
    let example = pattern.map(|pattern| format!(": `{pattern}`")).unwrap_or_default();
    format!(
        "if it changes from run to run, leave `{key}` out of `assertedEvents` or write `*` for what changes{example}"
    )
}
