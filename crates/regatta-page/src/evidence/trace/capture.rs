//! Takes snapshots of the page: its document, and a picture in which no text field can be read.

use std::collections::VecDeque;
use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::page::{CaptureScreenshotFormat, CaptureScreenshotParams};
use chromiumoxide::cdp::js_protocol::runtime::{CallArgument, CallFunctionOnParams};
use futures::future::join_all;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::snapshot::{DocumentSnapshot, FrameSnapshot, NoPicture, PageSnapshot, PictureFormat, Rect};
use crate::page::Page;
use crate::script::RemoteResult;
use crate::state::ExecutionContext;

const SNAPSHOT: &str = include_str!("snapshot.js");
/// How a script reads nodes.
const DOM: &str = include_str!("../../script/injected/dom.js");

const BLUR: &str = include_str!("../blur.js");

/// The characters that are read of a document and its frames; the rest is left out.
const CHARACTERS: usize = 4 << 20;

/// The time for a snapshot around an action.
const AT_MOST: Duration = Duration::from_secs(2);

/// A frame's description of itself.
#[derive(Default, Deserialize)]
#[serde(default)]
struct SnapshotReply {
    url: String,
    doctype: Option<String>,
    html: Value,
    /// Of the frames inside, in this one's pixels.
    corners: Vec<FrameCorner>,
    boxes: Vec<Rect>,
    width: f64,
    height: f64,
    /// How many of the characters may still be read.
    left: f64,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
struct FrameCorner {
    x: f64,
    y: f64,
}

#[derive(Deserialize)]
struct ScreenshotData {
    /// Base64.
    data: String,
}

/// Takes a snapshot around an action, within a moment.
pub async fn snapshot(page: &Page) -> PageSnapshot {
    let deadline = Instant::now() + AT_MOST;
    let document = document(page, &[], deadline).await;
    let picture = picture(page, PictureFormat::Jpeg, deadline).await.ok();
    PageSnapshot {
        at: page.trace.clock.now(),
        document,
        picture: picture.map(|picture| (picture, PictureFormat::Jpeg)),
    }
}

/// The tab in which the step was played, with all its frames. `chains`: what was looked for in the step's
/// own frame, the first alternative that is there is measured.
pub async fn document(page: &Page, chains: &[Value], deadline: Instant) -> Option<DocumentSnapshot> {
    let (main, of_step) = tab_and_step(page);
    let mut whole = DocumentSnapshot::default();
    let mut left = CHARACTERS as f64;
    let mut frames = VecDeque::from([(main, FrameCorner::default())]);
    let mut named = 1;
    while let Some((frame, corner)) = frames.pop_front() {
        let id = format!("frame-{}", whole.frames.len() + 1);
        // A frame inside that has no document yet is not waited for.
        let patience = if whole.frames.is_empty() { deadline } else { Instant::now() };
        let world = world_of(page, &frame, patience).await;
        let inside = match &world {
            Some(world) => inside(page, &frame, world, deadline).await,
            None => Vec::new(),
        };
        let names: Vec<_> = (1..=inside.len()).map(|nth| format!("frame-{}", named + nth)).collect();
        named += inside.len();
        let wanted = if frame == of_step { chains } else { &[] };
        let query = json!({ "limit": left, "chains": wanted, "inside": names });
        let owners: Vec<_> = inside.iter().map(|(_, owner)| owner.clone()).collect();
        let snapshot = match &world {
            Some(world) => run(page, world, SNAPSHOT, query, &owners, deadline).await,
            None => None,
        };
        let Some(snapshot) =
            snapshot.and_then(|snapshot| serde_json::from_value::<SnapshotReply>(snapshot).ok())
        else {
            if whole.frames.is_empty() {
                return None;
            }
            // It went away in between: its place stays empty.
            whole.frames.push(FrameSnapshot { id, ..FrameSnapshot::default() });
            continue;
        };
        if whole.frames.is_empty() {
            (whole.width, whole.height) = (snapshot.width, snapshot.height);
        }
        let moved = |rect: Rect| Rect { x: rect.x + corner.x, y: rect.y + corner.y, ..rect };
        whole.boxes.extend(snapshot.boxes.into_iter().map(moved));
        left = snapshot.left;
        whole.frames.push(FrameSnapshot {
            id,
            url: snapshot.url,
            doctype: snapshot.doctype,
            html: snapshot.html,
        });
        let corners = snapshot.corners.into_iter().chain(std::iter::repeat(FrameCorner::default()));
        frames.extend(
            inside
                .into_iter()
                .zip(corners)
                .map(|((inner, _), at)| (inner, FrameCorner { x: corner.x + at.x, y: corner.y + at.y })),
        );
    }
    whole.cut = left <= 0.0;
    Some(whole)
}

/// The frames directly inside, and the elements that hold them.
async fn inside(
    page: &Page,
    frame: &str,
    world: &ExecutionContext,
    deadline: Instant,
) -> Vec<(String, String)> {
    let children = page.state.borrow().frame(frame).map(|frame| frame.children.clone());
    let owned = children.into_iter().flatten().map(async |child| {
        let owner = page.owner_of(&child, world, deadline).await.ok().flatten();
        owner.map(|owner| (child, owner))
    });
    join_all(owned).await.into_iter().flatten().collect()
}

/// The main frame of the tab in which the step was played, and the step's own frame.
fn tab_and_step(page: &Page) -> (String, String) {
    page.with_view(|view| (view.tab().main_frame.clone(), view.frame.id.clone())).unwrap_or_else(|| {
        let main = page.state.borrow().main_tab().main_frame.clone();
        (main.clone(), main)
    })
}

/// The script's context in a frame. Waits where its document is being replaced.
async fn world_of(page: &Page, frame: &str, deadline: Instant) -> Option<ExecutionContext> {
    let mut states = page.state.subscribe();
    let snapshot = states.wait_for(|state| {
        state.is_gone
            || state
                .frame(frame)
                .is_none_or(|frame| frame.world.is_some() || state.tabs[frame.tab].ended.is_some())
    });
    let state = tokio::time::timeout_at(deadline, snapshot).await.ok()?.ok()?;
    state.frame(frame)?.world.clone()
}

/// Takes a picture, as base64. An error rather than one in which the fields can be read.
pub async fn picture(page: &Page, picture: PictureFormat, deadline: Instant) -> Result<String, NoPicture> {
    let blurred = blur(page, true, deadline).await;
    let is_blurred = blurred.map(|blurred| blurred["ok"] == true);
    let taken = if is_blurred == Some(true) {
        let capture = CaptureScreenshotParams {
            format: Some(match picture {
                PictureFormat::Png => CaptureScreenshotFormat::Png,
                PictureFormat::Jpeg => CaptureScreenshotFormat::Jpeg,
            }),
            quality: (picture == PictureFormat::Jpeg).then_some(60),
            ..CaptureScreenshotParams::default()
        };
        let taken = page.answer(page.tab_session().send_as::<_, ScreenshotData>(capture), deadline).await;
        taken.map(|taken| taken.data).map_err(|_| NoPicture::NotDrawn)
    } else {
        Err(if is_blurred.is_none() { NoPicture::NotBlurred } else { NoPicture::Readable })
    };
    blur(page, false, deadline).await;
    taken
}

/// The whole tab, wherever in it the step was played: that is what the picture shows.
async fn blur(page: &Page, on: bool, deadline: Instant) -> Option<Value> {
    let world = world_of(page, &tab_and_step(page).0, deadline).await?;
    run(page, &world, BLUR, json!(on), &[], deadline).await
}

/// A script of its own each time: what is rarely asked for does not wait in every document. `objects`
/// are of that world.
async fn run(
    page: &Page,
    world: &ExecutionContext,
    function: &str,
    argument: Value,
    objects: &[String],
    deadline: Instant,
) -> Option<Value> {
    // Ends at the deadline, which a call of the engine's own may exceed.
    tokio::time::timeout_at(deadline, called(page, world, function, argument, objects, deadline))
        .await
        .ok()?
}

async fn called(
    page: &Page,
    world: &ExecutionContext,
    function: &str,
    argument: Value,
    objects: &[String],
    deadline: Instant,
) -> Option<Value> {
    // The first line of a script says what it is for.
    let code = function.lines().skip_while(|line| line.starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut call =
        CallFunctionOnParams::new(format!("function (...all) {{\n{DOM}\nreturn ({code})(...all);\n}}"));
    let mut arguments =
        vec![CallArgument { value: Some(argument), unserializable_value: None, object_id: None }];
    arguments.extend(objects.iter().map(|object| CallArgument {
        value: None,
        unserializable_value: None,
        object_id: Some(object.clone().into()),
    }));
    call.arguments = Some(arguments);
    call.unique_context_id = Some(world.unique.clone());
    call.await_promise = Some(true);
    call.return_by_value = Some(true);
    let called = page.in_world::<_, RemoteResult>(world, call, deadline).await.ok()??;
    if let Some(thrown) = called.thrown() {
        tracing::debug!("the page could not be captured: {thrown}");
        return None;
    }
    called.result.value
}
