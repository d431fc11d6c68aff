//! Parses the text of a flow file into a [`Flow`], or returns an error with its location.
//!
//! Each step is parsed from its own slice of the text, so that serde_json knows the line even where a
//! whole-document parse would lose it in a tagged enum.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use self::wire::{
    AllowStatusWire, CaptureWire, ChangeWire, ClickWire, ConditionsWire, CustomWire, ExpressionWire,
    HandoffWire, KeyWire, LocatorWire, NavigateWire, ScreenshotWire, ScrollWire, StepWire, UploadWire,
    ValueWire, ViewportWire, WaitForElementWire, WhenWire, locator,
};
use super::{
    Action, AssertedNavigation, Capture, CaptureFrom, Flow, NetworkConditions, Step, screenshot_name_problem,
};
use crate::diagnostic::{FileDiagnostic, line_and_column, offset_of};
use crate::flow::validation::replacement_for;
use crate::workflow::template::is_template;

mod document;
mod number;
mod start;
mod wire;

pub(super) use self::document::steps_of;

/// The longest timeout that the Recorder writes. A longer one is bounded by the workflow's step.
pub const LONGEST_RECORDED_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest timeout of a step, in milliseconds: a day.
const LONGEST_TIMEOUT: u64 = 86_400_000;

const STEP_TYPES: &str = "setViewport, emulateNetworkConditions, navigate, click, doubleClick, hover, change, \
     keyDown, keyUp, scroll, close, waitForElement, waitForExpression, customStep";
const CUSTOM_STEPS: &str =
    "regatta.capture, regatta.when, regatta.upload, regatta.handoff, regatta.screenshot, regatta.allowStatus";

/// `file` is the name of the flow in errors.
pub fn parse(file: &str, text: &str) -> Result<Flow, Box<FileDiagnostic>> {
    let source = FlowSource { file, text };
    let document::Document { title, timeout, selector_attribute, steps } = source.document()?;
    Ok(Flow {
        file: file.to_owned(),
        title,
        timeout: source.timeout(timeout, || 0..1)?,
        selector_attribute,
        steps: start::pass_over(source.steps(&steps, "")?),
        folder: PathBuf::new(),
        text: text.to_owned(),
    })
}

struct FlowSource<'a> {
    file: &'a str,
    text: &'a str,
}

type Parsed<T> = Result<T, Box<FileDiagnostic>>;

impl FlowSource<'_> {
    fn error(&self, at: Range<usize>, problem: impl Into<String>) -> FileDiagnostic {
        FileDiagnostic::new(self.file, self.text, at, problem)
    }

    /// Returns the range of `slice`, which is borrowed from the text.
    fn span(&self, slice: &str) -> Range<usize> {
        let start = slice.as_ptr() as usize - self.text.as_ptr() as usize;
        start..start + slice.len()
    }

    fn read<'t, T: Deserialize<'t>>(&self, slice: &'t str, expected: &str) -> Parsed<T> {
        serde_json::from_str(slice).map_err(|error| {
            let at = self.span(slice).start + offset_of(slice, error.line(), error.column());
            // serde_json repeats the location in its message; the diagnostic shows it.
            let message = error.to_string();
            let problem = message.rsplit_once(" at line ").map_or(message.as_str(), |(problem, _)| problem);
            Box::new(self.error(at..at + 1, problem).help(format!("expected {expected}")))
        })
    }

    fn timeout(&self, millis: Option<u64>, at: impl Fn() -> Range<usize>) -> Parsed<Option<Duration>> {
        match millis {
            Some(millis) if !(1..=LONGEST_TIMEOUT).contains(&millis) => {
                Err(Box::new(self.error(at(), format!("`timeout` is {millis}")).help(format!(
                    "expected 1 to {LONGEST_TIMEOUT} ms; the workflow's `timeout` bounds the whole step"
                ))))
            }
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
        let named = |error: FileDiagnostic| Box::new(error.label(format!("step {number}")));
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
            timeout: self.timeout(head.timeout.map(|timeout| timeout.0), || span.clone())?,
            target: head.target.filter(|target| target != "main"),
            frame: head.frame.unwrap_or_default().into_iter().map(|index| index.0).collect(),
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
                let mut values = match wire.value {
                    ValueWire::One(value) => vec![value],
                    ValueWire::Several(values) => values,
                };
                if values.is_empty() {
                    let problem = format!("step {number} ({kind}): `value` is an empty list");
                    return Err(self.error(self.span(slice), problem).into());
                }
                let further = values.split_off(1);
                Action::Change { locator: locator(wire.selectors), value: values.remove(0), further }
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
                        .help(replacement_for(other).map_or_else(
                            || format!("expected one of {STEP_TYPES}"),
                            |instead| format!("{instead}; known types are {STEP_TYPES}"),
                        )),
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
                if let Some(problem) =
                    screenshot_name_problem(&wire.name).filter(|_| !is_template(&wire.name))
                {
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
                let statuses: Vec<u16> = wire.status.into_iter().map(|status| status.0).collect();
                let strange = statuses.iter().find(|status| !(400..600).contains(*status));
                if let Some(status) = strange {
                    return Err(Box::new(
                        self.error(at, format!("step {number} ({name}): {status} is no HTTP error"))
                            .label(format!("step {number}"))
                            .help("expected statuses of 400 to 599; the others are always allowed"),
                    ));
                }
                Action::AllowStatus { statuses }
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
mod tests;
