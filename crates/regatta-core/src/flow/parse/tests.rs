use expect_test::{Expect, expect};
use miette::Diagnostic;

use super::*;

fn flow(steps: &str) -> String {
    format!("{{\n  \"title\": \"t\",\n  \"steps\": [\n    {steps}\n  ]\n}}")
}

fn check_error(text: &str, expected: Expect) {
    let error = parse("flows/f.json", text).unwrap_err();
    let help = Diagnostic::help(&*error).map(|help| help.to_string()).unwrap_or_default();
    expected.assert_eq(&format!("{}: {error}\n{help}", error.location()));
}

#[test]
fn every_type_of_the_format_parses() {
    let text = flow(
        r##"{"type":"setViewport","width":1,"height":2,"deviceScaleFactor":1.5,"isMobile":true,"hasTouch":true,"isLandscape":false},
        {"type":"emulateNetworkConditions","download":1,"upload":-1,"latency":20},
        {"type":"navigate","url":"http://x/","assertedEvents":[{"type":"navigation","url":"http://x/","title":""}]},
        {"type":"click","selectors":[["aria/A"],"#b",["x-y","#c"]],"offsetX":1,"offsetY":2.5,"button":"secondary","deviceType":"touch","duration":50,"frame":[0,1],"target":"main"},
        {"type":"doubleClick","selectors":[["text/A"]],"offsetX":1,"offsetY":2,"target":"http://popup/"},
        {"type":"hover","selectors":[["pierce/a"]]},
        {"type":"change","selectors":[["xpath//a"]],"value":"v","timeout":30000},
        {"type":"keyDown","key":"Enter"},{"type":"keyUp","key":"Enter"},
        {"type":"scroll","x":1,"y":2},{"type":"scroll","selectors":[["css/a"]],"y":2},
        {"type":"close"},
        {"type":"waitForElement","selectors":[["a"]],"operator":"<=","count":0,"visible":false,"properties":{"id":"x"},"attributes":{"a":"b"}},
        {"type":"waitForExpression","expression":"1 == 1"},
        {"type":"customStep","name":"other.step","parameters":{"x":1}},
        {"type":"customStep","name":"regatta.capture","parameters":{"selectors":[["a"]],"from":"attribute","attribute":"href","pattern":"(\\d+)","into":"identity.code"}},
        {"type":"customStep","name":"regatta.when","parameters":{"exists":[["a"]],"steps":[{"type":"close"},{"type":"customStep","name":"regatta.when","parameters":{"exists":["b"],"steps":[{"type":"close"}]}}]}},
        {"type":"customStep","name":"regatta.upload","parameters":{"selectors":[["a"]],"files":["f"]}},
        {"type":"customStep","name":"regatta.handoff","parameters":{"message":"m"}},
        {"type":"customStep","name":"regatta.screenshot","parameters":{"name":"n"}},
        {"type":"customStep","name":"regatta.allowStatus","parameters":{"status":[404]}},{"type":"close"}"##,
    );
    let flow = parse("f.json", &text).unwrap();
    let names: Vec<_> =
        flow.all_steps().iter().map(|s| format!("{} {}", s.number, s.action.name())).collect();
    expect![[r#"
        1 setViewport
        2 emulateNetworkConditions
        3 navigate
        4 click
        5 doubleClick
        6 hover
        7 change
        8 keyDown
        9 keyUp
        10 scroll
        11 scroll
        12 close
        13 waitForElement
        14 waitForExpression
        15 other.step
        16 regatta.capture
        17 regatta.when
        17.1 close
        17.2 regatta.when
        17.2.1 close
        18 regatta.upload
        19 regatta.handoff
        20 regatta.screenshot
        21 regatta.allowStatus
        22 close"#]]
    .assert_eq(&names.join("\n"));
    assert_eq!(flow.steps[14].location(&flow).to_string(), "f.json:16, step 15 (other.step)");
    let Action::Click(click) = &flow.steps[3].action else { panic!() };
    let chains: Vec<_> = click.locator.alternatives.iter().map(ToString::to_string).collect();
    assert_eq!(chains, ["aria/A", "#b", "x-y >>> #c"]);
}

#[test]
fn errors_name_the_location_and_the_expected_form() {
    check_error(
        "{\n \"title\": \"t\",\n \"steps\": [}",
        expect![[r#"
        flows/f.json:3:12: expected value
        expected a flow: {"title": …, "steps": […]}"#]],
    );
    check_error(
        r#"{"title":"t"}"#,
        expect![[r#"
        flows/f.json:1:1: the flow has no `steps`
        a Recorder export has `title` and `steps`"#]],
    );
    check_error(
        &flow(
            r#"{"type":"close"},
{"url":"x"}"#,
        ),
        expect![[r#"
            flows/f.json:5:1: step 2 has no `type`
            expected one of setViewport, emulateNetworkConditions, navigate, click, doubleClick, hover, change, keyDown, keyUp, scroll, close, waitForElement, waitForExpression, customStep"#]],
    );
    check_error(
        &flow(r#"{"type":"tap"}"#),
        expect![[r#"
            flows/f.json:4:5: step 1: unknown type `tap`
            write a `click`; "deviceType": "touch" taps, "button": "secondary" opens the context menu; known types are setViewport, emulateNetworkConditions, navigate, click, doubleClick, hover, change, keyDown, keyUp, scroll, close, waitForElement, waitForExpression, customStep"#]],
    );
    check_error(
        &flow("{\"type\":\"click\",\n      \"selectors\":[[\"a\"]],\n      \"offsetX\":\"1\",\"offsetY\":2}"),
        expect![[r#"
        flows/f.json:6:19: invalid type: string "1", expected f64
        expected the fields of click"#]],
    );
    check_error(
        &flow(r#"{"type":"navigate"}"#),
        expect![[r#"
        flows/f.json:4:23: missing field `url`
        expected the fields of navigate"#]],
    );
    check_error(
        &flow(r#"{"type":"hover","selectors":[]}"#),
        expect![[r#"
        flows/f.json:4:5: step 1 (hover): `selectors` is empty
        expected at least one selector: [["aria/Sign up"], ["button.sign-up"]]"#]],
    );
    check_error(
        &flow(r#"{"type":"close","timeout":86400001}"#),
        expect![[r#"
            flows/f.json:4:5: `timeout` is 86400001
            expected 1 to 86400000 ms; the workflow's `timeout` bounds the whole step"#]],
    );
    check_error(
        &flow(r#"{"type":"close","assertedEvents":[{"type":"load"}]}"#),
        expect![[r#"
        flows/f.json:4:5: step 1 (close): unknown asserted event `load`
        expected "navigation""#]],
    );
}

#[test]
fn errors_in_custom_steps_too() {
    let capture = |parameters: &str| {
        flow(&format!(r#"{{"type":"customStep","name":"regatta.capture","parameters":{parameters}}}"#))
    };
    check_error(
        &capture(r#"{"selectors":[["a"]],"from":"text","into":"code"}"#),
        expect![[r#"
        flows/f.json:4:64: step 1 (regatta.capture): `into` is `code`
        expected "identity.FIELD", for example "identity.two_fa_secret""#]],
    );
    check_error(
        &capture(r#"{"selectors":[["a"]],"from":"html","into":"identity.x"}"#),
        expect![[r#"
        flows/f.json:4:64: step 1 (regatta.capture): `from` is `html`
        expected "text", "value" or "attribute""#]],
    );
    check_error(
        &capture(r#"{"selectors":[["a"]],"from":"attribute","into":"identity.x"}"#),
        expect![[r#"
        flows/f.json:4:64: step 1 (regatta.capture): `attribute` is missing
        name it: "attribute": "href""#]],
    );
    check_error(
        &capture(r#"{"selectors":[["a"]],"from":"text","into":"identity.x","patern":"a"}"#),
        expect![[r#"
        flows/f.json:4:126: unknown field `patern`, expected one of `selectors`, `from`, `attribute`, `pattern`, `into`
        expected the fields of regatta.capture"#]],
    );
    check_error(
        &flow(r#"{"type":"customStep","name":"regatta.upload","parameters":{"selectors":["a"],"files":[]}}"#),
        expect![[r#"
            flows/f.json:4:63: step 1 (regatta.upload): `files` is empty
            name at least one, relative to the flow: "files": ["../files/photo.png"]"#]],
    );
    for (name, problem) in [
        ("", "`name` is empty"),
        ("screenshot", "`name` is `screenshot`, as the picture of a failure is called"),
    ] {
        let picture = format!(
            r#"{{"type":"customStep","name":"regatta.screenshot","parameters":{{"name":"{name}"}}}}"#
        );
        let error = parse("f.json", &flow(&picture)).unwrap_err();
        assert_eq!(error.to_string(), format!("step 1 (regatta.screenshot): {problem}"));
    }
    check_error(
        &flow(r#"{"type":"customStep","name":"regatta.whenever","parameters":{}}"#),
        expect![[r#"
        flows/f.json:4:5: step 1: unknown custom step `regatta.whenever`
        expected one of regatta.capture, regatta.when, regatta.upload, regatta.handoff, regatta.screenshot, regatta.allowStatus"#]],
    );
    let allow = |status: &str, then: &str| {
        flow(&format!(
            r#"{{"type":"customStep","name":"regatta.allowStatus","parameters":{{"status":[{status}]}}}}{then}"#
        ))
    };
    check_error(
        &allow("404, 302", r#",{"type":"close"}"#),
        expect![[r#"
        flows/f.json:4:68: step 1 (regatta.allowStatus): 302 is no HTTP error
        expected statuses of 400 to 599; the others are always allowed"#]],
    );
    check_error(
        &allow("404", ""),
        expect![[r#"
        flows/f.json:4:5: step 1 (regatta.allowStatus) is the last one
        it is about the step that follows it"#]],
    );
    check_error(
        &flow(
            r#"{"type":"customStep","name":"regatta.when","parameters":{"exists":[["a"]],"steps":[{"type":"close"},{"type":"x"}]}}"#,
        ),
        expect![[r#"
            flows/f.json:4:105: step 1.2: unknown type `x`
            expected one of setViewport, emulateNetworkConditions, navigate, click, doubleClick, hover, change, keyDown, keyUp, scroll, close, waitForElement, waitForExpression, customStep"#]],
    );
}

#[test]
fn numbers_may_be_written_as_floats() {
    let text = flow(
        r##"{"type":"setViewport","width":1280.0,"height":720.0,"deviceScaleFactor":1,"isMobile":false,"hasTouch":false,"isLandscape":true,"timeout":5000.0},
        {"type":"click","selectors":["#b"],"offsetX":3,"offsetY":3,"frame":[0.0,1.0],"timeout":45000},
        {"type":"waitForElement","selectors":["#b"],"count":1.0},
        {"type":"customStep","name":"regatta.allowStatus","parameters":{"status":[404.0]}},{"type":"close"}"##,
    );
    let flow = parse("f.json", &text).unwrap();
    let Action::SetViewport(viewport) = &flow.steps[0].action else { panic!() };
    assert_eq!((viewport.width, viewport.height), (1280, 720));
    assert_eq!(flow.steps[0].timeout, Some(Duration::from_secs(5)));
    assert_eq!(
        (flow.steps[1].timeout, flow.steps[1].frame.clone()),
        (Some(Duration::from_secs(45)), vec![0, 1])
    );
    let Action::WaitForElement(wait) = &flow.steps[2].action else { panic!() };
    assert_eq!(wait.count, 1);
    assert_eq!(flow.steps[3].action, Action::AllowStatus { statuses: vec![404] });
    for count in ["1.5", "-1", "\"1\"", "1e99", "4294967296.0"] {
        let wait = format!(r##"{{"type":"waitForElement","selectors":["#b"],"count":{count}}}"##);
        let error = parse("f.json", &self::flow(&wait)).unwrap_err();
        assert!(error.location().starts_with("f.json:4:"), "{count}: {}", error.location());
    }
}

#[test]
fn a_click_without_offsets_means_the_centre() {
    let offset = |offsets: &str| {
        let text = flow(&format!(r##"{{"type":"click","selectors":["#b"]{offsets}}}"##));
        match &parse("f.json", &text).unwrap().steps[0].action {
            Action::Click(click) => click.offset,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(offset(r#","offsetX":1,"offsetY":2.5"#), Some((1.0, 2.5)));
    for none in ["", r#","offsetY":2"#, r#","offsetX":null,"offsetY":2"#] {
        assert_eq!(offset(none), None, "{none}");
    }
}

fn outline(text: &str) -> String {
    let flow =
        parse("flows/sign up.json", text).unwrap_or_else(|error| panic!("{}: {error}", error.location()));
    let steps = flow.all_steps().into_iter().map(|step| {
        let passed = if matches!(step.action, Action::StartPage { .. }) { " passed over" } else { "" };
        format!("{}:{} {}{passed}", step.line, step.number, step.action.name())
    });
    format!("{}: {}", flow.title, steps.collect::<Vec<_>>().join(", "))
}

#[test]
fn a_list_of_steps_or_of_one_flow_is_a_flow() {
    assert_eq!(outline("[{\"type\":\"close\"},\n{\"type\":\"close\"}]"), "sign up: 1:1 close, 2:2 close");
    assert_eq!(outline("[\n{\"title\":\"t\",\n\"steps\":[{\"type\":\"close\"}]}]"), "t: 3:1 close");
    assert_eq!(outline("[{\"type\":\"customStep\",\"name\":\"x\",\"steps\":[]}]"), "sign up: 1:1 x");
    check_error(
        "[]",
        expect![[r#"
        flows/f.json:1:1: the list is empty
        expected a flow: {"title": …, "steps": […]}"#]],
    );
    check_error(
        "[\n{\"title\":\"a\",\"steps\":[]},\n{\"title\":\"b\",\"steps\":[]}]",
        expect![[r#"
        flows/f.json:3:1: the file holds 2 flows
        write each into a file of its own; a step of the workflow plays one"#]],
    );
    check_error(
        "[1]",
        expect![[r#"
            flows/f.json:1:2: invalid type: integer `1`, expected a step
            expected a step: {"type": …}"#]],
    );
    check_error(
        "[{\"title\":\"a\"}]",
        expect![[r#"
        flows/f.json:1:2: step 1 has no `type`
        expected one of setViewport, emulateNetworkConditions, navigate, click, doubleClick, hover, change, keyDown, keyUp, scroll, close, waitForElement, waitForExpression, customStep"#]],
    );
    check_error(
        "true",
        expect![[r#"
            flows/f.json:1:4: invalid type: boolean `true`, expected a flow
            expected a flow: {"title": …, "steps": […]}"#]],
    );
}

#[test]
fn an_export_as_javascript_says_how_to_export_json() {
    for text in [
        "const puppeteer = require('puppeteer'); // v22",
        "import { createRunner } from '@puppeteer/replay';",
        "/**\n * Recorded */",
        "// flow",
        "\n'use strict';",
    ] {
        let error = parse("flows/f.json", text).unwrap_err();
        assert_eq!(error.to_string(), "the flow is JavaScript, not JSON", "{text}");
    }
    let by_name = parse("flows/f.mjs", "await runner.run();").unwrap_err();
    expect![[r#"
        flows/f.mjs:1:1: the flow is JavaScript, not JSON
        open the recording in the Recorder panel and export it as JSON"#]]
    .assert_eq(&format!("{}: {by_name}\n{}", by_name.location(), Diagnostic::help(&*by_name).unwrap()));
    // JSON is JSON under any name, and what is neither is not called JavaScript.
    parse("flows/f.js", &flow(r#"{"type":"close"}"#)).unwrap();
    check_error(
        "title: t",
        expect![[r#"
        flows/f.json:1:2: expected ident
        expected a flow: {"title": …, "steps": […]}"#]],
    );
}

#[test]
fn the_page_where_a_recording_began_is_skipped() {
    let navigate = |urls: &[&str]| {
        let steps = urls.iter().map(|url| format!(r#"{{"type":"navigate","url":"{url}","assertedEvents":[{{"type":"navigation","url":"{url}","title":"New Tab"}}]}}"#));
        steps.collect::<Vec<_>>().join(",\n")
    };
    let viewport = r#"{"type":"setViewport","width":1,"height":1,"deviceScaleFactor":1,"isMobile":false,"hasTouch":false,"isLandscape":false},"#;
    for start in [
        "chrome://new-tab-page/",
        "chrome://newtab",
        "edge://newtab/",
        "about:newtab",
        "about:blank",
        "brave://newtab/",
    ] {
        let seen = outline(&flow(&format!("{viewport}{}", navigate(&[start, "http://x/"]))));
        assert_eq!(seen, "t: 4:1 setViewport, 4:2 navigate passed over, 5:3 navigate", "{start}");
        let parsed = parse("f.json", &flow(&navigate(&[start, "http://x/"]))).unwrap();
        assert!(parsed.steps[0].navigations.is_empty());
        assert_eq!(parsed.steps[1].navigations.len(), 1);
    }
    let seen = outline(&flow(&navigate(&["chrome://newtab/", "about:blank", "http://x/"])));
    assert_eq!(seen, "t: 4:1 navigate passed over, 5:2 navigate passed over, 6:3 navigate");
    // These are meant.
    assert_eq!(outline(&flow(&navigate(&["about:blank"]))), "t: 4:1 navigate");
    assert_eq!(outline(&flow(&navigate(&["http://x/", "about:blank"]))), "t: 4:1 navigate, 5:2 navigate");
    assert_eq!(
        outline(&flow(&navigate(&["chrome://settings/", "http://x/"]))),
        "t: 4:1 navigate, 5:2 navigate"
    );
}
