//! Lets the switches act on every request of a page: it waits, hangs or fails before the page's
//! own handler sees it. A handler accepts its submission after this.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::PracticeSite;
use super::page::Unavailable;
use crate::switches::Fate;

pub async fn misbehave(State(site): State<Arc<PracticeSite>>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let latency = site.faults().latency(rand::random());
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let fate = site.faults().fate(&path, is_document(&request), Instant::now());
    let response = match fate {
        Fate::Proceed => next.run(request).await,
        Fate::Fail => Unavailable.into_response(),
        Fate::Busy { retry_after } => {
            let mut response = (StatusCode::TOO_MANY_REQUESTS, "Too many requests").into_response();
            if let Some(seconds) = retry_after {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            response
        }
        Fate::Hang => {
            if site.verbose {
                eprintln!("site: {method} {path} hangs");
            }
            std::future::pending().await
        }
    };
    if site.verbose {
        eprintln!("site: {method} {path} {}", response.status().as_u16());
    }
    response
}

/// Browsers state the purpose of a request. A request without one counts as a document.
fn is_document(request: &Request) -> bool {
    let purpose = request.headers().get("sec-fetch-dest");
    purpose.is_none_or(|purpose| ["document", "iframe", "frame"].iter().any(|kind| purpose == kind))
}
