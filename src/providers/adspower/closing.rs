//! Stops the browser that this folder has opened for a profile, and no other: AdsPower's `stop` names the
//! profile, and closes any browser of it that is open.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use super::answer::{self, ApiRefusal, RefusalKind};
use super::claim::Claim;
use super::request::ApiCall;
use super::{ANSWERS_WITHIN, AdsPower, CallError};
use crate::providers::ProviderError;
use crate::providers::liveness::{self, Liveness};
use regatta_core::id::ProfileId;

const POLL_INTERVAL: Duration = Duration::from_millis(100);

impl AdsPower {
    pub(super) async fn stop_browser(&self, profile: &ProfileId) -> Result<(), ProviderError> {
        let Some(claim) = self.claims.read(profile) else { return Ok(()) };
        let ws = match &claim.ws {
            Some(ws) if !self.is_gone(ws).await => Some(ws.clone()),
            _ => match self.still_listed(profile, &claim).await {
                Ok(ListedBrowser::Ours(ws)) => ws,
                Ok(ListedBrowser::NotOurs) => return self.claims.remove(profile),
                // Our browser is gone, also where AdsPower still lists it.
                Err(_) if claim.ws.is_some() => return self.claims.remove(profile),
                Err(error) => return Err(error),
            },
        };
        let answered = match self.call(&ApiCall::stop(profile), ANSWERS_WITHIN).await {
            Ok(_) | Err(CallError::Refused(ApiRefusal { kind: RefusalKind::NotOpen, .. })) => Ok(()),
            Err(failure) => Err(self.error(failure, profile)),
        };
        let Some(ws) = ws else {
            answered?;
            return self.claims.remove(profile);
        };
        // An AdsPower that does not stop it is no reason to leave it running.
        let stopped = answered.is_ok() && self.gone(&ws, self.settings.stop_timeout).await;
        if !stopped {
            liveness::close(&ws).await;
            if !self.gone(&ws, self.settings.stop_timeout).await {
                answered?;
                return Err(ProviderError::BrowserDoesNotEnd { profile: profile.clone(), pid: None });
            }
        }
        self.claims.remove(profile)
    }

    /// Returns what AdsPower has open for a profile whose browser does not answer, or was never named.
    async fn still_listed(&self, profile: &ProfileId, claim: &Claim) -> Result<ListedBrowser, ProviderError> {
        let call = ApiCall::active(profile).with_stop_priority();
        let data = match self.call(&call, ANSWERS_WITHIN).await {
            Ok(data) => data,
            // It was deleted meanwhile.
            Err(CallError::Refused(ApiRefusal { kind: RefusalKind::UnknownProfile, .. })) => {
                return Ok(ListedBrowser::NotOurs);
            }
            Err(failure) => return Err(self.error(failure, profile)),
        };
        let active = data["status"] == "Active";
        match answer::browser_address(&data).filter(|_| active) {
            Some(ws) if self.owns(Some(claim), &ws).await => Ok(ListedBrowser::Ours(Some(ws))),
            Some(_) => Ok(ListedBrowser::NotOurs),
            // A start that was cut off may be opening it still.
            None if claim.may_be_opening(Timestamp::now(), self.settings.start_timeout) => {
                Ok(ListedBrowser::Ours(None))
            }
            None => Ok(ListedBrowser::NotOurs),
        }
    }

    /// Whether no browser is at this address: a refused connection counts when it comes twice, since a busy
    /// browser refuses now and then.
    pub(super) async fn is_gone(&self, ws: &str) -> bool {
        let gone = async || liveness::liveness(&self.browsers, ws).await == Liveness::Gone;
        if !gone().await {
            return false;
        }
        sleep(POLL_INTERVAL).await;
        gone().await
    }

    async fn gone(&self, ws: &str, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        loop {
            if self.is_gone(ws).await {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            sleep(POLL_INTERVAL).await;
        }
    }
}

enum ListedBrowser {
    /// The browser of our start, by its address where it has one.
    Ours(Option<String>),
    /// None, or one that a person or another program has opened.
    NotOurs,
}
