//! The lines of a trace that Playwright's viewer opens, format version 8. Younger viewers upgrade it;
//! older ones refuse younger formats.
//!
//! The line of an action stands before the document it names: the viewer drops it otherwise.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::recorder::ActionRecord;
use super::snapshot::{DocumentSnapshot, PageSnapshot};
use super::sources::EvidenceSources;
use regatta_core::mask::BrowserMask;

const VERSION: u32 = 8;
const PAGE: &str = "page@1";

/// Attributes that hold typed text.
const TYPED: [&str; 2] = ["value", "__playwright_value_"];

#[derive(Default)]
pub struct TraceLines {
    pub text: String,
    /// Names and base64 of the pictures.
    pub pictures: Vec<(String, String)>,
    names: BTreeSet<String>,
}

impl TraceLines {
    fn push(&mut self, line: &Value) {
        self.text.push_str(&line.to_string());
        self.text.push('\n');
    }
}

pub fn lines(story: &EvidenceSources<'_>) -> TraceLines {
    let recorder = story.recorder;
    let mask = story.mask.for_browser();
    let mut out = TraceLines::default();
    let began = recorder.acts.front().map_or(recorder.clock.epoch, |act| act.started);
    let views = recorder.acts.iter().flat_map(|act| [&act.before, &act.after]).flatten();
    let document = views.chain(story.failed).find_map(|view| view.document.as_ref());
    let (width, height) = document.map_or((1280.0, 720.0), |document| (document.width, document.height));
    out.push(&json!({
        "type": "context-options",
        "version": VERSION,
        "origin": "library",
        "browserName": "chromium",
        "platform": std::env::consts::OS,
        "wallTime": began,
        "monotonicTime": began,
        "title": mask.apply(&recorder.title),
        "options": { "viewport": { "width": width, "height": height } },
    }));
    let end = recorder.clock.now();
    let last = recorder.acts.len().saturating_sub(1);
    for (index, act) in recorder.acts.iter().enumerate() {
        let is_last = index == last;
        let failed = story.failed.filter(|_| is_last);
        let message = story.incident.filter(|_| is_last).map(|incident| incident.message.as_str());
        write_act(act, failed, message, end, &mask, &mut out);
    }
    // Nothing had been tried yet.
    if let Some(incident) = story.incident.filter(|_| recorder.acts.is_empty()) {
        out.push(&json!({ "type": "error", "message": mask.apply(&incident.message), "stack": [] }));
    }
    let since = began as i64;
    for said in story.console.iter().filter(|said| said.at.as_millisecond() >= since) {
        let (kind, text) = said.line.split_once(": ").unwrap_or(("log", &said.line));
        out.push(&json!({
            "type": "console",
            "messageType": console_type(kind),
            "text": mask.apply(text),
            "location": { "url": "", "lineNumber": 0, "columnNumber": 0 },
            "time": said.at.as_millisecond(),
            "pageId": PAGE,
        }));
    }
    out
}

fn write_act(
    act: &ActionRecord,
    failed: Option<&PageSnapshot>,
    incident: Option<&str>,
    end: f64,
    mask: &BrowserMask<'_>,
    out: &mut TraceLines,
) {
    let call = format!("call@{}", act.number);
    let snapshot = |when: &str| format!("{when}@{call}");
    let mut params = Map::new();
    if !act.selectors.is_empty() {
        let selectors: Vec<_> = act.selectors.iter().map(|selector| mask.apply(selector)).collect();
        params.insert("selectors".to_owned(), json!(selectors));
    }
    for (name, value) in &act.arguments {
        params.insert((*name).to_owned(), json!(mask.apply_to_field(value)));
    }
    let target =
        act.selectors.first().map(String::as_str).or(act.arguments.first().map(|(_, value)| &**value));
    let title = format!("{} {} {}", act.step, act.action, mask.apply_to_field(target.unwrap_or_default()));
    let mut before = json!({
        "type": "before",
        "callId": call,
        "startTime": act.started,
        "title": title.trim(),
        "class": "Page",
        "method": act.action,
        "params": params,
        "stack": [{ "file": act.flow, "line": act.line, "column": 1, "function": "" }],
        "pageId": PAGE,
    });
    if act.before.is_some() {
        before["beforeSnapshot"] = json!(snapshot("before"));
    }
    out.push(&before);
    if let Some(view) = &act.before {
        write_view(view, &snapshot("before"), &call, mask, out);
    }
    let mut log = |message: String| {
        out.push(
            &json!({ "type": "log", "callId": call, "time": act.started, "message": mask.apply(&message) }),
        );
    };
    for (index, selector) in act.selectors.iter().enumerate() {
        log(format!("{} {selector}", if index == 0 { "looked for" } else { "or" }));
    }
    if let Some((x, y)) = act.point {
        log(format!("moved the mouse to {x:.0}, {y:.0}"));
    }
    if let Some((message, hint)) = &act.error {
        log(message.clone());
        hint.iter().for_each(|hint| log(hint.clone()));
    }
    if let Some((x, y)) = act.point {
        out.push(&json!({ "type": "input", "callId": call, "point": { "x": x, "y": y } }));
    }
    let after = failed.or(act.after.as_ref());
    let mut line = json!({ "type": "after", "callId": call, "endTime": act.ended.unwrap_or(end) });
    if after.is_some() {
        line["afterSnapshot"] = json!(snapshot("after"));
    }
    let error = act.error.as_ref().map(|(message, _)| message.as_str()).or(incident);
    if let Some(message) = error {
        line["error"] = json!({ "name": "Error", "message": mask.apply(message) });
    }
    out.push(&line);
    if let Some(view) = after {
        write_view(view, &snapshot("after"), &call, mask, out);
    }
}

fn write_view(view: &PageSnapshot, name: &str, call: &str, mask: &BrowserMask<'_>, out: &mut TraceLines) {
    if let Some(document) = &view.document {
        write_document(document, view.at, name, call, mask, out);
    }
    let Some((picture, kind)) = &view.picture else { return };
    let file = format!("{}.{}", name.replace('@', "-"), kind.extension());
    let size = view.document.as_ref().map_or((1280.0, 720.0), |document| (document.width, document.height));
    out.push(&json!({
        "type": "screencast-frame",
        "pageId": PAGE,
        "sha1": file,
        "width": size.0,
        "height": size.1,
        "timestamp": view.at,
    }));
    if out.names.insert(file.clone()) {
        out.pictures.push((file, picture.clone()));
    }
}

fn write_document(
    document: &DocumentSnapshot,
    at: f64,
    name: &str,
    call: &str,
    mask: &BrowserMask<'_>,
    out: &mut TraceLines,
) {
    for (index, frame) in document.frames.iter().enumerate() {
        out.push(&json!({
            "type": "frame-snapshot",
            "snapshot": {
                "callId": call,
                "snapshotName": name,
                "pageId": PAGE,
                "frameId": frame.id,
                "frameUrl": mask.apply(&frame.url),
                "doctype": frame.doctype,
                "html": masked(&frame.html, mask),
                "viewport": { "width": document.width, "height": document.height },
                "timestamp": at,
                "wallTime": at,
                "collectionTime": 0,
                "resourceOverrides": [],
                "isMainFrame": index == 0,
            },
        }));
    }
}

/// Texts and attributes without the values of the identity.
fn masked(node: &Value, mask: &BrowserMask<'_>) -> Value {
    match node {
        Value::String(text) => Value::String(mask.apply(text)),
        // The first is the name of the element, which is never masked.
        Value::Array(items) => {
            let mask_item = |(index, item): (usize, &Value)| match item {
                Value::String(_) if index == 0 => item.clone(),
                item => masked(item, mask),
            };
            Value::Array(items.iter().enumerate().map(mask_item).collect())
        }
        Value::Object(attributes) => {
            let mask_attribute = |(name, value): (&String, &Value)| {
                let text = value.as_str().unwrap_or_default();
                let text =
                    if TYPED.contains(&name.as_str()) { mask.apply_to_field(text) } else { mask.apply(text) };
                (name.clone(), Value::String(text))
            };
            Value::Object(attributes.iter().map(mask_attribute).collect())
        }
        other => other.clone(),
    }
}

fn console_type(kind: &str) -> &str {
    match kind {
        "uncaught" | "failed" | "assert" => "error",
        "log" | "error" | "warning" | "info" | "debug" => kind,
        _ => "info",
    }
}
