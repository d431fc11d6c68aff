//! The envelope every call answers with, always under HTTP 200.

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

pub fn success(data: Value) -> Response {
    Json(json!({ "code": 0, "msg": "success", "data": data })).into_response()
}

/// Carries no data.
pub fn done() -> Response {
    Json(json!({ "code": 0, "msg": "success" })).into_response()
}

/// Lists spell their success with a capital.
pub fn list(data: Value) -> Response {
    Json(json!({ "code": 0, "msg": "Success", "data": data })).into_response()
}

pub fn failure(message: &str) -> Response {
    refusal(-1, message)
}

pub fn refusal(code: i64, message: &str) -> Response {
    Json(json!({ "code": code, "data": {}, "msg": message })).into_response()
}

/// The other shape of a failure. What its extra keys hold is not known; that they are there is.
pub fn start_failed() -> Response {
    Json(json!({
        "code": 100_001,
        "data": {},
        "msg": "Failed to start browser",
        "debugUrl": "",
        "useTime": 0,
    }))
    .into_response()
}
