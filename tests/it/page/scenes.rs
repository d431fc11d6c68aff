//! Steps in frames and in other tabs; what tabs do in life: dialogs, downloads, being closed.

use std::collections::HashSet;
use std::sync::Arc;

use expect_test::expect;
use regatta_core::session::Platform;
use regatta_core::workflow::dialog::DialogPolicy;
use serde_json::Value;

use super::rig::{Rig, check, elsewhere};
use crate::support::chrome::Chrome;
use crate::support::relay::{By, Relay};

fn said(frame: &str) -> String {
    format!(
        r##"{{"type":"customStep","name":"regatta.capture","parameters":{{"selectors":["#said"],"from":"text","into":"identity.x"}},{frame}}}"##
    )
}

/// A click and typing, and what the frame saw of them.
fn click_and_type(frame: &str) -> String {
    format!(
        r##"{{"type":"click","selectors":["#b"],"offsetX":60,"offsetY":20,{frame}}},
        {{"type":"change","selectors":["#i"],"value":"x",{frame}}},
        {{"type":"keyDown","key":"a",{frame}}},{{"type":"keyUp","key":"a",{frame}}},{}"##,
        said(frame)
    )
}

#[tokio::test]
async fn a_step_is_played_in_a_frame_in_a_frame() {
    check(
        r#"<p style="height:1500px">far down</p><iframe></iframe><iframe style="border:11px solid;margin:20px" width=400 height=200 src="/frame?name=outer&inner=%2Fframe%3Fname%3Dinner"></iframe>"#,
        &format!("{},{}", click_and_type(r#""frame":[1]"#), click_and_type(r#""frame":[1,0]"#)),
        expect![[r#"
            1 click: ok [gate]
            2 change: ok [gate]
            3 keyDown: ok [gate]
            4 keyUp: ok [gate]
            5 regatta.capture: "click mouse,keydown,input,keydown,input"
            6 click: ok [gate]
            7 change: ok [gate]
            8 keyDown: ok [gate]
            9 keyUp: ok [gate]
            10 regatta.capture: "click mouse,keydown,input,keydown,input"
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_frame_of_another_site_is_entered_by_its_path_and_by_its_address() {
    let mut rig = Rig::new("<h1>x</h1>").await;
    rig.play(r#"{"type":"waitForExpression","expression":"(document.body.innerHTML = '<p style=height:1200px>far</p><iframe width=400 height=200 src=\"{elsewhere}/frame?name=outer&inner={site}/frame?name=inner\"></iframe>', true)"}"#).await;
    let by_path = rig.play(&click_and_type(r#""frame":[0]"#)).await;
    let deeper = rig.play(&click_and_type(r#""frame":[0,0]"#)).await;
    let by_address = rig
        .play(&click_and_type(r#""target":"{elsewhere}/frame?name=outer&inner={site}/frame?name=inner""#))
        .await;
    rig.page.close().await;
    expect![[r#"
        1 click: ok [gate]
        2 change: ok [gate]
        3 keyDown: ok [gate]
        4 keyUp: ok [gate]
        5 regatta.capture: "click mouse,keydown,input,keydown,input"
        1 click: ok [gate]
        2 change: ok [gate]
        3 keyDown: ok [gate]
        4 keyUp: ok [gate]
        5 regatta.capture: "click mouse,keydown,input,keydown,input"
        1 click: ok [gate]
        2 change: ok [gate]
        3 keyDown: ok [gate]
        4 keyUp: ok [gate]
        5 regatta.capture: "click mouse,keydown,input,keydown,input,click mouse,keydown,input,keydown,input"
    "#]]
    .assert_eq(&format!("{by_path}{deeper}{by_address}"));
}

/// Whether it has the focus is for each process of a page to say.
#[tokio::test]
async fn a_frame_of_another_site_has_the_focus_behind_another_tab() {
    // No other test's tab covers this one.
    let chrome = Arc::new(Chrome::launch("data:text/html,keeper"));
    let mut rig = Rig::on(chrome, "<iframe width=400 height=200></iframe>", Platform::Desktop).await;
    let frame = format!("{}/frame?name=behind", elsewhere(&rig.site));
    rig.run_in_page(&format!("document.querySelector('iframe').src = '{frame}'")).await;
    let before = rig.play(&click_and_type(r#""frame":[0]"#)).await;
    let front = Rig::on(Arc::clone(&rig.chrome), "<h1>In front</h1>", Platform::Desktop).await;
    let after = rig
        .play(&format!(
            r#"{{"type":"keyDown","key":"b"}},{{"type":"keyUp","key":"b"}},
            {{"type":"waitForExpression","expression":"document.hasFocus()","frame":[0],"timeout":500}},{}"#,
            said(r#""frame":[0]"#)
        ))
        .await;
    rig.page.close().await;
    front.page.close().await;
    expect![[r#"
        1 click: ok [gate]
        2 change: ok [gate]
        3 keyDown: ok [gate]
        4 keyUp: ok [gate]
        5 regatta.capture: "click mouse,keydown,input,keydown,input"
        1 keyDown: ok [gate]
        2 keyUp: ok [gate]
        3 waitForExpression: ok
        4 regatta.capture: "click mouse,keydown,input,keydown,input,keydown,input"
    "#]]
    .assert_eq(&format!("{before}{after}"));
}

/// The browser takes the pointer to the document around a frame as long as it has not drawn that frame.
/// Here a relay does so, with as many events of the mouse as `is_astray` says yes to.
async fn click_astray(mut is_astray: impl FnMut(&str) -> bool + Send + 'static) -> String {
    let chrome = Chrome::shared();
    let relay = Relay::to(chrome.ws(), move |by, message| {
        let is_mouse = by == By::Client && message["method"] == "Input.dispatchMouseEvent";
        if is_mouse && is_astray(message["params"]["type"].as_str().unwrap()) {
            (message["params"]["x"], message["params"]["y"]) = (20.into(), 310.into());
        }
        false
    })
    .await;
    let body = r#"<iframe width=400 height=200></iframe><button data-log="pointerdown click" id=around style="position:absolute;top:300px;left:0;width:90px;height:40px">Around</button>"#;
    let mut rig = Rig::through(&relay.ws, chrome, body).await;
    let frame = format!("{}/frame?name=new", elsewhere(&rig.site));
    rig.run_in_page(&format!("document.querySelector('iframe').src = '{frame}'")).await;
    let clicked = rig
        .play(&format!(
            r##"{{"type":"click","selectors":["#b"],"offsetX":60,"offsetY":20,"frame":[0]}},
            {{"type":"change","selectors":["#i"],"value":"x","frame":[0]}},{}"##,
            said(r#""frame":[0]"#)
        ))
        .await;
    let log = rig.log().await;
    rig.page.close().await;
    clicked + &log
}

#[tokio::test]
async fn a_frame_is_pressed_once_the_pointer_comes_into_it() {
    let mut left = 3;
    let clicked = click_astray(move |_| {
        left -= 1;
        left >= 0
    })
    .await;
    expect![[r#"
        1 click: ok [gate]
        2 change: ok [gate]
        3 regatta.capture: "click mouse,keydown,input"
    "#]]
    .assert_eq(&clicked);
}

#[tokio::test]
async fn a_press_that_the_document_around_a_frame_gets_is_kept_from_it_and_tried_again() {
    let mut left = 2;
    let clicked = click_astray(move |kind| {
        left -= i32::from(kind != "mouseMoved");
        kind != "mouseMoved" && left >= 0
    })
    .await;
    expect![[r#"
        1 click: ok [gate]
        2 change: ok [gate]
        3 regatta.capture: "click mouse,keydown,input"
    "#]]
    .assert_eq(&clicked);
}

#[tokio::test]
async fn what_is_in_the_way_of_a_frame_is_named() {
    check(
        r#"<iframe id=f style="position:absolute;top:0;left:0" width=300 height=100 src="/frame?name=x"></iframe><div id=cookie-banner style="position:absolute;top:0;left:0;width:400px;height:150px;background:#ccc">Cookies</div>"#,
        r##"{"type":"click","selectors":["#b"],"offsetX":60,"offsetY":20,"frame":[0],"timeout":700},
        {"type":"waitForExpression","expression":"(document.getElementById('cookie-banner').remove(), true)"},
        {"type":"click","selectors":["#b"],"offsetX":60,"offsetY":20,"frame":[0]},
        {"type":"waitForExpression","expression":"(f.style.visibility = 'hidden', true)"},
        {"type":"click","selectors":["#b"],"offsetX":60,"offsetY":20,"frame":[0],"timeout":700}"##,
        expect![[r#"
            1 click: TimedOut: covered by div#cookie-banner
            2 waitForExpression: ok
            3 click: ok [gate]
            4 waitForExpression: ok
            5 click: TimedOut: the frame iframe#f is not visible
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_missing_frame_is_an_error_and_a_late_frame_is_waited_for() {
    check(
        r#"<iframe src="/second"></iframe>"#,
        r##"{"type":"click","selectors":["#b"],"offsetX":6,"offsetY":2,"frame":[0,3],"timeout":500},
        {"type":"click","selectors":["#b"],"offsetX":6,"offsetY":2,"target":"http://127.0.0.1/nowhere","timeout":500},
        {"type":"waitForExpression","expression":"setTimeout(() => { const f = document.createElement('iframe'); f.src = '/frame?name=late'; document.body.append(f) }, 300)"},
        {"type":"click","selectors":["#b"],"offsetX":6,"offsetY":2,"frame":[1]}"##,
        expect![[r#"
            1 click: TimedOut: the page has no frame [0, 3] within 500 ms; its frames are {site}/second
            2 click: TimedOut: no page or frame is at http://127.0.0.1/nowhere within 500 ms; there are {site}/, {site}/second
            3 waitForExpression: ok
            4 click: ok [gate]
        "#]],
    )
    .await;
}

#[tokio::test]
async fn nothing_is_clicked_in_a_frame_of_another_origin_and_it_may_be_looked_at() {
    check(
        r#"<iframe src="{outside}/"></iframe>"#,
        r##"{"type":"waitForElement","selectors":["#there"],"frame":[0]},
        {"type":"click","selectors":["#there"],"offsetX":6,"offsetY":2,"frame":[0]},
        {"type":"change","selectors":["#there"],"value":"x","frame":[0]}"##,
        expect![[r#"
            1 waitForElement: ok
            2 click: Refused: the frame is {outside}, which is not in allowed_origins
            3 change: Refused: typing into {outside}, which is not in allowed_origins
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_tab_that_opens_is_played_in_and_closed() {
    let link = r##"{"type":"click","selectors":["#b"],"offsetX":3,"offsetY":3}"##;
    let target = r#""target":"{site}/frame?name=popup""#;
    for body in [
        r#"<a id=b target=_blank href="/frame?name=popup">Open</a>"#,
        r#"<button id=b onclick="window.open('/frame?name=popup', '', 'width=500,height=300')">Open</button>"#,
        r#"<button id=b onclick="const w = window.open(); w.location = '/frame?name=popup'">Open</button>"#,
    ] {
        let mut rig = Rig::new(body).await;
        let played = rig
            .play(&format!(
                r##"{link},{},{{"type":"close",{target}}},{{"type":"click","selectors":["#i"],"offsetX":3,"offsetY":3,"timeout":400,{target}}},{link}"##,
                click_and_type(target)
            ))
            .await;
        rig.page.close().await;
        expect![[r#"
            1 click: ok [gate]
            2 click: ok [gate]
            3 change: ok [gate]
            4 keyDown: ok [gate]
            5 keyUp: ok [gate]
            6 regatta.capture: "click mouse,keydown,input,keydown,input"
            7 close: ok
            8 click: TimedOut: no page or frame is at {site}/frame?name=popup within 400 ms; there are {site}/
            9 click: ok [gate]
        "#]]
        .assert_eq(&played);
    }
}

/// Input that closes its own tab, or removes its own frame, is taken; the steps after it go on elsewhere.
#[tokio::test]
async fn a_tab_and_a_frame_may_close_over_a_click() {
    check(
        r#"<button id=b onclick="window.open('/closes?tab')">Open</button><iframe id=f src="/closes"></iframe>
        <script>onmessage = () => { log('a frame is done'); f.remove() }</script>"#,
        r##"{"type":"click","selectors":["#b"],"offsetX":3,"offsetY":3},
        {"type":"click","selectors":["#done"],"offsetX":3,"offsetY":3,"target":"{site}/closes?tab"},
        {"type":"click","selectors":["#done"],"offsetX":3,"offsetY":3,"frame":[0]},
        {"type":"click","selectors":["#b"],"offsetX":3,"offsetY":3}"##,
        expect![[r#"
            1 click: ok [gate]
            2 click: ok [gate]
            3 click: ok [gate]
            4 click: ok [gate]
              a frame is done
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_tab_that_opens_goes_nowhere_else_either() {
    let mut rig = Rig::new(
        r#"<button id=b onclick="window.open('{outside}/'); window.open('/to?url={outside}/')">Open</button>"#,
    )
    .await;
    let played = rig
        .play(r##"{"type":"click","selectors":["#b"],"offsetX":3,"offsetY":3},{"type":"click","selectors":["#there"],"offsetX":3,"offsetY":3,"timeout":700,"target":"{outside}/"}"##)
        .await;
    assert_eq!(rig.reached.load(std::sync::atomic::Ordering::SeqCst), 0);
    rig.page.close().await;
    expect![[r#"
        1 click: ok [gate]
        2 click: TimedOut: no page or frame is at {outside}/ within 700 ms; a new tab was kept from {outside}, which is not in allowed_origins
    "#]].assert_eq(&played);
}

#[tokio::test]
async fn a_page_that_was_closed_is_opened_again_by_the_next_flow() {
    check(
        "",
        r##"{"type":"close"},{"type":"click","selectors":["#b"],"offsetX":3,"offsetY":3},
        {"type":"setViewport","width":700,"height":500,"deviceScaleFactor":1,"isMobile":false,"hasTouch":false,"isLandscape":true},
        {"type":"navigate","url":"{site}/second"},{"type":"waitForExpression","expression":"innerWidth == 700"},
        {"type":"click","selectors":["#next"],"offsetX":3,"offsetY":3},{"type":"waitForExpression","expression":"document.title == 'second!'"}"##,
        expect![[r#"
            1 close: ok
            2 click: BrowserGone: the page was closed
            3 setViewport: ok
            4 navigate: ok
            5 waitForExpression: ok
            6 click: ok [gate]
            7 waitForExpression: ok
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_finger_and_a_pen_are_what_they_are() {
    let click = |how: &str| {
        format!(r##"{{"type":"click","selectors":["#b"],"offsetX":60,"offsetY":20,"frame":[0],{how}}}"##)
    };
    check(
        r#"<iframe src="/frame?name=x"></iframe>"#,
        &format!(
            "{},{},{},{}",
            click(r#""deviceType":"touch""#),
            click(r#""deviceType":"pen""#),
            // Elsewhere: two taps in one place are a double click.
            click(r#""deviceType":"touch","duration":30"#)
                .replace(r##""#b"],"offsetX":60,"offsetY":20"##, r##""#i"],"offsetX":20,"offsetY":8"##),
            said(r#""frame":[0]"#)
        ),
        expect![[r#"
            1 click: ok [gate]
            2 click: ok [gate]
            3 click: ok [gate]
            4 regatta.capture: "touchstart,click touch,click pen,touchstart,click touch"
        "#]],
    )
    .await;
}

#[tokio::test]
async fn the_network_is_as_slow_as_the_flow_wants_it() {
    let fetch = r##"{"type":"waitForExpression","expression":"fetch('/second').then(() => (window.reached = 'yes', true), () => (window.reached = 'no', true))"}"##;
    let asks = |what: &str| {
        format!(r##"{{"type":"waitForExpression","expression":"reached == '{what}'","timeout":1000}}"##)
    };
    let conditions = |down: i32, latency: i32| {
        format!(
            r##"{{"type":"emulateNetworkConditions","download":{down},"upload":{down},"latency":{latency}}}"##
        )
    };
    let took = |least: u32| {
        format!(
            r##"{{"type":"waitForExpression","expression":"performance.getEntriesByType('resource').at(-1).duration >= {least}","timeout":1000}}"##
        )
    };
    check(
        "",
        &[
            conditions(0, 0),
            fetch.to_owned(),
            asks("no"),
            conditions(50_000, 400),
            fetch.to_owned(),
            asks("yes"),
            took(400),
            conditions(-1, 0),
            fetch.to_owned(),
            asks("yes"),
        ]
        .join(","),
        expect![[r#"
            1 emulateNetworkConditions: ok
            2 waitForExpression: ok
            3 waitForExpression: ok
            4 emulateNetworkConditions: ok
            5 waitForExpression: ok
            6 waitForExpression: ok
            7 waitForExpression: ok
            8 emulateNetworkConditions: ok
            9 waitForExpression: ok
            10 waitForExpression: ok
        "#]],
    )
    .await;
}

#[tokio::test]
async fn dialogs_are_answered_as_declared() {
    let mut rig = Rig::new(
        r#"<button id=b onclick="log([confirm('Sure?'), prompt('Who?', 'default')].join())">Go</button>"#,
    )
    .await;
    let click = r##"{"type":"click","selectors":["#b"],"offsetX":3,"offsetY":3}"##;
    for policy in [DialogPolicy::Dismiss, DialogPolicy::Accept, DialogPolicy::AcceptWith("Ann".to_owned())] {
        rig.page.set_dialogs(policy);
        assert_eq!(rig.play(click).await, "1 click: ok [gate]\n");
    }
    let log = rig.log().await;
    rig.page.close().await;
    expect![[r#"
        log
          false,
          true,default
          true,Ann
    "#]]
    .assert_eq(&format!("log\n{log}"));
}

#[tokio::test]
async fn what_a_flow_downloads_is_kept_under_its_name() {
    let mut rig =
        Rig::new(r#"<a id=b href="/file">Report</a><a id=c download=other.txt href="/second">Other</a>"#)
            .await;
    let played = rig
        .play(r##"{"type":"click","selectors":["#b"],"offsetX":3,"offsetY":3},{"type":"click","selectors":["#b"],"offsetX":3,"offsetY":3},{"type":"click","selectors":["#c"],"offsetX":3,"offsetY":3},{"type":"navigate","url":"{site}/file"}"##)
        .await;
    let mut files: Vec<_> = rig.page.finish().await;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let names: Vec<_> = files
        .iter()
        .map(|file| {
            let size = std::fs::metadata(&file.path).unwrap().len();
            assert_eq!(size, file.bytes);
            format!("{} {size}", file.path.file_name().unwrap().to_str().unwrap())
        })
        .collect();
    rig.page.close().await;
    expect![[r#"
        1 click: ok [gate]
        2 click: ok [gate]
        3 click: ok [gate]
        4 navigate: ok
        a report-2.txt 3000
        a report-3.txt 3000
        a report.txt 3000
        other.txt 112"#]]
    .assert_eq(&format!("{played}{}", names.join("\n")));
}

#[tokio::test]
async fn a_tab_that_arrived_before_it_was_listened_to_is_known() {
    let chrome = Chrome::shared();
    let mut waiting = HashSet::new();
    let relay = Relay::to(chrome.ws(), move |by, message| {
        let session = |of: &Value| of["sessionId"].as_str().unwrap_or_default().to_owned();
        if by == By::Browser && message["params"]["waitingForDebugger"] == true {
            waiting.insert(session(&message["params"]));
        }
        // A tab goes on before anything else that is wanted of it has reached it.
        let goes_on = message["method"] == "Runtime.runIfWaitingForDebugger";
        by == By::Client && waiting.contains(&session(message)) && !goes_on
    })
    .await;
    let body = r#"<button id=b onclick="tab = window.open('/second')">Open</button>"#;
    let mut rig = Rig::through(&relay.ws, chrome, body).await;
    let opened = rig
        .play(
            r##"{"type":"click","selectors":["#b"],"offsetX":5,"offsetY":5},
            {"type":"waitForExpression","expression":"tab.document.title == 'second' && tab.document.readyState == 'complete'"}"##,
        )
        .await;
    relay.release();
    let played = rig
        .play(
            r##"{"type":"click","target":"{site}/second","selectors":["#next"],"offsetX":5,"offsetY":5,"timeout":5000},
            {"type":"waitForExpression","target":"{site}/second","expression":"document.title == 'second!'","timeout":5000}"##,
        )
        .await;
    rig.page.close().await;
    expect![[r#"
        1 click: ok [gate]
        2 waitForExpression: ok
        1 click: ok [gate]
        2 waitForExpression: ok
    "#]]
    .assert_eq(&format!("{opened}{played}"));
}
