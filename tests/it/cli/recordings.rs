//! Recordings as other programs and editors leave them, and what `validate` says of them. Nothing here
//! starts a browser.

use std::fs;

use expect_test::{Expect, expect};

use super::{check, rendered};
use crate::support::program::Folder;

const WORKFLOW: &str = "name = \"shop\"\nallowed_origins = [\"{{ variables.site }}\"]\n[variables]\nsite = \"http://shop.test\"\n[[step]]\nflag = \"signed_up\"\nflow = \"flows/join.json\"\ntimeout = \"45s\"\n";

fn folder(steps: &str) -> Folder {
    let folder = Folder::empty();
    folder.write("workflow.toml", WORKFLOW);
    folder.write("flows/join.json", &format!("{{\"title\": \"Join\", \"steps\": [\n{steps}\n]}}"));
    folder
}

fn validate(steps: &str, expected: Expect) {
    check(&folder(steps), &["validate"], expected);
}

/// In the encoding of an editor.
fn in_encoding(file: &str, encode: impl Fn(&str) -> Vec<u8>) -> Folder {
    let folder = folder("{\"type\": \"navigate\", \"url\": \"http://shop.test/caf\u{e9}\"}");
    folder.write("regatta.toml", "# Caf\u{e9}\nprovider = \"chromium\"\n");
    let text = folder.read(file);
    fs::write(folder.path(file), encode(&text)).unwrap();
    folder
}

fn with_mark(text: &str) -> Vec<u8> {
    format!("\u{feff}{text}").into_bytes()
}

fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}

fn utf16(text: &str) -> Vec<u8> {
    std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

const FILES: [&str; 3] = ["flows/join.json", "workflow.toml", "regatta.toml"];

#[test]
fn a_byte_order_mark_is_skipped() {
    for file in FILES {
        in_encoding(file, with_mark).run(&["validate"]).assert_code(0);
    }
}

#[test]
fn another_encoding_is_told_with_what_to_do() {
    let mut seen = String::new();
    // A workflow of plain ASCII is the same in Latin-1.
    for (file, encode) in [(FILES[0], latin1 as fn(&str) -> Vec<u8>), (FILES[2], latin1), (FILES[1], utf16)] {
        let folder = in_encoding(file, encode);
        seen += &(rendered(&folder, &folder.run(&["validate"])) + "\n");
    }
    let folder = in_encoding(FILES[0], utf16);
    seen += &rendered(&folder, &folder.run(&["play", FILES[0]]));
    expect![[r#"
        exit 2
        error: the file is not UTF-8: it looks like Latin-1 or Windows-1252
           ╭─[flows/join.json:2:50]
         1 │ {"title": "Join", "steps": [
         2 │ {"type": "navigate", "url": "http://shop.test/caf�"}
           ·                                                  ┬
           ·                                                  ╰── here
         3 │ ]}
           ╰────
          help: save it as UTF-8 and try again
        exit 2
        error: the file is not UTF-8: it looks like Latin-1 or Windows-1252
           ╭─[regatta.toml:1:6]
         1 │ # Caf�
           ·      ┬
           ·      ╰── here
         2 │ provider = "chromium"
           ╰────
          help: save it as UTF-8 and try again
        exit 2
        error: the file is not UTF-8: it looks like UTF-16
           ╭─[workflow.toml:1:1]
         1 │ name = "shop"
           · ┬
           · ╰── here
         2 │ allowed_origins = ["{{ variables.site }}"]
           ╰────
          help: save it as UTF-8 and try again
        exit 2
        error: the file is not UTF-8: it looks like UTF-16
           ╭─[flows/join.json:1:1]
         1 │ {"title": "Join", "steps": [
           · ┬
           · ╰── here
         2 │ {"type": "navigate", "url": "http://shop.test/café"}
           ╰────
          help: save it as UTF-8 and try again"#]]
    .assert_eq(&seen);
}

#[test]
fn a_recording_that_began_on_a_new_tab_is_played_and_that_is_told() {
    validate(
        r##"{"type": "setViewport", "width": 1280.0, "height": 720.0, "deviceScaleFactor": 1, "isMobile": false, "hasTouch": false, "isLandscape": false},
{"type": "navigate", "url": "chrome://new-tab-page/", "assertedEvents": [{"type": "navigation", "url": "chrome://new-tab-page/", "title": "New Tab"}]},
{"type": "navigate", "url": "http://shop.test/"},
{"type": "click", "selectors": ["button:visible", "#go"]}"##,
        expect![[r#"
            exit 0
            shop: 1 step, and it can be played
              signed_up                flows/join.json
            allowed origins: http://shop.test
            note: flows/join.json:3, step 2 (navigate): `chrome://new-tab-page/` is passed over: the recording began there
            warning: flows/join.json:5, step 4 (click): `button:visible` is not a valid CSS selector: no browser has `:visible`; the step's other selectors are tried"#]],
    );
}

#[test]
fn an_address_outside_of_the_allowed_origins_is_refused_with_its_place() {
    validate(
        r##"{"type": "navigate", "url": "{{ variables.site }}/"},
{"type": "customStep", "name": "regatta.when", "parameters": {"exists": ["#more"], "steps": [
  {"type": "navigate", "url": "http://other.test/"}]}}"##,
        expect![[r##"
            exit 2
            error: step 2.1 (navigate): http://other.test is not in allowed_origins
               ╭─[flows/join.json:4:3]
             3 │ {"type": "customStep", "name": "regatta.when", "parameters": {"exists": ["#more"], "steps": [
             4 │   {"type": "navigate", "url": "http://other.test/"}]}}
               ·   ──────────────────────────┬─────────────────────────
               ·                             ╰── step 2.1
             5 │ ]}
               ╰────
              help: only if the site is yours: add it to `allowed_origins` of the workflow, or to `play` with --allow"##]],
    );
}

#[test]
fn what_cannot_be_played_is_refused_with_its_place() {
    validate(
        r##"{"type": "navigate", "url": "http://shop.test/"},
{"type": "keyDown", "key": "Process"}"##,
        expect![[r#"
            exit 2
            error: step 2 (keyDown): `Process` names no key: it stands for a character that several keys or an input method wrote
               ╭─[flows/join.json:3:1]
             2 │ {"type": "navigate", "url": "http://shop.test/"},
             3 │ {"type": "keyDown", "key": "Process"}
               · ──────────────────┬──────────────────
               ·                   ╰── step 2
             4 │ ]}
               ╰────
              help: put the text into a `change` of the field, and remove the `keyDown` and `keyUp` of it"#]],
    );
    validate(
        r##"{"type": "close", "timeout": 45001}"##,
        expect![[r#"
        exit 2
        error: step 1 (close): `timeout` is 45001 ms, and step `signed_up` of the workflow ends after 45000 ms
           ╭─[flows/join.json:2:1]
         1 │ {"title": "Join", "steps": [
         2 │ {"type": "close", "timeout": 45001}
           · ─────────────────┬─────────────────
           ·                  ╰── step 1
         3 │ ]}
           ╰────
          help: raise `timeout` of step `signed_up` in the workflow, or lower this one"#]],
    );
    validate(
        r##"{"type": "close", "timeout": 45000}"##,
        expect![[r#"
        exit 0
        shop: 1 step, and it can be played
          signed_up                flows/join.json
        allowed origins: http://shop.test"#]],
    );
    validate(
        r##"{"type": "waitForTimeout", "timeout": 500}"##,
        expect![[r#"
        exit 2
        error: step 1: unknown type `waitForTimeout`
           ╭─[flows/join.json:2:1]
         1 │ {"title": "Join", "steps": [
         2 │ {"type": "waitForTimeout", "timeout": 500}
           · ─────────────────────┬────────────────────
           ·                      ╰── step 1
         3 │ ]}
           ╰────
          help: no step waits for a fixed time: wait for what the time was meant for, with `waitForElement` or `waitForExpression` and a `timeout`; known types are setViewport, emulateNetworkConditions,
                navigate, click, doubleClick, hover, change, keyDown, keyUp, scroll, close, waitForElement, waitForExpression, customStep"#]],
    );
}

/// A profile's own variables decide where its flow goes.
#[test]
fn an_address_of_a_profiles_variables_is_refused_before_its_browser_starts() {
    let folder = folder(r##"{"type": "navigate", "url": "{{ variables.start }}/"}"##);
    folder.write(
        "workflow.toml",
        &WORKFLOW.replace("[variables]", "[variables]\nstart = \"http://shop.test\""),
    );
    folder.run(&["validate"]).assert_code(0);
    folder.write(
        "state/p1.json",
        r#"{"profile_id":"p1","status":"PENDING","platform":"desktop","completion_flags":{"signed_up":false},"identity":{},"variables":{"start":"http://other.test"}}"#,
    );
    check(
        &folder,
        &["run", "p1"],
        expect![[r#"
        exit 2
        error: step 1 (navigate): http://other.test is not in allowed_origins
           ╭─[flows/join.json:2:1]
         1 │ {"title": "Join", "steps": [
         2 │ {"type": "navigate", "url": "{{ variables.start }}/"}
           · ──────────────────────────┬──────────────────────────
           ·                           ╰── step 1
         3 │ ]}
           ╰────
          help: only if the site is yours: add it to `allowed_origins` of the workflow, or to `play` with --allow"#]],
    );
}

#[test]
fn accepting_a_suggestion_keeps_the_mark_of_the_file() {
    let folder = super::selectors::folder();
    let text = folder.read("flows/store.json");
    fs::write(folder.path("flows/store.json"), with_mark(&text)).unwrap();
    folder.run(&["selectors", "accept", "flows/store.json", "5"]).assert_code(0);
    let written = folder.read("flows/store.json");
    assert!(written.starts_with("\u{feff}{"), "the mark is gone");
    assert!(written.contains("#enrol"), "nothing was written");
}
