//! The page engine on real pages: every row of the actionability table, and every place where the
//! reference runner is too lenient.

use expect_test::expect;

use crate::support::browser::with_page;
use crate::support::site;

fn navigate(site: &str) -> String {
    format!(r#"{{"type":"navigate","url":"{site}/"}}"#)
}

fn click(selector: &str) -> String {
    format!(r#"{{"type":"click","selectors":["{selector}"],"offsetX":5,"offsetY":5}}"#)
}

#[test]
fn a_click_is_one_trusted_click() {
    let site = site::page(
        "<button id=b>Go</button><p id=log>-</p><script>\
         let n = 0; b.addEventListener('click', (e) => { log.textContent = `${++n} ${e.isTrusted}`; });</script>",
    );
    with_page(&[&site], async |stage| {
        stage.play(&navigate(&site)).await.unwrap();
        stage.play(&click("#b")).await.unwrap();
        expect!["1 true"].assert_eq(&stage.text("#log").await);
        assert_eq!(stage.touches, 1);
    });
}

#[test]
fn a_click_after_a_viewport_change() {
    let site = site::page(
        "<div style='position:fixed;inset:0;background:#0006;display:flex;align-items:flex-end'><div><button id=b>Go</button></div></div><p id=log>-</p><script>\
         let n = 0; b.addEventListener('click', (e) => { log.textContent = `${++n} ${e.isTrusted}`; });</script>",
    );
    with_page(&[&site], async |stage| {
        stage.play(r#"{"type":"setViewport","width":1280,"height":800,"deviceScaleFactor":1,"isMobile":false,"hasTouch":false,"isLandscape":false}"#).await.unwrap();
        stage.play(&navigate(&site)).await.unwrap();
        stage.play(&click("aria/Go[role=\\\"button\\\"]")).await.unwrap();
        expect!["1 true"].assert_eq(&stage.text("#log").await);
        assert_eq!(stage.touches, 1);
    });
}
