//! The folder of the browser that `play` throws away, and what a killed `play` left of one.
//!
//! Each is a folder like an operator's, with the lock of one profile, which `play` holds as long as it
//! lives. So whoever comes next can tell a dead one from a living one, and ends and removes it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::command_error::CommandError;
use super::load;
use super::settings::Settings;
use crate::providers::leftovers::{self, Leftover};
use crate::providers::provider::ProviderError;
use crate::store::layout::create_folder;
use crate::store::{Layout, Lock, LockHolder, lock, session};
use regatta_core::id::{ProfileId, RunId};

const PREFIX: &str = "regatta-play-";
const ABOUT_TO_BE_TAKEN: Duration = Duration::from_secs(60);

/// The profile it is played as.
pub fn nobody() -> ProfileId {
    "play".parse().expect("these are letters")
}

/// Removed when it is dropped, or closed.
#[derive(Debug)]
pub struct TemporaryBrowser {
    pub layout: Layout,
    folder: tempfile::TempDir,
    _lock: Lock,
}

impl TemporaryBrowser {
    pub fn make(run_id: &RunId) -> Result<Self, CommandError> {
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir().map_err(|error| {
            CommandError::usage(format!("cannot make a folder for the browser: {error}"))
                .hint("TMPDIR names another place".to_owned())
        })?;
        let layout = Layout::new(folder.path());
        create_folder(layout.state())?;
        let holder = LockHolder::new(run_id.clone(), jiff::Timestamp::now());
        let lock = session::hold(&layout, &nobody(), &holder)?;
        Ok(Self { layout, folder, _lock: lock })
    }

    pub fn close(self) {
        if let Err(error) = self.folder.close() {
            tracing::warn!("the browser's folder could not be removed: {error}");
        }
    }
}

/// What a `play` left that was killed: its folder, and what still runs of it.
pub struct LeftTemporaryBrowser {
    folder: PathBuf,
    pub found: Vec<Leftover>,
}

impl LeftTemporaryBrowser {
    /// Ends what runs, and removes the folder, unless somebody else is at it.
    pub async fn end(self, settings: &Settings) -> Result<(), ProviderError> {
        let layout = Layout::new(&self.folder);
        let now = jiff::Timestamp::now();
        let holder = LockHolder::new(RunId::new(now, rand::random()), now);
        let Ok(_lock) = session::hold(&layout, &nobody(), &holder) else { return Ok(()) };
        leftovers::end(&layout, &load::chromium(settings, layout.clone()), &nobody()).await?;
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            tracing::warn!("{} could not be removed: {error}", self.folder.display());
        }
        Ok(())
    }
}

/// What nobody holds any more, of this machine's folder for temporary files.
pub async fn left(settings: &Settings) -> Vec<LeftTemporaryBrowser> {
    let mut all = Vec::new();
    for folder in folders(&std::env::temp_dir()) {
        let layout = Layout::new(&folder);
        if !is_left(&layout.session_lock(&nobody())) {
            continue;
        }
        match leftovers::find(&layout, &load::chromium(settings, layout.clone())).await {
            Ok(found) => all.push(LeftTemporaryBrowser { folder, found }),
            Err(error) => tracing::debug!("cannot look for what `play` left: {error}"),
        }
    }
    all
}

/// A young lock without a holder's name is one that a `play` is about to take.
fn is_left(lock: &Path) -> bool {
    let age = || lock.metadata().ok()?.modified().ok()?.elapsed().ok();
    lock::is_held(lock).is_ok_and(|held| !held)
        && (lock::holder(lock).is_some() || age().is_some_and(|age| age > ABOUT_TO_BE_TAKEN))
}

fn folders(temporary: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(temporary).into_iter().flatten().flatten();
    let ours =
        entries.filter(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX)));
    let mut folders: Vec<_> = ours.map(|entry| entry.path()).collect();
    folders.sort();
    folders
}
