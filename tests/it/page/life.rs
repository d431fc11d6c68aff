//! The gate, what ends a page, and what is kept of it.

use std::sync::Arc;
use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::page::CrashParams;
use chromiumoxide::cdp::browser_protocol::target::GetTargetsParams;
use expect_test::expect;
use regatta_core::event::{NetworkTotals, ResourceType};
use regatta_core::evidence::Incident;
use regatta_core::mask::Mask;
use regatta_core::session::{Identity, Platform};
use regatta_page::connection::Connection;
use regatta_page::{BrowserConnection, PageOptions};

use super::rig::{Counter, Memory, Rig, TIMEOUT, check};
use crate::support::chrome::Chrome;

#[tokio::test]
async fn the_gate_is_asked_once_and_only_when_something_is_about_to_be_touched() {
    check(
        r#"<button id=b data-log=click>Go</button><input id=i>"#,
        r##"{"type":"click","selectors":["#nothing"],"offsetX":3,"offsetY":3,"timeout":300},
        {"type":"change","selectors":["#nothing"],"value":"x","timeout":300},
        {"type":"hover","selectors":["#b"]},
        {"type":"scroll","y":1},
        {"type":"waitForElement","selectors":["#b"]},
        {"type":"change","selectors":["#i"],"value":""},
        {"type":"doubleClick","selectors":["#b"],"offsetX":3,"offsetY":3}"##,
        expect![[r#"
            1 click: TimedOut: no element matches `#nothing` within 300 ms; the page shows "fixture"
            2 change: TimedOut: no element matches `#nothing` within 300 ms; the page shows "fixture"
            3 hover: ok
            4 scroll: ok
            5 waitForElement: ok
            6 change: ok [gate]
            7 doubleClick: ok [gate]
              click b
              click b
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_gate_that_says_no_stops_the_input() {
    let mut rig =
        Rig::new(r#"<button id=b data-log="mousedown click">Go</button><input id=i data-log=input>"#).await;
    let flow = rig.flow(
        r##"{"type":"click","selectors":["#b"],"offsetX":3,"offsetY":3},{"type":"change","selectors":["#i"],"value":"x"},{"type":"keyDown","key":"a"}"##,
    );
    let mut said = Vec::new();
    for step in &flow.steps {
        let mut gate = Counter { says_no: true, ..Counter::default() };
        let error = rig.page.perform("f.json", step, TIMEOUT, &mut gate).await.unwrap_err();
        said.push(format!("{:?}: {} ({})", error.kind, error.message, gate.calls));
    }
    let log = rig.log().await;
    rig.page.close().await;
    expect![[r#"
        Gate: not now (1)
        Gate: not now (1)
        Gate: not now (1)
    "#]]
    .assert_eq(&format!("{}\n{log}", said.join("\n")));
}

#[tokio::test]
async fn a_wait_on_a_page_that_is_still_busy_is_no_definite_no() {
    check(
        r#"<script>fetch('/hang')</script>"#,
        r##"{"type":"waitForElement","selectors":["#x"],"timeout":1000},
        {"type":"waitForExpression","expression":"false","timeout":1000}"##,
        expect![[r#"
            1 waitForElement: TimedOut: no element matches `#x` within 1 s; the page shows "fixture"
            2 waitForExpression: TimedOut: the expression `false` did not become true within 1 s
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_page_that_hangs_does_not_hang_us() {
    let chrome = Arc::new(Chrome::launch("about:blank"));
    let mut rig = Rig::on(chrome, r#"<button id=b onclick="for (;;);">Go</button>"#, Platform::Desktop).await;
    let played = rig.play(r##"{"type":"click","selectors":["#b"],"offsetX":3,"offsetY":3,"timeout":2000},{"type":"click","selectors":["#b"],"offsetX":3,"offsetY":3,"timeout":2000}"##).await;
    expect![[r#"
        1 click: TimedOut: the page did not answer the click [gate]
        2 click: TimedOut: the page did not answer within 2 s
    "#]]
    .assert_eq(&played);
    let folder = tempfile::tempdir().unwrap();
    let kept = rig.page.evidence(folder.path(), &Incident::default(), &Mask::default()).await;
    assert!(kept.iter().any(|path| path.ends_with("console.txt")));
}

#[tokio::test]
async fn a_crash_a_closed_page_and_a_dead_browser_are_different_errors() {
    let wait = r##"{"type":"waitForElement","selectors":["#never"]}"##;
    let mut chrome = Chrome::launch("data:text/html,keeper");
    let ws = chrome.ws().to_owned();
    let connect = async || BrowserConnection::connect(&ws).await.unwrap();
    let memory = Memory::default();
    let open = || PageOptions {
        block: Default::default(),
        trace: Default::default(),
        allowed_origins: vec![],
        platform: Platform::Desktop,
        memory: Box::new(memory.clone()),
        downloads: None,
    };
    let flow = regatta_core::flow::parse("f.json", &format!(r#"{{"title":"t","steps":[{wait}]}}"#)).unwrap();
    let mut said = Vec::new();

    let mut closed = connect().await.open_page(open()).await.unwrap();
    let browser = connect().await;
    let keep = browser.open_page(open()).await.unwrap();
    let mut gate = Counter::default();
    let waiting = closed.perform("f.json", &flow.steps[0], TIMEOUT, &mut gate);
    let (error, others) = tokio::join!(waiting, browser.close_other_pages(&keep));
    others.unwrap();
    said.push(error.unwrap_err());

    let mut crashed = connect().await.open_page(open()).await.unwrap();
    let mut gate = Counter::default();
    let waiting = crashed.perform("f.json", &flow.steps[0], TIMEOUT, &mut gate);
    let (error, ()) = tokio::join!(waiting, crash_every_page(chrome.ws()));
    said.push(error.unwrap_err());

    let mut killed = connect().await.open_page(open()).await.unwrap();
    let mut gate = Counter::default();
    let waiting = killed.perform("f.json", &flow.steps[0], TIMEOUT, &mut gate);
    let (error, ()) = tokio::join!(waiting, async { chrome.kill() });
    said.push(error.unwrap_err());
    assert!(browser.is_gone());
    assert!(browser.open_page(open()).await.is_err());

    let said: Vec<_> = said.iter().map(|error| format!("{:?}: {}", error.kind, error.message)).collect();
    expect![[r#"
        BrowserGone: the page was closed
        PageCrashed: the page crashed
        BrowserGone: the browser is gone"#]]
    .assert_eq(&said.join("\n"));
}

/// What a page does that runs out of memory.
async fn crash_every_page(ws: &str) {
    let connection = Connection::connect(ws).await.unwrap();
    let targets = connection.browser().send(GetTargetsParams::default()).await.unwrap();
    for target in targets.target_infos.into_iter().filter(|target| target.r#type == "page") {
        let (events, _heard) = tokio::sync::mpsc::unbounded_channel();
        let page = connection.attach(target.target_id.inner(), &events).await.unwrap();
        // Its answer dies with it.
        drop(page.send(CrashParams::default()));
        connection.browser().send(GetTargetsParams::default()).await.unwrap();
    }
}

#[tokio::test]
async fn the_only_blank_tab_is_used_and_the_browser_closes() {
    let chrome = Arc::new(Chrome::launch("about:blank"));
    let mut rig = Rig::on(Arc::clone(&chrome), "<title>x</title>", Platform::Mobile).await;
    let played = rig
        .play(r##"{"type":"waitForExpression","expression":"screen.width == 412"},{"type":"waitForExpression","expression":"navigator.maxTouchPoints > 0"}"##)
        .await;
    assert_eq!(played, "1 waitForExpression: ok\n2 waitForExpression: ok\n");
    // Nothing but ours is there to close.
    rig.browser.close_other_pages(&rig.page).await.unwrap();
    assert_eq!(rig.play(r##"{"type":"scroll","y":0}"##).await, "1 scroll: ok\n");
    rig.browser.close_browser(Duration::from_secs(10)).await.unwrap();
    assert!(rig.browser.is_gone());
}

#[tokio::test]
async fn evidence_shows_the_page_without_its_values() {
    let mut rig = Rig::new(
        r#"<h1>Hello ann@practice.test</h1><input id=i value="typed"><x-a id=x></x-a><script>x.attachShadow({mode:'open'}).innerHTML='<p>in the shadow</p>'; console.log('mail', 'ann@practice.test', 7); setTimeout(() => { throw new Error('broken') })</script>"#,
    )
    .await;
    rig.play(r##"{"type":"change","selectors":["#i"],"value":"s3cret"}"##).await;
    let mut identity = Identity::default();
    identity.set("email", "ann@practice.test");
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("deep/er");
    let kept = rig.page.evidence(&dir, &Incident::default(), &Mask::for_identity(&identity)).await;
    let names: Vec<_> =
        kept.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    let html = std::fs::read_to_string(dir.join("page.html")).unwrap();
    let console = std::fs::read_to_string(dir.join("console.txt")).unwrap();
    let png = std::fs::read(dir.join("screenshot.png")).unwrap();
    assert!(png.starts_with(b"\x89PNG"), "{} bytes", png.len());
    assert!(html.contains("Hello ‹identity.email›") && html.contains("in the shadow"), "{html}");
    assert!(!html.contains("s3cret") && !html.contains("blur("), "{html}");
    let console = console.lines().filter(|line| !line.trim_start().starts_with("at ")).collect::<Vec<_>>();
    rig.page.close().await;
    expect![[r#"
        ["index.html", "screenshot.png", "page.html", "console.txt", "trace.zip"]
        log: mail ‹identity.email› 7
        uncaught: Error: broken"#]]
    .assert_eq(&format!("{names:?}\n{}", console.join("\n")));
}

#[tokio::test]
async fn traffic_is_counted_and_waited_for() {
    let mut rig = Rig::new(
        r#"<button id=b onclick="fetch('/echo', {method: 'POST', body: 'x'.repeat(5000)})">Go</button>
        <a id=a href="{outside}/">away</a>"#,
    )
    .await;
    let loaded = rig.page.take_network_totals();
    assert!(loaded.requests >= 1 && loaded.bytes_received > 100 && loaded.bytes_sent > 50, "{loaded:?}");
    rig.play(r##"{"type":"click","selectors":["#b"],"offsetX":3,"offsetY":3}"##).await;
    rig.page.wait_until_idle(Duration::from_secs(10)).await;
    let sent = rig.page.take_network_totals();
    assert!(sent.requests == 1 && sent.bytes_sent > 5000 && sent.failed == 0, "{sent:?}");
    let kinds: Vec<_> = loaded.by_type.keys().chain(sent.by_type.keys()).copied().collect();
    assert_eq!(kinds, [ResourceType::Document, ResourceType::Fetch]);
    assert_eq!(rig.page.take_network_totals(), Default::default());
    // The main frame's way out is refused by us: nothing has failed, and the browser's own page about it,
    // a quarter of a megabyte, came over no wire.
    rig.play(r##"{"type":"click","selectors":["#a"],"offsetX":3,"offsetY":3}"##).await;
    let mut refused = NetworkTotals::default();
    let reported = async {
        while refused.blocked == 0 {
            tokio::task::yield_now().await;
            refused += &rig.page.take_network_totals();
        }
    };
    tokio::time::timeout(TIMEOUT, reported).await.unwrap();
    rig.play(r#"{"type":"navigate","url":"{site}/second"}"#).await;
    refused += &rig.page.take_network_totals();
    assert!((refused.requests, refused.blocked, refused.failed) == (2, 1, 0), "{refused:?}");
    assert!(refused.bytes_received < 5000, "{refused:?}");
    rig.page.close().await;
}
