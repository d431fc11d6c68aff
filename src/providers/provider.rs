//! Who starts and stops the browser of a profile, and how that can fail.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use thiserror::Error;

use crate::store::StoreError;
use regatta_core::id::ProfileId;
use regatta_core::session::Platform;

/// Every call may be repeated: to start a running browser hands it out again, to stop a closed one
/// is a success. A `start` that fails leaves no browser behind, as far as the provider can tell; one
/// that is dropped half-way may, and wants a `stop`.
pub trait Provider: Send + Sync {
    fn name(&self) -> &'static str;

    /// The program that a start would run; `None` where the provider chooses it, or where there is none.
    fn program(&self, _options: &StartOptions) -> Option<PathBuf> {
        None
    }

    fn start<'a>(
        &'a self,
        profile: &'a ProfileId,
        options: &'a StartOptions,
    ) -> BoxFuture<'a, Result<Endpoint, ProviderError>>;

    /// Whether its browsers are started for a run alone: then every tab that begins in one belongs to the
    /// run.
    fn owns_browsers(&self) -> bool {
        false
    }

    /// Returns when the browser is gone.
    fn stop<'a>(&'a self, profile: &'a ProfileId) -> BoxFuture<'a, Result<(), ProviderError>>;

    fn active<'a>(&'a self, profile: &'a ProfileId)
    -> BoxFuture<'a, Result<Option<Endpoint>, ProviderError>>;

    fn list(&self) -> BoxFuture<'_, Result<Vec<ListedProfile>, ProviderError>>;

    /// Whether it is there at all. A program of this machine is.
    fn probe(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// How many profiles one question of [`Provider::open_elsewhere`] may be about; 0: there is nothing to
    /// ask.
    fn asked_at_once(&self) -> usize {
        0
    }

    /// Which of these profiles are in use by others: open on another device, or opened on this machine by a
    /// person or another program.
    fn open_elsewhere<'a>(
        &'a self,
        _profiles: &'a [ProfileId],
    ) -> BoxFuture<'a, Result<Vec<ProfileId>, ProviderError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    /// Of these profiles, the browsers that were opened by runs of this folder and still run; never one
    /// that somebody else opened.
    fn left_open<'a>(
        &'a self,
        profiles: &'a [ProfileId],
    ) -> BoxFuture<'a, Result<Vec<OpenBrowser>, ProviderError>>;
}

/// A browser that runs, and who it is: its process, or the address with its UUID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenBrowser {
    pub profile: ProfileId,
    pub pid: Option<u32>,
    pub ws: Option<String>,
}

/// Where a browser is driven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `ws://127.0.0.1:PORT/devtools/browser/UUID`. The UUID names the browser; ports are reused.
    pub ws: String,
    /// It ran already: a crashed run left it.
    pub reused: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartOptions {
    pub headless: bool,
    pub platform: Platform,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedProfile {
    pub id: ProfileId,
    /// As the provider counts its profiles for people.
    pub number: Option<String>,
    pub name: Option<String>,
    pub group: Option<String>,
}

/// What a start tells while it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderNews {
    /// A call waits for its turn, longer than people overlook.
    Waits { call: &'static str },
    /// A call waited for its turn.
    Waited { call: &'static str, waited: Duration },
    /// The browser's kernel is being downloaded, and was waited for so long by now. `message` holds no
    /// address.
    KernelDownloading { message: String, waited: Duration },
}

/// Told at once; may not block.
pub type OnProviderNews = Arc<dyn Fn(ProviderNews) + Send + Sync>;

/// No message holds a mail address, a key or anything else of an account.
#[derive(Debug, Error)]
pub enum ProviderError {
    #[error("no {} found{}", if *headless_shell { "headless shell" } else { "Chromium" }, named.as_ref().map(|path| format!(" at {}", path.display())).unwrap_or_default())]
    NoExecutable {
        /// What the settings or the environment name, if they do.
        named: Option<PathBuf>,
        /// Only the headless shell would do.
        headless_shell: bool,
    },
    #[error("{} has no window", executable.display())]
    NoWindow { executable: PathBuf },
    #[error("cannot start {}", executable.display())]
    Spawn { executable: PathBuf, source: io::Error },
    #[error("{} ended before it could be driven ({status}){}", executable.display(), indented(output))]
    EndedEarly {
        executable: PathBuf,
        status: String,
        /// The last lines it printed.
        output: String,
    },
    #[error("the browser of profile {profile} did not become ready within {} s{}", after.as_secs_f64(), indented(output))]
    NotReady { profile: ProfileId, after: Duration, output: String },
    #[error("{holder} uses {} but cannot be driven", folder.display())]
    FolderInUse { folder: PathBuf, holder: String },
    #[error("the browser of profile {profile} does not end{}", pid.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    WouldNotEnd { profile: ProfileId, pid: Option<u32> },
    #[error("the browser of profile {profile} runs and cannot be driven: {problem}")]
    Undrivable { profile: ProfileId, problem: String },
    #[error("no browser answers at {url}: {problem}")]
    NoEndpoint { url: String, problem: String },
    #[error("`{name}` (process {pid}), left by a dead run of profile {profile}, does not end")]
    StrayStays { profile: ProfileId, name: String, pid: u32 },
    #[error("cannot look at the processes of this machine: {problem}")]
    Processes { problem: String },

    #[error("AdsPower is not reachable at {url}: {problem}")]
    NotReachable { url: String, problem: String },
    #[error("AdsPower did not answer `{call}` within {} s", after.as_secs_f64())]
    TimedOut { call: &'static str, after: Duration },
    #[error("AdsPower was asked too often: `{call}` was refused {times} times")]
    Throttled { call: &'static str, times: u32 },
    #[error("{url} does not answer `{call}` as AdsPower does: {problem}")]
    NotAdsPower { url: String, call: &'static str, problem: String },
    #[error("AdsPower knows no profile {profile}")]
    UnknownProfile { profile: ProfileId },
    #[error("profile {profile} is open elsewhere: AdsPower does not allow to open it twice")]
    UsedElsewhere { profile: ProfileId },
    #[error("profile {profile} is open on this machine, and Regatta did not open it")]
    OpenHere { profile: ProfileId },
    #[error("no browser of profile {profile} is open, so there is none to join")]
    NothingToJoin { profile: ProfileId },
    #[error("AdsPower refuses the API key: {message}")]
    Unauthorized {
        message: String,
        /// The environment variable that the settings name for the key.
        key_env: Option<String>,
    },
    #[error("AdsPower at {url} does not know the call `{call}` (HTTP 404)")]
    UnknownCall { url: String, call: &'static str },
    #[error("AdsPower has no browser kernel for this profile yet: {message}")]
    KernelMissing { downloading: bool, message: String },
    #[error("profile {profile} uses a Firefox kernel, which Regatta cannot drive{}", said(message))]
    FirefoxKernel { profile: ProfileId, message: String },
    #[error(
        "AdsPower opened the browser of profile {profile} and named no DevTools address (`ws.puppeteer`)"
    )]
    NoDevTools { profile: ProfileId },
    #[error("the proxy of profile {profile} does not work: {message}")]
    ProxyFailed { profile: ProfileId, message: String },
    #[error("the API key has no permission for this call: {message}")]
    NoPermission { message: String },
    #[error("AdsPower has as many browsers open as the plan allows: {message}")]
    OpenLimit { message: String },
    #[error("AdsPower's daily quota of opened profiles is used up: {message}")]
    DailyQuota {
        message: String,
        /// Until it is renewed, where AdsPower says so.
        recovery: Option<Duration>,
    },
    #[error("AdsPower's plan has no API: {message}")]
    PaidPlan { message: String },
    #[error("AdsPower could not start the browser: {message}")]
    StartFailed { message: String },
    #[error("AdsPower refused `{call}` (code {code}): {message}")]
    Refused { call: &'static str, code: i64, message: String },

    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ProviderError {
    /// Whether the same call may succeed later without anybody doing anything.
    pub fn retryable(&self) -> bool {
        match self {
            Self::EndedEarly { .. }
            | Self::NotReady { .. }
            | Self::WouldNotEnd { .. }
            | Self::StrayStays { .. }
            | Self::Undrivable { .. }
            | Self::NoEndpoint { .. }
            | Self::NotReachable { .. }
            | Self::TimedOut { .. }
            | Self::Throttled { .. }
            | Self::ProxyFailed { .. }
            | Self::OpenLimit { .. }
            | Self::StartFailed { .. } => true,
            Self::KernelMissing { downloading, .. } => *downloading,
            Self::NoExecutable { .. }
            | Self::NoWindow { .. }
            | Self::Spawn { .. }
            | Self::FolderInUse { .. }
            | Self::Processes { .. }
            | Self::NotAdsPower { .. }
            | Self::UnknownProfile { .. }
            | Self::UsedElsewhere { .. }
            | Self::OpenHere { .. }
            | Self::NothingToJoin { .. }
            | Self::Unauthorized { .. }
            | Self::UnknownCall { .. }
            | Self::FirefoxKernel { .. }
            | Self::NoDevTools { .. }
            | Self::NoPermission { .. }
            | Self::DailyQuota { .. }
            | Self::PaidPlan { .. }
            | Self::Refused { .. }
            | Self::Store(_) => false,
        }
    }

    /// Whether every further call ends in the same way until somebody changes the settings, the machine
    /// or the account. Not so where the profile may be free, or the provider be back, in a while.
    pub const fn is_permanent(&self) -> bool {
        self.holds_for_every_profile()
            || matches!(
                self,
                Self::NoExecutable { .. }
                    | Self::NoWindow { .. }
                    | Self::Spawn { .. }
                    | Self::UnknownProfile { .. }
                    | Self::FirefoxKernel { .. }
                    | Self::NoDevTools { .. }
                    | Self::NoPermission { .. }
            )
    }

    /// Whether the provider answers and refuses, whichever profile is asked for, until an operator changes
    /// the settings or the account. A provider that is down is another matter: it is waited for.
    pub const fn holds_for_every_profile(&self) -> bool {
        matches!(
            self,
            Self::Unauthorized { .. }
                | Self::UnknownCall { .. }
                | Self::NotAdsPower { .. }
                | Self::PaidPlan { .. }
        )
    }

    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoWindow { .. } => {
                "it is the headless shell: leave out --headed, or name the full browser with CHROME=/path or `executable` in regatta.toml"
            }
            Self::NoExecutable { headless_shell: true, .. } => {
                "install it (apt-get install chromium-headless-shell), name it with CHROME_HEADLESS_SHELL=/path, or take the full browser: browser = \"chromium\" in regatta.toml"
            }
            Self::NoExecutable { named: Some(_), .. } => {
                "name an executable file, or leave it out to use an installed Chromium or Chrome"
            }
            Self::NoExecutable { named: None, .. } => {
                "install Chromium (apt-get install chromium-headless-shell, or chromium for windows too) or Chrome, or name its executable: CHROME=/path/to/chrome"
            }
            Self::Spawn { .. } => "is this a browser, and may this user run it?",
            Self::EndedEarly { .. } => "start it by hand with the same arguments to see more",
            Self::NotReady { .. } => "a slow machine needs a longer start timeout, or fewer runs at once",
            Self::FolderInUse { folder, .. } => {
                return Some(format!(
                    "close that browser; where it is gone or runs on another machine that is no more, delete {}",
                    folder.join("SingletonLock").display()
                ));
            }
            Self::WouldNotEnd { .. } | Self::StrayStays { .. } => {
                "end it by hand; until then its profile cannot run"
            }
            Self::Undrivable { .. } => "run again: the browser is stopped and started afresh",
            Self::NoEndpoint { .. } => {
                "start one with --remote-debugging-port=9222; http://127.0.0.1:9222/json/version names its `webSocketDebuggerUrl`"
            }
            Self::Processes { .. } => {
                "without it a living browser cannot be told from a dead one; is /proc mounted?"
            }
            Self::NotReachable { .. } => {
                "start AdsPower and check the address of its Local API (settings of the app, or its file `local_api`)"
            }
            Self::TimedOut { .. } => {
                "AdsPower is busy or hangs: look at its window, or run fewer profiles at once"
            }
            Self::Throttled { .. } => {
                "lower the calls per second: another program may use the same API, or the plan allows fewer"
            }
            Self::NotAdsPower { .. } => {
                "another program may listen there: check the address of the Local API"
            }
            Self::UnknownProfile { .. } => {
                "check the id in the list of profiles; it is not the profile's number or name"
            }
            Self::UsedElsewhere { .. } => "close it on the other device or in the other account",
            Self::OpenHere { profile } => {
                return Some(format!(
                    "close it in AdsPower; or join it, and leave it open at the end: regatta run {profile} --attach"
                ));
            }
            Self::NothingToJoin { .. } => "leave out --attach: the run then opens the browser itself",
            Self::Unauthorized { key_env: Some(name), .. } => {
                return Some(format!(
                    "compare the variable `{name}`, which `key_env` in regatta.toml names, with the key in AdsPower's settings of the Local API"
                ));
            }
            Self::Unauthorized { key_env: None, .. } => {
                "AdsPower's security verification is on: put its API key into an environment variable and name that in regatta.toml, [adspower] key_env = \"ADSPOWER_API_KEY\""
            }
            Self::UnknownCall { call: "tags", .. } => {
                "an older AdsPower has no tags in its API: update it, or choose profiles by a group"
            }
            Self::UnknownCall { .. } => {
                "an older AdsPower has no second version of the API: update it, or write api = \"v1\" below [adspower] in regatta.toml"
            }
            Self::FirefoxKernel { .. } => "choose a Chrome kernel (SunBrowser) for this profile in AdsPower",
            Self::NoDevTools { .. } => {
                "only Chrome kernels (SunBrowser) can be driven; update AdsPower, or choose another kernel for this profile"
            }
            Self::ProxyFailed { .. } => {
                "check the proxy of this profile in AdsPower, which says more when the profile is opened by hand"
            }
            Self::NoPermission { .. } => {
                "give the account of this key the permission for this profile and the Local API in AdsPower"
            }
            Self::OpenLimit { .. } => {
                "close other browsers, run fewer profiles at once (--max), or change the plan"
            }
            Self::KernelMissing { downloading: true, .. } => "wait until AdsPower has downloaded it",
            Self::KernelMissing { downloading: false, .. } => "download this kernel in AdsPower's settings",
            Self::DailyQuota { .. } => "wait until the quota is renewed, or change the plan",
            Self::PaidPlan { .. } => "the Local API needs a paid plan of AdsPower",
            Self::StartFailed { .. } => "open this profile by hand in AdsPower once to see why",
            Self::Refused { .. } => "open this profile by hand in AdsPower once to see why",
            Self::Store(error) => return error.hint().map(str::to_owned),
        };
        Some(hint.to_owned())
    }
}

fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

fn indented(output: &str) -> String {
    output.lines().map(|line| format!("\n  | {line}")).collect()
}
