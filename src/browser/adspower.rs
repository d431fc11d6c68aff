//! AdsPower's Local API. What is known of it and of its failures stands in
//! [`answer`]; how its two versions are asked in [`request`].
//!
//! Every call passes the pacer that all processes of a folder share. An opened browser is written
//! down beside the profile, because AdsPower itself forgets: after a restart of the app it may say
//! that a browser is closed while it runs. The browser's own port knows better, and needs no call.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use self::answer::{Answer, Refusal};
use self::request::Call;
use super::devtools::{self, Liveness};
use super::provider::{
    Endpoint, ListedProfile, OnProviderNews, OpenBrowser, Provider, ProviderError, ProviderNews, StartOptions,
};
use crate::domain::id::ProfileId;
use crate::store::layout::create_folder;
use crate::store::{Confirmation, Layout, Pacer, StoreError, Urgency, durable};

mod answer;
mod listing;
mod request;

/// Calls that merely ask and answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);
const PROBED_WITHIN: Duration = Duration::from_secs(10);
const CONNECTS_WITHIN: Duration = Duration::from_secs(5);
/// A wait for the pacer that is shorter is told only when it is over.
const OVERLOOKED: Duration = Duration::from_secs(2);
/// Between two attempts to reach an app that restarts, and two looks at a browser that starts.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// Refusals for too many calls; another program may use the same budget.
const MOST_THROTTLED: u32 = 8;
const LONGEST_BACK_OFF: Duration = Duration::from_secs(8);
/// How long a kernel that is being downloaded is waited for. A fleet tries again.
const DOWNLOADS_WITHIN: Duration = Duration::from_secs(1200);
const DOWNLOAD_AGAIN: Duration = Duration::from_secs(2);
/// Often enough that a run which waits for it is not taken for a stalled one.
const TELL_OF_DOWNLOAD: Duration = Duration::from_secs(15);
/// From the answer to `stop` until the browser no longer listens.
const CLOSES_WITHIN: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(100);
const PAGE: usize = 100;
const MOST_PAGES: usize = 1000;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApiVersion {
    #[default]
    V1,
    V2,
}

#[derive(Debug, Clone)]
pub struct AdsPowerSettings {
    /// `http://127.0.0.1:50325`
    pub base_url: String,
    pub api: ApiVersion,
    /// Needed where the app's security verification is on. `Debug` hides it.
    pub key: Option<SecretString>,
    /// 1 is allowed everywhere; see AdsPower's table by number of profiles.
    pub calls_per_second: f64,
    /// From the first `start` call on; the wait for its turn does not count.
    pub start_timeout: Duration,
    /// How long an app that restarts is waited for.
    pub restart_timeout: Duration,
    /// Further arguments of the browser.
    pub launch_args: Vec<String>,
}

impl Default for AdsPowerSettings {
    fn default() -> Self {
        Self {
            base_url: "http://127.0.0.1:50325".to_owned(),
            api: ApiVersion::default(),
            key: None,
            calls_per_second: 1.0,
            start_timeout: Duration::from_secs(120),
            restart_timeout: Duration::from_secs(30),
            launch_args: Vec::new(),
        }
    }
}

pub struct AdsPower {
    layout: Layout,
    settings: AdsPowerSettings,
    api: reqwest::Client,
    browsers: reqwest::Client,
    pacer: Pacer,
    /// Lists are allowed once a second on any plan.
    list_pacer: Pacer,
    on_news: Option<OnProviderNews>,
    throttled: AtomicU64,
}

/// The browser that was opened last for a profile; without an address while the answer is awaited.
/// It is written before AdsPower is asked, so that what it opens is known to be ours however we end;
/// without it a browser is somebody else's.
#[derive(Debug, Serialize, Deserialize)]
struct Opened {
    ws: Option<String>,
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
            layout,
            settings,
            api,
            browsers: devtools::client(),
            on_news,
            throttled: AtomicU64::new(0),
        }
    }

    /// Calls that AdsPower refused because there were too many.
    pub fn throttled(&self) -> u64 {
        self.throttled.load(Ordering::Relaxed)
    }

    async fn start_browser(
        &self,
        profile: &ProfileId,
        options: &StartOptions,
    ) -> Result<Endpoint, ProviderError> {
        if let Some(ws) = self.opened(profile).and_then(|opened| opened.ws)
            && devtools::liveness(&self.browsers, &ws).await == Liveness::Alive
        {
            return Ok(Endpoint { ws, reused: true });
        }
        self.write_down(profile, None)?;
        let started = self.start_until_ready(profile, options).await;
        match &started {
            Ok(endpoint) => {
                if let Err(error) = self.write_down(profile, Some(&endpoint.ws)) {
                    tracing::warn!(%profile, %error, "the opened browser is not written down");
                }
            }
            // It may still come up, and would run without anybody.
            Err(ProviderError::TimedOut { .. } | ProviderError::NotReady { .. }) => {
                let _ = self.call(&Call::stop(profile), ANSWERS_WITHIN).await;
            }
            // Nothing was opened, so nothing has to be stopped.
            Err(
                ProviderError::UnknownProfile { .. }
                | ProviderError::UsedElsewhere { .. }
                | ProviderError::KernelMissing { .. }
                | ProviderError::DailyQuota { .. }
                | ProviderError::PaidPlan { .. },
            ) => self.forget(profile)?,
            Err(_) => {}
        }
        started
    }

    /// AdsPower says yes before the browser listens; the next `start` of it then says where.
    async fn start_until_ready(
        &self,
        profile: &ProfileId,
        options: &StartOptions,
    ) -> Result<Endpoint, ProviderError> {
        let call = Call::start(profile, options.headless, &self.settings.launch_args);
        let timeout = self.settings.start_timeout;
        let mut began = None;
        let mut download: Option<Download> = None;
        loop {
            let left = began.map_or(timeout, |began: Instant| timeout.saturating_sub(began.elapsed()));
            if left.is_zero() {
                let output = String::new();
                return Err(ProviderError::NotReady { profile: profile.clone(), after: timeout, output });
            }
            let (answered, sent) = self.call(&call, left).await;
            let data = match answered {
                Ok(data) => data,
                Err(Failure::Refused(refusal))
                    if refusal.kind == answer::Kind::KernelDownloading
                        && download.as_ref().is_none_or(|it| it.since.elapsed() < DOWNLOADS_WITHIN) =>
                {
                    let download = download.get_or_insert(Download { since: sent, told: None });
                    if download.is_to_be_told() {
                        let (message, waited) = (refusal.message, download.since.elapsed());
                        self.tell(ProviderNews::KernelDownloading { message, waited });
                    }
                    // What it takes is not the start's.
                    began = None;
                    sleep(DOWNLOAD_AGAIN).await;
                    continue;
                }
                Err(failure) => return Err(failure.into_error(profile)),
            };
            let began = *began.get_or_insert(sent);
            if let Some(ws) = answer::browser_address(&data) {
                return Ok(Endpoint { ws, reused: false });
            }
            sleep(TRY_AGAIN.min(timeout.saturating_sub(began.elapsed()))).await;
        }
    }

    async fn stop_browser(&self, profile: &ProfileId) -> Result<(), ProviderError> {
        let Some(opened) = self.opened(profile) else { return Ok(()) };
        let answered = match self.call(&Call::stop(profile), ANSWERS_WITHIN).await.0 {
            Ok(_) | Err(Failure::Refused(Refusal { kind: answer::Kind::NotOpen, .. })) => Ok(()),
            Err(failure) => Err(failure.into_error(profile)),
        };
        let Some(ws) = opened.ws else {
            answered?;
            return self.forget(profile);
        };
        // An AdsPower that does not stop it is no reason to leave it running.
        let stopped = answered.is_ok() && self.gone(&ws, CLOSES_WITHIN).await;
        if !stopped {
            devtools::close(&ws).await;
            if !self.gone(&ws, CLOSES_WITHIN).await {
                answered?;
                return Err(ProviderError::WouldNotEnd { profile: profile.clone(), pid: None });
            }
        }
        self.forget(profile)
    }

    /// A refused connection counts when it comes twice: a busy browser refuses now and then.
    async fn gone(&self, ws: &str, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        let mut refused = 0;
        loop {
            match devtools::liveness(&self.browsers, ws).await {
                Liveness::Gone => refused += 1,
                Liveness::Alive | Liveness::Silent => refused = 0,
            }
            if refused == 2 {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    async fn active_browser(&self, profile: &ProfileId) -> Result<Option<Endpoint>, ProviderError> {
        let data = self
            .call(&Call::active(profile), ANSWERS_WITHIN)
            .await
            .0
            .map_err(|failure| failure.into_error(profile))?;
        if data["status"] == "Active"
            && let Some(ws) = answer::browser_address(&data)
        {
            return Ok(Some(Endpoint { ws, reused: true }));
        }
        let Some(ws) = self.opened(profile).and_then(|opened| opened.ws) else { return Ok(None) };
        let alive = devtools::liveness(&self.browsers, &ws).await == Liveness::Alive;
        Ok(alive.then_some(Endpoint { ws, reused: true }))
    }

    /// By their own ports, which know better than AdsPower and cost no call.
    async fn still_open(&self, profiles: &[ProfileId]) -> Vec<OpenBrowser> {
        let mut open = Vec::new();
        for profile in profiles {
            let Some(ws) = self.opened(profile).and_then(|opened| opened.ws) else { continue };
            if devtools::liveness(&self.browsers, &ws).await != Liveness::Gone {
                open.push(OpenBrowser { profile: profile.clone(), pid: None, ws: Some(ws) });
            }
        }
        open
    }

    /// Two calls for all of them: who has them open anywhere, and what is open here.
    async fn used_elsewhere(&self, profiles: &[ProfileId]) -> Result<Vec<ProfileId>, ProviderError> {
        let (anywhere, _) = self.call(&Call::cloud_active(profiles), ANSWERS_WITHIN).await;
        let anywhere = answer::open_profiles(&anywhere.map_err(Failure::into_error_of_all)?);
        let mut open: Vec<ProfileId> =
            profiles.iter().filter(|profile| anywhere.contains(*profile)).cloned().collect();
        if open.is_empty() {
            return Ok(open);
        }
        let (here, _) = self.call(&Call::local_active(), ANSWERS_WITHIN).await;
        let here = answer::open_profiles(&here.map_err(Failure::into_error_of_all)?);
        // Nor is a browser of ours elsewhere that AdsPower has forgotten here.
        let ours = self.still_open(&open).await;
        open.retain(|profile| !here.contains(profile) && !ours.iter().any(|found| found.profile == *profile));
        Ok(open)
    }

    async fn list_profiles(&self) -> Result<Vec<ListedProfile>, ProviderError> {
        let mut listed: Vec<ListedProfile> = Vec::new();
        for page in 1..=MOST_PAGES {
            let (answered, _) = self.call(&Call::list(page, PAGE), ANSWERS_WITHIN).await;
            let items = answer::profiles(&answered.map_err(Failure::into_error_of_all)?);
            let before = listed.len();
            for item in items.into_iter().flatten() {
                if !listed.iter().any(|known| known.id == item.id) {
                    listed.push(item);
                }
            }
            // A short page may only mean that pages are shorter than asked for.
            if listed.len() == before {
                break;
            }
        }
        Ok(listed)
    }

    /// One answered call, however often it must be made; and when it was made first.
    async fn call(&self, call: &Call<'_>, timeout: Duration) -> (Result<Value, Failure>, Instant) {
        let mut first_sent = None;
        let result = self.call_until_answered(call, timeout, &mut first_sent).await;
        (result, first_sent.unwrap_or_else(Instant::now))
    }

    async fn call_until_answered(
        &self,
        call: &Call<'_>,
        timeout: Duration,
        first_sent: &mut Option<Instant>,
    ) -> Result<Value, Failure> {
        let mut throttled = 0;
        let mut unreachable_since: Option<Instant> = None;
        loop {
            self.wait_for_turn(call).await.map_err(Failure::Other)?;
            first_sent.get_or_insert_with(Instant::now);
            match self.send(call, timeout).await {
                Ok(Answer::Success(data)) => return Ok(data),
                Ok(Answer::Refusal(Refusal { kind: answer::Kind::Throttled, .. })) => {
                    throttled += 1;
                    self.throttled.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(call = call.name, "AdsPower refused a call: too many of them");
                    if throttled >= MOST_THROTTLED {
                        return Err(Failure::Other(ProviderError::Throttled {
                            call: call.name,
                            times: throttled,
                        }));
                    }
                    sleep(back_off(throttled, self.settings.calls_per_second)).await;
                }
                Ok(Answer::Refusal(refusal)) => return Err(Failure::Refused(refusal)),
                // Start, stop, active and list may all be repeated, so it does not matter whether
                // the app went away before it heard the call or after.
                Err(ProviderError::NotReachable { url, problem }) => {
                    let since = *unreachable_since.get_or_insert_with(Instant::now);
                    if !call.waits_for_restart || since.elapsed() >= self.settings.restart_timeout {
                        return Err(Failure::Other(ProviderError::NotReachable { url, problem }));
                    }
                    sleep(TRY_AGAIN.min(self.settings.restart_timeout)).await;
                }
                Err(error) => return Err(Failure::Other(error)),
            }
        }
    }

    async fn send(&self, call: &Call<'_>, timeout: Duration) -> Result<Answer, ProviderError> {
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
            Ok((status, body)) => match Answer::parse(call.name, &body) {
                Some(answer) => Ok(answer),
                None if status.is_server_error() => Err(self.not_reachable(format!("HTTP {status}"))),
                None => Err(ProviderError::NotAdsPower {
                    url: base_url.to_owned(),
                    call: call.name,
                    problem: format!("HTTP {status} without AdsPower's JSON"),
                }),
            },
            Err(error) if error.is_timeout() && !error.is_connect() => {
                Err(ProviderError::TimedOut { call: call.name, after: timeout })
            }
            Err(error) => Err(self.not_reachable(root_cause(&error))),
        }
    }

    fn not_reachable(&self, problem: String) -> ProviderError {
        ProviderError::NotReachable { url: self.settings.base_url.clone(), problem }
    }

    async fn wait_for_turn(&self, call: &Call<'_>) -> Result<(), ProviderError> {
        let began = Instant::now();
        let turn = self.turn(call);
        tokio::pin!(turn);
        let waited = match timeout(OVERLOOKED, &mut turn).await {
            Ok(waited) => waited?,
            Err(_) => {
                self.tell(ProviderNews::Waits { call: call.name });
                turn.await?
            }
        };
        if waited {
            self.tell(ProviderNews::Waited { call: call.name, waited: began.elapsed() });
        }
        Ok(())
    }

    /// Whether there was a wait. A list has a second limit of its own. It must keep both at the moment it
    /// is made, so it passes the other one again when it had to wait for its own.
    async fn turn(&self, call: &Call<'_>) -> Result<bool, ProviderError> {
        let list = call.is_list.then(|| self.list_pacer.reserve(Urgency::Normal)).transpose()?;
        let mut waited = false;
        if let Some(ticket) = &list {
            let wait = Duration::try_from(ticket.at.duration_since(Timestamp::now())).unwrap_or_default();
            waited |= !wait.is_zero();
            sleep(wait).await;
        }
        loop {
            waited |= pass(&self.pacer, call.urgency).await?;
            match list.as_ref().map(|ticket| self.list_pacer.confirm(ticket)).transpose()? {
                None | Some(Confirmation::Confirmed { .. }) => return Ok(waited),
                Some(Confirmation::WaitMore(wait)) => sleep(wait).await,
            }
        }
    }

    fn tell(&self, news: ProviderNews) {
        if let Some(on_news) = &self.on_news {
            on_news(news);
        }
    }

    fn record(&self, profile: &ProfileId) -> PathBuf {
        self.layout.browser_folder(profile).join("adspower.json")
    }

    /// A record that cannot be read still says that we asked.
    fn opened(&self, profile: &ProfileId) -> Option<Opened> {
        let bytes = fs::read(self.record(profile)).ok()?;
        Some(serde_json::from_slice(&bytes).unwrap_or(Opened { ws: None }))
    }

    fn write_down(&self, profile: &ProfileId, ws: Option<&str>) -> Result<(), ProviderError> {
        create_folder(&self.layout.browser_folder(profile))?;
        let opened = Opened { ws: ws.map(str::to_owned) };
        let bytes = serde_json::to_vec(&opened).expect("an address is always a JSON object");
        Ok(durable::replace(&self.record(profile), &bytes)?)
    }

    fn forget(&self, profile: &ProfileId) -> Result<(), ProviderError> {
        let path = self.record(profile);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::new("remove", path, error).into())
            }
            _ => Ok(()),
        }
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
        self.list_profiles().boxed()
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        async {
            let answered = self.call(&Call::status(), PROBED_WITHIN).await.0;
            answered.map(drop).map_err(Failure::into_error_of_all)
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
        self.used_elsewhere(profiles).boxed()
    }

    fn left_open<'a>(
        &'a self,
        profiles: &'a [ProfileId],
    ) -> BoxFuture<'a, Result<Vec<OpenBrowser>, ProviderError>> {
        self.still_open(profiles).map(Ok).boxed()
    }
}

/// A kernel that a start waits for.
struct Download {
    since: Instant,
    told: Option<Instant>,
}

impl Download {
    fn is_to_be_told(&mut self) -> bool {
        let due = self.told.is_none_or(|told| told.elapsed() >= TELL_OF_DOWNLOAD);
        if due {
            self.told = Some(Instant::now());
        }
        due
    }
}

enum Failure {
    Refused(Refusal),
    Other(ProviderError),
}

impl Failure {
    fn into_error(self, profile: &ProfileId) -> ProviderError {
        match self {
            Self::Refused(refusal) => refusal.into_error(Some(profile)),
            Self::Other(error) => error,
        }
    }

    fn into_error_of_all(self) -> ProviderError {
        match self {
            Self::Refused(refusal) => refusal.into_error(None),
            Self::Other(error) => error,
        }
    }
}

/// Waits for a turn; whether there was a wait. The pacer is asked in place: each question takes a
/// fraction of a millisecond.
async fn pass(pacer: &Pacer, urgency: Urgency) -> Result<bool, ProviderError> {
    let ticket = pacer.reserve(urgency)?;
    let mut waited = false;
    while let Confirmation::WaitMore(wait) = pacer.confirm(&ticket)? {
        waited = true;
        sleep(wait).await;
    }
    Ok(waited)
}

/// Doubles from one interval on.
fn back_off(times: u32, calls_per_second: f64) -> Duration {
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

#[cfg(test)]
mod tests;
