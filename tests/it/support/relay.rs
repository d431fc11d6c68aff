//! Between a client and a real Chromium, to put what happens there in an order that otherwise only chance
//! brings about.

use std::sync::Arc;

use async_tungstenite::tokio::{accept_async, client_async};
use async_tungstenite::tungstenite::Message;
use futures::StreamExt as _;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

pub struct Relay {
    pub ws: String,
    released: Arc<Notify>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum By {
    Client,
    Browser,
}

impl Relay {
    /// To the browser at `ws`, `ws://127.0.0.1:9222/devtools/browser/…`. What `is_kept` says yes to, of all
    /// that is said, is kept back; what it changes goes on changed.
    pub async fn to(ws: &str, is_kept: impl FnMut(By, &mut Value) -> bool + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (_, address) = ws.split_once("://").unwrap();
        let (host, path) = address.split_once('/').unwrap();
        let own = format!("ws://{}/{path}", listener.local_addr().unwrap());
        let released = Arc::new(Notify::new());
        tokio::spawn(relay(listener, host.to_owned(), ws.to_owned(), is_kept, Arc::clone(&released)));
        Self { ws: own, released }
    }

    /// What was kept back goes on, in its order, and nothing is kept back any more.
    pub fn release(&self) {
        self.released.notify_one();
    }
}

async fn relay(
    listener: TcpListener,
    host: String,
    ws: String,
    mut is_kept: impl FnMut(By, &mut Value) -> bool,
    released: Arc<Notify>,
) {
    let (accepted, _) = listener.accept().await.unwrap();
    let mut client = accept_async(accepted).await.unwrap();
    let stream = TcpStream::connect(host).await.unwrap();
    let (mut browser, _) = client_async(ws, stream).await.unwrap();
    let mut kept = Some(Vec::new());
    loop {
        let (by, mut message) = tokio::select! {
            () = released.notified() => {
                for (by, message) in kept.take().into_iter().flatten() {
                    match by {
                        By::Client => browser.send(message).await.unwrap(),
                        By::Browser => client.send(message).await.unwrap(),
                    }
                }
                continue;
            }
            Some(Ok(message)) = client.next() => (By::Client, message),
            Some(Ok(message)) = browser.next() => (By::Browser, message),
            else => return,
        };
        let reported = read(&message);
        let mut changed = reported.clone();
        let is_kept = is_kept(by, &mut changed);
        if changed != reported {
            message = Message::text(changed.to_string());
        }
        if is_kept && let Some(kept) = &mut kept {
            kept.push((by, message));
            continue;
        }
        let sent = match by {
            By::Client => browser.send(message).await,
            By::Browser => client.send(message).await,
        };
        // The reader may have gone.
        if sent.is_err() {
            return;
        }
    }
}

fn read(message: &Message) -> Value {
    message.to_text().ok().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}
