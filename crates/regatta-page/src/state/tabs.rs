//! Decides which of a browser's new tabs belong to the page.
//!
//! A tab that a page opens names its opener. One that the browser opens for a click with Ctrl, Shift or the
//! middle button names none. In a browser that was started for the page every new tab is the page's. In
//! one that was joined, a person or an extension may open tabs, too: there a tab is the page's where one of its
//! frames has requested a tab just before. A tab that another party opens in between takes that one's place.

use serde_json::Value;

use crate::connection::Connection;
use crate::network::block;
use crate::page::Page;
use crate::state::{PageState, text};

impl Page {
    /// Called before input that may open a tab without an opener. The desktop browser requests the first document
    /// of such a tab before the tab can be guarded, so documents are paused in the whole browser from then on. In
    /// a browser that was started for the page they are paused from the start.
    pub(crate) fn guard_new_tabs(&mut self) {
        if !self.guards_browser {
            self.guards_browser = true;
            guard_browser(&self.connection);
        }
    }
}

/// Pauses the documents of all tabs. Queued when this is called.
pub fn guard_browser(connection: &Connection) {
    drop(connection.browser().send(block::documents()));
}

impl PageState {
    /// Whether to follow a tab, by the parameters of its `Target.attachedToTarget`.
    pub fn follows_tab(&mut self, attached: &Value, owns_browser: bool) -> bool {
        let target = &attached["targetInfo"];
        if self.is_ours(text(&target["openerId"])) {
            return true;
        }
        // A tab that is not paused was there before, as the page's own tab was.
        let is_new = attached["waitingForDebugger"] == true && !self.is_ours(text(&target["targetId"]));
        is_new && !is_internal(text(&target["url"])) && (owns_browser || self.expected_tabs.take())
    }
}

/// The browser's own pages, and those of extensions: no site is behind them. Error pages have the tab of the
/// page that failed.
pub fn is_internal(url: &str) -> bool {
    let scheme = url.split_once(':').map(|(scheme, _)| scheme).unwrap_or_default();
    !matches!(scheme, "" | "http" | "https" | "about" | "data" | "blob" | "file" | "chrome-error")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_the_browser_differ_from_those_of_sites() {
        for url in ["chrome://newtab/", "chrome-extension://abc/page.html", "devtools://devtools/x.html"] {
            assert!(is_internal(url), "{url}");
        }
        for url in ["", "about:blank", "http://a.test/", "https://a.test/", "chrome-error://chromewebdata/"] {
            assert!(!is_internal(url), "{url}");
        }
    }
}
