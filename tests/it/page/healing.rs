//! What a selector led to is known again; one that leads elsewhere is not acted on, and where none leads
//! anywhere the element is found by likeness, or not at all.

use expect_test::{Expect, expect};
use regatta_core::workflow::Heal;

use super::rig::Rig;

/// Plays the steps on the page as it is, has the page changed, and plays the last step again, for
/// `heal`, with what was learnt. Returns the outcome, the healing events, and what the page saw.
async fn changed(heal: Heal, body: &str, steps: &str, change: &str) -> String {
    let mut rig = Rig::new(body).await;
    let first = rig.play(&patient(steps)).await;
    rig.page.keep_healed();
    rig.run_in_page(change).await;
    rig.page.begin_flow(heal);
    // The step acts by likeness in the last fifth of its time.
    let second = if heal == Heal::Auto { rig.play(&patient(steps)).await } else { rig.play(steps).await };
    let healed = rig.healed();
    let log = rig.log().await;
    rig.page.close().await;
    format!("{first}{second}{healed}{log}")
}

/// With the time a busy machine may need, where something is expected to succeed.
fn patient(steps: &str) -> String {
    steps.replace("\"timeout\":1500", "\"timeout\":10000")
}

async fn check(heal: Heal, body: &str, steps: &str, change: &str, expected: Expect) {
    expected.assert_eq(&changed(heal, body, steps, change).await);
}

const FORM: &str = r#"<h1>Join</h1><form onsubmit="return false">
    <label>E-mail <input name=email data-log=input></label>
    <button id=go data-testid=join data-log=click>Sign up</button>
    <button id=no data-log=click>Cancel</button></form>"#;

fn click(selectors: &str) -> String {
    format!(r##"{{"type":"click","selectors":{selectors},"offsetX":3,"offsetY":3,"timeout":1500}}"##)
}

#[tokio::test]
async fn a_selector_that_matches_another_element_is_not_acted_on() {
    check(
        Heal::Off,
        FORM,
        &click(r##"["form button"]"##).replace("form button", "form > :nth-child(2)"),
        "go.id = 'delete'; go2 = document.getElementById('delete'); go2.dataset.testid = 'delete'; go2.textContent = 'Delete account'",
        expect![[r#"
            1 click: ok [gate]
            1 click: Changed: `form > :nth-child(2)` now matches button#delete "Delete account", which is not the button#go "Sign up" it matched before [ForgetElement { flow: "f.json", step: "1" }]
              click go
        "#]],
    )
    .await;
}

#[tokio::test]
async fn another_alternative_is_tried_where_one_matches_another_element() {
    check(
        Heal::Off,
        FORM,
        &click(r##"["form > :nth-child(2)", "text/Sign up"]"##),
        "document.querySelector('form').insertBefore(no, go)",
        expect![[r#"
            1 click: ok [gate]
            1 click: ok [gate]
              click go
              click go
        "#]],
    )
    .await;
}

#[tokio::test]
async fn fields_that_changed_places_are_not_mistaken() {
    let mail = r##"{"type":"change","selectors":["form > :nth-child(1)"],"value":"x","timeout":1500}"##;
    check(
        Heal::Suggest,
        r#"<form><input aria-label=E-mail data-log=input><input aria-label=Phone data-log=input></form>"#,
        mail,
        "document.querySelector('form').append(document.querySelector('input'))",
        expect![[r#"
            1 change: ok [gate]
            1 change: Changed: `form > :nth-child(1)` now matches textbox "Phone", which is not the textbox "E-mail" it matched before; textbox "E-mail" is like the textbox "E-mail" of before: `aria/E-mail[role="textbox"]` would match it [AcceptSuggestion { flow: "f.json", step: "1" }] [ForgetElement { flow: "f.json", step: "1" }]
            Suggested: textbox "E-mail" by `aria/E-mail[role="textbox"]`, was textbox "E-mail"
              input
        "#]],
    )
    .await;
}

#[tokio::test]
async fn another_label_without_a_reason_and_another_row_are_other_elements() {
    check(
        Heal::Off,
        r#"<p><button data-log=click>Follow</button></p>
           <ul><li><a href="/mail/one" data-log=click onclick="return false">One</a></li></ul>"#,
        &[click(r#"["p > button"]"#), click(r#"["li:first-child > a"]"#)].join(","),
        "document.querySelector('button').textContent = 'Leave';
         document.querySelector('ul').insertAdjacentHTML('afterbegin', '<li><a id=two href=/mail/two data-log=click onclick=\"return false\">Two</a></li>')",
        expect![[r#"
            1 click: ok [gate]
            2 click: ok [gate]
            1 click: Changed: `p > button` now matches button "Leave", which is not the button "Follow" it matched before [ForgetElement { flow: "f.json", step: "1" }]
            2 click: Changed: `li:first-child > a` now matches link#two "Two", which is not the link "One" it matched before [ForgetElement { flow: "f.json", step: "2" }]
              click 
              click
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_label_that_is_now_elsewhere_is_on_another_element() {
    check(
        Heal::Off,
        r#"<nav><button data-log=click>Save</button><button data-log=click>Delete</button></nav>"#,
        &click(r#"["nav > :first-child"]"#),
        "document.querySelector('nav').append(document.querySelector('button'))",
        expect![[r#"
            1 click: ok [gate]
            1 click: Changed: `nav > :first-child` now matches button "Delete", which is not the button "Save" it matched before [ForgetElement { flow: "f.json", step: "1" }]
              click
        "#]],
    )
    .await;
}

const RENAMED: &str = "go.dataset.testid = 'enrol'; go.removeAttribute('id')";

#[tokio::test]
async fn where_no_selector_matches_the_element_is_suggested() {
    let mut rig = Rig::new(FORM).await;
    let step = click(r##"["[data-testid=join]", "#go"]"##);
    rig.play(&patient(&step)).await;
    rig.run_in_page(RENAMED).await;
    let second = rig.play(&step).await;
    let suggestions: Vec<_> = rig
        .memory
        .0
        .lock()
        .unwrap()
        .values()
        .filter_map(|remembered| Some(remembered.suggestion.as_ref()?.selector.join(" >>> ")))
        .collect();
    let healed = rig.healed();
    rig.page.close().await;
    expect![[r#"
        1 click: Changed: no element matches `[data-testid=join]` or `#go` within 1.5 s; button[data-testid="enrol"] "Sign up" is like the button#go "Sign up" of before: `[data-testid="enrol"]` would match it [AcceptSuggestion { flow: "f.json", step: "1" }]
        ["[data-testid=\"enrol\"]"]
        Suggested: button[data-testid="enrol"] "Sign up" by `[data-testid="enrol"]`, was button#go "Sign up"
    "#]].assert_eq(&format!("{second}{suggestions:?}\n{healed}"));
}

#[tokio::test]
async fn where_it_is_allowed_the_element_is_acted_on_and_remembered_at_the_steps_end() {
    let mut rig = Rig::new(FORM).await;
    let step = click(r##"["[data-testid=join]", "#go"]"##);
    let patient = patient(&step);
    rig.play(&patient).await;
    rig.run_in_page(RENAMED).await;
    let kept = |rig: &Rig| -> Vec<_> {
        let memory = rig.memory.0.lock().unwrap();
        memory.values().filter_map(|remembered| remembered.recalled.healed.clone()).collect()
    };
    rig.page.begin_flow(Heal::Auto);
    let mut story = format!("{}{}{:?}\n", rig.play(&patient).await, rig.healed(), kept(&rig));
    // The step failed after all.
    rig.page.begin_flow(Heal::Auto);
    rig.page.keep_healed();
    story += &format!("{:?}\n", kept(&rig));
    story += &format!("{}{}", rig.play(&patient).await, rig.healed());
    rig.page.keep_healed();
    story += &format!("{:?}\n", kept(&rig));
    // From then on it is used at once, where it is allowed.
    rig.page.begin_flow(Heal::Auto);
    story += &format!("{}{}", rig.play(&patient).await, rig.healed());
    rig.page.begin_flow(Heal::Suggest);
    story += &format!("{}{}", rig.play(&step).await, rig.healed());
    // And what is written goes first.
    rig.run_in_page(
        "document.querySelector('[name=email]').id = 'x'; document.querySelector('form button').id = 'go'",
    )
    .await;
    rig.page.begin_flow(Heal::Auto);
    story += &format!("{}{}", rig.play(&patient).await, rig.healed());
    let log = rig.log().await;
    rig.page.close().await;
    expect![[r#"
        1 click: ok [gate]
        Acted: button[data-testid="enrol"] "Sign up" by `[data-testid="enrol"]`, was button#go "Sign up"
        []
        []
        1 click: ok [gate]
        Acted: button[data-testid="enrol"] "Sign up" by `[data-testid="enrol"]`, was button#go "Sign up"
        [["[data-testid=\"enrol\"]"]]
        1 click: ok [gate]
        Remembered: button[data-testid="enrol"] "Sign up" by `[data-testid="enrol"]`, was button[data-testid="enrol"] "Sign up"
        1 click: Changed: no element matches `[data-testid=join]` or `#go` within 1.5 s; button[data-testid="enrol"] "Sign up" is like the button[data-testid="enrol"] "Sign up" of before: `[data-testid="enrol"]` would match it [AcceptSuggestion { flow: "f.json", step: "1" }]
        Suggested: button[data-testid="enrol"] "Sign up" by `[data-testid="enrol"]`, was button[data-testid="enrol"] "Sign up"
        1 click: ok [gate]
          click go
          click 
          click 
          click 
          click go
    "#]].assert_eq(&format!("{story}{log}"));
}

#[tokio::test]
async fn nothing_is_guessed_between_two_that_are_alike() {
    check(
        Heal::Auto,
        FORM,
        &click(r##"["[data-testid=join]"]"##),
        "const b = go; delete b.dataset.testid; b.removeAttribute('id'); b.after(b.cloneNode(true))",
        expect![[r#"
            1 click: ok [gate]
            1 click: TimedOut: no element matches `[data-testid=join]` within 10 s; the page shows "Join"
              click go
        "#]],
    )
    .await;
}

#[tokio::test]
async fn nothing_is_guessed_for_a_wait() {
    let gone = r##"{"type":"waitForElement","selectors":["[data-testid=join]"],"operator":"==","count":0,"timeout":1000}"##;
    let there = r##"{"type":"waitForElement","selectors":["[data-testid=join]"],"timeout":1000}"##;
    let steps = [&click(r##"["[data-testid=join]"]"##), gone, there].join(",");
    check(
        Heal::Auto,
        FORM,
        &steps,
        "go.remove()",
        expect![[r#"
        1 click: ok [gate]
        2 waitForElement: NotMet: expected == 0 matching elements, found 1 within 1 s; the page shows "Join"
        3 waitForElement: ok
        1 click: TimedOut: no element matches `[data-testid=join]` within 10 s; the page shows "Join"
        2 waitForElement: ok
        3 waitForElement: NotMet: no element matches `[data-testid=join]` within 1 s; the page shows "Join"
          click go
    "#]],
    )
    .await;
    let mut rig = Rig::new(FORM).await;
    rig.play(&patient(&click(r##"["[data-testid=join]"]"##))).await;
    rig.run_in_page(RENAMED).await;
    rig.page.begin_flow(Heal::Auto);
    let played = rig.play(&[gone, there].join(",")).await;
    assert_eq!(rig.healed(), "");
    rig.page.close().await;
    expect![[r#"
        1 waitForElement: ok
        2 waitForElement: NotMet: no element matches `[data-testid=join]` within 1 s; the page shows "Join"
    "#]]
    .assert_eq(&played);
}

#[tokio::test]
async fn a_page_that_is_still_busy_is_not_acted_on_by_likeness() {
    check(
        Heal::Auto,
        FORM,
        &click(r##"["[data-testid=join]"]"##),
        &format!("{RENAMED}; fetch('/hang')"),
        expect![[r#"
            1 click: ok [gate]
            1 click: Changed: no element matches `[data-testid=join]` within 10 s; button[data-testid="enrol"] "Sign up" is like the button#go "Sign up" of before: `[data-testid="enrol"]` would match it [AcceptSuggestion { flow: "f.json", step: "1" }]
            Suggested: button[data-testid="enrol"] "Sign up" by `[data-testid="enrol"]`, was button#go "Sign up"
              click go
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_capture_that_may_be_elsewhere_is_no_definite_no() {
    check(
        Heal::Suggest,
        r#"<h2 id=c data-testid=code>Your code</h2><p>123456</p>"#,
        r##"{"type":"customStep","name":"regatta.capture","timeout":1500,"parameters":{"selectors":["[data-testid=code]"],"from":"text","into":"identity.x"}}"##,
        "c.dataset.testid = 'your-code'",
        expect![[r#"
            1 regatta.capture: "Your code"
            1 regatta.capture: Changed: no element matches `[data-testid=code]` within 1.5 s; heading#c is like the heading#c of before: `[data-testid="your-code"]` would match it [AcceptSuggestion { flow: "f.json", step: "1" }]
            Suggested: heading#c by `[data-testid="your-code"]`, was heading#c
        "#]],
    )
    .await;
}

#[tokio::test]
async fn selectors_are_suggested_that_last_and_mean_one_element() {
    // What the element is left with, and what it is found by.
    let mut story = String::new();
    for (body, change) in [
        ("<button data-testid=join>Sign up</button>", "b.dataset.testid = 'enrol'"),
        ("<button data-testid=join>Sign up</button>", "delete b.dataset.testid"),
        (
            "<button data-testid=join id=b42-1 class=btn>Sign \"up\"</button><button>No</button>",
            "delete b.dataset.testid",
        ),
        ("<p><input name=q data-testid=join placeholder=Search></p>", "delete b.dataset.testid"),
        ("<p><span data-testid=join>Sign up</span> <i>x</i></p>", "delete b.dataset.testid"),
    ] {
        let mut rig = Rig::new(body).await;
        let step =
            r##"{"type":"click","selectors":["[data-testid=join]"],"offsetX":3,"offsetY":3,"timeout":1500}"##;
        rig.play(&patient(step)).await;
        rig.run_in_page(&format!("const b = document.querySelector('[data-testid=join]'); {change}")).await;
        rig.play(step).await;
        story += &rig.healed();
        rig.page.close().await;
    }
    expect![[r#"
        Suggested: button[data-testid="enrol"] "Sign up" by `[data-testid="enrol"]`, was button[data-testid="join"] "Sign up"
        Suggested: button "Sign up" by `aria/Sign up[role="button"]`, was button[data-testid="join"] "Sign up"
        Suggested: button#b42-1 "Sign "up"" by `#b42-1`, was button#b42-1 "Sign "up""
        Suggested: textbox "Search" by `aria/Search[role="textbox"]`, was textbox[data-testid="join"] "Search"
        Suggested: span "Sign up" by `body > p > span`, was span[data-testid="join"] "Sign up"
    "#]].assert_eq(&story);
}

#[tokio::test]
async fn an_element_in_a_shadow_root_is_found_and_named() {
    check(
        Heal::Auto,
        r#"<x-card id=card></x-card><script>
            card.attachShadow({mode: 'open'}).innerHTML = '<p><span data-testid=join data-log=click id=dark>Sign up</span></p>';
        </script>"#,
        &click(r##"[["#card", "[data-testid=join]"]]"##),
        "delete card.shadowRoot.querySelector('span').dataset.testid",
        expect![[r#"
            1 click: ok [gate]
            1 click: ok [gate]
            Acted: span#dark "Sign up" by `#card >>> #dark`, was span#dark "Sign up"
              click dark
              click dark
        "#]],
    )
    .await;
}

#[tokio::test]
async fn nothing_that_was_typed_and_no_value_of_the_identity_is_remembered() {
    let mut rig = Rig::new(
        r#"<form aria-label="Of ann@practice.test">
        <label>Hello ann@practice.test <input name=a value="was s3cret-here"></label>
        <textarea id=t>was s3cret-here</textarea>
        <div id=e contenteditable>was s3cret-here</div>
        <label id=l>Note <textarea>was s3cret-here</textarea></label>
        <a id=out href="/of/ann%40practice.test/b?s3cret-here" title="ann@practice.test" onclick="return false">mail ann@practice.test <b id=b></b></a>
        </form><a id=code href="/c/4711-s3cret-here">code is s3cret-here</a><script>t.oninput = () => b.textContent = t.value</script>"#,
    )
    .await;
    let mut mask = regatta_core::mask::Mask::default();
    mask.add("identity.email", "ann@practice.test");
    rig.page.hide(mask);
    let change = |selector: &str| {
        format!(r##"{{"type":"change","selectors":["{selector}"],"value":"my typed text"}}"##)
    };
    let capture = |from: &str| {
        format!(
            r##"{{"type":"customStep","name":"regatta.capture","parameters":{{"selectors":["#code"],{from},"pattern":"s3cret-here","into":"identity.x"}}}}"##
        )
    };
    let played = rig
        .play(
            &[
                patient(&click("[\"#l\"]")),
                change("[name=a]"),
                change("#t"),
                change("#e"),
                patient(&click("[\"#out\"]")),
                patient(&click("[\"form\"]")),
                capture(r#""from":"text""#),
                capture(r#""from":"attribute","attribute":"href""#),
            ]
            .join(","),
        )
        .await;
    let memory: Vec<_> =
        rig.memory.0.lock().unwrap().values().map(|known| known.recalled.element.clone().unwrap()).collect();
    rig.page.close().await;
    expect![[r#"
        1 click: ok [gate]
        2 change: ok [gate]
        3 change: ok [gate]
        4 change: ok [gate]
        5 click: ok [gate]
        6 click: ok [gate]
        7 regatta.capture: "s3cret-here"
        8 regatta.capture: "s3cret-here"
    "#]]
    .assert_eq(&played);
    let kept = serde_json::to_string(&memory).unwrap();
    for value in ["ann", "s3cret", "typed text"] {
        assert!(!kept.contains(value), "{value}: {kept}");
    }
    assert!(kept.contains("Hello ‹identity.email›"), "{kept}");
}

#[tokio::test]
async fn ids_and_classes_that_look_generated_are_left_out() {
    let written = [
        "email",
        "sign-up",
        "signUpForm",
        "step-1",
        "address2",
        "btn_primary",
        "h1",
        "x",
        "utf8-name",
        "nav",
    ];
    let generated = [
        ":r1:",
        "radix-7",
        "ember123",
        "input-12",
        "mui-4",
        "css-1q2w3e",
        "sc-bdVaJa",
        "a1b2c3d4",
        "Button_root__3kX9z",
        "0b5c8c5e-52a0-4d6c-8f5e-3c1d1b7f0a11",
        "field-1234",
        "headlessui-menu-button-3",
        "svelte-1tky8bj",
        "yui_3_17",
    ];
    let all: Vec<_> = written.iter().chain(&generated).collect();
    let body: String = all.iter().map(|id| format!("<p id=\"{id}\" class=\"{id}\">x</p>")).collect();
    let mut rig = Rig::new(&body).await;
    let steps: Vec<_> = (1..=all.len())
        .map(|nth| format!(r#"{{"type":"hover","selectors":["p:nth-of-type({nth})"]}}"#))
        .collect();
    rig.play(&steps.join(",")).await;
    let mut kept: Vec<_> = Vec::new();
    for remembered in rig.memory.0.lock().unwrap().values() {
        let element = remembered.recalled.element.clone().unwrap();
        assert_eq!(
            element.attributes.get("id").into_iter().collect::<Vec<_>>(),
            element.classes.iter().collect::<Vec<_>>()
        );
        kept.extend(element.classes);
    }
    rig.page.close().await;
    kept.sort();
    let mut expected = written;
    expected.sort_unstable();
    assert_eq!(kept, expected);
}

#[tokio::test]
async fn where_a_selector_matches_another_element_the_one_of_before_is_looked_for() {
    let step = click(r##"["form > :nth-child(2)"]"##);
    let swap = "document.querySelector('form').insertBefore(no, go)";
    check(
        Heal::Suggest,
        FORM,
        &step,
        swap,
        expect![[r#"
            1 click: ok [gate]
            1 click: Changed: `form > :nth-child(2)` now matches button#no "Cancel", which is not the button#go "Sign up" it matched before; button#go "Sign up" is like the button#go "Sign up" of before: `[data-testid="join"]` would match it [AcceptSuggestion { flow: "f.json", step: "1" }] [ForgetElement { flow: "f.json", step: "1" }]
            Suggested: button#go "Sign up" by `[data-testid="join"]`, was button#go "Sign up"
              click go
        "#]],
    )
    .await;
    check(
        Heal::Auto,
        FORM,
        &step,
        swap,
        expect![[r#"
            1 click: ok [gate]
            1 click: ok [gate]
            Acted: button#go "Sign up" by `[data-testid="join"]`, was button#go "Sign up"
              click go
              click go
        "#]],
    )
    .await;
}
