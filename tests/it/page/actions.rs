//! One test an action.

use expect_test::expect;

use super::rig::check;

#[tokio::test]
async fn double_click() {
    check(
        r#"<button id=b data-log="click dblclick">Go</button>"#,
        r##"{"type":"doubleClick","selectors":["#b"],"offsetX":3,"offsetY":3}"##,
        expect![[r#"
            1 doubleClick: ok [gate]
              click b
              click b
              dblclick b
        "#]],
    )
    .await;
}

#[tokio::test]
async fn buttons_and_duration() {
    check(
        r#"<button id=b data-log="auxclick contextmenu click">Go</button><script>let at; b.onmousedown = e => at = e.timeStamp; b.onmouseup = e => log(e.timeStamp - at >= 80)</script>"#,
        r##"{"type":"click","selectors":["#b"],"offsetX":3,"offsetY":3,"button":"secondary"},
        {"type":"click","selectors":["#b"],"offsetX":3,"offsetY":3,"button":"auxiliary","duration":100}"##,
        expect![[r#"
            1 click: ok [gate]
            2 click: ok [gate]
              contextmenu b
              false
              auxclick b
              true
              auxclick b
        "#]],
    )
    .await;
}

#[tokio::test]
async fn change_types_into_what_takes_text() {
    let capture = |id: &str, from: &str| {
        format!(
            r##",{{"type":"customStep","name":"regatta.capture","parameters":{{"selectors":["#{id}"],"from":"{from}","into":"identity.x"}}}}"##
        )
    };
    let steps = [
        r##"{"type":"change","selectors":["#i"],"value":"new ü"},
        {"type":"change","selectors":["#e"],"value":"ann@x.test"},
        {"type":"change","selectors":["#t"],"value":"two\nlines"},
        {"type":"change","selectors":["#c"],"value":"rich"},
        {"type":"change","selectors":["#l"],"value":"by its label"}"##
            .to_owned(),
        capture("i", "value"),
        capture("e", "value"),
        capture("t", "value"),
        capture("c", "text"),
        capture("li", "value"),
    ];
    check(
        r#"<input id=i value=old data-log="input change"><input type=email id=e><textarea id=t>old</textarea><div id=c contenteditable data-log=input>o<b>ld</b></div><label id=l>Name <input id=li></label>"#,
        &steps.concat(),
        expect![[r#"
            1 change: ok [gate]
            2 change: ok [gate]
            3 change: ok [gate]
            4 change: ok [gate]
            5 change: ok [gate]
            6 regatta.capture: "new ü"
            7 regatta.capture: "ann@x.test"
            8 regatta.capture: "two\nlines"
            9 regatta.capture: "rich"
            10 regatta.capture: "by its label"
              input i
              change i
              input c
        "#]],
    )
    .await;
}

#[tokio::test]
async fn change_to_nothing_clears() {
    check(
        r#"<input id=i value=old data-log="input" oninput="log(JSON.stringify(i.value))"><input id=e data-log=input>"#,
        r##"{"type":"change","selectors":["#i"],"value":""},{"type":"change","selectors":["#e"],"value":""}"##,
        expect![[r#"
            1 change: ok [gate]
            2 change: ok [gate]
              input i
              ""
        "#]],
    )
    .await;
}

#[tokio::test]
async fn change_sets_fields_that_take_no_text() {
    check(
        r#"<input type=number id=n max=100 data-log="input change"><input type=date id=d><input type=range id=r><input type=color id=c>
        <script>for (const e of [n,d,r,c]) e.onchange = () => log(e.value)</script>"#,
        r##"{"type":"change","selectors":["#n"],"value":"42"},
        {"type":"change","selectors":["#n"],"value":"many","timeout":1000},
        {"type":"change","selectors":["#d"],"value":"2026-02-03"},
        {"type":"change","selectors":["#r"],"value":"70"},
        {"type":"change","selectors":["#c"],"value":"#FF0000"}"##,
        expect![[r#"
            1 change: ok [gate]
            2 change: Refused: the field of type number does not take this value
            3 change: ok [gate]
            4 change: ok [gate]
            5 change: ok [gate]
              input n
              change n
              42
              2026-02-03
              70
              #ff0000
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_key_that_is_held_repeats_and_modifiers_last_until_the_last_is_let_go() {
    check(
        r#"<input id=i><script>i.focus(); i.onkeydown = e => log(`${e.code} ${e.repeat} ${e.shiftKey}`)</script>"#,
        r##"{"type":"keyDown","key":"a"},{"type":"keyDown","key":"a"},{"type":"keyUp","key":"a"},{"type":"keyDown","key":"a"},{"type":"keyUp","key":"a"},
        {"type":"keyDown","key":"ShiftLeft"},{"type":"keyDown","key":"ShiftRight"},{"type":"keyUp","key":"ShiftLeft"},
        {"type":"keyDown","key":"b"},{"type":"keyUp","key":"b"},{"type":"keyUp","key":"ShiftRight"},{"type":"keyDown","key":"c"}"##,
        expect![[r#"
            1 keyDown: ok [gate]
            2 keyDown: ok [gate]
            3 keyUp: ok [gate]
            4 keyDown: ok [gate]
            5 keyUp: ok [gate]
            6 keyDown: ok [gate]
            7 keyDown: ok [gate]
            8 keyUp: ok [gate]
            9 keyDown: ok [gate]
            10 keyUp: ok [gate]
            11 keyUp: ok [gate]
            12 keyDown: ok [gate]
              KeyA false false
              KeyA true false
              KeyA false false
              ShiftLeft false true
              ShiftRight false true
              KeyB false true
              KeyC false false
        "#]],
    )
    .await;
}

#[tokio::test]
async fn keys_type_and_submit() {
    check(
        r#"<form onsubmit="log('submit ' + i.value); return false"><input id=i data-log="keydown keyup input"></form><script>i.focus()</script>"#,
        r##"{"type":"keyDown","key":"Shift"},{"type":"keyDown","key":"a"},{"type":"keyUp","key":"a"},{"type":"keyUp","key":"Shift"},
        {"type":"keyDown","key":"b"},{"type":"keyUp","key":"b"},
        {"type":"keyDown","key":"Backspace"},{"type":"keyUp","key":"Backspace"},
        {"type":"keyDown","key":"Enter"},{"type":"keyUp","key":"Enter"},
        {"type":"keyDown","key":"Hyper"}"##,
        expect![[r#"
            1 keyDown: ok [gate]
            2 keyDown: ok [gate]
            3 keyUp: ok [gate]
            4 keyUp: ok [gate]
            5 keyDown: ok [gate]
            6 keyUp: ok [gate]
            7 keyDown: ok [gate]
            8 keyUp: ok [gate]
            9 keyDown: ok [gate]
            10 keyUp: ok [gate]
            11 keyDown: Refused: this is not the name of a key
              keydown i Shift ShiftLeft
              keydown i A KeyA
              input i
              keyup i A KeyA
              keyup i Shift ShiftLeft
              keydown i b KeyB
              input i
              keyup i b KeyB
              keydown i Backspace Backspace
              input i
              keyup i Backspace Backspace
              keydown i Enter Enter
              submit A
              keyup i Enter Enter
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_held_key_counts_for_the_mouse() {
    check(
        r#"<button id=b onclick="log(event.ctrlKey)">Go</button>"#,
        r##"{"type":"keyDown","key":"Control"},{"type":"click","selectors":["#b"],"offsetX":3,"offsetY":3},
        {"type":"keyUp","key":"Control"},{"type":"click","selectors":["#b"],"offsetX":3,"offsetY":3}"##,
        expect![[r#"
            1 keyDown: ok [gate]
            2 click: ok [gate]
            3 keyUp: ok [gate]
            4 click: ok [gate]
              true
              false
        "#]],
    )
    .await;
}

#[tokio::test]
async fn scroll_of_the_page_and_of_an_element() {
    check(
        r#"<div id=s style="width:100px;height:100px;overflow:auto"><div style="width:900px;height:900px"></div></div><div style="height:5000px"></div>
        <script>s.onscroll = () => log(`s ${s.scrollLeft} ${s.scrollTop}`); onscroll = () => log(`page ${scrollX} ${scrollY}`)</script>"#,
        r##"{"type":"scroll","selectors":["#s"],"x":20,"y":30},{"type":"scroll","y":700}"##,
        expect![[r#"
            1 scroll: ok
            2 scroll: ok
              s 20 30
              page 0 700
        "#]],
    )
    .await;
}

#[tokio::test]
async fn wait_for_element_counts_and_compares() {
    check(
        r#"<ul><li class=a data-x=1>one<li class=a data-x=2>two</ul><input id=i value=typed><script>setTimeout(() => document.querySelector('ul').append(Object.assign(document.createElement('li'), {className: 'late'})), 100)</script>"#,
        r##"{"type":"waitForElement","selectors":["li.a"],"operator":"==","count":2},
        {"type":"waitForElement","selectors":["li.late"]},
        {"type":"waitForElement","selectors":["li.a"],"attributes":{"data-x":"2"},"operator":"==","count":1},
        {"type":"waitForElement","selectors":["#i"],"properties":{"value":"typed"}},
        {"type":"waitForElement","selectors":["#i"],"properties":{"value":"other"},"timeout":1000},
        {"type":"waitForElement","selectors":["li.a"],"count":3,"timeout":1000},
        {"type":"waitForElement","selectors":["#gone","li.a"],"operator":"==","count":0,"timeout":1000},
        {"type":"waitForElement","selectors":["li.a"],"operator":"<=","count":2},
        {"type":"waitForElement","selectors":["li[["],"timeout":1000}"##,
        expect![[r#"
            1 waitForElement: ok
            2 waitForElement: ok
            3 waitForElement: ok
            4 waitForElement: ok
            5 waitForElement: NotMet: `value` of input#i did not become "other" within 1 s: it is another value
            6 waitForElement: NotMet: expected >= 3 matching elements, found 2 within 1 s; the page shows "fixture"
            7 waitForElement: NotMet: expected == 0 matching elements, found 2 within 1 s; the page shows "fixture"
            8 waitForElement: ok
            9 waitForElement: Refused: `li[[` is not a valid selector
        "#]],
    )
    .await;
}

#[tokio::test]
async fn wait_for_expression_in_the_pages_own_world() {
    check(
        r#"<script>window.ready = false; setTimeout(() => window.ready = document, 100)</script>"#,
        r##"{"type":"waitForExpression","expression":"window.ready"},
        {"type":"waitForExpression","expression":"new Promise(r => setTimeout(r, 20, 'yes'))"},
        {"type":"waitForExpression","expression":"document.title == 'other'","timeout":1000},
        {"type":"waitForExpression","expression":"window.nothing.at.all","timeout":1000},
        {"type":"waitForExpression","expression":"(() => { throw 'out of stock' })()","timeout":300},
        {"type":"waitForExpression","expression":"Promise.reject(404)","timeout":300},
        {"type":"waitForExpression","expression":"document\n  .querySelectorAll('a.very.long.selector.that.goes.on.and.on')\n  .length > 0 && document.body.dataset.ready === 'yes'","timeout":300},
        {"type":"waitForExpression","expression":"0n","timeout":1000},
        {"type":"waitForExpression","expression":"new Promise(() => {})","timeout":1000},
        {"type":"waitForExpression","expression":"if (","timeout":1000}"##,
        expect![[r#"
            1 waitForExpression: ok
            2 waitForExpression: ok
            3 waitForExpression: NotMet: the expression `document.title == 'other'` did not become true within 1 s
            4 waitForExpression: NotMet: the expression `window.nothing.at.all` did not become true within 1 s: it throws TypeError: Cannot read properties of undefined (reading 'at')
            5 waitForExpression: NotMet: the expression `(() => { throw 'out of stock' })()` did not become true within 300 ms: it throws out of stock
            6 waitForExpression: NotMet: the expression `Promise.reject(404)` did not become true within 300 ms: it throws 404
            7 waitForExpression: NotMet: the expression `document .querySelectorAll('a.very.long.selector.that.goes.on.and.on') .length > 0 && document.body.…` did not become true within 300 ms
            8 waitForExpression: NotMet: the expression `0n` did not become true within 1 s
            9 waitForExpression: TimedOut: the expression `new Promise(() => {})` came to no answer within 1 s
            10 waitForExpression: Refused: the expression `if (` is no JavaScript: SyntaxError: Unexpected end of input
        "#]],
    )
    .await;
}

#[tokio::test]
async fn capture_reads_and_waits_for_its_pattern() {
    let capture = |selector: &str, rest: &str| {
        format!(
            r##"{{"type":"customStep","name":"regatta.capture","timeout":1500,"parameters":{{"selectors":["{selector}"],"into":"identity.x",{rest}}}}}"##
        )
    };
    let steps = [
        capture("#late", r#""from":"text","pattern":"code is (\\d+)""#),
        capture("#late", r#""from":"text","pattern":"\\d\\d""#),
        capture("#late", r#""from":"text""#),
        capture("a", r#""from":"attribute","attribute":"href","pattern":"id=(.*)""#),
        capture("input", r#""from":"value""#),
        capture("#never", r#""from":"text","pattern":"code is (\\d+)""#),
        capture("#empty", r#""from":"text""#),
        capture("#missing", r#""from":"text""#),
        capture("p", r#""from":"text""#),
    ];
    check(
        r#"<p id=late>wait…</p><p id=never>no digits</p><p id=empty> </p><a href="/x?id=7">x</a><input value=typed>
        <script>setTimeout(() => late.textContent = 'code is  123 ', 150)</script>"#,
        &steps.join(","),
        expect![[r#"
            1 regatta.capture: "123"
            2 regatta.capture: "12"
            3 regatta.capture: "code is 123"
            4 regatta.capture: "7"
            5 regatta.capture: "typed"
            6 regatta.capture: NotMet: the text of p#never does not match the pattern; the page shows "fixture"
            7 regatta.capture: NotMet: the text of p#empty is empty; the page shows "fixture"
            8 regatta.capture: NotMet: no element matches `#missing` within 1.5 s; the page shows "fixture"
            9 regatta.capture: Ambiguous: 3 elements match `p`; they are p#late "code is 123" (`#late`), p#never "no digits" (`#never`), p#empty (`#empty`)
        "#]],
    )
    .await;
}

#[tokio::test]
async fn set_viewport() {
    check(
        "",
        r##"{"type":"setViewport","width":500,"height":400,"deviceScaleFactor":2,"isMobile":false,"hasTouch":true,"isLandscape":true},
        {"type":"waitForExpression","expression":"innerWidth == 500 && innerHeight == 400 && devicePixelRatio == 2"},
        {"type":"waitForExpression","expression":"navigator.maxTouchPoints > 0 && screen.orientation.type == 'landscape-primary'"}"##,
        expect![[r#"
            1 setViewport: ok
            2 waitForExpression: ok
            3 waitForExpression: ok
        "#]],
    )
    .await;
}

/// A phone zooms a page out that does not say it is made for phones: input and boxes then have other units.
#[tokio::test]
async fn a_click_lands_on_a_page_that_a_phone_has_zoomed() {
    check(
        r#"<div style="width:2400px;height:10px"></div><button id=b data-log=click style="position:absolute;left:600px;top:900px;width:40px;height:20px;border:0" onclick="log(visualViewport.scale < 1)">Go</button><script>onmousedown=e=>log(`scale ${visualViewport.scale} at ${e.offsetX} ${e.offsetY}`)</script>"#,
        r##"{"type":"setViewport","width":400,"height":700,"deviceScaleFactor":2,"isMobile":true,"hasTouch":true,"isLandscape":false},
        {"type":"navigate","url":"{site}/"},
        {"type":"click","selectors":["#b"],"offsetX":30,"offsetY":10}"##,
        expect![[r#"
            1 setViewport: ok
            2 navigate: ok
            3 click: ok [gate]
              scale 0.25 at 30 10
              click b
              true
        "#]],
    )
    .await;
}

/// As a mouse has it whose buttons know no more than down and up.
#[tokio::test]
async fn a_pressed_mouse_has_the_pressure_and_the_buttons_of_one() {
    check(
        r#"<button id=b style="width:100px;height:40px">Go</button><script>
        for (const type of ['pointerdown', 'pointerup'])
          b.addEventListener(type, event => log(`${type} ${event.pressure} ${event.button} ${event.buttons}`));
        </script>"#,
        r##"{"type":"click","selectors":["#b"],"offsetX":5,"offsetY":5}"##,
        expect![[r#"
            1 click: ok [gate]
              pointerdown 0.5 0 1
              pointerup 0 0 0
        "#]],
    )
    .await;
}
