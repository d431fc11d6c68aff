//! The requests that the last navigation or input of a flow has triggered, by the time they began.

use tokio::time::Instant;

/// The requests that a flow has set off, by the time they began, and which of them a later wait has confirmed.
#[derive(Debug, Default)]
pub struct TriggeredRequests {
    /// When the navigation or the first input since the last pause began.
    pub since: Option<Instant>,
    /// When a wait, a capture or an asserted navigation was satisfied last.
    pub confirmed: Option<Instant>,
    /// Statuses that the flow expects of it.
    pub allowed: Vec<u16>,
}

impl TriggeredRequests {
    /// Starts with a navigation, or with input where nothing before it is still waited for.
    pub fn track(&mut self) {
        *self = Self { since: Some(Instant::now()), ..Self::default() };
    }

    /// Busy answers up to now do not matter: what followed them was satisfied.
    pub fn confirm(&mut self) {
        self.confirmed = Some(Instant::now());
    }

    /// A step that allows these statuses acts.
    pub fn allow(&mut self, statuses: &[u16]) {
        self.allowed.extend_from_slice(statuses);
    }
}
