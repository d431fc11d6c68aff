//! Plays steps on a fixture page, and reports the outcome of each and what the page saw.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::future::pending;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect};
use axum::routing::{any, get};
use expect_test::Expect;
use regatta_core::evidence::TraceMode;
use regatta_core::fingerprint::{Fingerprint, Likeness};
use regatta_core::flow::{self, Flow};
use regatta_core::session::Platform;
use regatta_core::workflow::block::Block;
use regatta_page::{
    ActionError, BrowserConnection, InputGate, LocatorKey, Page, PageOptions, RememberedLocator,
    SelectorMemory,
};

use crate::support::chrome::Chrome;

pub const TIMEOUT: Duration = Duration::from_secs(20);

pub struct Rig {
    pub page: Page,
    pub browser: BrowserConnection,
    pub memory: Memory,
    pub site: String,
    pub outside: String,
    /// Requests that reached the outside.
    pub reached: Arc<AtomicU32>,
    /// Lives as long as what is on it.
    pub chrome: Arc<Chrome>,
    _downloads: tempfile::TempDir,
}

#[derive(Clone, Default)]
pub struct Memory(pub Arc<Mutex<HashMap<LocatorKey, Remembered>>>);

#[derive(Debug, Clone, Default)]
pub struct Remembered {
    pub recalled: RememberedLocator,
    pub suggestion: Option<Likeness>,
}

impl SelectorMemory for Memory {
    fn recall(&mut self, key: &LocatorKey) -> RememberedLocator {
        self.0.lock().unwrap().get(key).map(|remembered| remembered.recalled.clone()).unwrap_or_default()
    }

    fn remember(&mut self, key: &LocatorKey, alternative: usize, element: Option<Fingerprint>) {
        let mut memory = self.0.lock().unwrap();
        let recalled = &mut memory.entry(key.clone()).or_default().recalled;
        (recalled.alternative, recalled.element) = (Some(alternative), element);
    }

    fn suggest(&mut self, key: &LocatorKey, likeness: Likeness) {
        self.0.lock().unwrap().entry(key.clone()).or_default().suggestion = Some(likeness);
    }

    fn keep(&mut self, key: &LocatorKey, likeness: Likeness) {
        let mut memory = self.0.lock().unwrap();
        let recalled = &mut memory.entry(key.clone()).or_default().recalled;
        (recalled.healed, recalled.element) = (Some(likeness.selector), Some(likeness.element));
    }
}

impl Memory {
    /// The alternatives that won.
    pub fn won(&self) -> Vec<Option<usize>> {
        self.0.lock().unwrap().values().map(|remembered| remembered.recalled.alternative).collect()
    }

    /// As if another selector had won elsewhere.
    pub fn set_won(&self, alternative: usize) {
        for remembered in self.0.lock().unwrap().values_mut() {
            remembered.recalled =
                RememberedLocator { alternative: Some(alternative), ..RememberedLocator::default() };
        }
    }
}

#[derive(Default)]
pub struct Counter {
    pub calls: u32,
    /// How often no document had seen the input that it let pass.
    pub untouched: u32,
    pub says_no: bool,
}

impl InputGate for Counter {
    fn before_input(&mut self) -> Result<(), String> {
        self.calls += 1;
        if self.says_no { Err("not now".to_owned()) } else { Ok(()) }
    }

    fn input_not_seen(&mut self) -> Result<(), String> {
        self.untouched += 1;
        Ok(())
    }
}

const CLOSES: &str = "<!doctype html><title>closes</title><style>body { margin: 0 }</style>\
    <button id=done onclick=\"top == self ? close() : parent.postMessage('done', '*')\">Done</button>";

/// Reports its events to its opener, or to the page around it. With `inner`, it has a frame of its own.
const FRAME: &str = r#"<!doctype html><title>NAME</title><style>body { margin: 0 }</style>
<button id=b style="width:120px;height:40px">Go NAME</button><input id=i><p id=said></p>
<script>
const said = [];
const record = text => { said.push(text); document.getElementById('said').textContent = said.join(','); };
for (const type of ['click', 'dblclick', 'keydown', 'input', 'touchstart'])
  document.addEventListener(type, event => record(type + (event.pointerType ? ' ' + event.pointerType : '') + (event.isTrusted ? '' : ' untrusted')));
const inner = new URL(location).searchParams.get('inner');
if (inner) { const frame = document.createElement('iframe'); frame.src = inner; frame.style = 'margin-left:30px;border:5px solid;padding:7px'; document.body.append(frame); }
</script>"#;

/// Ways to go elsewhere from a frame or a tab of its own, each to a place that the fixture has.
const GOES: &str = r#"<!doctype html><title>goes</title><style>body { margin: 0 }</style>
<a id=link href="/second">Link</a> <a id=top target=_top href="/second?top">Top</a>
<form action="/frame?name=sent" method=post><input id=field name=v><button id=send>Send</button></form>
<button id=push onclick="history.pushState(0, '', '/goes?pushed'); document.title = 'pushed'">Push</button>
<button id=opener onclick="opener.location = '/second?opener'">Opener</button>
<button id=close onclick="opener.location = '/second?opener'; window.close()">Close</button>"#;

/// The fixture at `/`, and around it what the steps of every test may need.
pub async fn serve(body: &str) -> (String, Arc<AtomicU32>) {
    let html = format!(
        "<!doctype html><title>fixture</title><link rel=icon href=\"data:,\"><style>body {{ margin: 0 }}</style><script>{}</script>{body}",
        include_str!("log.js")
    );
    let second = "<!doctype html><title>second</title><h1>Second</h1><button id=next onclick=\"document.title += '!'\">Next</button>";
    type Q = Query<HashMap<String, String>>;
    let app = Router::new()
        .route("/", any(|State(html): State<String>| async { Html(html) }))
        .route("/second", any(move || async move { Html(second) }))
        .route(
            "/late",
            any(move || async move {
                // A server takes its time; nothing but the browser waits for it.
                tokio::time::sleep(Duration::from_millis(300)).await;
                Html(second)
            }),
        )
        .route(
            "/status",
            any(|Query(q): Q| async move {
                let status = StatusCode::from_u16(q["code"].parse().unwrap()).unwrap();
                let mut answer = (status, Html("<title>oh</title><h1>Oh no</h1>")).into_response();
                if let Some(after) = q.get("after") {
                    answer.headers_mut().insert("retry-after", after.parse().unwrap());
                }
                answer
            }),
        )
        .route(
            // Busy the first time.
            "/once",
            any({
                let asked = Arc::new(AtomicU32::new(0));
                move || async move {
                    let first = asked.fetch_add(1, Ordering::SeqCst) == 0;
                    if first { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
                }
            }),
        )
        .route("/to", any(|Query(q): Q| async move { Redirect::to(&q["url"]).into_response() }))
        .route("/goes", any(|| async { Html(GOES) }))
        .route(
            "/closes-by-key",
            any(|| async { Html("<title>keys</title><script>onkeydown = () => close()</script>") }),
        )
        // Lets itself be drawn ahead of time by other origins of its site.
        .route(
            "/ahead",
            any(|| async {
                let said = [("supports-loading-mode", "credentialed-prerender")];
                (said, Html("<title>ahead</title><script>fetch('/ran', { keepalive: true })</script>"))
            }),
        )
        .route("/closes", any(|| async { Html(CLOSES) }))
        .route("/frame", any(|Query(q): Q| async move { Html(FRAME.replace("NAME", &q["name"])) }))
        .route(
            "/file",
            any(|| async {
                ([("content-disposition", "attachment; filename=\"a report.txt\"")], "x".repeat(3000))
            }),
        )
        .route(
            "/auth",
            any(|headers: axum::http::HeaderMap| async move {
                // ann:pwd
                let is_in = headers.get("authorization").is_some_and(|sent| sent == "Basic YW5uOnB3ZA==");
                let status = if is_in { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
                (status, [("www-authenticate", "Basic realm=\"here\"")], "here")
            }),
        )
        .route("/hang", get(|| async { pending::<()>().await }))
        .route("/echo", any(|body: String| async move { Html(format!("<pre id=echo>{body}</pre>")) }))
        .with_state(html);
    let reached = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&reached);
    let app = app.layer(axum::middleware::map_request(move |request: axum::extract::Request| {
        count.fetch_add(1, Ordering::SeqCst);
        async move { request }
    }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    (format!("http://{address}"), reached)
}

impl Rig {
    pub async fn new(body: &str) -> Self {
        Self::on(Chrome::shared(), body, Platform::Desktop).await
    }

    pub async fn on(chrome: Arc<Chrome>, body: &str, platform: Platform) -> Self {
        Self::with(chrome, body, platform, Block::default(), TraceMode::default()).await
    }

    pub async fn with(
        chrome: Arc<Chrome>,
        body: &str,
        platform: Platform,
        block: Block,
        trace: TraceMode,
    ) -> Self {
        let (outside, reached) = serve("<h1>Outside</h1><input id=there>").await;
        let (site, _) = serve(&body.replace("{outside}", &outside)).await;
        let browser = BrowserConnection::connect(chrome.ws()).await.unwrap();
        let at = Self::open(chrome, browser, site, platform, block, trace).await;
        let rig = Self { outside, reached, ..at };
        rig.opened().await
    }

    /// In a browser that was started for it alone.
    pub async fn owning(chrome: Arc<Chrome>, body: &str) -> Self {
        let (outside, reached) = serve("<h1>Outside</h1>").await;
        let (site, _) = serve(&body.replace("{outside}", &outside)).await;
        let browser = BrowserConnection::connect(chrome.ws()).await.unwrap().started_by_us();
        let (block, trace) = Default::default();
        let at = Self::open(chrome, browser, site, Platform::Desktop, block, trace).await;
        Self { outside, reached, ..at }.opened().await
    }

    /// Its browser is spoken to at another address than its own.
    pub async fn through(ws: &str, chrome: Arc<Chrome>, body: &str) -> Self {
        let (site, _) = serve(body).await;
        let browser = BrowserConnection::connect(ws).await.unwrap();
        let (block, trace) = Default::default();
        Self::open(chrome, browser, site, Platform::Desktop, block, trace).await.opened().await
    }

    async fn opened(mut self) -> Self {
        let opened = self.play(r#"{"type":"navigate","url":"{site}/"}"#).await;
        assert_eq!(opened, "1 navigate: ok\n");
        self
    }

    /// A page that has been nowhere yet and may go to `site`.
    pub async fn at(chrome: Arc<Chrome>, site: String, platform: Platform) -> Self {
        let browser = BrowserConnection::connect(chrome.ws()).await.unwrap();
        Self::open(chrome, browser, site, platform, Block::default(), TraceMode::default()).await
    }

    async fn open(
        chrome: Arc<Chrome>,
        browser: BrowserConnection,
        site: String,
        platform: Platform,
        block: Block,
        trace: TraceMode,
    ) -> Self {
        let downloads = tempfile::tempdir().unwrap();
        let memory = Memory::default();
        // The same server under another name: another site to the browser, in a process of its own.
        let allowed_origins = vec![site.clone(), elsewhere(&site)];
        let options = PageOptions {
            allowed_origins,
            block,
            trace,
            platform,
            memory: Box::new(memory.clone()),
            downloads: Some(downloads.path().to_owned()),
        };
        let page = browser.open_page(options).await.unwrap();
        let (outside, reached) = Default::default();
        Self { page, browser, memory, site, outside, reached, chrome, _downloads: downloads }
    }

    pub fn flow(&self, steps: &str) -> Flow {
        let steps = steps
            .replace("{site}", &self.site)
            .replace("{elsewhere}", &elsewhere(&self.site))
            .replace("{outside}", &self.outside);
        flow::parse("f.json", &format!(r#"{{"title":"t","steps":[{steps}]}}"#)).unwrap()
    }

    /// One line a step: what came of it, whether the gate was asked, what was captured.
    pub async fn play(&mut self, steps: &str) -> String {
        let flow = self.flow(steps);
        let mut out = String::new();
        for step in &flow.steps {
            let mut gate = Counter::default();
            let timeout = step.timeout.unwrap_or(TIMEOUT);
            let result = self.page.perform("f.json", step, timeout, &mut gate).await;
            let _ = write!(out, "{} {}: ", step.number, step.action.name());
            match result {
                Ok(None) => out.push_str("ok"),
                Ok(Some(text)) => {
                    let _ = write!(out, "{text:?}");
                }
                Err(ActionError { kind, message, hint, remedies }) => {
                    let _ = write!(out, "{kind:?}: {message}");
                    if let Some(hint) = hint {
                        let _ = write!(out, "; {hint}");
                    }
                    for remedy in remedies {
                        let _ = write!(out, " [{remedy:?}]");
                    }
                }
            }
            for _ in 0..gate.calls {
                out.push_str(" [gate]");
            }
            for _ in 0..gate.untouched {
                out.push_str(" [no touch]");
            }
            out.push('\n');
        }
        let out = out
            .replace(&self.site, "{site}")
            .replace(&elsewhere(&self.site), "{elsewhere}")
            .replace(&stranger(&self.site), "{stranger}");
        if self.outside.is_empty() { out } else { out.replace(&self.outside, "{outside}") }
    }

    /// A script of the page's own.
    pub async fn run_in_page(&mut self, script: &str) {
        let expression = serde_json::to_string(&format!("{{ {script}; }} true")).unwrap();
        let played = self
            .play(&format!(r#"{{"type":"waitForExpression","expression":{expression},"timeout":5000}}"#))
            .await;
        assert_eq!(played, "1 waitForExpression: ok\n");
    }

    /// What was found by likeness since the last call, a line each.
    pub fn healed(&mut self) -> String {
        let healed = self.page.take_healing_events();
        healed
            .into_iter()
            .map(|healed| {
                format!("{:?}: {} by `{}`, was {}\n", healed.how, healed.found, healed.selector, healed.known)
            })
            .collect()
    }

    /// What the page logged.
    pub async fn log(&mut self) -> String {
        let log = self.flow(
            r##"{"type":"customStep","name":"regatta.capture","parameters":{"selectors":["#log"],"from":"text","into":"identity.x"},"timeout":1}"##,
        );
        let step = &log.steps[0];
        // Every fixture has a log; where the page is another one there is nothing to read.
        let log = self.page.perform("f.json", step, Duration::from_secs(1), &mut Counter::default()).await;
        match log {
            Ok(Some(log)) => log.lines().skip(1).map(|line| format!("  {line}\n")).collect(),
            _ => String::new(),
        }
    }
}

pub fn elsewhere(site: &str) -> String {
    site.replace("127.0.0.1", "localhost")
}

/// The same server at an origin that is not allowed.
pub fn stranger(site: &str) -> String {
    site.replace("127.0.0.1", "stranger.localhost")
}

pub async fn check(body: &str, steps: &str, expected: Expect) {
    let mut rig = Rig::new(body).await;
    let played = rig.play(steps).await;
    let log = rig.log().await;
    rig.page.close().await;
    expected.assert_eq(&format!("{played}{log}"));
}
