//! Who starts and stops the browser of a profile.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use thiserror::Error;

use crate::domain::id::ProfileId;
use crate::domain::session::Platform;

/// Where a browser answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `ws://127.0.0.1:PORT/devtools/browser/UUID`; the UUID is the browser's identity.
    pub ws: String,
    /// It ran before it was asked for.
    pub reused: bool,
}

#[derive(Debug, Clone, Copy)]
pub struct StartOptions {
    pub headless: bool,
    pub platform: Platform,
}

/// A profile the provider knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedProfile {
    pub id: ProfileId,
    pub name: Option<String>,
}

/// Told after each wait for a provider's rate limit: the call, and how long it waited.
pub type PacerObserver = Arc<dyn Fn(&str, Duration) + Send + Sync>;

pub trait Provider: Send + Sync {
    fn name(&self) -> &'static str;

    /// A browser that already runs for the profile is given as it is.
    fn start<'a>(
        &'a self,
        profile: &'a ProfileId,
        options: &'a StartOptions,
    ) -> BoxFuture<'a, Result<Endpoint, ProviderError>>;

    /// Returns when the browser is gone. Stopping a closed one is no error.
    fn stop<'a>(&'a self, profile: &'a ProfileId) -> BoxFuture<'a, Result<(), ProviderError>>;

    fn active<'a>(&'a self, profile: &'a ProfileId)
    -> BoxFuture<'a, Result<Option<Endpoint>, ProviderError>>;

    fn list(&self) -> BoxFuture<'_, Result<Vec<ListedProfile>, ProviderError>>;
}

/// Messages are for people, and hold no address, key or password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProviderError {
    #[error("no Chromium found{}", looked_for.as_ref().map(|path| format!(" at `{}`", path.display())).unwrap_or_default())]
    NoExecutable { looked_for: Option<PathBuf> },
    #[error("Chromium ended before it was ready: {said}")]
    EndedEarly { said: String },
    #[error("the browser was not ready within {} s", after.as_secs())]
    NotReady { after: Duration },
    #[error("process {pid} already runs a browser on `{}`, without a DevTools port", folder.display())]
    FolderTaken { folder: PathBuf, pid: u32 },
    #[error("{call} cannot be reached at {url}: {problem}")]
    Unreachable { call: String, url: String, problem: String },
    #[error("{call} was refused: {message}")]
    Refused { call: String, message: String, hint: Option<String> },
    #[error("the browser cannot be used: {problem}")]
    Unusable { problem: String },
}

impl ProviderError {
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoExecutable { .. } => {
                "install Chromium (apt-get install chromium), or name it: CHROME=/path/to/chrome".to_owned()
            }
            Self::NotReady { .. } => {
                "raise `start_timeout` in regatta.toml if this machine is slow".to_owned()
            }
            Self::FolderTaken { .. } => "close that browser, then run again".to_owned(),
            Self::Unreachable { .. } => {
                "is AdsPower running, with its Local API on? see `regatta doctor`".to_owned()
            }
            Self::Refused { hint, .. } => return hint.clone(),
            Self::EndedEarly { .. } => "try the same by hand: see `regatta doctor`".to_owned(),
            Self::Unusable { .. } => return None,
        })
    }
}
