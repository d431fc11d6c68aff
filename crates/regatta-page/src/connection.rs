//! One connection to one browser, and the flat sessions on it.
//!
//! Only the typed commands are chromiumoxide's. Its own browser handler initialises every target by its
//! own ideas and waits for the loads of frames, and its socket holds a second command back until the
//! first is acknowledged (it leaves Nagle's algorithm on), so neither is used.
//!
//! One task owns the socket. Commands are queued when the future of [`CdpSession::send`] is *made*, not when
//! it is first polled: sends made in a row travel together, in one write.

use std::borrow::Cow;
use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use async_tungstenite::WebSocketStream;
use async_tungstenite::tokio::{TokioAdapter, client_async_with_config};
use async_tungstenite::tungstenite::Message;
use async_tungstenite::tungstenite::protocol::WebSocketConfig;
use chromiumoxide::cdp::browser_protocol::target::{AttachToTargetParams, SessionId};
use chromiumoxide::types::{Command, MethodId};
use futures::{SinkExt as _, StreamExt as _};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};

/// A renderer that hangs never answers; the caller must not hang with it.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(30);

#[derive(Debug, thiserror::Error)]
pub enum CdpError {
    #[error("cannot connect to the browser: {0}")]
    Connect(String),
    /// The connection ended; so, as a rule, did the browser.
    #[error("the browser is gone")]
    Gone,
    /// The page was closed, or its process was replaced.
    #[error("the page is gone")]
    Detached,
    #[error("{method} was not answered within {} s", ANSWER_WITHIN.as_secs())]
    TimedOut { method: Cow<'static, str> },
    #[error("{method} was refused: {message}")]
    Refused { method: Cow<'static, str>, message: String },
    #[error("{method} was answered in a form this version does not know")]
    Malformed { method: Cow<'static, str>, source: serde_json::Error },
}

/// An event as the browser sent it. Subscribers read it leniently, field by field: the typed events fail as a
/// whole on a variant that is younger than the crate.
#[derive(Debug, Clone)]
pub struct CdpEvent {
    pub method: String,
    /// `None`: the browser's own.
    pub session_id: Option<String>,
    pub params: Value,
}

/// Receives every event of one or several sessions, in the order the browser sent them. It grows while it is
/// not read: a subscriber reads it, or drops the other end.
pub type EventSink = mpsc::UnboundedSender<CdpEvent>;

/// Cheap to clone. It ends when the last clone and the last session are dropped.
#[derive(Debug, Clone)]
pub struct Connection {
    orders: mpsc::UnboundedSender<ConnectionRequest>,
    gone: watch::Receiver<bool>,
}

/// A page's (or, without an id, the browser's) end of the connection. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CdpSession {
    connection: Connection,
    id: Option<SessionId>,
}

enum ConnectionRequest {
    Call { method: MethodId, session: Option<SessionId>, params: Value, answer: ReplyTo },
    Subscribe { session: Option<String>, events: EventSink },
}

enum ReplyTo {
    Caller(oneshot::Sender<Result<Value, CdpError>>),
    /// The subscribers of the session.
    Listeners,
}

type Socket = WebSocketStream<TokioAdapter<TcpStream>>;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CommandMessage<'a> {
    id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a str>,
    method: &'a str,
    params: &'a Value,
}

/// An answer, which has an id, or an event, which has a method.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IncomingMessage {
    id: Option<u64>,
    #[serde(default)]
    result: Value,
    error: Option<ProtocolError>,
    method: Option<String>,
    session_id: Option<String>,
    #[serde(default)]
    params: Value,
}

#[derive(Deserialize)]
struct ProtocolError {
    #[serde(default)]
    message: String,
}

struct PendingCall {
    method: MethodId,
    session: Option<String>,
    answer: ReplyTo,
}

impl Connection {
    /// `url` as in `/json/version` or `DevToolsActivePort`: `ws://127.0.0.1:9222/devtools/browser/…`.
    pub async fn connect(url: &str) -> Result<Self, CdpError> {
        let socket = match tokio::time::timeout(ANSWER_WITHIN, open(url)).await {
            Ok(Ok(socket)) => socket,
            Ok(Err(error)) => return Err(CdpError::Connect(error)),
            Err(_) => return Err(CdpError::Connect("no answer".to_owned())),
        };
        let (orders, received) = mpsc::unbounded_channel();
        let (gone, is_gone) = watch::channel(false);
        tokio::spawn(async move {
            serve(socket, received).await;
            let _ = gone.send(true);
        });
        Ok(Self { orders, gone: is_gone })
    }

    pub fn browser(&self) -> CdpSession {
        CdpSession { connection: self.clone(), id: None }
    }

    pub async fn attach(&self, target: &str, events: &EventSink) -> Result<CdpSession, CdpError> {
        let mut attach = AttachToTargetParams::new(target.to_owned());
        attach.flatten = Some(true);
        let id = self.browser().send(attach).await?.session_id;
        self.adopt(id.inner(), events)
    }

    /// Adopts a session that the browser has attached automatically. No event is lost in between: a session is
    /// silent until a domain is enabled.
    pub fn adopt(&self, session: &str, events: &EventSink) -> Result<CdpSession, CdpError> {
        self.subscribe(Some(session.to_owned()), events)?;
        Ok(self.session(session))
    }

    pub fn session(&self, id: &str) -> CdpSession {
        CdpSession { connection: self.clone(), id: Some(SessionId::new(id)) }
    }

    /// The events of the browser itself.
    pub fn listen(&self, events: &EventSink) -> Result<(), CdpError> {
        self.subscribe(None, events)
    }

    fn subscribe(&self, session: Option<String>, events: &EventSink) -> Result<(), CdpError> {
        let order = ConnectionRequest::Subscribe { session, events: events.clone() };
        self.orders.send(order).map_err(|_| CdpError::Gone)
    }

    pub fn is_gone(&self) -> bool {
        *self.gone.borrow() || self.orders.is_closed()
    }

    /// Ready when the connection has ended.
    pub fn gone(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut gone = self.gone.clone();
        async move {
            // A dropped sender means the task ended, which is what is waited for.
            let _ = gone.wait_for(|gone| *gone).await;
        }
    }
}

impl CdpSession {
    pub fn id(&self) -> Option<&str> {
        self.id.as_ref().map(|id| id.inner().as_str())
    }

    /// Queues the command now; the future is only the answer.
    pub fn send<C: Command>(
        &self,
        command: C,
    ) -> impl Future<Output = Result<C::Response, CdpError>> + Send + use<C> {
        let method = command.identifier();
        let answer = self.queue(&command);
        async move {
            let value = answer.await?;
            C::response_from_value(value).map_err(|source| CdpError::Malformed { method, source })
        }
    }

    /// Like [`Self::send`], with the answer read into a type of the caller's: for answers whose typed form would
    /// fail on variants younger than the crate, or is much larger than what is wanted of it.
    pub fn send_as<C: Command, R: DeserializeOwned>(
        &self,
        command: C,
    ) -> impl Future<Output = Result<R, CdpError>> + Send + use<C, R> {
        let method = command.identifier();
        let answer = self.queue(&command);
        async move {
            let value = answer.await?;
            serde_json::from_value(value).map_err(|source| CdpError::Malformed { method, source })
        }
    }

    /// Like [`Self::send_as`], for a command that is answered only when a server has answered: the caller bounds the wait.
    pub fn send_unbounded<C: Command, R: DeserializeOwned>(
        &self,
        command: C,
    ) -> impl Future<Output = Result<R, CdpError>> + Send + use<C, R> {
        let method = command.identifier();
        let (answer, answered) = oneshot::channel();
        let queued = self.order(&command, ReplyTo::Caller(answer));
        async move {
            queued?;
            let value = answered.await.map_err(|_| CdpError::Gone)??;
            serde_json::from_value(value).map_err(|source| CdpError::Malformed { method, source })
        }
    }

    /// Sends a command whose answer arrives among the session's events, as an event with the command's name, in
    /// the browser's order. A refusal is dropped.
    pub fn send_to_listeners<C: Command>(&self, command: &C) {
        // A connection that has ended sends no events.
        let _ = self.order(command, ReplyTo::Listeners);
    }

    fn queue<C: Command>(
        &self,
        command: &C,
    ) -> impl Future<Output = Result<Value, CdpError>> + Send + use<C> {
        let method = command.identifier();
        let (answer, answered) = oneshot::channel();
        let queued = self.order(command, ReplyTo::Caller(answer));
        async move {
            queued?;
            match tokio::time::timeout(ANSWER_WITHIN, answered).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) => Err(CdpError::Gone),
                Err(_) => Err(CdpError::TimedOut { method }),
            }
        }
    }

    fn order<C: Command>(&self, command: &C, answer: ReplyTo) -> Result<(), CdpError> {
        let method = command.identifier();
        let params = serde_json::to_value(command)
            .map_err(|source| CdpError::Malformed { method: method.clone(), source })?;
        let order = ConnectionRequest::Call { method, session: self.id.clone(), params, answer };
        self.connection.orders.send(order).map_err(|_| CdpError::Gone)
    }
}

impl ReplyTo {
    fn is_wanted(&self) -> bool {
        match self {
            Self::Caller(caller) => !caller.is_closed(),
            Self::Listeners => true,
        }
    }

    fn refuse(self, error: CdpError) {
        if let Self::Caller(caller) = self {
            let _ = caller.send(Err(error));
        }
    }
}

async fn open(url: &str) -> Result<Socket, String> {
    let parsed = url::Url::parse(url).map_err(|error| format!("`{url}` is no address: {error}"))?;
    if parsed.scheme() != "ws" {
        return Err(format!("`{url}` does not begin with ws://"));
    }
    let host = parsed.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = parsed.port_or_known_default().unwrap_or_default();
    let stream = TcpStream::connect((host, port)).await.map_err(|error| error.to_string())?;
    // A command is small: it would wait for the acknowledgement of the one before.
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    // A picture of a page may be large.
    let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
    let (socket, _) =
        client_async_with_config(url, stream, Some(config)).await.map_err(|error| error.to_string())?;
    Ok(socket)
}

async fn serve(socket: Socket, mut orders: mpsc::UnboundedReceiver<ConnectionRequest>) {
    let (mut sending, mut incoming) = socket.split();
    let mut calls = CallTable::default();
    let mut unsent = false;
    loop {
        tokio::select! {
            // Requests first: all that are queued go into one write.
            biased;
            order = orders.recv() => match order {
                None => return,
                Some(ConnectionRequest::Subscribe { session, events }) => calls.subscribe(session, events),
                Some(ConnectionRequest::Call { method, session, params, answer }) => {
                    if let Some(call) = calls.make(method, session, &params, answer) {
                        if sending.feed(Message::text(call)).await.is_err() {
                            return;
                        }
                        unsent = true;
                    }
                }
            },
            sent = sending.flush(), if unsent => match sent {
                Ok(()) => unsent = false,
                Err(_) => return,
            },
            received = incoming.next() => match received {
                Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
                    Ok(message) => calls.receive(message),
                    // Such a message is lost alone; its text may hold values of the page.
                    Err(_) => tracing::debug!("skipped a message of the browser that could not be read"),
                },
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                // Pings are answered by the codec, with the next write.
                Some(Ok(_)) => unsent = true,
            },
        }
    }
}

/// Commands that wait for their answers, and the subscribers of events.
#[derive(Default)]
struct CallTable {
    made: u64,
    pending: HashMap<u64, PendingCall>,
    sinks: HashMap<Option<String>, Vec<EventSink>>,
}

impl CallTable {
    fn subscribe(&mut self, session: Option<String>, events: EventSink) {
        self.sinks.entry(session).or_default().push(events);
    }

    /// The text to send.
    fn make(
        &mut self,
        method: MethodId,
        session: Option<SessionId>,
        params: &Value,
        answer: ReplyTo,
    ) -> Option<String> {
        self.made += 1;
        let session = session.map(|id| id.inner().clone());
        let call = CommandMessage { id: self.made, session_id: session.as_deref(), method: &method, params };
        match serde_json::to_string(&call) {
            Ok(text) => {
                if self.pending.len() > 256 {
                    self.pending.retain(|_, call| call.answer.is_wanted());
                }
                self.pending.insert(self.made, PendingCall { method, session, answer });
                Some(text)
            }
            Err(source) => {
                answer.refuse(CdpError::Malformed { method, source });
                None
            }
        }
    }

    fn receive(&mut self, message: IncomingMessage) {
        if let Some(call) = message.id.and_then(|id| self.pending.remove(&id)) {
            match call.answer {
                ReplyTo::Caller(caller) => {
                    let _ = caller.send(read_answer(&call.method, message));
                }
                ReplyTo::Listeners if message.error.is_none() => self.emit(&CdpEvent {
                    method: call.method.into_owned(),
                    session_id: call.session,
                    params: message.result,
                }),
                ReplyTo::Listeners => {}
            }
            return;
        }
        let Some(method) = message.method else { return };
        if method == "Target.detachedFromTarget"
            && let Some(session) = message.params["sessionId"].as_str()
        {
            self.sinks.remove(&Some(session.to_owned()));
            // These get no answer any more.
            for (_, call) in self.pending.extract_if(|_, call| call.session.as_deref() == Some(session)) {
                call.answer.refuse(CdpError::Detached);
            }
        }
        self.emit(&CdpEvent { method, session_id: message.session_id, params: message.params });
    }

    fn emit(&mut self, event: &CdpEvent) {
        if let Some(listeners) = self.sinks.get_mut(&event.session_id) {
            // As a rule there is one.
            listeners.retain(|listener| listener.send(event.clone()).is_ok());
        }
    }
}

fn read_answer(method: &MethodId, message: IncomingMessage) -> Result<Value, CdpError> {
    match message.error {
        // Chrome words it so for a session that has just been detached.
        Some(refusal) if refusal.message.contains("Session with given id not found") => {
            Err(CdpError::Detached)
        }
        Some(refusal) => Err(CdpError::Refused { method: method.clone(), message: refusal.message }),
        None => Ok(message.result),
    }
}
