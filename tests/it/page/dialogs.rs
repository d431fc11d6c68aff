//! Dialogs of the browser itself, which no document sees and which take all input of the tab. They are the
//! desktop browser's.

use std::sync::Arc;

use expect_test::{Expect, expect};
use regatta_core::session::Platform;
use regatta_core::workflow::http_auth::Credential;

use super::rig::Rig;
use crate::support::chrome::Chrome;

const FORM: &str =
    r#"<form action="/echo" method=post><input id=u name=u><button id=send>Send</button></form>"#;

/// Asks for what would open a dialog, then sends a form: what the server received is in its answer.
async fn sends(chrome: Arc<Chrome>, asks: &str, expected: Expect) {
    let body = format!(r#"<button id=ask onclick="{asks}">Ask</button>{FORM}"#);
    let mut rig = Rig::on(chrome, &body, Platform::Desktop).await;
    let played = rig
        .play(
            r##"{"type":"click","selectors":["#ask"],"offsetX":3,"offsetY":3},
            {"type":"waitForExpression","expression":"window.asked !== undefined","timeout":5000},
            {"type":"change","selectors":["#u"],"value":"Ann","timeout":3000},
            {"type":"click","selectors":["#send"],"offsetX":3,"offsetY":3,"timeout":3000},
            {"type":"customStep","name":"regatta.capture","parameters":{"selectors":["#echo"],"from":"text","into":"identity.x"},"timeout":3000}"##,
        )
        .await;
    rig.page.close().await;
    expected.assert_eq(&played);
}

#[tokio::test]
async fn a_server_without_credentials_gets_no_sign_in() {
    let chrome = Chrome::desktop(&[]);
    for asks in [
        "fetch('/auth').then(r => asked = r.status)",
        "const i = new Image(); i.onerror = () => asked = true; i.src = '/auth'",
        "const f = document.createElement('iframe'); f.onload = () => asked = true; f.src = '/auth'; document.body.append(f)",
    ] {
        sends(
            Arc::clone(&chrome),
            asks,
            expect![[r#"
                1 click: ok [gate]
                2 waitForExpression: ok
                3 change: ok [gate]
                4 click: ok [gate]
                5 regatta.capture: "u=Ann"
            "#]],
        )
        .await;
    }
}

#[tokio::test]
async fn no_passkey_is_requested() {
    let chrome = Chrome::desktop(&[]);
    let of_user = "rp: {name: 'x'}, user: {id: new Uint8Array(8), name: 'a', displayName: 'a'}, pubKeyCredParams: [{type: 'public-key', alg: -7}]";
    for asks in [
        "navigator.credentials.get({publicKey: {challenge: new Uint8Array(16)}}); setTimeout(() => asked = 1, 500)".to_owned(),
        format!("navigator.credentials.create({{publicKey: {{challenge: new Uint8Array(16), {of_user}}}}}); setTimeout(() => asked = 1, 500)"),
    ] {
        // Passkeys are for hosts with a name: the page is at `localhost`.
        let body = format!(r#"<button id=ask onclick="{asks}">Ask</button>{FORM}"#);
        let mut rig = Rig::on(Arc::clone(&chrome), &body, Platform::Desktop).await;
        let played = rig
            .play(
                r##"{"type":"navigate","url":"{elsewhere}/"},
                {"type":"click","selectors":["#ask"],"offsetX":3,"offsetY":3},
                {"type":"waitForExpression","expression":"window.asked !== undefined","timeout":5000},
                {"type":"change","selectors":["#u"],"value":"Ann"},
                {"type":"click","selectors":["#send"],"offsetX":3,"offsetY":3,"timeout":3000},
                {"type":"customStep","name":"regatta.capture","parameters":{"selectors":["#echo"],"from":"text","into":"identity.x"},"timeout":3000}"##,
            )
            .await;
        rig.page.close().await;
        expect![[r#"
            1 navigate: ok
            2 click: ok [gate]
            3 waitForExpression: ok
            4 change: ok [gate]
            5 click: ok [gate]
            6 regatta.capture: "u=Ann"
        "#]]
        .assert_eq(&played);
    }
}

#[tokio::test]
async fn no_screen_is_shared() {
    let asks = "navigator.mediaDevices.getDisplayMedia().catch(e => asked = e.name)";
    sends(
        Chrome::desktop(&["--auto-reject-capture"]),
        asks,
        expect![[r#"
            1 click: ok [gate]
            2 waitForExpression: ok
            3 change: ok [gate]
            4 click: ok [gate]
            5 regatta.capture: "u=Ann"
        "#]],
    )
    .await;
    // A browser that was not started with the switch asks. The field holds its text, and no press is lost
    // in silence.
    let asks = "navigator.mediaDevices.getDisplayMedia(); setTimeout(() => asked = 1, 1000)";
    sends(
        Chrome::desktop(&[]),
        asks,
        expect![[r#"
            1 click: ok [gate]
            2 waitForExpression: ok
            3 change: ok [gate]
            4 click: Unseen: no document of the page has seen the press within 3 s; a dialog of the browser may be in front, which asks about a passkey, a screen to share, a sign-in or another program [gate] [no touch]
            5 regatta.capture: NotMet: no element matches `#echo` within 3 s; the page shows "fixture"
        "#]],
    )
    .await;
}

#[tokio::test]
async fn input_that_a_dialog_takes_is_reported_and_the_next_flow_runs_in_a_new_tab() {
    let chrome = Chrome::desktop(&[]);
    for (asks, scheme) in [
        ("<a id=ask href='tel:+123'>Call</a>", "tel"),
        ("<a id=ask href='zzhere:open'>Open</a>", "zzhere"),
        (
            "<button id=ask onclick=\"document.body.insertAdjacentHTML('beforeend', '<iframe src=tel:+123></iframe>')\">Ask</button>",
            "tel",
        ),
    ] {
        let body = format!(
            "{asks}{FORM}<input id=listening onkeydown=\"window.key = event.key\"><button id=probe>Probe</button>"
        );
        let mut rig = Rig::on(Arc::clone(&chrome), &body, Platform::Desktop).await;
        let click = |id: &str, ms: u32| {
            format!(r##"{{"type":"click","selectors":["#{id}"],"offsetX":3,"offsetY":3,"timeout":{ms}}}"##)
        };
        assert_eq!(rig.play(&click("ask", 5000)).await, "1 click: ok [gate]\n");
        // The page does not see when the dialog is there: a press shows it.
        let mut probes = 0;
        while rig.play(&click("probe", 500)).await == "1 click: ok [gate]\n" {
            probes += 1;
            assert!(probes < 500, "no dialog has come");
        }
        let played = rig
            .play(
                r##"{"type":"click","selectors":["#send"],"offsetX":3,"offsetY":3,"timeout":1000},
                {"type":"change","selectors":["#listening"],"value":"Ann","timeout":1000},
                {"type":"keyDown","key":"Enter","timeout":1000},
                {"type":"keyUp","key":"Enter","timeout":1000},
                {"type":"navigate","url":"{site}/"},
                {"type":"change","selectors":["#u"],"value":"Ann"},
                {"type":"click","selectors":["#send"],"offsetX":3,"offsetY":3,"timeout":3000},
                {"type":"customStep","name":"regatta.capture","parameters":{"selectors":["#echo"],"from":"text","into":"identity.x"},"timeout":3000}"##,
            )
            .await;
        rig.page.close().await;
        expect![[r#"
            1 click: Unseen: no document of the page has seen the press within 1 s; a dialog of the browser is likely in front: the page has opened a `NAME:` link, which it asks about [gate] [no touch]
            2 change: Unseen: no document of the page has seen the key within 1 s; a dialog of the browser is likely in front: the page has opened a `NAME:` link, which it asks about [gate] [no touch]
            3 keyDown: Unseen: no document of the page has seen the key within 1 s; a dialog of the browser is likely in front: the page has opened a `NAME:` link, which it asks about [gate] [no touch]
            4 keyUp: Unseen: no document of the page has seen the key within 1 s; a dialog of the browser is likely in front: the page has opened a `NAME:` link, which it asks about [gate] [no touch]
            5 navigate: ok
            6 change: ok [gate]
            7 click: ok [gate]
            8 regatta.capture: "u=Ann"
        "#]]
        .assert_eq(&played.replace(&format!("`{scheme}:`"), "`NAME:`"));
    }
}

/// On both kinds of browser: the shell opens no dialog, and may be answered too.
#[tokio::test]
async fn a_server_is_given_the_user_and_password_that_the_workflow_names_for_it() {
    for chrome in [Chrome::desktop(&[]), Chrome::shared()] {
        let body = "<button id=ask onclick=\"fetch('/auth').then(r => log(r.status))\">Ask</button>";
        let mut rig = Rig::on(chrome, body, Platform::Desktop).await;
        let click = r##"{"type":"click","selectors":["#ask"],"offsetX":3,"offsetY":3},{"type":"waitForExpression","expression":"document.querySelector('#log').textContent.trim().endsWith(STATUS)"}"##;
        let credential = |origin: &str, password: &str| Credential {
            origin: origin.to_owned(),
            user: "ann".to_owned(),
            password: password.to_owned(),
        };
        let site = rig.site.clone();
        for (credentials, status) in [
            (vec![], "401"),
            (vec![credential("http://elsewhere.test", "pwd")], "401"),
            (vec![credential(&site, "wrong")], "401"),
            (vec![credential(&site, "pwd")], "200"),
        ] {
            rig.page.set_http_auth(credentials);
            rig.run_in_page("document.querySelector('#log').textContent = ''").await;
            assert_eq!(
                rig.play(&click.replace("STATUS", &format!("'{status}'"))).await,
                "1 click: ok [gate]\n2 waitForExpression: ok\n"
            );
        }
        rig.page.close().await;
    }
}
