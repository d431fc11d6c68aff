//! The page engine: plays the steps of a flow in one tab, with Playwright's strictness.
//!
//! One call of the injected script resolves, scrolls, checks and measures; the pointer's move costs
//! the frame that proves the element is not moving; press and release travel together. Alternatives
//! are tried in a fixed order: what matched last time, then as written.

use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::browser::CloseParams;
use chromiumoxide::cdp::browser_protocol::emulation::{
    SetDeviceMetricsOverrideParams, SetFocusEmulationEnabledParams, SetTouchEmulationEnabledParams,
};
use chromiumoxide::cdp::browser_protocol::fetch::{self, RequestPattern, RequestStage};
use chromiumoxide::cdp::browser_protocol::page::{
    AddScriptToEvaluateOnNewDocumentParams, GetFrameTreeParams, SetLifecycleEventsEnabledParams,
};
use chromiumoxide::cdp::browser_protocol::target::{
    AttachToTargetParams, CloseTargetParams, CreateTargetParams, GetTargetsParams,
};
use chromiumoxide::cdp::browser_protocol::{log, network, page};
use chromiumoxide::cdp::js_protocol::runtime;
use chromiumoxide::types::Command;
use tokio::sync::watch;

pub use self::error::{ActionError, ActionErrorKind};
use self::memory::SelectorMemory;
use self::state::PageState;
use super::cdp::{Cdp, CdpError, Session};
use crate::domain::event::NetworkTotals;
use crate::domain::flow::Viewport;
use crate::domain::session::Platform;

mod act;
mod aria;
mod error;
mod evidence;
mod keys;
mod locate;
pub mod memory;
mod navigate;
mod script;
mod state;
mod wait;

/// What a mobile profile's window is until its flow sets a viewport.
const MOBILE: Viewport = Viewport {
    width: 412,
    height: 915,
    device_scale_factor: 2.625,
    is_mobile: true,
    has_touch: true,
    is_landscape: false,
};

/// Asked right before the first input of an attempt is sent.
pub trait Gate: Send {
    /// An error keeps the input from being sent.
    fn before_touch(&mut self) -> Result<(), String>;
}

pub struct PageOptions {
    /// `http://127.0.0.1:8800`: the main frame visits and types on nothing else.
    pub allowed_origins: Vec<String>,
    pub platform: Platform,
    pub memory: Box<dyn SelectorMemory>,
}

/// One browser that runs.
#[derive(Debug, Clone)]
pub struct BrowserConnection {
    cdp: Cdp,
}

/// One tab.
pub struct Page {
    session: Session,
    state: watch::Receiver<PageState>,
    state_sender: watch::Sender<PageState>,
    allowed_origins: Vec<String>,
    memory: Box<dyn SelectorMemory>,
    target: String,
    /// Modifier keys held down, as the protocol's bits.
    modifiers: i64,
}

impl BrowserConnection {
    /// `ws`: the browser's DevTools address.
    pub async fn connect(ws: &str) -> Result<Self, CdpError> {
        Ok(Self { cdp: Cdp::connect(ws).await? })
    }

    /// A new tab, ready to play.
    pub async fn open_page(&self, options: PageOptions) -> Result<Page, CdpError> {
        let browser = self.cdp.browser();
        let target = browser.send(CreateTargetParams::new("about:blank")).await?.target_id;
        let mut attach = AttachToTargetParams::new(target.clone());
        attach.flatten = Some(true);
        let id: String = browser.send(attach).await?.session_id.into();
        let events = self.cdp.subscribe(&id);
        let session = self.cdp.session(id);
        let (state_sender, state) = watch::channel(PageState::default());
        let follower =
            state::follow(events, session.clone(), state_sender.clone(), options.allowed_origins.clone());
        tokio::spawn(follower);
        let page = Page {
            session,
            state,
            state_sender,
            allowed_origins: options.allowed_origins,
            memory: options.memory,
            target: target.into(),
            modifiers: 0,
        };
        page.prepare(options.platform).await?;
        Ok(page)
    }

    /// Closes every tab but `keep`: nothing acts any more.
    pub async fn close_other_pages(&self, keep: &Page) -> Result<(), CdpError> {
        let browser = self.cdp.browser();
        let targets = browser.send(GetTargetsParams::default()).await?.target_infos;
        for target in targets {
            let id = String::from(target.target_id.clone());
            if target.r#type == "page" && id != keep.target {
                // It may close by itself meanwhile.
                browser.send(CloseTargetParams::new(target.target_id)).await.ok();
            }
        }
        Ok(())
    }

    /// Asks the browser to end. Its profile is on disk when its process is gone.
    pub async fn close_browser(&self) -> Result<(), CdpError> {
        match self.cdp.browser().send(CloseParams::default()).await {
            Ok(_) | Err(CdpError::Gone) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub fn is_gone(&self) -> bool {
        self.cdp.is_gone()
    }
}

impl Page {
    async fn prepare(&self, platform: Platform) -> Result<(), CdpError> {
        // What is shown already is known by asking; what comes next, by events.
        self.session.send(page::EnableParams::default()).await?;
        let tree = self.session.send(GetFrameTreeParams::default()).await?.frame_tree.frame;
        self.state_sender.send_modify(|state| {
            state.main_frame = tree.id.inner().clone();
            state.loader = tree.loader_id.into();
            state.loaded = state.loader.clone();
            state.url = tree.url;
        });
        let mut script = AddScriptToEvaluateOnNewDocumentParams::new(script::SOURCE);
        script.world_name = Some(state::WORLD.to_owned());
        script.run_immediately = Some(true);
        let documents = RequestPattern {
            resource_type: Some(network::ResourceType::Document),
            request_stage: Some(RequestStage::Request),
            ..Default::default()
        };
        let fetch = fetch::EnableParams { patterns: Some(vec![documents]), handle_auth_requests: None };
        // All are on their way before the first is answered.
        tokio::try_join!(
            self.tell(SetLifecycleEventsEnabledParams::new(true)),
            self.tell(network::EnableParams::default()),
            self.tell(fetch),
            self.tell(log::EnableParams::default()),
            self.tell(SetFocusEmulationEnabledParams::new(true)),
            self.tell(runtime::EnableParams::default()),
            self.tell(script),
        )?;
        if platform == Platform::Mobile {
            self.set_viewport(&MOBILE).await?;
        }
        Ok(())
    }

    async fn tell<C: Command>(&self, command: C) -> Result<(), CdpError> {
        self.session.send(command).await.map(|_| ())
    }

    async fn set_viewport(&self, viewport: &Viewport) -> Result<(), CdpError> {
        let metrics = SetDeviceMetricsOverrideParams::new(
            i64::from(viewport.width),
            i64::from(viewport.height),
            viewport.device_scale_factor,
            viewport.is_mobile,
        );
        self.session.send(metrics).await?;
        self.session.send(SetTouchEmulationEnabledParams::new(viewport.has_touch)).await?;
        Ok(())
    }

    /// Since the last call.
    pub fn take_network_totals(&mut self) -> NetworkTotals {
        let mut totals = NetworkTotals::default();
        self.state_sender.send_if_modified(|state| {
            totals = std::mem::take(&mut state.totals);
            false
        });
        totals
    }

    /// Returns when everything the page might still send is answered, or after `at_most`.
    pub async fn settle(&mut self, at_most: Duration) {
        self.quiet(tokio::time::Instant::now() + at_most).await;
    }
}
