//! What is known of a page from the events it sends: its tabs, their frames, its traffic.
//!
//! A page has its own tab and the tabs that it opened. A tab is a tree of frames; those of other sites
//! live in processes, and so on DevTools sessions, of their own. Here they are one tree.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use serde_json::Value;

use super::network::{self, Network};
use super::scene::Scene;
use super::script::Halt;
use super::urls;
use crate::browser::cdp::Session;
use crate::domain::block::Block;
use crate::domain::dialog::DialogPolicy;
use crate::domain::flow::{NetworkConditions, Viewport};

/// The name of the world that the injected script lives in.
pub const WORLD: &str = "regatta";

const CONSOLE_LINES: usize = 500;
const ARRIVALS: usize = 64;

#[derive(Debug)]
pub struct State {
    /// The page's own first, then those it opened, in their order. None is ever removed.
    pub tabs: Vec<Tab>,
    frames: HashMap<String, Frame>,
    pub network: Network,
    /// What every tab is given when it opens.
    pub given: Given,
    pub dialogs: Vec<Dialog>,
    pub downloads: Vec<Download>,
    /// The connection has ended.
    pub is_gone: bool,
    console: VecDeque<Said>,
}

#[derive(Debug, Clone, Default)]
pub struct Given {
    pub viewport: Option<Viewport>,
    pub conditions: Option<NetworkConditions>,
    pub dialogs: DialogPolicy,
    pub block: Block,
}

#[derive(Debug)]
pub struct Tab {
    pub session: Session,
    /// Of its main frame; the id of its target as well.
    pub main_frame: String,
    /// The origin of a main-frame request that was stopped because it is not allowed.
    pub violation: Option<String>,
    pub ended: Option<Ended>,
}

#[derive(Debug)]
pub struct Frame {
    pub id: String,
    pub session: Session,
    /// In [`State::tabs`].
    pub tab: usize,
    pub parent: Option<String>,
    /// In the order in which they were attached.
    pub children: Vec<String>,
    /// The injected script's, and the page's own.
    pub world: Option<World>,
    pub page_world: Option<World>,
    pub document: Document,
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
    /// HTTP status of its documents by loader, until they are committed.
    statuses: HashMap<String, u16>,
}

/// A frame, and everything around it.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    pub state: &'a State,
    pub frame: &'a Frame,
}

#[derive(Debug, Clone)]
pub struct World {
    pub session: Session,
    pub unique: String,
    pub id: i64,
}

#[derive(Debug, Clone, Default)]
pub struct Document {
    pub loader: String,
    pub url: String,
    /// `None` for documents that no server sent.
    pub status: Option<u16>,
    /// Its `load` event has fired.
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

/// A line of the console: who said it, a colon, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
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
    pub progress: Progress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    UnderWay,
    Done,
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Gone,
    Crashed,
    Closed,
}

/// A frame and those inside, as the browser describes them.
pub struct FrameTree<'a>(pub &'a Value);

impl FrameTree<'_> {
    pub fn id(&self) -> &str {
        text(&self.0["frame"]["id"])
    }
}

impl PartialEq for World {
    fn eq(&self, other: &Self) -> bool {
        (self.session.id(), &self.unique) == (other.session.id(), &other.unique)
    }
}

impl<'a> View<'a> {
    pub fn tab(&self) -> &'a Tab {
        &self.state.tabs[self.frame.tab]
    }

    /// The frame, or one around it, is about to be replaced.
    pub fn is_leaving(&self) -> bool {
        self.state.lineage(self.frame).any(|frame| frame.leaving)
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

impl State {
    pub fn new(session: Session, main_frame: String, given: Given) -> Self {
        let mut state = Self {
            tabs: Vec::new(),
            frames: HashMap::new(),
            network: Network::default(),
            given,
            dialogs: Vec::new(),
            downloads: Vec::new(),
            is_gone: false,
            console: VecDeque::new(),
        };
        state.open_tab(session, main_frame);
        state
    }

    pub fn main_tab(&self) -> &Tab {
        &self.tabs[0]
    }

    pub fn main_frame(&self) -> &Frame {
        &self.frames[&self.tabs[0].main_frame]
    }

    pub fn frame(&self, id: &str) -> Option<&Frame> {
        self.frames.get(id)
    }

    /// The frame a flow means.
    pub fn resolve(&self, scene: &Scene) -> Option<View<'_>> {
        let start = match &scene.target {
            None => self.main_frame(),
            Some(url) => self.target(url)?,
        };
        let mut path = scene.frame.iter();
        let frame = path.try_fold(start, |frame, index| {
            self.frames.get(frame.children.get(usize::try_from(*index).ok()?)?)
        })?;
        Some(View { state: self, frame })
    }

    /// Tabs before frames, as they opened.
    fn target(&self, url: &str) -> Option<&Frame> {
        let open = || self.open_tabs().map(|tab| &self.frames[&tab.main_frame]);
        let is_meant = |frame: &&Frame| urls::same(&frame.document.url, url);
        open().find(is_meant).or_else(|| open().flat_map(|main| self.inside(main)).find(is_meant))
    }

    pub fn open_tabs(&self) -> impl Iterator<Item = &Tab> {
        self.tabs.iter().filter(|tab| tab.ended.is_none())
    }

    /// Of tabs, and of frames that have one of their own.
    pub fn sessions(&self) -> Vec<Session> {
        let mut sessions: Vec<Session> = self.open_tabs().map(|tab| tab.session.clone()).collect();
        for frame in self.frames.values() {
            let is_own = |parent: &Frame| parent.session.id() != frame.session.id();
            if frame.parent.as_ref().and_then(|parent| self.frames.get(parent)).is_some_and(is_own) {
                sessions.push(frame.session.clone());
            }
        }
        sessions
    }

    /// Why nothing can be waited for any more in a scene.
    pub fn halt(&self, scene: &Scene) -> Option<Halt> {
        let view = self.resolve(scene);
        let tab = view.map_or_else(|| self.main_tab(), |view| view.tab());
        match (tab.ended, &tab.violation) {
            (Some(ended), _) => Some(Halt::Ended(ended)),
            (None, _) if self.is_gone => Some(Halt::Ended(Ended::Gone)),
            (None, Some(origin)) if view.is_some() => Some(Halt::Outside(origin.clone())),
            (None, _) => None,
        }
    }

    pub fn children<'a>(&'a self, frame: &'a Frame) -> impl Iterator<Item = &'a Frame> {
        frame.children.iter().filter_map(|child| self.frames.get(child))
    }

    /// The frame and those around it, outwards.
    fn lineage<'a>(&'a self, frame: &'a Frame) -> impl Iterator<Item = &'a Frame> {
        std::iter::successors(Some(frame), |frame| self.frames.get(frame.parent.as_ref()?))
    }

    /// All frames inside, depth first.
    pub fn inside(&self, frame: &Frame) -> Vec<&Frame> {
        let mut out = Vec::new();
        for child in frame.children.iter().filter_map(|child| self.frames.get(child)) {
            out.push(child);
            out.extend(self.inside(child));
        }
        out
    }

    pub const fn console(&self) -> &VecDeque<Said> {
        &self.console
    }

    pub fn note(&mut self, line: String) {
        if self.console.len() == CONSOLE_LINES {
            self.console.pop_front();
        }
        self.console.push_back(Said { at: jiff::Timestamp::now(), line });
    }

    // ---- tabs and frames that come and go

    pub fn open_tab(&mut self, session: Session, main_frame: String) {
        let tab = self.tabs.len();
        self.frames.insert(main_frame.clone(), Frame::new(&main_frame, session.clone(), tab, None));
        self.tabs.push(Tab { session, main_frame, violation: None, ended: None });
    }

    pub fn is_ours(&self, target: &str) -> bool {
        self.frames.contains_key(target)
    }

    pub fn tab_of_session(&self, session: &str) -> Option<usize> {
        self.tabs.iter().position(|tab| tab.session.id() == Some(session))
    }

    /// A frame that got a process of its own, or came back from it.
    pub fn host_frame(&mut self, id: &str, parent: &str, session: Session) {
        if let Some(frame) = self.frames.get_mut(id) {
            frame.session = session;
            (frame.world, frame.page_world) = (None, None);
            return;
        }
        let Some(around) = self.frames.get_mut(parent) else { return };
        around.children.push(id.to_owned());
        let frame = Frame::new(id, session, around.tab, Some(parent.to_owned()));
        self.frames.insert(id.to_owned(), frame);
    }

    fn remove_frame(&mut self, id: &str) {
        let Some(frame) = self.frames.remove(id) else { return };
        if let Some(parent) = frame.parent.as_ref().and_then(|parent| self.frames.get_mut(parent)) {
            parent.children.retain(|child| child != id);
        }
        let loader = frame.document.loader;
        self.network.abandon(|of| !loader.is_empty() && of == loader);
        for child in frame.children {
            self.remove_frame(&child);
        }
    }

    /// What was there before anybody listened: what is known already is left as it is.
    /// `loaded` is said of a main document that was not known.
    pub fn adopt_tree(&mut self, session: &Session, tree: &FrameTree<'_>, loaded: bool, allowed: &[String]) {
        let described = &tree.0["frame"];
        let id = text(&described["id"]);
        let here = |frame: &&Frame| frame.session.id() == session.id();
        let Some(frame) = self.frames.get(id).filter(here) else { return };
        if frame.document.loader != text(&described["loaderId"]) {
            let frame = self.come_to(id, described, loaded, allowed);
            // Blank is where frames begin: what they are on their way to is still to come.
            if !urls::is_blank(&frame.document.url) {
                frame.arrive(&meant_url_of(described));
            }
        }
        let loaded = self.frames[id].document.loaded;
        for child in tree.0["childFrames"].as_array().into_iter().flatten() {
            let child = FrameTree(child);
            if !self.frames.contains_key(child.id()) {
                self.host_frame(child.id(), id, session.clone());
            }
            self.adopt_tree(session, &child, loaded, allowed);
        }
    }

    pub fn end_tab(&mut self, tab: usize, how: Ended) {
        self.tabs[tab].ended.get_or_insert(how);
    }

    pub fn forget_world(&mut self, lost: &World) {
        self.lose_worlds(&lost.session, |world| world == lost);
    }

    // ---- events of a session

    pub fn apply(&mut self, session: &Session, method: &str, params: &Value, allowed: &[String]) {
        let frame = text(&params["frameId"]);
        match method {
            "Runtime.executionContextCreated" => self.context_created(session, &params["context"]),
            "Runtime.executionContextDestroyed" => {
                let unique = params["executionContextUniqueId"].as_str();
                self.lose_worlds(session, |world| Some(world.unique.as_str()) == unique);
            }
            "Runtime.executionContextsCleared" => self.lose_worlds(session, |_| true),
            "Runtime.consoleAPICalled" => {
                let said: Vec<_> =
                    params["args"].as_array().into_iter().flatten().map(console_text).collect();
                self.note(format!("{}: {}", text(&params["type"]), said.join(" ")));
            }
            "Runtime.exceptionThrown" => {
                let details = &params["exceptionDetails"];
                let thrown = details["exception"]["description"].as_str().unwrap_or(text(&details["text"]));
                self.note(format!("uncaught: {thrown}"));
            }
            "Page.getFrameTree" => self.adopt_tree(session, &FrameTree(&params["frameTree"]), false, allowed),
            "Page.frameAttached" => self.host_frame(frame, text(&params["parentFrameId"]), session.clone()),
            // Swapped: it goes on in a process of its own.
            "Page.frameDetached" if params["reason"] != "swap" => self.remove_frame(frame),
            "Page.frameNavigated" => self.navigated(session, &params["frame"], &params["type"], allowed),
            "Page.navigatedWithinDocument" => {
                if let Some(frame) = self.frames.get_mut(frame) {
                    frame.document.url = text(&params["url"]).to_owned();
                    frame.arrive(text(&params["url"]));
                }
            }
            "Page.lifecycleEvent" if params["name"] == "load" => {
                if let Some(frame) = self.frames.get_mut(frame)
                    && text(&params["loaderId"]) == frame.document.loader
                {
                    frame.document.loaded = true;
                }
            }
            "Page.frameRequestedNavigation"
                if params["disposition"] == "currentTab" && text(&params["url"]).starts_with("http") =>
            {
                self.set_leaving(frame, true);
            }
            "Page.frameStoppedLoading" => self.set_leaving(frame, false),
            "Inspector.targetCrashed" => {
                if let Some(tab) = session.id().and_then(|id| self.tab_of_session(id)) {
                    self.end_tab(tab, Ended::Crashed);
                }
            }
            _ if method.starts_with("Network.") => {
                self.navigation_traffic(method, params);
                self.network.apply(method, params);
            }
            _ => {}
        }
    }

    fn set_leaving(&mut self, frame: &str, leaving: bool) {
        if let Some(frame) = self.frames.get_mut(frame) {
            frame.leaving = leaving;
        }
    }

    fn lose_worlds(&mut self, session: &Session, is_lost: impl Fn(&World) -> bool) {
        for frame in self.frames.values_mut() {
            for world in [&mut frame.world, &mut frame.page_world] {
                if world.as_ref().is_some_and(|world| world.session.id() == session.id() && is_lost(world)) {
                    *world = None;
                }
            }
        }
    }

    fn context_created(&mut self, session: &Session, context: &Value) {
        let of = &context["auxData"];
        let Some(frame) = self.frames.get_mut(text(&of["frameId"])) else { return };
        // The process it has left may still speak of it.
        if frame.session.id() != session.id() {
            return;
        }
        let Some(id) = context["id"].as_i64() else { return };
        let world =
            Some(World { session: session.clone(), unique: text(&context["uniqueId"]).to_owned(), id });
        if of["isDefault"] == true {
            frame.page_world = world;
        } else if context["name"] == WORLD {
            frame.world = world;
        }
    }

    fn navigated(&mut self, session: &Session, described: &Value, kind: &Value, allowed: &[String]) {
        let id = text(&described["id"]);
        if !self.frames.contains_key(id) {
            // A main frame may come back as another one.
            let tab = session.id().and_then(|id| self.tab_of_session(id));
            let Some(tab) = tab.filter(|_| described["parentId"].is_null()) else { return };
            let before = std::mem::replace(&mut self.tabs[tab].main_frame, id.to_owned());
            self.remove_frame(&before);
            self.frames.insert(id.to_owned(), Frame::new(id, session.clone(), tab, None));
        }
        // The frames of the document before went with it.
        let children = std::mem::take(&mut self.frames.get_mut(id).expect("looked up above").children);
        for child in children {
            self.remove_frame(&child);
        }
        // One from the cache comes back with all its events behind it.
        let frame = self.come_to(id, described, *kind == "BackForwardCacheRestore", allowed);
        frame.arrive(&meant_url_of(described));
    }

    /// Another document is in a frame that is known.
    fn come_to(&mut self, id: &str, described: &Value, loaded: bool, allowed: &[String]) -> &mut Frame {
        let loader = text(&described["loaderId"]).to_owned();
        let url = url_of(described);
        let is_error_page = described["unreachableUrl"].is_string();
        let frame = self.frames.get_mut(id).expect("a frame that is known");
        // Documents that no request was seen for: a service worker's, the back-forward cache's.
        let is_outside = !is_error_page && !urls::is_blank(&url) && !urls::is_allowed(&url, allowed);
        if frame.parent.is_none() && is_outside {
            self.tabs[frame.tab].violation.get_or_insert(urls::origin(&url));
        }
        let status = frame.statuses.remove(&loader);
        frame.statuses.clear();
        let document = Document { loader, url, status, loaded, is_error_page };
        let before = std::mem::replace(&mut frame.document, document).loader;
        // What the document before still had on its way is not this one's activity.
        let now = &frame.document.loader;
        self.network.abandon(|loader| !loader.is_empty() && loader == before && loader != now);
        frame
    }

    /// What requests for documents say about the navigation they belong to.
    fn navigation_traffic(&mut self, method: &str, params: &Value) {
        let id = text(&params["requestId"]);
        let is_document = params["type"] == "Document";
        match method {
            "Network.requestWillBeSent" if is_document && id == text(&params["loaderId"]) => {
                if let Some(frame) = self.frames.get_mut(text(&params["frameId"])) {
                    frame.leaving = true;
                    frame.departing = Some(id.to_owned());
                }
            }
            "Network.responseReceived" if is_document && id == text(&params["loaderId"]) => {
                let status =
                    params["response"]["status"].as_u64().and_then(|status| u16::try_from(status).ok());
                let Some(frame) = self.frames.get_mut(text(&params["frameId"])) else { return };
                if id == frame.document.loader {
                    frame.document.status = status;
                } else if let Some(status) = status {
                    frame.statuses.insert(id.to_owned(), status);
                }
            }
            "Network.loadingFailed" => {
                let is_cancelled = params["canceled"] == true;
                if !is_cancelled && (is_document || !network::is_blocked(params)) {
                    self.note(format!("failed: {} ({})", text(&params["errorText"]), text(&params["type"])));
                }
                // A navigation that was replaced by another one is cancelled: no failure of the page.
                let departing = |frame: &&mut Frame| frame.departing.as_deref() == Some(id);
                if let Some(frame) = self.frames.values_mut().find(departing) {
                    frame.leaving = false;
                    if !is_cancelled {
                        frame.failure = text(&params["errorText"]).to_owned();
                    }
                }
            }
            _ => {}
        }
    }
}

impl Frame {
    fn new(id: &str, session: Session, tab: usize, parent: Option<String>) -> Self {
        Self {
            id: id.to_owned(),
            session,
            tab,
            parent,
            children: Vec::new(),
            world: None,
            page_world: None,
            document: Document::default(),
            arrivals: VecDeque::new(),
            arrived: 0,
            leaving: false,
            failure: String::new(),
            departing: None,
            statuses: HashMap::new(),
        }
    }

    fn arrive(&mut self, url: &str) {
        if self.arrivals.len() == ARRIVALS {
            self.arrivals.pop_front();
        }
        self.arrived += 1;
        let loader = self.document.loader.clone();
        self.arrivals.push_back(Arrival { number: self.arrived, loader, url: url.to_owned() });
        self.leaving = false;
    }
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn url_of(frame: &Value) -> String {
    match text(&frame["url"]) {
        // The document that a frame begins with, in Chromium's words.
        ":" => "about:blank".to_owned(),
        url => format!("{url}{}", text(&frame["urlFragment"])),
    }
}

/// Where the frame was to go; of an error page that is not its own address.
fn meant_url_of(frame: &Value) -> String {
    frame["unreachableUrl"].as_str().map_or_else(|| url_of(frame), str::to_owned)
}

fn console_text(argument: &Value) -> String {
    match &argument["value"] {
        Value::String(text) => text.clone(),
        Value::Null => text(&argument["description"]).to_owned(),
        other => other.to_string(),
    }
}
