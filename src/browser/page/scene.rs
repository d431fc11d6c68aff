//! Where a step is played: a page or an out-of-process frame by its URL, and a path of frames in it.

use crate::domain::flow::Step;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scene {
    /// URL of another page or frame; `None` is the page itself.
    pub target: Option<String>,
    /// Indexes of child frames, outermost first.
    pub frame: Vec<u32>,
}

impl Scene {
    pub fn of(step: &Step) -> Self {
        Self { target: step.target.clone(), frame: step.frame.clone() }
    }
}
