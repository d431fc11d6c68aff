//! Decides which origin a document belongs to, and so whether a step may act in it.
//!
//! A document with an address belongs to its origin, sandboxed or not. A document without one (`about:blank`,
//! `srcdoc`, `data:`, `blob:`) belongs to the document that requested it. The browser reports that origin, except
//! where it is opaque: in a sandbox, and for every `data:`. Then all documents that might have requested it have
//! to be allowed. Only the documents that a frame has held and those around it can send it elsewhere, and a
//! document that is sent there by the browser's history was asked for by one that is no more.

use serde_json::Value;

use super::{ForeignOrigin, FrameState, PageState, text};
use crate::state::urls;

enum DocumentOwner<'a> {
    /// Its address has an origin, or one that no list can allow.
    Address,
    /// It belongs to its creator, which its address names: `blob:https://shop.test/…`.
    Named(&'a str),
    /// It belongs to the document that requested it.
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
    /// Why a frame's document is foreign, or `None`. `origin` is the document's own report, `null` where it is
    /// opaque, and `None` where it was not asked.
    pub fn foreign_in(
        &self,
        frame: &FrameState,
        origin: Option<&str>,
        allowed: &[String],
    ) -> Option<ForeignOrigin> {
        let stated = origin.filter(|origin| !matches!(*origin, "" | "null"));
        let disallowed = stated.filter(|origin| !urls::is_allowed(origin, allowed));
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
            // Any frame of the tab may have navigated it since.
            return match stated {
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
        if stated.is_some() {
            return None;
        }
        if frame.has_unknown_past || is_restored(frame) && kind != "about:srcdoc" {
            return Some(ForeignOrigin::heir(kind, None));
        }
        let around = self.lineage(frame).skip(1).find_map(|around| self.foreign_in(around, None, allowed));
        around.map(|around| ForeignOrigin::heir(kind, Some(&around)))
    }

    /// Called when a frame has another document: a foreign document stays in the frame's past.
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

    /// The foreign origin that the first document of a new tab may belong to. A tab without a known opener may
    /// belong to any origin.
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
