//! What pages are not to load.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use expect_test::expect;
use regatta_core::event::{NetworkTotals, ResourceType};
use regatta_core::evidence::TraceMode;
use regatta_core::session::Platform;
use regatta_core::workflow::block::Block;

use super::rig::{Rig, TIMEOUT};
use crate::support::chrome::Chrome;

/// A frame is loaded though a pattern matches it: documents are never blocked. `fetch` is not asked for.
#[tokio::test]
async fn what_is_blocked_is_refused_and_counted_and_documents_are_not() {
    let mut block = Block::default();
    for entry in ["image", "*/second?tracker*", "second*frame"] {
        block.add(entry).unwrap();
    }
    let body = r##"<p id=p></p><script>
        const say = word => { p.textContent = [...p.textContent.split(' '), word].sort().join(' ').trim() };
        const load = (name, src) => {
            const el = Object.assign(document.createElement(name), { src });
            el.onload = () => say(`${name}:loaded`);
            el.onerror = () => say(`${name}:failed`);
            document.body.append(el);
        };
        load('img', '/second?image');
        load('script', '/second?tracker');
        load('iframe', '/second?frame');
        fetch('/second?wanted').then(() => say('fetch:loaded'), () => say('fetch:failed'));
    </script>"##;
    let mut rig = Rig::with(Chrome::shared(), body, Platform::Desktop, block, TraceMode::default()).await;
    let seen = rig
        .play(
            r##"{"type":"waitForExpression","expression":"p.textContent.split(' ').length == 4"},
            {"type":"customStep","name":"regatta.capture","parameters":{"selectors":["#p"],"from":"text","into":"identity.x"}}"##,
        )
        .await;
    let mut totals = NetworkTotals::default();
    let reported = async {
        while totals.blocked < 2 {
            tokio::task::yield_now().await;
            totals += &rig.page.take_network_totals();
        }
    };
    tokio::time::timeout(TIMEOUT, reported).await.unwrap();
    let document = rig.play(r#"{"type":"navigate","url":"{site}/second?frame"}"#).await;
    rig.page.close().await;
    let blocked: Vec<_> = totals.by_type.iter().map(|(kind, totals)| (*kind, totals.blocked)).collect();
    assert_eq!(
        blocked,
        [
            (ResourceType::Document, 0),
            (ResourceType::Image, 1),
            (ResourceType::Script, 1),
            (ResourceType::Fetch, 0),
        ]
    );
    assert_eq!((totals.failed, totals.by_type[&ResourceType::Image].bytes_sent), (0, 0));
    expect![[r#"
        1 waitForExpression: ok
        2 regatta.capture: "fetch:loaded iframe:loaded img:failed script:failed"
    "#]]
    .assert_eq(&seen);
    assert_eq!(document, "1 navigate: ok\n");
}

/// A prerendered page is a tab whose scripts run before it is shown. The browser prerenders none in a tab that
/// is driven: it asks for the document, and runs nothing of it.
#[tokio::test]
async fn a_page_that_is_asked_for_ahead_of_time_runs_no_script() {
    let body = r#"<h1>Here</h1><script type=speculationrules>
        {"prerender":[{"urls":["{outside}/ahead"],"eagerness":"immediate"}]}</script>"#;
    let mut rig = Rig::on(Chrome::desktop(&[]), body, Platform::Desktop).await;
    let asked = Arc::clone(&rig.reached);
    tokio::time::timeout(TIMEOUT, async {
        while asked.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("the document is asked for");
    // Its server takes its time; a script would have run by then.
    let played = rig.play(r#"{"type":"navigate","url":"{site}/late"}"#).await;
    rig.page.close().await;
    assert_eq!(played, "1 navigate: ok\n");
    assert_eq!(asked.load(Ordering::SeqCst), 1, "a script of it has run");
}
