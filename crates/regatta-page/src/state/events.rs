//! Applies events to the state: tabs and frames that come and go, and the events of their sessions.

use serde_json::Value;
use tokio::time::Instant;

use super::{
    DocumentState, Download, ExecutionContext, ForeignOrigin, FrameState, FrameTree, PageState, TabState,
    WORLD, text,
};
use crate::connection::CdpSession;
use crate::error::PageEnd;
use crate::network;
use crate::state::urls;

impl PageState {
    pub fn open_tab(&mut self, session: CdpSession, main_frame: String, opened_by: Option<ForeignOrigin>) {
        let tab = self.tabs.len();
        self.frames.insert(main_frame.clone(), FrameState::new(&main_frame, session.clone(), tab, None));
        self.tabs.push(TabState { session, main_frame, violation: None, ended: None, opened_by });
    }

    pub fn is_ours(&self, target: &str) -> bool {
        self.frames.contains_key(target)
    }

    pub fn tab_of_session(&self, session: &str) -> Option<usize> {
        self.tabs.iter().position(|tab| tab.session.id() == Some(session))
    }

    /// Adds a frame, or moves it to another process.
    pub fn host_frame(&mut self, id: &str, parent: &str, session: CdpSession) {
        if let Some(frame) = self.frames.get_mut(id) {
            frame.session = session;
            (frame.world, frame.page_world) = (None, None);
            return;
        }
        let Some(around) = self.frames.get_mut(parent) else { return };
        around.children.push(id.to_owned());
        let mut frame = FrameState::new(id, session, around.tab, Some(parent.to_owned()));
        if around.is_returning {
            frame.is_ahead = true;
            let past = self.gone.remove(id);
            frame.has_unknown_past = past.is_none();
            frame.foreign = past.flatten();
        }
        self.frames.insert(id.to_owned(), frame);
    }

    fn remove_frame(&mut self, id: &str) {
        let Some(frame) = self.frames.remove(id) else { return };
        if let Some(parent) = frame.parent.as_ref().and_then(|parent| self.frames.get_mut(parent)) {
            parent.children.retain(|child| child != id);
        }
        self.gone.insert(id.to_owned(), frame.foreign);
        let loader = frame.document.loader;
        self.network.abandon(|of| !loader.is_empty() && of == loader);
        for child in frame.children {
            self.remove_frame(&child);
        }
    }

    /// Adds the frames that were there before their events were read, and leaves known frames as they are.
    /// `loaded` is the state of a main document that was not known.
    pub fn adopt_tree(
        &mut self,
        session: &CdpSession,
        tree: &FrameTree<'_>,
        loaded: bool,
        allowed: &[String],
    ) {
        let described = &tree.0["frame"];
        let id = text(&described["id"]);
        let here = |frame: &&FrameState| frame.session.id() == session.id();
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
                let past = self.gone.remove(child.id());
                // A frame without a URL still has its initial document: nothing else has been in it.
                let is_initial = text(&child.0["frame"]["url"]).is_empty();
                if let Some(frame) = self.frames.get_mut(child.id()) {
                    frame.has_unknown_past = past.is_none() && !is_initial;
                    frame.foreign = past.flatten();
                }
            }
            self.adopt_tree(session, &child, loaded, allowed);
        }
    }

    pub fn end_tab(&mut self, tab: usize, how: PageEnd) {
        self.tabs[tab].ended.get_or_insert(how);
        // The requests of its documents get no answer any more.
        let frames = self.frames.values().filter(|frame| frame.tab == tab);
        let loaders: Vec<_> = frames.map(|frame| &frame.document.loader).collect();
        self.network.abandon(|of| !of.is_empty() && loaders.iter().any(|loader| *loader == of));
    }

    /// The browser asks for a file on behalf of a frame: what the frame's answer was for is being saved, or a
    /// link says that it is to be.
    pub fn expect_download(&mut self, frame: &str) {
        if let Some(frame) = self.frames.get_mut(frame) {
            frame.download_due = Some(Instant::now());
        }
    }

    pub fn begin_download(&mut self, frame: &str, download: Download) {
        if let Some(frame) = self.frames.get_mut(frame) {
            frame.download_due = None;
            self.downloads.push(download);
        }
    }

    /// To be called when a command was refused as if the world were gone. It is kept aside, since the browser also
    /// words the loss of a handle or of a promise that way.
    pub fn forget_world(&mut self, lost: &ExecutionContext) {
        let frames = self.frames.values_mut();
        for frame in frames.filter(|frame| frame.world.as_ref() == Some(lost)) {
            frame.forgotten_world = frame.world.take();
        }
        for frame in self.frames.values_mut().filter(|frame| frame.page_world.as_ref() == Some(lost)) {
            frame.page_world = None;
        }
    }

    /// Uses a forgotten world again, which the browser has named as still there. Handles to its objects are not.
    pub fn revive_world(&mut self, session: &CdpSession, id: i64) {
        for frame in self.frames.values_mut().filter(|frame| frame.world.is_none()) {
            let is_meant =
                |world: &mut ExecutionContext| world.id == id && world.session.id() == session.id();
            if let Some(mut world) = frame.forgotten_world.take_if(is_meant) {
                self.announced_worlds += 1;
                world.announced = self.announced_worlds;
                frame.world = Some(world);
            }
        }
    }

    pub fn apply(&mut self, session: &CdpSession, method: &str, params: &Value, allowed: &[String]) {
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
            "Page.frameStartedNavigating" if is_restoring(params) => {
                if let Some(frame) = self.frames.get_mut(frame) {
                    frame.is_returning = true;
                    frame.restored = params["loaderId"].as_str().map(str::to_owned);
                }
            }
            "Page.frameStartedNavigating" if !text(&params["url"]).starts_with("http") => {
                self.goes_to(text(&params["url"]));
            }
            "Page.frameRequestedNavigation" if params["disposition"] != "currentTab" => {
                self.expected_tabs.note(text(&params["disposition"]));
            }
            "Page.frameRequestedNavigation" if text(&params["url"]).starts_with("http") => {
                self.set_leaving(frame, true);
            }
            "Page.frameStoppedLoading" => self.set_leaving(frame, false),
            "Inspector.targetCrashed" => {
                if let Some(tab) = session.id().and_then(|id| self.tab_of_session(id)) {
                    self.end_tab(tab, PageEnd::Crashed);
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

    fn lose_worlds(&mut self, session: &CdpSession, is_lost: impl Fn(&ExecutionContext) -> bool) {
        for frame in self.frames.values_mut() {
            for world in [&mut frame.world, &mut frame.page_world, &mut frame.forgotten_world] {
                if world.as_ref().is_some_and(|world| world.session.id() == session.id() && is_lost(world)) {
                    *world = None;
                }
            }
        }
    }

    fn context_created(&mut self, session: &CdpSession, context: &Value) {
        let of = &context["auxData"];
        let Some(frame) = self.frames.get_mut(text(&of["frameId"])) else { return };
        // The process it has left may still speak of it.
        if frame.session.id() != session.id() {
            return;
        }
        let Some(id) = context["id"].as_i64() else { return };
        self.announced_worlds += 1;
        let world = Some(ExecutionContext {
            session: session.clone(),
            unique: text(&context["uniqueId"]).to_owned(),
            id,
            announced: self.announced_worlds,
        });
        if of["isDefault"] == true {
            frame.page_world = world;
        } else if context["name"] == WORLD {
            frame.world = world;
        }
    }

    fn navigated(&mut self, session: &CdpSession, described: &Value, kind: &Value, allowed: &[String]) {
        let id = text(&described["id"]);
        if !self.frames.contains_key(id) {
            // A main frame may come back as another one.
            let tab = session.id().and_then(|id| self.tab_of_session(id));
            let Some(tab) = tab.filter(|_| described["parentId"].is_null()) else { return };
            let before = std::mem::replace(&mut self.tabs[tab].main_frame, id.to_owned());
            let mut frame = FrameState::new(id, session.clone(), tab, None);
            if let Some(before) = self.frames.get_mut(&before) {
                (frame.arrived, frame.arrivals) = (before.arrived, std::mem::take(&mut before.arrivals));
            }
            self.remove_frame(&before);
            self.frames.insert(id.to_owned(), frame);
        }
        // The frames of the previous document went with it. A document from the back-forward cache announces its
        // frames of other processes before itself.
        let from_cache = *kind == "BackForwardCacheRestore";
        let frame = self.frames.get_mut(id).expect("looked up above");
        frame.is_returning = false;
        for child in frame.children.clone() {
            let is_ahead =
                self.frames.get_mut(&child).is_some_and(|child| std::mem::take(&mut child.is_ahead));
            if !(from_cache && is_ahead) {
                self.remove_frame(&child);
            }
        }
        // One from the cache comes back with all its events behind it.
        let frame = self.come_to(id, described, from_cache, allowed);
        frame.arrive(&meant_url_of(described));
    }

    /// Another document is in a frame that is known.
    fn come_to(&mut self, id: &str, described: &Value, loaded: bool, allowed: &[String]) -> &mut FrameState {
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
        let document = DocumentState { loader, url, status, loaded, is_error_page };
        let before = std::mem::replace(&mut frame.document, document).loader;
        // What the document before still had on its way is not this one's activity.
        let now = &frame.document.loader;
        self.network.abandon(|loader| !loader.is_empty() && loader == before && loader != now);
        self.note_foreign(id, allowed);
        self.frames.get_mut(id).expect("a frame that is known")
    }

    /// Reads the requests for documents: they belong to navigations.
    fn navigation_traffic(&mut self, method: &str, params: &Value) {
        let id = text(&params["requestId"]);
        let is_document = params["type"] == "Document";
        match method {
            "Network.requestWillBeSent" if is_document && id == text(&params["loaderId"]) => {
                if let Some(frame) = self.frames.get_mut(text(&params["frameId"])) {
                    frame.leaving = true;
                    frame.departing = Some(id.to_owned());
                    frame.download_due = None;
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
                let departing = |frame: &&mut FrameState| frame.departing.as_deref() == Some(id);
                if let Some(frame) = self.frames.values_mut().find(departing) {
                    frame.leaving = false;
                    if !is_cancelled {
                        frame.failure = text(&params["errorText"]).to_owned();
                    } else if frame.document.loader != id {
                        frame.given_up = Some(id.to_owned());
                        // A document that was answered and did not come is saved, unless it is empty.
                        let is_saved =
                            frame.statuses.get(id).is_some_and(|status| !matches!(status, 204 | 205));
                        frame.download_due = is_saved.then(Instant::now);
                    }
                }
            }
            _ => {}
        }
    }
}

/// A navigation back or forward, or of a session that is restored.
fn is_restoring(params: &Value) -> bool {
    let kind = text(&params["navigationType"]);
    kind == "historyDifferentDocument" || kind.starts_with("restore")
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
