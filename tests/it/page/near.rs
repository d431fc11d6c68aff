//! Hints where nothing matches: near misses, the errors that the page shows, and what is there
//! instead.

use expect_test::{Expect, expect};

use super::rig::Rig;

const FORM: &str = r##"<h1>Join</h1><form onsubmit="return false"><label>Email: <input id=email name=mail></label>
    <label>Password <input type=password id=pw value=hunter22></label>
    <button data-testid=sign-up>Sign up now</button><a href="/second">Sign in</a>
    <div id=plain>Terms &amp; conditions</div><x-card id=card></x-card><p hidden>Email</p>
    </form><script>card.attachShadow({mode: 'open'}).innerHTML = '<button id=dark>Dark</button>'</script>"##;

/// Clicks each, one selector or several, and shows the errors.
async fn check(body: &str, selectors: &[&str], expected: Expect) {
    let mut rig = Rig::new(body).await;
    let mut seen = String::new();
    for selectors in selectors {
        let step = format!(r#"{{"type":"click","selectors":[{selectors}],"timeout":300}}"#);
        seen += rig.play(&step).await.strip_prefix("1 click: ").unwrap();
    }
    rig.page.close().await;
    expected.assert_eq(&seen);
}

#[tokio::test]
async fn a_near_miss_is_named() {
    check(
        FORM,
        &[
            r#""aria/Email""#,
            r#""aria/email:[role=\"textbox\"]""#,
            r#""aria/Sign up""#,
            r#""aria/Sign in[role=\"button\"]""#,
            r#""text/sign up now""#,
            r#""text/Terms and conditions""#,
            r##""#emial""##,
            r#""[data-testid=\"signup\"]""#,
            r#""input[name=email]""#,
            r##""#dark""##,
            r#""xpath///button[@data-testid='sign-in']""#,
            r#""aria/Nothing like it""#,
        ],
        expect![[r#"
            TimedOut: no element matches `aria/Email` within 300 ms; did you mean `aria/Email:`?
            TimedOut: no element matches `aria/email:[role="textbox"]` within 300 ms; did you mean `aria/Email:[role="textbox"]`?
            TimedOut: no element matches `aria/Sign up` within 300 ms; did you mean `aria/Sign up now`?
            TimedOut: no element matches `aria/Sign in[role="button"]` within 300 ms; did you mean `aria/Sign in[role="link"]`?
            TimedOut: no element matches `text/sign up now` within 300 ms; did you mean `text/Sign up now`?
            TimedOut: no element matches `text/Terms and conditions` within 300 ms; did you mean `text/Terms & conditions`?
            TimedOut: no element matches `#emial` within 300 ms; did you mean `#email`?
            TimedOut: no element matches `[data-testid="signup"]` within 300 ms; did you mean `[data-testid="sign-up"]`?
            TimedOut: no element matches `input[name=email]` within 300 ms; did you mean `[name="mail"]`?
            TimedOut: no element matches `#dark` within 300 ms; did you mean `pierce/#dark`?
            TimedOut: no element matches `xpath///button[@data-testid='sign-in']` within 300 ms; the page shows "Join"
            TimedOut: no element matches `aria/Nothing like it` within 300 ms; the page shows "Join"
        "#]],
    )
    .await;
}

#[tokio::test]
async fn all_selectors_that_were_tried_are_named() {
    check(
        FORM,
        &[r##""aria/Emails", "#mails", "text/Your address""##, r#""xpath///table""#],
        expect![[r#"
            TimedOut: no element matches `aria/Emails`, `#mails` or `text/Your address` within 300 ms; did you mean `aria/Email:`?
            TimedOut: no element matches `xpath///table` within 300 ms; the page shows "Join"
        "#]],
    )
    .await;
}

/// A generated id is no near miss, nor is what is hidden; one that two elements share is named by another selector.
#[tokio::test]
async fn nothing_is_named_that_would_not_do() {
    check(
        r#"<button id=input-4711>Ok</button><button hidden>Save</button><p>Go there<p>Go there</p>"#,
        &[r##""#input-4712""##, r#""aria/Save!""#, r#""text/go there""#],
        expect![[r#"
            TimedOut: no element matches `#input-4712` within 300 ms; the page shows "fixture"
            TimedOut: no element matches `aria/Save!` within 300 ms; the page shows "fixture"
            TimedOut: no element matches `text/go there` within 300 ms; did you mean `body > p:nth-of-type(1)` or `body > p:nth-of-type(2)`?
        "#]],
    )
    .await;
}

#[tokio::test]
async fn the_errors_that_a_page_shows_are_named() {
    for (body, expected) in [
        (r#"<h1>Join</h1><div role=alert>Too many attempts</div>"#, "Too many attempts"),
        (r#"<h1>Join</h1><div role=alert></div>"#, ""),
        (r#"<h1>Join</h1><div role=alert hidden>Too many attempts</div>"#, ""),
        (r#"<h1>Join</h1><p class="form-error">Name is taken</p>"#, "Name is taken"),
        (r#"<h1>Join</h1><p class=fieldErrorText>Name is taken</p>"#, "Name is taken"),
        (
            r#"<h1>Join</h1><p class="alert alert-success">Saved</p><button class="btn-danger">Delete</button>"#,
            "",
        ),
        (
            r#"<label>Name <input aria-invalid=true aria-describedby=why></label><p id=why>is taken</p>"#,
            "Name: is taken",
        ),
        (r#"<label>Name <input aria-invalid=false aria-describedby=why></label><p id=why>is shown</p>"#, ""),
        (
            r#"<div class=errors><p class=error>One</p><p class=error>Two</p><p class=error>Three</p></div>"#,
            "One Two Three",
        ),
        (
            r#"<x-a></x-a><script>document.querySelector('x-a').attachShadow({mode:'open'}).innerHTML='<p role=alert>Inside</p>'</script>"#,
            "Inside",
        ),
    ] {
        let mut rig = Rig::new(body).await;
        let played = rig.play(r##"{"type":"click","selectors":["#nothing"],"timeout":200}"##).await;
        rig.page.close().await;
        let error = played.split_once("the page shows the error ").map_or("", |(_, error)| error.trim());
        let expected = if expected.is_empty() { String::new() } else { format!("\"{expected}\"") };
        assert_eq!(error, expected, "{body}: {played}");
    }
}

/// Those of the form that was acted in last, and what a browser says of a field counts.
#[tokio::test]
async fn errors_near_the_place_are_named() {
    let mut rig = Rig::new(
        r#"<p class=error>Old</p><form onsubmit="return false"><label>Name <input id=name required></label>
        <button id=go>Go</button><button id=off disabled>Next</button></form>"#,
    )
    .await;
    let played = rig
        .play(
            r##"{"type":"click","selectors":["#go"]},
            {"type":"click","selectors":["#off"],"timeout":300},
            {"type":"waitForElement","selectors":["#done"],"timeout":300}"##,
        )
        .await;
    rig.page.close().await;
    expect![[r#"
        1 click: ok [gate]
        2 click: TimedOut: the button is disabled; the page shows the error "Name: Please fill out this field."
        3 waitForElement: NotMet: no element matches `#done` within 300 ms; the page shows the error "Name: Please fill out this field."
    "#]].assert_eq(&played);
}

#[tokio::test]
async fn a_wait_says_what_is_there_instead() {
    let mut rig = Rig::new(
        r#"<p id=status data-state=pending>Pending</p><ul><li class=a>one<li class=a>two</ul><input id=pw type=password value=hunter22>
        <p id=gone style="display:none">Done</p><button aria-label=Save aria-pressed=false>x</button>"#,
    )
    .await;
    let wait = |rest: &str| format!(r##"{{"type":"waitForElement","timeout":200,{rest}}}"##);
    let played = rig
        .play(
            &[
                r##""selectors":["#status"],"properties":{"textContent":"Done"}"##,
                r##""selectors":["#status"],"attributes":{"data-state":"done"}"##,
                r##""selectors":["#status"],"attributes":{"aria-busy":"true"}"##,
                r##""selectors":["#nothing","li.a"],"properties":{"textContent":"three"}"##,
                r##""selectors":["li.a"],"properties":{"textContent":"one"},"count":2"##,
                r##""selectors":["#pw"],"properties":{"value":"other"}"##,
                r##""selectors":["#gone"]"##,
                r##""selectors":["aria/Save"],"attributes":{"aria-pressed":"true"}"##,
                r##""selectors":["#status"],"properties":{"dataset":{"state":"done"}}"##,
                r##""selectors":["#statos"]"##,
                r##""selectors":["#status"],"count":0,"operator":"==""##,
            ]
            .map(wait)
            .join(","),
        )
        .await;
    rig.page.close().await;
    // Whether the page is quiet already decides nothing here.
    expect![[r#"
        1 waitForElement: NotMet: `textContent` of p#status did not become "Done" within 200 ms: it is "Pending"
        2 waitForElement: NotMet: `data-state` of p#status did not become "done" within 200 ms: it is "pending"
        3 waitForElement: NotMet: `aria-busy` of p#status did not become "true" within 200 ms: it is absent
        4 waitForElement: NotMet: `textContent` of 2 elements did not become "three" within 200 ms: it is "one", "two"
        5 waitForElement: NotMet: expected >= 2 matching elements, found 1 within 200 ms; the page shows "fixture"
        6 waitForElement: NotMet: `value` of input#pw did not become "other" within 200 ms: it is another value
        7 waitForElement: NotMet: p#gone did not become visible within 200 ms
        8 waitForElement: NotMet: `aria-pressed` of button did not become "true" within 200 ms: it is "false"
        9 waitForElement: NotMet: `dataset` of p#status did not become {"state":"done"} within 200 ms: it is {"state":"pending"}
        10 waitForElement: NotMet: no element matches `#statos` within 200 ms; did you mean `#status`?
        11 waitForElement: NotMet: expected == 0 matching elements, found 1 within 200 ms; the page shows "fixture"
    "#]].assert_eq(&played.replace("TimedOut", "NotMet"));
}
