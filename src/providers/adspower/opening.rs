//! Opens the browser of a profile, or finds the one that this folder has opened before. A browser that a
//! person or another program has opened on this machine is in use, and is never taken over.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use super::answer;
use super::calling::{CallTimes, TRY_AGAIN};
use super::claim::Claim;
use super::request::ApiCall;
use super::{ANSWERS_WITHIN, AdsPower, CallError};
use crate::providers::liveness::{self, Liveness};
use crate::providers::{Endpoint, ProviderError, ProviderNews, StartOptions};
use regatta_core::id::ProfileId;

const DOWNLOAD_AGAIN: Duration = Duration::from_secs(2);
/// Often enough that a run which waits for it is not taken for a stalled one.
const REPORT_DOWNLOAD: Duration = Duration::from_secs(15);
/// Answers that name a port and no DevTools address, until the browser counts as one without them.
const MOST_WITHOUT_DEVTOOLS: u32 = 3;

impl AdsPower {
    pub(super) async fn start_browser(
        &self,
        profile: &ProfileId,
        options: &StartOptions,
    ) -> Result<Endpoint, ProviderError> {
        let claim = self.claims.read(profile);
        if let Some(ws) = claim.as_ref().and_then(|claim| claim.ws.clone())
            && liveness::liveness(&self.browsers, &ws).await == Liveness::Alive
        {
            return Ok(Endpoint { ws, reused: true });
        }
        if let Some(endpoint) = self.opened_before(profile, claim.as_ref()).await? {
            return Ok(endpoint);
        }
        let mut sent = CallTimes::default();
        let started = self.start_until_ready(profile, options, &mut sent).await;
        match started {
            Ok(endpoint) => {
                self.refuse_a_browser_opened_meanwhile(profile, &endpoint.ws).await?;
                if let Err(error) = self.claims.write(profile, &Claim::of(&endpoint.ws)) {
                    tracing::warn!(%profile, %error, "the opened browser is not written down");
                }
                Ok(endpoint)
            }
            Err(error) => {
                self.give_up(profile, &error, &sent).await?;
                Err(error)
            }
        }
    }

    /// Returns the browser that is open already. One of this folder is reused, any other is refused.
    async fn opened_before(
        &self,
        profile: &ProfileId,
        claim: Option<&Claim>,
    ) -> Result<Option<Endpoint>, ProviderError> {
        let call = ApiCall::active(profile).waiting_for_a_restart();
        let data = self.call(&call, ANSWERS_WITHIN).await.map_err(|failure| self.error(failure, profile))?;
        if data["status"] != "Active" {
            return Ok(None);
        }
        let Some(ws) = answer::browser_address(&data) else {
            // It is being opened; by us, if our start was cut off just now: the next one fills in the address.
            let is_ours = claim
                .is_some_and(|claim| claim.may_be_opening(Timestamp::now(), self.settings.start_timeout));
            return if is_ours {
                Ok(None)
            } else {
                Err(ProviderError::OpenHere { profile: profile.clone() })
            };
        };
        if self.owns(claim, &ws).await {
            self.claims.write(profile, &Claim::of(&ws))?;
            return Ok(Some(Endpoint { ws, reused: true }));
        }
        // AdsPower may list one that is dead.
        if self.is_gone(&ws).await {
            return Ok(None);
        }
        Err(ProviderError::OpenHere { profile: profile.clone() })
    }

    /// Whether the browser at `ws`, which is open, was opened for this folder.
    pub(super) async fn owns(&self, claim: Option<&Claim>, ws: &str) -> bool {
        let Some(claim) = claim else { return false };
        let born = if claim.ws.is_none() { liveness::born(ws).await } else { None };
        claim.owns(ws, born, Timestamp::now(), self.settings.start_timeout)
    }

    /// Between the question whether it is open and the start some seconds may pass. A start hands out a
    /// browser that was opened in between, and the age of its process identifies it.
    async fn refuse_a_browser_opened_meanwhile(
        &self,
        profile: &ProfileId,
        ws: &str,
    ) -> Result<(), ProviderError> {
        let claim = self.claims.read(profile);
        if self.owns(claim.as_ref(), ws).await {
            return Ok(());
        }
        self.claims.remove(profile)?;
        Err(ProviderError::OpenHere { profile: profile.clone() })
    }

    async fn give_up(
        &self,
        profile: &ProfileId,
        error: &ProviderError,
        sent: &CallTimes,
    ) -> Result<(), ProviderError> {
        match error {
            // It may still come up, and no run would be there to use it.
            ProviderError::TimedOut { .. }
            | ProviderError::NotReady { .. }
            | ProviderError::NoDevTools { .. } => {
                if let Err(error) = self.stop_browser(profile).await {
                    tracing::warn!(%profile, %error, "a browser that did not become ready is not stopped");
                }
                Ok(())
            }
            // Every start was refused: nothing was opened, so nothing has to be stopped.
            _ if sent.claimed_since.is_none() => self.claims.remove(profile),
            _ => Ok(()),
        }
    }

    /// AdsPower says yes before the browser listens; the next `start` of it then says where.
    async fn start_until_ready(
        &self,
        profile: &ProfileId,
        options: &StartOptions,
        sent: &mut CallTimes,
    ) -> Result<Endpoint, ProviderError> {
        let call =
            ApiCall::start(profile, options.headless, &self.settings.launch, &self.settings.launch_args);
        let timeout = self.settings.start_timeout;
        let mut kernel = KernelWait::default();
        let mut without_devtools = 0;
        loop {
            let left = sent.first.map_or(timeout, |first| timeout.saturating_sub(first.elapsed()));
            if left.is_zero() {
                let output = String::new();
                return Err(ProviderError::NotReady { profile: profile.clone(), after: timeout, output });
            }
            let data = match self.call_noting(&call, left, sent).await {
                Ok(data) => data,
                Err(CallError::Refused(refusal)) if refusal.kernel().is_some() => {
                    self.wait_for_kernel(profile, refusal, &mut kernel).await?;
                    // The time of a download does not count as the start's.
                    sent.first = None;
                    continue;
                }
                Err(failure) => return Err(self.error(failure, profile)),
            };
            if let Some(ws) = answer::browser_address(&data) {
                return Ok(Endpoint { ws, reused: false });
            }
            without_devtools += u32::from(answer::names_a_port_only(&data));
            if without_devtools >= MOST_WITHOUT_DEVTOOLS {
                return Err(ProviderError::NoDevTools { profile: profile.clone() });
            }
            let left = sent.first.map_or(timeout, |first| timeout.saturating_sub(first.elapsed()));
            sleep(TRY_AGAIN.min(left)).await;
        }
    }

    /// Returns when the start is to be tried again. A kernel that AdsPower does not download
    /// automatically is requested once: "is updating, waiting for download" may be followed by "is not ready, please to
    /// download" and then succeed.
    async fn wait_for_kernel(
        &self,
        profile: &ProfileId,
        refusal: answer::ApiRefusal,
        wait: &mut KernelWait,
    ) -> Result<(), ProviderError> {
        let Some(kernel) = refusal.kernel() else { return Ok(()) };
        if kernel.is_firefox() {
            return Err(ProviderError::FirefoxKernel { profile: profile.clone(), message: refusal.message });
        }
        if wait.since.is_some_and(|since| since.elapsed() >= self.settings.kernel_timeout) {
            return Err(refusal.into_error(Some(profile), None));
        }
        let since = *wait.since.get_or_insert_with(Instant::now);
        if !refusal.is_downloading() && !wait.requested {
            let Some(version) = &kernel.version else { return Err(refusal.into_error(Some(profile), None)) };
            let call = ApiCall::download_kernel(version);
            if let Err(failure) = self.call(&call, ANSWERS_WITHIN).await {
                tracing::warn!(%profile, error = %self.error(failure, profile), "AdsPower does not download the kernel");
                return Err(refusal.into_error(Some(profile), None));
            }
            wait.requested = true;
        }
        if wait.is_report_due() {
            self.emit(ProviderNews::KernelDownloading { message: refusal.message, waited: since.elapsed() });
        }
        sleep(DOWNLOAD_AGAIN).await;
        Ok(())
    }
}

/// A kernel that a start waits for.
#[derive(Debug, Default)]
struct KernelWait {
    since: Option<Instant>,
    reported: Option<Instant>,
    /// AdsPower was asked to download it.
    requested: bool,
}

impl KernelWait {
    fn is_report_due(&mut self) -> bool {
        let due = self.reported.is_none_or(|reported| reported.elapsed() >= REPORT_DOWNLOAD);
        if due {
            self.reported = Some(Instant::now());
        }
        due
    }
}
