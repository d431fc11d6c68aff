//! Requests as HAR 1.2 has them: <http://www.softwareishard.com/blog/har-12-spec/>.
//!
//! Bodies are not recorded, nor are cookies and credentials.

use serde_json::{Value, json};

use crate::network::{Exchange, Header, RequestOutcome};
use regatta_core::mask::BrowserMask;

/// Headers that sign their holder in.
const CREDENTIALS: [&str; 4] = ["cookie", "set-cookie", "authorization", "proxy-authorization"];

pub fn entry(exchange: &Exchange, page: &str, mask: &BrowserMask<'_>) -> Value {
    let started = exchange.wall_time * 1000.0;
    let total = exchange.ended.map_or(0.0, |ended| (ended - exchange.started).max(0.0) * 1000.0);
    let date = jiff::Timestamp::from_millisecond(started as i64).unwrap_or_default();
    let url = mask.apply(&exchange.url);
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
            "headers": headers(&exchange.request_headers, mask),
            "queryString": query,
            "headersSize": -1,
            "bodySize": exchange.body_size,
        },
        "response": response(exchange, version, mask),
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

fn response(exchange: &Exchange, version: &str, mask: &BrowserMask<'_>) -> Value {
    let failure = match &exchange.outcome {
        RequestOutcome::Failed(error) => Some(error.as_str()),
        RequestOutcome::Blocked => Some("blocked"),
        RequestOutcome::Cancelled => Some("cancelled"),
        RequestOutcome::UnderWay => Some("still under way"),
        RequestOutcome::Finished | RequestOutcome::Redirected => None,
    };
    let mut response = match &exchange.response {
        Some(response) => {
            let location = response.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("location"));
            json!({
                "status": response.status,
                "statusText": response.status_text,
                "headers": headers(&response.headers, mask),
                "content": { "size": exchange.bytes_received, "mimeType": response.mime_type },
                "redirectURL": location.map(|(_, to)| mask.apply(to)).unwrap_or_default(),
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

fn headers(headers: &[Header], mask: &BrowserMask<'_>) -> Vec<Value> {
    let shown = |(name, value): &Header| {
        let is_credential = CREDENTIALS.iter().any(|credential| name.eq_ignore_ascii_case(credential));
        json!({ "name": name, "value": if is_credential { "‹left out›".to_owned() } else { mask.apply(value) } })
    };
    headers.iter().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;
    use crate::network::Network;
    use regatta_core::mask::Mask;
    use regatta_core::session::Identity;

    #[test]
    fn credentials_and_bodies_are_not_recorded() {
        let mut network = Network::default();
        let headers = json!({ "Cookie": "sid=1", "authorization": "Basic eA==", "X-User": "ann@a.test" });
        let url = "http://a.test/x?u=ann%40a.test&v=1#f";
        let request = json!({ "url": url, "method": "POST", "headers": headers, "postData": "ann@a.test" });
        let response = json!({
            "status": 302, "statusText": "Found", "protocol": "h2", "mimeType": "text/html",
            "headers": { "Set-Cookie": "sid=2", "Location": "/y?u=ann@a.test" }, "remoteIPAddress": "127.0.0.1",
            "timing": { "requestTime": 1.5, "dnsStart": -1, "dnsEnd": -1, "connectStart": 1, "connectEnd": 4,
                "sslStart": -1, "sslEnd": -1, "sendStart": 4, "sendEnd": 5, "receiveHeadersEnd": 25 },
        });
        let asked = json!({ "requestId": "1", "loaderId": "L", "type": "Document", "request": request,
            "timestamp": 1.25, "wallTime": 1000.5 });
        let done = json!({ "requestId": "1", "encodedDataLength": 70, "timestamp": 1.75 });
        network.apply("Network.requestWillBeSent", &asked);
        network.apply("Network.responseReceived", &json!({ "requestId": "1", "response": response }));
        network.apply("Network.loadingFinished", &done);
        let mut identity = Identity::default();
        identity.set("email", "ann@a.test");
        let mask = Mask::for_identity(&identity);
        let entry = entry(&network.exchanges()[0], "page@1", &mask.for_browser());
        expect![[r#"
            {
              "pageref": "page@1",
              "startedDateTime": "1970-01-01T00:16:40.5Z",
              "time": 500.0,
              "request": {
                "method": "POST",
                "url": "http://a.test/x?u=‹identity.email›&v=1#f",
                "httpVersion": "h2",
                "cookies": [],
                "headers": [
                  {
                    "name": "Cookie",
                    "value": "‹left out›"
                  },
                  {
                    "name": "authorization",
                    "value": "‹left out›"
                  },
                  {
                    "name": "X-User",
                    "value": "‹identity.email›"
                  }
                ],
                "queryString": [
                  {
                    "name": "u",
                    "value": "‹identity.email›"
                  },
                  {
                    "name": "v",
                    "value": "1"
                  }
                ],
                "headersSize": -1,
                "bodySize": 10
              },
              "response": {
                "status": 302,
                "statusText": "Found",
                "headers": [
                  {
                    "name": "Set-Cookie",
                    "value": "‹left out›"
                  },
                  {
                    "name": "Location",
                    "value": "/y?u=‹identity.email›"
                  }
                ],
                "content": {
                  "size": 70,
                  "mimeType": "text/html"
                },
                "redirectURL": "/y?u=‹identity.email›",
                "httpVersion": "h2",
                "cookies": [],
                "headersSize": -1,
                "bodySize": -1,
                "_transferSize": 70
              },
              "cache": {},
              "timings": {
                "blocked": 250.0,
                "dns": -1.0,
                "connect": 3.0,
                "ssl": -1.0,
                "send": 1.0,
                "wait": 20.0,
                "receive": 225.0
              },
              "_monotonicTime": 1000500.0,
              "_resourceType": "document",
              "serverIPAddress": "127.0.0.1"
            }"#]]
        .assert_eq(&serde_json::to_string_pretty(&entry).unwrap());
    }

    #[test]
    fn what_had_no_answer_says_why() {
        let mut network = Network::default();
        for (id, failed) in
            [("1", json!({ "blockedReason": "inspector" })), ("2", json!({ "errorText": "net::ERR" }))]
        {
            let request = json!({ "url": "http://a.test/", "method": "GET", "headers": {} });
            let asked = json!({ "requestId": id, "type": "Image", "request": request });
            network.apply("Network.requestWillBeSent", &asked);
            let mut failed = failed;
            failed["requestId"] = json!(id);
            network.apply("Network.loadingFailed", &failed);
        }
        let mask = Mask::default();
        let said: Vec<_> = network
            .exchanges()
            .iter()
            .map(|exchange| entry(exchange, "page@1", &mask.for_browser())["response"].clone())
            .map(|response| format!("{} {}", response["status"], response["_failureText"]))
            .collect();
        assert_eq!(said, ["-1 \"blocked\"", "-1 \"net::ERR\""]);
    }
}
