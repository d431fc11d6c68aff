//! A few pages on loopback, at a free port.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::http::StatusCode;
use axum::response::Html;
use axum::routing::get;

/// Serves until the process ends; the thread is the server's own.
pub fn serve(router: Router) -> String {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, router).await.unwrap();
        });
    });
    format!("http://{address}")
}

/// A site of one page: `body` at `/`.
pub fn page(body: &'static str) -> String {
    serve(pages(&[("/", body)]))
}

pub fn pages(pages: &[(&'static str, &'static str)]) -> Router {
    pages.iter().fold(Router::new(), |router, (path, body)| {
        let html =
            format!("<!doctype html><html><head><title>A page</title></head><body>{body}</body></html>");
        router.route(path, get(move || async move { Html(html) }))
    })
}

pub fn status(code: u16) -> (StatusCode, Html<&'static str>) {
    (StatusCode::from_u16(code).unwrap(), Html("<!doctype html><title>Sorry</title><p>sorry</p>"))
}
