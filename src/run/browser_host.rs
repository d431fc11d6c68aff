//! The outside world of a run, as traits: a test replaces it, and cuts it off at any await.

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

/// Gives a run its browser, and takes it back.
#[expect(async_fn_in_trait, reason = "a run lives on one thread; no bound on the futures is needed")]
pub trait BrowserHost {
    type Page: FlowPage;

    fn provider(&self) -> &'static str;

    /// The browser's program that [`BrowserHost::open`] would start, where it is known before.
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

/// Where steps are played.
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

    /// How the page's dialogs are answered from now on.
    fn set_dialogs(&mut self, policy: &DialogPolicy);

    /// How servers that ask for a user and a password by HTTP are answered from now on; others are told that
    /// nobody signs in.
    fn set_http_auth(&mut self, _credentials: Vec<Credential>) {}

    /// How fast documents may be requested from now on.
    fn set_pace(&mut self, _pace: Arc<dyn DocumentPace>) {}

    /// To be called when a flow has reached its end: returns when what it set off has arrived and been
    /// downloaded. The files it downloaded.
    async fn finish(&mut self) -> Vec<DownloadedFile>;

    /// What follows is an attempt of its own to whoever traces it.
    fn begin_trace(&mut self, title: &str);

    /// What can be had of the page and of what led to `incident`, into `folder`.
    async fn evidence(&mut self, folder: &Path, incident: &Incident, mask: &Mask) -> Vec<PathBuf>;

    /// The trace of an attempt that went well into `folder`, where such are kept.
    async fn keep_trace(&mut self, folder: &Path, mask: &Mask) -> Option<PathBuf>;

    /// Closes every other page of the browser, and returns when everything this one might still send
    /// is answered, or after `at_most`.
    async fn wait_until_idle(&mut self, at_most: Duration);

    /// The same for this page alone: other pages stay.
    async fn hear_out(&mut self, at_most: Duration);

    /// Where the page stands outside the allowed origins, though no action failed over it: a server may
    /// redirect after the last click. Also a submission that the last flow ended without an answer to.
    fn left_allowed_origins(&self) -> Option<ActionError>;

    /// Since the last call.
    fn take_network_totals(&mut self) -> NetworkTotals;

    /// A flow begins: what to do where its selectors match nothing any more.
    fn begin_flow(&mut self, _heal: Heal) {}

    /// Nothing of this is remembered of a page. A page without a memory has nothing to do here and
    /// below.
    fn hide(&mut self, _mask: Mask) {}

    /// Elements that were found by likeness since the last call.
    fn take_healing_events(&mut self) -> Vec<HealingEvent> {
        Vec::new()
    }

    /// The step whose flow was begun last has reached its end: what was found for it by likeness, and
    /// acted on, is remembered.
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
