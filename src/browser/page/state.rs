//! What the page's events say of it: folded by one task, watched by whoever waits.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use chromiumoxide::cdp::browser_protocol::fetch::{ContinueRequestParams, FailRequestParams, RequestId};
use chromiumoxide::cdp::browser_protocol::network::ErrorReason;
use chromiumoxide::cdp::browser_protocol::page::HandleJavaScriptDialogParams;
use serde_json::Value;
use tokio::sync::{mpsc, watch};

use crate::browser::cdp::{RawEvent, Session};
use crate::domain::event::NetworkTotals;

/// The isolated world of the injected script.
pub(super) const WORLD: &str = "regatta";
const CONSOLE_LINES: usize = 200;
/// Traffic that never ends by itself says nothing about whether a page is ready.
const ENDLESS: [&str; 5] = ["EventSource", "WebSocket", "Ping", "Media", "Prefetch"];

#[derive(Debug, Default)]
pub(super) struct PageState {
    pub main_frame: String,
    /// Counts committed navigations of the main frame, those within a document included.
    pub navigations: u64,
    pub url: String,
    /// Loader of the document that is shown, and of the last one whose load event was seen.
    pub loader: String,
    pub loaded: String,
    /// HTTP status of main documents by loader; the last few.
    statuses: HashMap<String, u16>,
    /// The injected script's context in the main frame.
    pub context: Option<String>,
    pub main_context: Option<String>,
    /// A main-frame navigation that was refused, by its URL.
    pub refused: Option<String>,
    pub console: VecDeque<String>,
    pub crashed: bool,
    pub totals: NetworkTotals,
    in_flight: HashMap<String, ()>,
    last_traffic: Option<Instant>,
}

impl PageState {
    pub fn is_loaded(&self) -> bool {
        self.loaded == self.loader
    }

    /// `None` for documents that came without HTTP (`about:blank`).
    pub fn status(&self) -> Option<u16> {
        self.statuses.get(&self.loader).copied()
    }

    pub fn is_quiet(&self, for_at_least: Duration) -> bool {
        self.in_flight.is_empty() && self.last_traffic.is_none_or(|at| at.elapsed() >= for_at_least)
    }

    /// Whether a "no" of this page can be believed: it has loaded, without an error, and is quiet.
    pub fn can_say_no(&self) -> bool {
        self.is_loaded() && self.status().is_none_or(|status| status < 400) && self.is_quiet(QUIET)
    }

    fn note(&mut self, line: String) {
        if self.console.len() == CONSOLE_LINES {
            self.console.pop_front();
        }
        self.console.push_back(line);
    }
}

/// Without traffic for so long, a page is taken to have nothing under way.
pub(super) const QUIET: Duration = Duration::from_millis(300);

/// Folds events until the connection ends. Answers at once what would hold the page up: document
/// requests, which are let through or refused by their origin, and dialogs, which are dismissed.
pub(super) async fn follow(
    mut events: mpsc::UnboundedReceiver<RawEvent>,
    session: Session,
    state: watch::Sender<PageState>,
    allowed_origins: Vec<String>,
) {
    while let Some(event) = events.recv().await {
        match event.method.as_str() {
            "Fetch.requestPaused" => answer_request(&event.params, &session, &state, &allowed_origins),
            "Page.javascriptDialogOpening" => answer_dialog(&event.params, &session, &state),
            _ => {
                state.send_if_modified(|state| fold(state, &event));
            }
        }
    }
    state.send_modify(|state| state.crashed = true);
}

fn answer_request(params: &Value, session: &Session, state: &watch::Sender<PageState>, allowed: &[String]) {
    let id = RequestId::from(text(params, "/requestId").to_owned());
    let url = text(params, "/request/url");
    let of_page = text(params, "/frameId") == state.borrow().main_frame;
    // The answer matters to the page, not to us: if it is gone there is nothing to let through.
    if of_page && !origin_allowed(url, allowed) {
        state.send_modify(|state| state.refused = Some(url.to_owned()));
        tokio::spawn(session.send(FailRequestParams::new(id, ErrorReason::BlockedByClient)));
    } else {
        tokio::spawn(session.send(ContinueRequestParams::new(id)));
    }
}

fn answer_dialog(params: &Value, session: &Session, state: &watch::Sender<PageState>) {
    let kind = text(params, "/type");
    // A page that asks whether to be left is left.
    let accept = kind == "beforeunload";
    let said = if accept { "accepted" } else { "dismissed" };
    state.send_modify(|state| state.note(format!("[dialog] {kind} {said}: {}", text(params, "/message"))));
    tokio::spawn(session.send(HandleJavaScriptDialogParams::new(accept)));
}

pub(super) fn origin_allowed(url: &str, allowed: &[String]) -> bool {
    let Ok(url) = url::Url::parse(url) else { return false };
    let origin = url.origin();
    origin.is_tuple() && allowed.contains(&origin.ascii_serialization())
}

/// Whether anything changed that somebody may wait for.
fn fold(state: &mut PageState, event: &RawEvent) -> bool {
    let params = &event.params;
    match event.method.as_str() {
        "Page.frameNavigated" => {
            if params.pointer("/frame/parentId").is_some() {
                return false;
            }
            state.main_frame = text(params, "/frame/id").to_owned();
            state.loader = text(params, "/frame/loaderId").to_owned();
            state.url = format!("{}{}", text(params, "/frame/url"), text(params, "/frame/urlFragment"));
            state.navigations += 1;
        }
        "Page.navigatedWithinDocument" if text(params, "/frameId") == state.main_frame => {
            state.url = text(params, "/url").to_owned();
            state.navigations += 1;
        }
        "Page.lifecycleEvent" if text(params, "/frameId") == state.main_frame => {
            if text(params, "/name") != "load" {
                return false;
            }
            state.loaded = text(params, "/loaderId").to_owned();
        }
        "Runtime.executionContextCreated" => {
            if text(params, "/context/auxData/frameId") != state.main_frame {
                return false;
            }
            let id = text(params, "/context/uniqueId").to_owned();
            if text(params, "/context/name") == WORLD {
                state.context = Some(id);
            } else if params.pointer("/context/auxData/isDefault") == Some(&Value::Bool(true)) {
                state.main_context = Some(id);
            }
        }
        "Runtime.executionContextDestroyed" => {
            let id = text(params, "/executionContextUniqueId");
            for context in [&mut state.context, &mut state.main_context] {
                context.take_if(|context| context == id);
            }
        }
        "Runtime.executionContextsCleared" => {
            state.context = None;
            state.main_context = None;
        }
        "Runtime.consoleAPICalled" => {
            let words: Vec<_> = params["args"].as_array().into_iter().flatten().map(console_word).collect();
            state.note(format!("[{}] {}", text(params, "/type"), words.join(" ")));
            return false;
        }
        "Runtime.exceptionThrown" => {
            let details = &params["exceptionDetails"];
            let what = details.pointer("/exception/description").and_then(Value::as_str);
            state.note(format!("[exception] {}", what.unwrap_or(text(details, "/text"))));
            return false;
        }
        "Log.entryAdded" => {
            let line = format!(
                "[{}] {} {}",
                text(params, "/entry/level"),
                text(params, "/entry/text"),
                text(params, "/entry/url")
            );
            state.note(line);
            return false;
        }
        "Inspector.targetCrashed" => state.crashed = true,
        _ => return fold_network(state, event),
    }
    true
}

fn fold_network(state: &mut PageState, event: &RawEvent) -> bool {
    let params = &event.params;
    let id = text(params, "/requestId");
    match event.method.as_str() {
        "Network.requestWillBeSent" => {
            if params.get("redirectResponse").is_none() {
                state.totals.requests += 1;
            }
            let body = text(params, "/request/postData").len() as u64;
            state.totals.bytes_sent += body + text(params, "/request/url").len() as u64;
            if !ENDLESS.contains(&text(params, "/type")) {
                state.in_flight.insert(id.to_owned(), ());
            }
        }
        "Network.responseReceived" => {
            let loader = text(params, "/loaderId");
            if text(params, "/type") == "Document" && text(params, "/frameId") == state.main_frame {
                let status = params.pointer("/response/status").and_then(Value::as_u64).unwrap_or(0);
                if state.statuses.len() > 16 {
                    state.statuses.clear();
                }
                state.statuses.insert(loader.to_owned(), status as u16);
            }
        }
        "Network.loadingFinished" => {
            state.in_flight.remove(id);
            let bytes = params["encodedDataLength"].as_f64().unwrap_or(0.0);
            state.totals.bytes_received += bytes.max(0.0) as u64;
        }
        "Network.loadingFailed" => {
            state.in_flight.remove(id);
            state.totals.failed += 1;
        }
        _ => return false,
    }
    state.last_traffic = Some(Instant::now());
    true
}

fn console_word(argument: &Value) -> String {
    match argument.get("value").or_else(|| argument.get("description")) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => text(argument, "/type").to_owned(),
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
