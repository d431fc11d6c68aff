//! The server: a handful of paths, each checked by the guard first.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::sse::{Event as SseEvent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::stream::{Stream, unfold};
use tokio::net::TcpListener;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::spawn_blocking;

use super::detail::ProfileDetail;
use super::guard::RequestGuard;
use super::metrics::{CONTENT_TYPE, metrics};
use super::{ActionRefusal, Backend, DashboardFeed, ProfileAction};
use regatta_core::id::ProfileId;

/// The most of a profile's events and of its log on its page.
const TAIL: usize = 200;

/// The page requests nothing from other servers, and no other site may frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
/// Evidence shows what a page held: it runs no script and requests nothing.
const EVIDENCE_POLICY: &str =
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

const ASSETS: [(&str, &str, &str); 9] = [
    ("/", "text/html; charset=utf-8", include_str!("assets/index.html")),
    ("/style.css", "text/css; charset=utf-8", include_str!("assets/style.css")),
    ("/app.js", JAVASCRIPT, include_str!("assets/app.js")),
    ("/model.js", JAVASCRIPT, include_str!("assets/model.js")),
    ("/plots.js", JAVASCRIPT, include_str!("assets/plots.js")),
    ("/table.js", JAVASCRIPT, include_str!("assets/table.js")),
    ("/profile.js", JAVASCRIPT, include_str!("assets/profile.js")),
    ("/dom.js", JAVASCRIPT, include_str!("assets/dom.js")),
    ("/icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
];
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

struct DashboardServer {
    board: Arc<DashboardFeed>,
    backend: Arc<dyn Backend>,
    guard: RequestGuard,
}

/// Until the future is dropped.
pub async fn serve(
    listener: TcpListener,
    board: Arc<DashboardFeed>,
    backend: Arc<dyn Backend>,
    guard: RequestGuard,
) -> std::io::Result<()> {
    let site = Arc::new(DashboardServer { board, backend, guard });
    let mut router = Router::new()
        .route("/events", get(events))
        .route("/api/profiles/{profile}", get(profile))
        .route("/api/profiles/{profile}/{action}", post(act))
        .route("/artifacts/{profile}/{*path}", get(artifact))
        .route("/metrics", get(scrape))
        .route("/healthz", get(|| async { "ok\n" }));
    for (path, kind, text) in ASSETS {
        router = router.route(path, get(move || async move { ([(header::CONTENT_TYPE, kind)], text) }));
    }
    let router = router
        .fallback(|| async { refusal(StatusCode::NOT_FOUND, "there is nothing here") })
        .layer(from_fn_with_state(Arc::clone(&site), guarded))
        .with_state(site);
    axum::serve(listener, router).await
}

async fn guarded(State(site): State<Arc<DashboardServer>>, request: Request, next: Next) -> Response {
    let mut response = match site.guard.may_read(request.headers()) {
        Ok(()) => next.run(request).await,
        Err((status, why)) => refusal(status, why),
    };
    let headers = response.headers_mut();
    let usual = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in usual {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

async fn events(
    State(site): State<Arc<DashboardServer>>,
) -> Sse<impl Stream<Item = Result<SseEvent, Infallible>>> {
    let stream = unfold(StreamState::Begin, move |watching| {
        let site = Arc::clone(&site);
        async move {
            let whole = || {
                let (whole, changes) = site.board.watch(jiff::Timestamp::now());
                (SseEvent::default().event("whole").data(whole), changes)
            };
            let (event, changes) = match watching {
                StreamState::Begin => whole(),
                StreamState::Changes(mut changes) => match changes.recv().await {
                    Ok(text) => (SseEvent::default().event("change").data(&*text), changes),
                    Err(RecvError::Lagged(_)) => whole(),
                    Err(RecvError::Closed) => return None,
                },
            };
            Some((Ok(event), StreamState::Changes(changes)))
        }
    });
    Sse::new(stream).keep_alive(KeepAlive::default())
}

enum StreamState {
    Begin,
    Changes(Receiver<Arc<str>>),
}

async fn profile(State(site): State<Arc<DashboardServer>>, Path(id): Path<String>) -> Response {
    let Ok(id) = id.parse::<ProfileId>() else { return unknown() };
    let backend = Arc::clone(&site.backend);
    let read = spawn_blocking(move || {
        let view = backend.view(&id)?;
        let detail = ProfileDetail::of(view, backend.events(&id, TAIL), backend.log(&id, TAIL));
        Some(serde_json::to_string(&detail).unwrap_or_default())
    });
    match read.await {
        Ok(Some(json)) => ([(header::CONTENT_TYPE, "application/json")], json).into_response(),
        _ => unknown(),
    }
}

async fn act(
    State(site): State<Arc<DashboardServer>>,
    Path((id, action)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if let Err((status, why)) = site.guard.may_act(&headers) {
        return refusal(status, why);
    }
    let (Ok(id), Some(action)) = (id.parse::<ProfileId>(), ProfileAction::parse(&action)) else {
        return unknown();
    };
    let backend = Arc::clone(&site.backend);
    match spawn_blocking(move || backend.act(action, &id)).await {
        Ok(Ok(done)) => json(StatusCode::OK, &serde_json::json!({ "done": done })),
        Ok(Err(refused)) => json(StatusCode::CONFLICT, &refused),
        Err(_) => refusal(StatusCode::INTERNAL_SERVER_ERROR, "it was not done: see the log"),
    }
}

async fn artifact(
    State(site): State<Arc<DashboardServer>>,
    Path((id, path)): Path<(String, String)>,
) -> Response {
    let Ok(id) = id.parse::<ProfileId>() else { return unknown() };
    let kind = match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("png") => "image/png",
        Some("txt") => "text/plain; charset=utf-8",
        Some("zip") => "application/zip",
        _ => "application/octet-stream",
    };
    let backend = Arc::clone(&site.backend);
    match spawn_blocking(move || backend.artifact(&id, &path)).await {
        Ok(Some(bytes)) => {
            let headers = [(header::CONTENT_TYPE, kind), (header::CONTENT_SECURITY_POLICY, EVIDENCE_POLICY)];
            (headers, bytes).into_response()
        }
        _ => refusal(StatusCode::NOT_FOUND, "there is no such file among the profile's artifacts"),
    }
}

async fn scrape(State(site): State<Arc<DashboardServer>>) -> Response {
    let overview = site.board.overview();
    let backend = Arc::clone(&site.backend);
    let text = spawn_blocking(move || metrics(&overview, backend.memory())).await.unwrap_or_default();
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response()
}

fn unknown() -> Response {
    refusal(StatusCode::NOT_FOUND, "no such profile in this folder")
}

fn refusal(status: StatusCode, why: &str) -> Response {
    json(status, &ActionRefusal { error: why.to_owned(), hint: None })
}

fn json(status: StatusCode, body: &impl serde::Serialize) -> Response {
    let text = serde_json::to_string(body).unwrap_or_default() + "\n";
    (status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
}
