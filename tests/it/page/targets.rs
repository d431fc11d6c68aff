//! Steps whose action takes the tab or frame that they are played in to another address.

use expect_test::expect;

use super::rig::{Rig, check, elsewhere};

/// The step `action` in `target`, which is to arrive at `url` with it.
fn goes(action: &str, target: &str, event: &str) -> String {
    format!(
        r##"{{{action},"target":"{target}","timeout":5000,"assertedEvents":[{{"type":"navigation"{event}}}]}}"##
    )
}

fn click(selector: &str) -> String {
    format!(r##""type":"click","selectors":["{selector}"],"offsetX":3,"offsetY":3"##)
}

const ENTER: &str = r#""type":"keyDown","key":"Enter""#;
const LET_GO: &str = r#"{"type":"keyUp","key":"Enter"}"#;
const OPEN: &str = r##"{"type":"click","selectors":["#b"],"offsetX":3,"offsetY":3}"##;
const POPUP: &str = r#"<button id=b onclick="window.open('/goes')">Open</button>"#;

fn url(url: &str, title: &str) -> String {
    format!(r#","url":"{url}","title":"{title}""#)
}

fn type_in(target: &str) -> String {
    format!(r##"{{"type":"change","selectors":["#field"],"value":"x","target":"{target}"}}"##)
}

/// Whether steps can act in the place that was reached.
fn is_at(target: &str, path: &str) -> String {
    format!(
        r#"{{"type":"waitForExpression","expression":"location.pathname + location.search == '{path}'","target":"{target}","timeout":3000}}"#
    )
}

#[tokio::test]
async fn a_popup_may_go_elsewhere_over_a_step() {
    let at = "{site}/goes";
    let mut out = String::new();
    for steps in [
        format!(
            "{},{}",
            goes(&click("#link"), at, &url("{site}/second", "second")),
            is_at("{site}/second", "/second")
        ),
        goes(&click("#link"), at, ""),
        format!(
            "{},{},{LET_GO},{}",
            type_in(at),
            goes(ENTER, at, &url("{site}/frame?name=sent", "sent")),
            is_at("{site}/frame?name=sent", "/frame?name=sent")
        ),
        goes(&click("#push"), at, &url("{site}/goes?pushed", "pushed")),
        goes(r#""type":"navigate","url":"{site}/second""#, at, &url("{site}/second", "second")),
        format!(
            r#"{{"type":"navigate","url":"{{site}}/second","target":"{at}"}},{}"#,
            is_at("{site}/second", "/second")
        ),
        // The page that opened it goes on, and it may close over that.
        goes(&click("#opener"), at, &url("{site}/second?opener", "second")),
        goes(&click("#close"), at, &url("{site}/second?opener", "second")),
        goes(&click("#link"), at, r#","url":"{site}/third""#).replace("5000", "700"),
        goes(&click("#field"), at, "").replace("5000", "700"),
    ] {
        let mut rig = Rig::new(POPUP).await;
        out += &rig.play(&format!("{OPEN},{steps}")).await.replace("1 click: ok [gate]\n", "");
        rig.page.close().await;
    }
    expect![[r#"
        2 click: ok [gate]
        3 waitForExpression: ok
        2 click: ok [gate]
        2 change: ok [gate]
        3 keyDown: ok [gate]
        4 keyUp: ok [gate]
        5 waitForExpression: ok
        2 click: ok [gate]
        2 navigate: ok
        2 navigate: ok
        3 waitForExpression: ok
        2 click: ok [gate]
        2 click: ok [gate]
        2 click: Navigation: arrived at {site}/second instead of {site}/third; if it changes from run to run, leave `url` out of `assertedEvents` or write `*` for what changes [gate]
        2 click: TimedOut: no navigation followed within 700 ms; the page is still {site}/goes [gate]
    "#]]
    .assert_eq(&out);
}

/// Of another site, in a process of its own where the browser gives it one, and of the page's own.
#[tokio::test]
async fn a_frame_may_go_elsewhere_over_a_step() {
    for host in ["{elsewhere}", "{site}"] {
        let at = format!("{host}/goes");
        let second = format!("{host}/second");
        let sent = format!("{host}/frame?name=sent");
        let mut out = String::new();
        for steps in [
            format!("{},{}", goes(&click("#link"), &at, &url(&second, "second")), is_at(&second, "/second")),
            goes(&click("#link"), &at, ""),
            format!(
                "{},{}",
                goes(&click("#send"), &at, &url(&sent, "sent")),
                is_at(&sent, "/frame?name=sent")
            ),
            format!("{},{},{LET_GO}", type_in(&at), goes(ENTER, &at, &url(&sent, "sent"))),
            goes(&click("#push"), &at, &url(&format!("{at}?pushed"), "pushed")),
            format!(
                r#"{},{{"type":"waitForExpression","expression":"location.search == '?top'"}}"#,
                goes(&click("#top"), &at, &url(&format!("{host}/second?top"), "second"))
            ),
            goes(&click("#top"), &at, ""),
            // To the other site: a frame may lose its process, or get one.
            format!(
                "{},{}",
                goes(r#""type":"navigate","url":"{site}/second?n""#, &at, &url("{site}/second?n", "second")),
                is_at("{site}/second?n", "/second?n")
            ),
            goes(
                r#""type":"navigate","url":"{elsewhere}/second?n""#,
                &at,
                &url("{elsewhere}/second?n", "second"),
            ),
            goes(&click("#link"), &at, &url(&format!("{host}/third"), "")).replace("5000", "700"),
        ] {
            let mut rig = Rig::new("<iframe width=400 height=200></iframe>").await;
            let frame = at.replace("{elsewhere}", &elsewhere(&rig.site)).replace("{site}", &rig.site);
            rig.run_in_page(&format!("document.querySelector('iframe').src = '{frame}'")).await;
            out += &rig.play(&steps).await.replace("{elsewhere}", "{host}").replace("{site}", "{host}");
            rig.page.close().await;
        }
        expect![[r#"
            1 click: ok [gate]
            2 waitForExpression: ok
            1 click: ok [gate]
            1 click: ok [gate]
            2 waitForExpression: ok
            1 change: ok [gate]
            2 keyDown: ok [gate]
            3 keyUp: ok [gate]
            1 click: ok [gate]
            1 click: ok [gate]
            2 waitForExpression: ok
            1 click: ok [gate]
            1 navigate: ok
            2 waitForExpression: ok
            1 navigate: ok
            1 click: Navigation: arrived at {host}/second instead of {host}/third; if it changes from run to run, leave `url` out of `assertedEvents` or write `*` for what changes [gate]
        "#]]
        .assert_eq(&out);
    }
}

/// The page's own tab is not taken for one that has not opened.
#[tokio::test]
async fn a_navigation_of_a_tab_that_is_not_there_navigates_no_other() {
    let mut rig = Rig::new("").await;
    let played = rig
        .play(
            r#"{"type":"navigate","url":"{site}/second","target":"{site}/nowhere","timeout":500},
            {"type":"waitForExpression","expression":"location.pathname == '/'","timeout":500}"#,
        )
        .await;
    rig.page.close().await;
    expect![[r#"
        1 navigate: TimedOut: no page or frame is at {site}/nowhere within 500 ms; there are {site}/
        2 waitForExpression: ok
    "#]]
    .assert_eq(&played);
}

#[tokio::test]
async fn a_target_that_two_tabs_are_at_is_refused_and_the_page_itself_is_the_last_that_is_meant() {
    let body = r#"<button id=b onclick="tab = window.open('/second')" style="width:100px;height:40px">Open</button>
        <button id=s onclick="tab = window.open('/')" style="width:100px;height:40px">Same</button>"#;
    // A tab is at an address once its document has come.
    const COME: &str = r#"{"type":"waitForExpression","expression":"tab.location.href !== 'about:blank' && tab.document.readyState === 'complete'"}"#;
    check(
        body,
        &format!(r##"{{"type":"click","selectors":["#b"],"offsetX":5,"offsetY":5}},
        {{"type":"click","selectors":["#next"],"offsetX":5,"offsetY":5,"target":"{{site}}/second"}},
        {{"type":"click","selectors":["#b"],"offsetX":5,"offsetY":5}},
        {COME},
        {{"type":"click","selectors":["#next"],"offsetX":5,"offsetY":5,"target":"{{site}}/second","timeout":1000}},
        {{"type":"click","selectors":["#s"],"offsetX":5,"offsetY":5}},
        {COME},
        {{"type":"close","target":"{{site}}/"}},
        {{"type":"click","selectors":["#s"],"offsetX":5,"offsetY":5,"target":"{{site}}/"}}"##),
        expect![[r#"
            1 click: ok [gate]
            2 click: ok [gate]
            3 click: ok [gate]
            4 waitForExpression: ok
            5 click: Ambiguous: 2 tabs are at {site}/second, and `target` does not say which; close the others in a step before, name a frame by `frame`, or have the site give them different addresses
            6 click: ok [gate]
            7 waitForExpression: ok
            8 close: ok
            9 click: ok [gate]
        "#]],
    )
    .await;
}

/// A key is let up with its tab.
#[tokio::test]
async fn a_key_whose_tab_closed_over_it_is_up() {
    let mut rig =
        Rig::new(r#"<button id=b onclick="window.open('/closes-by-key')">Open</button><input id=i>"#).await;
    let played = rig
        .play(
            r##"{"type":"click","selectors":["#b"],"offsetX":5,"offsetY":5},
            {"type":"keyDown","key":"Escape","target":"{site}/closes-by-key"},
            {"type":"keyUp","key":"Escape","target":"{site}/closes-by-key","timeout":600},
            {"type":"change","selectors":["#i"],"value":"on"}"##,
        )
        .await;
    expect![[r#"
        1 click: ok [gate]
        2 keyDown: ok [gate]
        3 keyUp: ok
        4 change: ok [gate]
    "#]]
    .assert_eq(&played.replace("3 keyUp: ok [gate]", "3 keyUp: ok"));
    rig.page.close().await;
}
