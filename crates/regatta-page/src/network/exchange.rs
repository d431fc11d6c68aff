//! One request and its outcome, from the events of the browser. They are read leniently, field by field: a missing
//! field is empty.

use serde_json::Value;

use regatta_core::event::ResourceType;

/// One request and its outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    pub method: String,
    pub url: String,
    pub kind: ResourceType,
    /// Seconds since the epoch.
    pub wall_time: f64,
    /// Seconds on the browser's clock, which only runs forward.
    pub started: f64,
    pub ended: Option<f64>,
    pub request_headers: Vec<Header>,
    pub body_size: u64,
    pub response: Option<ResponseInfo>,
    pub outcome: RequestOutcome,
    /// It came from a cache or a service worker: nothing was transferred.
    pub is_local: bool,
    pub bytes_sent: u64,
    pub bytes_received: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ResponseInfo {
    pub status: u16,
    pub status_text: String,
    /// `http/1.1`, `h2`.
    pub protocol: String,
    pub mime_type: String,
    pub headers: Vec<Header>,
    pub address: String,
    pub timing: Option<Timing>,
}

/// Milliseconds after `started`; negative where there was no such phase.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timing {
    pub started: f64,
    pub dns: (f64, f64),
    pub connect: (f64, f64),
    pub tls: (f64, f64),
    pub send: (f64, f64),
    pub headers_end: f64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestOutcome {
    UnderWay,
    Finished,
    Redirected,
    Failed(String),
    /// The page itself gave it up, or left.
    Cancelled,
    /// The engine refused it.
    Blocked,
}

pub type Header = (String, String);

impl Exchange {
    /// A request that has just begun.
    pub fn new(method: &str, url: &str, kind: ResourceType) -> Self {
        Self {
            method: method.to_owned(),
            url: url.to_owned(),
            kind,
            wall_time: 0.0,
            started: 0.0,
            ended: None,
            request_headers: Vec::new(),
            body_size: 0,
            response: None,
            outcome: RequestOutcome::UnderWay,
            is_local: false,
            bytes_sent: 0,
            bytes_received: 0,
        }
    }

    pub fn answered(&mut self, response: &Value) {
        self.is_local |= ["fromDiskCache", "fromServiceWorker", "fromPrefetchCache"]
            .iter()
            .any(|place| response[place] == true);
        self.response = Some(ResponseInfo {
            status: response["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(0),
            status_text: text(&response["statusText"]).to_owned(),
            protocol: text(&response["protocol"]).to_owned(),
            mime_type: text(&response["mimeType"]).to_owned(),
            headers: headers(&response["headers"]),
            address: text(&response["remoteIPAddress"]).to_owned(),
            timing: response["timing"].is_object().then(|| Timing::of(&response["timing"])),
        });
    }

    /// Counts the bytes that came over the wire.
    pub fn received(&mut self, length: &Value) -> u64 {
        let bytes = if self.is_local { 0 } else { number(length).max(0.0) as u64 };
        self.bytes_received += bytes;
        bytes
    }
}

impl Timing {
    fn of(timing: &Value) -> Self {
        let at = |name: &str| timing[name].as_f64().unwrap_or(-1.0);
        let between = |phase: &str| (at(&format!("{phase}Start")), at(&format!("{phase}End")));
        Self {
            started: number(&timing["requestTime"]),
            dns: between("dns"),
            connect: between("connect"),
            tls: between("ssl"),
            send: between("send"),
            headers_end: at("receiveHeadersEnd"),
        }
    }
}

pub fn kind(name: &Value) -> ResourceType {
    // Reading never fails: unknown names are `Other`.
    serde_json::from_value(Value::String(text(name).to_ascii_lowercase())).unwrap_or(ResourceType::Other)
}

pub fn headers(object: &Value) -> Vec<Header> {
    let headers = object.as_object().into_iter().flatten();
    headers.map(|(name, value)| (name.clone(), text(value).to_owned())).collect()
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

pub fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(0.0)
}
