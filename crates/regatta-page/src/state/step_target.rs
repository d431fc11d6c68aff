//! Where a step acts: a page or an out-of-process frame by its URL, and a path of frames in it.
//!
//! A flow names a place by its address, and a step may change that address. So the tab or frame itself is pinned
//! right before the step acts in it.

use regatta_core::flow::Step;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepTarget {
    /// URL of another page or frame; `None` is the page itself.
    pub target: Option<String>,
    /// Indexes of child frames, outermost first.
    pub frame: Vec<u32>,
    /// The tab or frame that is meant at any address. `None`: the address is resolved anew each time.
    pub pinned: Option<PinnedTarget>,
}

/// A tab or frame by what stays the same while it navigates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinnedTarget {
    /// The main frame of a tab, by its place in [`PageState::tabs`].
    Tab(usize),
    /// A frame inside a tab, by its id.
    Frame(String),
}

impl StepTarget {
    pub fn of(step: &Step) -> Self {
        Self { target: step.target.clone(), frame: step.frame.clone(), pinned: None }
    }

    /// The page itself is the same tab at any address.
    pub fn pin(&mut self, pinned: PinnedTarget) {
        let is_page = self.target.is_none() && self.frame.is_empty() && pinned == PinnedTarget::Tab(0);
        self.pinned = (!is_page).then_some(pinned);
    }

    pub fn unpin(&mut self) {
        self.pinned = None;
    }
}
