//! The consequences of an input reach the server, for every next action of the flow. Judged by what the server
//! received: a request that the browser gave up before it was answered is not recorded.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Response};
use expect_test::expect;
use regatta_core::session::Platform;

use super::rig::Rig;
use crate::support::chrome::Chrome;

const CLICK: &str = r##"{"type":"click","selectors":["#b"],"offsetX":3,"offsetY":3}"##;
const CHANGE: &str = r##"{"type":"change","selectors":["#u"],"value":"x"}"##;
const ELSEWHERE: &str = r#"{"type":"navigate","url":"{site}/second"}"#;
const CLOSE: &str = r#"{"type":"close"}"#;

/// `/` is the page under test. Paths under `/sent` are recorded once they are answered, those with `slow`
/// in them after 300 ms; `/late` takes as long and is a page; `/never` is not answered at all.
struct Site {
    url: String,
    received: Arc<Mutex<Vec<String>>>,
}

impl Site {
    async fn serve(body: &str) -> Self {
        let html = format!(
            "<!doctype html><title>fixture</title><link rel=icon href=\"data:,\"><input id=early hidden>{body}"
        );
        let received = Arc::new(Mutex::new(Vec::new()));
        let app = Router::new().fallback(answer).with_state((html, Arc::clone(&received)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, received }
    }

    fn take(&self) -> String {
        std::mem::take(&mut *self.received.lock().unwrap()).join(", ")
    }
}

async fn answer(
    State((html, received)): State<(String, Arc<Mutex<Vec<String>>>)>,
    request: Request,
) -> Response {
    let asked = format!("{} {}", request.method(), request.uri());
    let path = request.uri().path().to_owned();
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap_or_default();
    if asked.contains("slow") || path == "/late" {
        // A server takes its time; a browser that gives up ends this here.
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    match path.as_str() {
        "/" => Html(html).into_response(),
        "/never" => pending().await,
        "/nothing" => StatusCode::NO_CONTENT.into_response(),
        "/file" => {
            let name = [(CONTENT_DISPOSITION, "attachment; filename=\"report.txt\"")];
            (name, "x".repeat(3000)).into_response()
        }
        "/events" => {
            let first = futures::stream::iter([Ok::<_, std::io::Error>("data: 1\n\n")]);
            let stream = futures::StreamExt::chain(first, futures::stream::pending());
            ([(CONTENT_TYPE, "text/event-stream")], axum::body::Body::from_stream(stream)).into_response()
        }
        _ => {
            if path.starts_with("/sent") {
                let body = String::from_utf8_lossy(&body);
                received.lock().unwrap().push(format!("{asked} {body}").trim_end().to_owned());
            }
            Html(format!("<!doctype html><title>{path}</title><link rel=icon href=\"data:,\">"))
                .into_response()
        }
    }
}

async fn open(site: &Site) -> Rig {
    let mut rig = Rig::at(Chrome::shared(), site.url.clone(), Platform::Desktop).await;
    assert_eq!(rig.play(r#"{"type":"navigate","url":"{site}/"}"#).await, "1 navigate: ok\n");
    rig
}

/// What the server received of `steps`, followed by each of the three ends.
async fn received(body: &str, steps: &str) -> String {
    let site = Site::serve(body).await;
    let mut out = Vec::new();
    for end in [ELSEWHERE, CLOSE, ""] {
        let mut rig = open(&site).await;
        let played = rig.play([steps, end].join(",").trim_end_matches(',')).await;
        assert!(played.lines().all(|line| line.contains(": ok")), "{played}");
        rig.page.finish().await;
        rig.page.close().await;
        out.push(site.take());
    }
    if out.iter().all(|one| *one == out[0]) { format!("{}\n", out[0]) } else { format!("{out:?}\n") }
}

#[tokio::test]
async fn a_form_that_is_submitted_arrives() {
    let form = |attributes: &str| {
        format!("<form action=/sent {attributes}><input id=u name=u><input id=b type=submit></form>")
    };
    let both = format!("{CHANGE},{CLICK}");
    let enter = format!(r#"{CHANGE},{{"type":"keyDown","key":"Enter"}},{{"type":"keyUp","key":"Enter"}}"#);
    let mut out = String::new();
    for (attributes, steps) in [
        ("", &both),
        ("method=post", &both),
        ("method=post", &enter),
        ("method=post target=f", &both),
        ("method=post target=_blank", &both),
    ] {
        let body = form(attributes) + "<iframe name=f hidden></iframe>";
        out += &received(&body, steps).await;
        out += &received(&body.replace("/sent", "/sent/slow"), steps).await;
    }
    expect![[r#"
        GET /sent?u=x
        GET /sent/slow?u=x
        POST /sent u=x
        POST /sent/slow u=x
        POST /sent u=x
        POST /sent/slow u=x
        POST /sent u=x
        POST /sent/slow u=x
        POST /sent u=x
        POST /sent/slow u=x
    "#]]
    .assert_eq(&out);
}

#[tokio::test]
async fn where_a_click_leads_is_asked_for() {
    let mut out = String::new();
    for body in [
        "<a id=b href=/sent/link>Go</a>",
        "<a id=b href=/sent/slow-link>Go</a>",
        r#"<button id=b onclick="setTimeout(() => location = '/sent/timer', 50)">Go</button>"#,
        r#"<button id=b onclick="setTimeout(() => location = '/sent/slow-timer', 50)">Go</button>"#,
        r#"<button id=b onclick="setTimeout(() => window.open('/sent/slow-popup'), 50)">Go</button>"#,
    ] {
        out += &received(body, CLICK).await;
    }
    expect![[r#"
        GET /sent/link
        GET /sent/slow-link
        GET /sent/timer
        GET /sent/slow-timer
        GET /sent/slow-popup
    "#]]
    .assert_eq(&out);
}

/// Also what a field sends as it is typed in, and what one answer sets off in its turn.
#[tokio::test]
async fn what_a_page_sends_in_the_background_is_answered() {
    let mut out = String::new();
    for (body, steps) in [
        (r#"<button id=b onclick="fetch('/sent/slow', { method: 'POST', body: 'a' })">Go</button>"#, CLICK),
        (r#"<button id=b onclick="setTimeout(() => fetch('/sent/slow-later'), 60)">Go</button>"#, CLICK),
        (
            r#"<button id=b onclick="fetch('/sent/slow-1').then(() => fetch('/sent/slow-2'))">Go</button>"#,
            CLICK,
        ),
        (r#"<button id=b onclick="new Image().src = '/sent/slow-pixel'">Go</button>"#, CLICK),
        (
            r#"<input id=u oninput="clearTimeout(window.t); t = setTimeout(() => fetch('/sent/slow-save?' + value), 80)">"#,
            CHANGE,
        ),
    ] {
        out += &received(body, steps).await;
    }
    expect![[r#"
        POST /sent/slow a
        GET /sent/slow-later
        GET /sent/slow-1, GET /sent/slow-2
        GET /sent/slow-pixel
        GET /sent/slow-save?x
    "#]]
    .assert_eq(&out);
}

/// A beacon outlives its page, not its browser.
#[tokio::test]
async fn a_beacon_is_answered_before_the_browser_ends() {
    let site = Site::serve(
        r#"<button id=b onclick="setTimeout(() => navigator.sendBeacon('/sent/slow-beacon', 'a'), 50)">Go</button>"#,
    )
    .await;
    let chrome = Arc::new(Chrome::launch("about:blank"));
    let mut rig = Rig::at(Arc::clone(&chrome), site.url.clone(), Platform::Desktop).await;
    let steps = format!(r#"{{"type":"navigate","url":"{{site}}/"}},{CLICK}"#);
    assert_eq!(rig.play(&steps).await, "1 navigate: ok\n2 click: ok [gate]\n");
    rig.page.finish().await;
    rig.browser.close_browser(Duration::from_secs(10)).await.unwrap();
    assert_eq!(site.take(), "POST /sent/slow-beacon a");
}

#[tokio::test]
async fn a_download_that_a_flow_ends_in_is_kept() {
    let mut out = String::new();
    for (body, steps) in [
        ("", r#"{"type":"navigate","url":"{site}/file"}"#),
        ("", r#"{"type":"navigate","url":"{site}/file?slow"}"#),
        ("<a id=b href=/file?slow>Go</a>", CLICK),
        ("<a id=b target=_blank href=/file?slow>Go</a>", CLICK),
        ("<a id=b download=own.txt href=/second?slow>Go</a>", CLICK),
        (r#"<button id=b onclick="setTimeout(() => location = '/file?slow', 50)">Go</button>"#, CLICK),
        ("<a id=b href=/file?slow>Go</a>", &format!("{CLICK},{ELSEWHERE}")),
    ] {
        let site = Site::serve(body).await;
        let mut rig = open(&site).await;
        let played = rig.play(steps).await;
        let files = rig.page.finish().await;
        let names = files.iter().map(|file| file.path.file_name().unwrap().to_str().unwrap());
        out += &format!("{} {:?}\n", played.trim_end().replace('\n', ", "), names.collect::<Vec<_>>());
        rig.page.close().await;
    }
    expect![[r#"
        1 navigate: ok ["report.txt"]
        1 navigate: ok ["report.txt"]
        1 click: ok [gate] ["report.txt"]
        1 click: ok [gate] ["report.txt"]
        1 click: ok [gate] ["own.txt"]
        1 click: ok [gate] ["report.txt"]
        1 click: ok [gate], 2 navigate: ok ["report.txt"]
    "#]]
    .assert_eq(&out);
}

/// The page goes elsewhere later than the step waits for it, in the middle of the step's own navigation.
#[tokio::test]
async fn a_navigation_that_the_page_replaces_is_made_again() {
    for script in ["location = '/sent/slow'", "history.back()", "location.reload()"] {
        let body = format!(r#"<button id=b onclick="setTimeout(() => {{ {script} }}, 250)">Go</button>"#);
        let site = Site::serve(&body).await;
        let mut rig = open(&site).await;
        let again = r#"{"type":"navigate","url":"{site}/"}"#;
        let before = format!(r#"{{"type":"navigate","url":"{{site}}/second"}},{again}"#);
        assert_eq!(rig.play(&before).await, "1 navigate: ok\n2 navigate: ok\n");
        let started = Instant::now();
        let played = rig
            .play(&format!(
                r#"{CLICK},{{"type":"navigate","url":"{{site}}/late","assertedEvents":[{{"type":"navigation","url":"{{site}}/late","title":"/late"}}]}},
                {{"type":"waitForExpression","expression":"location.pathname == '/late'","timeout":100}}"#
            ))
            .await;
        assert_eq!(played, "1 click: ok [gate]\n2 navigate: ok\n3 waitForExpression: ok\n", "{script}");
        assert!(started.elapsed() < Duration::from_secs(5), "{script}: {:?}", started.elapsed());
        // What the click set off has arrived, too.
        assert_eq!(site.take(), if script.contains("sent") { "GET /sent/slow" } else { "" });
        rig.page.close().await;
    }
}

#[tokio::test]
async fn a_navigation_that_comes_to_no_page_says_so_at_once() {
    let site = Site::serve("").await;
    let mut rig = open(&site).await;
    let started = Instant::now();
    let played = rig.play(r#"{"type":"navigate","url":"{site}/nothing"}"#).await;
    rig.page.close().await;
    expect![[r#"
        1 navigate: Navigation: net::ERR_ABORTED at {site}/nothing; the server sent no page, or the page stopped it
    "#]]
    .assert_eq(&played);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

/// What never rests is waited for no longer than five seconds, and what is no answer to the input not at
/// all: streams, sockets, and requests that were on their way before it.
#[tokio::test]
async fn the_wait_is_bounded() {
    for (body, least, most) in [
        ("<button id=b>Go</button>", 0, 2),
        ("<button id=b onclick=\"new EventSource('/events'); new WebSocket('/socket')\">Go</button>", 0, 2),
        ("<button id=b>Go</button><script>fetch('/never')</script>", 0, 2),
        ("<button id=b onclick=\"fetch('/never')\">Go</button>", 4, 8),
        ("<button id=b onclick=\"setInterval(() => fetch('/second'), 50)\">Go</button>", 4, 8),
    ] {
        let site = Site::serve(body).await;
        let mut rig = open(&site).await;
        assert_eq!(rig.play(CLICK).await, "1 click: ok [gate]\n");
        let started = Instant::now();
        assert_eq!(rig.play(ELSEWHERE).await, "1 navigate: ok\n", "{body}");
        let took = started.elapsed();
        let expected = Duration::from_secs(least)..Duration::from_secs(most);
        assert!(expected.contains(&took), "{body}: {took:?}");
        rig.page.close().await;
    }
}

/// A submission that is not answered may have been lost.
#[tokio::test]
async fn a_submission_without_an_answer_is_not_cut_off_in_silence() {
    let site = Site::serve(
        "<form action=/never method=post><button id=b>Go</button></form><a id=a href=/never>Go</a>",
    )
    .await;
    let elsewhere = r#"{"type":"navigate","url":"{site}/second","timeout":1500}"#;
    let mut rig = open(&site).await;
    let submitted = rig.play(&format!("{CLICK},{elsewhere}")).await;
    rig.page.close().await;
    let mut rig = open(&site).await;
    let followed = rig.play(&format!("{},{elsewhere}", CLICK.replace("#b", "#a"))).await;
    rig.page.close().await;
    let mut rig = open(&site).await;
    let ended = rig.play(CLICK).await;
    rig.page.finish().await;
    let unanswered = rig.page.unanswered().map(|error| error.to_string().replace(&site.url, "{site}"));
    rig.page.close().await;
    expect![[r#"
        1 click: ok [gate]
        2 navigate: TimedOut: the submission to {site} was not answered within 1.5 s; to go on would cut it off
        1 click: ok [gate]
        2 navigate: ok
        1 click: ok [gate]
        Some("the submission to {site} was not answered within 10 s; to go on would cut it off")"#]]
    .assert_eq(&format!("{submitted}{followed}{ended}{unanswered:?}"));
}
