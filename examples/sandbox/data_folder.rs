//! The data folder and its lock: one sandbox a folder.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use fd_lock::RwLock;

/// Holds the folder until dropped; the lock file itself is never removed.
pub struct DataFolder {
    path: PathBuf,
    /// Its guard was forgotten, so the lock lives as long as the file is open.
    _lock: RwLock<File>,
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
    let mut lock = RwLock::new(File::create(path.join("sandbox.lock"))?);
    match lock.try_write() {
        Ok(guard) => std::mem::forget(guard),
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            return Err(io::Error::other(format!("another sandbox uses {}", path.display())));
        }
        Err(error) => return Err(error),
    }
    Ok(DataFolder { path, _lock: lock })
}
