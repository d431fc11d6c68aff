//! The browser and the page of a run, as traits: a test replaces them, and interrupts them at any await.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use crate::providers::{ProviderError, ProviderNews};
use regatta_core::event::NetworkTotals;
use regatta_core::evidence::Incident;
use regatta_core::flow::Step;
use regatta_core::mask::Mask;
use regatta_core::workflow::Heal;
use regatta_core::workflow::dialog::DialogPolicy;
use regatta_core::workflow::http_auth::Credential;
use regatta_page::{ActionError, DocumentPace, DownloadedFile, HealingEvent, InputGate};

/// Opens the browser of a run, and closes it.
#[expect(async_fn_in_trait, reason = "a run lives on one thread; no bound on the futures is needed")]
pub trait BrowserHost {
    type Page: FlowPage;

    fn provider(&self) -> &'static str;

    /// Returns the program that [`BrowserHost::open`] would start, where it is known before.
    fn program(&self) -> Option<String> {
        None
    }

    /// `in_doubt`: a step may still be under way in a page that is already open; such pages are
    /// closed, so that nothing acts any more once the doubt is examined.
    async fn open(&mut self, in_doubt: bool) -> Result<OpenedBrowser<Self::Page>, ProviderError>;

    /// Whether [`BrowserHost::close`] closes pages of this run alone, because the browser belongs to a person or
    /// another program.
    fn leaves_browser_open(&self) -> bool {
        false
    }

    /// A closed browser is closed again without an error.
    async fn close(&mut self, page: Option<Self::Page>) -> Result<(), ProviderError>;
}

pub struct OpenedBrowser<P> {
    pub page: P,
    /// A browser that already ran was taken over.
    pub reused: bool,
    /// Name and version, as the browser says them.
    pub version: Option<String>,
}

/// A page that steps are played on.
#[expect(async_fn_in_trait, reason = "a run lives on one thread; no bound on the futures is needed")]
pub trait FlowPage {
    /// Plays one rendered step of `flow`. The gate is asked right before the first input is sent,
    /// never earlier. Gives the text a `regatta.capture` read; of a `regatta.when`, a text where its
    /// condition holds and none where it does not.
    async fn perform(
        &mut self,
        flow: &str,
        step: &Step,
        timeout: Duration,
        gate: &mut dyn InputGate,
    ) -> Result<Option<String>, ActionError>;

    /// Sets how the page's dialogs are answered.
    fn set_dialogs(&mut self, policy: &DialogPolicy);

    /// Sets the credentials for servers that ask by HTTP; without them the sign-in is cancelled.
    fn set_http_auth(&mut self, _credentials: Vec<Credential>) {}

    /// Sets how fast documents may be requested.
    fn set_pace(&mut self, _pace: Arc<dyn DocumentPace>) {}

    /// Waits, at the end of a flow, until its requests are answered and its downloads complete. Returns the
    /// downloaded files.
    async fn finish(&mut self) -> Vec<DownloadedFile>;

    /// Begins the trace of an attempt.
    fn begin_trace(&mut self, title: &str);

    /// Writes evidence of the page and of the events before `incident` into `folder`, and returns its files.
    async fn evidence(&mut self, folder: &Path, incident: &Incident, mask: &Mask) -> Vec<PathBuf>;

    /// Writes the trace of a successful attempt into `folder`, where such traces are kept.
    async fn keep_trace(&mut self, folder: &Path, mask: &Mask) -> Option<PathBuf>;

    /// Closes every other page of the browser, and waits until this one is idle or `at_most` has passed.
    async fn isolate(&mut self, at_most: Duration);

    /// Waits until every request of this page is answered or `at_most` has passed. Other pages stay.
    async fn wait_until_idle(&mut self, at_most: Duration);

    /// Returns an error where the page is outside the allowed origins although no action failed: a server may
    /// redirect after the last click. Also where a submission of the last flow has no answer.
    fn left_allowed_origins(&self) -> Option<ActionError>;

    /// Returns the totals since the last call.
    fn take_network_totals(&mut self) -> NetworkTotals;

    /// Begins a flow, and sets what to do where its selectors no longer match.
    fn begin_flow(&mut self, _heal: Heal) {}

    /// Keeps these values out of the selector memory. A page without a memory does nothing here and below.
    fn hide(&mut self, _mask: Mask) {}

    /// Returns the elements that were found by likeness since the last call.
    fn take_healing_events(&mut self) -> Vec<HealingEvent> {
        Vec::new()
    }

    /// Remembers the elements that the last flow found by likeness and acted on. Called when its step has
    /// succeeded.
    fn keep_healed(&mut self) {}
}

/// Awaits `opening`, and emits the news of the provider meanwhile: the last before the result.
pub(super) async fn with_news<T>(
    opening: impl Future<Output = T>,
    news: &mut UnboundedReceiver<ProviderNews>,
    mut emit: impl FnMut(ProviderNews),
) -> T {
    let mut opening = std::pin::pin!(opening);
    let opened = loop {
        tokio::select! {
            Some(next) = news.recv() => emit(next),
            opened = &mut opening => break opened,
        }
    };
    while let Ok(next) = news.try_recv() {
        emit(next);
    }
    opened
}
