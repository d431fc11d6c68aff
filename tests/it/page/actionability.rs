//! One test a row of Playwright's table of actionability, and a row of what the Recorder's reference runner lets pass.

use expect_test::expect;

use super::rig::check;

#[tokio::test]
async fn a_click_is_trusted_and_lands_at_its_offset() {
    check(
        r#"<button id=b data-log="mousedown click" style="width:100px;height:40px;border:0" onclick="log(event.offsetX + ' ' + event.offsetY)">Go</button>"#,
        r##"{"type":"click","selectors":["#b"],"offsetX":30,"offsetY":10}"##,
        expect![[r#"
            1 click: ok [gate]
              mousedown b
              click b
              30 10
        "#]],
    )
    .await;
}
