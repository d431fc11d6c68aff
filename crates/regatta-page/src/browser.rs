//! The connection to a browser, and the pages that are opened in it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::browser::{
    CloseParams, GetVersionParams, SetDownloadBehaviorBehavior, SetDownloadBehaviorParams,
};
use chromiumoxide::cdp::browser_protocol::page::GetFrameTreeParams;
use chromiumoxide::cdp::browser_protocol::system_info::GetProcessInfoParams;
use chromiumoxide::cdp::browser_protocol::target::{CloseTargetParams, CreateTargetParams, GetTargetsParams};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::{mpsc, watch as channel};
use tokio::task::JoinHandle;

use crate::connection::{CdpError, Connection};
use crate::error::PageError;
use crate::evidence::trace::recorder::TraceRecorder;
use crate::healing::memory::{NoMemory, SelectorMemory};
use crate::healing::state::HealingState;
use crate::input::emulate;
use crate::network::triggered_requests::TriggeredRequests;
use crate::page::{self, Page};
use crate::state::step_target::StepTarget;
use crate::state::watch::{self, PageWatcher};
use crate::state::{FrameTree, PageState, TabSettings, tabs};
use regatta_core::evidence::TraceMode;
use regatta_core::session::Platform;
use regatta_core::workflow::block::Block;

pub struct PageOptions {
    /// `http://127.0.0.1:8800`. The main frame navigates to no other origin, and no input goes to one.
    pub allowed_origins: Vec<String>,
    pub block: Block,
    pub trace: TraceMode,
    pub platform: Platform,
    pub memory: Box<dyn SelectorMemory>,
    /// The folder for downloads. `None` leaves the browser's own behaviour.
    pub downloads: Option<PathBuf>,
}

impl PageOptions {
    /// A desktop page without blocking, memory, trace and downloads.
    pub fn new<O: Into<String>>(allowed_origins: impl IntoIterator<Item = O>) -> Self {
        Self {
            allowed_origins: allowed_origins.into_iter().map(Into::into).collect(),
            block: Block::default(),
            trace: TraceMode::Off,
            platform: Platform::Desktop,
            memory: Box::new(NoMemory),
            downloads: None,
        }
    }
}

/// The connection to one browser. Cheap to clone.
#[derive(Debug, Clone)]
pub struct BrowserConnection {
    pub(crate) connection: Connection,
    pub(crate) is_ours: bool,
}

impl BrowserConnection {
    /// Connects to a browser at its DevTools address: `ws://127.0.0.1:9222/devtools/browser/…`.
    pub async fn connect(ws: &str) -> Result<Self, PageError> {
        Ok(Self { connection: Connection::connect(ws).await?, is_ours: false })
    }

    /// The browser was started for this page alone: every tab that opens in it belongs to the page.
    #[must_use]
    pub fn started_by_us(self) -> Self {
        Self { is_ours: true, ..self }
    }

    /// Opens the page in a new tab, or in the only tab where that is blank. A connection has one page: it attaches
    /// to every tab of the browser, and detaches from those that are not its own.
    pub async fn open_page(&self, options: PageOptions) -> Result<Page, PageError> {
        let pages = self.pages().await?;
        if let [only] = pages.as_slice()
            && only.url == "about:blank"
            && self.answers(&only.target_id).await
        {
            return Ok(Page::attach(self, only.target_id.clone(), options).await?);
        }
        self.open_new_page(options).await
    }

    /// Opens the page in a new tab.
    pub async fn open_new_page(&self, options: PageOptions) -> Result<Page, PageError> {
        let target = new_tab(&self.connection).await?;
        Ok(Page::attach(self, target, options).await?)
    }

    /// Closes the tabs and windows that sites and earlier runs left open.
    pub async fn close_other_pages(&self, keep: &Page) -> Result<(), PageError> {
        let browser = self.connection.browser();
        for page in self.pages().await?.into_iter().filter(|page| page.target_id != keep.target) {
            match browser.send(CloseTargetParams::new(page.target_id)).await {
                // It has closed in between.
                Ok(_) | Err(CdpError::Refused { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Asks the browser to close in order, which writes its profile to disk. Returns when the connection has ended,
    /// or an error after `at_most`.
    pub async fn close_browser(&self, at_most: Duration) -> Result<(), PageError> {
        let gone = self.connection.gone();
        // The answer may be lost when the connection ends.
        drop(self.connection.browser().send(CloseParams::default()));
        tokio::time::timeout(at_most, gone).await.map_err(|_| PageError::StillOpen)
    }

    pub fn is_gone(&self) -> bool {
        self.connection.is_gone()
    }

    /// The browser's own name and version: `HeadlessChrome/156.0.8078.108`. `None` where it gives none.
    pub async fn version(&self) -> Option<String> {
        let answer: Value = self.connection.browser().send_as(GetVersionParams::default()).await.ok()?;
        answer["product"].as_str().map(str::to_owned)
    }

    /// The browser's process id; `None` where it gives none.
    pub async fn process_id(&self) -> Option<u32> {
        let answer: Value = self.connection.browser().send_as(GetProcessInfoParams::default()).await.ok()?;
        let processes = answer["processInfo"].as_array()?;
        let browser = processes.iter().find(|process| process["type"] == "browser")?;
        browser["id"].as_u64()?.try_into().ok()
    }

    /// Whether a tab answers. One that an earlier run left crashed does not.
    pub(crate) async fn answers(&self, target: &str) -> bool {
        let asked = async {
            let (unread, _) = mpsc::unbounded_channel();
            let session = self.connection.attach(target, &unread).await?;
            session.send_as::<_, Value>(GetFrameTreeParams::default()).await
        };
        tokio::time::timeout(Duration::from_secs(2), asked).await.is_ok_and(|answer| answer.is_ok())
    }

    pub(crate) async fn pages(&self) -> Result<Vec<TargetInfo>, CdpError> {
        let targets: Targets = self.connection.browser().send_as(GetTargetsParams::default()).await?;
        Ok(targets.target_infos.into_iter().filter(|target| target.kind == "page").collect())
    }
}

impl Page {
    pub(crate) async fn attach(
        browser: &BrowserConnection,
        target: String,
        options: PageOptions,
    ) -> Result<Self, CdpError> {
        let PageOptions { allowed_origins: allowed, block, trace, platform, memory, downloads } = options;
        let viewport = (platform == Platform::Mobile).then_some(emulate::PHONE);
        let settings = TabSettings { viewport, block, ..TabSettings::default() };
        let (state, watcher) = follow(browser, &target, settings, &allowed, downloads.as_deref()).await?;
        Ok(Self {
            connection: browser.connection.clone(),
            owns_browser: browser.is_ours,
            guards_browser: browser.is_ours,
            target,
            state,
            watcher,
            allowed,
            downloads,
            memory,
            healing: HealingState::default(),
            trace: TraceRecorder::new(trace),
            step_target: StepTarget::default(),
            owners: Vec::new(),
            pressed: Vec::new(),
            extends_selection: false,
            tasks_pending: false,
            pending_input: None,
            triggered: TriggeredRequests::default(),
            unanswered: None,
            is_covered: false,
            allowed_statuses: Vec::new(),
            allowed_error: None,
        })
    }

    /// Continues in a new tab, after a flow closed the page or a dialog of the browser covers it.
    pub(crate) async fn reopen(&mut self) -> Result<(), CdpError> {
        page::release_browser(&self.connection.browser());
        self.watcher.abort();
        let settings = self.state.borrow().settings.clone();
        let before = std::mem::replace(&mut self.target, new_tab(&self.connection).await?);
        if std::mem::take(&mut self.is_covered) {
            drop(self.connection.browser().send(CloseTargetParams::new(before)));
        }
        let browser = BrowserConnection { connection: self.connection.clone(), is_ours: self.owns_browser };
        let followed =
            follow(&browser, &self.target, settings, &self.allowed, self.downloads.as_deref()).await?;
        (self.state, self.watcher) = followed;
        self.guards_browser = self.owns_browser;
        self.owners.clear();
        self.pressed.clear();
        self.extends_selection = false;
        self.tasks_pending = false;
        self.pending_input = None;
        Ok(())
    }
}

/// Attaches to a tab and follows it and the tabs that it opens.
pub(crate) async fn follow(
    browser: &BrowserConnection,
    target: &str,
    mut settings: TabSettings,
    allowed: &[String],
    downloads: Option<&Path>,
) -> Result<(channel::Sender<PageState>, JoinHandle<()>), CdpError> {
    let BrowserConnection { connection, is_ours } = browser;
    let (events, received) = mpsc::unbounded_channel();
    let version = connection.browser().send_as::<_, Value>(GetVersionParams::default());
    let session = connection.attach(target, &events).await?;
    // The headless shell has no dialogs of its own; the full browser without a window has them.
    let product = version.await?["product"].as_str().unwrap_or_default().to_owned();
    settings.asks = !product.starts_with("HeadlessChrome");
    let tree: Value = session.send_as(GetFrameTreeParams::default()).await?;
    let tree = FrameTree(&tree["frameTree"]);
    let mut state = PageState::new(session.clone(), tree.id().to_owned(), settings.clone());
    state.adopt_tree(&session, &tree, true, allowed);
    let (state, _) = channel::channel(state);
    connection.listen(&events)?;
    let watcher = PageWatcher {
        connection: connection.clone(),
        events,
        state: state.clone(),
        allowed: allowed.to_vec(),
        owns_browser: *is_ours,
    };
    let watcher = tokio::spawn(watcher.watch(received));
    let own = connection.browser();
    if *is_ours {
        tabs::guard_browser(connection);
    }
    let equipped = watch::equip_tab(&session, &settings);
    let attaching = own.send(watch::auto_attach("page"));
    let saving = downloads.map(|folder| {
        let mut saving = SetDownloadBehaviorParams::new(SetDownloadBehaviorBehavior::AllowAndName);
        saving.download_path = Some(folder.display().to_string());
        saving.events_enabled = Some(true);
        own.send(saving)
    });
    let ready = async {
        equipped.await?;
        attaching.await?;
        if let Some(saving) = saving {
            saving.await?;
        }
        Ok(())
    };
    match ready.await {
        Ok(()) => Ok((state, watcher)),
        Err(error) => {
            watcher.abort();
            Err(error)
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Targets {
    pub(crate) target_infos: Vec<TargetInfo>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TargetInfo {
    pub(crate) target_id: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) url: String,
}

pub(crate) async fn new_tab(connection: &Connection) -> Result<String, CdpError> {
    let created = connection.browser().send(CreateTargetParams::new("about:blank")).await?;
    Ok(created.target_id.inner().clone())
}
