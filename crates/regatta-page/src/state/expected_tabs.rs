//! New tabs that the page's frames have requested and that have not opened yet.

use std::time::Duration;

use tokio::time::Instant;

/// A tab that a frame has asked for begins within this time.
const EXPECTED: Duration = Duration::from_secs(5);

/// Tabs that frames have asked the browser for and that have not begun.
#[derive(Debug, Default)]
pub struct ExpectedTabs(Vec<Instant>);

impl ExpectedTabs {
    /// A frame asks for a navigation, in a tab that `disposition` says.
    pub fn note(&mut self, disposition: &str) {
        if matches!(disposition, "newTab" | "newWindow") {
            self.0.push(Instant::now());
        }
    }

    pub fn take(&mut self) -> bool {
        self.0.retain(|asked| asked.elapsed() < EXPECTED);
        let is_one = !self.0.is_empty();
        self.0.drain(..usize::from(is_one));
        is_one
    }
}
