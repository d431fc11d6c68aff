//! Looks at the page: its document, and a picture in which no text field can be read.

use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::page::{CaptureScreenshotFormat, CaptureScreenshotParams};
use chromiumoxide::cdp::js_protocol::runtime::{CallArgument, CallFunctionOnParams};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::Page;
use super::super::script::Called;
use crate::domain::flow::{Chain, SelectorKind};

const SNAPSHOT: &str = include_str!("snapshot.js");
const BLUR: &str = include_str!("../evidence/blur.js");

/// Of a document and its frames; what lies beyond is left out.
const CHARACTERS: usize = 4 << 20;

/// Around an action; what a page does not give in this time is not had.
const AT_MOST: Duration = Duration::from_secs(2);

/// How the page looked at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// Milliseconds since the epoch.
    pub at: f64,
    pub document: Option<Document>,
    /// Base64, and whether it is a PNG or a JPEG.
    pub picture: Option<(String, Picture)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Picture {
    Png,
    Jpeg,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Document {
    /// The main frame first.
    pub frames: Vec<Frame>,
    /// What was looked for, as far as it is there. CSS pixels of the viewport.
    pub boxes: Vec<Rect>,
    pub width: f64,
    pub height: f64,
    pub cut: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Frame {
    pub id: String,
    pub url: String,
    pub doctype: Option<String>,
    /// `[NAME, { attributes }, child…]`.
    pub html: Value,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
pub struct Rect {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

#[derive(Deserialize)]
struct Screenshot {
    /// Base64.
    data: String,
}

impl View {
    pub fn size(&self) -> usize {
        fn of(value: &Value) -> usize {
            match value {
                Value::String(text) => text.len() + 24,
                Value::Array(items) => items.iter().map(of).sum::<usize>() + 24,
                Value::Object(fields) => fields.iter().map(|(name, value)| name.len() + 48 + of(value)).sum(),
                _ => 24,
            }
        }
        let frames = self.document.iter().flat_map(|document| &document.frames);
        frames.map(|frame| of(&frame.html)).sum::<usize>()
            + self.picture.as_ref().map_or(0, |(picture, _)| picture.len())
    }
}

impl Picture {
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpeg",
        }
    }
}

/// Around an action: whatever can be had in a moment.
pub async fn look(page: &Page) -> View {
    let deadline = Instant::now() + AT_MOST;
    let document = document(page, &[], deadline).await;
    let picture = picture(page, Picture::Jpeg, deadline).await;
    View { at: page.trace.clock.now(), document, picture: picture.map(|picture| (picture, Picture::Jpeg)) }
}

/// `chains`: what was looked for, the first alternative that is there is measured.
pub async fn document(page: &Page, chains: &[Value], deadline: Instant) -> Option<Document> {
    let query = json!({ "limit": CHARACTERS, "chains": chains });
    serde_json::from_value(run(page, SNAPSHOT, query, deadline).await?).ok()
}

/// Base64. None rather than one in which the fields can be read.
pub async fn picture(page: &Page, picture: Picture, deadline: Instant) -> Option<String> {
    let blurred = run(page, BLUR, json!(true), deadline).await;
    let taken = if blurred.is_some_and(|blurred| blurred["ok"] == true) {
        let capture = CaptureScreenshotParams {
            format: Some(match picture {
                Picture::Png => CaptureScreenshotFormat::Png,
                Picture::Jpeg => CaptureScreenshotFormat::Jpeg,
            }),
            quality: (picture == Picture::Jpeg).then_some(60),
            ..CaptureScreenshotParams::default()
        };
        page.answer(page.tab_session().send_as::<_, Screenshot>(capture), deadline).await.ok()
    } else {
        None
    };
    run(page, BLUR, json!(false), deadline).await;
    taken.map(|taken| taken.data)
}

/// A selector that the page's script can follow by itself; `aria/` is not one.
pub fn chain(chain: &Chain) -> Option<Value> {
    let pair = |selector: &crate::domain::flow::Selector| {
        let kind = match selector.kind {
            SelectorKind::Css => "css",
            SelectorKind::Text => "text",
            SelectorKind::XPath => "xpath",
            SelectorKind::Pierce => "pierce",
            SelectorKind::Aria => return None,
        };
        Some(json!([kind, selector.text]))
    };
    chain.0.iter().map(pair).collect::<Option<Vec<_>>>().map(Value::Array)
}

/// A script of its own each time: what is rarely asked for does not wait in every document.
async fn run(page: &Page, function: &str, argument: Value, deadline: Instant) -> Option<Value> {
    // No later than the deadline, which a call of the engine's own may pass to hear a page out.
    tokio::time::timeout_at(deadline, called(page, function, argument, deadline)).await.ok()?
}

async fn called(page: &Page, function: &str, argument: Value, deadline: Instant) -> Option<Value> {
    let world = page.world(deadline).await.ok()?;
    // The first line of a script says what it is for.
    let code = function.lines().skip_while(|line| line.starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut call = CallFunctionOnParams::new(code);
    let argument = CallArgument { value: Some(argument), unserializable_value: None, object_id: None };
    call.arguments = Some(vec![argument]);
    call.unique_context_id = Some(world.unique.clone());
    call.await_promise = Some(true);
    call.return_by_value = Some(true);
    let called = page.in_world::<_, Called>(&world, call, deadline).await.ok()??;
    if let Some(thrown) = called.thrown() {
        tracing::debug!("the page could not be looked at: {thrown}");
        return None;
    }
    called.result.value
}
