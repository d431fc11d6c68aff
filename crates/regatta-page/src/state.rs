//! The state of a page, from the events it sends: its tabs, their frames, its traffic.
//!
//! A page has its own tab and the tabs that it opened. A tab is a tree of frames; those of other sites
//! live in processes, and so on DevTools sessions, of their own. Here they are one tree.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::connection::CdpSession;
use crate::error::{PageEnd, WaitError};
use crate::network::pace::{AdmittedDocuments, DocumentPace};
use crate::network::{Network, OpenRequest};
use crate::state::expected_tabs::ExpectedTabs;
use crate::state::prompt::BrowserPrompt;
use crate::state::step_target::{PinnedTarget, StepTarget};
use regatta_core::flow::{NetworkConditions, Viewport};
use regatta_core::workflow::block::Block;
use regatta_core::workflow::dialog::DialogPolicy;
use regatta_core::workflow::http_auth::Credential;

mod events;
mod expected_tabs;
pub(crate) mod prompt;
mod provenance;
pub(crate) mod step_target;
pub(crate) mod tabs;
pub(crate) mod urls;
pub(crate) mod watch;

/// The name of the world that the injected script lives in.
pub const WORLD: &str = "regatta";

const CONSOLE_LINES: usize = 500;
const ARRIVALS: usize = 64;

#[derive(Debug)]
pub struct PageState {
    /// The page's own first, then those it opened, in their order. None is ever removed.
    pub tabs: Vec<TabState>,
    frames: HashMap<String, FrameState>,
    pub network: Network,
    /// The settings that every tab receives when it opens.
    pub settings: TabSettings,
    pub dialogs: Vec<Dialog>,
    pub prompts: Vec<BrowserPrompt>,
    /// Requests that were given a user and a password.
    pub signed_in: HashSet<String>,
    pub downloads: Vec<Download>,
    pub admitted: AdmittedDocuments,
    pub expected_tabs: ExpectedTabs,
    /// The connection has ended.
    pub is_gone: bool,
    console: VecDeque<ConsoleLine>,
    /// Frames that went away, since one may come back from the cache: what was foreign in them.
    gone: HashMap<String, Option<ForeignOrigin>>,
    /// How many worlds the browser has announced.
    announced_worlds: u64,
}

#[derive(Debug, Clone, Default)]
pub struct TabSettings {
    pub viewport: Option<Viewport>,
    pub conditions: Option<NetworkConditions>,
    pub dialogs: DialogPolicy,
    pub block: Block,
    pub credentials: Vec<Credential>,
    /// The browser has dialogs of its own, which the headless shell has not.
    pub asks: bool,
    /// Documents that begin are guarded until then, since 1970: see [`crate::input::guard`].
    pub guarded_until: Option<Duration>,
    /// How fast documents may be requested.
    pub pace: Option<Arc<dyn DocumentPace>>,
}

#[derive(Debug)]
pub struct TabState {
    pub session: CdpSession,
    /// The id of its main frame, and of its target.
    pub main_frame: String,
    /// The origin of a main-frame request that was stopped because it is not allowed.
    pub violation: Option<String>,
    pub ended: Option<PageEnd>,
    /// The opener's foreign origin, which the tab's first document has where it has no address of its own.
    pub(crate) opened_by: Option<ForeignOrigin>,
}

#[derive(Debug)]
pub struct FrameState {
    pub id: String,
    pub session: CdpSession,
    /// In [`PageState::tabs`].
    pub tab: usize,
    pub parent: Option<String>,
    /// In the order in which they were attached.
    pub children: Vec<String>,
    /// The injected script's, and the page's own.
    pub world: Option<ExecutionContext>,
    pub page_world: Option<ExecutionContext>,
    /// The injected script's, after a command in it was refused: it may still be there.
    forgotten_world: Option<ExecutionContext>,
    pub document: DocumentState,
    /// Documents and places inside a document that the frame came to, the latest last.
    pub arrivals: VecDeque<Arrival>,
    /// How many there ever were.
    pub arrived: u64,
    /// A navigation has begun and has neither come anywhere nor ended.
    pub leaving: bool,
    /// How the last navigation that had no document failed.
    pub failure: String,
    /// The request for the document that is on its way.
    departing: Option<String>,
    /// The loader of the last document that was given up before it arrived.
    pub given_up: Option<String>,
    /// When a navigation turned out to be a download that has not begun yet.
    download_due: Option<Instant>,
    /// HTTP status of its documents by loader, until they are committed.
    statuses: HashMap<String, u16>,
    /// The first document in it that is of no allowed origin.
    foreign: Option<ForeignOrigin>,
    /// It had documents before it was followed, which are unknown.
    has_unknown_past: bool,
    /// The loader of the last document that the browser's history brought back.
    restored: Option<String>,
    /// A navigation of the browser's history has begun and has not arrived.
    is_returning: bool,
    /// It was attached while its parent was returning, ahead of the document that it belongs to.
    is_ahead: bool,
}

/// Why a document is not of an allowed origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignOrigin {
    /// The origin that is not allowed. `None` where it is not known who asked for the document.
    pub origin: Option<String>,
    /// The document itself has no address of its own: `data:`.
    pub heir: Option<String>,
}

/// A frame, and everything around it.
#[derive(Debug, Clone, Copy)]
pub struct FrameView<'a> {
    pub state: &'a PageState,
    pub frame: &'a FrameState,
}

#[derive(Debug, Clone)]
pub struct ExecutionContext {
    pub session: CdpSession,
    pub unique: String,
    pub id: i64,
    /// Counts the worlds that the browser has announced. A document from the back-forward cache keeps its worlds'
    /// ids and loses every handle to its objects.
    pub announced: u64,
}

#[derive(Debug, Clone, Default)]
pub struct DocumentState {
    pub loader: String,
    pub url: String,
    /// `None` for documents that no server sent.
    pub status: Option<u16>,
    /// The document's `load` event has fired.
    pub loaded: bool,
    /// The browser's own page about a failed navigation.
    pub is_error_page: bool,
}

#[derive(Debug, Clone)]
pub struct Arrival {
    pub number: u64,
    pub loader: String,
    pub url: String,
}

/// A line of the console: its source, a colon, and the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleLine {
    pub at: jiff::Timestamp,
    pub line: String,
}

/// A JavaScript dialog, and how it was answered.
#[derive(Debug, Clone)]
pub struct Dialog {
    pub kind: String,
    pub message: String,
    pub accepted: bool,
}

#[derive(Debug, Clone)]
pub struct Download {
    pub id: String,
    /// As the site suggests it.
    pub name: String,
    pub bytes: u64,
    pub progress: DownloadProgress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DownloadProgress {
    UnderWay,
    Done,
    Failed,
}

/// A frame and those inside, as the browser describes them.
pub struct FrameTree<'a>(pub &'a Value);

impl FrameTree<'_> {
    pub fn id(&self) -> &str {
        text(&self.0["frame"]["id"])
    }
}

impl PartialEq for ExecutionContext {
    fn eq(&self, other: &Self) -> bool {
        (self.session.id(), &self.unique, self.announced)
            == (other.session.id(), &other.unique, other.announced)
    }
}

impl<'a> FrameView<'a> {
    pub fn tab(&self) -> &'a TabState {
        &self.state.tabs[self.frame.tab]
    }

    /// The frame, or one around it, is about to be replaced.
    pub fn is_leaving(&self) -> bool {
        self.state.lineage(self.frame).any(|frame| frame.leaving)
    }

    /// The request for the document that the frame, or one around it, is about to be replaced by.
    pub fn departing_request(&self) -> Option<&'a OpenRequest> {
        let leaving = self.state.lineage(self.frame).find(|frame| frame.leaving)?;
        self.state.network.request(leaving.departing.as_ref()?)
    }

    /// The frame under a name that stays the same while it navigates.
    pub fn pinned(self) -> PinnedTarget {
        match &self.frame.parent {
            None => PinnedTarget::Tab(self.frame.tab),
            Some(_) => PinnedTarget::Frame(self.frame.id.clone()),
        }
    }

    /// Nothing on its way for this long.
    pub fn is_quiet(&self, for_at_least: Duration) -> bool {
        !self.is_leaving() && self.state.network.is_quiet(for_at_least)
    }

    /// The document is all there, as its server meant it. One loader may have an HTTP error.
    pub fn is_sound(&self, allowed_error: Option<&str>) -> bool {
        let document = &self.frame.document;
        document.loaded
            && !document.is_error_page
            && !self.is_leaving()
            && (document.status.is_none_or(|status| status < 400) || allowed_error == Some(&document.loader))
    }
}

impl PageState {
    pub fn new(session: CdpSession, main_frame: String, settings: TabSettings) -> Self {
        let mut state = Self {
            tabs: Vec::new(),
            frames: HashMap::new(),
            network: Network::default(),
            settings,
            dialogs: Vec::new(),
            prompts: Vec::new(),
            signed_in: HashSet::new(),
            downloads: Vec::new(),
            admitted: AdmittedDocuments::default(),
            expected_tabs: ExpectedTabs::default(),
            is_gone: false,
            console: VecDeque::new(),
            gone: HashMap::new(),
            announced_worlds: 0,
        };
        state.open_tab(session, main_frame, None);
        state
    }

    pub fn main_tab(&self) -> &TabState {
        &self.tabs[0]
    }

    pub fn main_frame(&self) -> &FrameState {
        &self.frames[&self.tabs[0].main_frame]
    }

    pub fn frame_of_world(&self, world: &ExecutionContext) -> Option<&FrameState> {
        self.frames.values().find(|frame| frame.world.as_ref() == Some(world))
    }

    pub fn frame(&self, id: &str) -> Option<&FrameState> {
        self.frames.get(id)
    }

    /// The frame a flow means.
    pub fn resolve(&self, step_target: &StepTarget) -> Option<FrameView<'_>> {
        if let Some(pinned) = &step_target.pinned {
            return Some(FrameView { state: self, frame: self.pinned(pinned)? });
        }
        let start = match &step_target.target {
            None => self.main_frame(),
            Some(url) => self.target(url)?,
        };
        let mut path = step_target.frame.iter();
        let frame = path.try_fold(start, |frame, index| {
            self.frames.get(frame.children.get(usize::try_from(*index).ok()?)?)
        })?;
        Some(FrameView { state: self, frame })
    }

    /// A tab's frame is there when the tab has ended, too.
    pub fn pinned(&self, pinned: &PinnedTarget) -> Option<&FrameState> {
        match pinned {
            PinnedTarget::Tab(tab) => self.frames.get(&self.tabs.get(*tab)?.main_frame),
            PinnedTarget::Frame(id) => self.frames.get(id),
        }
    }

    /// The page or frame at an address: a tab that the page has opened, or else the page itself, or else a frame.
    /// `None` where several are at it.
    fn target(&self, url: &str) -> Option<&FrameState> {
        match self.targets(url).as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    pub fn targets(&self, url: &str) -> Vec<&FrameState> {
        let open: Vec<_> = self.open_tabs().map(|tab| &self.frames[&tab.main_frame]).collect();
        let is_meant = |frame: &&FrameState| urls::same(&frame.document.url, url);
        let (own, others): (Vec<_>, Vec<_>) =
            open.iter().copied().filter(is_meant).partition(|frame| frame.tab == 0);
        let frames = || open.iter().flat_map(|main| self.inside(main)).filter(is_meant).collect();
        [others, own].into_iter().find(|found| !found.is_empty()).unwrap_or_else(frames)
    }

    pub fn open_tabs(&self) -> impl Iterator<Item = &TabState> {
        self.tabs.iter().filter(|tab| tab.ended.is_none())
    }

    /// The sessions of tabs, and of frames that have their own.
    pub fn sessions(&self) -> Vec<CdpSession> {
        let mut sessions: Vec<CdpSession> = self.open_tabs().map(|tab| tab.session.clone()).collect();
        for frame in self.frames.values() {
            let is_own = |parent: &FrameState| parent.session.id() != frame.session.id();
            if frame.parent.as_ref().and_then(|parent| self.frames.get(parent)).is_some_and(is_own) {
                sessions.push(frame.session.clone());
            }
        }
        sessions
    }

    /// The id of the frame that a step target means now.
    pub fn frame_id(&self, target: &StepTarget) -> Option<&str> {
        self.resolve(target).map(|view| view.frame.id.as_str())
    }

    /// Why waiting in a step target has to end.
    pub fn wait_error(&self, step_target: &StepTarget) -> Option<WaitError> {
        let view = self.resolve(step_target);
        let tab = view.map_or_else(|| self.main_tab(), |view| view.tab());
        match (tab.ended, &tab.violation) {
            (Some(ended), _) => Some(WaitError::Ended(ended)),
            (None, _) if self.is_gone => Some(WaitError::Ended(PageEnd::Gone)),
            (None, Some(origin)) if view.is_some() => Some(WaitError::OriginNotAllowed(origin.clone())),
            (None, _) => None,
        }
    }

    /// The frame and those around it, outwards.
    pub fn lineage<'a>(&'a self, frame: &'a FrameState) -> impl Iterator<Item = &'a FrameState> {
        std::iter::successors(Some(frame), |frame| self.frames.get(frame.parent.as_ref()?))
    }

    /// All frames inside, depth first.
    pub fn inside(&self, frame: &FrameState) -> Vec<&FrameState> {
        let mut out = Vec::new();
        for child in frame.children.iter().filter_map(|child| self.frames.get(child)) {
            out.push(child);
            out.extend(self.inside(child));
        }
        out
    }

    /// When each navigation turned out to be a download that has not begun yet.
    pub fn downloads_due(&self) -> impl Iterator<Item = Instant> {
        self.frames.values().filter_map(|frame| frame.download_due)
    }

    pub const fn console(&self) -> &VecDeque<ConsoleLine> {
        &self.console
    }

    pub fn note(&mut self, line: String) {
        if self.console.len() == CONSOLE_LINES {
            self.console.pop_front();
        }
        self.console.push_back(ConsoleLine { at: jiff::Timestamp::now(), line });
    }
}

impl FrameState {
    fn new(id: &str, session: CdpSession, tab: usize, parent: Option<String>) -> Self {
        Self {
            id: id.to_owned(),
            session,
            tab,
            parent,
            children: Vec::new(),
            world: None,
            page_world: None,
            forgotten_world: None,
            document: DocumentState::default(),
            arrivals: VecDeque::new(),
            arrived: 0,
            leaving: false,
            failure: String::new(),
            departing: None,
            given_up: None,
            download_due: None,
            statuses: HashMap::new(),
            foreign: None,
            has_unknown_past: false,
            restored: None,
            is_returning: false,
            is_ahead: false,
        }
    }

    /// The request for the last document that was asked for, by the id that its loader will have.
    pub fn departing(&self) -> Option<&str> {
        self.departing.as_deref()
    }

    fn arrive(&mut self, url: &str) {
        if self.arrivals.len() == ARRIVALS {
            self.arrivals.pop_front();
        }
        self.arrived += 1;
        let loader = self.document.loader.clone();
        self.arrivals.push_back(Arrival { number: self.arrived, loader, url: url.to_owned() });
        self.leaving = false;
        self.download_due = None;
    }
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
