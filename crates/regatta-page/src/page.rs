//! One page of a browser, on which the steps of flows are played.
//!
//! Everything that is looked for is looked for inside the page, by a script in a world of its own, in
//! one round trip: resolve, scroll into view, check, measure. Waiting is done there too, by the page's
//! own changes. Rust decides, holds the deadline, and sends the input.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::browser::{
    CloseParams, GetVersionParams, SetDownloadBehaviorBehavior, SetDownloadBehaviorParams,
};
use chromiumoxide::cdp::browser_protocol::page::{self as cdp_page, GetFrameTreeParams};
use chromiumoxide::cdp::browser_protocol::system_info::GetProcessInfoParams;
use chromiumoxide::cdp::browser_protocol::target::{CloseTargetParams, CreateTargetParams, GetTargetsParams};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::{mpsc, watch as channel};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::attempt::StepAttempt;
use crate::connection::{CdpError, Connection};
use crate::error::{ActionError, ActionErrorKind, PageError};
use crate::evidence::trace::TraceRecorder;
use crate::evidence::{self, trace};
use crate::healing::likeness::HealingEvent;
use crate::healing::likeness::HealingState;
use crate::healing::memory::SelectorMemory;
use crate::input::aftermath::PendingInput;
use crate::input::emulate;
use crate::locating::frames::FrameElement;
use crate::network::triggered_requests::TriggeredRequests;
use crate::script::WaitError;
use crate::state::step_target::StepTarget;
use crate::state::watch::PageWatcher;
use crate::state::{FrameTree, PageEnd, PageState, TabSettings};
use crate::state::{tabs, watch};
use regatta_core::event::NetworkTotals;
use regatta_core::evidence::{Incident, TraceMode};
use regatta_core::flow::keyboard::Key;
use regatta_core::flow::{Action, Step};
use regatta_core::mask::Mask;
use regatta_core::session::Platform;
use regatta_core::workflow::Heal;
use regatta_core::workflow::block::Block;
use regatta_core::workflow::dialog::DialogPolicy;

pub struct PageOptions {
    /// `http://127.0.0.1:8800`. The main frame goes nowhere else and nothing is typed anywhere else.
    pub allowed_origins: Vec<String>,
    pub block: Block,
    pub trace: TraceMode,
    pub platform: Platform,
    pub memory: Box<dyn SelectorMemory>,
    /// Where downloads are put. `None`: the browser does with them as it likes.
    pub downloads: Option<PathBuf>,
}

/// Asked right before the first click or keystroke of a step: what must be durable by then is written
/// by it. Its error stops the step before anything was touched.
pub trait InputGate {
    fn before_input(&mut self) -> Result<(), String>;

    /// No document has seen any input since `before_input` was called for this step: it was no touch.
    fn input_not_seen(&mut self) -> Result<(), String> {
        Ok(())
    }
}

/// For what only looks.
pub(crate) struct NoInputGate;

impl InputGate for NoInputGate {
    fn before_input(&mut self) -> Result<(), String> {
        Err("a question touches nothing".to_owned())
    }
}

/// One that is held down, and the tab in which it was pressed.
#[derive(Debug)]
pub(crate) struct HeldKey {
    pub(crate) key: Key,
    pub(crate) tab: usize,
}

/// The connection to one browser. Cheap to clone.
#[derive(Debug, Clone)]
pub struct BrowserConnection {
    pub(crate) connection: Connection,
    pub(crate) is_ours: bool,
}

/// A page, and the tabs that it opens.
pub struct Page {
    pub(crate) connection: Connection,
    pub(crate) owns_browser: bool,
    /// Documents are paused in the whole browser.
    pub(crate) guards_browser: bool,
    /// Of the page's own tab.
    pub(crate) target: String,
    pub(crate) state: channel::Sender<PageState>,
    pub(crate) watcher: JoinHandle<()>,
    pub(crate) allowed: Vec<String>,
    pub(crate) downloads: Option<PathBuf>,
    pub(crate) memory: Box<dyn SelectorMemory>,
    pub(crate) healing: HealingState,
    pub(crate) trace: TraceRecorder,
    /// Where the step is played.
    pub(crate) step_target: StepTarget,
    pub(crate) owners: Vec<FrameElement>,
    /// Keys that are held down.
    pub(crate) pressed: Vec<HeldKey>,
    /// The last click was with Ctrl or Meta: what a list has chosen stays chosen.
    pub(crate) adds: bool,
    /// Input was sent, and the page has not been heard of since.
    pub(crate) stirred: bool,
    pub(crate) pending_input: Option<PendingInput>,
    pub(crate) triggered: TriggeredRequests,
    /// The submission that had no answer when the last flow ended, or was refused by a busy site.
    pub(crate) unanswered: Option<ActionError>,
    /// No document has seen an input: a dialog of the browser is likely in front, which nothing closes.
    pub(crate) is_covered: bool,
    /// HTTP errors that the next step may end in.
    pub(crate) allowed_statuses: Vec<u16>,
    /// The loader of a document that is an HTTP error the flow allows.
    pub(crate) allowed_error: Option<String>,
}

impl BrowserConnection {
    /// `ws` as the provider tells it: `ws://127.0.0.1:9222/devtools/browser/…`.
    pub async fn connect(ws: &str) -> Result<Self, PageError> {
        Ok(Self { connection: Connection::connect(ws).await?, is_ours: false })
    }

    /// The browser was started for this run alone: every tab that begins in it belongs to the page.
    #[must_use]
    pub fn started_by_us(self) -> Self {
        Self { is_ours: true, ..self }
    }

    /// A new tab, or the only one there is where that is blank. One page a connection: it is told of every
    /// tab of the browser, and lets go of those that are not its own.
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

    /// A new tab, whatever there is.
    pub async fn open_new_page(&self, options: PageOptions) -> Result<Page, PageError> {
        let target = new_tab(&self.connection).await?;
        Ok(Page::attach(self, target, options).await?)
    }

    /// Tabs and windows that sites and earlier runs left behind.
    pub async fn close_other_pages(&self, keep: &Page) -> Result<(), PageError> {
        let browser = self.connection.browser();
        for page in self.pages().await?.into_iter().filter(|page| page.target_id != keep.target) {
            match browser.send(CloseTargetParams::new(page.target_id)).await {
                // It closed by itself in between.
                Ok(_) | Err(CdpError::Refused { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Asks the browser to end in order, which writes its profile to disk. Ready when the connection
    /// has ended, or after `at_most`.
    pub async fn close_browser(&self, at_most: Duration) -> Result<(), PageError> {
        let gone = self.connection.gone();
        // Its answer may be lost in the end that it brings about.
        drop(self.connection.browser().send(CloseParams::default()));
        tokio::time::timeout(at_most, gone).await.map_err(|_| PageError::StillOpen)
    }

    pub fn is_gone(&self) -> bool {
        self.connection.is_gone()
    }

    /// Name and version, as the browser says them: `HeadlessChrome/156.0.8078.108`. `None` where it does
    /// not say.
    pub async fn version(&self) -> Option<String> {
        let answer: Value = self.connection.browser().send_as(GetVersionParams::default()).await.ok()?;
        answer["product"].as_str().map(str::to_owned)
    }

    /// The process of the browser; `None` where it does not say.
    pub async fn process_id(&self) -> Option<u32> {
        let answer: Value = self.connection.browser().send_as(GetProcessInfoParams::default()).await.ok()?;
        let processes = answer["processInfo"].as_array()?;
        let browser = processes.iter().find(|process| process["type"] == "browser")?;
        browser["id"].as_u64()?.try_into().ok()
    }

    /// A tab that an earlier run left crashed answers nothing.
    pub(crate) async fn answers(&self, target: &str) -> bool {
        let asked = async {
            let (nobody, _) = mpsc::unbounded_channel();
            let session = self.connection.attach(target, &nobody).await?;
            session.send_as::<_, Value>(GetFrameTreeParams::default()).await
        };
        tokio::time::timeout(Duration::from_secs(2), asked).await.is_ok_and(|answer| answer.is_ok())
    }

    pub(crate) async fn pages(&self) -> Result<Vec<TargetInfo>, CdpError> {
        let targets: Targets = self.connection.browser().send_as(GetTargetsParams::default()).await?;
        Ok(targets.target_infos.into_iter().filter(|target| target.kind == "page").collect())
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

/// Attaches to a tab and follows it, and the tabs that it opens, from here on.
pub(crate) async fn follow(
    browser: &BrowserConnection,
    target: &str,
    mut settings: TabSettings,
    allowed: &[String],
    downloads: Option<&Path>,
) -> Result<(channel::Sender<PageState>, JoinHandle<()>), CdpError> {
    let BrowserConnection { connection, is_ours } = browser;
    let (events, heard) = mpsc::unbounded_channel();
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
    let watcher = tokio::spawn(watcher.watch(heard));
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
            adds: false,
            stirred: false,
            pending_input: None,
            triggered: TriggeredRequests::default(),
            unanswered: None,
            is_covered: false,
            allowed_statuses: Vec::new(),
            allowed_error: None,
        })
    }

    /// A flow closed the page, or a dialog of the browser covers it; the next one goes on in a new tab.
    pub(crate) async fn reopen(&mut self) -> Result<(), CdpError> {
        watch::let_browser_go(&self.connection.browser());
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
        self.adds = false;
        self.stirred = false;
        self.pending_input = None;
        Ok(())
    }

    /// Bits of the modifier keys that are held down.
    pub(crate) fn modifiers(&self) -> i64 {
        self.pressed.iter().fold(0, |bits, pressed| bits | pressed.key.modifier())
    }

    /// How dialogs are answered from now on.
    pub fn set_dialogs(&mut self, policy: DialogPolicy) {
        self.state.send_modify(|state| state.settings.dialogs = policy);
    }

    /// Plays one rendered step. Calls `gate.before_input()` once, right before the first click or
    /// keystroke it sends: never earlier, and not at all where it sends none (a wait, a scroll, a
    /// navigation). The text that a `regatta.capture` read; of a `regatta.when`, whose inner steps are
    /// the caller's to play, a text where its condition holds and none where it does not.
    ///
    /// A `regatta.upload` names its files, a `regatta.screenshot` the file it makes, by their paths.
    ///
    /// `flow` is the flow's file: with the step's number it names what is remembered of its selectors.
    pub async fn perform(
        &mut self,
        flow: &str,
        step: &Step,
        timeout: Duration,
        gate: &mut dyn InputGate,
    ) -> Result<Option<String>, ActionError> {
        let begins = matches!(step.action, Action::Navigate { .. } | Action::SetViewport(_));
        let closed = self.state.borrow().main_tab().ended == Some(PageEnd::Closed);
        if begins && (closed || self.is_covered) && step.target.is_none() && !self.connection.is_gone() {
            let reopened = self.reopen().await;
            reopened.map_err(|error| ActionError::new(ActionErrorKind::BrowserGone, error.to_string()))?;
        }
        self.trace.open(flow, step);
        if self.trace.looks() {
            let view = trace::capture::look(self).await;
            self.trace.looked_before(Some(view));
        }
        // Boxed, because the layout of this deep future would exceed the recursion limit of callers' crates.
        let mut attempt = StepAttempt::new(self, flow, &step.number, timeout, gate);
        let performed = Box::pin(attempt.perform(step)).await;
        self.is_covered |= performed.as_ref().is_err_and(|error| error.kind == ActionErrorKind::Unseen);
        self.trace.close(performed.as_ref().err());
        if self.trace.looks() {
            let view = trace::capture::look(self).await;
            self.trace.looked_after(Some(view));
        }
        performed
    }

    /// A flow begins: what to do where its selectors match nothing any more.
    pub fn begin_flow(&mut self, heal: Heal) {
        self.healing.begin(heal);
        self.confirm_earlier_requests();
    }

    /// Nothing of this is remembered of a page.
    pub fn hide(&mut self, mask: Mask) {
        self.healing.hide(mask, &mut *self.memory);
    }

    /// What was found by likeness since the last call.
    pub fn take_healing_events(&mut self) -> Vec<HealingEvent> {
        self.healing.take_events()
    }

    /// A trace is one of what follows.
    pub fn begin_trace(&mut self, title: &str) {
        self.trace.begin(title);
    }

    /// index.html, screenshot.png, page.html, console.txt and trace.zip in `dir`, which is created. Values
    /// are masked in the texts, and text fields are blurred in the pictures. Best effort: whatever could
    /// be had.
    pub async fn evidence(&mut self, dir: &Path, incident: &Incident, mask: &Mask) -> Vec<PathBuf> {
        evidence::gather(self, dir, incident, mask).await
    }

    /// trace.zip in `dir`, which is created: of an attempt that went well, where every one is traced.
    pub async fn keep_trace(&mut self, dir: &Path, mask: &Mask) -> Option<PathBuf> {
        match self.trace.mode() {
            TraceMode::Always => evidence::keep_trace(self, dir, mask).await,
            TraceMode::Off | TraceMode::OnFailure => None,
        }
    }

    /// Since the last call.
    pub fn take_network_totals(&mut self) -> NetworkTotals {
        let mut taken = NetworkTotals::default();
        self.state.send_modify(|state| taken = state.network.take_totals());
        taken
    }

    /// Returns when everything the page might still send is on its way or answered: a tenth of a second
    /// without traffic, or `at_most`.
    pub async fn wait_until_idle(&mut self, at_most: Duration) {
        const QUIET: Duration = Duration::from_millis(100);
        self.step_target = StepTarget::default();
        let until_quiet = async {
            let deadline = Instant::now() + at_most;
            // Whatever the last input set off in the page has run after two frames.
            if let Ok(world) = self.world(deadline).await {
                let _ = self.call(&world, "frames", &serde_json::Value::Null, &[], deadline).await;
            }
            loop {
                let idle = self.until(deadline, |view| {
                    view.is_quiet(Duration::ZERO).then_some(view.state.network.last_traffic())
                });
                let Ok(last_traffic) = idle.await else { return };
                tokio::time::sleep_until(last_traffic + QUIET).await;
                if self.with_view(|view| view.is_quiet(QUIET)) == Some(true) {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(at_most, until_quiet).await;
    }

    /// The site tried to take the main frame outside the allowed origins since the last `navigate` step.
    /// Every step says so too; this is for after the last one.
    pub fn left_allowed_origins(&self) -> Option<ActionError> {
        let violation = self.state.borrow().main_tab().violation.clone();
        violation.map(|origin| ActionError::from_wait(WaitError::OriginNotAllowed(origin), Duration::ZERO))
    }

    /// The submission that the last flow had set off when [`Self::finish`] was called and that has not been
    /// answered.
    pub fn unanswered(&self) -> Option<ActionError> {
        self.unanswered.clone()
    }

    /// A `navigate` step begins anew, wherever its tab went before.
    pub(crate) fn clear_violation(&self) {
        let tab = self.with_view(|view| view.frame.tab);
        self.state.send_modify(|state| {
            if let Some(tab) = tab {
                state.tabs[tab].violation = None;
            }
        });
    }

    /// Closes the tab. A page that is only dropped stays open in the browser.
    pub async fn close(self) {
        let session = self.state.borrow().main_tab().session.clone();
        let _ = session.send(cdp_page::CloseParams::default()).await;
    }

    /// Closes the tabs that this page has opened, and no other tab of the browser.
    pub async fn close_opened_tabs(&self) {
        let opened: Vec<_> = {
            let state = self.state.borrow();
            let main = state.main_tab().session.id().map(str::to_owned);
            let others = state.open_tabs().filter(|tab| tab.session.id() != main.as_deref());
            others.map(|tab| tab.session.clone()).collect()
        };
        for session in opened {
            // One that closed in between is closed.
            let _ = session.send(cdp_page::CloseParams::default()).await;
        }
    }

    /// Of the main document, without what follows its path.
    pub fn url(&self) -> String {
        let url = self.state.borrow().main_frame().document.url.clone();
        url.split(['?', '#']).next().unwrap_or_default().to_owned()
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // Nobody would let new tabs go on.
        watch::let_browser_go(&self.connection.browser());
        self.watcher.abort();
    }
}
