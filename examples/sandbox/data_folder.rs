//! The data folder and its lock: one sandbox a folder.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// Holds the folder until dropped; the lock file itself is never removed.
pub struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    pub fn path(&self) -> &Path {
        &self.path
    }
}

pub fn open(path: &Path) -> io::Result<DataFolder> {
    fs::create_dir_all(path)?;
    // Absolute, because Chromium resolves its user-data folder against its own working folder.
    let path = fs::canonicalize(path)?;
    let lock = File::create(path.join("sandbox.lock"))?;
    match lock.try_lock() {
        Ok(()) => Ok(DataFolder { path, _lock: lock }),
        Err(TryLockError::WouldBlock) => {
            Err(io::Error::other(format!("another sandbox uses {}", path.display())))
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}
