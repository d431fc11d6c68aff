//! Tabs that name no opener: those of a click with a key held, and those of strangers.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use expect_test::expect;
use regatta_core::session::Platform;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::rig::Rig;
use crate::support::chrome::Chrome;

const CLICK: &str = r##"{"type":"click","selectors":["#b"],"offsetX":3,"offsetY":3}"##;

fn held(key: &str, step: &str) -> String {
    format!(r#"{{"type":"keyDown","key":"{key}"}},{step},{{"type":"keyUp","key":"{key}"}}"#)
}

/// The ways to open what `#b` leads to in a tab of its own.
fn ways() -> [String; 5] {
    let middle = CLICK.replace(r#""offsetX""#, r#""button":"auxiliary","offsetX""#);
    let focus = r#"{"type":"waitForExpression","expression":"(b.focus(), true)"}"#;
    let enter = r#"{"type":"keyDown","key":"Enter"},{"type":"keyUp","key":"Enter"}"#;
    [
        held("Control", CLICK),
        held("Shift", CLICK),
        held("Control", &held("Shift", CLICK)),
        middle,
        format!("{focus},{}", held("Control", enter)),
    ]
}

#[tokio::test]
async fn a_tab_that_a_key_or_the_middle_button_opens_is_played_in() {
    let target = r#""target":"{site}/frame?name=new""#;
    let inside = format!(
        r##"{{"type":"click","selectors":["#b"],"offsetX":60,"offsetY":20,{target}}},
        {{"type":"change","selectors":["#i"],"value":"x",{target}}},
        {{"type":"customStep","name":"regatta.capture","parameters":{{"selectors":["#said"],"from":"text","into":"identity.x"}},{target}}},
        {{"type":"close",{target}}}"##
    );
    for body in [
        r#"<a id=b href="/frame?name=new">Go</a>"#,
        r#"<form action="/frame"><input type=hidden name=name value=new><button id=b>Go</button></form>"#,
    ] {
        for way in ways() {
            // A button is pressed with the primary one only, and with Enter alone.
            if body.contains("form") && (way.contains("auxiliary") || way.contains("Enter")) {
                continue;
            }
            let mut rig = Rig::new(body).await;
            let opened = rig.play(&way).await;
            assert!(opened.lines().all(|line| line.contains(": ok")), "{opened}");
            let played = rig.play(&inside).await;
            rig.page.close().await;
            assert_eq!(
                played,
                "1 click: ok [gate]\n2 change: ok [gate]\n3 regatta.capture: \"click mouse,keydown,input\"\n4 close: ok\n",
                "{body} {way}"
            );
        }
    }
}

#[tokio::test]
async fn such_a_tab_stays_inside_the_allowed_origins() {
    for body in [r#"<a id=b href="{outside}/">Go</a>"#, r#"<a id=b href="/to?url={outside}/">Go</a>"#] {
        for way in ways() {
            let mut rig = Rig::new(body).await;
            rig.play(&way).await;
            let played = rig
                .play(r##"{"type":"click","selectors":["#there"],"offsetX":6,"offsetY":2,"timeout":700,"target":"{outside}/"}"##)
                .await;
            assert_eq!(rig.reached.load(Ordering::SeqCst), 0, "{body} {way}");
            rig.page.close().await;
            assert_eq!(
                played,
                "1 click: TimedOut: no page or frame is at {outside}/ within 700 ms; a new tab was kept from {outside}, which is not in allowed_origins\n",
                "{body} {way}"
            );
        }
    }
}

/// A person's tab in a browser that was joined is not the page's, also after the page opened
/// before; in a browser of our own every tab is.
#[tokio::test]
async fn a_strangers_tab_is_guarded_in_a_browser_of_our_own_only() {
    let mut reached = Vec::new();
    for is_ours in [false, true] {
        let chrome = Arc::new(Chrome::launch("data:text/html,keeper"));
        let body = r#"<a id=b href="/second">Go</a>"#;
        let mut rig = match is_ours {
            true => Rig::owning(Arc::clone(&chrome), body).await,
            false => Rig::on(Arc::clone(&chrome), body, Platform::Desktop).await,
        };
        rig.play(&held("Control", CLICK)).await;
        let opened =
            rig.play(r#"{"type":"waitForExpression","expression":"true","target":"{site}/second"}"#).await;
        assert_eq!(opened, "1 waitForExpression: ok\n");
        let mut stranger = Rig::at(Arc::clone(&chrome), rig.outside.clone(), Platform::Desktop).await;
        let went = stranger.play(r#"{"type":"navigate","url":"{site}/second"}"#).await;
        reached.push(format!("{} {went}", rig.reached.load(Ordering::SeqCst)));
        stranger.page.close().await;
        rig.page.close().await;
    }
    expect![[r#"
        1 1 navigate: ok
        0 1 navigate: Navigation: net::ERR_BLOCKED_BY_CLIENT at {site}/second
    "#]]
    .assert_eq(&reached.concat());
}

#[tokio::test]
async fn the_browsers_own_pages_stay_alone() {
    let chrome = Arc::new(Chrome::launch("data:text/html,keeper"));
    let mut rig = Rig::owning(Arc::clone(&chrome), r#"<a id=b href="/second">Go</a>"#).await;
    let opened = asked(&chrome, "PUT", "/json/new?chrome://histograms/").await;
    assert!(opened.contains("\"type\": \"page\""), "{opened}");
    // What the page opens after it is its own.
    rig.play(&held("Control", CLICK)).await;
    let played =
        rig.play(r#"{"type":"waitForExpression","expression":"true","target":"{site}/second"}"#).await;
    let mut listed = String::new();
    let arrived = async {
        while !listed.contains("\"url\": \"chrome://histograms/\"") {
            listed = asked(&chrome, "GET", "/json/list").await;
        }
    };
    let arrived = tokio::time::timeout(super::rig::TIMEOUT, arrived).await;
    let stays = rig
        .play(r##"{"type":"click","selectors":["#b"],"offsetX":3,"offsetY":3,"target":"chrome://histograms/","timeout":300}"##)
        .await;
    rig.page.close().await;
    arrived.expect(&listed);
    expect![[r#"
        1 waitForExpression: ok
        1 click: TimedOut: no page or frame is at chrome://histograms/ within 300 ms; there are {site}/, {site}/second
    "#]]
    .assert_eq(&format!("{played}{stays}"));
}

/// What the browser's own port says.
async fn asked(chrome: &Chrome, method: &str, path: &str) -> String {
    let host = chrome.ws().trim_start_matches("ws://").split('/').next().unwrap().to_owned();
    let mut stream = TcpStream::connect(&host).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).await.unwrap();
        if let Some((_, value)) = line.to_ascii_lowercase().split_once("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    reader.take(length).read_to_string(&mut answer).await.unwrap();
    answer
}
