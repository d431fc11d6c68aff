//! How much of the disk files take.

use std::fs::{self, Metadata};
use std::io;
use std::path::Path;
use std::time::SystemTime;

use super::Layout;
use regatta_core::id::ProfileId;

/// What a profile's files take, in bytes of the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProfileDiskUsage {
    /// User data of a local Chromium.
    pub browser: u64,
    /// Evidence, pictures, traces, downloads.
    pub artifacts: u64,
    /// Its log and its events.
    pub logs: u64,
}

impl ProfileDiskUsage {
    pub fn of(layout: &Layout, profile: &ProfileId) -> Self {
        let size = |path: &Path| measure(path).map_or(0, |measured| measured.bytes);
        Self {
            browser: size(&layout.browser_folder(profile)),
            artifacts: size(&layout.artifacts(profile)),
            logs: size(&layout.log(profile)) + size(&layout.events(profile)),
        }
    }

    pub const fn total(&self) -> u64 {
        self.browser + self.artifacts + self.logs
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathUsage {
    pub bytes: u64,
    /// The latest change of anything in it.
    pub modified: SystemTime,
}

/// A file, or a folder with all that is in it. Links are not followed.
pub fn measure(path: &Path) -> io::Result<PathUsage> {
    let file = fs::symlink_metadata(path)?;
    let mut measured = PathUsage { bytes: allocated(&file), modified: file.modified()? };
    if file.is_dir() {
        for entry in fs::read_dir(path)?.flatten() {
            // A browser removes files while they are looked at.
            let Ok(inside) = measure(&entry.path()) else { continue };
            measured.bytes += inside.bytes;
            measured.modified = measured.modified.max(inside.modified);
        }
    }
    Ok(measured)
}

#[cfg(unix)]
fn allocated(file: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(file) * 512
}

#[cfg(not(unix))]
fn allocated(file: &Metadata) -> u64 {
    file.len()
}
