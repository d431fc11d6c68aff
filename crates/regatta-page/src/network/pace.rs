//! Documents that wait for their turn: a site may be asked for only so many in a minute, by all pages together.
//!
//! A document is held where its request is paused anyway. The time that it takes is no time of the step: deadlines
//! move with it.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;

/// Says when a document may be requested.
pub trait DocumentPace: fmt::Debug + Send + Sync {
    /// Resolves when it is the turn of a document at this address. `None` where nothing limits its origin.
    fn turn(&self, url: &str) -> Option<BoxFuture<'static, ()>>;

    /// For how long any document was held back so far, by this pace.
    fn held(&self) -> Duration;
}

/// Documents that have had their turn: one is paused once for its tab and once for the browser. Known by the id
/// of its request and by its address, which redirects change.
#[derive(Debug, Default)]
pub struct AdmittedDocuments(VecDeque<(String, String)>);

impl AdmittedDocuments {
    const KEPT: usize = 64;

    /// Whether the document has yet to have its turn; it has it from here on.
    pub fn is_new(&mut self, request: &str, url: &str) -> bool {
        if self.0.iter().any(|(of, at)| of == request && at == url) {
            return false;
        }
        if self.0.len() == Self::KEPT {
            self.0.pop_front();
        }
        self.0.push_back((request.to_owned(), url.to_owned()));
        true
    }
}
