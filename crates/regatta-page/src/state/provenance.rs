//! Whose a document is, and so whether it may be acted in.
//!
//! A document with an address is its origin's, sandboxed or not. One without (`about:blank`, `srcdoc`, `data:`,
//! `blob:`) is that of the document that asked for it. The browser tells that one's origin, except where the
//! document has an opaque origin: that of a sandbox, and of every `data:`. Then all that might have asked have
//! to be allowed. Only the documents that a frame has held and those around it can send it elsewhere, and a
//! document that is sent there by the browser's history was asked for by one that is no more.

use serde_json::Value;

use super::{Frame, State, text};
use crate::state::urls;

/// Why a document is not of an allowed origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// The origin that is not allowed. `None` where it is not known who asked for the document.
    pub origin: Option<String>,
    /// The document itself has no address of its own: `data:`.
    pub heir: Option<String>,
}

enum Kind<'a> {
    /// Its address has an origin, or none that could be allowed.
    Address,
    /// It is its creator's, whom its address names: `blob:https://shop.test/…`.
    Named(&'a str),
    /// It is that of whoever asked for it.
    Heir(&'a str),
}

impl Kind<'_> {
    fn of(url: &str) -> Kind<'_> {
        let scheme = url.split_inclusive(':').next().unwrap_or_default();
        match scheme {
            "" => Kind::Heir("about:blank"),
            "about:" => Kind::Heir(url.split(['?', '#']).next().unwrap_or_default()),
            "data:" => Kind::Heir(scheme),
            "blob:" if url.starts_with("blob:null/") => Kind::Heir(scheme),
            "blob:" => Kind::Named(scheme),
            _ => Kind::Address,
        }
    }
}

impl Foreign {
    fn itself(origin: String) -> Self {
        Self { origin: Some(origin), heir: None }
    }

    fn heir(kind: &str, of: Option<&Self>) -> Self {
        Self { origin: of.and_then(|of| of.origin.clone()), heir: Some(kind.to_owned()) }
    }
}

impl State {
    /// `origin` is what the document says of itself, `null` where it is opaque; `None` where it was not asked:
    /// the same.
    pub fn foreign_in(&self, frame: &Frame, origin: Option<&str>, allowed: &[String]) -> Option<Foreign> {
        let told = origin.filter(|origin| !matches!(*origin, "" | "null"));
        let disallowed = told.filter(|origin| !urls::is_allowed(origin, allowed));
        if let Some(origin) = disallowed {
            return Some(Foreign::itself(origin.to_owned()));
        }
        let url = frame.document.url.as_str();
        let kind = match Kind::of(url) {
            Kind::Address | Kind::Named(_) if !urls::is_allowed(url, allowed) => {
                return Some(Foreign::itself(urls::origin(url)));
            }
            Kind::Address => return None,
            Kind::Named(kind) | Kind::Heir(kind) => kind,
        };
        if frame.parent.is_none() {
            // Any frame of the tab may have sent it on since.
            return match told {
                Some(_) => None,
                None if frame.arrived <= 1 => {
                    self.tabs[frame.tab].opened_by.as_ref().map(|of| Foreign::heir(kind, Some(of)))
                }
                None => Some(Foreign::heir(kind, None)),
            };
        }
        if let Some(before) = &frame.foreign {
            return Some(Foreign::heir(kind, Some(before)));
        }
        if told.is_some() {
            return None;
        }
        if frame.has_unknown_past || is_restored(frame) && kind != "about:srcdoc" {
            return Some(Foreign::heir(kind, None));
        }
        let around = self.lineage(frame).skip(1).find_map(|around| self.foreign_in(around, None, allowed));
        around.map(|around| Foreign::heir(kind, Some(&around)))
    }

    /// To be called when another document has come into a frame: what is foreign once stays in its past.
    pub(crate) fn note_foreign(&mut self, id: &str, allowed: &[String]) {
        let Some(frame) = self.frames.get(id) else { return };
        if frame.document.is_error_page || frame.parent.is_none() {
            return;
        }
        let foreign = match Kind::of(&frame.document.url) {
            Kind::Heir(kind @ ("data:" | "blob:")) if is_restored(frame) => Some(Foreign::heir(kind, None)),
            Kind::Heir(_) => None,
            Kind::Address | Kind::Named(_) => self.foreign_in(frame, None, allowed),
        };
        if let Some(frame) = self.frames.get_mut(id)
            && frame.foreign.is_none()
        {
            frame.foreign = foreign;
        }
    }

    /// Whose the first document of a new tab is, by what the browser tells of the tab. One without an opener
    /// that is known may be anybody's.
    pub fn opener_of(&self, target: &Value, allowed: &[String]) -> Option<Foreign> {
        match self.frames.get(text(&target["openerFrameId"])) {
            Some(opener) => self.lineage(opener).find_map(|frame| self.foreign_in(frame, None, allowed)),
            None => Some(Foreign { origin: None, heir: None }),
        }
    }
}

fn is_restored(frame: &Frame) -> bool {
    frame.restored.as_ref() == Some(&frame.document.loader)
}
