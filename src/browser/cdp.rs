//! One connection to one browser, and the flat sessions on it.
//!
//! Only the WebSocket codec and the typed commands are chromiumoxide's. Its own browser handler
//! initialises every target by its own ideas and waits for the loads of frames, so it is not used.
//!
//! One task owns the socket and is its only poller. Commands are queued when the future of
//! [`Session::send`] is *made*, not when it is first polled: two sends made in a row travel together.

use std::borrow::Cow;
use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use chromiumoxide::Connection as Socket;
use chromiumoxide::cdp::browser_protocol::target::{AttachToTargetParams, SessionId};
use chromiumoxide::types::{CallId, Command, EventMessage, Message, Method, MethodId, Response};
use futures::StreamExt;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot, watch};

/// A renderer that hangs never answers; whoever waits for it must not hang too.
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

/// An event as it came. Events are read leniently, field by field, by who wants them: the typed ones
/// would fail whole on a variant that is younger than the crate.
#[derive(Debug, Clone, Deserialize)]
pub struct Event {
    pub method: String,
    /// `None`: the browser's own.
    #[serde(rename = "sessionId")]
    pub session_id: Option<String>,
    #[serde(default)]
    pub params: Value,
}

impl Method for Event {
    fn identifier(&self) -> MethodId {
        self.method.clone().into()
    }
}

impl EventMessage for Event {
    fn session_id(&self) -> Option<&str> {
        self.session_id.as_deref()
    }
}

/// Where the events of one or several sessions arrive, none lost, in the order the browser sent them. It
/// grows while nobody reads: whoever subscribes reads, or drops the other end.
pub type EventSink = mpsc::UnboundedSender<Event>;

/// Cheap to clone. The connection ends when the last clone and the last session are dropped.
#[derive(Debug, Clone)]
pub struct Connection {
    orders: mpsc::UnboundedSender<Order>,
    gone: watch::Receiver<bool>,
}

/// A page's (or, without an id, the browser's) end of the connection. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Session {
    connection: Connection,
    id: Option<SessionId>,
}

enum Order {
    Call { method: MethodId, session: Option<SessionId>, params: Value, answer: Answer },
    Subscribe { session: Option<String>, events: EventSink },
}

type Answer = oneshot::Sender<Result<Value, CdpError>>;

struct Pending {
    method: MethodId,
    session: Option<String>,
    answer: Answer,
}

impl Connection {
    /// `url` as `/json/version` or `DevToolsActivePort` tell it: `ws://127.0.0.1:9222/devtools/browser/…`.
    pub async fn connect(url: &str) -> Result<Self, CdpError> {
        let connecting = tokio::time::timeout(ANSWER_WITHIN, Socket::<Event>::connect(url));
        let socket = match connecting.await {
            Ok(Ok(socket)) => socket,
            Ok(Err(error)) => return Err(CdpError::Connect(error.to_string())),
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

    pub fn browser(&self) -> Session {
        Session { connection: self.clone(), id: None }
    }

    pub async fn attach(&self, target: &str, events: &EventSink) -> Result<Session, CdpError> {
        let mut attach = AttachToTargetParams::new(target.to_owned());
        attach.flatten = Some(true);
        let id = self.browser().send(attach).await?.session_id;
        self.adopt(id.inner(), events)
    }

    /// A session that the browser has attached by itself. Nothing is lost in between: a session is
    /// silent until it is told to enable something.
    pub fn adopt(&self, session: &str, events: &EventSink) -> Result<Session, CdpError> {
        self.subscribe(Some(session.to_owned()), events)?;
        Ok(self.session(session))
    }

    pub fn session(&self, id: &str) -> Session {
        Session { connection: self.clone(), id: Some(SessionId::new(id)) }
    }

    /// The events of the browser itself.
    pub fn listen(&self, events: &EventSink) -> Result<(), CdpError> {
        self.subscribe(None, events)
    }

    fn subscribe(&self, session: Option<String>, events: &EventSink) -> Result<(), CdpError> {
        let order = Order::Subscribe { session, events: events.clone() };
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

impl Session {
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

    /// The same with the answer read into a type of the caller's: for answers whose typed form would
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

    fn queue<C: Command>(
        &self,
        command: &C,
    ) -> impl Future<Output = Result<Value, CdpError>> + Send + use<C> {
        let method = command.identifier();
        let (answer, answered) = oneshot::channel();
        let queued = match serde_json::to_value(command) {
            Err(source) => Err(CdpError::Malformed { method: method.clone(), source }),
            Ok(params) => {
                let order = Order::Call { method: method.clone(), session: self.id.clone(), params, answer };
                self.connection.orders.send(order).map_err(|_| CdpError::Gone)
            }
        };
        async move {
            queued?;
            match tokio::time::timeout(ANSWER_WITHIN, answered).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) => Err(CdpError::Gone),
                Err(_) => Err(CdpError::TimedOut { method }),
            }
        }
    }
}

async fn serve(mut socket: Socket<Event>, mut orders: mpsc::UnboundedReceiver<Order>) {
    let mut pending: HashMap<CallId, Pending> = HashMap::new();
    let mut sinks: HashMap<Option<String>, Vec<EventSink>> = HashMap::new();
    loop {
        tokio::select! {
            // Orders first: the socket only sends when it is polled, so everything that is queued
            // has to be in it before that.
            biased;
            order = orders.recv() => match order {
                None => return,
                Some(Order::Subscribe { session, events }) => {
                    sinks.entry(session).or_default().push(events);
                }
                Some(Order::Call { method, session, params, answer }) => {
                    let name = session.as_ref().map(|id| id.inner().clone());
                    match socket.submit_command(method.clone(), session, params) {
                        Ok(id) => {
                            if pending.len() > 256 {
                                pending.retain(|_, call| !call.answer.is_closed());
                            }
                            pending.insert(id, Pending { method, session: name, answer });
                        }
                        Err(source) => {
                            let _ = answer.send(Err(CdpError::Malformed { method, source }));
                        }
                    }
                }
            },
            message = socket.next() => match message {
                Some(Ok(Message::Response(response))) => {
                    if let Some(call) = pending.remove(&response.id) {
                        let answer = read_answer(&call.method, response);
                        let _ = call.answer.send(answer);
                    }
                }
                Some(Ok(Message::Event(event))) => {
                    if event.method == "Target.detachedFromTarget"
                        && let Some(session) = event.params["sessionId"].as_str()
                    {
                        sinks.remove(&Some(session.to_owned()));
                        // Nobody will answer these any more.
                        let lost: Vec<CallId> = pending
                            .iter()
                            .filter(|(_, call)| call.session.as_deref() == Some(session))
                            .map(|(id, _)| *id)
                            .collect();
                        for call in lost.iter().filter_map(|id| pending.remove(id)) {
                            let _ = call.answer.send(Err(CdpError::Detached));
                        }
                    }
                    if let Some(listeners) = sinks.get_mut(&event.session_id) {
                        // As a rule there is one.
                        listeners.retain(|listener| listener.send(event.clone()).is_ok());
                    }
                }
                // A message this codec cannot read is lost alone; its text may hold values of the page.
                Some(Err(
                    chromiumoxide::error::CdpError::InvalidMessage(..)
                    | chromiumoxide::error::CdpError::UnexpectedWsMessage(_),
                )) => tracing::debug!("skipped a message of the browser that could not be read"),
                Some(Err(_)) | None => return,
            },
        }
    }
}

fn read_answer(method: &MethodId, response: Response) -> Result<Value, CdpError> {
    match response.error {
        // Chrome words it so for a session that has just been detached.
        Some(error) if error.message.contains("Session with given id not found") => Err(CdpError::Detached),
        Some(error) => Err(CdpError::Refused { method: method.clone(), message: error.message }),
        None => Ok(response.result.unwrap_or(Value::Null)),
    }
}
