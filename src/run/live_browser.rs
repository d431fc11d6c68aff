//! A provider's browser and a page of it, behind the traits of [`super::browser_host`].

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::browser_host::{BrowserHost, FlowPage, OpenedBrowser};
use crate::providers::leftovers;
use crate::providers::{Provider, ProviderError, StartOptions};
use crate::store::Layout;
use crate::store::selector_cache::{self, SelectorCache};
use regatta_core::event::NetworkTotals;
use regatta_core::evidence::{Incident, TraceMode};
use regatta_core::fingerprint::{Fingerprint, Likeness};
use regatta_core::flow::Step;
use regatta_core::id::ProfileId;
use regatta_core::mask::Mask;
use regatta_core::session::Platform;
use regatta_core::workflow::Heal;
use regatta_core::workflow::block::Block;
use regatta_core::workflow::dialog::DialogPolicy;
use regatta_core::workflow::http_auth::Credential;
use regatta_page::{
    ActionError, BrowserConnection, DocumentPace, DownloadedFile, HealingEvent, InputGate, LocatorKey,
    NoMemory, Page, PageError, PageOptions, RememberedLocator, SelectorMemory,
};

pub struct LiveBrowser {
    pub provider: Arc<dyn Provider>,
    pub profile: ProfileId,
    pub start: StartOptions,
    pub allowed_origins: Vec<String>,
    pub block: Block,
    pub trace: TraceMode,
    pub selectors: SelectorStorage,
    /// Where left-overs of a dead run are found.
    pub layout: Layout,
    /// The folder of downloads.
    pub downloads: PathBuf,
    /// Joins the open browser in a new tab, and leaves the browser open.
    pub join: bool,
}

/// Where matched selectors are remembered.
#[derive(Debug, Clone)]
pub enum SelectorStorage {
    /// In the cache of this folder.
    Cached(Layout),
    /// Nowhere.
    Forgotten,
}

/// A browser that another program started and will end. The run opens a page of its own and closes it.
pub struct AttachedBrowser {
    /// `ws://127.0.0.1:9222/devtools/browser/…`
    pub ws: String,
    pub platform: Platform,
    pub allowed_origins: Vec<String>,
    pub block: Block,
    pub selectors: SelectorStorage,
    pub trace: TraceMode,
}

/// A page, and the connection that keeps it alive.
pub struct LivePage {
    page: Page,
    connection: BrowserConnection,
    /// The browser has tabs of a person or of another program.
    is_shared: bool,
}

impl LiveBrowser {
    /// Opens a tab beside those that are open. The download folder stays as it is.
    async fn join(&self) -> Result<OpenedBrowser<LivePage>, ProviderError> {
        let profile = || self.profile.clone();
        let undrivable =
            |error: PageError| ProviderError::Undrivable { profile: profile(), problem: error.to_string() };
        let endpoint = self.provider.active(&self.profile).await?;
        let endpoint = endpoint.ok_or_else(|| ProviderError::NothingToJoin { profile: profile() })?;
        let connection = BrowserConnection::connect(&endpoint.ws).await.map_err(undrivable)?;
        let page = connection.open_new_page(self.page_options(None)).await.map_err(undrivable)?;
        let version = connection.version().await;
        Ok(OpenedBrowser { page: LivePage { page, connection, is_shared: true }, reused: true, version })
    }

    fn page_options(&self, downloads: Option<PathBuf>) -> PageOptions {
        PageOptions {
            allowed_origins: self.allowed_origins.clone(),
            block: self.block.clone(),
            trace: self.trace,
            platform: self.start.platform,
            memory: self.selectors.memory(),
            downloads,
        }
    }
}

impl BrowserHost for LiveBrowser {
    type Page = LivePage;

    fn provider(&self) -> &'static str {
        self.provider.name()
    }

    fn program(&self) -> Option<String> {
        self.provider.program(&self.start).map(|path| path.display().to_string())
    }

    async fn open(&mut self, in_doubt: bool) -> Result<OpenedBrowser<LivePage>, ProviderError> {
        let profile = self.profile.clone();
        let undrivable = |error: PageError| ProviderError::Undrivable {
            profile: profile.clone(),
            problem: error.to_string(),
        };
        // Processes that a dead run left could act beside this run. Its browser is reused instead.
        leftovers::end_strays(&self.layout, &self.profile, false).await?;
        if self.join {
            return self.join().await;
        }
        let endpoint = self.provider.start(&self.profile, &self.start).await?;
        let mut connection = BrowserConnection::connect(&endpoint.ws).await.map_err(undrivable)?;
        if self.provider.owns_browsers() {
            connection = connection.started_by_us();
        }
        // The browser knows no folder of ours.
        let downloads = std::path::absolute(&self.downloads).ok();
        let page = connection.open_page(self.page_options(downloads)).await.map_err(undrivable)?;
        if in_doubt && endpoint.reused {
            connection.close_other_pages(&page).await.map_err(undrivable)?;
        }
        let version = connection.version().await;
        let page = LivePage { page, connection, is_shared: false };
        Ok(OpenedBrowser { page, reused: endpoint.reused, version })
    }

    fn leaves_browser_open(&self) -> bool {
        self.join
    }

    async fn close(&mut self, page: Option<LivePage>) -> Result<(), ProviderError> {
        if self.join {
            if let Some(LivePage { page, .. }) = page {
                page.close_opened_tabs().await;
                page.close().await;
            }
            return Ok(());
        }
        drop(page);
        leftovers::end(&self.layout, self.provider.as_ref(), &self.profile).await
    }
}

impl BrowserHost for AttachedBrowser {
    type Page = LivePage;

    fn provider(&self) -> &'static str {
        "endpoint"
    }

    async fn open(&mut self, _: bool) -> Result<OpenedBrowser<LivePage>, ProviderError> {
        let unreachable =
            |error: PageError| ProviderError::NoEndpoint { url: self.ws.clone(), problem: error.to_string() };
        let connection = BrowserConnection::connect(&self.ws).await.map_err(unreachable)?;
        let options = PageOptions {
            allowed_origins: self.allowed_origins.clone(),
            platform: self.platform,
            memory: self.selectors.memory(),
            block: self.block.clone(),
            trace: self.trace,
            // The owner of the browser decides where its downloads go.
            downloads: None,
        };
        // One that is there already, if only a blank one, is not ours to close.
        let page = connection.open_new_page(options).await.map_err(unreachable)?;
        let version = connection.version().await;
        Ok(OpenedBrowser { page: LivePage { page, connection, is_shared: true }, reused: true, version })
    }

    fn leaves_browser_open(&self) -> bool {
        true
    }

    async fn close(&mut self, page: Option<LivePage>) -> Result<(), ProviderError> {
        if let Some(LivePage { page, .. }) = page {
            page.close().await;
        }
        Ok(())
    }
}

impl FlowPage for LivePage {
    async fn perform(
        &mut self,
        flow: &str,
        step: &Step,
        timeout: Duration,
        gate: &mut dyn InputGate,
    ) -> Result<Option<String>, ActionError> {
        self.page.perform(flow, step, timeout, gate).await
    }

    fn begin_trace(&mut self, title: &str) {
        self.page.begin_trace(title);
    }

    fn set_dialogs(&mut self, policy: &DialogPolicy) {
        self.page.set_dialogs(policy.clone());
    }

    fn set_http_auth(&mut self, credentials: Vec<Credential>) {
        self.page.set_http_auth(credentials);
    }

    fn set_pace(&mut self, pace: Arc<dyn DocumentPace>) {
        self.page.set_pace(pace);
    }

    async fn finish(&mut self) -> Vec<DownloadedFile> {
        self.page.finish().await
    }

    async fn evidence(&mut self, folder: &Path, incident: &Incident, mask: &Mask) -> Vec<PathBuf> {
        self.page.evidence(folder, incident, mask).await
    }

    async fn keep_trace(&mut self, folder: &Path, mask: &Mask) -> Option<PathBuf> {
        self.page.keep_trace(folder, mask).await
    }

    async fn wait_until_idle(&mut self, at_most: Duration) {
        self.page.wait_until_idle(at_most).await;
    }

    async fn isolate(&mut self, at_most: Duration) {
        // A window the attempt opened could act while the site is asked whether it has.
        if self.is_shared {
            self.page.close_opened_tabs().await;
        } else if let Err(error) = self.connection.close_other_pages(&self.page).await {
            tracing::warn!("other pages could not be closed: {error}");
        }
        self.wait_until_idle(at_most).await;
    }

    fn left_allowed_origins(&self) -> Option<ActionError> {
        self.page.left_allowed_origins().or_else(|| self.page.unanswered())
    }

    fn take_network_totals(&mut self) -> NetworkTotals {
        self.page.take_network_totals()
    }

    fn begin_flow(&mut self, heal: Heal) {
        self.page.begin_flow(heal);
    }

    fn hide(&mut self, mask: Mask) {
        self.page.hide(mask);
    }

    fn take_healing_events(&mut self) -> Vec<HealingEvent> {
        self.page.take_healing_events()
    }

    fn keep_healed(&mut self) {
        self.page.keep_healed();
    }
}

impl SelectorStorage {
    /// Without its cache a run is slower, and no worse.
    fn memory(&self) -> Box<dyn SelectorMemory> {
        let Self::Cached(layout) = self else { return Box::new(NoMemory) };
        match SelectorCache::open(layout) {
            Ok(cache) => Box::new(CachedSelectors(cache)),
            Err(error) => {
                tracing::warn!("the selector cache is not used: {error}");
                Box::new(NoMemory)
            }
        }
    }
}

/// The page engine's memory, kept in the folder's selector cache. Written when the page is closed.
struct CachedSelectors(SelectorCache);

impl SelectorMemory for CachedSelectors {
    fn recall(&mut self, key: &LocatorKey) -> RememberedLocator {
        self.0.recall(stored(key)).map_or_else(RememberedLocator::default, |entry| RememberedLocator {
            alternative: entry.alternative,
            element: entry.element,
            healed: entry.healed.map(|healed| healed.likeness.selector),
        })
    }

    fn remember(&mut self, key: &LocatorKey, alternative: usize, element: Option<Fingerprint>) {
        self.0.remember(stored(key), alternative, element, jiff::Timestamp::now());
    }

    fn suggest(&mut self, key: &LocatorKey, likeness: Likeness) {
        self.0.store_suggestion(stored(key), likeness, jiff::Timestamp::now());
        // The error names the command that reads it, and a run may end at any moment after it.
        if let Err(error) = self.0.flush() {
            tracing::warn!("a suggestion is lost: {error}");
        }
    }

    fn keep(&mut self, key: &LocatorKey, likeness: Likeness) {
        self.0.keep(stored(key), likeness, jiff::Timestamp::now());
    }

    fn hide(&mut self, mask: &Mask) {
        self.0.hide(mask);
    }
}

fn stored(key: &LocatorKey) -> selector_cache::CacheKey<'_> {
    selector_cache::CacheKey {
        flow: &key.flow,
        step: &key.step,
        digest: &key.digest,
        origin: &key.origin,
        path: &key.path,
    }
}
