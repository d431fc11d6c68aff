//! Which of a browser's new tabs are the page's.
//!
//! A tab that a page opens names its opener. One that the browser opens for a click with Ctrl, Shift or the
//! middle button names none. In a browser that Regatta has started every new tab is the page's. In one that
//! it has joined, a person or an extension may open tabs, too: there a tab is the page's where one of its
//! frames has asked for a tab just before. A tab that a stranger opens in between takes that one's place.

use serde_json::Value;

use crate::connection::Connection;
use crate::network::block;
use crate::page::Page;
use crate::state::{PageState, text};

impl Page {
    /// To be called before input that may open a tab without an opener. The desktop browser asks for the
    /// first document of such a tab before anybody can guard the tab, so documents are paused in the whole
    /// browser from then on. In a browser of our own they are from the start.
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
    /// Whether a tab that the browser tells of, by the parameters of `Target.attachedToTarget`, is to be
    /// followed.
    pub fn follows_tab(&mut self, attached: &Value, owns_browser: bool) -> bool {
        let target = &attached["targetInfo"];
        if self.is_ours(text(&target["openerId"])) {
            return true;
        }
        // What is not held back was there before, as the page's own tab was.
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
    fn pages_of_the_browser_are_told_from_those_of_sites() {
        for url in ["chrome://newtab/", "chrome-extension://abc/page.html", "devtools://devtools/x.html"] {
            assert!(is_internal(url), "{url}");
        }
        for url in ["", "about:blank", "http://a.test/", "https://a.test/", "chrome-error://chromewebdata/"] {
            assert!(!is_internal(url), "{url}");
        }
    }
}
