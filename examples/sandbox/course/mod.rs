//! The obstacle course: pages that each put one hazard before the player.
//!
//! A hazard is one file in `hazards/`, read anew for every request, so a new one needs no build:
//!
//! ```text
//! <!-- What makes it hard, in a sentence or two.
//!
//! {"type":"click","selectors":["#b"],"offsetX":3,"offsetY":3}      a step a line
//!
//! 1 click: ok                                                      what comes of each step
//!   click b                                                        what the page saw of it
//! -->
//! <button id=b data-log=click>Go</button>
//! ```
//!
//! A file without steps is a place that other pages lead to.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use minijinja::value::Serde;
use minijinja::{Environment, context};
use serde::Serialize;

use crate::site::PracticeSite;

const FRAME: &str = include_str!("frame.html");
const INDEX: &str = include_str!("index.html");
const LOG: &str = include_str!("log.js");

pub fn routes() -> Router<Arc<PracticeSite>> {
    Router::new()
        .route("/course", get(index))
        .route("/course.json", get(list))
        .route("/course/{name}", get(hazard).post(hazard))
}

#[derive(Debug, Serialize)]
struct Hazard {
    name: String,
    about: String,
    /// Steps of a Recorder flow, as JSON.
    steps: Vec<String>,
    expected: String,
    #[serde(skip)]
    body: String,
}

impl Hazard {
    fn read(name: &str) -> io::Result<Self> {
        let text = fs::read_to_string(folder().join(format!("{name}.html")))?;
        let malformed = || io::Error::other(format!("hazards/{name}.html does not begin with <!-- … -->"));
        let (head, body) =
            text.strip_prefix("<!--").and_then(|text| text.split_once("-->")).ok_or_else(malformed)?;
        let is_step = |line: &str| line.starts_with('{');
        let about: Vec<_> = head.lines().take_while(|line| !is_step(line)).map(str::trim).collect();
        let steps: Vec<_> = head.lines().filter(|line| is_step(line)).map(str::to_owned).collect();
        let expected: Vec<_> = head.lines().skip_while(|line| !is_step(line)).collect();
        let expected = expected.into_iter().filter(|line| !is_step(line) && !line.trim().is_empty());
        Ok(Self {
            name: name.to_owned(),
            about: about.join(" ").trim().to_owned(),
            expected: expected.map(|line| format!("{line}\n")).collect(),
            steps,
            body: body.to_owned(),
        })
    }

    fn all() -> io::Result<Vec<Self>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder())? {
            let name = entry?.file_name();
            names.extend(name.to_str().and_then(|name| name.strip_suffix(".html")).map(str::to_owned));
        }
        names.sort();
        let mut hazards = names.iter().map(|name| Self::read(name)).collect::<io::Result<Vec<_>>>()?;
        hazards.retain(|hazard| !hazard.steps.is_empty());
        Ok(hazards)
    }
}

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/sandbox/course/hazards"))
}

async fn index() -> Response {
    match Hazard::all() {
        Ok(hazards) => page(INDEX, context! { hazards => Serde(hazards) }),
        Err(error) => failed(&error),
    }
}

async fn list() -> Response {
    match Hazard::all() {
        Ok(hazards) => Json(hazards).into_response(),
        Err(error) => failed(&error),
    }
}

/// `?after=300` answers so many milliseconds later, `?status=404` with that status.
async fn hazard(Path(name): Path<String>, Query(query): Query<HashMap<String, String>>) -> Response {
    let number = |key: &str| query.get(key).and_then(|value| value.parse::<u16>().ok());
    if let Some(after) = number("after") {
        tokio::time::sleep(Duration::from_millis(after.into())).await;
    }
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let hazard = if is_name { Hazard::read(&name) } else { Err(io::ErrorKind::NotFound.into()) };
    match hazard {
        Ok(Hazard { name, body, .. }) => {
            let status = number("status").and_then(|status| StatusCode::from_u16(status).ok());
            (status.unwrap_or_default(), page(FRAME, context! { name, body, log => LOG })).into_response()
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => StatusCode::NOT_FOUND.into_response(),
        Err(error) => failed(&error),
    }
}

fn page(template: &str, values: minijinja::Value) -> Response {
    match Environment::new().render_named_str("page.html", template, values) {
        Ok(html) => Html(html).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")).into_response(),
    }
}

fn failed(error: &io::Error) -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response()
}
