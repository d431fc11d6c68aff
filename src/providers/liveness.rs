//! Asks a browser, without driving it, whether it is alive and since when, and closes it.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use url::Url;

use super::process_age;
use regatta_page::BrowserConnection;

/// A living browser answers in milliseconds; a loaded machine in a second.
const BOUND: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    Alive,
    /// Its port is closed, or another browser listens there.
    Gone,
    /// Its port is open, and no answer comes.
    Silent,
}

/// Never through a proxy: browsers listen on this machine.
pub fn client() -> reqwest::Client {
    crate::http::local()
        .connect_timeout(BOUND)
        .timeout(BOUND)
        .pool_max_idle_per_host(0)
        .build()
        .expect("a client without TLS and proxy has nothing to fail at")
}

/// Whether the browser that `ws` names still listens. Its UUID must match: ports are reused.
pub async fn liveness(client: &reqwest::Client, ws: &str) -> Liveness {
    #[derive(Deserialize)]
    struct VersionReply {
        #[serde(rename = "webSocketDebuggerUrl")]
        ws: String,
    }
    let Some(address) = Url::parse(ws).ok().filter(|url| url.has_host()) else { return Liveness::Gone };
    let (host, port) = (address.host_str().unwrap_or_default(), address.port().unwrap_or(80));
    let answer = match client.get(format!("http://{host}:{port}/json/version")).send().await {
        Ok(answer) => answer,
        Err(error) if error.is_timeout() => return Liveness::Silent,
        Err(_) => return Liveness::Gone,
    };
    match answer.json::<VersionReply>().await {
        Ok(version) if Url::parse(&version.ws).is_ok_and(|url| url.path() == address.path()) => {
            Liveness::Alive
        }
        Err(error) if error.is_timeout() => Liveness::Silent,
        _ => Liveness::Gone,
    }
}

/// When the process of the browser began; `None` where that cannot be known.
pub async fn born(ws: &str) -> Option<Timestamp> {
    let asked = async { BrowserConnection::connect(ws).await.ok()?.process_id().await };
    let pid = tokio::time::timeout(BOUND, asked).await.ok()??;
    tokio::task::spawn_blocking(move || process_age::began(pid)).await.ok()?
}

/// Asks the browser to close as if its last window was closed: cookies and storage are written.
/// Says nothing about whether it does; watch its process or its port.
pub async fn close(ws: &str) {
    let close = async {
        let connection = BrowserConnection::connect(ws).await?;
        connection.close_browser(BOUND).await
    };
    // A browser that is gone, or stays, shows in its process.
    tokio::time::timeout(BOUND, close).await.map(Result::ok).ok();
}
