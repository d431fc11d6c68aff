//! Kinds of selectors, chains, and what is remembered of them.

use std::sync::Arc;

use expect_test::expect;

use super::rig::{Rig, check};

const MARKUP: &str = r#"
    <header><a href="/second" id=link>Sign up</a></header>
    <form><label for=mail>E-mail</label><input id=mail data-log=input><button id=go data-log=click type=button>  Sign
    up <b>now</b></button><input type=submit id=sub value="Send it" data-log=click onclick="return false"></form>
    <x-card id=card></x-card><div id=plain><button class=inner id=light data-log=click>Light</button></div>
    <script>
      const root = card.attachShadow({mode: 'open'});
      root.innerHTML = '<button class=inner id=dark data-log=click>Dark side</button><y-deep></y-deep>';
      const deep = root.querySelector('y-deep').attachShadow({mode: 'open'});
      deep.innerHTML = '<button id=deepest data-log=click>Deepest</button>';
    </script>"#;

/// With a `!` in front it is not expected to be found.
fn click(selectors: &str) -> String {
    let (selectors, timeout) = match selectors.strip_prefix('!') {
        Some(selectors) => (selectors, 2000),
        None => (selectors, 30_000),
    };
    format!(r##"{{"type":"click","selectors":{selectors},"offsetX":3,"offsetY":3,"timeout":{timeout}}}"##)
}

fn clicks(selectors: &[&str]) -> String {
    selectors.iter().map(|selectors| click(selectors)).collect::<Vec<_>>().join(",")
}

#[tokio::test]
async fn css_xpath_and_pierce() {
    check(
        MARKUP,
        &clicks(&[
            r##"["#go"]"##,
            r##"["xpath///*[@id=\"go\"]"]"##,
            r##"["xpath/id('sub')"]"##,
            r##"["pierce/#dark"]"##,
            r##"["pierce/#deepest"]"##,
            r##"!["#dark"]"##,
            r##"!["xpath/["]"##,
        ]),
        expect![[r#"
            1 click: ok [gate]
            2 click: ok [gate]
            3 click: ok [gate]
            4 click: ok [gate]
            5 click: ok [gate]
            6 click: TimedOut: no element matches `#dark` within 2 s; did you mean `pierce/#dark`?
            7 click: Refused: `xpath/[` is not a valid selector
              click go
              click go
              click sub
              click dark
              click deepest
        "#]],
    )
    .await;
}

#[tokio::test]
async fn text_is_the_deepest_element_that_contains_it() {
    check(
        MARKUP,
        &clicks(&[
            r##"["text/Sign up now"]"##,
            r##"["text/now"]"##,
            r##"["text/Send it"]"##,
            r##"["text/Dark side"]"##,
            r##"["text/Deepest"]"##,
            r##"!["text/Sign up"]"##,
            r##"!["text/sign up"]"##,
        ]),
        expect![[r#"
            1 click: ok [gate]
            2 click: ok [gate]
            3 click: ok [gate]
            4 click: ok [gate]
            5 click: ok [gate]
            6 click: Ambiguous: 2 elements match `text/Sign up`; they are a#link "Sign up" (`#link`), button#go "Sign up now" (`#go`)
            7 click: TimedOut: no element matches `text/sign up` within 2 s; did you mean `aria/Sign up[role="link"]`?
              click go
              click go
              click sub
              click dark
              click deepest
        "#]],
    )
    .await;
}

#[tokio::test]
async fn aria_is_an_exact_name_and_role() {
    check(
        MARKUP,
        &format!(
            r##"{},{{"type":"change","selectors":["aria/E-mail"],"value":"x"}}"##,
            clicks(&[
                r##"["aria/Sign up now"]"##,
                r##"["aria/Sign up now[role=\"button\"]"]"##,
                r##"["aria/Dark side"]"##,
                r##"["aria/Send it[role=\"button\"]"]"##,
                r##"!["aria/[role=\"button\"]"]"##,
                r##"!["aria/Sign up[role=\"button\"]"]"##,
                r##"!["aria/x[level=\"1\"]"]"##,
            ])
        ),
        expect![[r#"
            1 click: ok [gate]
            2 click: ok [gate]
            3 click: ok [gate]
            4 click: ok [gate]
            5 click: Ambiguous: 5 elements match `aria/[role="button"]`; they are button#go "Sign up now" (`#go`), input#sub "Send it" (`#sub`), button#dark "Dark side" (`#card >>> #dark`), button#deepest "Deepest" (`#card >>> y-deep >>> #deepest`), button#light "Light" (`#light`)
            6 click: TimedOut: no element matches `aria/Sign up[role="button"]` within 2 s; did you mean `aria/Sign up[role="link"]`?
            7 click: Refused: `aria/x[level="1"]`: unknown aria attribute `level`: expected name or role
            8 change: ok [gate]
              click go
              click go
              click dark
              click sub
              input mail
        "#]],
    )
    .await;
}

#[tokio::test]
async fn aria_waits_for_its_element() {
    check(
        r#"<script>setTimeout(() => document.body.innerHTML = '<button id=b data-log=click>Go</button>', 300)</script>"#,
        r##"{"type":"click","selectors":["aria/Go"],"offsetX":3,"offsetY":3}"##,
        expect![[r#"
            1 click: ok [gate]
              click b
        "#]],
    )
    .await;
}

#[tokio::test]
async fn chains_enter_the_shadow_root_or_the_subtree() {
    check(
        MARKUP,
        &clicks(&[
            r##"[["#card", ".inner"]]"##,
            r##"[["#plain", ".inner"]]"##,
            r##"[["#card", "y-deep", "#deepest"]]"##,
            r##"[["#card", "xpath//.//button"]]"##,
            r##"[["#card", "text/Deepest"]]"##,
            r##"[["#card", "aria/Dark side"]]"##,
            r##"![["#card", "aria/Light"]]"##,
            r##"![["x-card, #plain", ".inner"]]"##,
        ]),
        expect![[r#"
            1 click: ok [gate]
            2 click: ok [gate]
            3 click: ok [gate]
            4 click: ok [gate]
            5 click: ok [gate]
            6 click: ok [gate]
            7 click: TimedOut: no element matches `#card >>> aria/Light` within 2 s; the page shows "fixture"
            8 click: Ambiguous: 2 elements match `x-card, #plain >>> .inner`; they are button#dark "Dark side" (`#card >>> #dark`), button#light "Light" (`#light`)
              click dark
              click light
              click deepest
              click dark
              click deepest
              click dark
        "#]],
    )
    .await;
}

#[tokio::test]
async fn alternatives_are_tried_in_the_order_they_are_written() {
    check(
        MARKUP,
        &clicks(&[
            r##"["#nothing", ".inner", "#go", "#sub"]"##,
            r##"["#sub", "#go"]"##,
            r##"!["pierce/.inner", "button"]"##,
        ]),
        expect![[r#"
            1 click: ok [gate]
            2 click: ok [gate]
            3 click: Ambiguous: 2 elements match `pierce/.inner`; they are button#light "Light" (`#light`), button#dark "Dark side" (`#card >>> #dark`)
              click light
              click sub
        "#]],
    )
    .await;
}

/// The first selector as written wins; what is remembered is one that means the same and is faster to ask.
#[tokio::test]
async fn what_the_tree_found_is_remembered_by_a_selector_that_does_not_ask_it() {
    let mut rig = Rig::new(MARKUP).await;
    let played = rig.play(&click(r##"["aria/Sign up now", "#sub", "#nothing", "#go"]"##)).await;
    let won = rig.memory.won();
    let log = rig.log().await;
    rig.page.close().await;
    assert_eq!((played.as_str(), won, log.as_str()), ("1 click: ok [gate]\n", vec![Some(3)], "  click go\n"));
}

#[tokio::test]
async fn what_won_is_remembered_and_used_first() {
    let mut rig = Rig::new(MARKUP).await;
    let step = click(r##"["aria/[role=\"tablist\"]", "#go", "#sub"]"##);
    let first = rig.play(&step).await;
    let memory = Arc::clone(&rig.memory.0);
    let keys: Vec<_> = memory
        .lock()
        .unwrap()
        .iter()
        .map(|(key, known)| {
            format!("{} {} {} {:?}", key.flow, key.step, key.path, known.recalled.alternative)
        })
        .collect();
    // A later run has learnt that the last one is it.
    rig.memory.set_won(2);
    let second = rig.play(&step).await;
    // One that cannot be clicked is passed over,
    rig.play(
        r##"{"type":"waitForExpression","expression":"document.getElementById('sub').disabled = true"}"##,
    )
    .await;
    rig.memory.set_won(2);
    let third = rig.play(&step).await;
    let won = rig.memory.won();
    // and so is one that no longer matches.
    rig.play(r##"{"type":"waitForExpression","expression":"sub.remove() || true"}"##).await;
    rig.memory.set_won(2);
    let fourth = rig.play(&step).await;
    let log = rig.log().await;
    rig.page.close().await;
    expect![[r#"
        1 click: ok [gate]
        ["f.json 1 / Some(1)"]
        1 click: ok [gate]
        1 click: ok [gate]
        [Some(1)]
        1 click: ok [gate]
          click go
          click sub
          click go
          click go
    "#]]
    .assert_eq(&format!("{first}{keys:?}\n{second}{third}{won:?}\n{fourth}{log}"));
}

#[tokio::test]
async fn what_failed_is_not_remembered() {
    let mut rig = Rig::new(r#"<button id=b disabled>Go</button>"#).await;
    let played = rig.play(&click(r##"!["#nothing", "#b"]"##)).await;
    let remembered = rig.memory.0.lock().unwrap().len();
    rig.page.close().await;
    expect![[r#"
        1 click: TimedOut: the button is disabled
        0"#]]
    .assert_eq(&format!("{played}{remembered}"));
}
