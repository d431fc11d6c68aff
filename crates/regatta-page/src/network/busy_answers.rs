//! Records the answers by which a site reports that it is busy: see [`regatta_core::site_busy`].

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use regatta_core::site_busy;

/// More are not kept: the oldest are forgotten.
const KEPT: usize = 64;

/// A request that was answered with 429 or 503, and that has not been answered otherwise since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusyAnswer {
    request: String,
    method: String,
    pub url: String,
    pub status: u16,
    pub retry_after: Option<Duration>,
    /// When the request began and when its answer came.
    pub began: Instant,
    pub answered: Instant,
}

#[derive(Debug, Default)]
pub struct BusyAnswers(VecDeque<BusyAnswer>);

/// The request of an answer.
#[derive(Debug, Clone, Copy)]
pub struct RequestIdentity<'a> {
    pub id: &'a str,
    pub method: &'a str,
    pub url: &'a str,
    pub began: Instant,
}

impl BusyAnswers {
    /// Records an answer. A page may repeat a request: any other answer to the same request replaces the busy one.
    pub fn record(&mut self, request: RequestIdentity<'_>, status: u16, retry_after: Option<&str>) {
        let RequestIdentity { id, method, url, began } = request;
        self.0.retain(|known| known.request != id && (known.method != method || known.url != url));
        if !site_busy::is_busy(status) {
            return;
        }
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        let retry_after =
            retry_after.and_then(|value| site_busy::parse_retry_after(value, jiff::Timestamp::now()));
        self.0.push_back(BusyAnswer {
            request: id.to_owned(),
            method: method.to_owned(),
            url: url.to_owned(),
            status,
            retry_after,
            began,
            answered: Instant::now(),
        });
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &BusyAnswer> {
        self.0.iter()
    }

    /// The answer to the request of this id, which is also the loader of the document that it asked for.
    pub fn of_request(&self, id: &str) -> Option<&BusyAnswer> {
        self.0.iter().find(|answer| answer.request == id)
    }
}
