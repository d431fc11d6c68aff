//! Refuses steps that cannot be played on any page, with their location, before a browser starts.
//!
//! Only certain cases are refused. A template is checked once its value is known.

use std::time::Duration;

pub use self::replacements::replacement_for;
use crate::diagnostic::FileDiagnostic;
use crate::flow::keyboard;
use crate::flow::{Action, Flow, LONGEST_RECORDED_TIMEOUT, Locator, Step};
use crate::workflow::template::{Scope, is_template};

mod address;
mod replacements;
mod selectors;

/// The context in which a flow is played.
#[derive(Clone, Copy)]
pub struct ValidationContext<'a> {
    pub allowed_origins: &'a [String],
    /// The data of one profile. `None`: the flow is checked for any profile.
    pub scope: Option<Scope<'a>>,
    /// The step of the workflow that plays the flow, and its timeout.
    pub step: Option<(&'a str, Duration)>,
}

/// Why a step cannot be played, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Unplayable {
    problem: String,
    help: String,
}

impl Unplayable {
    fn new(problem: impl Into<String>, help: impl Into<String>) -> Self {
        Self { problem: problem.into(), help: help.into() }
    }
}

/// Returns an error for the first step that cannot be played.
pub fn check(flow: &Flow, context: ValidationContext<'_>) -> Result<(), Box<FileDiagnostic>> {
    if let (Some(timeout), Some(unplayable)) = (flow.timeout, flow.timeout.and_then(|t| too_long(t, context)))
    {
        let place = flow.text.find("\"timeout\"").unwrap_or_default();
        let problem = format!("`timeout` of the flow is {} ms{}", timeout.as_millis(), unplayable.problem);
        let error = FileDiagnostic::new(&flow.file, &flow.text, place..place + 1, problem);
        return Err(Box::new(error.help(unplayable.help)));
    }
    for step in flow.all_steps() {
        let problem = |problem: String| format!("step {} ({}): {problem}", step.number, step.action.name());
        if let Some(Unplayable { problem: why, help }) = unplayable(step, context) {
            return Err(Box::new(flow.error_at(step, problem(why)).help(help)));
        }
    }
    Ok(())
}

/// Returns selectors that match nothing, beside valid ones of the same step.
pub fn invalid_selectors(flow: &Flow) -> Vec<(&Step, String)> {
    let mut found = Vec::new();
    for step in flow.all_steps() {
        let invalid = step.action.locator().into_iter().flat_map(invalid_alternatives);
        found.extend(invalid.map(|unplayable| (step, unplayable.problem)));
    }
    found
}

fn unplayable(step: &Step, context: ValidationContext<'_>) -> Option<Unplayable> {
    if let Some(timeout) = step.timeout
        && let Some(unplayable) = too_long(timeout, context)
    {
        let problem = format!("`timeout` is {} ms{}", timeout.as_millis(), unplayable.problem);
        return Some(Unplayable { problem, ..unplayable });
    }
    let own = match &step.action {
        Action::Foreign { name } => Some(foreign(name)),
        Action::KeyDown { key } | Action::KeyUp { key } => no_key(key),
        Action::Change { value, .. } => chosen_file(value),
        Action::Navigate { url } => address::refused(url, context),
        _ => None,
    };
    let asserted = || {
        step.navigations
            .iter()
            .find_map(|asserted| address::asserted_address_problem(asserted.url.as_deref()?))
    };
    own.or_else(|| step.action.locator().and_then(no_selector)).or_else(asserted)
}

/// A recorded timeout is always accepted; the workflow's step ends it where it is shorter.
fn too_long(timeout: Duration, context: ValidationContext<'_>) -> Option<Unplayable> {
    let (flag, bound) = context.step?;
    (timeout > LONGEST_RECORDED_TIMEOUT.max(bound)).then(|| {
        Unplayable::new(
            format!(", and step `{flag}` of the workflow ends after {} ms", bound.as_millis()),
            format!("raise `timeout` of step `{flag}` in the workflow, or lower this one"),
        )
    })
}

fn foreign(name: &str) -> Unplayable {
    let help = replacement_for(name).unwrap_or(
        "remove it, or write what it does with the steps of the Recorder and the `regatta.` steps of the guide to flows",
    );
    Unplayable::new("this custom step is another program's and cannot be played", help)
}

/// The names that browsers give a key that an input method handles.
const NAMELESS_KEYS: [&str; 8] =
    ["Process", "Dead", "Unidentified", "Compose", "HangulMode", "HanjaMode", "KanaMode", "Hiragana"];

fn no_key(key: &str) -> Option<Unplayable> {
    if is_template(key) || keyboard::key_named(key).is_some() {
        return None;
    }
    if NAMELESS_KEYS.contains(&key) {
        return Some(Unplayable::new(
            format!(
                "`{key}` names no key: it stands for a character that several keys or an input method wrote"
            ),
            "put the text into a `change` of the field, and remove the `keyDown` and `keyUp` of it",
        ));
    }
    let problem = format!("`{key}` is not the name of a key");
    let chord = key.split('+').filter(|part| keyboard::key_named(part).is_some()).count();
    let help = match keyboard::nearest_name(key) {
        Some(name) => format!("did you mean `{name}`?"),
        None if chord > 1 => {
            "write a step for each key: `keyDown` in their order, then `keyUp` in the reverse".to_owned()
        }
        None => "keys are named as in `event.key`: Enter, Tab, ArrowDown, a; text belongs in a `change` of the field"
            .to_owned(),
    };
    Some(Unplayable::new(problem, help))
}

/// Browsers show scripts only this part of a chosen file's path.
fn chosen_file(value: &str) -> Option<Unplayable> {
    const FAKE: &str = r"c:\fakepath\";
    let is_fake = value.get(..FAKE.len()).is_some_and(|start| start.eq_ignore_ascii_case(FAKE));
    is_fake.then(|| {
        let file = &value[FAKE.len()..];
        Unplayable::new(
            format!("`{value}` is what a browser shows of a file that was chosen: the recording has no file"),
            format!(
                "put the file beside the flow and write a customStep `regatta.upload` with the same `selectors` and \"files\": [{}]",
                serde_json::Value::from(file)
            ),
        )
    })
}

/// One valid alternative is enough.
fn no_selector(locator: &Locator) -> Option<Unplayable> {
    let mut invalid: Vec<_> = invalid_alternatives(locator).collect();
    (invalid.len() == locator.alternatives.len()).then(|| invalid.swap_remove(0))
}

/// Returns the alternatives that no page understands.
fn invalid_alternatives(locator: &Locator) -> impl Iterator<Item = Unplayable> {
    locator.alternatives.iter().filter_map(|chain| chain.0.iter().find_map(selectors::invalid))
}

#[cfg(test)]
mod tests;
