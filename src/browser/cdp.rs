//! The DevTools protocol over one WebSocket: commands out, answers and events back.
//!
//! Built on chromiumoxide's connection and its generated commands, not on its `Browser`: that one
//! pauses and initialises every target by ideas of its own, and its navigation can wait on iframes
//! for ever. Commands of one session are sent in the order in which [`Session::send`] was called,
//! also where several are on their way at once.

use std::collections::HashMap;
use std::time::Duration;

use chromiumoxide::Connection;
use chromiumoxide::error::CdpError as CodecError;
use chromiumoxide::types::{CallId, Command, EventMessage, Message, Method, MethodId};
use futures::StreamExt;
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};

/// No answer takes longer, but those of a renderer that hangs.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CdpError {
    /// The connection ended: the browser is gone.
    #[error("the browser is gone")]
    Gone,
    #[error("the browser did not answer {method} within {} s", ANSWER_TIMEOUT.as_secs())]
    NoAnswer { method: String },
    #[error("the browser refused {method}: {message}")]
    Refused { method: String, message: String },
    #[error("the browser answered {method} with something else than it should: {problem}")]
    Malformed { method: String, problem: String },
}

impl CdpError {
    /// The document the command spoke to is no longer there: it navigated, or its frame went.
    pub fn is_context_lost(&self) -> bool {
        const PHRASES: [&str; 5] = [
            "Execution context was destroyed",
            "Cannot find context",
            "Inspected target navigated or closed",
            "uniqueContextId not found",
            "Cannot find default execution context",
        ];
        matches!(self, Self::Refused { message, .. } if PHRASES.iter().any(|phrase| message.contains(phrase)))
    }

    /// The tab is closed or its process died, while the browser lives.
    pub fn is_page_lost(&self) -> bool {
        const PHRASES: [&str; 3] =
            ["Session with given id not found", "Target crashed", "No target with given id"];
        matches!(self, Self::Refused { message, .. } if PHRASES.iter().any(|phrase| message.contains(phrase)))
    }
}

/// An event as it comes, its parameters unread.
#[derive(Debug, Clone, Deserialize)]
pub struct RawEvent {
    pub method: String,
    #[serde(rename = "sessionId")]
    pub session_id: Option<String>,
    #[serde(default)]
    pub params: Value,
}

impl Method for RawEvent {
    fn identifier(&self) -> MethodId {
        self.method.clone().into()
    }
}

impl EventMessage for RawEvent {
    fn session_id(&self) -> Option<&str> {
        self.session_id.as_deref()
    }
}

/// One browser. Cheap to clone; the connection ends with its last clone.
#[derive(Debug, Clone)]
pub struct Cdp {
    requests: mpsc::UnboundedSender<Request>,
    gone: watch::Receiver<bool>,
}

#[derive(Debug)]
enum Request {
    Call { session: Option<String>, method: MethodId, params: Value, answer: Answer },
    Subscribe { session: String, events: mpsc::UnboundedSender<RawEvent> },
}

type Answer = oneshot::Sender<Result<Value, CdpError>>;

impl Cdp {
    /// `ws`: the browser's DevTools address, `ws://127.0.0.1:PORT/devtools/browser/UUID`.
    pub async fn connect(ws: &str) -> Result<Self, CdpError> {
        let connecting = tokio::time::timeout(ANSWER_TIMEOUT, Connection::<RawEvent>::connect(ws));
        let connection = match connecting.await {
            Ok(Ok(connection)) => connection,
            Ok(Err(_)) => return Err(CdpError::Gone),
            Err(_) => return Err(CdpError::NoAnswer { method: "connect".to_owned() }),
        };
        let (requests, inbox) = mpsc::unbounded_channel();
        let (gone_sender, gone) = watch::channel(false);
        tokio::spawn(async move {
            exchange(connection, inbox).await;
            gone_sender.send_replace(true);
        });
        Ok(Self { requests, gone })
    }

    /// The browser itself, outside any page.
    pub fn browser(&self) -> Session {
        Session { cdp: self.clone(), id: None }
    }

    pub fn session(&self, id: String) -> Session {
        Session { cdp: self.clone(), id: Some(id) }
    }

    /// Every event of a session from now on, none lost. Take them: they are kept until taken.
    pub fn subscribe(&self, session: &str) -> mpsc::UnboundedReceiver<RawEvent> {
        let (events, receiver) = mpsc::unbounded_channel();
        // A connection that ended drops the sender, and the receiver ends.
        self.requests.send(Request::Subscribe { session: session.to_owned(), events }).ok();
        receiver
    }

    pub fn is_gone(&self) -> bool {
        *self.gone.borrow()
    }
}

/// A page, or the browser itself.
#[derive(Debug, Clone)]
pub struct Session {
    cdp: Cdp,
    id: Option<String>,
}

impl Session {
    /// Queues the command at once; the future waits for its answer.
    pub fn send<C: Command>(
        &self,
        command: C,
    ) -> impl Future<Output = Result<C::Response, CdpError>> + use<C> {
        let method = command.identifier();
        let (answer, answered) = oneshot::channel();
        let queued = match serde_json::to_value(command) {
            Ok(params) => {
                let call = Request::Call { session: self.id.clone(), method: method.clone(), params, answer };
                self.cdp.requests.send(call).map_err(|_| CdpError::Gone)
            }
            Err(error) => {
                Err(CdpError::Malformed { method: method.clone().into_owned(), problem: error.to_string() })
            }
        };
        async move {
            queued?;
            match tokio::time::timeout(ANSWER_TIMEOUT, answered).await {
                Err(_) => Err(CdpError::NoAnswer { method: method.into_owned() }),
                Ok(Err(_)) => Err(CdpError::Gone),
                Ok(Ok(answer)) => C::response_from_value(answer?).map_err(|error| CdpError::Malformed {
                    method: method.into_owned(),
                    problem: error.to_string(),
                }),
            }
        }
    }

    pub fn is_gone(&self) -> bool {
        self.cdp.is_gone()
    }
}

/// The only poller of the connection. Its end drops every waiting answer, which reads as `Gone`.
async fn exchange(mut connection: Connection<RawEvent>, mut inbox: mpsc::UnboundedReceiver<Request>) {
    let mut waiting: HashMap<CallId, (MethodId, Answer)> = HashMap::new();
    let mut subscribers: HashMap<String, mpsc::UnboundedSender<RawEvent>> = HashMap::new();
    loop {
        // Everything queued is handed over before the socket is polled, so that commands meant to
        // travel together do.
        let message = tokio::select! {
            biased;
            request = inbox.recv() => match request {
                None => return,
                Some(Request::Subscribe { session, events }) => {
                    subscribers.insert(session, events);
                    continue;
                }
                Some(Request::Call { session, method, params, answer }) => {
                    match connection.submit_command(method.clone(), session.map(Into::into), params) {
                        Ok(id) => drop(waiting.insert(id, (method, answer))),
                        Err(error) => drop(answer.send(Err(CdpError::Malformed {
                            method: method.into_owned(),
                            problem: error.to_string(),
                        }))),
                    }
                    continue;
                }
            },
            message = connection.next() => message,
        };
        match message {
            Some(Ok(Message::Response(response))) => {
                let Some((method, answer)) = waiting.remove(&response.id) else { continue };
                let result = match response.error {
                    Some(error) => {
                        Err(CdpError::Refused { method: method.into_owned(), message: error.message })
                    }
                    None => Ok(response.result.unwrap_or(Value::Null)),
                };
                // Nobody may be waiting any more; that is not our concern.
                answer.send(result).ok();
            }
            Some(Ok(Message::Event(event))) => {
                let session = event.session_id.as_deref().unwrap_or_default();
                if let Some(subscriber) = subscribers.get(session)
                    && let Err(refused) = subscriber.send(event)
                {
                    subscribers.remove(refused.0.session_id.as_deref().unwrap_or_default());
                }
            }
            Some(Err(CodecError::InvalidMessage(..))) => {}
            Some(Err(_)) | None => return,
        }
    }
}
