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
mod lists;
mod profiles;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use tokio::net::TcpListener;

use crate::args::SandboxArgs;
use browser::{EmulatedBrowser, EmulatedConnection, Launch};
use faults::{EmulatorFaults, FaultKind};
use limit::Limit;
use profiles::EmulatedProfile;

use calls::router;

pub use faults::EmulatorFault;

/// Answers for ever; an app that restarts is away for a while and comes back at the same address.
pub async fn serve(emulator: Arc<AdsPowerEmulator>, mut listener: TcpListener) -> io::Result<()> {
    let (address, mut restarts) = (listener.local_addr()?, emulator.restarts.subscribe());
    let router: Router = router(emulator);
    loop {
        let away = tokio::select! {
            ended = axum::serve(listener, router.clone()) => return ended,
            changed = restarts.changed() => changed.map(|()| *restarts.borrow_and_update()),
        };
        // The emulator holds the other end as long as it answers.
        tokio::time::sleep(away.unwrap_or_default()).await;
        listener = TcpListener::bind(address).await?;
    }
}

pub struct AdsPowerEmulator {
    profiles: Vec<EmulatedProfile>,
    programs: browser::Programs,
    api_key: Option<String>,
    limit: Mutex<Limit>,
    faults: Mutex<EmulatorFaults>,
    /// Browsers the registry lost; they end with the sandbox.
    forgotten: Mutex<Vec<EmulatedBrowser>>,
    /// By path.
    calls: Mutex<BTreeMap<String, u64>>,
    restarts: tokio::sync::watch::Sender<Duration>,
    /// By profile, what its last start said.
    starts: Mutex<BTreeMap<String, serde_json::Value>>,
    throttled: AtomicU64,
    shutting_down: AtomicBool,
    verbose: bool,
}

impl AdsPowerEmulator {
    /// Ends browsers that a killed sandbox left behind in the same folder.
    pub async fn open(args: &SandboxArgs, folder: &Path) -> io::Result<AdsPowerEmulator> {
        let programs = browser::Programs::find(args.chrome.as_deref())?;
        let folder = folder.join("browsers");
        let profiles = match &args.profiles {
            Some(file) => profiles::read(file, &folder)?,
            None => profiles::numbered(args.profile_count, &folder),
        };
        for profile in &profiles {
            leftover::end(&profile.folder).await?;
        }
        let mut faults = EmulatorFaults::default();
        args.fault.iter().cloned().for_each(|fault| faults.add(fault));
        Ok(AdsPowerEmulator {
            profiles,
            programs,
            api_key: args.api_key.clone(),
            limit: Mutex::new(Limit::new(args.calls_per_second)),
            faults: Mutex::new(faults),
            forgotten: Mutex::default(),
            calls: Mutex::default(),
            restarts: tokio::sync::watch::channel(Duration::ZERO).0,
            starts: Mutex::default(),
            throttled: AtomicU64::new(0),
            shutting_down: AtomicBool::new(false),
            verbose: args.verbose,
        })
    }

    fn profile(&self, id: &str) -> Option<&EmulatedProfile> {
        self.profiles.iter().find(|profile| profile.id == id)
    }

    /// Counts the call; false when it comes too early.
    fn admits(&self, path: &str) -> bool {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        *calls.entry(path.to_owned()).or_default() += 1;
        drop(calls);
        let mut limit = self.limit.lock().unwrap_or_else(PoisonError::into_inner);
        let admitted = limit.admits(Instant::now(), path);
        if !admitted {
            self.throttled.fetch_add(1, Ordering::Relaxed);
        }
        admitted
    }

    /// Starting an open profile answers its connection again.
    async fn start(&self, profile: &EmulatedProfile, launch: Launch) -> io::Result<EmulatedConnection> {
        let mut slot = profile.browser.lock().await;
        if let Some(browser) = slot.as_ref().filter(|browser| browser.is_alive()) {
            return Ok(browser.connection().clone());
        }
        // Checked under the slot's lock: shut_down takes every slot after it has set this.
        if self.shutting_down.load(Ordering::SeqCst) {
            return Err(io::Error::other("the sandbox is shutting down"));
        }
        leftover::end(&profile.folder).await?;
        let browser = EmulatedBrowser::launch(&self.programs, &profile.folder, &launch).await?;
        let connection = browser.connection().clone();
        profile.set_open(Some(&browser));
        *slot = Some(browser);
        Ok(connection)
    }

    /// False when it was not open.
    async fn stop(&self, profile: &EmulatedProfile) -> bool {
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
    async fn switch(&self, fault: EmulatorFault) {
        if !fault.is_at_once() {
            self.faults.lock().unwrap_or_else(PoisonError::into_inner).add(fault);
            return;
        }
        if fault.kind == FaultKind::AppRestarts {
            self.restarts.send_replace(fault.lasts());
            return;
        }
        for profile in &self.profiles {
            profile.set_open(None);
            let lost = profile.browser.lock().await.take();
            self.forgotten.lock().unwrap_or_else(PoisonError::into_inner).extend(lost);
        }
    }

    fn strike(&self, profile: &str) -> Option<EmulatorFault> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).strike(profile)
    }

    fn is_used_elsewhere(&self, profile: &str) -> bool {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).is_used_elsewhere(profile)
    }

    /// The id of the profile that AdsPower counts by this number.
    fn by_number(&self, number: &str) -> Option<String> {
        let number: usize = number.parse().ok()?;
        self.profiles.iter().find(|profile| profile.number == number).map(|profile| profile.id.clone())
    }

    fn note_start(&self, profile: &str, parameters: serde_json::Value) {
        self.starts.lock().unwrap_or_else(PoisonError::into_inner).insert(profile.to_owned(), parameters);
    }

    fn starts(&self) -> BTreeMap<String, serde_json::Value> {
        self.starts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_too_old(&self, path: &str) -> bool {
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        path.starts_with("/api/v2/") && faults.is_too_old()
    }

    fn download_kernel(&self) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).download_kernel();
    }

    fn calls(&self) -> BTreeMap<String, u64> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn stop_all(&self) {
        futures::future::join_all(self.profiles.iter().map(|profile| self.stop(profile))).await;
    }

    /// Starts no browser any more and leaves none behind, not even one that is just starting.
    pub async fn shut_down(&self) {
        self.shutting_down.store(true, Ordering::SeqCst);
        self.stop_all().await;
        let forgotten = std::mem::take(&mut *self.forgotten.lock().unwrap_or_else(PoisonError::into_inner));
        futures::future::join_all(forgotten.into_iter().map(EmulatedBrowser::stop)).await;
    }
}
