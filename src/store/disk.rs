//! Measures how much of the disk files use.

use std::fs::{self, Metadata};
use std::io;
use std::path::Path;
use std::time::SystemTime;

use super::Layout;
use regatta_core::id::ProfileId;

/// The disk usage of a profile's files, in bytes.
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

/// Measures a file, or a folder with everything in it. Does not follow links.
pub fn measure(path: &Path) -> io::Result<PathUsage> {
    let file = fs::symlink_metadata(path)?;
    let mut measured = PathUsage { bytes: allocated(&file), modified: file.modified()? };
    if file.is_dir() {
        for entry in fs::read_dir(path)?.flatten() {
            // A browser removes files while they are measured.
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
