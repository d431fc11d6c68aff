//! AdsPower's Local API. [`answer`] parses its answers and refusals, [`request`] builds the calls of its two
//! versions.
//!
//! Every call passes the pacer that all processes of a folder share. An opened browser is written
//! down beside the profile ([`claim`]): AdsPower does not say who opened it, and after a restart it may say
//! that a browser is closed while it runs. The browser's own port knows better, and needs no call.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use self::answer::ApiRefusal;
use self::claim::Claims;
pub use self::listing::{ProfileChoice, ResolvedReferences};
use self::request::{ApiCall, ListFilter};
use super::liveness::{self, Liveness};
use super::{
    Endpoint, ListedProfile, OnProviderNews, OpenBrowser, Provider, ProviderError, ProviderNews, StartOptions,
};
use crate::defaults;
use crate::store::provider_labels::ProviderLabels;
use crate::store::{Layout, Pacer};
use regatta_core::id::ProfileId;
use regatta_core::workflow::launch::LaunchSettings;

mod answer;
mod calling;
mod claim;
mod closing;
mod listing;
mod opening;
mod request;

/// Calls that merely ask and answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);
const PROBED_WITHIN: Duration = Duration::from_secs(10);
const CONNECTS_WITHIN: Duration = Duration::from_secs(5);
const PAGE: usize = 100;
const MOST_PAGES: usize = 1000;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApiVersion {
    V1,
    #[default]
    V2,
}

#[derive(Debug, Clone)]
pub struct AdsPowerSettings {
    /// `http://127.0.0.1:50325`
    pub base_url: String,
    pub api: ApiVersion,
    /// Needed where the app's security verification is on. `Debug` hides it.
    pub key: Option<SecretString>,
    /// The variable the key comes from, for messages.
    pub key_env: Option<String>,
    /// 1 is allowed everywhere; see AdsPower's table by number of profiles.
    pub calls_per_second: f64,
    /// From the first `start` call on; the wait for its turn does not count.
    pub start_timeout: Duration,
    /// How long an app that restarts is waited for.
    pub restart_timeout: Duration,
    /// From the answer to `stop` until the browser no longer listens.
    pub stop_timeout: Duration,
    /// How long a kernel that AdsPower downloads is waited for.
    pub kernel_timeout: Duration,
    /// The parameters of a start besides the profile. A value given here has priority over the profile's own.
    pub launch: LaunchSettings,
    /// Further arguments of the browser, in the place of the profile's own.
    pub launch_args: Vec<String>,
}

impl Default for AdsPowerSettings {
    fn default() -> Self {
        Self {
            base_url: defaults::ADSPOWER_URL.to_owned(),
            api: ApiVersion::default(),
            key: None,
            key_env: None,
            calls_per_second: defaults::ADSPOWER_CALLS_PER_SECOND,
            start_timeout: defaults::ADSPOWER_START,
            restart_timeout: defaults::ADSPOWER_RESTART,
            stop_timeout: defaults::ADSPOWER_STOP,
            kernel_timeout: defaults::ADSPOWER_KERNEL,
            launch: LaunchSettings::default(),
            launch_args: Vec::new(),
        }
    }
}

pub struct AdsPower {
    claims: Claims,
    labels: ProviderLabels,
    settings: AdsPowerSettings,
    api: reqwest::Client,
    browsers: reqwest::Client,
    pacer: Pacer,
    /// Lists are allowed once a second on any plan.
    list_pacer: Pacer,
    on_news: Option<OnProviderNews>,
    throttled: AtomicU64,
}

impl AdsPower {
    pub fn new(layout: Layout, settings: AdsPowerSettings, on_news: Option<OnProviderNews>) -> Self {
        // A little more than the limit allows: a call takes a varying time to get there.
        let interval = Duration::from_secs_f64(1.05 / settings.calls_per_second.clamp(0.01, 1000.0));
        let api = crate::http::local()
            .connect_timeout(CONNECTS_WITHIN)
            // An app that restarted would be met with a connection of its former life.
            .pool_max_idle_per_host(0)
            .build()
            .expect("a client without TLS and proxy has nothing to fail at");
        Self {
            pacer: Pacer::new(&layout, "adspower", interval),
            list_pacer: Pacer::new(&layout, "adspower-list", Duration::from_millis(1050)),
            labels: ProviderLabels::new(&layout, "adspower"),
            claims: Claims::new(layout),
            settings,
            api,
            browsers: liveness::client(),
            on_news,
            throttled: AtomicU64::new(0),
        }
    }

    /// Calls that AdsPower refused because there were too many.
    pub fn throttled(&self) -> u64 {
        self.throttled.load(Ordering::Relaxed)
    }

    async fn active_browser(&self, profile: &ProfileId) -> Result<Option<Endpoint>, ProviderError> {
        let data = self
            .call(&ApiCall::active(profile), ANSWERS_WITHIN)
            .await
            .map_err(|failure| self.error(failure, profile))?;
        if data["status"] == "Active"
            && let Some(ws) = answer::browser_address(&data)
        {
            return Ok(Some(Endpoint { ws, reused: true }));
        }
        let Some(ws) = self.claimed_address(profile) else { return Ok(None) };
        let alive = liveness::liveness(&self.browsers, &ws).await == Liveness::Alive;
        Ok(alive.then_some(Endpoint { ws, reused: true }))
    }

    fn claimed_address(&self, profile: &ProfileId) -> Option<String> {
        self.claims.read(profile)?.ws
    }

    /// By their own ports, which know better than AdsPower and cost no call.
    async fn still_open(&self, profiles: &[ProfileId]) -> Vec<OpenBrowser> {
        let mut open = Vec::new();
        for profile in profiles {
            let Some(ws) = self.claimed_address(profile) else { continue };
            if liveness::liveness(&self.browsers, &ws).await != Liveness::Gone {
                open.push(OpenBrowser { profile: profile.clone(), pid: None, ws: Some(ws) });
            }
        }
        open
    }

    /// Two calls for all of them: who has them open anywhere, and what is open here. In its multi-device
    /// mode AdsPower answers the first with nothing, so the second is asked in any case.
    async fn used_by_others(&self, profiles: &[ProfileId]) -> Result<Vec<ProfileId>, ProviderError> {
        let anywhere = self.call(&ApiCall::cloud_active(profiles), ANSWERS_WITHIN).await;
        let anywhere = answer::open_profiles(&anywhere.map_err(|failure| self.error_of_all(failure))?);
        let here = self.call(&ApiCall::local_active(), ANSWERS_WITHIN).await;
        let here = answer::open_browsers(&here.map_err(|failure| self.error_of_all(failure))?);
        let mut open = Vec::new();
        for profile in profiles {
            let is_in_use = match here.get(profile) {
                Some(ws) => !self.may_be_ours(profile, ws.as_deref()),
                // AdsPower may have forgotten our own browser here: others do not use that one.
                None if anywhere.contains(profile) => {
                    self.still_open(std::slice::from_ref(profile)).await.is_empty()
                }
                None => false,
            };
            if is_in_use {
                open.push(profile.clone());
            }
        }
        Ok(open)
    }

    /// Whether the run of the profile may take this browser over, as far as that is known without asking it:
    /// the run itself looks closer.
    fn may_be_ours(&self, profile: &ProfileId, ws: Option<&str>) -> bool {
        match (self.claims.read(profile), ws) {
            (None, _) => false,
            (Some(claim), Some(ws)) => claim.ws.is_none_or(|known| claim::is_same_browser(&known, ws)),
            (Some(_), None) => true,
        }
    }

    fn emit(&self, news: ProviderNews) {
        if let Some(on_news) = &self.on_news {
            on_news(news);
        }
    }

    fn error(&self, failure: CallError, profile: &ProfileId) -> ProviderError {
        failure.into_error(Some(profile), self.settings.key_env.as_deref())
    }

    fn error_of_all(&self, failure: CallError) -> ProviderError {
        failure.into_error(None, self.settings.key_env.as_deref())
    }
}

impl Provider for AdsPower {
    fn name(&self) -> &'static str {
        "adspower"
    }

    fn start<'a>(
        &'a self,
        profile: &'a ProfileId,
        options: &'a StartOptions,
    ) -> BoxFuture<'a, Result<Endpoint, ProviderError>> {
        self.start_browser(profile, options).boxed()
    }

    fn stop<'a>(&'a self, profile: &'a ProfileId) -> BoxFuture<'a, Result<(), ProviderError>> {
        self.stop_browser(profile).boxed()
    }

    fn active<'a>(
        &'a self,
        profile: &'a ProfileId,
    ) -> BoxFuture<'a, Result<Option<Endpoint>, ProviderError>> {
        self.active_browser(profile).boxed()
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<ListedProfile>, ProviderError>> {
        self.all_pages(ListFilter::default()).boxed()
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        async {
            let answered = self.call(&ApiCall::status(), PROBED_WITHIN).await;
            answered.map(drop).map_err(|failure| self.error_of_all(failure))
        }
        .boxed()
    }

    fn asked_at_once(&self) -> usize {
        PAGE
    }

    fn open_elsewhere<'a>(
        &'a self,
        profiles: &'a [ProfileId],
    ) -> BoxFuture<'a, Result<Vec<ProfileId>, ProviderError>> {
        self.used_by_others(profiles).boxed()
    }

    fn left_open<'a>(
        &'a self,
        profiles: &'a [ProfileId],
    ) -> BoxFuture<'a, Result<Vec<OpenBrowser>, ProviderError>> {
        self.still_open(profiles).map(Ok).boxed()
    }
}

enum CallError {
    Refused(ApiRefusal),
    Other(ProviderError),
}

impl CallError {
    fn into_error(self, profile: Option<&ProfileId>, key_env: Option<&str>) -> ProviderError {
        match self {
            Self::Refused(refusal) => refusal.into_error(profile, key_env),
            Self::Other(error) => error,
        }
    }
}

#[cfg(test)]
mod tests;
