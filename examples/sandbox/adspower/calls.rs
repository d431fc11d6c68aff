//! The calls that act on browsers, v1 and v2, and `/emulator/stats`, which is not AdsPower's. Those that
//! list stand in [`super::lists`].

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Bytes;
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::AdsPowerEmulator;
use super::browser::{EmulatedConnection, Launch};
use super::envelope::{done, failure, start_failed, success};
use super::faults::{self, EmulatorFault, FaultKind};
use super::lists;
use super::profiles::EmulatedProfile;

pub type Parameters = Query<HashMap<String, String>>;
pub type Shared = State<Arc<AdsPowerEmulator>>;

const UNKNOWN_V1: &str = "user_id does not exist";
const UNKNOWN_V2: &str = "Profile does not exist";
const MOST_IDS: usize = 100;

pub fn router(emulator: Arc<AdsPowerEmulator>) -> Router {
    Router::new()
        .route("/status", get(status))
        .route("/api/v1/browser/start", get(start_v1))
        .route("/api/v1/browser/stop", get(stop_v1))
        .route("/api/v1/browser/active", get(active_v1))
        .route("/api/v1/browser/local-active", get(local_active))
        .route("/api/v1/browser/cloud-active", post(cloud_active))
        .route("/api/v1/user/list", get(lists::profiles_v1))
        .route("/api/v1/group/list", get(lists::groups))
        .route("/api/v2/browser-profile/start", post(start_v2))
        .route("/api/v2/browser-profile/stop", post(stop_v2))
        .route("/api/v2/browser-profile/active", get(active_v2))
        .route("/api/v2/browser-profile/stop-all", post(stop_all))
        .route("/api/v2/browser-profile/list", post(lists::profiles_v2))
        .route("/api/v2/browser-profile/download-kernel", post(download_kernel))
        .route("/api/v2/browser-tags/list", post(lists::tags))
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
        failure("Please config the api key in Security Verification")
    } else if emulator.is_too_old(&path) {
        StatusCode::NOT_FOUND.into_response()
    } else {
        next.run(request).await
    };
    if emulator.verbose {
        eprintln!("adspower: {path} {}", response.status().as_u16());
    }
    response
}

fn has_key(emulator: &AdsPowerEmulator, request: &Request) -> bool {
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
        "starts": emulator.starts(),
        "throttled": emulator.throttled.load(Ordering::Relaxed),
        "open": open,
    }))
}

async fn switch_fault(State(emulator): Shared, Json(fault): Json<EmulatorFault>) -> Json<Value> {
    emulator.switch(fault).await;
    Json(json!({}))
}

async fn status() -> Response {
    done()
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
    let id = named_v1(&emulator, &parameters);
    emulator.note_start(&id, json!(parameters));
    start(emulator, id, headless, &launch_args, UNKNOWN_V1).await
}

async fn start_v2(State(emulator): Shared, body: Bytes) -> Response {
    let body = parse(&body);
    let headless = body["headless"].as_str().map(str::to_owned);
    let id = named_v2(&emulator, &body);
    emulator.note_start(&id, body.clone());
    let args = &body["launch_args"];
    start(emulator, id, headless.as_deref(), args, UNKNOWN_V2).await
}

/// Without the flag it is headless too, unlike AdsPower: this is meant for machines without a
/// display.
async fn start(
    emulator: Arc<AdsPowerEmulator>,
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
        Some(fault) if fault.kind == FaultKind::SlowStart => tokio::time::sleep(fault.lasts()).await,
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
    let id = named_v1(&emulator, &parameters);
    stop(emulator, id, UNKNOWN_V1, success(json!({}))).await
}

async fn stop_v2(State(emulator): Shared, body: Bytes) -> Response {
    let id = named_v2(&emulator, &parse(&body));
    stop(emulator, id, UNKNOWN_V2, done()).await
}

async fn stop(
    emulator: Arc<AdsPowerEmulator>,
    id: String,
    unknown: &str,
    stopped_answer: Response,
) -> Response {
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
        Ok(true) => stopped_answer,
        Ok(false) | Err(_) => failure("User_id is not open"),
    }
}

async fn stop_all(State(emulator): Shared) -> Response {
    // Completes even if the client hangs up; a task without a receiver has still stopped them.
    drop(tokio::spawn(async move { emulator.stop_all().await }).await);
    success(json!({}))
}

async fn active_v1(State(emulator): Shared, Query(parameters): Parameters) -> Response {
    active(&emulator, &named_v1(&emulator, &parameters), UNKNOWN_V1)
}

async fn active_v2(State(emulator): Shared, Query(parameters): Parameters) -> Response {
    let number = parameter(&parameters, "profile_no");
    let id = emulator.by_number(&number).unwrap_or_else(|| parameter(&parameters, "profile_id"));
    active(&emulator, &id, UNKNOWN_V2)
}

fn active(emulator: &AdsPowerEmulator, id: &str, unknown: &str) -> Response {
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
    if ids.len() > MOST_IDS {
        // The real wording is not known: only the code may be relied upon.
        return failure("user_ids holds more than 100 ids");
    }
    // Only those that are open, each with the account that has it open.
    let open: Vec<Value> = ids
        .into_iter()
        .filter_map(|id| {
            let here = emulator.profile(id).and_then(EmulatedProfile::open).is_some();
            let account = match (here, emulator.is_used_elsewhere(id)) {
                (true, _) => "owner@mail.test",
                (false, true) => "someone@mail.test",
                (false, false) => return None,
            };
            Some(json!({ "user_id": id, "account": account }))
        })
        .collect();
    success(json!(open))
}

/// How the real one answers is known from one source only.
async fn download_kernel(State(emulator): Shared, body: Bytes) -> Response {
    let body = parse(&body);
    if text(&body, "kernel_type") != "Chrome" || text(&body, "kernel_version").is_empty() {
        return failure("kernel_type or kernel_version is not valid");
    }
    emulator.download_kernel();
    success(json!({}))
}

fn connection_details(connection: &EmulatedConnection) -> Value {
    json!({
        "ws": {
            "puppeteer": connection.ws,
            "selenium": format!("127.0.0.1:{}", connection.port),
        },
        "debug_port": connection.port.to_string(),
        "webdriver": connection.webdriver,
    })
}

/// By id or by number, as v1 names them.
fn named_v1(emulator: &AdsPowerEmulator, parameters: &HashMap<String, String>) -> String {
    let number = parameter(parameters, "serial_number");
    emulator.by_number(&number).unwrap_or_else(|| parameter(parameters, "user_id"))
}

fn named_v2(emulator: &AdsPowerEmulator, body: &Value) -> String {
    emulator.by_number(&text(body, "profile_no")).unwrap_or_else(|| text(body, "profile_id"))
}

pub fn parameter(parameters: &HashMap<String, String>, name: &str) -> String {
    parameters.get(name).cloned().unwrap_or_default()
}

/// A body that is no JSON counts as empty: what the real one says to it is not known.
pub fn parse(body: &Bytes) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}

/// Numbers travel as strings, or not.
pub fn text(body: &Value, key: &str) -> String {
    match &body[key] {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}
