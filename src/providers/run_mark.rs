//! The mark that every process of a run carries in its environment. It names the lock of the profile, so it
//! says which run a process belongs to after any number of crashes.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::store::Layout;
use regatta_core::id::ProfileId;

/// The name of the variable.
pub const MARK: &str = "REGATTA_RUN_OF";

/// Returns the value for the runs of a profile: the path of its lock, the same however the folder is named.
pub fn mark(layout: &Layout, profile: &ProfileId) -> OsString {
    locks(layout).join(format!("{profile}.lock")).into_os_string()
}

/// Returns the profile that a mark of the folder with these locks names.
pub fn marked_profile(environment: &[OsString], locks: &Path) -> Option<ProfileId> {
    let value = environment
        .iter()
        .find_map(|entry| entry.to_str()?.strip_prefix(MARK)?.strip_prefix('=').map(Path::new))?;
    let profile = value.file_name()?.to_str()?.strip_suffix(".lock")?;
    (value.parent() == Some(locks)).then(|| profile.parse().ok())?
}

/// Returns the folder of the locks without links.
pub fn locks(layout: &Layout) -> PathBuf {
    fs::canonicalize(layout.state()).unwrap_or_else(|_| layout.state().to_owned())
}
