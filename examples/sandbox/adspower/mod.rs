//! An emulator of AdsPower's Local API with real Chromium behind it.
//!
//! It answers what the real one was seen to answer, wording included, and nothing else. Where the
//! wording is not known, a comment says so, and only `code` may be relied upon.

mod browser;
mod calls;
mod envelope;
mod faults;
mod group;
mod leftover;
mod limit;
mod profiles;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::args::Args;
use browser::{Browser, Connection, Launch};
use faults::{Fault, Faults, Kind};
use limit::Limit;
use profiles::Profile;

pub use calls::router;

pub struct Emulator {
    profiles: Vec<Profile>,
    chrome: PathBuf,
    api_key: Option<String>,
    limit: Mutex<Limit>,
    faults: Mutex<Faults>,
    /// Browsers the registry lost; they end with the sandbox.
    forgotten: Mutex<Vec<Browser>>,
    calls: AtomicU64,
    throttled: AtomicU64,
    shutting_down: AtomicBool,
    verbose: bool,
}

impl Emulator {
    /// Ends browsers that a killed sandbox left behind in the same folder.
    pub async fn open(args: &Args, folder: &Path) -> io::Result<Emulator> {
        let chrome = browser::find(args.chrome.as_deref())?;
        let folder = folder.join("browsers");
        let profiles = match &args.profiles {
            Some(file) => profiles::read(file, &folder)?,
            None => profiles::numbered(args.profile_count, &folder),
        };
        for profile in &profiles {
            leftover::end(&profile.folder).await?;
        }
        Ok(Emulator {
            profiles,
            chrome,
            api_key: args.api_key.clone(),
            limit: Mutex::new(Limit::new(args.calls_per_second)),
            faults: Mutex::default(),
            forgotten: Mutex::default(),
            calls: AtomicU64::new(0),
            throttled: AtomicU64::new(0),
            shutting_down: AtomicBool::new(false),
            verbose: args.verbose,
        })
    }

    fn profile(&self, id: &str) -> Option<&Profile> {
        self.profiles.iter().find(|profile| profile.id == id)
    }

    /// Counts the call; false when it comes too early.
    fn admits(&self, path: &str) -> bool {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let mut limit = self.limit.lock().unwrap_or_else(PoisonError::into_inner);
        let admitted = limit.admits(Instant::now(), path);
        if !admitted {
            self.throttled.fetch_add(1, Ordering::Relaxed);
        }
        admitted
    }

    /// Starting an open profile answers its connection again.
    async fn start(&self, profile: &Profile, launch: Launch) -> io::Result<Connection> {
        let mut slot = profile.browser.lock().await;
        if let Some(browser) = slot.as_ref().filter(|browser| browser.is_alive()) {
            return Ok(browser.connection().clone());
        }
        // Looked at under the slot's lock: shut_down takes every slot after it has set this.
        if self.shutting_down.load(Ordering::SeqCst) {
            return Err(io::Error::other("the sandbox is shutting down"));
        }
        leftover::end(&profile.folder).await?;
        let browser = Browser::launch(&self.chrome, &profile.folder, &launch).await?;
        let connection = browser.connection().clone();
        profile.set_open(Some(&browser));
        *slot = Some(browser);
        Ok(connection)
    }

    /// False when it was not open.
    async fn stop(&self, profile: &Profile) -> bool {
        let mut slot = profile.browser.lock().await;
        let Some(browser) = slot.take() else {
            return false;
        };
        profile.set_open(None);
        let was_alive = browser.is_alive();
        browser.stop().await;
        was_alive
    }

    /// Of a start; what is not for one happens at once.
    async fn switch(&self, fault: Fault) {
        if fault.kind != Kind::RegistryLost {
            self.faults.lock().unwrap_or_else(PoisonError::into_inner).add(fault);
            return;
        }
        for profile in &self.profiles {
            profile.set_open(None);
            let lost = profile.browser.lock().await.take();
            self.forgotten.lock().unwrap_or_else(PoisonError::into_inner).extend(lost);
        }
    }

    fn strike(&self, profile: &str) -> Option<Kind> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).strike(profile)
    }

    async fn stop_all(&self) {
        futures::future::join_all(self.profiles.iter().map(|profile| self.stop(profile))).await;
    }

    /// Starts no browser any more and leaves none behind, not even one that is just starting.
    pub async fn shut_down(&self) {
        self.shutting_down.store(true, Ordering::SeqCst);
        self.stop_all().await;
        let forgotten = std::mem::take(&mut *self.forgotten.lock().unwrap_or_else(PoisonError::into_inner));
        futures::future::join_all(forgotten.into_iter().map(Browser::stop)).await;
    }
}
