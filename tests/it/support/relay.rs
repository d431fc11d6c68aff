//! Between a client and a real Chromium, to put what happens there in an order that otherwise only chance
//! brings about.

use std::collections::HashSet;
use std::sync::Arc;

use async_tungstenite::tokio::{accept_async, client_async};
use async_tungstenite::tungstenite::Message;
use futures::StreamExt as _;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// Lets every target that the browser holds for its client go on before anything else of what the client
/// wants of it has reached it.
pub struct Relay {
    pub ws: String,
    released: Arc<Notify>,
}

impl Relay {
    /// `ws` of the browser: `ws://127.0.0.1:9222/devtools/browser/…`.
    pub async fn to(ws: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (_, address) = ws.split_once("://").unwrap();
        let (host, path) = address.split_once('/').unwrap();
        let own = format!("ws://{}/{path}", listener.local_addr().unwrap());
        let released = Arc::new(Notify::new());
        tokio::spawn(relay(listener, host.to_owned(), ws.to_owned(), Arc::clone(&released)));
        Self { ws: own, released }
    }

    /// What was kept back reaches the browser, in its order, and nothing is kept back any more.
    pub fn release(&self) {
        self.released.notify_one();
    }
}

async fn relay(listener: TcpListener, host: String, ws: String, released: Arc<Notify>) {
    let (accepted, _) = listener.accept().await.unwrap();
    let mut client = accept_async(accepted).await.unwrap();
    let stream = TcpStream::connect(host).await.unwrap();
    let (mut browser, _) = client_async(ws, stream).await.unwrap();
    let mut held = Some(Vec::new());
    let mut waiting = HashSet::new();
    loop {
        tokio::select! {
            () = released.notified() => {
                for message in held.take().into_iter().flatten() {
                    browser.send(message).await.unwrap();
                }
            }
            Some(Ok(message)) = client.next() => {
                let told = read(&message);
                let first = told["method"] == "Runtime.runIfWaitingForDebugger";
                let is_waiting = told["sessionId"].as_str().is_some_and(|id| waiting.contains(id));
                match &mut held {
                    Some(held) if is_waiting && !first => held.push(message),
                    _ => browser.send(message).await.unwrap(),
                }
            }
            Some(Ok(message)) = browser.next() => {
                let told = read(&message);
                if told["method"] == "Target.attachedToTarget" && told["params"]["waitingForDebugger"] == true {
                    waiting.insert(told["params"]["sessionId"].as_str().unwrap().to_owned());
                }
                // A client that has seen enough is gone.
                if client.send(message).await.is_err() {
                    return;
                }
            }
            else => return,
        }
    }
}

fn read(message: &Message) -> Value {
    message.to_text().ok().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}
