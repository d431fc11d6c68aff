//! The tester's pages: index, ledger and switches. No switch acts on them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use minijinja::context;
use minijinja::value::{Serde, Value as Values};
use serde_json::Value;

use super::PracticeSite;
use super::ledger::SUBMISSIONS;

pub fn routes() -> Router<Arc<PracticeSite>> {
    Router::new()
        .route("/", get(index_page))
        .route("/ledger", get(ledger))
        .route("/holdings", get(holdings))
        .route("/ledger.html", get(ledger_page))
        .route("/switches", get(switches).post(set_switches))
}

async fn index_page(State(site): State<Arc<PracticeSite>>) -> Response {
    site.look().page("office", "Practice site", include_str!("../html/index.html"), context! {})
}

async fn ledger(State(site): State<Arc<PracticeSite>>) -> Json<Value> {
    Json(site.read(|state| state.ledger()))
}

async fn holdings(State(site): State<Arc<PracticeSite>>) -> Json<Value> {
    Json(site.read(|state| state.holdings()))
}

async fn ledger_page(State(site): State<Arc<PracticeSite>>) -> Response {
    let ledger = Values::from(Serde(site.read(|state| state.ledger())));
    site.look().page(
        "office",
        "Ledger",
        include_str!("../html/ledger.html"),
        context! { ledger, submissions => SUBMISSIONS },
    )
}

async fn switches(State(site): State<Arc<PracticeSite>>) -> Response {
    Json(site.faults().switches()).into_response()
}

/// Answers the switches as they are now.
async fn set_switches(State(site): State<Arc<PracticeSite>>, Json(body): Json<Value>) -> Response {
    let mut faults = site.faults();
    match faults.post(&body) {
        Ok(()) => Json(faults.switches()).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}
