//! Records the traffic of a page: its requests, their outcomes and their size.
//!
//! Reads the events of every session that belongs to the page. A request is known by its id alone:
//! ids are unique within a browser, and the document of a frame with a process of its own begins on
//! one session and ends on another.

use std::collections::VecDeque;
use std::time::Duration;

use indexmap::IndexMap;
use serde_json::Value;
use tokio::time::Instant;

pub use self::busy_answers::BusyAnswers;
pub use self::exchange::{Exchange, Header, RequestOutcome};
use self::exchange::{headers, kind, number, text};
use regatta_core::event::{NetworkTotals, ResourceType, TypeTotals};

pub(crate) mod block;
mod busy_answers;
mod busy_site;
mod exchange;
pub(crate) mod pace;
pub(crate) mod prompts;
pub(crate) mod triggered_requests;

/// Finished requests that are remembered, and unfinished ones that are followed.
const REMEMBERED: usize = 300;
const FOLLOWED: usize = 1000;

#[derive(Debug)]
pub struct Network {
    open: IndexMap<String, OpenRequest>,
    /// The latest last.
    done: VecDeque<Exchange>,
    /// Request headers that came before their request.
    early: VecDeque<(String, Vec<Header>)>,
    busy: BusyAnswers,
    totals: NetworkTotals,
    last_traffic: Instant,
    last_answer: Instant,
}

/// A request on its way: one exchange for each redirect that it took, and the one that is under way.
#[derive(Debug)]
pub struct OpenRequest {
    loader: String,
    is_activity: bool,
    /// It has an end, and something may be sent with it.
    is_answered: bool,
    /// The hop that is under way.
    pub began: Instant,
    hops: Vec<Exchange>,
    /// Hops whose request and whose response headers are known; both come in the order of the hops.
    headers_sent: usize,
    headers_received: usize,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            open: IndexMap::new(),
            done: VecDeque::new(),
            early: VecDeque::new(),
            busy: BusyAnswers::default(),
            totals: NetworkTotals::default(),
            last_traffic: Instant::now(),
            last_answer: Instant::now(),
        }
    }
}

impl OpenRequest {
    pub fn exchange(&self) -> Option<&Exchange> {
        self.hops.last()
    }
}

impl Network {
    /// An event of the `Network` domain.
    pub fn apply(&mut self, method: &str, params: &Value) {
        let id = text(&params["requestId"]);
        match method {
            "Network.requestWillBeSent" => self.asked(id, params),
            // A service worker or a cache sends neither: a request with these headers has left the browser.
            "Network.requestWillBeSentExtraInfo" => return self.left(id, headers(&params["headers"])),
            "Network.responseReceivedExtraInfo" => return self.headers_came(id, params),
            "Network.responseReceived" => {
                let response = &params["response"];
                self.status_came(id, &response["status"], &response["headers"]);
                if let Some(exchange) = self.open.get_mut(id).and_then(|open| open.hops.last_mut()) {
                    exchange.answered(&params["response"]);
                }
            }
            "Network.requestServedFromCache" => {
                if let Some(exchange) = self.open.get_mut(id).and_then(|open| open.hops.last_mut()) {
                    exchange.is_local = true;
                }
            }
            "Network.loadingFinished" => self.finished(id, params),
            "Network.loadingFailed" => self.failed(id, params),
            "Network.webSocketCreated" => {
                let url = text(&params["url"]);
                self.begin(id, "", (false, false), Exchange::new("GET", url, ResourceType::WebSocket));
                return;
            }
            "Network.webSocketFrameSent" => return self.frame(id, params, |totals| &mut totals.bytes_sent),
            "Network.webSocketFrameReceived" => {
                return self.frame(id, params, |totals| &mut totals.bytes_received);
            }
            "Network.webSocketClosed" => return self.end(id, RequestOutcome::Finished, None),
            _ => return,
        }
        self.last_traffic = Instant::now();
    }

    /// Whether no request that counts as activity has been under way for this long.
    pub fn is_quiet(&self, for_at_least: Duration) -> bool {
        !self.open.values().any(|open| open.is_activity) && self.last_traffic.elapsed() >= for_at_least
    }

    pub fn last_traffic(&self) -> Instant {
        self.last_traffic
    }

    /// Returns requests that wait for their answer and began at `since` or later, beacons included. Streams,
    /// sockets and media have no end to wait for.
    pub fn under_way(&self, since: Instant) -> impl Iterator<Item = &OpenRequest> {
        self.open.values().filter(move |open| open.is_answered && open.began >= since)
    }

    /// Requests for data and documents that a busy site has refused.
    pub const fn busy(&self) -> &BusyAnswers {
        &self.busy
    }

    pub fn request(&self, id: &str) -> Option<&OpenRequest> {
        self.open.get(id)
    }

    /// When a request of those that [`Self::under_way`] means began or ended last.
    pub fn last_answer(&self) -> Instant {
        self.last_answer
    }

    /// Cancels the requests that documents which have gone away still had under way.
    pub fn abandon(&mut self, mut is_gone: impl FnMut(&str) -> bool) {
        let gone: Vec<String> =
            self.open.iter().filter(|(_, open)| is_gone(&open.loader)).map(|(id, _)| id.clone()).collect();
        for id in gone {
            self.end(&id, RequestOutcome::Cancelled, None);
        }
    }

    /// Returns the totals since the last call.
    pub fn take_totals(&mut self) -> NetworkTotals {
        std::mem::take(&mut self.totals)
    }

    /// The remembered exchanges, in the order in which they began.
    pub fn exchanges(&self) -> Vec<Exchange> {
        let mut all: Vec<_> =
            self.done.iter().chain(self.open.values().flat_map(|open| &open.hops)).cloned().collect();
        all.sort_by(|a, b| a.started.total_cmp(&b.started));
        all
    }

    fn asked(&mut self, id: &str, params: &Value) {
        let request = &params["request"];
        let url = text(&request["url"]);
        if url.starts_with("data:") || url.starts_with("blob:") {
            return;
        }
        let mut exchange = Exchange::new(text(&request["method"]), url, kind(&params["type"]));
        exchange.started = number(&params["timestamp"]);
        exchange.wall_time = number(&params["wallTime"]);
        exchange.request_headers = headers(&request["headers"]);
        exchange.body_size = request["postData"].as_str().map_or(0, |body| body.len() as u64);
        let redirect = &params["redirectResponse"];
        if redirect.is_object()
            && let Some(before) = self.open.get_mut(id).and_then(|open| open.hops.last_mut())
        {
            before.answered(redirect);
            before.ended = Some(exchange.started);
            before.outcome = RequestOutcome::Redirected;
            let (kind, bytes) = (before.kind, before.received(&redirect["encodedDataLength"]));
            self.count(kind, |totals| &mut totals.bytes_received, bytes);
        }
        // These never end, or no step waits for them.
        let is_answered = !matches!(
            text(&params["type"]),
            "EventSource" | "WebSocket" | "Prefetch" | "CSPViolationReport" | "Media"
        );
        let is_activity = is_answered && text(&params["type"]) != "Ping";
        self.begin(id, text(&params["loaderId"]), (is_activity, is_answered), exchange);
    }

    fn begin(
        &mut self,
        id: &str,
        loader: &str,
        (is_activity, is_answered): (bool, bool),
        exchange: Exchange,
    ) {
        self.count(exchange.kind, |totals| &mut totals.requests, 1);
        if self.open.len() == FOLLOWED
            && let Some((_, forgotten)) = self.open.shift_remove_index(0)
        {
            self.remember(forgotten.hops);
        }
        let open = self.open.entry(id.to_owned()).or_insert_with(|| OpenRequest {
            loader: loader.to_owned(),
            is_activity,
            is_answered,
            began: Instant::now(),
            hops: Vec::new(),
            headers_sent: 0,
            headers_received: 0,
        });
        open.hops.push(exchange);
        open.began = Instant::now();
        if is_answered {
            self.last_answer = open.began;
        }
        if let Some(at) = self.early.iter().position(|(early, _)| early == id)
            && let Some((_, headers)) = self.early.remove(at)
        {
            self.left(id, headers);
        }
    }

    /// The request has left the browser, with these headers.
    fn left(&mut self, id: &str, headers: Vec<Header>) {
        let next = self.open.get_mut(id).and_then(|open| {
            let exchange = open.hops.get_mut(open.headers_sent)?;
            open.headers_sent += 1;
            Some(exchange)
        });
        let Some(exchange) = next else {
            if self.early.len() == FOLLOWED {
                self.early.pop_front();
            }
            return self.early.push_back((id.to_owned(), headers));
        };
        // Method, URL, version and line ends of the first line; colon, space and line end of each header.
        let first_line = exchange.method.len() + exchange.url.len() + 12;
        let lines: usize = headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        exchange.bytes_sent = (first_line + lines) as u64 + exchange.body_size;
        exchange.request_headers = headers;
        let (kind, bytes) = (exchange.kind, exchange.bytes_sent);
        self.count(kind, |totals| &mut totals.bytes_sent, bytes);
    }

    /// An answer without the headers that let a page of another origin read it has none but this status.
    fn status_came(&mut self, id: &str, status: &Value, headers: &Value) {
        let Some(open) = self.open.get(id) else { return };
        let Some(exchange) = open.exchange().filter(|exchange| {
            matches!(exchange.kind, ResourceType::Document | ResourceType::Xhr | ResourceType::Fetch)
        }) else {
            return;
        };
        let Some(status) = status.as_u64().and_then(|status| u16::try_from(status).ok()) else { return };
        let mut given = exchange::headers(headers).into_iter();
        let retry_after = given.rfind(|(name, _)| name.eq_ignore_ascii_case("retry-after"));
        let request = busy_answers::RequestIdentity {
            id,
            method: &exchange.method,
            url: &exchange.url,
            began: open.began,
        };
        self.busy.record(request, status, retry_after.as_ref().map(|(_, value)| value.as_str()));
    }

    /// As they were on the wire, cookies included.
    fn headers_came(&mut self, id: &str, params: &Value) {
        let is_of_last_hop =
            self.open.get(id).is_some_and(|open| open.headers_received + 1 == open.hops.len());
        if is_of_last_hop {
            self.status_came(id, &params["statusCode"], &params["headers"]);
        }
        let Some(open) = self.open.get_mut(id) else { return };
        if let Some(response) =
            open.hops.get_mut(open.headers_received).and_then(|exchange| exchange.response.as_mut())
        {
            response.headers = headers(&params["headers"]);
        }
        open.headers_received += 1;
    }

    fn finished(&mut self, id: &str, params: &Value) {
        let Some(exchange) = self.open.get_mut(id).and_then(|open| open.hops.last_mut()) else { return };
        let (kind, bytes) = (exchange.kind, exchange.received(&params["encodedDataLength"]));
        self.count(kind, |totals| &mut totals.bytes_received, bytes);
        self.end(id, RequestOutcome::Finished, Some(number(&params["timestamp"])));
    }

    fn failed(&mut self, id: &str, params: &Value) {
        let Some(kind) = self.open.get(id).and_then(|open| open.hops.last()).map(|exchange| exchange.kind)
        else {
            return;
        };
        let outcome = if is_blocked(params) {
            self.count(kind, |totals| &mut totals.blocked, 1);
            RequestOutcome::Blocked
        } else if params["canceled"] == true {
            RequestOutcome::Cancelled
        } else {
            self.count(kind, |totals| &mut totals.failed, 1);
            RequestOutcome::Failed(text(&params["errorText"]).to_owned())
        };
        self.end(id, outcome, Some(number(&params["timestamp"])));
    }

    fn frame(&mut self, id: &str, params: &Value, of: fn(&mut TypeTotals) -> &mut u64) {
        if self.open.contains_key(id) {
            let bytes = text(&params["response"]["payloadData"]).len() as u64;
            self.count(ResourceType::WebSocket, of, bytes);
        }
    }

    fn end(&mut self, id: &str, outcome: RequestOutcome, at: Option<f64>) {
        let Some(mut open) = self.open.shift_remove(id) else { return };
        if open.is_answered {
            self.last_answer = Instant::now();
        }
        if let Some(exchange) = open.hops.last_mut() {
            exchange.outcome = outcome;
            exchange.ended = at;
        }
        self.remember(open.hops);
    }

    fn remember(&mut self, exchanges: Vec<Exchange>) {
        self.done.extend(exchanges);
        let surplus = self.done.len().saturating_sub(REMEMBERED);
        self.done.drain(..surplus);
    }

    fn count(&mut self, kind: ResourceType, of: fn(&mut TypeTotals) -> &mut u64, more: u64) {
        if more == 0 {
            return;
        }
        let mut one = TypeTotals::default();
        *of(&mut one) = more;
        self.totals += &NetworkTotals {
            requests: one.requests,
            failed: one.failed,
            bytes_received: one.bytes_received,
            bytes_sent: one.bytes_sent,
            blocked: one.blocked,
            by_type: [(kind, one)].into(),
        };
    }
}

/// A request that failed because we refused it.
pub fn is_blocked(failed: &Value) -> bool {
    failed["blockedReason"] == "inspector"
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    fn asked(id: &str, kind: &str, path: &str) -> (&'static str, Value) {
        let request = json!({ "url": format!("http://a.example{path}"), "method": "GET", "headers": {} });
        let asked =
            json!({ "requestId": id, "loaderId": "L", "type": kind, "request": request, "timestamp": 1.0 });
        ("Network.requestWillBeSent", asked)
    }

    fn left(id: &str) -> (&'static str, Value) {
        ("Network.requestWillBeSentExtraInfo", json!({ "requestId": id, "headers": { "Host": "a.example" } }))
    }

    fn answered(id: &str, response: Value) -> (&'static str, Value) {
        ("Network.responseReceived", json!({ "requestId": id, "response": response }))
    }

    fn finished(id: &str, bytes: u32) -> (&'static str, Value) {
        ("Network.loadingFinished", json!({ "requestId": id, "encodedDataLength": bytes, "timestamp": 2.0 }))
    }

    fn failed(id: &str, more: Value) -> (&'static str, Value) {
        let mut failed = json!({ "requestId": id, "errorText": "net::ERR_FAILED", "timestamp": 2.0 });
        failed.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ("Network.loadingFailed", failed)
    }

    fn check(events: impl IntoIterator<Item = (&'static str, Value)>, expected: Expect) {
        let mut network = Network::default();
        for (method, params) in events {
            network.apply(method, &params);
        }
        let mut out = String::new();
        for exchange in network.exchanges() {
            let status = exchange.response.as_ref().map_or(0, |response| response.status);
            let Exchange { kind, url, outcome, bytes_sent, bytes_received, .. } = exchange;
            let _ =
                writeln!(out, "{kind:?} {url} {status} {outcome:?}, {bytes_sent} out, {bytes_received} in");
        }
        let busy = if network.is_quiet(Duration::ZERO) { "" } else { "busy, " };
        let _ = write!(out, "{busy}{}", serde_json::to_string(&network.take_totals()).unwrap());
        assert_eq!(network.take_totals(), NetworkTotals::default());
        expected.assert_eq(&out);
    }

    #[test]
    fn a_redirect_is_a_request_of_its_own() {
        let mut second = asked("1", "Document", "/b");
        second.1["redirectResponse"] = json!({ "status": 302, "encodedDataLength": 100 });
        // The headers of the first come after the second was asked for, as they do in life.
        let events = [asked("1", "Document", "/a"), second, left("1"), left("1")];
        let answers = [answered("1", json!({ "status": 200 })), finished("1", 900)];
        check(
            events.into_iter().chain(answers),
            expect![[r#"
                Document http://a.example/a 302 Redirected, 50 out, 100 in
                Document http://a.example/b 200 Finished, 50 out, 900 in
                {"requests":2,"failed":0,"bytes_received":1000,"bytes_sent":100,"by_type":{"document":{"requests":2,"bytes_received":1000,"bytes_sent":100}}}"#]],
        );
    }

    #[test]
    fn what_was_blocked_has_not_failed_and_cost_nothing() {
        check(
            [
                asked("1", "Image", "/a.png"),
                failed("1", json!({ "blockedReason": "inspector" })),
                asked("2", "Font", "/a.woff"),
                left("2"),
                failed("2", json!({})),
                asked("3", "XHR", "/x"),
                left("3"),
                failed("3", json!({ "canceled": true })),
            ],
            expect![[r#"
                Image http://a.example/a.png 0 Blocked, 0 out, 0 in
                Font http://a.example/a.woff 0 Failed("net::ERR_FAILED"), 55 out, 0 in
                Xhr http://a.example/x 0 Cancelled, 50 out, 0 in
                {"requests":3,"failed":1,"bytes_received":0,"bytes_sent":105,"blocked":1,"by_type":{"image":{"requests":1,"blocked":1},"font":{"requests":1,"failed":1,"bytes_sent":55},"xhr":{"requests":1,"bytes_sent":50}}}"#]],
        );
    }

    #[test]
    fn what_came_from_a_cache_or_was_never_asked_for_has_no_bytes() {
        check(
            [
                asked("1", "Script", "/a.js"),
                answered("1", json!({ "status": 200, "fromDiskCache": true })),
                finished("1", 700),
                asked("2", "Image", "/b.png"),
                ("Network.requestServedFromCache", json!({ "requestId": "2" })),
                finished("2", 700),
                finished("3", 700),
            ],
            expect![[r#"
                Script http://a.example/a.js 200 Finished, 0 out, 0 in
                Image http://a.example/b.png 0 Finished, 0 out, 0 in
                {"requests":2,"failed":0,"bytes_received":0,"bytes_sent":0,"by_type":{"image":{"requests":1},"script":{"requests":1}}}"#]],
        );
    }

    #[test]
    fn headers_may_come_before_their_request() {
        check(
            [left("1"), asked("1", "Image", "/a.png"), finished("1", 70)],
            expect![[r#"
                Image http://a.example/a.png 0 Finished, 54 out, 70 in
                {"requests":1,"failed":0,"bytes_received":70,"bytes_sent":54,"by_type":{"image":{"requests":1,"bytes_received":70,"bytes_sent":54}}}"#]],
        );
    }

    #[test]
    fn sockets_are_counted_and_not_waited_for() {
        let frame = json!({ "requestId": "1", "response": { "payloadData": "hello" } });
        check(
            [
                ("Network.webSocketCreated", json!({ "requestId": "1", "url": "ws://a.example/" })),
                ("Network.webSocketFrameSent", frame.clone()),
                ("Network.webSocketFrameReceived", frame),
                asked("2", "EventSource", "/events"),
            ],
            expect![[r#"
                WebSocket ws://a.example/ 0 UnderWay, 0 out, 0 in
                EventSource http://a.example/events 0 UnderWay, 0 out, 0 in
                {"requests":2,"failed":0,"bytes_received":5,"bytes_sent":5,"by_type":{"eventsource":{"requests":1},"websocket":{"requests":1,"bytes_received":5,"bytes_sent":5}}}"#]],
        );
    }

    #[test]
    fn what_a_document_left_behind_is_given_up() {
        let mut network = Network::default();
        let (method, params) = asked("1", "Fetch", "/slow");
        network.apply(method, &params);
        assert!(!network.is_quiet(Duration::ZERO));
        network.abandon(|loader| loader != "L");
        assert!(!network.is_quiet(Duration::ZERO));
        network.abandon(|loader| loader == "L");
        assert!(network.is_quiet(Duration::ZERO));
        assert_eq!(network.exchanges()[0].outcome, RequestOutcome::Cancelled);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut network = Network::default();
        for n in 0..2 * FOLLOWED {
            for (method, params) in [left(&format!("early {n}")), asked(&n.to_string(), "Fetch", "/x")] {
                network.apply(method, &params);
            }
        }
        let bounds = (network.open.len(), network.done.len(), network.early.len());
        assert_eq!(bounds, (FOLLOWED, REMEMBERED, FOLLOWED));
        assert_eq!(network.take_totals().requests, 2 * FOLLOWED as u64);
    }
}
