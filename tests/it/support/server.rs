//! A server of HTTP in this process, on a free port: names profiles and takes outcomes.
#![cfg(target_os = "linux")]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use tokio::net::TcpListener;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: String,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

type Answers = Arc<Mutex<dyn FnMut(&Asked) -> Response + Send>>;

/// Ends with the test.
pub struct Server {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    _runtime: tokio::runtime::Runtime,
}

impl Server {
    pub fn start(answer: impl FnMut(&Asked) -> Response + Send + 'static) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let state: (Arc<Mutex<Vec<Asked>>>, Answers) = (Arc::clone(&asked), Arc::new(Mutex::new(answer)));
        let router = Router::new().fallback(handle).with_state(state);
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { address, asked, _runtime: runtime }
    }

    /// Answers these in order, the last one for ever.
    pub fn answering(answers: Vec<Response>) -> Self {
        let mut answers = VecDeque::from(answers);
        Self::start(move |_| match answers.len() {
            1 => again(&mut answers),
            _ => answers.pop_front().unwrap(),
        })
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

/// A body cannot be sent twice, an answer without one can.
fn again(answers: &mut VecDeque<Response>) -> Response {
    let last = answers.pop_front().unwrap();
    let mut next = Response::new(Body::empty());
    *next.status_mut() = last.status();
    answers.push_back(next);
    last
}

async fn handle(
    State((asked, answers)): State<(Arc<Mutex<Vec<Asked>>>, Answers)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = Asked { method, uri, headers, body: String::from_utf8_lossy(&body).into_owned() };
    asked.lock().unwrap().push(request.clone());
    let mut answers = answers.lock().unwrap();
    answers(&request)
}

/// An answer of JSON, or of what is meant to be it.
pub fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Response {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body.into()).unwrap()
}
