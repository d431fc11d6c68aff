//! The content of a flow file: a flow, or what other tools write in its place.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::wire::FlowWire;
use super::{FlowSource, Parsed};
use crate::diagnostic::FileDiagnostic;

const EXPECTED: &str = "a flow: {\"title\": …, \"steps\": […]}";

/// A flow whose steps are not parsed yet.
pub struct Document<'a> {
    pub title: String,
    pub timeout: Option<u64>,
    pub selector_attribute: Option<String>,
    pub steps: Vec<&'a RawValue>,
}

/// The fields by which an item of a list is recognised.
#[derive(Deserialize)]
struct ItemWire<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    steps: Option<&'a RawValue>,
}

impl<'a> FlowSource<'a> {
    /// A flow, a list of one flow, or a list of steps.
    pub fn document(&self) -> Parsed<Document<'a>> {
        if is_script(self.file, self.text) {
            let error = self.error(0..1, "the flow is JavaScript, not JSON");
            return Err(Box::new(
                error.help("open the recording in the Recorder panel and export it as JSON"),
            ));
        }
        if !self.text.trim_start().starts_with('[') {
            return self.flow(self.text);
        }
        let items: Vec<&RawValue> = self.read(self.text, EXPECTED)?;
        let flows = items.iter().filter(|item| is_flow(item)).count();
        match items.as_slice() {
            [] => Err(Box::new(self.error(0..1, "the list is empty").help(format!("expected {EXPECTED}")))),
            [only] if flows == 1 => self.flow(only.get()),
            [_, second, ..] if flows > 0 => {
                let error =
                    self.error(self.span(second.get()), format!("the file holds {} flows", items.len()));
                Err(Box::new(
                    error.help("write each into a file of its own; a step of the workflow plays one"),
                ))
            }
            _ => Ok(Document {
                title: title_of(self.file),
                timeout: None,
                selector_attribute: None,
                steps: items,
            }),
        }
    }

    fn flow(&self, slice: &'a str) -> Parsed<Document<'a>> {
        let wire: FlowWire<'_> = self.read(slice, EXPECTED)?;
        let missing = |key: &str| -> Box<FileDiagnostic> {
            let error = self.error(0..1, format!("the flow has no `{key}`"));
            Box::new(error.help("a Recorder export has `title` and `steps`"))
        };
        Ok(Document {
            title: wire.title.ok_or_else(|| missing("title"))?,
            timeout: wire.timeout.map(|timeout| timeout.0),
            selector_attribute: wire.selector_attribute,
            steps: wire.steps.ok_or_else(|| missing("steps"))?,
        })
    }
}

/// Returns the raw steps of a flow that parses.
pub fn steps_of(text: &str) -> Option<Vec<&RawValue>> {
    Some(FlowSource { file: "", text }.document().ok()?.steps)
}

fn is_flow(item: &RawValue) -> bool {
    serde_json::from_str::<ItemWire<'_>>(item.get())
        .is_ok_and(|item| item.kind.is_none() && item.steps.is_some())
}

/// A list of steps has no title of its own.
fn title_of(file: &str) -> String {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    name.strip_suffix(".json").unwrap_or(name).to_owned()
}

/// The Recorder also exports scripts for Puppeteer and its own runner.
fn is_script(file: &str, text: &str) -> bool {
    const ENDINGS: [&str; 6] = [".js", ".mjs", ".cjs", ".ts", ".mts", ".cts"];
    const BEGINNINGS: [&str; 10] = [
        "import ",
        "import{",
        "export ",
        "const ",
        "let ",
        "var ",
        "//",
        "/*",
        "'use strict'",
        "\"use strict\"",
    ];
    let text = text.trim_start();
    let is_json = text.starts_with(['{', '[']);
    !is_json
        && (ENDINGS.iter().any(|end| file.ends_with(end))
            || BEGINNINGS.iter().any(|start| text.starts_with(start)))
}
