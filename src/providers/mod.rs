//! Starts and stops the browsers of profiles: a local Chromium, or AdsPower.
//!
//! A provider states facts: whether a browser is open, who opened it, why it was refused. What becomes of
//! the profile is decided above, by the class of the error ([`ProviderError::class`]).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use regatta_core::id::ProfileId;
use regatta_core::session::Platform;

pub use self::error::{ErrorClass, ErrorHint, ProviderError};

pub mod adspower;
pub mod chromium;
mod error;
pub mod leftovers;
mod liveness;
mod process_age;
pub mod run_mark;
pub mod temporary_browser;

/// Every call may be repeated: to start a running browser hands it out again, to stop a closed one
/// is a success. A failed `start` leaves no browser behind as far as the provider knows. One that is
/// dropped before it returns may leave one, and must be followed by a `stop`.
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

    /// Checks that the provider answers. A program of this machine always does.
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

    /// The browsers of these profiles that were opened by runs of this folder and still run; never one
    /// that a person or another program opened.
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

/// News of a provider while it starts a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderNews {
    /// A call waits for its turn, and has waited long enough to be reported.
    Waits { call: &'static str },
    /// A call waited for its turn.
    Waited { call: &'static str, waited: Duration },
    /// The browser's kernel is being downloaded; `waited` is the time so far. `message` holds no address.
    KernelDownloading { message: String, waited: Duration },
}

/// Called at once; must not block.
pub type OnProviderNews = Arc<dyn Fn(ProviderNews) + Send + Sync>;
