//! The page that a person reads first: the action, its outcome, and the picture. It loads nothing and runs no
//! script.

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment};
use serde::Serialize;

use crate::evidence::trace::snapshot::{DocumentSnapshot, NoPicture, PageSnapshot};
use crate::evidence::trace::sources::EvidenceSources;
use crate::network::{Exchange, RequestOutcome};
use regatta_core::evidence::Incident;
use regatta_core::mask::BrowserMask;

const TEMPLATE: &str = include_str!("index.html");

/// How many of the latest console lines and requests are shown.
const LINES: usize = 100;
const REQUESTS: usize = 50;

#[derive(Serialize)]
struct IndexPage<'a> {
    title: String,
    place: String,
    message: String,
    hint: Option<String>,
    address: Option<String>,
    selectors: Vec<String>,
    arguments: Vec<(&'static str, String)>,
    /// Base64 of a PNG.
    picture: Option<&'a String>,
    no_picture: Option<String>,
    marks: Vec<PictureMark>,
    console: Vec<String>,
    requests: Vec<RequestRow>,
    at: String,
}

/// Where the picture is marked, in percent of it.
#[derive(Serialize)]
struct PictureMark {
    kind: &'static str,
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

#[derive(Serialize)]
struct RequestRow {
    method: String,
    url: String,
    kind: String,
    status: String,
    is_bad: bool,
    ms: String,
    bytes: u64,
}

pub fn write(
    story: &EvidenceSources<'_>,
    incident: &Incident,
    view: &PageSnapshot,
    no_picture: Option<NoPicture>,
) -> String {
    let mask = story.mask.for_browser();
    let act = story.recorder.last();
    let place = match (&incident.place, act) {
        (Some(place), _) => place.to_string(),
        (None, Some(act)) => format!("{}:{}, step {} ({})", act.flow, act.line, act.step, act.action),
        (None, None) => String::new(),
    };
    let selectors: Vec<_> =
        act.into_iter().flat_map(|act| &act.selectors).map(|text| mask.apply(text)).collect();
    let arguments: Vec<_> = act
        .into_iter()
        .flat_map(|act| &act.arguments)
        .map(|(name, value)| (*name, mask.apply_to_field(value)))
        .collect();
    let console = story.console.iter().skip(story.console.len().saturating_sub(LINES));
    let console: Vec<_> = console.map(|said| mask.apply(&said.line)).collect();
    let requests = story.exchanges.iter().skip(story.exchanges.len().saturating_sub(REQUESTS));
    let requests: Vec<_> = requests.map(|exchange| request(exchange, &mask)).collect();
    let address = view.document.as_ref().and_then(|document| document.frames.first());
    let marks = view.document.as_ref().map(|document| marks(document, act.and_then(|act| act.point)));
    let page = IndexPage {
        title: mask.apply(&incident.title),
        place: mask.apply(&place),
        message: mask.apply(&incident.message),
        hint: incident.hint.as_ref().map(|hint| mask.apply(hint)),
        address: address.map(|frame| mask.apply(&frame.url)),
        selectors,
        arguments,
        picture: view.picture.as_ref().map(|(picture, _)| picture),
        no_picture: no_picture.map(|why| why.to_string()),
        marks: marks.unwrap_or_default(),
        console,
        requests,
        at: jiff::Timestamp::from_millisecond(view.at as i64).unwrap_or_default().to_string(),
    };
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.render_str(TEMPLATE, Serde(&page)).unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot write the index of the evidence");
        String::new()
    })
}

/// The click point, or else the boxes of the elements that the step searched for.
fn marks(document: &DocumentSnapshot, point: Option<(f64, f64)>) -> Vec<PictureMark> {
    let (width, height) = (document.width.max(1.0) / 100.0, document.height.max(1.0) / 100.0);
    let mut marks: Vec<_> = document
        .boxes
        .iter()
        .map(|rect| PictureMark {
            kind: "box",
            left: rect.x / width,
            top: rect.y / height,
            width: rect.width / width,
            height: rect.height / height,
        })
        .collect();
    if let Some((x, y)) = point {
        marks.push(PictureMark { kind: "point", left: x / width, top: y / height, width: 0.0, height: 0.0 });
    }
    marks
}

fn request(exchange: &Exchange, mask: &BrowserMask<'_>) -> RequestRow {
    let answered = exchange.response.as_ref().map(|response| response.status);
    let (status, is_bad) = match (&exchange.outcome, answered) {
        (RequestOutcome::Failed(error), _) => (error.clone(), true),
        (RequestOutcome::Blocked, _) => ("blocked".to_owned(), false),
        (RequestOutcome::Cancelled, _) => ("cancelled".to_owned(), false),
        (RequestOutcome::UnderWay, None) => ("under way".to_owned(), true),
        (_, Some(status)) => (status.to_string(), status >= 400),
        (_, None) => (String::new(), false),
    };
    let ms = exchange.ended.map(|ended| format!("{:.0}", (ended - exchange.started).max(0.0) * 1000.0));
    RequestRow {
        method: exchange.method.clone(),
        url: mask.apply(&exchange.url),
        kind: format!("{:?}", exchange.kind).to_lowercase(),
        status,
        is_bad,
        ms: ms.unwrap_or_default(),
        bytes: exchange.bytes_received,
    }
}
