//! The files on disk: sessions, locks, the event log, the pacer, the selector cache.
//!
//! Synchronous on purpose: every call here ends within milliseconds, and a caller that goes on must
//! know that what it asked for is on the disk. Time and randomness enter as values; only the pacer,
//! whose file is about the present, reads the clock.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

pub mod disk;
pub mod durable;
pub mod event_log;
pub mod filesystem;
pub mod folder_watcher;
pub mod layout;
pub mod lock;
pub mod log_file;
pub mod pacer;
pub mod profile_files;
pub mod provider_labels;
pub mod retention;
pub mod selector_cache;
pub mod session;
#[cfg(test)]
mod testing;

pub use self::event_log::{EventLog, EventReader};
pub use self::layout::Layout;
pub use self::lock::{Lock, LockError, LockHolder};
pub use self::pacer::{CallPriority, Pacer, PacerDecision, PacerTicket};
pub use self::selector_cache::{CacheKey, SelectorCache};
pub use self::session::{HeldProfile, OpenSession, SessionError, SessionReader};

/// The file system refused. The source says why, [`StoreError::hint`] what to do.
#[derive(Debug, Error)]
#[error("cannot {action} {}", path.display())]
pub struct StoreError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl StoreError {
    pub fn new(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self { action, path: path.into(), source }
    }

    /// For `map_err`.
    pub(crate) fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { action, path, source }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }

    /// Whether the same call may succeed later although nothing is changed here.
    pub fn may_pass(&self) -> bool {
        matches!(self.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }

    pub fn hint(&self) -> Option<&'static str> {
        Some(match self.source.kind() {
            io::ErrorKind::StorageFull => {
                "the disk is full: free some space, then run again; nothing is lost"
            }
            io::ErrorKind::QuotaExceeded => "the disk quota is used up: free some space, then run again",
            io::ErrorKind::ReadOnlyFilesystem => {
                "the file system is read-only: choose a writable folder, or mount it writable"
            }
            io::ErrorKind::PermissionDenied => {
                "this user may not do that there: check owner and permissions of the file and its folder"
            }
            io::ErrorKind::NotFound => "the folder is missing: is this the folder you meant?",
            io::ErrorKind::IsADirectory => "a folder stands where a file is expected: move it away",
            io::ErrorKind::NotADirectory => "a file stands where a folder is expected: move it away",
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(errno: i32, expected: Expect) {
        let error = StoreError::new("write", "state/p1.json", io::Error::from_raw_os_error(errno));
        expected.assert_eq(&testing::story(&error, error.hint()));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_refusal_says_where_why_and_what_next() {
        check(
            28, // ENOSPC
            expect![[r#"
                cannot write state/p1.json
                No space left on device (os error 28)
                hint: the disk is full: free some space, then run again; nothing is lost"#]],
        );
        check(
            30, // EROFS
            expect![[r#"
                cannot write state/p1.json
                Read-only file system (os error 30)
                hint: the file system is read-only: choose a writable folder, or mount it writable"#]],
        );
        check(
            13, // EACCES
            expect![[r#"
                cannot write state/p1.json
                Permission denied (os error 13)
                hint: this user may not do that there: check owner and permissions of the file and its folder"#]],
        );
        check(
            122, // EDQUOT
            expect![[r#"
                cannot write state/p1.json
                Disk quota exceeded (os error 122)
                hint: the disk quota is used up: free some space, then run again"#]],
        );
        check(
            5, // EIO
            expect![[r#"
                cannot write state/p1.json
                Input/output error (os error 5)"#]],
        );
    }
}
