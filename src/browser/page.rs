//! One page of a browser, on which the steps of flows are played.
//!
//! Everything that is looked for is looked for inside the page, by a script in a world of its own, in
//! one round trip: resolve, scroll into view, check, measure. Waiting is done there too, by the page's
//! own changes. Rust decides, holds the deadline, and sends the input.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::browser::CloseParams;
use chromiumoxide::cdp::browser_protocol::emulation::SetFocusEmulationEnabledParams;
use chromiumoxide::cdp::browser_protocol::fetch::{self, RequestPattern};
use chromiumoxide::cdp::browser_protocol::network::{self, ResourceType};
use chromiumoxide::cdp::browser_protocol::page::{
    self as cdp_page, AddScriptToEvaluateOnNewDocumentParams, GetFrameTreeParams,
    SetLifecycleEventsEnabledParams,
};
use chromiumoxide::cdp::browser_protocol::target::{CloseTargetParams, CreateTargetParams, GetTargetsParams};
use chromiumoxide::cdp::js_protocol::runtime;
use serde::Deserialize;
use tokio::sync::watch as channel;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use self::attempt::Attempt;
use self::heal::Healing;
pub use self::memory::{Forgetful, Recalled, SelectorKey, SelectorMemory};
use self::script::Halt;
use self::watch::{Document, State, WORLD};
use super::cdp::{CdpError, Connection, Session};
use crate::domain::event::NetworkTotals;
use crate::domain::flow::{Locator, Step};
use crate::domain::mask::Mask;
use crate::domain::session::Platform;
use crate::domain::workflow::Heal;

mod aria;
mod attempt;
mod change;
mod click;
mod error;
mod evidence;
mod heal;
mod keys;
mod locate;
mod memory;
mod navigate;
mod script;
mod urls;
mod viewport;
mod wait;
mod watch;

pub use self::error::{ActionError, ActionErrorKind, PageError};
pub use self::heal::{Healed, How};

pub struct PageOptions {
    /// `http://127.0.0.1:8800`. The main frame goes nowhere else and nothing is typed anywhere else.
    pub allowed_origins: Vec<String>,
    pub platform: Platform,
    pub memory: Box<dyn SelectorMemory>,
}

/// Asked right before the first click or keystroke of a step: what must be durable by then is written
/// by it. Its error stops the step before anything was touched.
pub trait Gate: Send {
    fn before_touch(&mut self) -> Result<(), String>;
}

/// The connection to one browser. Cheap to clone.
#[derive(Debug, Clone)]
pub struct BrowserConnection {
    connection: Connection,
}

pub struct Page {
    session: Session,
    target: String,
    state: channel::Sender<State>,
    watcher: JoinHandle<()>,
    allowed: Vec<String>,
    memory: Box<dyn SelectorMemory>,
    healing: Healing,
    /// Bits of the modifier keys that are held down.
    modifiers: i64,
    /// Input was sent, and the page has not been heard of since.
    stirred: bool,
}

impl BrowserConnection {
    /// `ws` as the provider tells it: `ws://127.0.0.1:9222/devtools/browser/…`.
    pub async fn connect(ws: &str) -> Result<Self, PageError> {
        Ok(Self { connection: Connection::connect(ws).await? })
    }

    /// A new tab, or the only one there is where that is blank.
    pub async fn open_page(&self, options: PageOptions) -> Result<Page, PageError> {
        let pages = self.pages().await?;
        if let [only] = pages.as_slice()
            && only.url == "about:blank"
            && self.answers(&only.target_id).await
        {
            return Ok(Page::attach(&self.connection, only.target_id.clone(), options).await?);
        }
        let created = self.connection.browser().send(CreateTargetParams::new("about:blank")).await?;
        Ok(Page::attach(&self.connection, created.target_id.inner().clone(), options).await?)
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

    /// A tab that an earlier run left crashed answers nothing.
    async fn answers(&self, target: &str) -> bool {
        let asked = async {
            let (session, _events) = self.connection.attach(target).await?;
            session.send_as::<_, serde_json::Value>(GetFrameTreeParams::default()).await
        };
        tokio::time::timeout(Duration::from_secs(2), asked).await.is_ok_and(|answer| answer.is_ok())
    }

    async fn pages(&self) -> Result<Vec<TargetInfo>, CdpError> {
        let targets: Targets = self.connection.browser().send_as(GetTargetsParams::default()).await?;
        Ok(targets.target_infos.into_iter().filter(|target| target.kind == "page").collect())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Targets {
    target_infos: Vec<TargetInfo>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TargetInfo {
    target_id: String,
    #[serde(rename = "type")]
    kind: String,
    url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FrameTree {
    frame_tree: FrameNode,
}

#[derive(Deserialize)]
struct FrameNode {
    frame: Frame,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Frame {
    id: String,
    loader_id: String,
    url: String,
}

impl Page {
    async fn attach(connection: &Connection, target: String, options: PageOptions) -> Result<Self, CdpError> {
        let PageOptions { allowed_origins: allowed, platform, memory } = options;
        let (session, events) = connection.attach(&target).await?;
        let tree: FrameTree = session.send_as(GetFrameTreeParams::default()).await?;
        let frame = tree.frame_tree.frame;
        let document =
            Document { loader: frame.loader_id, url: frame.url, loaded: true, ..Document::default() };
        let (state, _) = channel::channel(State::new(frame.id, document));
        let watcher = tokio::spawn(watch::watch(session.clone(), events, state.clone(), allowed.clone()));
        // From here on the task ends with the page, whatever happens.
        let healing = Healing::default();
        let page =
            Self { session, target, state, watcher, allowed, memory, healing, modifiers: 0, stirred: false };

        let session = &page.session;
        let mut script = AddScriptToEvaluateOnNewDocumentParams::new(script::SOURCE);
        script.world_name = Some(WORLD.to_owned());
        script.run_immediately = Some(true);
        let documents =
            RequestPattern { resource_type: Some(ResourceType::Document), ..RequestPattern::default() };
        let guard = fetch::EnableParams { patterns: Some(vec![documents]), handle_auth_requests: None };
        let answers = (
            session.send(cdp_page::EnableParams::default()),
            session.send(runtime::EnableParams::default()),
            session.send(network::EnableParams::default()),
            session.send(SetLifecycleEventsEnabledParams::new(true)),
            session.send(SetFocusEmulationEnabledParams::new(true)),
            session.send(guard),
            session.send(script),
        );
        answers.0.await?;
        answers.1.await?;
        answers.2.await?;
        answers.3.await?;
        answers.4.await?;
        answers.5.await?;
        answers.6.await?;
        if platform == Platform::Mobile {
            page.apply_viewport(&viewport::PHONE).await?;
        }
        Ok(page)
    }

    /// Plays one rendered step. Calls `gate.before_touch()` once, right before the first click or
    /// keystroke it sends: never earlier, and not at all where it sends none (a wait, a scroll, a
    /// navigation). The text that a `regatta.capture` read.
    ///
    /// `flow` is the flow's file: with the step's number it names what is remembered of its selectors.
    pub async fn perform(
        &mut self,
        flow: &str,
        step: &Step,
        timeout: Duration,
        gate: &mut dyn Gate,
    ) -> Result<Option<String>, ActionError> {
        Attempt::new(self, flow, &step.number, timeout, gate).perform(step).await
    }

    /// A flow begins: what to do where its selectors match nothing any more.
    pub fn begin_flow(&mut self, heal: Heal) {
        self.healing.begin(heal);
    }

    /// Nothing of this is remembered of a page.
    pub fn hide(&mut self, mask: Mask) {
        self.healing.hide(mask, &mut *self.memory);
    }

    /// What was found by likeness since the last call.
    pub fn take_healed(&mut self) -> Vec<Healed> {
        self.healing.take_told()
    }

    /// Whether anything visible matches any of the selectors, now. Waits for nothing but the document.
    pub async fn exists(&mut self, locator: &Locator, timeout: Duration) -> Result<bool, ActionError> {
        struct Shut;
        impl Gate for Shut {
            fn before_touch(&mut self) -> Result<(), String> {
                Err("a question touches nothing".to_owned())
            }
        }
        Attempt::new(self, "", "", timeout, &mut Shut).exists(locator).await
    }

    /// screenshot.png, page.html and console.txt in `dir`, which is created. Values are masked in the
    /// texts, and text fields are blurred in the picture. Best effort: whatever could be had.
    pub async fn evidence(&mut self, dir: &Path, mask: &Mask) -> Vec<PathBuf> {
        evidence::gather(self, dir, mask).await
    }

    /// Since the last call.
    pub fn take_network_totals(&mut self) -> NetworkTotals {
        let mut taken = NetworkTotals::default();
        self.state.send_modify(|state| taken = std::mem::take(&mut state.totals));
        taken
    }

    /// Returns when everything the page might still send is on its way or answered: a tenth of a second
    /// without traffic, or `at_most`.
    pub async fn settle(&mut self, at_most: Duration) {
        const QUIET: Duration = Duration::from_millis(100);
        let until_quiet = async {
            let deadline = Instant::now() + at_most;
            // Whatever the last input set off in the page has run after two frames.
            if let Ok(world) = self.world(deadline).await {
                let _ = self.call(&world, "frames", &serde_json::Value::Null, &[], deadline).await;
            }
            loop {
                let idle = self
                    .until(deadline, |state| state.is_quiet(Duration::ZERO).then_some(state.last_traffic));
                let Ok(last_traffic) = idle.await else { return };
                tokio::time::sleep_until(last_traffic + QUIET).await;
                if self.state.borrow().is_quiet(QUIET) {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(at_most, until_quiet).await;
    }

    /// The site tried to take the main frame outside the allowed origins since the last `navigate` step.
    /// Every step says so too; this is for after the last one.
    pub fn left_allowed_origins(&self) -> Option<ActionError> {
        let violation = self.state.borrow().violation.clone();
        violation.map(|origin| ActionError::from_halt(Halt::Outside(origin), Duration::ZERO))
    }

    /// Closes the tab. A page that is only dropped stays open in the browser.
    pub async fn close(self) {
        let _ = self.session.send(cdp_page::CloseParams::default()).await;
    }

    /// Of the main document, without what follows its path.
    pub fn url(&self) -> String {
        let url = self.state.borrow().document.url.clone();
        url.split(['?', '#']).next().unwrap_or_default().to_owned()
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}
