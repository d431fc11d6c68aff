//! Why a provider did not do what it was asked: the kind, the facts, and the vendor's own words. Hints are
//! chosen where they are shown (`cli/hint.rs`).

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::store::StoreError;
use regatta_core::id::ProfileId;

/// Chooses what a person can do about an error. Given from above, where commands and settings have names.
pub type ErrorHint = fn(&ProviderError) -> Option<String>;

/// The prospects of a further attempt. Later classes hold for longer and for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorClass {
    /// The same call may succeed in a moment although nothing is changed.
    MayPass,
    /// The profile may be free in a while, or when a person has acted.
    Blocked,
    /// The profile ends in the same way until the settings, the machine or the account are changed.
    Permanent,
    /// Every profile does. A provider that is down is another matter: it is waited for.
    PermanentForAll,
}

/// No message holds a mail address, a key or anything else of an account.
#[derive(Debug, Error)]
pub enum ProviderError {
    #[error("no {} found{}", if *headless_shell { "headless shell" } else { "Chromium" }, named.as_ref().map(|path| format!(" at {}", path.display())).unwrap_or_default())]
    NoExecutable {
        /// The program that the settings or the environment name, if they do.
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
    BrowserDoesNotEnd { profile: ProfileId, pid: Option<u32> },
    #[error("the browser of profile {profile} runs and cannot be driven: {problem}")]
    Undrivable { profile: ProfileId, problem: String },
    #[error("no browser answers at {url}: {problem}")]
    NoEndpoint { url: String, problem: String },
    #[error("`{name}` (process {pid}), left by a dead run of profile {profile}, does not end")]
    ProcessDoesNotEnd { profile: ProfileId, name: String, pid: u32 },
    #[error("cannot read the processes of this machine: {problem}")]
    ProcessesUnreadable { problem: String },

    #[error("AdsPower is not reachable at {url}: {problem}")]
    Unreachable { url: String, problem: String },
    #[error("AdsPower did not answer `{call}` within {} s", after.as_secs_f64())]
    TimedOut { call: &'static str, after: Duration },
    #[error("AdsPower was asked too often: `{call}` was refused {times} times")]
    Throttled { call: &'static str, times: u32 },
    #[error("{url} does not answer `{call}` as AdsPower does: {problem}")]
    UnexpectedReply { url: String, call: &'static str, problem: String },
    #[error("AdsPower knows no profile {profile}")]
    UnknownProfile { profile: ProfileId },
    #[error("profile {profile} is open elsewhere: AdsPower does not allow to open it twice")]
    OpenElsewhere { profile: ProfileId },
    #[error("profile {profile} is open on this machine, and Regatta did not open it")]
    OpenHere { profile: ProfileId },
    #[error("no browser of profile {profile} is open, so there is none to join")]
    NothingToJoin { profile: ProfileId },
    #[error("AdsPower refuses the API key: {message}")]
    KeyRefused {
        message: String,
        /// The environment variable that the settings name for the key.
        key_env: Option<String>,
    },
    #[error("AdsPower at {url} does not know the call `{call}` (HTTP 404)")]
    UnknownCall { url: String, call: &'static str },
    #[error("AdsPower has no browser kernel for this profile yet: {message}")]
    KernelMissing { downloading: bool, message: String },
    #[error("profile {profile} uses a Firefox kernel, which Regatta cannot drive{}", detail_suffix(message))]
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
    NoApiInPlan { message: String },
    #[error("AdsPower could not start the browser: {message}")]
    StartFailed { message: String },
    #[error("AdsPower refused `{call}` (code {code}): {message}")]
    Refused { call: &'static str, code: i64, message: String },

    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ProviderError {
    /// Returns what a further attempt may expect: decided here, for every kind.
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::EndedEarly { .. }
            | Self::NotReady { .. }
            | Self::BrowserDoesNotEnd { .. }
            | Self::ProcessDoesNotEnd { .. }
            | Self::Undrivable { .. }
            | Self::NoEndpoint { .. }
            | Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::Throttled { .. }
            | Self::ProxyFailed { .. }
            | Self::OpenLimit { .. }
            | Self::StartFailed { .. }
            | Self::KernelMissing { downloading: true, .. } => ErrorClass::MayPass,
            Self::KernelMissing { downloading: false, .. }
            | Self::FolderInUse { .. }
            | Self::ProcessesUnreadable { .. }
            | Self::OpenElsewhere { .. }
            | Self::OpenHere { .. }
            | Self::NothingToJoin { .. }
            | Self::DailyQuota { .. }
            | Self::Refused { .. }
            | Self::Store(_) => ErrorClass::Blocked,
            Self::NoExecutable { .. }
            | Self::NoWindow { .. }
            | Self::Spawn { .. }
            | Self::UnknownProfile { .. }
            | Self::FirefoxKernel { .. }
            | Self::NoDevTools { .. }
            | Self::NoPermission { .. } => ErrorClass::Permanent,
            Self::KeyRefused { .. }
            | Self::UnknownCall { .. }
            | Self::UnexpectedReply { .. }
            | Self::NoApiInPlan { .. } => ErrorClass::PermanentForAll,
        }
    }

    /// Whether the same call may succeed later although nothing is changed.
    pub fn retryable(&self) -> bool {
        self.class() == ErrorClass::MayPass
    }

    /// Whether every further call of the profile ends in the same way.
    pub fn is_permanent(&self) -> bool {
        self.class() >= ErrorClass::Permanent
    }

    /// Whether every call for any profile ends in the same way.
    pub fn holds_for_every_profile(&self) -> bool {
        self.class() == ErrorClass::PermanentForAll
    }
}

fn detail_suffix(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

fn indented(output: &str) -> String {
    output.lines().map(|line| format!("\n  | {line}")).collect()
}
