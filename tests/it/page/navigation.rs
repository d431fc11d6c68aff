//! Where the main frame goes, and where it must not go.

use std::sync::atomic::Ordering;

use expect_test::expect;
use regatta_page::BrowserConnection;

use super::rig::{Rig, check};

const B: &str = r##"{"type":"click","selectors":["#b"],"offsetX":3,"offsetY":3}"##;

fn click_and_arrive(asserted: &str) -> String {
    format!(
        r##"{{"type":"click","selectors":["#b"],"offsetX":3,"offsetY":3,"timeout":3000,"assertedEvents":[{{"type":"navigation"{asserted}}}]}}"##
    )
}

#[tokio::test]
async fn an_asserted_navigation_is_checked() {
    let link = r#"<a id=b href="/second">Go</a>"#;
    check(
        link,
        &format!(
            r##"{},{{"type":"waitForElement","selectors":["#next"]}}"##,
            click_and_arrive(r#","url":"{site}/second","title":"second""#)
        ),
        expect![[r#"
            1 click: ok [gate]
            2 waitForElement: ok
        "#]],
    )
    .await;
    check(
        link,
        &click_and_arrive(r#","url":"","title":"""#),
        expect![[r#"
        1 click: ok [gate]
    "#]],
    )
    .await;
    check(
        link,
        &click_and_arrive(r#","url":"{site}/third""#),
        expect![[r#"
            1 click: Navigation: arrived at {site}/second instead of {site}/third; if it changes from run to run, leave `url` out of `assertedEvents` or write `*` for what changes [gate]
        "#]],
    )
    .await;
    check(
        link,
        &click_and_arrive(r#","title":"third""#),
        expect![[r#"
            1 click: Navigation: the title is "second" instead of "third"; if it changes from run to run, leave `title` out of `assertedEvents` or write `*` for what changes [gate]
        "#]],
    )
    .await;
    check(r#"<button id=b>Go</button>"#, &click_and_arrive(r#","url":"{site}/second""#), expect![[r#"
        1 click: TimedOut: no navigation to {site}/second followed within 3 s; the page is still {site}/ [gate]
    "#]])
        .await;
}

#[tokio::test]
async fn an_asserted_url_or_title_may_be_a_pattern() {
    let link = r#"<a id=b href="/to?url=/frame?name=a.b$(1)*">Go</a>"#;
    for (asserted, expected) in [
        (r#","url":"{site}/fr*","title":"a.b$(1)*""#, "ok"),
        (r#","url":"*/frame?name=*","title":"*b$(*""#, "ok"),
        (r#","url":"{site}/*","title":"axb*""#, "Navigation"),
        (r#","url":"{site}/second*""#, "Navigation"),
        (r#","url":"*/frame?name=*","title":"b*""#, "Navigation"),
    ] {
        let mut rig = Rig::new(link).await;
        let played = rig.play(&click_and_arrive(asserted)).await;
        rig.page.close().await;
        assert!(played.starts_with(&format!("1 click: {expected}")), "{asserted}: {played}");
    }
}

#[tokio::test]
async fn an_asserted_navigation_may_stay_in_the_document_or_be_redirected() {
    check(
        r#"<button id=b onclick="history.pushState(0, '', '/pushed'); setTimeout(() => document.title = 'pushed', 50)">Go</button>"#,
        &click_and_arrive(r#","url":"{site}/pushed","title":"pushed""#),
        expect![[r#"
            1 click: ok [gate]
        "#]],
    )
    .await;
    check(
        r##"<a id=b href="#part">Go</a>"##,
        &click_and_arrive(r##","url":"{site}/#part""##),
        expect![[r#"
            1 click: ok [gate]
        "#]],
    )
    .await;
    check(
        r#"<a id=b href="/to?url=/second">Go</a>"#,
        &click_and_arrive(r#","url":"{site}/second""#),
        expect![[r#"
            1 click: ok [gate]
        "#]],
    )
    .await;
    check(
        r#"<button id=b onmousedown="location = '/second'">Go</button>"#,
        &click_and_arrive(r#","url":"{site}/second""#),
        expect![[r#"
            1 click: ok [gate]
        "#]],
    )
    .await;
}

#[tokio::test]
async fn an_error_status_is_an_error() {
    check(
        r#"<a id=b href="/status?code=503">Go</a>"#,
        &format!(
            r##"{{"type":"navigate","url":"{{site}}/status?code=404"}},
            {{"type":"waitForElement","selectors":["#nothing"],"timeout":1000}},
            {{"type":"navigate","url":"{{site}}/"}},{}"##,
            click_and_arrive("")
        ),
        expect![[r#"
            1 navigate: Navigation: the server answered 404 for {site}/status?code=404; where that is expected, say so: a customStep `regatta.allowStatus` before this step
            2 waitForElement: TimedOut: no element matches `#nothing` within 1 s; the page shows "Oh no"
            3 navigate: ok
            4 click: SiteBusy { retry_after: None }: the site is busy: it answered 503 for {site}/status [gate]
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_or_is_not_there() {
    let mut rig = Rig::new("<title>fixture</title>").await;
    let hung = rig.play(r##"{"type":"navigate","url":"{site}/hang","timeout":400}"##).await;
    let after = rig.play(r##"{"type":"navigate","url":"{site}/second"}"##).await;
    // A port that was just free.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gone = format!("http://{port}");
    let mut nowhere = Rig::new("").await;
    nowhere.page.close().await;
    let options = regatta_page::PageOptions {
        block: Default::default(),
        trace: Default::default(),
        allowed_origins: vec![gone.clone()],
        platform: regatta_core::session::Platform::Desktop,
        memory: Box::new(nowhere.memory.clone()),
        downloads: None,
    };
    nowhere.browser = BrowserConnection::connect(nowhere.chrome.ws()).await.unwrap();
    nowhere.page = nowhere.browser.open_page(options).await.unwrap();
    nowhere.site = gone;
    let refused = nowhere.play(r##"{"type":"navigate","url":"{site}/"}"##).await;
    rig.page.close().await;
    nowhere.page.close().await;
    expect![[r#"
        1 navigate: TimedOut: the page did not load within 400 ms
        1 navigate: ok
        1 navigate: Navigation: net::ERR_CONNECTION_REFUSED at {site}/
    "#]]
    .assert_eq(&format!("{hung}{after}{refused}"));
}

#[tokio::test]
async fn hash_and_reload_navigate() {
    check(
        "",
        r##"{"type":"navigate","url":"{site}/#part"},{"type":"navigate","url":"{site}/"},
        {"type":"navigate","url":"{site}/to?url=/second","assertedEvents":[{"type":"navigation","url":"{site}/second","title":"second"}]}"##,
        expect![[r#"
            1 navigate: ok
            2 navigate: ok
            3 navigate: ok
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_page_that_sends_on_while_it_loads_is_followed() {
    check(
        r#"<script>if (location.search) location.replace('/second')</script>"#,
        r##"{"type":"navigate","url":"{site}/?x"},{"type":"waitForElement","selectors":["#next"]}"##,
        expect![[r#"
            1 navigate: ok
            2 waitForElement: ok
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_frame_that_never_loads_delays_nothing_for_ever() {
    check(
        r#"<button id=b data-log=click>Go</button><script>onload = () => { const f = document.createElement('iframe'); f.src = '/hang'; document.body.append(f) }</script>"#,
        B,
        expect![[r#"
            1 click: ok [gate]
              click b
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_navigation_in_the_middle_of_a_wait_is_followed() {
    check(
        r#"<script>setTimeout(() => location = '/second', 200)</script>"#,
        r##"{"type":"click","selectors":["#next"],"offsetX":3,"offsetY":3}"##,
        expect![[r#"
            1 click: ok [gate]
        "#]],
    )
    .await;
    check(
        r#"<script>setTimeout(() => location = '/second', 200)</script>"#,
        r##"{"type":"waitForExpression","expression":"document.title == 'second'"}"##,
        expect![[r#"
            1 waitForExpression: ok
        "#]],
    )
    .await;
    check(
        r#"<script>setTimeout(() => location = '/second', 200)</script>"#,
        r##"{"type":"click","selectors":["aria/Next"],"offsetX":3,"offsetY":3}"##,
        expect![[r#"
            1 click: ok [gate]
        "#]],
    )
    .await;
}

/// The step after a click that leaves must not act on the document that is being left.
#[tokio::test]
async fn the_next_step_is_for_the_next_document() {
    check(
        r#"<form action="/echo" method=post><input name=a value=1><button id=b>Go</button></form><p id=echo>old</p>"#,
        &format!(
            r##"{B},{{"type":"customStep","name":"regatta.capture","parameters":{{"selectors":["#echo"],"from":"text","into":"identity.x"}}}}"##
        ),
        expect![[r#"
            1 click: ok [gate]
            2 regatta.capture: "a=1"
        "#]],
    )
    .await;
    check(
        r#"<form action="/late" method=post><button id=b>Go</button></form><button id=next>old</button>"#,
        &format!(
            r##"{B},{{"type":"click","selectors":["#next"],"offsetX":3,"offsetY":3}},{{"type":"waitForExpression","expression":"document.title == 'second!'"}}"##
        ),
        expect![[r#"
            1 click: ok [gate]
            2 click: ok [gate]
            3 waitForExpression: ok
        "#]],
    )
    .await;
}

#[tokio::test]
async fn the_main_frame_stays_inside_the_allowed_origins() {
    check(
        "",
        r##"{"type":"navigate","url":"{outside}/"}"##,
        expect![[r#"
        1 navigate: Refused: {outside} is not in allowed_origins
    "#]],
    )
    .await;
    let wait = r##"{"type":"waitForElement","selectors":["#there"],"timeout":20000}"##;
    for (what, body) in [
        ("link", r#"<a id=b href="{outside}/?secret">Go</a>"#),
        ("script", r#"<button id=b onclick="location = '{outside}/?secret'">Go</button>"#),
        ("redirect", r#"<a id=b href="/to?url={outside}/">Go</a>"#),
        ("form", r#"<form action="{outside}/" method=post><button id=b>Go</button></form>"#),
    ] {
        let mut rig = Rig::new(body).await;
        // The click itself may be the first to notice it.
        let click = rig.play(B).await;
        let played = rig.play(wait).await;
        assert!(rig.page.left_allowed_origins().is_some(), "{what}");
        assert_eq!(
            played,
            "1 waitForElement: Refused: the page went to {outside}, which is not in allowed_origins\n",
            "{what}: {click}"
        );
        assert_eq!(rig.reached.load(Ordering::SeqCst), 0, "{what}: the request itself must not leave");
        // A new start is a new chance.
        let again = rig.play(r##"{"type":"navigate","url":"{site}/"}"##).await;
        assert_eq!(again, "1 navigate: ok\n", "{what}");
        rig.page.close().await;
    }
}

#[tokio::test]
async fn a_redirect_of_a_navigate_step_is_refused_too() {
    check(
        "",
        r##"{"type":"navigate","url":"{site}/to?url={outside}/"}"##,
        expect![[r#"
        1 navigate: Refused: the page went to {outside}, which is not in allowed_origins
    "#]],
    )
    .await;
}

#[tokio::test]
async fn frames_may_be_of_other_origins_but_nothing_is_typed_into_them() {
    check(
        r#"<iframe id=f src="{outside}/" style="width:300px;height:200px"></iframe><input id=i data-log=input>"#,
        r##"{"type":"waitForExpression","expression":"(f.focus(), document.activeElement == f)"},
        {"type":"keyDown","key":"a","timeout":1000},
        {"type":"keyDown","key":"Tab"},{"type":"keyUp","key":"Tab"},
        {"type":"change","selectors":["#i"],"value":"mine"}"##,
        expect![[r#"
            1 waitForExpression: ok
            2 keyDown: Refused: typing into {outside}, which is not in allowed_origins
            3 keyDown: ok [gate]
            4 keyUp: ok [gate]
            5 change: ok [gate]
              input i
        "#]],
    )
    .await;
}

#[tokio::test]
async fn nothing_is_typed_into_a_page_without_an_allowed_origin() {
    check(
        "",
        r##"{"type":"navigate","url":"about:blank"},
        {"type":"waitForExpression","expression":"document.body.innerHTML = '<input id=i autofocus>'"},
        {"type":"change","selectors":["#i"],"value":"secret"},
        {"type":"keyDown","key":"s"}"##,
        expect![[r#"
            1 navigate: ok
            2 waitForExpression: ok
            3 change: Refused: typing into a document without an address (about:blank), which may be of any origin; the document that requested it is not known; navigate to a page of the site
            4 keyDown: Refused: typing into a document without an address (about:blank), which may be of any origin; the document that requested it is not known; navigate to a page of the site
        "#]],
    )
    .await;
}

#[tokio::test]
async fn dialogs_are_dismissed_and_reported() {
    check(
        r#"<button id=b onclick="alert('Sorry!'); log('confirmed ' + confirm('Sure?')); log('prompted ' + prompt('Who?'))">Go</button>
        <script>onbeforeunload = event => event.preventDefault()</script>"#,
        &format!(
            r##"{B},{{"type":"click","selectors":["#b"],"offsetX":3,"offsetY":3,"timeout":3000,"assertedEvents":[{{"type":"navigation","url":"x"}}]}}"##
        ),
        expect![[r#"
            1 click: ok [gate]
            2 click: TimedOut: no navigation to x followed within 3 s; the page is still {site}/; the page opened a dialog, which was dismissed: "Who?" [gate]
              confirmed false
              prompted null
              confirmed false
              prompted null
        "#]],
    )
    .await;
    check(
        r#"<button id=b data-log=click>Go</button><script>onbeforeunload = event => { event.preventDefault(); event.returnValue = 'x' }</script>"#,
        &format!(r##"{B},{{"type":"navigate","url":"{{site}}/second"}}"##),
        expect![[r#"
            1 click: ok [gate]
            2 navigate: ok
        "#]],
    )
    .await;
}
