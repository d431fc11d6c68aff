//! Where a step was about to act, and what had arrived there by then.

use crate::error::{PageEnd, WaitError};
use crate::state::step_target::PinnedTarget;
use crate::state::{FrameState, FrameView, PageState, urls};

/// Where the step was about to act, and what had arrived there by then.
#[derive(Debug, Default)]
pub struct NavigationBaseline {
    pub tab: usize,
    /// The step's own frame, then those around it, outwards, then the other tabs: a popup may
    /// send its opener on.
    pub places: Vec<FrameBaseline>,
}

#[derive(Debug)]
pub struct FrameBaseline {
    pub pinned: PinnedTarget,
    pub after: u64,
    relation: FrameRelation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameRelation {
    Own,
    Around,
    OtherTab,
}

impl NavigationBaseline {
    pub fn at(state: &PageState, frame: &FrameState) -> Self {
        let place = |frame: &FrameState, relation| FrameBaseline {
            pinned: FrameView { state, frame }.pinned(),
            after: frame.arrived,
            relation,
        };
        let around = state.lineage(frame).skip(1).map(|frame| place(frame, FrameRelation::Around));
        let tabs = state.open_tabs().filter_map(|tab| state.frame(&tab.main_frame));
        let others =
            tabs.filter(|main| main.tab != frame.tab).map(|frame| place(frame, FrameRelation::OtherTab));
        let places = std::iter::once(place(frame, FrameRelation::Own)).chain(around).chain(others).collect();
        Self { tab: frame.tab, places }
    }

    /// The first place that has arrived at `url`, or anywhere without one, and the number of its arrival.
    pub fn arrival(&self, state: &PageState, url: Option<&str>) -> Option<(usize, u64)> {
        let is_closed = state.tabs[self.tab].ended.is_some();
        let own_is_gone = self.places.first().is_none_or(|own| state.pinned(&own.pinned).is_none());
        self.places.iter().enumerate().find_map(|(index, place)| {
            let counts = match place.relation {
                FrameRelation::Own => true,
                FrameRelation::Around => url.is_some() || own_is_gone,
                FrameRelation::OtherTab => url.is_some() || is_closed,
            };
            let frame = state.pinned(&place.pinned).filter(|_| counts)?;
            let mut since = frame.arrivals.iter().filter(|arrival| arrival.number > place.after);
            let arrived = since.find(|arrival| url.is_none_or(|url| urls::fits(&arrival.url, url)))?;
            Some((index, arrived.number))
        })
    }

    /// Why nothing can arrive any more. A tab that closed may pass a navigation to other tabs.
    pub fn wait_error(&self, state: &PageState) -> Option<WaitError> {
        let tab = &state.tabs[self.tab];
        match (tab.ended, &tab.violation) {
            _ if state.is_gone => Some(WaitError::Ended(PageEnd::Gone)),
            (Some(PageEnd::Closed), _) if state.open_tabs().next().is_some() => None,
            (Some(ended), _) => Some(WaitError::Ended(ended)),
            (None, Some(origin)) => Some(WaitError::OriginNotAllowed(origin.clone())),
            (None, None) => None,
        }
    }

    pub fn own<'a>(&self, state: &'a PageState) -> Option<(&'a FrameState, u64)> {
        let own = self.places.first()?;
        Some((state.pinned(&own.pinned)?, own.after))
    }
}
