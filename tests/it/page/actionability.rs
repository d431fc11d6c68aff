//! One test a row of Playwright's table of actionability, and a row of what the Recorder's reference
//! runner lets pass.

use std::collections::HashSet;

use expect_test::expect;

use super::rig::{Rig, check};
use crate::support::chrome::Chrome;
use crate::support::relay::{By, Relay};

const CLICK: &str = r##"{"type":"click","selectors":["#b"],"offsetX":30,"offsetY":10,"timeout":2000}"##;
const LATER: &str = r##"{"type":"click","selectors":["#b"],"offsetX":30,"offsetY":10}"##;
const BUTTON: &str = "width:100px;height:40px;border:0";

#[tokio::test]
async fn a_click_is_trusted_and_lands_at_its_offset() {
    check(
        &format!(r#"<button id=b data-log="mousedown click" style="{BUTTON}" onclick="log(event.offsetX + ' ' + event.offsetY)">Go</button>"#),
        LATER,
        expect![[r#"
            1 click: ok [gate]
              mousedown b
              click b
              30 10
        "#]],
    )
    .await;
}

#[tokio::test]
async fn visible_a_hidden_element_is_not_clicked() {
    check(
        &format!(r#"<button id=b data-log=click style="{BUTTON};visibility:hidden">Go</button>"#),
        CLICK,
        expect![[r#"
            1 click: TimedOut: the button is not visible
        "#]],
    )
    .await;
}

#[tokio::test]
async fn visible_an_element_without_a_box_is_not_clicked() {
    check(
        r#"<h1>Shop</h1><a id=b data-log=click></a>"#,
        CLICK,
        expect![[r#"
            1 click: TimedOut: the link is not visible
        "#]],
    )
    .await;
}

#[tokio::test]
async fn visible_a_click_waits_until_the_element_shows() {
    check(
        &format!(
            r#"<button id=b data-log=click style="{BUTTON};display:none">Go</button>
            <script>setTimeout(() => {{ log('shown'); b.style.display = 'block' }}, 150)</script>"#
        ),
        LATER,
        expect![[r#"
            1 click: ok [gate]
              shown
              click b
        "#]],
    )
    .await;
}

#[tokio::test]
async fn stable_a_click_waits_until_the_element_rests() {
    check(
        &format!(
            r#"<style>@keyframes go {{ from {{ margin-left: 0 }} to {{ margin-left: 500px }} }}</style>
            <button id=b data-log=click style="{BUTTON};animation: go 300ms linear forwards" onclick="log('at ' + b.getBoundingClientRect().x)">Go</button>"#
        ),
        LATER,
        expect![[r#"
            1 click: ok [gate]
              click b
              at 500
        "#]],
    )
    .await;
}

#[tokio::test]
async fn stable_what_never_rests_is_not_clicked() {
    check(
        &format!(
            r#"<style>@keyframes go {{ from {{ margin-left: 0 }} to {{ margin-left: 500px }} }}</style>
            <button id=b data-log=click style="{BUTTON};animation: go 1s linear infinite alternate">Go</button>"#
        ),
        CLICK,
        expect![[r#"
            1 click: TimedOut: the button keeps moving
        "#]],
    )
    .await;
}

#[tokio::test]
async fn receives_events_a_covered_element_is_not_clicked_and_the_cover_is_named() {
    check(
        &format!(
            r#"<button id=b data-log=click style="{BUTTON}">Go</button>
            <div id=cookie-banner data-log=click style="position:fixed;inset:0"><p class=text style="height:100%">We like cookies</p></div>"#
        ),
        CLICK,
        expect![[r#"
            1 click: TimedOut: covered by div#cookie-banner
        "#]],
    )
    .await;
}

#[tokio::test]
async fn receives_events_a_click_waits_until_the_cover_goes() {
    check(
        &format!(
            r#"<button id=b data-log=click style="{BUTTON}">Go</button>
            <div id=cover style="position:fixed;inset:0"></div>
            <script>setTimeout(() => {{ log('uncovered'); cover.remove() }}, 150)</script>"#
        ),
        LATER,
        expect![[r#"
            1 click: ok [gate]
              uncovered
              click b
        "#]],
    )
    .await;
}

#[tokio::test]
async fn receives_events_a_cover_that_the_mouse_brings_up_is_seen() {
    check(
        &format!(
            r#"<button id=b data-log=click style="{BUTTON}" onmouseover="tip.style.display='block'">Go</button>
            <div id=tip data-log=click style="position:fixed;inset:0;display:none"></div>"#
        ),
        CLICK,
        expect![[r#"
            1 click: TimedOut: covered by div#tip
        "#]],
    )
    .await;
}

#[tokio::test]
async fn receives_events_what_is_inside_the_target_or_labels_it_counts() {
    check(
        r#"<button id=one data-log=click style="padding:0;border:0"><span style="display:inline-block;width:80px;height:40px">Go</span></button>
        <label style="position:relative;display:block;width:100px;height:40px"><input type=checkbox id=two data-log=click style="position:absolute;left:0;top:0;width:40px;height:40px;margin:0">
        <span style="position:absolute;inset:0;background:white">Yes</span></label>
        <x-box id=three></x-box>
        <script>three.attachShadow({mode:'open'}).innerHTML = '<div style="width:80px;height:40px">inside</div>'; three.style.display='block'; three.onclick = () => log('click three')</script>"#,
        r##"{"type":"click","selectors":["#one"],"offsetX":30,"offsetY":10},
        {"type":"click","selectors":["#two"],"offsetX":10,"offsetY":10},
        {"type":"click","selectors":["#three"],"offsetX":10,"offsetY":10}"##,
        expect![[r#"
            1 click: ok [gate]
            2 click: ok [gate]
            3 click: ok [gate]
              click one
              click two
              click three
        "#]],
    )
    .await;
}

#[tokio::test]
async fn receives_events_below_the_fold_it_is_scrolled_to_in_every_scroller() {
    check(
        r#"<style>html { scroll-behavior: smooth }</style><div style="height:3000px"></div>
        <div style="height:200px;overflow:auto"><div style="height:900px"></div><button id=b data-log=click style="width:100px;height:40px;border:0">Go</button><div style="height:900px"></div></div>
        <div style="height:3000px"></div><div style="position:fixed;left:0;right:0;top:0;height:60px;background:red">header</div>"#,
        LATER,
        expect![[r#"
            1 click: ok [gate]
              click b
        "#]],
    )
    .await;
}

#[tokio::test]
async fn enabled_a_disabled_element_is_not_clicked() {
    check(
        r#"<fieldset disabled><legend><button id=legend data-log=click>In the legend</button></legend><button id=b style="width:100px;height:40px">Go</button></fieldset>
        <div aria-disabled=true><div role=button id=aria style="width:100px">Aria</div></div>"#,
        r##"{"type":"click","selectors":["#b"],"offsetX":3,"offsetY":3,"timeout":1000},
        {"type":"click","selectors":["#legend"],"offsetX":3,"offsetY":3},
        {"type":"doubleClick","selectors":["#aria"],"offsetX":3,"offsetY":3,"timeout":1000}"##,
        expect![[r#"
            1 click: TimedOut: the button is disabled
            2 click: ok [gate]
            3 doubleClick: TimedOut: the button is disabled
              click legend
        "#]],
    )
    .await;
}

#[tokio::test]
async fn enabled_a_click_waits_until_it_is() {
    check(
        &format!(
            r#"<button id=b disabled data-log=click style="{BUTTON}">Go</button>
            <script>setTimeout(() => {{ log('enabled'); b.disabled = false }}, 150)</script>"#
        ),
        LATER,
        expect![[r#"
            1 click: ok [gate]
              enabled
              click b
        "#]],
    )
    .await;
}

#[tokio::test]
async fn hover_needs_no_enabled_element_and_asks_no_gate() {
    check(
        r#"<button id=b disabled data-log=mouseover style="width:100px;height:40px">Go</button>"#,
        r##"{"type":"hover","selectors":["#b"]}"##,
        expect![[r#"
            1 hover: ok
              mouseover b
        "#]],
    )
    .await;
}

#[tokio::test]
async fn editable_a_read_only_field_is_not_erased() {
    check(
        r#"<input id=i readonly value=kept data-log="input change"><input id=j aria-readonly=true value=kept>
        <script>setTimeout(() => i.onfocus = () => log('focus'))</script>"#,
        r##"{"type":"change","selectors":["#i"],"value":"new","timeout":1000},
        {"type":"change","selectors":["#j"],"value":"new","timeout":1000},
        {"type":"customStep","name":"regatta.capture","parameters":{"selectors":["#i"],"from":"value","into":"identity.x"}}"##,
        expect![[r#"
            1 change: Refused: the field is read-only
            2 change: Refused: the field is read-only
            3 regatta.capture: "kept"
        "#]],
    )
    .await;
}

#[tokio::test]
async fn editable_a_disabled_or_hidden_field_is_not_filled() {
    check(
        r#"<input id=i disabled><input id=h style="display:none"><div id=d>text</div><input type=file id=f>"#,
        r##"{"type":"change","selectors":["#i"],"value":"new","timeout":1000},
        {"type":"change","selectors":["#h"],"value":"new","timeout":1000},
        {"type":"change","selectors":["#d"],"value":"new","timeout":1000},
        {"type":"change","selectors":["#f"],"value":"new","timeout":1000}"##,
        expect![[r#"
            1 change: TimedOut: the field is disabled
            2 change: TimedOut: the field is not visible
            3 change: Refused: a value cannot be set on div#d
            4 change: Refused: the field takes files: use regatta.upload
        "#]],
    )
    .await;
}

#[tokio::test]
async fn select_takes_a_value_or_a_label_and_no_other() {
    check(
        r#"<select id=s data-log="input change"><option value=a>Apple<option value=b>Bear<option value=c disabled>Cow</select><select id=off disabled><option>x</select>"#,
        r##"{"type":"change","selectors":["#s"],"value":"b"},
        {"type":"change","selectors":["#s"],"value":"Apple"},
        {"type":"change","selectors":["#s"],"value":"dog","timeout":1000},
        {"type":"change","selectors":["#s"],"value":"c","timeout":1000},
        {"type":"change","selectors":["#off"],"value":"x","timeout":1000},
        {"type":"customStep","name":"regatta.capture","parameters":{"selectors":["#s"],"from":"value","into":"identity.x"}}"##,
        expect![[r#"
            1 change: ok [gate]
            2 change: ok [gate]
            3 change: Refused: the list has no such option; it has `Apple`, `Bear`, `Cow`
            4 change: Refused: that option of the list is disabled
            5 change: TimedOut: the list is disabled
            6 regatta.capture: "a"
              input s untrusted
              change s untrusted
              input s untrusted
              change s untrusted
        "#]],
    )
    .await;
}

#[tokio::test]
async fn select_waits_for_its_option() {
    check(
        r#"<select id=s data-log=change></select><script>setTimeout(() => s.innerHTML = '<option>first<option value=b>Bear', 150)</script>"#,
        r##"{"type":"change","selectors":["#s"],"value":"b"}"##,
        expect![[r#"
            1 change: ok [gate]
              change s untrusted
        "#]],
    )
    .await;
}

#[tokio::test]
async fn strict_more_than_one_match_is_an_error_that_lists_them() {
    check(
        r#"<button class=b id=one>Sign up</button><button class=b>Sign up now</button><button class=b style="display:none">Hidden</button>"#,
        r##"{"type":"click","selectors":[".nothing",".b"],"offsetX":3,"offsetY":3,"timeout":1000},
        {"type":"click","selectors":[".b","#one"],"offsetX":3,"offsetY":3}"##,
        expect![[r#"
            1 click: Ambiguous: 3 elements match `.b`; they are button#one "Sign up" (`#one`), button.b "Sign up now" (`body > button:nth-of-type(2)`), button.b "Hidden" (`body > button:nth-of-type(3)`)
            2 click: ok [gate]
        "#]],
    )
    .await;
}

#[tokio::test]
async fn an_offset_outside_the_box_is_refused() {
    check(
        &format!(r#"<button id=b data-log=click style="{BUTTON}">Go</button>"#),
        r##"{"type":"click","selectors":["#b"],"offsetX":100,"offsetY":10,"timeout":1000},
        {"type":"click","selectors":["#b"],"offsetX":99.5,"offsetY":10},
        {"type":"click","selectors":["#b"],"offsetX":5,"offsetY":-1,"timeout":1000}"##,
        expect![[r#"
            1 click: Refused: the offset 100, 10 is outside the button, which is 100 × 40
            2 click: ok [gate]
            3 click: Refused: the offset 5, -1 is outside the button, which is 100 × 40
              click b
        "#]],
    )
    .await;
}

#[tokio::test]
async fn the_offset_counts_even_where_the_centre_is_free() {
    check(
        &format!(
            r#"<button id=b data-log=click style="{BUTTON}">Go</button><div id=corner style="position:absolute;left:0;top:0;width:40px;height:20px"></div>"#
        ),
        CLICK,
        expect![[r#"
            1 click: TimedOut: covered by div#corner
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_checkbox_takes_its_state_by_clicks() {
    check(
        r#"<input type=checkbox id=c data-log="click change"><input type=checkbox id=stubborn onclick="return false"><input type=radio name=r id=r data-log=change>"#,
        r##"{"type":"change","selectors":["#c"],"value":"false"},
        {"type":"change","selectors":["#c"],"value":"true"},
        {"type":"change","selectors":["#c"],"value":"on"},
        {"type":"change","selectors":["#c"],"value":"false"},
        {"type":"change","selectors":["#c"],"value":"yes"},
        {"type":"change","selectors":["#r"],"value":"true"},
        {"type":"change","selectors":["#r"],"value":"false"},
        {"type":"change","selectors":["#stubborn"],"value":"true","timeout":2000}"##,
        expect![[r#"
            1 change: ok
            2 change: ok [gate]
            3 change: ok
            4 change: ok [gate]
            5 change: Refused: a checkbox takes true, false, on, off, 1 or 0
            6 change: ok [gate]
            7 change: Refused: a radio button is cleared only by choosing another one
            8 change: Refused: the checkbox did not change its state [gate]
              click c
              change c
              click c
              change c
              change r
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_wait_for_an_element_sees_only_what_is_visible() {
    check(
        r#"<p id=p style="display:none">x</p>"#,
        r##"{"type":"waitForElement","selectors":["#p"],"timeout":1000},
        {"type":"waitForElement","selectors":["#p"],"visible":false},
        {"type":"waitForElement","selectors":["#p"],"operator":"==","count":0}"##,
        expect![[r#"
            1 waitForElement: NotMet: p#p did not become visible within 1 s
            2 waitForElement: ok
            3 waitForElement: ok
        "#]],
    )
    .await;
}

/// The page's own word on a press comes before the browser's, as a rule; here it never comes.
#[tokio::test]
async fn receives_events_where_a_press_went_is_asked_until_it_is_known() {
    let chrome = Chrome::shared();
    let mut questions = HashSet::new();
    let relay = Relay::to(chrome.ws(), move |by, message| {
        let Some(id) = message["id"].as_u64() else { return false };
        if by == By::Client && message["params"]["arguments"][0]["value"] == "reached" {
            questions.insert(id);
        }
        by == By::Browser && questions.contains(&id)
    })
    .await;
    let body = r#"<button id=a data-log=click>Stays</button>
        <button id=b data-log=click style="position:fixed;left:0;top:100px">Goes</button>
        <script>
          let far = false;
          b.onpointerenter = () => {
            addEventListener('pointerdown', () => { far = !far; b.style.top = far ? '300px' : '100px' }, { capture: true });
            b.onpointerenter = null;
          };
        </script>"#;
    let mut rig = Rig::through(&relay.ws, chrome, body).await;
    let played = rig
        .play(
            r##"{"type":"click","selectors":["#a"],"offsetX":3,"offsetY":3},
            {"type":"click","selectors":["#b"],"offsetX":3,"offsetY":3,"timeout":1500}"##,
        )
        .await;
    let log = rig.log().await;
    rig.page.close().await;
    expect![[r#"
        1 click: ok [gate]
        2 click: TimedOut: each press would have reached something else within 1.5 s; the page covers, moves or replaces the element the moment it is pressed [gate]
          click a
    "#]]
    .assert_eq(&format!("{played}{log}"));
}
