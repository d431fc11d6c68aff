//! The task that reads a page's events while the page lives, and answers at once what must be answered:
//! document requests, dialogs, new tabs and new frames.
//!
//! The browser pauses each new tab and frame until it is equipped, so no document of a new tab is requested
//! before it is guarded.

use chromiumoxide::cdp::browser_protocol::emulation::SetFocusEmulationEnabledParams;
use chromiumoxide::cdp::browser_protocol::fetch::{ContinueRequestParams, FailRequestParams};
use chromiumoxide::cdp::browser_protocol::network::{self as cdp_network, ErrorReason};
use chromiumoxide::cdp::browser_protocol::page::{
    self as cdp_page, AddScriptToEvaluateOnNewDocumentParams, GetFrameTreeParams,
    HandleJavaScriptDialogParams, SetLifecycleEventsEnabledParams,
};
use chromiumoxide::cdp::browser_protocol::target::{
    DetachFromTargetParams, FilterEntry, SetAutoAttachParams, TargetFilter,
};
use chromiumoxide::cdp::js_protocol::runtime::{self, RunIfWaitingForDebuggerParams};
use futures::future::try_join_all;
use serde_json::Value;
use tokio::sync::{mpsc, watch};

use crate::connection::{CdpError, CdpEvent, CdpSession, Connection, EventSink};
use crate::error::PageEnd;
use crate::input::{emulate, guard};
use crate::network::{block, prompts};
use crate::script;
use crate::state::tabs::is_internal;
use crate::state::urls;
use crate::state::{Dialog, Download, DownloadProgress, PageState, TabSettings, WORLD, text};
use regatta_core::workflow::dialog::DialogPolicy;

pub struct PageWatcher {
    pub connection: Connection,
    pub events: EventSink,
    pub state: watch::Sender<PageState>,
    pub allowed: Vec<String>,
    /// The browser was started for this page alone.
    pub owns_browser: bool,
}

impl PageWatcher {
    pub async fn watch(self, mut events: mpsc::UnboundedReceiver<CdpEvent>) {
        let gone = self.connection.gone();
        tokio::pin!(gone);
        loop {
            tokio::select! {
                biased;
                Some(event) = events.recv() => self.handle(&event),
                () = &mut gone => break,
            }
        }
        self.state.send_modify(|state| state.is_gone = true);
    }

    fn handle(&self, CdpEvent { method, params, session_id }: &CdpEvent) {
        let Some(id) = session_id else {
            if method == "Fetch.requestPaused" {
                return self.request_paused(&self.connection.browser(), params);
            }
            return self.browser_event(method, params);
        };
        let session = self.connection.session(id);
        match method.as_str() {
            "Fetch.requestPaused" => return self.request_paused(&session, params),
            "Fetch.authRequired" => {
                self.state.send_modify(|state| drop(session.send(state.sign_in(params))));
                return;
            }
            "Page.javascriptDialogOpening" => return self.answer_dialog(&session, params),
            "Target.attachedToTarget" => return self.frame_began(params),
            // A document that comes back from the cache brings its frames without telling of them.
            "Page.frameNavigated" if params["type"] == "BackForwardCacheRestore" => {
                session.send_to_listeners(&GetFrameTreeParams::default());
            }
            "Page.frameNavigated" if params["frame"]["parentId"].is_null() => {
                prompts::refuse_passkeys(&session, &self.state.borrow().settings);
            }
            _ => {}
        }
        self.state.send_modify(|state| state.apply(&session, method, params, &self.allowed));
        // A tab that turns out to be the browser's own, or one of its pages that does not load.
        let urls = [&params["frame"]["url"], &params["frame"]["unreachableUrl"]];
        if method == "Page.frameNavigated" && urls.into_iter().any(|url| is_internal(text(url))) {
            let tab = self.state.borrow().tab_of_session(id);
            if tab.is_some_and(|tab| tab > 0) {
                self.let_go(id);
            }
        }
    }

    fn browser_event(&self, method: &str, params: &Value) {
        match method {
            "Target.attachedToTarget" => self.tab_began(params),
            "Target.detachedFromTarget" => self.state.send_modify(|state| {
                if let Some(tab) = state.tab_of_session(text(&params["sessionId"])) {
                    state.end_tab(tab, PageEnd::Closed);
                }
            }),
            "Browser.downloadWillBegin" => self.state.send_modify(|state| {
                let download = Download {
                    id: text(&params["guid"]).to_owned(),
                    name: text(&params["suggestedFilename"]).to_owned(),
                    bytes: 0,
                    progress: DownloadProgress::UnderWay,
                };
                state.begin_download(text(&params["frameId"]), download);
            }),
            "Browser.downloadProgress" => self.state.send_modify(|state| {
                let id = text(&params["guid"]);
                let Some(download) = state.downloads.iter_mut().find(|download| download.id == id) else {
                    return;
                };
                download.bytes = params["receivedBytes"].as_f64().unwrap_or(0.0) as u64;
                download.progress = match text(&params["state"]) {
                    "completed" => DownloadProgress::Done,
                    "canceled" => DownloadProgress::Failed,
                    _ => DownloadProgress::UnderWay,
                };
            }),
            _ => {}
        }
    }

    /// A tab of the browser, perhaps the page's own, has a session. A session that is not read would block its tab.
    fn tab_began(&self, params: &Value) {
        let target = &params["targetInfo"];
        let id = text(&params["sessionId"]);
        let session = self.connection.session(id);
        let mut is_followed = false;
        self.state.send_modify(|state| is_followed = state.follows_tab(params, self.owns_browser));
        if !is_followed {
            drop(session.send(RunIfWaitingForDebuggerParams::default()));
            self.let_go(id);
            // A second session of a tab takes its authenticators back as it ends.
            let state = self.state.borrow();
            if let Some(tab) = state.open_tabs().find(|tab| tab.main_frame == text(&target["targetId"])) {
                prompts::refuse_passkeys(&tab.session, &state.settings);
            }
            return;
        }
        if self.connection.adopt(id, &self.events).is_err() {
            return;
        }
        self.state.send_modify(|state| {
            let opened_by = state.opener_of(target, &self.allowed);
            state.open_tab(session.clone(), text(&target["targetId"]).to_owned(), opened_by);
        });
        drop(equip_tab(&session, &self.state.borrow().settings));
        drop(session.send(RunIfWaitingForDebuggerParams::default()));
    }

    fn let_go(&self, session: &str) {
        let detach = DetachFromTargetParams { session_id: Some(session.to_owned().into()) };
        drop(self.connection.browser().send(detach));
    }

    /// A frame of another site has a process of its own.
    fn frame_began(&self, params: &Value) {
        let target = &params["targetInfo"];
        let Ok(session) = self.connection.adopt(text(&params["sessionId"]), &self.events) else { return };
        let (frame, parent) = (text(&target["targetId"]), text(&target["parentFrameId"]));
        self.state.send_modify(|state| state.host_frame(frame, parent, session.clone()));
        drop(equip(&session, &self.state.borrow().settings));
        drop(session.send(RunIfWaitingForDebuggerParams::default()));
    }

    /// Continues, blocks or delays a request that is about to be sent, redirects included.
    fn request_paused(&self, session: &CdpSession, params: &Value) {
        let request = text(&params["requestId"]).to_owned();
        let url = text(&params["request"]["url"]);
        // Only documents are checked. Other requests are paused to be blocked, or because their server may ask for
        // a user and a password.
        let kind = text(&params["resourceType"]);
        if kind != "Document" {
            let is_blocked = block::is_blocked(&self.state.borrow().settings.block, kind);
            return if is_blocked {
                drop(session.send(FailRequestParams::new(request, ErrorReason::BlockedByClient)));
            } else {
                drop(session.send(ContinueRequestParams::new(request)));
            };
        }
        let frame = text(&params["frameId"]);
        let tab = self.state.borrow().tabs.iter().position(|tab| tab.main_frame == frame);
        let is_guarded = |tab: &usize| !urls::is_blank(url) && (*tab == 0 || !is_internal(url));
        match tab.filter(|tab| is_guarded(tab) && !urls::is_allowed(url, &self.allowed)) {
            Some(tab) => {
                self.state.send_modify(|state| {
                    let origin = urls::origin(url);
                    if tab > 0 {
                        state.note(format!(
                            "a new tab was kept from {origin}, which is not in allowed_origins"
                        ));
                    }
                    state.tabs[tab].violation.get_or_insert(origin);
                });
                drop(session.send(FailRequestParams::new(request, ErrorReason::BlockedByClient)));
            }
            None => {
                // A document has a request of the network; what a link with `download` asks for has none.
                if session.id().is_some() && params["networkId"].is_null() {
                    self.state.send_modify(|state| state.expect_download(frame));
                }
                self.continue_in_turn(session, request, text(&params["networkId"]), url);
            }
        }
    }

    /// Continues the request of a document when the pace allows it.
    fn continue_in_turn(&self, session: &CdpSession, request: String, of: &str, url: &str) {
        let go_on = ContinueRequestParams::new(request);
        let mut turn = None;
        if self.state.borrow().settings.pace.is_some() {
            self.state.send_if_modified(|state| {
                if let Some(pace) = &state.settings.pace
                    && state.admitted.is_new(of, url)
                {
                    turn = pace.turn(url);
                }
                false
            });
        }
        match turn {
            Some(turn) => {
                let session = session.clone();
                tokio::spawn(async move {
                    turn.await;
                    drop(session.send(go_on));
                });
            }
            None => drop(session.send(go_on)),
        }
    }

    fn answer_dialog(&self, session: &CdpSession, params: &Value) {
        let kind = text(&params["type"]);
        let policy = self.state.borrow().settings.dialogs.clone();
        // Staying on a page that asks "leave?" would hang the navigation the flow wants.
        let accepted = kind == "beforeunload" || policy != DialogPolicy::Dismiss;
        let mut answer = HandleJavaScriptDialogParams::new(accepted);
        if kind == "prompt" {
            answer.prompt_text = match policy {
                DialogPolicy::Dismiss => None,
                // As a person who only presses OK.
                DialogPolicy::Accept => Some(text(&params["defaultPrompt"]).to_owned()),
                DialogPolicy::AcceptWith(text) => Some(text),
            };
        }
        drop(session.send(answer));
        self.state.send_modify(|state| {
            let dialog =
                Dialog { kind: kind.to_owned(), message: text(&params["message"]).to_owned(), accepted };
            state.note(dialog.to_string());
            state.dialogs.push(dialog);
        });
    }
}

/// Sends everything that a tab needs before its first document. Queued when this is called; the future waits
/// for the answers.
pub fn equip_tab(
    session: &CdpSession,
    settings: &TabSettings,
) -> impl Future<Output = Result<(), CdpError>> + use<> {
    let viewport = settings.viewport.as_ref().map(|viewport| emulate::viewport(session, viewport));
    prompts::refuse_passkeys(session, settings);
    let equipped = equip(session, settings);
    async move {
        if let Some(viewport) = viewport {
            viewport.await?;
        }
        equipped.await
    }
}

/// Sends what tabs and frames with a process of their own need.
fn equip(session: &CdpSession, settings: &TabSettings) -> impl Future<Output = Result<(), CdpError>> + use<> {
    let guarded = settings.guarded_until.map(guard::guarded_until).unwrap_or_default();
    let mut script = AddScriptToEvaluateOnNewDocumentParams::new(guarded + script::SOURCE);
    script.world_name = Some(WORLD.to_owned());
    script.run_immediately = Some(true);
    let conditions = settings.conditions.as_ref().map(|conditions| emulate::conditions(session, conditions));
    let enabled = session.send(cdp_page::EnableParams::default());
    // A document may have arrived before this, though its frame is paused: a frame that changes its process
    // receives the commands of its first process late. The document's lifecycle is reported again when its
    // events are enabled, below.
    session.send_to_listeners(&GetFrameTreeParams::default());
    let answers = (
        enabled,
        // Also where another tab or window is in front: each process has its own focus.
        session.send(SetFocusEmulationEnabledParams::new(true)),
        session.send(runtime::EnableParams::default()),
        session.send(cdp_network::EnableParams::default()),
        session.send(SetLifecycleEventsEnabledParams::new(true)),
        session.send(script),
        session.send(auto_attach("iframe")),
        session.send(block::interception(settings)),
        session.send(block::blocked_urls(&settings.block)),
    );
    async move {
        try_join_all(conditions).await?;
        answers.0.await?;
        answers.1.await?;
        answers.2.await?;
        answers.3.await?;
        answers.4.await?;
        answers.5.await?;
        answers.6.await?;
        answers.7.await?;
        answers.8.await?;
        Ok(())
    }
}

/// Attaches to new targets of one kind, which stay paused until they are resumed.
pub fn auto_attach(kind: &str) -> SetAutoAttachParams {
    let mut params = SetAutoAttachParams::new(true, true);
    params.flatten = Some(true);
    let only = FilterEntry { exclude: None, r#type: Some(kind.to_owned()) };
    params.filter = Some(TargetFilter::new(vec![only]));
    params
}

impl std::fmt::Display for Dialog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let done = if self.accepted { "accepted" } else { "dismissed" };
        write!(f, "{} dialog, {done}: {}", self.kind, self.message)
    }
}
