//! A page on this machine that shows the folder as it is now, and what it needs to be served: state,
//! stream, guard, actions. Reads no file of the folder itself: a [`Backend`] does.
//!
//! Each change is serialised once and sent to every page; a page that falls behind gets everything again.

use serde::Serialize;

use regatta_core::event::Event;
use regatta_core::id::ProfileId;
use regatta_core::view::overview::ProfileView;

mod detail;
mod feed;
mod guard;
mod metrics;
mod serve;

pub use self::feed::{DashboardFeed, OrchestratorStatus};
pub use self::guard::RequestGuard;
pub use self::serve::serve;

/// Gives what the page shows beyond the board, and carries its actions out. Calls may block.
pub trait Backend: Send + Sync + 'static {
    /// Reads the files again; returns `None` for an unknown profile.
    fn view(&self, profile: &ProfileId) -> Option<ProfileView>;

    /// The latest events, in the order they were written.
    fn events(&self, profile: &ProfileId, most: usize) -> Vec<Event>;

    /// The last lines of what its runs printed.
    fn log(&self, profile: &ProfileId, lines: usize) -> String;

    /// A file among the profile's artifacts; `None` for what is not there, or lies elsewhere.
    fn artifact(&self, profile: &ProfileId, path: &str) -> Option<Vec<u8>>;

    /// Resident memory of the folder's runs and their browsers, in bytes.
    fn memory(&self) -> u64;

    /// Performs the action and returns it in words.
    fn act(&self, action: ProfileAction, profile: &ProfileId) -> Result<String, ActionRefusal>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileAction {
    /// Start a run of the profile.
    Retry,
    /// Forget that its steps were done.
    Reset,
    /// Ask its run to stop after the step it is in.
    Stop,
}

impl ProfileAction {
    fn parse(name: &str) -> Option<Self> {
        match name {
            "retry" => Some(Self::Retry),
            "reset" => Some(Self::Reset),
            "stop" => Some(Self::Stop),
            _ => None,
        }
    }
}

/// Why nothing was done, and what to do instead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ActionRefusal {
    pub error: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}
