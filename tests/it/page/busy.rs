//! A site that answers 429 or 503.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use expect_test::{Expect, expect};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use regatta_page::DocumentPace;
use tokio::time::Instant;

use super::rig::{Rig, check};

const ASKS: &str = r#"<button id=save onclick="fetch('/status?code=503&after=7').then(r => said.textContent = r.status)">Save</button>
<button id=own onclick="fetch('/once').then(r => r.ok || fetch('/once')).then(() => said.textContent = 'saved')">Own</button>
<button id=foreign onclick="fetch('{outside}/status?code=503', { mode: 'no-cors' })">Foreign</button>
<button id=beacon onclick="navigator.sendBeacon('/status?code=503', 'x')">Beacon</button>
<form action="/status?code=429&after=40" method=post><button id=send>Send</button></form>
<p id=said></p>"#;

fn click(id: &str) -> String {
    format!(r##"{{"type":"click","selectors":["#{id}"],"offsetX":1,"offsetY":1}}"##)
}

fn wait(selector: &str) -> String {
    format!(r#"{{"type":"waitForElement","selectors":["{selector}"],"timeout":700}}"#)
}

const ALLOW: &str = r#"{"type":"customStep","name":"regatta.allowStatus","parameters":{"status":[503]}}"#;
const GO: &str = r#"{"type":"navigate","url":"{site}/second"}"#;

#[tokio::test]
async fn a_document_of_a_busy_site_says_how_long_it_asks_to_wait() {
    check(
        "",
        r#"{"type":"navigate","url":"{site}/status?code=429&after=40"},{"type":"navigate","url":"{site}/status?code=503"},
        {"type":"customStep","name":"regatta.allowStatus","parameters":{"status":[503]}},{"type":"navigate","url":"{site}/status?code=503"}"#,
        expect![[r#"
            1 navigate: SiteBusy { retry_after: Some(40s) }: the site is busy: it answered 429 for {site}/status and asks to wait 40 s
            2 navigate: SiteBusy { retry_after: None }: the site is busy: it answered 503 for {site}/status
            3 regatta.allowStatus: ok
            4 navigate: ok
        "#]],
    )
    .await;
}

#[tokio::test]
async fn what_fails_after_a_busy_answer_is_the_sites_and_no_no() {
    check(ASKS, &[click("save"), wait("#never")].join(","), expect![[r#"
        1 click: ok [gate]
        2 waitForElement: SiteBusy { retry_after: Some(7s) }: the site is busy: it answered 503 for {site}/status and asks to wait 7 s; what failed: no element matches `#never` within 700 ms
    "#]]).await;
    check(ASKS, &[click("send"), wait("#never")].join(","), expect![[r#"
        1 click: ok [gate]
        2 waitForElement: SiteBusy { retry_after: Some(40s) }: the site is busy: it answered 429 for {site}/status and asks to wait 40 s; what failed: no element matches `#never` within 700 ms
    "#]]).await;
    // The same without a busy answer.
    check(
        ASKS,
        &[click("own"), wait("#never")].join(","),
        expect![[r#"
        1 click: ok [gate]
        2 waitForElement: NotMet: no element matches `#never` within 700 ms; the page shows "fixture"
    "#]],
    )
    .await;
    check(
        ASKS,
        &[click("foreign"), wait("#never")].join(","),
        expect![[r#"
        1 click: ok [gate]
        2 waitForElement: NotMet: no element matches `#never` within 700 ms; the page shows "fixture"
    "#]],
    )
    .await;
}

#[tokio::test]
async fn what_a_busy_site_has_refused_is_not_passed_over() {
    check(ASKS, &[click("save"), GO.to_owned()].join(","), expect![[r#"
        1 click: ok [gate]
        2 navigate: SiteBusy { retry_after: Some(7s) }: the site is busy: it answered 503 for {site}/status and asks to wait 7 s; where that does not matter, say so: a customStep `regatta.allowStatus` before the step that sets it off
    "#]]).await;
    check(ASKS, &[click("send"), GO.to_owned()].join(","), expect![[r#"
        1 click: ok [gate]
        2 navigate: SiteBusy { retry_after: Some(40s) }: the site is busy: it answered 429 for {site}/status and asks to wait 40 s; where that does not matter, say so: a customStep `regatta.allowStatus` before the step that sets it off
    "#]]).await;
}

#[tokio::test]
async fn a_busy_answer_that_does_not_matter_counts_for_nothing() {
    for steps in [
        // The page repeats it.
        vec![click("own"), GO.to_owned()],
        // Of another origin, or a beacon.
        vec![click("foreign"), GO.to_owned()],
        vec![click("beacon"), GO.to_owned()],
        // The flow expects it, or waits for what came of it.
        vec![ALLOW.to_owned(), click("save"), GO.to_owned()],
        vec![click("save"), wait("text/503"), GO.to_owned()],
    ] {
        let mut rig = Rig::new(ASKS).await;
        let reported = rig.play(&steps.join(",")).await;
        assert!(
            reported.lines().all(|line| line.ends_with(": ok") || line.ends_with("ok [gate]")),
            "{reported}"
        );
    }
}

#[tokio::test]
async fn a_flow_whose_last_input_a_busy_site_has_refused_has_not_reached_its_end() {
    for (button, expected) in [
        (
            "save",
            expect![[r#"Some("the site is busy: it answered 503 for {site}/status and asks to wait 7 s")"#]],
        ),
        (
            "send",
            expect![[r#"Some("the site is busy: it answered 429 for {site}/status and asks to wait 40 s")"#]],
        ),
        ("own", expect!["None"]),
        ("beacon", expect!["None"]),
    ] {
        let mut rig = Rig::new(ASKS).await;
        rig.play(&click(button)).await;
        rig.page.finish().await;
        let refused = rig.page.unanswered().map(|error| error.to_string().replace(&rig.site, "{site}"));
        expected.assert_eq(&format!("{refused:?}"));
    }
}

/// Holds each document for a second, and notes what it is asked about.
#[derive(Debug, Default)]
struct SlowPace {
    asked: Mutex<Vec<String>>,
    held: Arc<Mutex<(Duration, Option<Instant>)>>,
}

const HELD: Duration = Duration::from_millis(1500);

impl DocumentPace for SlowPace {
    fn turn(&self, url: &str) -> Option<BoxFuture<'static, ()>> {
        self.asked.lock().unwrap().push(url.to_owned());
        let held = Arc::clone(&self.held);
        held.lock().unwrap().1 = Some(Instant::now());
        Some(
            async move {
                tokio::time::sleep(HELD).await;
                let mut held = held.lock().unwrap();
                let since = held.1.take().unwrap();
                held.0 += since.elapsed();
            }
            .boxed(),
        )
    }

    fn held(&self) -> Duration {
        let held = self.held.lock().unwrap();
        held.0 + held.1.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

async fn paced(owns: bool, body: &str, steps: &str, documents: &str, expected: Expect) {
    let chrome = crate::support::chrome::Chrome::shared();
    let mut rig = match owns {
        true => Rig::owning(Arc::new(crate::support::chrome::Chrome::launch("about:blank")), body).await,
        false => Rig::on(chrome, body, regatta_core::session::Platform::Desktop).await,
    };
    let pace = Arc::new(SlowPace::default());
    rig.page.set_pace(pace.clone());
    let reported = rig.play(steps).await;
    expected.assert_eq(&reported);
    let asked = pace.asked.lock().unwrap().join("\n").replace(&rig.site, "{site}");
    assert_eq!(asked, documents);
}

/// Each of these steps has a second, and each document waits longer than that.
#[tokio::test]
async fn the_time_that_a_document_waits_for_its_turn_is_not_the_steps() {
    let steps = r##"{"type":"navigate","url":"{site}/to?url=/second","timeout":1000},
        {"type":"navigate","url":"{site}/","timeout":1000},
        {"type":"click","selectors":["#go"],"offsetX":1,"offsetY":1,"timeout":1000,"assertedEvents":[{"type":"navigation","url":"{site}/second?a","title":"second"}]},
        {"type":"navigate","url":"{site}/","timeout":1000},
        {"type":"click","selectors":["#go"],"offsetX":1,"offsetY":1,"timeout":1000},
        {"type":"waitForElement","selectors":["#next"],"timeout":1000},
        {"type":"waitForElement","selectors":["#never"],"timeout":300}"##;
    let documents =
        "{site}/to?url=/second\n{site}/second\n{site}/\n{site}/second?a\n{site}/\n{site}/second?a";
    for owns in [false, true] {
        paced(
            owns,
            r#"<a id=go href="/second?a">Go</a>"#,
            steps,
            documents,
            expect![[r#"
            1 navigate: ok
            2 navigate: ok
            3 click: ok [gate]
            4 navigate: ok
            5 click: ok [gate]
            6 waitForElement: ok
            7 waitForElement: NotMet: no element matches `#never` within 300 ms; the page shows "Second"
        "#]],
        )
        .await;
    }
}
