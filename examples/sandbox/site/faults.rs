//! Lets the switches act on every request of a page: it waits, hangs or fails before the page's
//! own handler sees it. Whatever a handler accepts, it accepts after this.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Site;
use super::page::Unavailable;
use crate::switches::Fate;

pub async fn misbehave(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let latency = site.faults().latency(rand::random());
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let fate = site.faults().fate(&path);
    let response = match fate {
        Fate::Proceed => next.run(request).await,
        Fate::Fail => Unavailable.into_response(),
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
