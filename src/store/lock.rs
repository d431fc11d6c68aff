//! Locks between processes. A lock is a file of its own beside what it guards. It is never renamed or
//! deleted, since a lock on a file that is replaced by a rename admits two holders.
//!
//! The system releases a lock when its holder dies, however it dies, and only the lock proves that it
//! has a holder. The holder describes itself in a second file, `NAME.lock.holder`: Windows refuses to
//! read a file that another process has locked. The record is for people, and for one hint: a holder that
//! ends normally removes it, so a record found on acquiring means that the last holder was killed.
//! Earlier versions wrote the record into the lock file, and it is still read from there.
//!
//! Asking must not disturb: [`is_held`] takes the lock *shared* for an instant. A run that starts in
//! that instant is refused by it, so [`Lock::try_acquire`] checks in turn whether a shared lock would
//! be granted. If so, the other process only asks, and it tries again. If not, the other process holds
//! the lock, and the refusal is returned at once.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use fd_lock::RwLock;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::StoreError;
use super::layout::lock_holder;
use regatta_core::id::RunId;

/// How long shared locks of processes that only ask are waited for. They last microseconds, unless
/// the system suspends the asking process.
const ASKERS_GONE: Duration = Duration::from_secs(1);

/// Held until it is dropped or the process dies.
#[derive(Debug)]
#[must_use = "the lock is released when this is dropped"]
pub struct Lock {
    /// Its guard was forgotten, so the lock lives as long as the file is open.
    file: RwLock<File>,
    /// The file with the holder's record, where this lock has one.
    holder_file: Option<PathBuf>,
    holder_was_killed: bool,
}

/// The holder of a lock as it describes itself. For people: no decision rests on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockHolder {
    pub pid: u32,
    pub started_at: jiff::Timestamp,
    pub run_id: RunId,
}

impl LockHolder {
    /// Describes this process.
    pub fn new(run_id: RunId, started_at: jiff::Timestamp) -> Self {
        Self { pid: std::process::id(), started_at, run_id }
    }
}

#[derive(Debug, Error)]
pub enum LockError {
    /// The holder is unknown until it has written its record.
    #[error("another process holds the lock{}", holder.as_ref().map(|h| format!(" (process {})", h.pid)).unwrap_or_default())]
    Held { holder: Option<LockHolder> },
    #[error(transparent)]
    Io(#[from] StoreError),
}

impl Lock {
    /// Acquires the lock, or returns its holder. Waits only for processes that ask whether it is held.
    pub fn try_acquire(path: &Path, as_holder: &LockHolder) -> Result<Self, LockError> {
        let mut file = open(path)?;
        let since = Instant::now();
        let was_named_inside = loop {
            let refused = match file.try_write() {
                Ok(guard) => {
                    let was_named_inside = guard.metadata().is_ok_and(|file| file.len() > 0);
                    let _ = guard.set_len(0);
                    std::mem::forget(guard);
                    break was_named_inside;
                }
                Err(error) => error,
            };
            if refused.kind() != ErrorKind::WouldBlock {
                return Err(StoreError::new("lock", path, refused).into());
            }
            if since.elapsed() >= ASKERS_GONE || !would_share(&file, path)? {
                return Err(LockError::Held { holder: holder(path) });
            }
            thread::sleep(Duration::from_micros(500));
        };
        let holder_file = lock_holder(path);
        // Removed first: a full disk must leave no record rather than that of another holder.
        let was_named = fs::remove_file(&holder_file).is_ok() || was_named_inside;
        // Nor is a full disk a reason to release the lock: only people read the record.
        let _ = serde_json::to_string(as_holder).map(|line| fs::write(&holder_file, line + "\n"));
        Ok(Self { file, holder_file: Some(holder_file), holder_was_killed: was_named })
    }

    /// Waits for the lock without a time limit: for the few instructions around a shared file.
    pub fn acquire(path: &Path) -> Result<Self, StoreError> {
        let mut file = open(path)?;
        loop {
            match file.write() {
                Ok(guard) => {
                    std::mem::forget(guard);
                    break;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(StoreError::new("lock", path, error)),
            }
        }
        Ok(Self { file, holder_file: None, holder_was_killed: false })
    }

    /// Whether the last holder ended without releasing the lock. A hint, not a fact.
    pub fn holder_was_killed(&self) -> bool {
        self.holder_was_killed
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(holder_file) = &self.holder_file {
            let _ = fs::remove_file(holder_file);
        }
        // Closing the file releases the lock, but on Unix a child that is between fork and exec keeps it
        // for an instant. A second guard, which the holder's own file is granted there, releases it now.
        drop(self.file.try_write());
    }
}

/// Returns whether a process holds the lock now. Changes nothing.
pub fn is_held(path: &Path) -> Result<bool, StoreError> {
    let file = match File::open(path) {
        Ok(file) => RwLock::new(file),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(StoreError::new("open the lock", path, error)),
    };
    Ok(!would_share(&file, path)?)
}

/// Returns the record of the last holder. It counts only while the lock is held.
///
/// An older version leaves its record in the lock file, which every newer holder empties. So that record
/// is the later one where there are two.
pub fn holder(path: &Path) -> Option<LockHolder> {
    let read = |path: &Path| {
        let mut text = String::new();
        File::open(path).ok()?.take(4096).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    };
    read(path).or_else(|| read(&lock_holder(path)))
}

fn open(path: &Path) -> Result<RwLock<File>, StoreError> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    file.map(RwLock::new).map_err(StoreError::at("open the lock", path))
}

/// Whether a shared lock would be granted: then the lock is free, or held shared by processes that only ask.
fn would_share(file: &RwLock<File>, path: &Path) -> Result<bool, StoreError> {
    match file.try_read() {
        Ok(guard) => {
            drop(guard);
            Ok(true)
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(StoreError::new("lock", path, error)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Child, Stdio};
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::store::testing::{child, child_value, now, run_id};

    fn me() -> LockHolder {
        LockHolder::new(run_id(), now())
    }

    #[test]
    fn a_lock_has_one_holder_and_is_released() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.lock");
        assert!(!is_held(&path).unwrap());
        assert!(!path.exists(), "asking creates nothing");

        let lock = Lock::try_acquire(&path, &me()).unwrap();
        assert!(is_held(&path).unwrap());
        let started = Instant::now();
        let error = Lock::try_acquire(&path, &me()).unwrap_err();
        assert!(started.elapsed() < ASKERS_GONE, "a real holder is reported at once");
        assert_eq!(
            error.to_string(),
            format!("another process holds the lock (process {})", std::process::id())
        );
        assert!(matches!(error, LockError::Held { holder: Some(holder) } if holder == me()));

        drop(lock);
        assert!(!is_held(&path).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
        assert_eq!(holder(&path), None);
        assert!(!Lock::try_acquire(&path, &me()).unwrap().holder_was_killed());
    }

    #[test]
    fn an_unknown_holder_is_reported_without_a_process() {
        let error = LockError::Held { holder: None };
        assert_eq!(error.to_string(), "another process holds the lock");
    }

    #[test]
    fn a_missing_folder_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("no/p.lock");
        let error = Lock::try_acquire(&path, &me()).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot open the lock {}", path.display()));
    }

    #[test]
    fn asking_for_a_lock_never_refuses_it_to_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.lock");
        drop(Lock::try_acquire(&path, &me()).unwrap());
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        is_held(&path).unwrap();
                    }
                });
            }
            for _ in 0..300 {
                let taken = Lock::try_acquire(&path, &me());
                if taken.is_err() {
                    done.store(true, Ordering::Relaxed);
                }
                drop(taken.unwrap());
            }
            done.store(true, Ordering::Relaxed);
        });
    }

    #[test]
    fn child_holds_the_lock_until_it_is_killed() {
        let Some(path) = child_value() else { return };
        let _lock = Lock::try_acquire(Path::new(&path), &me()).unwrap();
        println!("locked");
        thread::sleep(Duration::from_secs(60));
    }

    /// As versions before fd-lock did: the record is in the lock file.
    #[test]
    fn child_holds_the_lock_as_an_earlier_version_did() {
        let Some(path) = child_value() else { return };
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).unwrap();
        file.try_lock().unwrap();
        file.set_len(0).unwrap();
        serde_json::to_writer(&mut file, &me()).unwrap();
        println!("locked");
        thread::sleep(Duration::from_secs(60));
    }

    /// Spawns this test binary with one of the tests above, and waits until it holds the lock.
    fn holding_child(test: &str, path: &Path) -> Child {
        let mut holding = child(&format!("store::lock::tests::{test}"), path.to_str().unwrap())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(holding.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("locked")));
        holding
    }

    #[test]
    fn the_lock_of_a_killed_holder_is_free_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.lock");
        let mut holding = holding_child("child_holds_the_lock_until_it_is_killed", &path);
        let pid = holding.id();
        let refused = Lock::try_acquire(&path, &me());
        assert!(matches!(refused, Err(LockError::Held { holder: Some(holder) }) if holder.pid == pid));
        holding.kill().unwrap();
        holding.wait().unwrap();
        assert!(!is_held(&path).unwrap());
        assert_eq!(holder(&path).unwrap().pid, pid);
        assert!(Lock::try_acquire(&path, &me()).unwrap().holder_was_killed());
    }

    #[test]
    fn the_lock_of_an_earlier_version_is_respected_and_its_holder_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.lock");
        // Left by a killed holder of this version, before the earlier version ran.
        let killed = LockHolder { pid: 1, ..me() };
        fs::write(lock_holder(&path), serde_json::to_string(&killed).unwrap()).unwrap();
        let mut holding = holding_child("child_holds_the_lock_as_an_earlier_version_did", &path);
        let pid = holding.id();
        assert!(is_held(&path).unwrap());
        let refused = Lock::try_acquire(&path, &me());
        assert!(matches!(refused, Err(LockError::Held { holder: Some(holder) }) if holder.pid == pid));
        holding.kill().unwrap();
        holding.wait().unwrap();
        let lock = Lock::try_acquire(&path, &me()).unwrap();
        assert!(lock.holder_was_killed());
        assert_eq!(holder(&path).unwrap(), me(), "the record of the earlier version is gone");
    }

    #[test]
    fn a_held_lock_refuses_an_earlier_version() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.lock");
        let lock = Lock::try_acquire(&path, &me()).unwrap();
        let earlier = File::options().write(true).open(&path).unwrap();
        assert!(matches!(earlier.try_lock(), Err(std::fs::TryLockError::WouldBlock)));
        drop(lock);
        earlier.try_lock().unwrap();
        assert!(is_held(&path).unwrap());
    }

    #[test]
    fn a_record_without_a_lock_is_no_holder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.lock");
        fs::write(lock_holder(&path), serde_json::to_string(&me()).unwrap()).unwrap();
        assert!(!is_held(&path).unwrap());
        assert!(Lock::try_acquire(&path, &me()).unwrap().holder_was_killed());
        assert_eq!(holder(&path), None);
    }

    #[test]
    fn the_record_of_a_holder_is_read_without_waiting_for_its_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.lock");
        let _lock = Lock::try_acquire(&path, &me()).unwrap();
        let started = Instant::now();
        assert_eq!(holder(&path), Some(me()));
        assert!(started.elapsed() < ASKERS_GONE);
        assert_eq!(fs::read_to_string(&path).unwrap(), "", "Windows cannot read a locked file");
    }
}
