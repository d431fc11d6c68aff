//! Whose a document is, and so whether it may be acted in.
//!
//! A document with an address is its origin's, sandboxed or not. One without (`about:blank`, `srcdoc`, `data:`,
//! `blob:`) is that of the document that asked for it. The browser tells that one's origin, except where the
//! document has an opaque origin: that of a sandbox, and of every `data:`. Then all that might have asked have
//! to be allowed. Only the documents that a frame has held and those around it can send it elsewhere, and a
//! document that is sent there by the browser's history was asked for by one that is no more.

use serde_json::Value;

use super::{ForeignOrigin, FrameState, PageState, text};
use crate::state::urls;

enum DocumentOwner<'a> {
    /// Its address has an origin, or none that could be allowed.
    Address,
    /// It is its creator's, whom its address names: `blob:https://shop.test/…`.
    Named(&'a str),
    /// It is that of whoever asked for it.
    Heir(&'a str),
}

impl DocumentOwner<'_> {
    fn of(url: &str) -> DocumentOwner<'_> {
        let scheme = url.split_inclusive(':').next().unwrap_or_default();
        match scheme {
            "" => DocumentOwner::Heir("about:blank"),
            "about:" => DocumentOwner::Heir(url.split(['?', '#']).next().unwrap_or_default()),
            "data:" => DocumentOwner::Heir(scheme),
            "blob:" if url.starts_with("blob:null/") => DocumentOwner::Heir(scheme),
            "blob:" => DocumentOwner::Named(scheme),
            _ => DocumentOwner::Address,
        }
    }
}

impl ForeignOrigin {
    fn itself(origin: String) -> Self {
        Self { origin: Some(origin), heir: None }
    }

    fn heir(kind: &str, of: Option<&Self>) -> Self {
        Self { origin: of.and_then(|of| of.origin.clone()), heir: Some(kind.to_owned()) }
    }
}

impl PageState {
    /// `origin` is what the document says of itself, `null` where it is opaque; `None` where it was not asked:
    /// the same.
    pub fn foreign_in(
        &self,
        frame: &FrameState,
        origin: Option<&str>,
        allowed: &[String],
    ) -> Option<ForeignOrigin> {
        let told = origin.filter(|origin| !matches!(*origin, "" | "null"));
        let disallowed = told.filter(|origin| !urls::is_allowed(origin, allowed));
        if let Some(origin) = disallowed {
            return Some(ForeignOrigin::itself(origin.to_owned()));
        }
        let url = frame.document.url.as_str();
        let kind = match DocumentOwner::of(url) {
            DocumentOwner::Address | DocumentOwner::Named(_) if !urls::is_allowed(url, allowed) => {
                return Some(ForeignOrigin::itself(urls::origin(url)));
            }
            DocumentOwner::Address => return None,
            DocumentOwner::Named(kind) | DocumentOwner::Heir(kind) => kind,
        };
        if frame.parent.is_none() {
            // Any frame of the tab may have sent it on since.
            return match told {
                Some(_) => None,
                None if frame.arrived <= 1 => {
                    self.tabs[frame.tab].opened_by.as_ref().map(|of| ForeignOrigin::heir(kind, Some(of)))
                }
                None => Some(ForeignOrigin::heir(kind, None)),
            };
        }
        if let Some(before) = &frame.foreign {
            return Some(ForeignOrigin::heir(kind, Some(before)));
        }
        if told.is_some() {
            return None;
        }
        if frame.has_unknown_past || is_restored(frame) && kind != "about:srcdoc" {
            return Some(ForeignOrigin::heir(kind, None));
        }
        let around = self.lineage(frame).skip(1).find_map(|around| self.foreign_in(around, None, allowed));
        around.map(|around| ForeignOrigin::heir(kind, Some(&around)))
    }

    /// To be called when another document has come into a frame: what is foreign once stays in its past.
    pub(crate) fn note_foreign(&mut self, id: &str, allowed: &[String]) {
        let Some(frame) = self.frames.get(id) else { return };
        if frame.document.is_error_page || frame.parent.is_none() {
            return;
        }
        let foreign = match DocumentOwner::of(&frame.document.url) {
            DocumentOwner::Heir(kind @ ("data:" | "blob:")) if is_restored(frame) => {
                Some(ForeignOrigin::heir(kind, None))
            }
            DocumentOwner::Heir(_) => None,
            DocumentOwner::Address | DocumentOwner::Named(_) => self.foreign_in(frame, None, allowed),
        };
        if let Some(frame) = self.frames.get_mut(id)
            && frame.foreign.is_none()
        {
            frame.foreign = foreign;
        }
    }

    /// Whose the first document of a new tab is, by what the browser tells of the tab. One without an opener
    /// that is known may be anybody's.
    pub fn opener_of(&self, target: &Value, allowed: &[String]) -> Option<ForeignOrigin> {
        match self.frames.get(text(&target["openerFrameId"])) {
            Some(opener) => self.lineage(opener).find_map(|frame| self.foreign_in(frame, None, allowed)),
            None => Some(ForeignOrigin { origin: None, heir: None }),
        }
    }
}

fn is_restored(frame: &FrameState) -> bool {
    frame.restored.as_ref() == Some(&frame.document.loader)
}
