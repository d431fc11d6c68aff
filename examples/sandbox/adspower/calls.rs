//! The calls, v1 and v2, and `/emulator/stats`, which is not AdsPower's.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Bytes;
use axum::extract::{Query, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Emulator;
use super::browser::{Connection, Launch};
use super::envelope::{failure, list, start_failed, success};
use super::faults::{self, Fault, Kind};
use super::profiles::{GROUPS, Profile};

type Parameters = Query<HashMap<String, String>>;
type Shared = State<Arc<Emulator>>;

const UNKNOWN_V1: &str = "user_id does not exist";
const UNKNOWN_V2: &str = "Profile does not exist";
const LARGEST_PAGE: usize = 100;

pub fn router(emulator: Arc<Emulator>) -> Router {
    Router::new()
        .route("/status", get(status))
        .route("/api/v1/browser/start", get(start_v1))
        .route("/api/v1/browser/stop", get(stop_v1))
        .route("/api/v1/browser/active", get(active_v1))
        .route("/api/v1/browser/local-active", get(local_active))
        .route("/api/v1/browser/cloud-active", post(cloud_active))
        .route("/api/v1/user/list", get(list_v1))
        .route("/api/v1/group/list", get(groups))
        .route("/api/v2/browser-profile/start", post(start_v2))
        .route("/api/v2/browser-profile/stop", post(stop_v2))
        .route("/api/v2/browser-profile/active", get(active_v2))
        .route("/api/v2/browser-profile/stop-all", post(stop_all))
        .route("/api/v2/browser-profile/list", post(list_v2))
        .layer(from_fn_with_state(Arc::clone(&emulator), guard))
        // For tests: neither throttled nor counted, and nothing of the kind is in AdsPower.
        .route("/emulator/stats", get(stats))
        .route("/emulator/faults", post(switch_fault))
        .with_state(emulator)
}

/// The rate limit, then the key; which comes first in the real one is not known.
async fn guard(State(emulator): Shared, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let response = if !emulator.admits(&path) {
        failure("Too many request per second, please check")
    } else if !has_key(&emulator, &request) {
        // The real wording is not known: only the code may be relied upon.
        failure("Request was not authorized")
    } else {
        next.run(request).await
    };
    if emulator.verbose {
        eprintln!("adspower: {path} {}", response.status().as_u16());
    }
    response
}

fn has_key(emulator: &Emulator, request: &Request) -> bool {
    let Some(key) = &emulator.api_key else {
        return true;
    };
    let given = request.headers().get(AUTHORIZATION);
    given.and_then(|value| value.to_str().ok()) == Some(&format!("Bearer {key}"))
}

async fn stats(State(emulator): Shared) -> Json<Value> {
    let open: Vec<&str> = emulator
        .profiles
        .iter()
        .filter(|profile| profile.open().is_some())
        .map(|profile| profile.id.as_str())
        .collect();
    let by_path = emulator.calls();
    Json(json!({
        "calls": by_path.values().sum::<u64>(),
        "by_path": by_path,
        "throttled": emulator.throttled.load(Ordering::Relaxed),
        "open": open,
    }))
}

async fn switch_fault(State(emulator): Shared, Json(fault): Json<Fault>) -> Json<Value> {
    emulator.switch(fault).await;
    Json(json!({}))
}

/// Carries no data.
async fn status() -> Response {
    Json(json!({ "code": 0, "msg": "success" })).into_response()
}

async fn start_v1(State(emulator): Shared, Query(parameters): Parameters) -> Response {
    let launch_args = match parameters.get("launch_args").map(String::as_str) {
        None | Some("") => Value::Null,
        Some(text) => match serde_json::from_str(text) {
            Ok(value) => value,
            Err(_) => return bad_launch_args(),
        },
    };
    let headless = parameters.get("headless").map(String::as_str);
    let id = parameter(&parameters, "user_id");
    start(emulator, id, headless, &launch_args, UNKNOWN_V1).await
}

async fn start_v2(State(emulator): Shared, body: Bytes) -> Response {
    let body = parse(&body);
    let headless = body["headless"].as_str().map(str::to_owned);
    let id = text(&body, "profile_id");
    let args = &body["launch_args"];
    start(emulator, id, headless.as_deref(), args, UNKNOWN_V2).await
}

/// Without the flag it is headless too, unlike AdsPower: this is meant for machines without a
/// display.
async fn start(
    emulator: Arc<Emulator>,
    id: String,
    headless: Option<&str>,
    launch_args: &Value,
    unknown: &str,
) -> Response {
    let args = match launch_args {
        Value::Null => Some(Vec::new()),
        Value::Array(args) => args.iter().map(|arg| arg.as_str().map(str::to_owned)).collect(),
        _ => None,
    };
    let Some(args) = args else {
        return bad_launch_args();
    };
    if emulator.profile(&id).is_none() {
        return failure(unknown);
    }
    match emulator.strike(&id) {
        None => {}
        Some(fault) if fault.kind == Kind::SlowStart => tokio::time::sleep(fault.lasts()).await,
        Some(fault) => return faults::answer(fault.kind, &id, unknown),
    }
    let launch = Launch { headless: headless != Some("0"), args };
    // A task of its own: a client that hangs up must not cut a start in two.
    let started = tokio::spawn(async move {
        let profile = emulator.profile(&id)?;
        match emulator.start(profile, launch).await {
            Ok(connection) => Some(connection),
            Err(error) => {
                eprintln!("sandbox: profile {id}: {error}");
                None
            }
        }
    });
    match started.await {
        Ok(Some(connection)) => success(connection_details(&connection)),
        Ok(None) | Err(_) => start_failed(),
    }
}

/// The real wording is not known: only the code may be relied upon.
fn bad_launch_args() -> Response {
    failure("launch_args is not valid")
}

async fn stop_v1(State(emulator): Shared, Query(parameters): Parameters) -> Response {
    let id = parameter(&parameters, "user_id");
    stop(emulator, id, UNKNOWN_V1).await
}

async fn stop_v2(State(emulator): Shared, body: Bytes) -> Response {
    let id = text(&parse(&body), "profile_id");
    stop(emulator, id, UNKNOWN_V2).await
}

async fn stop(emulator: Arc<Emulator>, id: String, unknown: &str) -> Response {
    if emulator.profile(&id).is_none() {
        return failure(unknown);
    }
    let stopped = tokio::spawn(async move {
        match emulator.profile(&id) {
            Some(profile) => emulator.stop(profile).await,
            None => false,
        }
    });
    match stopped.await {
        Ok(true) => success(json!({})),
        Ok(false) | Err(_) => failure("User_id is not open"),
    }
}

async fn stop_all(State(emulator): Shared) -> Response {
    // Completes even if the client hangs up; a task that could not tell has still stopped them.
    drop(tokio::spawn(async move { emulator.stop_all().await }).await);
    success(json!({}))
}

async fn active_v1(State(emulator): Shared, Query(parameters): Parameters) -> Response {
    active(&emulator, &parameter(&parameters, "user_id"), UNKNOWN_V1)
}

async fn active_v2(State(emulator): Shared, Query(parameters): Parameters) -> Response {
    active(&emulator, &parameter(&parameters, "profile_id"), UNKNOWN_V2)
}

fn active(emulator: &Emulator, id: &str, unknown: &str) -> Response {
    let Some(profile) = emulator.profile(id) else {
        return failure(unknown);
    };
    let mut data = json!({ "status": "Inactive" });
    if let Some(connection) = profile.open() {
        data = connection_details(&connection);
        data["status"] = json!("Active");
    }
    success(data)
}

async fn local_active(State(emulator): Shared) -> Response {
    let open: Vec<Value> = emulator
        .profiles
        .iter()
        .filter_map(|profile| {
            let mut item = connection_details(&profile.open()?);
            item["user_id"] = json!(profile.id);
            Some(item)
        })
        .collect();
    success(json!({ "list": open }))
}

async fn cloud_active(State(emulator): Shared, body: Bytes) -> Response {
    let ids = text(&parse(&body), "user_ids");
    let ids: Vec<&str> = ids.split(',').map(str::trim).filter(|id| !id.is_empty()).collect();
    if ids.len() > LARGEST_PAGE {
        // The real wording is not known: only the code may be relied upon.
        return failure("user_ids holds more than 100 ids");
    }
    let states: Vec<Value> = ids
        .into_iter()
        .map(|id| {
            let is_open =
                emulator.profile(id).and_then(Profile::open).is_some() || emulator.is_used_elsewhere(id);
            json!({ "user_id": id, "status": if is_open { "Active" } else { "Inactive" } })
        })
        .collect();
    success(json!({ "list": states }))
}

async fn list_v1(State(emulator): Shared, Query(parameters): Parameters) -> Response {
    let group = parameter(&parameters, "group_id");
    let (page, size) =
        page(parameters.get("page").map(String::as_str), parameters.get("page_size").map(String::as_str), 1);
    let items = emulator
        .profiles
        .iter()
        .filter(|profile| group.is_empty() || profile.group().0 == group)
        .map(Profile::v1_item);
    list(json!({ "list": cut(items, page, size), "page": page, "page_size": size }))
}

async fn list_v2(State(emulator): Shared, body: Bytes) -> Response {
    let body = parse(&body);
    let group = text(&body, "group_id");
    let ids: Option<Vec<&str>> = body["profile_id"]
        .as_array()
        .filter(|ids| !ids.is_empty())
        .map(|ids| ids.iter().filter_map(Value::as_str).collect());
    let (page, size) = page(Some(&text(&body, "page")), Some(&text(&body, "limit")), 1);
    let items = emulator
        .profiles
        .iter()
        .filter(|profile| group.is_empty() || profile.group().0 == group)
        .filter(|profile| ids.as_ref().is_none_or(|ids| ids.contains(&&*profile.id)))
        .map(Profile::v2_item);
    list(json!({ "list": cut(items, page, size), "page": page, "limit": size }))
}

/// An empty `group_name` is what a client sends that wants all groups.
async fn groups(Query(parameters): Parameters) -> Response {
    let name = parameter(&parameters, "group_name");
    let (page, size) =
        page(parameters.get("page").map(String::as_str), parameters.get("page_size").map(String::as_str), 10);
    let items = GROUPS
        .into_iter()
        .filter(|(_, group_name)| name.is_empty() || *group_name == name)
        .map(|(id, group_name)| json!({ "group_id": id, "group_name": group_name, "remark": "" }));
    list(json!({ "list": cut(items, page, size), "page": page, "page_size": size }))
}

fn connection_details(connection: &Connection) -> Value {
    json!({
        "ws": {
            "puppeteer": connection.ws,
            "selenium": format!("127.0.0.1:{}", connection.port),
        },
        "debug_port": connection.port.to_string(),
        "webdriver": connection.webdriver,
    })
}

fn parameter(parameters: &HashMap<String, String>, name: &str) -> String {
    parameters.get(name).cloned().unwrap_or_default()
}

/// A body that is no JSON counts as empty: what the real one says to it is not known.
fn parse(body: &Bytes) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}

/// Numbers travel as strings, or not.
fn text(body: &Value, key: &str) -> String {
    match &body[key] {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

/// What happens above the largest page is not known; a shorter page is what a client must survive.
fn page(page: Option<&str>, size: Option<&str>, default_size: usize) -> (usize, usize) {
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<usize>().ok());
    let page = number(page).unwrap_or(1).max(1);
    let size = number(size).unwrap_or(default_size).clamp(1, LARGEST_PAGE);
    (page, size)
}

fn cut(items: impl Iterator<Item = Value>, page: usize, size: usize) -> Vec<Value> {
    items.skip((page - 1).saturating_mul(size)).take(size).collect()
}
