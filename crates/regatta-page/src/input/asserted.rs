//! The navigations that a flow asserts of a step.
//!
//! They are looked for in the tab or frame that the step acted in, whatever its address is by then, and in
//! the frames around it, which a link in a frame may replace.

use serde_json::json;

use crate::attempt::StepAttempt;
use crate::error::ActionError;
use crate::navigate::navigation;
use crate::script::WaitError;
use crate::state::step_target::PinnedTarget;
use crate::state::urls;
use crate::state::{FrameState, FrameView, PageEnd, PageState};
use regatta_core::flow::AssertedNavigation;
use regatta_core::wildcard;

/// Where the step was about to act, and what had arrived there by then.
#[derive(Debug, Default)]
pub struct NavigationBaseline {
    tab: usize,
    /// The step's own frame, then those around it, outwards, then the other tabs: a popup may
    /// send its opener on.
    places: Vec<FrameBaseline>,
}

#[derive(Debug)]
struct FrameBaseline {
    held: PinnedTarget,
    after: u64,
    reach: FrameRelation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FrameRelation {
    Own,
    Around,
    OtherTab,
}

impl NavigationBaseline {
    fn at(state: &PageState, frame: &FrameState) -> Self {
        let place = |frame: &FrameState, reach| FrameBaseline {
            held: PinnedTarget::of(FrameView { state, frame }),
            after: frame.arrived,
            reach,
        };
        let around = state.lineage(frame).skip(1).map(|frame| place(frame, FrameRelation::Around));
        let tabs = state.open_tabs().filter_map(|tab| state.frame(&tab.main_frame));
        let others =
            tabs.filter(|main| main.tab != frame.tab).map(|frame| place(frame, FrameRelation::OtherTab));
        let places = std::iter::once(place(frame, FrameRelation::Own)).chain(around).chain(others).collect();
        Self { tab: frame.tab, places }
    }

    /// The first place that has come to `url`, or without one anywhere, and the number of its arrival.
    fn arrival(&self, state: &PageState, url: Option<&str>) -> Option<(usize, u64)> {
        let is_closed = state.tabs[self.tab].ended.is_some();
        let own_is_gone = self.places.first().is_none_or(|own| state.held(&own.held).is_none());
        self.places.iter().enumerate().find_map(|(index, place)| {
            let counts = match place.reach {
                FrameRelation::Own => true,
                FrameRelation::Around => url.is_some() || own_is_gone,
                FrameRelation::OtherTab => url.is_some() || is_closed,
            };
            let frame = state.held(&place.held).filter(|_| counts)?;
            let mut since = frame.arrivals.iter().filter(|arrival| arrival.number > place.after);
            let arrived = since.find(|arrival| url.is_none_or(|url| urls::fits(&arrival.url, url)))?;
            Some((index, arrived.number))
        })
    }

    /// Why nothing can arrive any more. What a tab that closed hands on to other tabs may.
    fn wait_error(&self, state: &PageState) -> Option<WaitError> {
        let tab = &state.tabs[self.tab];
        match (tab.ended, &tab.violation) {
            _ if state.is_gone => Some(WaitError::Ended(PageEnd::Gone)),
            (Some(PageEnd::Closed), _) if state.open_tabs().next().is_some() => None,
            (Some(ended), _) => Some(WaitError::Ended(ended)),
            (None, Some(origin)) => Some(WaitError::OriginNotAllowed(origin.clone())),
            (None, None) => None,
        }
    }

    fn own<'a>(&self, state: &'a PageState) -> Option<(&'a FrameState, u64)> {
        let own = self.places.first()?;
        Some((state.held(&own.held)?, own.after))
    }
}

impl StepAttempt<'_> {
    /// To be called before the step acts: what arrives from here on followed its action.
    pub fn record_baseline(&mut self) {
        let state = self.page.state.borrow();
        if let Some(view) = state.resolve(&self.page.step_target) {
            self.baseline = NavigationBaseline::at(&state, view.frame);
        }
    }

    /// To be called right before the step acts in a tab or frame: it is meant at any address from here on.
    pub fn pin_target(&mut self) {
        self.record_baseline();
        let held = self.page.with_view(PinnedTarget::of);
        if let Some(held) = held {
            self.page.step_target.hold(held);
        }
    }

    /// The navigations that the flow asserts followed the action: each a place that the step's frame came to
    /// since, in their order.
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
            self.page.step_target.hold(place.held.clone());
            self.until_loaded(before, None).await?;
            let title = assertion.title.as_deref().filter(|title| !title.is_empty());
            if let Some(title) = title.filter(|_| index + 1 == asserted.len()) {
                self.assert_title(title).await?;
            }
        }
        Ok(())
    }

    /// The place and the number of the arrival that is meant.
    async fn assert_url(&self, url: Option<&str>) -> Result<(usize, u64), ActionError> {
        // An error page that is not what is waited for is an answer already.
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
                navigation(format!("arrived at {} instead of {wanted}", arrival.url))
                    .hint(varies("url", pattern.as_deref()))
            }
            None => ActionError::timed_out(format!("no navigation{wanted} followed {}", self.within()))
                .hint(format!("the page is still {}", frame.document.url)),
        }
    }

    async fn assert_title(&self, title: &str) -> Result<(), ActionError> {
        loop {
            let ms = self.left().as_secs_f64() * 1000.0;
            match self.call("title", &json!({ "title": title, "ms": ms })).await? {
                Some(reply) if reply.ok => return Ok(()),
                Some(reply) => {
                    let got = reply.value.unwrap_or_default();
                    let pattern = wildcard::common(title, &got).filter(|_| !title.contains('*'));
                    return Err(navigation(format!("the title is {got:?} instead of {title:?}"))
                        .hint(varies("title", pattern.as_deref())));
                }
                None => {}
            }
        }
    }
}

/// What a flow's author can do where a recorded address or title is not the same every time.
fn varies(key: &str, pattern: Option<&str>) -> String {
    let example = pattern.map(|pattern| format!(": `{pattern}`")).unwrap_or_default();
    format!(
        "if it changes from run to run, leave `{key}` out of `assertedEvents` or write `*` for what changes{example}"
    )
}
