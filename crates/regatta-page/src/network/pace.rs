//! Limits how fast documents are requested: a site allows a number of them in a minute, for all pages together.
//!
//! A document waits where its request is paused anyway. Deadlines of the step move by the time that it waits.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;

/// Decides when a document may be requested.
pub trait DocumentPace: fmt::Debug + Send + Sync {
    /// Resolves when it is the turn of a document at this address. `None` where nothing limits its origin.
    fn turn(&self, url: &str) -> Option<BoxFuture<'static, ()>>;

    /// How long this pace has held back any document so far.
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
