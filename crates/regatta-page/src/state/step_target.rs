//! Where a step is played: a page or an out-of-process frame by its URL, and a path of frames in it.
//!
//! A flow names a place by its address, and what a step does there may change that address. So the tab or
//! frame itself is held on to from right before the step acts in it.

use crate::state::{FrameView, PageState};
use regatta_core::flow::Step;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepTarget {
    /// URL of another page or frame; `None` is the page itself.
    pub target: Option<String>,
    /// Indexes of child frames, outermost first.
    pub frame: Vec<u32>,
    /// What is meant whatever its address is. `None`: what the address leads to at each look.
    pub held: Option<PinnedTarget>,
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
        Self { target: step.target.clone(), frame: step.frame.clone(), held: None }
    }

    /// The page itself is the same tab at any address.
    pub fn hold(&mut self, held: PinnedTarget) {
        let is_page = self.target.is_none() && self.frame.is_empty() && held == PinnedTarget::Tab(0);
        self.held = (!is_page).then_some(held);
    }

    pub fn release(&mut self) {
        self.held = None;
    }

    /// The id of the frame that is meant now.
    pub fn frame_id<'a>(&self, state: &'a PageState) -> Option<&'a str> {
        state.resolve(self).map(|view| view.frame.id.as_str())
    }
}

impl PinnedTarget {
    pub fn of(view: FrameView<'_>) -> Self {
        match &view.frame.parent {
            None => Self::Tab(view.frame.tab),
            Some(_) => Self::Frame(view.frame.id.clone()),
        }
    }
}
