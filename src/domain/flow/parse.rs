//! From the text of a flow file to [`Flow`], or to an error that names the place.
//!
//! Steps are read one by one from their own slice of the text: serde_json then knows the line even
//! where a whole-document parse would have lost it in a tagged enum.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use self::wire::{
    AllowStatusWire, CaptureWire, ChangeWire, ClickWire, ConditionsWire, CustomWire, ExpressionWire,
    FlowWire, HandoffWire, KeyWire, LocatorWire, NavigateWire, ScreenshotWire, ScrollWire, StepWire,
    UploadWire, ViewportWire, WaitForElementWire, WhenWire, locator,
};
use super::{
    Action, AssertedNavigation, Capture, CaptureFrom, Flow, NetworkConditions, Step, refused_picture,
};
use crate::domain::source::{SourceError, line_and_column, offset_of};
use crate::domain::template::is_template;

mod wire;

/// The longest timeout the format allows, in milliseconds.
const LONGEST_TIMEOUT: u64 = 30_000;

const STEP_TYPES: &str = "setViewport, emulateNetworkConditions, navigate, click, doubleClick, hover, change, \
     keyDown, keyUp, scroll, close, waitForElement, waitForExpression, customStep";
const CUSTOM_STEPS: &str =
    "regatta.capture, regatta.when, regatta.upload, regatta.handoff, regatta.screenshot, regatta.allowStatus";

/// `file` is the name people know the flow by; it stands in every error.
pub fn parse(file: &str, text: &str) -> Result<Flow, Box<SourceError>> {
    let source = Source { file, text };
    let wire: FlowWire<'_> = source.read(text, "a flow: {\"title\": …, \"steps\": […]}")?;
    let title = wire.title.ok_or_else(|| {
        source.error(0..1, "the flow has no `title`").help("a Recorder export has `title` and `steps`")
    })?;
    let steps = wire.steps.ok_or_else(|| {
        source.error(0..1, "the flow has no `steps`").help("a Recorder export has `title` and `steps`")
    })?;
    Ok(Flow {
        file: file.to_owned(),
        title,
        timeout: source.timeout(wire.timeout, || 0..1)?,
        selector_attribute: wire.selector_attribute,
        steps: source.steps(&steps, "")?,
        folder: PathBuf::new(),
        text: text.to_owned(),
    })
}

struct Source<'a> {
    file: &'a str,
    text: &'a str,
}

type Parsed<T> = Result<T, Box<SourceError>>;

impl Source<'_> {
    fn error(&self, at: Range<usize>, problem: impl Into<String>) -> SourceError {
        SourceError::new(self.file, self.text, at, problem)
    }

    /// Where `slice`, borrowed from the text, stands in it.
    fn span(&self, slice: &str) -> Range<usize> {
        let start = slice.as_ptr() as usize - self.text.as_ptr() as usize;
        start..start + slice.len()
    }

    fn read<'t, T: Deserialize<'t>>(&self, slice: &'t str, expected: &str) -> Parsed<T> {
        serde_json::from_str(slice).map_err(|error| {
            let at = self.span(slice).start + offset_of(slice, error.line(), error.column());
            // serde_json repeats the place in its message; the report shows it.
            let message = error.to_string();
            let problem = message.rsplit_once(" at line ").map_or(message.as_str(), |(problem, _)| problem);
            Box::new(self.error(at..at + 1, problem).help(format!("expected {expected}")))
        })
    }

    fn timeout(&self, millis: Option<u64>, at: impl Fn() -> Range<usize>) -> Parsed<Option<Duration>> {
        match millis {
            Some(millis) if !(1..=LONGEST_TIMEOUT).contains(&millis) => Err(Box::new(
                self.error(at(), format!("`timeout` is {millis}")).help(format!(
                    "expected 1 to {LONGEST_TIMEOUT} ms, as the Recorder format has it; the workflow's `timeout` bounds the whole step"
                )),
            )),
            millis => Ok(millis.map(Duration::from_millis)),
        }
    }

    fn steps(&self, raw: &[&RawValue], prefix: &str) -> Parsed<Vec<Step>> {
        let step = |(index, raw): (usize, &&RawValue)| self.step(raw.get(), format!("{prefix}{}", index + 1));
        let steps = raw.iter().enumerate().map(step).collect::<Parsed<Vec<_>>>()?;
        match (steps.last(), raw.last()) {
            (Some(Step { number, action: Action::AllowStatus { .. }, .. }), Some(raw)) => Err(Box::new(
                self.error(
                    self.span(raw.get()),
                    format!("step {number} (regatta.allowStatus) is the last one"),
                )
                .label(format!("step {number}"))
                .help("it is about the step that follows it"),
            )),
            _ => Ok(steps),
        }
    }

    fn step(&self, slice: &str, number: String) -> Parsed<Step> {
        let span = self.span(slice);
        let named = |error: SourceError| Box::new(error.label(format!("step {number}")));
        let head: StepWire<'_> = self.read(slice, "a step: {\"type\": …}")?;
        let Some(kind) = head.kind else {
            return Err(named(
                self.error(span, format!("step {number} has no `type`"))
                    .help(format!("expected one of {STEP_TYPES}")),
            ));
        };
        let action = self.action(slice, &kind, &number)?;
        if action.locator().is_some_and(|locator| locator.alternatives.is_empty()) {
            return Err(named(
                self.error(span, format!("step {number} ({kind}): `selectors` is empty"))
                    .help("expected at least one selector: [[\"aria/Sign up\"], [\"button.sign-up\"]]"),
            ));
        }
        let navigations = head
            .asserted_events
            .unwrap_or_default()
            .into_iter()
            .map(|event| match event.kind.as_str() {
                "navigation" => Ok(AssertedNavigation { url: event.url, title: event.title }),
                other => Err(named(
                    self.error(
                        span.clone(),
                        format!("step {number} ({kind}): unknown asserted event `{other}`"),
                    )
                    .help("expected \"navigation\""),
                )),
            })
            .collect::<Result<_, _>>()?;
        Ok(Step {
            line: line_and_column(self.text, span.start).0,
            timeout: self.timeout(head.timeout, || span.clone())?,
            target: head.target.filter(|target| target != "main"),
            frame: head.frame.unwrap_or_default(),
            navigations,
            action,
            number,
        })
    }

    fn action(&self, slice: &str, kind: &str, number: &str) -> Parsed<Action> {
        Ok(match kind {
            "setViewport" => Action::SetViewport(self.wire::<ViewportWire>(slice, kind, number)?.into()),
            "emulateNetworkConditions" => {
                let wire: ConditionsWire = self.wire(slice, kind, number)?;
                Action::EmulateNetworkConditions(NetworkConditions {
                    download: wire.download,
                    upload: wire.upload,
                    latency: wire.latency,
                })
            }
            "navigate" => Action::Navigate { url: self.wire::<NavigateWire>(slice, kind, number)?.url },
            "click" => Action::Click(self.wire::<ClickWire>(slice, kind, number)?.into()),
            "doubleClick" => Action::DoubleClick(self.wire::<ClickWire>(slice, kind, number)?.into()),
            "hover" => {
                Action::Hover { locator: locator(self.wire::<LocatorWire>(slice, kind, number)?.selectors) }
            }
            "change" => {
                let wire: ChangeWire = self.wire(slice, kind, number)?;
                Action::Change { locator: locator(wire.selectors), value: wire.value }
            }
            "keyDown" => Action::KeyDown { key: self.wire::<KeyWire>(slice, kind, number)?.key },
            "keyUp" => Action::KeyUp { key: self.wire::<KeyWire>(slice, kind, number)?.key },
            "scroll" => {
                let wire: ScrollWire = self.wire(slice, kind, number)?;
                Action::Scroll { locator: wire.selectors.map(locator), x: wire.x, y: wire.y }
            }
            "close" => Action::Close,
            "waitForElement" => {
                Action::WaitForElement(self.wire::<WaitForElementWire>(slice, kind, number)?.into())
            }
            "waitForExpression" => Action::WaitForExpression {
                expression: self.wire::<ExpressionWire>(slice, kind, number)?.expression,
            },
            "customStep" => self.custom(slice, number)?,
            other => {
                return Err(Box::new(
                    self.error(self.span(slice), format!("step {number}: unknown type `{other}`"))
                        .label(format!("step {number}"))
                        .help(format!("expected one of {STEP_TYPES}")),
                ));
            }
        })
    }

    fn custom(&self, slice: &str, number: &str) -> Parsed<Action> {
        let wire: CustomWire<'_> = self.wire(slice, "customStep", number)?;
        let name = wire.name;
        let parameters = wire.parameters.map_or("{}", RawValue::get);
        let at = if wire.parameters.is_some() { self.span(parameters) } else { self.span(slice) };
        if wire.parameters.is_none() && name.starts_with("regatta.") {
            return Err(Box::new(
                self.error(at, format!("step {number} ({name}) has no `parameters`"))
                    .label(format!("step {number}")),
            ));
        }
        Ok(match name.as_str() {
            "regatta.capture" => {
                let wire: CaptureWire = self.wire(parameters, &name, number)?;
                Action::Capture(self.capture(wire, at, number)?)
            }
            "regatta.when" => {
                let wire: WhenWire<'_> = self.wire(parameters, &name, number)?;
                Action::When {
                    exists: locator(wire.exists),
                    steps: self.steps(&wire.steps, &format!("{number}."))?,
                }
            }
            "regatta.upload" => {
                let wire: UploadWire = self.wire(parameters, &name, number)?;
                if wire.files.is_empty() {
                    return Err(Box::new(
                        self.error(at, format!("step {number} ({name}): `files` is empty"))
                            .label(format!("step {number}"))
                            .help("name at least one, relative to the flow: \"files\": [\"../files/photo.png\"]"),
                    ));
                }
                Action::Upload { locator: locator(wire.selectors), files: wire.files }
            }
            "regatta.handoff" => {
                Action::Handoff { message: self.wire::<HandoffWire>(parameters, &name, number)?.message }
            }
            "regatta.screenshot" => {
                let wire: ScreenshotWire = self.wire(parameters, &name, number)?;
                if let Some(problem) = refused_picture(&wire.name).filter(|_| !is_template(&wire.name)) {
                    return Err(Box::new(
                        self.error(at, format!("step {number} ({name}): {problem}"))
                            .label(format!("step {number}"))
                            .help("a file NAME.png is made of it: \"name\": \"after-signup\""),
                    ));
                }
                Action::Screenshot { name: wire.name }
            }
            "regatta.allowStatus" => {
                let wire: AllowStatusWire = self.wire(parameters, &name, number)?;
                let strange = wire.status.iter().find(|status| !(400..600).contains(*status));
                if let Some(status) = strange {
                    return Err(Box::new(
                        self.error(at, format!("step {number} ({name}): {status} is no HTTP error"))
                            .label(format!("step {number}"))
                            .help("expected statuses of 400 to 599; the others are always allowed"),
                    ));
                }
                Action::AllowStatus { statuses: wire.status }
            }
            unknown if unknown.starts_with("regatta.") => {
                return Err(Box::new(
                    self.error(self.span(slice), format!("step {number}: unknown custom step `{unknown}`"))
                        .label(format!("step {number}"))
                        .help(format!("expected one of {CUSTOM_STEPS}")),
                ));
            }
            _ => Action::Foreign { name },
        })
    }

    fn capture(&self, wire: CaptureWire, at: Range<usize>, number: &str) -> Parsed<Capture> {
        let problem = |problem: String, help: &str| {
            Box::new(
                self.error(at.clone(), format!("step {number} (regatta.capture): {problem}"))
                    .label(format!("step {number}"))
                    .help(help),
            )
        };
        let Some(into) = wire.into.strip_prefix("identity.").filter(|field| !field.is_empty()) else {
            return Err(problem(
                format!("`into` is `{}`", wire.into),
                "expected \"identity.FIELD\", for example \"identity.two_fa_secret\"",
            ));
        };
        let from = match (wire.from.as_str(), wire.attribute) {
            ("text", None) => CaptureFrom::Text,
            ("value", None) => CaptureFrom::Value,
            ("attribute", Some(name)) => CaptureFrom::Attribute(name),
            ("attribute", None) => {
                return Err(problem("`attribute` is missing".into(), "name it: \"attribute\": \"href\""));
            }
            ("text" | "value", Some(_)) => {
                return Err(problem(
                    format!("`attribute` goes with \"from\": \"attribute\", not with \"{}\"", wire.from),
                    "remove it, or read from the attribute",
                ));
            }
            (other, _) => {
                return Err(problem(
                    format!("`from` is `{other}`"),
                    "expected \"text\", \"value\" or \"attribute\"",
                ));
            }
        };
        if let Some(pattern) = wire.pattern.as_deref().filter(|pattern| !is_template(pattern)) {
            regex::Regex::new(pattern).map_err(|error| {
                problem(
                    format!("`pattern` is not a regular expression: {error}"),
                    "see https://docs.rs/regex for the syntax",
                )
            })?;
        }
        Ok(Capture { locator: locator(wire.selectors), from, pattern: wire.pattern, into: into.to_owned() })
    }

    fn wire<'t, T: Deserialize<'t>>(&self, slice: &'t str, kind: &str, number: &str) -> Parsed<T> {
        self.read(slice, &format!("the fields of {kind}"))
            .map_err(|error| Box::new(error.label(format!("step {number} ({kind})"))))
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use miette::Diagnostic;

    use super::*;

    fn flow(steps: &str) -> String {
        format!("{{\n  \"title\": \"t\",\n  \"steps\": [\n    {steps}\n  ]\n}}")
    }

    fn check_error(text: &str, expected: Expect) {
        let error = parse("flows/f.json", text).unwrap_err();
        let help = Diagnostic::help(&*error).map(|help| help.to_string()).unwrap_or_default();
        expected.assert_eq(&format!("{}: {error}\n{help}", error.place()));
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
            {"type":"customStep","name":"somebody.elses","parameters":{"x":1}},
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
            15 somebody.elses
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
        let (step, reason) = flow.unplayable().unwrap();
        assert_eq!(
            format!("{} {reason}", step.place(&flow)),
            "f.json:16, step 15 (somebody.elses) the custom step `somebody.elses`"
        );
        let Action::Click(click) = &flow.steps[3].action else { panic!() };
        let chains: Vec<_> = click.locator.alternatives.iter().map(ToString::to_string).collect();
        assert_eq!(chains, ["aria/A", "#b", "x-y >>> #c"]);
    }

    #[test]
    fn errors_name_the_place_and_what_was_expected() {
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
            flows/f.json:5:5: step 2 has no `type`
            expected one of setViewport, emulateNetworkConditions, navigate, click, doubleClick, hover, change, keyDown, keyUp, scroll, close, waitForElement, waitForExpression, customStep"#]],
        );
        check_error(
            &flow(r#"{"type":"tap"}"#),
            expect![[r#"
            flows/f.json:4:5: step 1: unknown type `tap`
            expected one of setViewport, emulateNetworkConditions, navigate, click, doubleClick, hover, change, keyDown, keyUp, scroll, close, waitForElement, waitForExpression, customStep"#]],
        );
        check_error(
            &flow(
                "{\"type\":\"click\",\n      \"selectors\":[[\"a\"]],\n      \"offsetX\":\"1\",\"offsetY\":2}",
            ),
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
            &flow(r#"{"type":"close","timeout":60000}"#),
            expect![[r#"
            flows/f.json:4:5: `timeout` is 60000
            expected 1 to 30000 ms, as the Recorder format has it; the workflow's `timeout` bounds the whole step"#]],
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
            &flow(
                r#"{"type":"customStep","name":"regatta.upload","parameters":{"selectors":["a"],"files":[]}}"#,
            ),
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
}
