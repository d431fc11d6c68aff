//! The Chromium of `regatta play`, whose user data is removed when the flow has ended, and what a killed
//! `play` left of one.
//!
//! Each has a folder like an operator's with the lock of one profile, which `play` holds while it lives.
//! The lock distinguishes a dead one from a living one, so the next `play` or `clean` ends and removes it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use super::ProviderError;
use super::chromium::{Chromium, ChromiumSettings};
use super::leftovers::{self, Leftover};
use crate::store::layout::create_folder;
use crate::store::{Layout, Lock, LockHolder, SessionError, StoreError, lock, session};
use regatta_core::id::{ProfileId, RunId};

const PREFIX: &str = "regatta-play-";
/// A younger lock without a holder's name belongs to a `play` that is about to take it.
const ACQUIRED_WITHIN: Duration = Duration::from_secs(60);

/// The name under which a flow without a profile is played.
pub fn play_profile() -> ProfileId {
    "play".parse().expect("these are letters")
}

#[derive(Debug, Error)]
pub enum TemporaryBrowserError {
    #[error("cannot make a folder for the browser")]
    Folder(#[source] io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Session(#[from] SessionError),
}

/// A folder for one browser, removed by [`TemporaryBrowser::close`] or when it is dropped.
#[derive(Debug)]
pub struct TemporaryBrowser {
    pub layout: Layout,
    folder: tempfile::TempDir,
    _lock: Lock,
}

impl TemporaryBrowser {
    pub fn new(run_id: &RunId) -> Result<Self, TemporaryBrowserError> {
        let folder =
            tempfile::Builder::new().prefix(PREFIX).tempdir().map_err(TemporaryBrowserError::Folder)?;
        let layout = Layout::new(folder.path());
        create_folder(layout.state())?;
        let holder = LockHolder::new(run_id.clone(), jiff::Timestamp::now());
        let lock = session::hold(&layout, &play_profile(), &holder)?;
        Ok(Self { layout, folder, _lock: lock })
    }

    pub fn close(self) {
        if let Err(error) = self.folder.close() {
            tracing::warn!("the browser's folder could not be removed: {error}");
        }
    }
}

/// The folder of a killed `play`, and what still runs of it.
#[derive(Debug)]
pub struct LeftTemporaryBrowser {
    folder: PathBuf,
    pub found: Vec<Leftover>,
}

impl LeftTemporaryBrowser {
    /// Ends what runs and removes the folder, unless another process is doing so.
    pub async fn end(self, settings: &ChromiumSettings) -> Result<(), ProviderError> {
        let layout = Layout::new(&self.folder);
        let now = jiff::Timestamp::now();
        let holder = LockHolder::new(RunId::new(now, rand::random()), now);
        let Ok(_lock) = session::hold(&layout, &play_profile(), &holder) else { return Ok(()) };
        let chromium = Chromium::new(layout.clone(), settings.clone());
        leftovers::end(&layout, &chromium, &play_profile()).await?;
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            tracing::warn!("{} could not be removed: {error}", self.folder.display());
        }
        Ok(())
    }
}

/// Finds the folders of killed `play`s in this machine's folder for temporary files.
pub async fn find_left(settings: &ChromiumSettings) -> Vec<LeftTemporaryBrowser> {
    let mut all = Vec::new();
    for folder in folders(&std::env::temp_dir()) {
        let layout = Layout::new(&folder);
        if !is_left(&layout.session_lock(&play_profile())) {
            continue;
        }
        let chromium = Chromium::new(layout.clone(), settings.clone());
        match leftovers::find(&layout, &chromium).await {
            Ok(found) => all.push(LeftTemporaryBrowser { folder, found }),
            Err(error) => tracing::debug!("cannot find what `play` left: {error}"),
        }
    }
    all
}

fn is_left(lock: &Path) -> bool {
    let age = || lock.metadata().ok()?.modified().ok()?.elapsed().ok();
    lock::is_held(lock).is_ok_and(|held| !held)
        && (lock::holder(lock).is_some() || age().is_some_and(|age| age > ACQUIRED_WITHIN))
}

fn folders(temporary: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(temporary).into_iter().flatten().flatten();
    let ours =
        entries.filter(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX)));
    let mut folders: Vec<_> = ours.map(|entry| entry.path()).collect();
    folders.sort();
    folders
}
