//! One answered call, however often it must be made: paced, made again where AdsPower refuses it for
//! haste, and made again where AdsPower is restarting.

use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::StatusCode;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use super::answer::{self, ApiAnswer, ApiRefusal};
use super::claim::{Claim, StartCallTimes};
use super::request::ApiCall;
use super::{AdsPower, CallError};
use crate::providers::{ProviderError, ProviderNews};
use crate::store::{CallPriority, PacerDecision};

/// A wait for the pacer that is shorter is reported only when it is over.
const REPORTED_AFTER: Duration = Duration::from_secs(2);
/// Between two attempts to reach an application that restarts, and two polls of a browser that starts.
pub const TRY_AGAIN: Duration = Duration::from_secs(1);
/// Refusals for too many calls; another program may use the same budget.
const MOST_THROTTLED: u32 = 8;
const LONGEST_BACK_OFF: Duration = Duration::from_secs(8);

/// When a call was sent, over all its repetitions.
#[derive(Debug, Default)]
pub struct CallTimes {
    /// Its timeout counts from here: the wait for its turn does not.
    pub first: Option<Instant>,
    /// For a start: the first one that may have opened the browser.
    pub claimed_since: Option<Timestamp>,
}

impl AdsPower {
    pub(super) async fn call(&self, call: &ApiCall<'_>, timeout: Duration) -> Result<Value, CallError> {
        self.call_noting(call, timeout, &mut CallTimes::default()).await
    }

    pub(super) async fn call_noting(
        &self,
        call: &ApiCall<'_>,
        timeout: Duration,
        sent: &mut CallTimes,
    ) -> Result<Value, CallError> {
        let mut throttled = 0;
        let mut unreachable_since: Option<Instant> = None;
        loop {
            self.wait_for_turn(call).await.map_err(CallError::Other)?;
            self.claim(call, sent).map_err(CallError::Other)?;
            sent.first.get_or_insert_with(Instant::now);
            match self.send(call, timeout).await {
                Ok(ApiAnswer::Success(data)) => return Ok(data),
                Ok(ApiAnswer::Refusal(refusal)) => {
                    // A refused start has opened nothing.
                    sent.claimed_since = None;
                    if refusal.kind != answer::RefusalKind::Throttled {
                        return Err(CallError::Refused(refusal));
                    }
                    throttled += 1;
                    self.throttled.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(call = call.name, "AdsPower refused a call: too many of them");
                    if throttled >= MOST_THROTTLED {
                        return Err(CallError::Other(ProviderError::Throttled {
                            call: call.name,
                            times: throttled,
                        }));
                    }
                    sleep(back_off(throttled, self.settings.calls_per_second)).await;
                }
                // Start, stop, active and list may all be repeated, so it does not matter whether
                // the application went away before it read the call or after.
                Err(ProviderError::Unreachable { url, problem }) => {
                    let since = *unreachable_since.get_or_insert_with(Instant::now);
                    if !call.waits_for_restart || since.elapsed() >= self.settings.restart_timeout {
                        return Err(CallError::Other(ProviderError::Unreachable { url, problem }));
                    }
                    sleep(TRY_AGAIN.min(self.settings.restart_timeout)).await;
                }
                Err(error) => return Err(CallError::Other(error)),
            }
        }
    }

    /// The browser that a start may open is ours however this process ends, so the claim is durable first. It is
    /// written when its turn has come: a run that dies in the queue has asked for nothing.
    fn claim(&self, call: &ApiCall<'_>, sent: &mut CallTimes) -> Result<(), ProviderError> {
        let Some(profile) = call.opens() else { return Ok(()) };
        let now = Timestamp::now();
        let first = *sent.claimed_since.get_or_insert(now);
        self.claims.write(profile, &Claim { ws: None, asked: Some(StartCallTimes { first, last: now }) })
    }

    async fn send(&self, call: &ApiCall<'_>, timeout: Duration) -> Result<ApiAnswer, ProviderError> {
        let base_url = self.settings.base_url.trim_end_matches('/');
        let mut request = call.request(&self.api, base_url, self.settings.api).timeout(timeout);
        if let Some(key) = &self.settings.key {
            request = request.bearer_auth(key.expose_secret());
        }
        let answered = async {
            let response = request.send().await?;
            let status = response.status();
            Ok::<_, reqwest::Error>((status, response.bytes().await?))
        };
        match answered.await {
            Ok((status, body)) => self.understand(call, status, &body),
            Err(error) if error.is_timeout() && !error.is_connect() => {
                Err(ProviderError::TimedOut { call: call.name, after: timeout })
            }
            Err(error) => Err(self.not_reachable(root_cause(&error))),
        }
    }

    /// AdsPower answers 200 nearly always; other statuses come from applications too old for a call, and
    /// from a proxy in front of AdsPower.
    fn understand(
        &self,
        call: &ApiCall<'_>,
        status: StatusCode,
        body: &[u8],
    ) -> Result<ApiAnswer, ProviderError> {
        let base_url = || self.settings.base_url.trim_end_matches('/').to_owned();
        let answer = ApiAnswer::parse(call.name, body);
        match (status, answer) {
            (StatusCode::TOO_MANY_REQUESTS, _) => Ok(ApiAnswer::Refusal(ApiRefusal::throttled(call.name))),
            (StatusCode::NOT_FOUND, _) if call.is_of_second_version(self.settings.api) => {
                Err(ProviderError::UnknownCall { url: base_url(), call: call.name })
            }
            (_, Some(answer)) => Ok(answer),
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, None) => {
                Ok(ApiAnswer::Refusal(ApiRefusal::unauthorized(call.name, format!("HTTP {status}"))))
            }
            (status, None) if status.is_server_error() => Err(self.not_reachable(format!("HTTP {status}"))),
            (status, None) => Err(ProviderError::UnexpectedReply {
                url: base_url(),
                call: call.name,
                problem: format!("HTTP {status} without AdsPower's JSON"),
            }),
        }
    }

    fn not_reachable(&self, problem: String) -> ProviderError {
        ProviderError::Unreachable { url: self.settings.base_url.clone(), problem }
    }

    async fn wait_for_turn(&self, call: &ApiCall<'_>) -> Result<(), ProviderError> {
        let began = Instant::now();
        let turn = self.turn(call);
        tokio::pin!(turn);
        let waited = match timeout(REPORTED_AFTER, &mut turn).await {
            Ok(waited) => waited?,
            Err(_) => {
                self.emit(ProviderNews::Waits { call: call.name });
                turn.await?
            }
        };
        if waited {
            self.emit(ProviderNews::Waited { call: call.name, waited: began.elapsed() });
        }
        Ok(())
    }

    /// Whether there was a wait. A list has a second limit of its own. It must keep both at the moment it
    /// is made, so it passes the other one again when it had to wait for its own.
    async fn turn(&self, call: &ApiCall<'_>) -> Result<bool, ProviderError> {
        let list = call.is_list.then(|| self.list_pacer.reserve(CallPriority::Normal)).transpose()?;
        let mut waited = false;
        if let Some(ticket) = &list {
            let wait = Duration::try_from(ticket.at.duration_since(Timestamp::now())).unwrap_or_default();
            waited |= !wait.is_zero();
            sleep(wait).await;
        }
        loop {
            waited |= self.pacer.turn(call.urgency).await?;
            match list.as_ref().map(|ticket| self.list_pacer.confirm(ticket)).transpose()? {
                None | Some(PacerDecision::Confirmed { .. }) => return Ok(waited),
                Some(PacerDecision::WaitMore(wait)) => sleep(wait).await,
            }
        }
    }
}

/// Doubles from one interval on.
pub(super) fn back_off(times: u32, calls_per_second: f64) -> Duration {
    let interval = Duration::from_secs_f64(1.0 / calls_per_second.clamp(0.01, 1000.0));
    interval.saturating_mul(1 << times.min(16)).min(LONGEST_BACK_OFF)
}

/// The last of the causes: the others only say that a request failed.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
