//! Requests as HAR 1.2 has them: <http://www.softwareishard.com/blog/har-12-spec/>.
//!
//! Bodies are not recorded, nor are cookies and credentials.

use serde_json::{Value, json};

use super::super::network::{Exchange, Header, Outcome};
use crate::domain::mask::Veil;

/// Whoever has these is signed in.
const CREDENTIALS: [&str; 4] = ["cookie", "set-cookie", "authorization", "proxy-authorization"];

pub fn entry(exchange: &Exchange, page: &str, veil: &Veil<'_>) -> Value {
    let started = exchange.wall_time * 1000.0;
    let total = exchange.ended.map_or(0.0, |ended| (ended - exchange.started).max(0.0) * 1000.0);
    let date = jiff::Timestamp::from_millisecond(started as i64).unwrap_or_default();
    let url = veil.text(&exchange.url);
    let version = exchange.response.as_ref().map_or("", |response| response.protocol.as_str());
    let query: Vec<Value> = url
        .split_once('?')
        .map(|(_, query)| query.split('#').next().unwrap_or_default())
        .into_iter()
        .flat_map(|query| query.split('&'))
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| json!({ "name": name, "value": value }))
        .collect();
    let kind = serde_json::to_value(exchange.kind).unwrap_or_default();
    let mut entry = json!({
        "pageref": page,
        "startedDateTime": date.to_string(),
        "time": total,
        "request": {
            "method": exchange.method,
            "url": url,
            "httpVersion": version,
            "cookies": [],
            "headers": headers(&exchange.request_headers, veil),
            "queryString": query,
            "headersSize": -1,
            "bodySize": exchange.body_size,
        },
        "response": response(exchange, version, veil),
        "cache": {},
        "timings": timings(exchange, total),
        "_monotonicTime": started,
        "_resourceType": kind,
    });
    if let Some(response) = exchange.response.as_ref().filter(|response| !response.address.is_empty()) {
        entry["serverIPAddress"] = json!(response.address);
    }
    entry
}

fn response(exchange: &Exchange, version: &str, veil: &Veil<'_>) -> Value {
    let failure = match &exchange.outcome {
        Outcome::Failed(error) => Some(error.as_str()),
        Outcome::Blocked => Some("blocked"),
        Outcome::Cancelled => Some("cancelled"),
        Outcome::UnderWay => Some("still under way"),
        Outcome::Finished | Outcome::Redirected => None,
    };
    let mut response = match &exchange.response {
        Some(response) => {
            let location = response.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("location"));
            json!({
                "status": response.status,
                "statusText": response.status_text,
                "headers": headers(&response.headers, veil),
                "content": { "size": exchange.bytes_received, "mimeType": response.mime_type },
                "redirectURL": location.map(|(_, to)| veil.text(to)).unwrap_or_default(),
            })
        }
        None => json!({
            "status": -1,
            "statusText": "",
            "headers": [],
            "content": { "size": -1, "mimeType": "x-unknown" },
            "redirectURL": "",
        }),
    };
    response["httpVersion"] = json!(version);
    response["cookies"] = json!([]);
    response["headersSize"] = json!(-1);
    response["bodySize"] = json!(-1);
    response["_transferSize"] = json!(exchange.bytes_received);
    if let Some(failure) = failure {
        response["_failureText"] = json!(failure);
    }
    response
}

/// Milliseconds; -1 where there was no such phase.
fn timings(exchange: &Exchange, total: f64) -> Value {
    let timing = exchange.response.as_ref().and_then(|response| response.timing);
    let Some(timing) = timing.filter(|timing| timing.headers_end >= 0.0) else {
        return json!({ "send": 0, "wait": total, "receive": 0 });
    };
    let phase = |(from, to): (f64, f64)| if from < 0.0 { -1.0 } else { to - from };
    // These times count from when the request had its turn, which may be after it was asked for.
    let queued = ((timing.started - exchange.started) * 1000.0).max(0.0);
    json!({
        "blocked": queued,
        "dns": phase(timing.dns),
        "connect": phase(timing.connect),
        "ssl": phase(timing.tls),
        "send": phase(timing.send).max(0.0),
        "wait": (timing.headers_end - timing.send.1).max(0.0),
        "receive": (total - queued - timing.headers_end).max(0.0),
    })
}

fn headers(headers: &[Header], veil: &Veil<'_>) -> Vec<Value> {
    let shown = |(name, value): &Header| {
        let is_credential = CREDENTIALS.iter().any(|credential| name.eq_ignore_ascii_case(credential));
        json!({ "name": name, "value": if is_credential { "‹left out›".to_owned() } else { veil.text(value) } })
    };
    headers.iter().map(shown).collect()
}
