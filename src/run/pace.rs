//! Keeps to the `[[pace]]` of a workflow: all processes of the folder together ask a site for no more documents a
//! minute than it says.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, timeout_at};

use crate::store::Layout;
use crate::store::pacer::{CallPriority, Pacer};
use regatta_core::origin::origin_of;
use regatta_core::workflow::pace::PaceLimit;
use regatta_page::DocumentPace;

/// A shorter wait is reported only when it is over.
const REPORTED_AFTER: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaceNews {
    /// A document waits for its turn at this origin, for [`REPORTED_AFTER`] by now. `Waited` follows.
    Waits {
        origin: String,
    },
    Waited {
        origin: String,
        waited: Duration,
    },
}

/// Holds a run to the pace, and reports its waits.
#[derive(Debug, Default)]
pub struct Pacing {
    pub(super) pace: Option<Arc<SitePace>>,
    pub(super) news: Option<UnboundedReceiver<PaceNews>>,
}

impl Pacing {
    /// Without limits nothing is held back.
    pub fn new(layout: &Layout, limits: &[PaceLimit]) -> Self {
        if limits.is_empty() {
            return Self::default();
        }
        let (sender, news) = unbounded_channel();
        let limits = limits.iter().map(|limit| OriginLimit {
            origin: limit.origin.clone(),
            pacer: Pacer::new(layout, &name(&limit.origin), limit.interval()),
        });
        let pace = SitePace { limits: limits.collect(), held: Arc::default(), news: sender };
        Self { pace: Some(Arc::new(pace)), news: Some(news) }
    }

    /// For how long documents were held back so far.
    pub(super) fn held(&self) -> Duration {
        self.pace.as_ref().map_or(Duration::ZERO, |pace| pace.held())
    }
}

/// The next piece of news; never returns where nothing is limited.
pub(super) async fn next(news: &mut Option<UnboundedReceiver<PaceNews>>) -> PaceNews {
    if let Some(receiver) = news
        && let Some(next) = receiver.recv().await
    {
        return next;
    }
    std::future::pending().await
}

#[derive(Debug)]
pub struct SitePace {
    limits: Vec<OriginLimit>,
    held: Arc<Mutex<HeldTime>>,
    news: UnboundedSender<PaceNews>,
}

#[derive(Debug)]
struct OriginLimit {
    origin: String,
    pacer: Pacer,
}

/// The time in which at least one document was held back.
#[derive(Debug, Default)]
struct HeldTime {
    before: Duration,
    documents: usize,
    since: Option<Instant>,
}

/// One document is held back until this is dropped.
struct HeldDocument(Arc<Mutex<HeldTime>>);

impl HeldDocument {
    fn begin(held: &Arc<Mutex<HeldTime>>) -> Self {
        let mut state = held.lock().unwrap_or_else(PoisonError::into_inner);
        state.documents += 1;
        state.since.get_or_insert_with(Instant::now);
        Self(Arc::clone(held))
    }
}

impl Drop for HeldDocument {
    fn drop(&mut self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.documents -= 1;
        if state.documents == 0
            && let Some(since) = state.since.take()
        {
            state.before += since.elapsed();
        }
    }
}

impl DocumentPace for SitePace {
    fn turn(&self, url: &str) -> Option<BoxFuture<'static, ()>> {
        let origin = origin_of(url)?;
        let limit = self.limits.iter().find(|limit| limit.origin == origin)?;
        let (pacer, news) = (limit.pacer.clone(), self.news.clone());
        let holding = HeldDocument::begin(&self.held);
        Some(
            async move {
                let began = Instant::now();
                let mut turn = std::pin::pin!(pass(&pacer));
                if timeout_at(began + REPORTED_AFTER, &mut turn).await.is_err() {
                    news.send(PaceNews::Waits { origin: origin.clone() }).ok();
                    turn.await;
                    news.send(PaceNews::Waited { origin, waited: began.elapsed() }).ok();
                }
                drop(holding);
            }
            .boxed(),
        )
    }

    fn held(&self) -> Duration {
        let state = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        state.before + state.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

/// Waits for a turn. Where the pacer's file cannot be used the document goes on: the site is asked too often
/// rather than never.
async fn pass(pacer: &Pacer) {
    if let Err(error) = pacer.turn(CallPriority::Normal).await {
        tracing::warn!(%error, "the pace of the site is not kept");
    }
}

/// A name for the files of an origin's pacer that every file system takes. Case and marks may be lost in it, so a
/// digest goes with it.
fn name(origin: &str) -> String {
    let digest = Sha256::digest(origin.as_bytes());
    let host: String =
        origin.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(48).collect();
    format!("site-{host}-{:02x}{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2], digest[3])
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "http://127.0.0.1:8800";

    #[tokio::test]
    async fn documents_of_a_limited_origin_take_turns_and_others_go_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        layout.create_folders().unwrap();
        let limits = [PaceLimit { origin: ORIGIN.to_owned(), per_minute: 300 }];
        let pacing = Pacing::new(&layout, &limits);
        let pace = pacing.pace.clone().unwrap();
        assert!(pace.turn("http://localhost:8800/").is_none());
        assert!(pace.turn("about:blank").is_none());
        let began = Instant::now();
        let turns = ["/", "/a?b", "/c"].map(|path| pace.turn(&format!("{ORIGIN}{path}")).unwrap());
        futures::future::join_all(turns).await;
        // Three documents, 200 ms apart: none came too early.
        assert!(began.elapsed() >= Duration::from_millis(400));
        let held = pacing.held();
        assert!(held >= Duration::from_millis(400) && held <= began.elapsed());
    }

    #[test]
    fn two_origins_never_share_the_files_of_a_pacer() {
        let names = ["http://a.test", "https://a.test", "http://a.test:80", "http://a-test"].map(name);
        for (index, one) in names.iter().enumerate() {
            assert!(one.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{one}");
            assert!(!names[..index].contains(one), "{one}");
        }
    }
}
