use expect_test::{Expect, expect};
use miette::Diagnostic;

use super::*;
use crate::flow;

fn check(steps: &str, expected: Expect) {
    let lines = steps.lines().map(str::trim).filter(|step| !step.is_empty()).map(|step| {
        let text = format!("{{\"title\":\"t\",\"steps\":[\n{}]}}", step.trim_end_matches(','));
        let flow = flow::parse("f.json", &text).unwrap();
        let allowed = ["http://shop.test".to_owned()];
        let context = ValidationContext {
            allowed_origins: &allowed,
            scope: None,
            step: Some(("signup", Duration::from_secs(60))),
        };
        match super::check(&flow, context) {
            Ok(()) => "ok\n".to_owned(),
            Err(error) => {
                format!("{}: {error}\n  {}\n", error.location(), Diagnostic::help(&*error).unwrap())
            }
        }
    });
    expected.assert_eq(&lines.collect::<String>());
}

#[test]
fn unknown_keys_are_refused_with_what_to_write() {
    check(
        r#"{"type":"keyDown","key":"Process"}
        {"type":"keyUp","key":"Dead"}
        {"type":"keyDown","key":"Unidentified"}
        {"type":"keyDown","key":"Compose"}
        {"type":"keyDown","key":"enter"}
        {"type":"keyDown","key":"Control+a"}
        {"type":"keyDown","key":"hello"}
        {"type":"keyDown","key":""}
        {"type":"keyDown","key":"Enter"}
        {"type":"keyDown","key":"{{ variables.key }}"}"#,
        expect![[r#"
            f.json:2:1: step 1 (keyDown): `Process` names no key: it stands for a character that several keys or an input method wrote
              put the text into a `change` of the field, and remove the `keyDown` and `keyUp` of it
            f.json:2:1: step 1 (keyUp): `Dead` names no key: it stands for a character that several keys or an input method wrote
              put the text into a `change` of the field, and remove the `keyDown` and `keyUp` of it
            f.json:2:1: step 1 (keyDown): `Unidentified` names no key: it stands for a character that several keys or an input method wrote
              put the text into a `change` of the field, and remove the `keyDown` and `keyUp` of it
            f.json:2:1: step 1 (keyDown): `Compose` names no key: it stands for a character that several keys or an input method wrote
              put the text into a `change` of the field, and remove the `keyDown` and `keyUp` of it
            f.json:2:1: step 1 (keyDown): `enter` is not the name of a key
              did you mean `Enter`?
            f.json:2:1: step 1 (keyDown): `Control+a` is not the name of a key
              write a step for each key: `keyDown` in their order, then `keyUp` in the reverse
            f.json:2:1: step 1 (keyDown): `hello` is not the name of a key
              keys are named as in `event.key`: Enter, Tab, ArrowDown, a; text belongs in a `change` of the field
            f.json:2:1: step 1 (keyDown): `` is not the name of a key
              keys are named as in `event.key`: Enter, Tab, ArrowDown, a; text belongs in a `change` of the field
            ok
            ok
        "#]],
    );
}

#[test]
fn addresses_that_lead_nowhere_or_elsewhere_are_refused() {
    check(
        r#"{"type":"navigate","url":"http://shop.test/cart"}
        {"type":"navigate","url":"HTTP://SHOP.TEST:80"}
        {"type":"navigate","url":"http://other.test/cart?x=1"}
        {"type":"navigate","url":"https://shop.test/"}
        {"type":"navigate","url":"http://other.test/{{ identity.code }}"}
        {"type":"navigate","url":"http://other.test{{ identity.rest }}"}
        {"type":"navigate","url":"{{ variables.site }}/cart"}
        {"type":"navigate","url":"{{ variables.scheme }}://shop.test/"}
        {"type":"navigate","url":"shop.test/cart"}
        {"type":"navigate","url":"//shop.test/cart"}
        {"type":"navigate","url":"localhost:8800/cart"}
        {"type":"navigate","url":"shop.test:8800"}
        {"type":"navigate","url":"127.0.0.1:8800/cart"}
        {"type":"navigate","url":"/cart"}
        {"type":"navigate","url":""}
        {"type":"navigate","url":"shop.test/{{ identity.code }}"}
        {"type":"navigate","url":"http://"}
        {"type":"navigate","url":"file:///etc/passwd"}
        {"type":"navigate","url":"javascript:alert(1)"}
        {"type":"navigate","url":"data:text/html,x"}
        {"type":"close"},{"type":"navigate","url":"chrome://settings/"}
        {"type":"close"},{"type":"navigate","url":"about:blank"}"#,
        expect![[r#"
            ok
            ok
            f.json:2:1: step 1 (navigate): http://other.test is not in allowed_origins
              only if the site is yours: add it to `allowed_origins` of the workflow, or to `play` with --allow
            f.json:2:1: step 1 (navigate): https://shop.test is not in allowed_origins
              only if the site is yours: add it to `allowed_origins` of the workflow, or to `play` with --allow
            f.json:2:1: step 1 (navigate): http://other.test is not in allowed_origins
              only if the site is yours: add it to `allowed_origins` of the workflow, or to `play` with --allow
            ok
            ok
            ok
            f.json:2:1: step 1 (navigate): `shop.test/cart` has no scheme
              write `http://shop.test/cart`, or with https
            f.json:2:1: step 1 (navigate): `//shop.test/cart` has no scheme
              write `http://shop.test/cart`, or with https
            f.json:2:1: step 1 (navigate): `localhost:8800/cart` has no scheme
              write `http://localhost:8800/cart`, or with https
            f.json:2:1: step 1 (navigate): `shop.test:8800` has no scheme
              write `http://shop.test:8800`, or with https
            f.json:2:1: step 1 (navigate): `127.0.0.1:8800/cart` has no scheme
              write `http://127.0.0.1:8800/cart`, or with https
            f.json:2:1: step 1 (navigate): `/cart` has no scheme
              write the whole address: `https://HOST/cart` or `{{ variables.site }}/cart`
            f.json:2:1: step 1 (navigate): `` has no scheme
              write the whole address, with http:// or https://
            f.json:2:1: step 1 (navigate): `shop.test/{{ identity.code }}` has no scheme
              write `http://shop.test/{{ identity.code }}`, or with https
            f.json:2:1: step 1 (navigate): `http://` is not an address: empty host
              write the whole address, with http:// or https://
            f.json:2:1: step 1 (navigate): `file:///etc/passwd` is not an address of http or https
              flows go to pages of `allowed_origins` only
            f.json:2:1: step 1 (navigate): `javascript:alert(1)` is not an address of http or https
              flows go to pages of `allowed_origins` only
            f.json:2:1: step 1 (navigate): `data:text/html,x` is not an address of http or https
              flows go to pages of `allowed_origins` only
            f.json:2:1: step 2 (navigate): `chrome://settings/` is not an address of http or https
              flows go to pages of `allowed_origins` only
            ok
        "#]],
    );
}

#[test]
fn asserted_addresses_have_a_scheme_or_a_pattern() {
    check(
        r#"{"type":"close","assertedEvents":[{"type":"navigation","url":"shop.test/cart"}]}
        {"type":"close","assertedEvents":[{"type":"navigation","url":"*/cart"}]}
        {"type":"close","assertedEvents":[{"type":"navigation","url":"http://other.test/cart"}]}
        {"type":"close","assertedEvents":[{"type":"navigation","url":"","title":"shop.test"}]}
        {"type":"close","assertedEvents":[{"type":"navigation","url":"{{ variables.site }}/cart"}]}"#,
        expect![[r#"
            f.json:2:1: step 1 (close): `shop.test/cart` has no scheme
              write `http://shop.test/cart`, or with https
            ok
            ok
            ok
            ok
        "#]],
    );
}

#[test]
fn an_address_is_rendered_for_the_profile_before_it_is_compared() {
    let variables =
        serde_json::from_str(r#"{"site":"http://other.test","shop":"http://shop.test"}"#).unwrap();
    let scope = Scope {
        profile_id: &"p1".parse().unwrap(),
        platform: crate::session::Platform::Desktop,
        identity: &crate::session::Identity::default(),
        variables: &variables,
        now: jiff::Timestamp::UNIX_EPOCH,
    };
    let allowed = ["http://shop.test".to_owned()];
    let context = ValidationContext { allowed_origins: &allowed, scope: Some(scope), step: None };
    let lines =
        ["{{ variables.shop }}/a", "{{ variables.site }}/a", "{{ variables.site }}/{{ identity.code }}"];
    let lines = lines.map(|url| {
        let text = format!(r#"{{"title":"t","steps":[{{"type":"navigate","url":"{url}"}}]}}"#);
        super::check(&flow::parse("f.json", &text).unwrap(), context).map_err(|error| error.to_string())
    });
    expect![[r#"
        [
            Ok(
                (),
            ),
            Err(
                "step 1 (navigate): http://other.test is not in allowed_origins",
            ),
            Ok(
                (),
            ),
        ]
    "#]]
    .assert_debug_eq(&lines);
}

#[test]
fn the_path_of_a_chosen_file_is_not_a_value() {
    check(
        r#"{"type":"change","selectors":["input"],"value":"C:\\fakepath\\photo 1.png"}
        {"type":"change","selectors":["input"],"value":"C:\\Users\\ann\\photo.png"}
        {"type":"change","selectors":["input"],"value":"é\\fakepath\\x"}"#,
        expect![[r#"
            f.json:2:1: step 1 (change): `C:\fakepath\photo 1.png` is what a browser shows of a file that was chosen: the recording has no file
              put the file beside the flow and write a customStep `regatta.upload` with the same `selectors` and "files": ["photo 1.png"]
            ok
            ok
        "#]],
    );
}

#[test]
fn selectors_that_no_page_understands_are_refused_where_no_other_is_left() {
    check(
        r##"{"type":"hover","selectors":["div["]}
        {"type":"hover","selectors":["div[", "#go"]}
        {"type":"hover","selectors":[["x-card", "..inner"]]}
        {"type":"hover","selectors":["pierce/#1a"]}
        {"type":"hover","selectors":["button:contains('Save')"]}
        {"type":"hover","selectors":["Save: now"]}
        {"type":"hover","selectors":["#{{ identity.id }}["]}
        {"type":"hover","selectors":["xpath///button["]}
        {"type":"hover","selectors":["xpath/"]}
        {"type":"hover","selectors":["text/["]}
        {"type":"customStep","name":"regatta.when","parameters":{"exists":["("],"steps":[]}}"##,
        expect![[r#"
            f.json:2:1: step 1 (hover): `div[` is not a valid CSS selector
              a selector without a prefix is CSS; other kinds begin with aria/, text/, xpath/ or pierce/
            ok
            f.json:2:1: step 1 (hover): `..inner` is not a valid CSS selector
              a selector without a prefix is CSS; other kinds begin with aria/, text/, xpath/ or pierce/
            f.json:2:1: step 1 (hover): `pierce/#1a` is not a valid CSS selector
              a selector without a prefix is CSS; other kinds begin with aria/, text/, xpath/ or pierce/
            f.json:2:1: step 1 (hover): `button:contains('Save')` is not a valid CSS selector: no browser has `:contains`
              write `text/…` to find an element by its text, `aria/…` by its name, or a CSS selector that a browser knows
            f.json:2:1: step 1 (hover): `Save: now` is not a valid CSS selector
              a selector without a prefix is CSS; other kinds begin with aria/, text/, xpath/ or pierce/
            ok
            f.json:2:1: step 1 (hover): `xpath///button[` is not a valid XPath
              what follows `xpath/` is the whole expression: "xpath///button[text()=\"Save\"]"
            f.json:2:1: step 1 (hover): `xpath/` is not a valid XPath
              what follows `xpath/` is the whole expression: "xpath///button[text()=\"Save\"]"
            ok
            f.json:2:1: step 1 (regatta.when): `(` is not a valid CSS selector
              a selector without a prefix is CSS; other kinds begin with aria/, text/, xpath/ or pierce/
        "#]],
    );
    let text =
        "{\"title\":\"t\",\"steps\":[\n{\"type\":\"hover\",\"selectors\":[\"div[\",\"#go\",\":visible\"]}]}";
    let flow = flow::parse("f.json", text).unwrap();
    let warned: Vec<_> = invalid_selectors(&flow)
        .into_iter()
        .map(|(step, problem)| format!("{} {problem}", step.line))
        .collect();
    expect![[r#"
        2 `div[` is not a valid CSS selector
        2 `:visible` is not a valid CSS selector: no browser has `:visible`"#]]
    .assert_eq(&warned.join("\n"));
}

#[test]
fn a_timeout_beyond_the_recorders_is_bounded_by_the_workflows_step() {
    check(
        r#"{"type":"close","timeout":30000}
        {"type":"close","timeout":60000}
        {"type":"close","timeout":60001}"#,
        expect![[r#"
            ok
            ok
            f.json:2:1: step 1 (close): `timeout` is 60001 ms, and step `signup` of the workflow ends after 60000 ms
              raise `timeout` of step `signup` in the workflow, or lower this one
        "#]],
    );
    let text = "{\"title\":\"t\",\n\"timeout\":90000,\"steps\":[{\"type\":\"close\"}]}";
    let flow = flow::parse("f.json", text).unwrap();
    let context = |bound| ValidationContext {
        allowed_origins: &[],
        scope: None,
        step: Some(("signup", Duration::from_secs(bound))),
    };
    let error = super::check(&flow, context(60)).unwrap_err();
    expect![[r#"
        f.json:2:1: `timeout` of the flow is 90000 ms, and step `signup` of the workflow ends after 60000 ms
        raise `timeout` of step `signup` in the workflow, or lower this one"#]]
    .assert_eq(&format!("{}: {error}\n{}", error.location(), Diagnostic::help(&*error).unwrap()));
    super::check(&flow, context(90)).unwrap();
    // A shorter step of the workflow ends what was recorded, as it always has.
    let recorded = flow::parse("f.json", r#"{"title":"t","timeout":5000,"steps":[]}"#).unwrap();
    super::check(&recorded, context(1)).unwrap();
    let by_itself = ValidationContext { step: None, ..context(1) };
    super::check(&flow, by_itself).unwrap();
}

#[test]
fn steps_of_other_runners_are_refused_with_what_to_write_instead() {
    check(
        r#"{"type":"customStep","name":"waitForTimeout","parameters":{"ms":500}}
        {"type":"customStep","name":"acme.wait-for-timeout"}
        {"type":"customStep","name":"screenshot"}
        {"type":"customStep","name":"assertText"}
        {"type":"customStep","name":"theirs"}"#,
        expect![[r#"
            f.json:2:1: step 1 (waitForTimeout): this custom step is another program's and cannot be played
              no step waits for a fixed time: wait for what the time was meant for, with `waitForElement` or `waitForExpression` and a `timeout`
            f.json:2:1: step 1 (acme.wait-for-timeout): this custom step is another program's and cannot be played
              no step waits for a fixed time: wait for what the time was meant for, with `waitForElement` or `waitForExpression` and a `timeout`
            f.json:2:1: step 1 (screenshot): this custom step is another program's and cannot be played
              write a customStep `regatta.screenshot` with "parameters": {"name": "…"}
            f.json:2:1: step 1 (assertText): this custom step is another program's and cannot be played
              assert it with `waitForElement` (`count`, `visible`, `attributes`, `properties`) or `waitForExpression`; a navigation's `url` and `title` with `assertedEvents`
            f.json:2:1: step 1 (theirs): this custom step is another program's and cannot be played
              remove it, or write what it does with the steps of the Recorder and the `regatta.` steps of the guide to flows
        "#]],
    );
}
