//! Notifies a webhook of what needs a person: a profile that waits for an answer, and the end of
//! the fleet. Signed as Standard Webhooks has it (<https://www.standardwebhooks.com>).
//!
//! A thread of its own delivers, one after the other, in order: a slow receiver delays no run. Nothing
//! here names the address in full, which may hold a secret.

use std::fmt;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use url::Url;

use crate::http;
use regatta_core::error_chain::with_cause;
use regatta_core::fleet::JobOutcome;
use regatta_core::fleet::fact::{FleetFact, FleetNotice};
use regatta_core::fleet::report::{FleetReport, ProfileReport};

/// Tries of one message, and the first pause between two; each is twice as long as the one before.
const TRIES: u32 = 6;
const PAUSE: Duration = Duration::from_millis(500);
/// The time for one try.
const BOUND: Duration = Duration::from_secs(10);
/// After the end of the fleet, for what is still to be delivered.
const PATIENCE: Duration = Duration::from_secs(60);
/// Profiles in trouble that the end of the fleet names.
const NAMED: usize = 100;

#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    url: Url,
    key: Option<Vec<u8>>,
}

impl Webhook {
    /// `secret`: `whsec_` and base64, or else any text. Without one messages are not signed.
    pub fn new(url: Url, secret: Option<&str>) -> Result<Self, String> {
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err("a webhook has an address as in https://hooks.example/fleet".to_owned());
        }
        let key = secret.map(|secret| match secret.strip_prefix("whsec_") {
            Some(coded) => {
                STANDARD.decode(coded).map_err(|_| "what follows `whsec_` is not base64".to_owned())
            }
            None => Ok(secret.as_bytes().to_vec()),
        });
        Ok(Self { url, key: key.transpose()? })
    }

    /// Scheme, host and port: the rest may hold a secret.
    fn place(&self) -> String {
        self.url.origin().ascii_serialization()
    }
}

/// Names no secret.
impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("place", &self.place()).finish_non_exhaustive()
    }
}

/// Delivers until it is finished.
pub struct Notifier {
    messages: Option<Sender<WebhookMessage>>,
    problems: Receiver<String>,
    thread: Option<JoinHandle<()>>,
    place: String,
}

#[derive(Debug, Clone, PartialEq)]
struct WebhookMessage {
    id: String,
    at: jiff::Timestamp,
    body: Value,
}

impl Notifier {
    pub fn start(webhook: Webhook) -> io::Result<Self> {
        Self::with_pause(webhook, PAUSE)
    }

    fn with_pause(webhook: Webhook, pause: Duration) -> io::Result<Self> {
        let (messages, waiting) = channel::<WebhookMessage>();
        let (reported, problems) = channel();
        let place = webhook.place();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let deliver = move || {
            let client = http::builder().timeout(BOUND).redirect(reqwest::redirect::Policy::none());
            let client = match client.build() {
                Ok(client) => client,
                Err(error) => {
                    let _ = reported.send(with_cause(&error.without_url()));
                    return;
                }
            };
            for message in waiting {
                if let Err(problem) = runtime.block_on(deliver(&client, &webhook, &message, pause)) {
                    let _ = reported.send(problem);
                }
            }
        };
        let thread = std::thread::Builder::new().name("webhook".to_owned()).spawn(deliver)?;
        Ok(Self { messages: Some(messages), problems, thread: Some(thread), place })
    }

    pub fn observe(&self, notice: &FleetNotice) {
        let FleetFact::ProfileEnded(report) = &notice.fact else { return };
        // A profile that waited before the fleet began was reported then.
        if report.outcome == JobOutcome::NeedsAttention && report.attempts > 0 {
            self.send("profile.needs_attention", notice.at, profile(report));
        }
    }

    /// Waits until everything is delivered, or for a minute. Gives what could not be, in words.
    pub fn finish(mut self, report: &FleetReport) -> Vec<String> {
        self.send("fleet.finished", jiff::Timestamp::now(), fleet(report));
        self.messages = None;
        let deadline = std::time::Instant::now() + PATIENCE;
        let mut problems = Vec::new();
        loop {
            match self.problems.recv_timeout(deadline.saturating_duration_since(std::time::Instant::now())) {
                Ok(problem) => problems.push(problem),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    problems.push(format!("not everything was delivered within {} s", PATIENCE.as_secs()));
                    // The thread ends with the process.
                    self.thread = None;
                    break;
                }
            }
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let place = &self.place;
        problems.into_iter().map(|problem| format!("the webhook at {place}: {problem}")).collect()
    }

    fn send(&self, kind: &str, at: jiff::Timestamp, data: Value) {
        let body = json!({ "type": kind, "timestamp": at, "data": data });
        let id = format!("msg_{:032x}", rand::random::<u128>());
        if let Some(messages) = &self.messages {
            // Its thread says itself why it ended.
            let _ = messages.send(WebhookMessage { id, at, body });
        }
    }
}

/// The same id at every try, so that a receiver recognises a repetition.
async fn deliver(
    client: &reqwest::Client,
    webhook: &Webhook,
    message: &WebhookMessage,
    pause: Duration,
) -> Result<(), String> {
    let body = message.body.to_string();
    let mut problem = String::new();
    for again in 0..TRIES {
        if again > 0 {
            tokio::time::sleep(pause * 2_u32.pow(again - 1)).await;
        }
        let at = jiff::Timestamp::now().as_second().to_string();
        let mut request = client
            .post(webhook.url.clone())
            .header("content-type", "application/json")
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", &at);
        if let Some(key) = &webhook.key {
            request = request.header("webhook-signature", signature(key, &message.id, &at, &body));
        }
        match request.body(body.clone()).send().await {
            Ok(answer) if answer.status().is_success() => return Ok(()),
            Ok(answer) => {
                let status = answer.status();
                problem = format!("it answered {status}");
                let is_worth_it = status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429);
                if !is_worth_it {
                    return Err(problem);
                }
            }
            Err(error) => problem = with_cause(&error.without_url()),
        }
    }
    Err(format!("{problem}, {TRIES} times"))
}

fn signature(key: &[u8], id: &str, at: &str, body: &str) -> String {
    // Infallible: a key of any length will do.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(format!("{id}.{at}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

fn profile(report: &ProfileReport) -> Value {
    json!({
        "profile_id": report.profile_id,
        "steps_done": report.steps_done,
        "steps": report.steps,
        "attempts": report.attempts,
        "message": report.last_error,
        "evidence": report.evidence,
    })
}

fn fleet(report: &FleetReport) -> Value {
    let in_trouble = report.profiles.iter().filter(|profile| profile.outcome != JobOutcome::Completed);
    json!({
        "outcome": report.outcome,
        "exit_code": report.exit_code,
        "started_at": report.started_at,
        "ms": report.ms,
        "tally": report.tally,
        "not_completed": in_trouble.take(NAMED).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests;
