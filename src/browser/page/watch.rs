//! What is known of a page from the events it sends: its document, its contexts, its traffic.
//!
//! One task reads the session's events for as long as the page lives, so none pile up, and answers
//! what must be answered at once: document requests outside the allowed origins and dialogs.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::fetch::{ContinueRequestParams, FailRequestParams};
use chromiumoxide::cdp::browser_protocol::network::ErrorReason;
use chromiumoxide::cdp::browser_protocol::page::HandleJavaScriptDialogParams;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use super::urls;
use crate::browser::cdp::{Event, Events, Session};
use crate::domain::event::NetworkTotals;

/// The name of the world that the injected script lives in.
pub const WORLD: &str = "regatta";

const CONSOLE_LINES: usize = 500;

#[derive(Debug)]
pub struct State {
    pub main_frame: String,
    /// Of the main frame's document: the injected script's, and the page's own.
    pub world: Option<World>,
    pub page_world: Option<World>,
    pub document: Document,
    /// Documents and places inside a document that the main frame came to, the latest last.
    pub arrivals: VecDeque<Arrival>,
    /// How many there ever were.
    pub arrived: u64,
    /// A navigation of the main frame has begun and has neither come anywhere nor ended.
    pub leaving: bool,
    /// How many navigations of the main frame failed before they had a document, and how the last did.
    pub failed: u64,
    pub failure: String,
    /// The origin of a main-frame request that was stopped because it is not allowed.
    pub violation: Option<String>,
    /// Dialogs that were dismissed.
    pub dialogs: u64,
    pub last_dialog: String,
    pub totals: NetworkTotals,
    pub last_traffic: Instant,
    pub ended: Option<Ended>,
    /// Loader of each request that counts as activity.
    in_flight: HashMap<String, String>,
    /// HTTP status of main-frame documents by loader, until they are committed.
    statuses: HashMap<String, u16>,
    console: VecDeque<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct World {
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Gone,
    Crashed,
    Closed,
}

impl State {
    pub fn new(main_frame: String, document: Document) -> Self {
        Self {
            main_frame,
            world: None,
            page_world: None,
            document,
            arrivals: VecDeque::new(),
            arrived: 0,
            leaving: false,
            failed: 0,
            failure: String::new(),
            violation: None,
            dialogs: 0,
            last_dialog: String::new(),
            totals: NetworkTotals::default(),
            last_traffic: Instant::now(),
            ended: None,
            in_flight: HashMap::new(),
            statuses: HashMap::new(),
            console: VecDeque::new(),
        }
    }

    /// Nothing on its way for this long.
    pub fn is_quiet(&self, for_at_least: Duration) -> bool {
        self.in_flight.is_empty() && !self.leaving && self.last_traffic.elapsed() >= for_at_least
    }

    /// The main document is all there, as its server meant it.
    pub fn is_sound(&self) -> bool {
        self.document.loaded
            && !self.document.is_error_page
            && !self.leaving
            && self.document.status.is_none_or(|status| status < 400)
    }

    pub fn console(&self) -> String {
        self.console.iter().map(|line| format!("{line}\n")).collect()
    }

    pub fn note(&mut self, line: String) {
        if self.console.len() == CONSOLE_LINES {
            self.console.pop_front();
        }
        self.console.push_back(line);
    }

    fn arrive(&mut self, url: &str) {
        if self.arrivals.len() == 64 {
            self.arrivals.pop_front();
        }
        self.arrived += 1;
        let loader = self.document.loader.clone();
        self.arrivals.push_back(Arrival { number: self.arrived, loader, url: url.to_owned() });
        self.leaving = false;
    }

    fn is_main(&self, params: &Value) -> bool {
        params["frameId"].as_str() == Some(&self.main_frame)
    }

    fn apply(&mut self, method: &str, params: &Value, allowed: &[String]) {
        match method {
            "Runtime.executionContextCreated" => self.context_created(&params["context"]),
            "Runtime.executionContextDestroyed" => {
                let unique = params["executionContextUniqueId"].as_str();
                for world in [&mut self.world, &mut self.page_world] {
                    if world.as_ref().map(|world| world.unique.as_str()) == unique {
                        *world = None;
                    }
                }
            }
            "Runtime.executionContextsCleared" => (self.world, self.page_world) = (None, None),
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
            "Page.frameNavigated" if params["frame"]["parentId"].is_null() => {
                self.navigated(&params["frame"], &params["type"], allowed);
            }
            "Page.navigatedWithinDocument" if self.is_main(params) => {
                self.document.url = text(&params["url"]).to_owned();
                self.arrive(text(&params["url"]));
            }
            "Page.lifecycleEvent"
                if self.is_main(params)
                    && params["name"] == "load"
                    && text(&params["loaderId"]) == self.document.loader =>
            {
                self.document.loaded = true;
            }
            "Page.frameRequestedNavigation"
                if self.is_main(params)
                    && params["disposition"] == "currentTab"
                    && text(&params["url"]).starts_with("http") =>
            {
                self.leaving = true;
            }
            "Page.frameStoppedLoading" if self.is_main(params) => self.leaving = false,
            "Page.javascriptDialogOpening" => {
                self.dialogs += 1;
                self.last_dialog = text(&params["message"]).to_owned();
                self.note(format!("{} dialog, dismissed: {}", text(&params["type"]), self.last_dialog));
            }
            "Inspector.targetCrashed" => self.ended = Some(Ended::Crashed),
            _ if method.starts_with("Network.") => self.traffic(method, params),
            _ => {}
        }
    }

    fn context_created(&mut self, context: &Value) {
        let of = &context["auxData"];
        if !self.is_main(of) {
            return;
        }
        let Some(id) = context["id"].as_i64() else { return };
        let world = Some(World { unique: text(&context["uniqueId"]).to_owned(), id });
        if of["isDefault"] == true {
            self.page_world = world;
        } else if context["name"] == WORLD {
            self.world = world;
        }
    }

    fn navigated(&mut self, frame: &Value, kind: &Value, allowed: &[String]) {
        self.main_frame = text(&frame["id"]).to_owned();
        let loader = text(&frame["loaderId"]).to_owned();
        let url = format!("{}{}", text(&frame["url"]), text(&frame["urlFragment"]));
        let is_error_page = frame["unreachableUrl"].is_string();
        // Documents that no request was seen for: a service worker's, the back-forward cache's.
        if !is_error_page && !urls::is_blank(&url) && !urls::is_allowed(&url, allowed) {
            self.violation.get_or_insert(urls::origin(&url));
        }
        self.document = Document {
            status: self.statuses.remove(&loader),
            // Comes back with all its events behind it.
            loaded: *kind == "BackForwardCacheRestore",
            is_error_page,
            url,
            loader,
        };
        self.statuses.clear();
        // What the document before still had on its way is not this one's activity.
        self.in_flight.retain(|_, loader| *loader == self.document.loader);
        let url =
            if is_error_page { text(&frame["unreachableUrl"]).to_owned() } else { self.document.url.clone() };
        self.arrive(&url);
    }

    fn traffic(&mut self, method: &str, params: &Value) {
        let id = text(&params["requestId"]);
        match method {
            "Network.requestWillBeSent" => {
                let request = &params["request"];
                let url = text(&request["url"]);
                if url.starts_with("data:") || url.starts_with("blob:") {
                    return;
                }
                self.totals.requests += 1;
                let body = request["postData"].as_str().map_or(0, str::len);
                self.totals.bytes_sent += (text(&request["method"]).len() + url.len() + 12 + body) as u64;
                self.totals.bytes_received += length(&params["redirectResponse"]["encodedDataLength"]);
                let kind = text(&params["type"]);
                let loader = text(&params["loaderId"]);
                if kind == "Document" && self.is_main(params) && id == loader {
                    self.leaving = true;
                }
                // These never end, or nobody waits for them.
                if !matches!(
                    kind,
                    "EventSource" | "WebSocket" | "Ping" | "Prefetch" | "CSPViolationReport" | "Media"
                ) {
                    self.in_flight.insert(id.to_owned(), loader.to_owned());
                }
            }
            "Network.requestWillBeSentExtraInfo" => {
                let headers = params["headers"].as_object();
                let bytes: usize = headers
                    .into_iter()
                    .flatten()
                    .map(|(name, value)| name.len() + text(value).len() + 4)
                    .sum();
                self.totals.bytes_sent += bytes as u64;
                return;
            }
            "Network.responseReceived" => {
                if params["type"] == "Document" && self.is_main(params) && id == text(&params["loaderId"]) {
                    let status =
                        params["response"]["status"].as_u64().and_then(|status| u16::try_from(status).ok());
                    if id == self.document.loader {
                        self.document.status = status;
                    } else if let Some(status) = status {
                        self.statuses.insert(id.to_owned(), status);
                    }
                }
            }
            "Network.loadingFinished" => {
                self.in_flight.remove(id);
                self.totals.bytes_received += length(&params["encodedDataLength"]);
            }
            "Network.loadingFailed" => {
                let loader = self.in_flight.remove(id);
                if params["canceled"] != true {
                    self.totals.failed += 1;
                    self.note(format!("failed: {} ({})", text(&params["errorText"]), text(&params["type"])));
                }
                // A navigation that was replaced by another one is cancelled: no failure of the page.
                if params["type"] == "Document" && loader.as_deref() == Some(id) {
                    self.leaving = false;
                    if params["canceled"] != true {
                        self.failed += 1;
                        self.failure = text(&params["errorText"]).to_owned();
                    }
                }
            }
            _ => return,
        }
        self.last_traffic = Instant::now();
    }
}

/// Reads the page's events until there are no more.
pub async fn watch(session: Session, mut events: Events, state: watch::Sender<State>, allowed: Vec<String>) {
    while let Some(Event { method, params, .. }) = events.recv().await {
        match method.as_str() {
            "Fetch.requestPaused" => decide(&session, &params, &state, &allowed),
            "Page.javascriptDialogOpening" => {
                // Staying on a page that asks "leave?" would hang the navigation the flow wants.
                let accept = params["type"] == "beforeunload";
                drop(session.send(HandleJavaScriptDialogParams::new(accept)));
            }
            _ => {}
        }
        state.send_modify(|state| state.apply(&method, &params, &allowed));
    }
    let connection_ended = tokio::time::timeout(Duration::from_millis(200), session.gone()).await.is_ok();
    state.send_modify(|state| {
        state.ended.get_or_insert(if connection_ended { Ended::Gone } else { Ended::Closed });
    });
}

/// A document is about to be requested, redirects included. The answers are not waited for.
fn decide(session: &Session, params: &Value, state: &watch::Sender<State>, allowed: &[String]) {
    let request = text(&params["requestId"]).to_owned();
    let url = text(&params["request"]["url"]);
    let is_main = state.borrow().is_main(params);
    if is_main && !urls::is_blank(url) && !urls::is_allowed(url, allowed) {
        state.send_modify(|state| {
            state.violation.get_or_insert(urls::origin(url));
        });
        drop(session.send(FailRequestParams::new(request, ErrorReason::BlockedByClient)));
    } else {
        drop(session.send(ContinueRequestParams::new(request)));
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn length(value: &Value) -> u64 {
    value.as_f64().filter(|length| *length > 0.0).unwrap_or(0.0) as u64
}

fn console_text(argument: &Value) -> String {
    match &argument["value"] {
        Value::String(text) => text.clone(),
        Value::Null => text(&argument["description"]).to_owned(),
        other => other.to_string(),
    }
}
