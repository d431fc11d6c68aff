//! Locks between processes: a file of its own beside what it guards, never renamed, never deleted,
//! since a lock on a file that is replaced by rename admits two holders.
//!
//! The system gives a lock back when its holder dies, however it dies, and only the lock says that
//! somebody is there. What is written in the file is for people, and for one hint: a holder that
//! ends by itself empties it, so a text found on acquiring means that the last one was killed.
//!
//! Asking must not disturb: [`is_held`] takes the lock *shared* for an instant. A run that starts in
//! that instant is refused by it, so [`Lock::try_acquire`] asks in turn whether a shared lock would
//! be granted. If so, the other one only asks, and it tries again; if not, the other one holds, and
//! the answer "held" comes at once and not after a pause.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::StoreError;
use regatta_core::id::RunId;

/// Bound of the wait for those who only ask. They need microseconds, unless the system lets one of
/// them sleep while it holds the lock.
const ASKERS_GONE: Duration = Duration::from_secs(1);

/// Held until it is dropped or the process dies.
#[derive(Debug)]
#[must_use = "the lock is released when this is dropped"]
pub struct Lock {
    file: File,
    holder_was_killed: bool,
}

/// Who holds a lock, as it says itself. For people; nothing is decided by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockHolder {
    pub pid: u32,
    pub started_at: jiff::Timestamp,
    pub run_id: RunId,
}

impl LockHolder {
    /// This process.
    pub fn new(run_id: RunId, started_at: jiff::Timestamp) -> Self {
        Self { pid: std::process::id(), started_at, run_id }
    }
}

#[derive(Debug, Error)]
pub enum LockError {
    /// The holder is unknown where it has not yet written its name, and on Windows, where a locked
    /// file cannot be read.
    #[error("another process holds the lock{}", holder.as_ref().map(|h| format!(" (process {})", h.pid)).unwrap_or_default())]
    Held { holder: Option<LockHolder> },
    #[error(transparent)]
    Io(#[from] StoreError),
}

impl Lock {
    /// Takes the lock or says who has it. Waits for nobody but those who only ask.
    pub fn try_acquire(path: &Path, as_holder: &LockHolder) -> Result<Self, LockError> {
        let file = open(path)?;
        let since = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock)
                    if since.elapsed() < ASKERS_GONE && only_asked(&file, path)? =>
                {
                    thread::sleep(Duration::from_micros(500));
                }
                Err(TryLockError::WouldBlock) => return Err(LockError::Held { holder: holder(path) }),
                Err(TryLockError::Error(error)) => return Err(StoreError::new("lock", path, error).into()),
            }
        }
        let mut lock = Self { holder_was_killed: file.metadata().is_ok_and(|file| file.len() > 0), file };
        // A full disk is no reason to give the lock back: only people read this.
        let _ = lock.sign(as_holder);
        Ok(lock)
    }

    /// Waits for the lock as long as it takes: for the few instructions around a shared file.
    pub fn wait(path: &Path) -> Result<Self, StoreError> {
        let file = open(path)?;
        loop {
            match file.lock() {
                Ok(()) => return Ok(Self { file, holder_was_killed: false }),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(StoreError::new("lock", path, error)),
            }
        }
    }

    /// Whether the last holder did not let go by itself. A hint, not a fact.
    pub fn holder_was_killed(&self) -> bool {
        self.holder_was_killed
    }

    fn sign(&mut self, holder: &LockHolder) -> io::Result<()> {
        let line = serde_json::to_string(holder)? + "\n";
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(line.as_bytes())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
        // Explicitly: closing alone would leave the lock with a child that is between fork and exec.
        let _ = self.file.unlock();
    }
}

/// Whether somebody holds the lock now. Changes nothing.
pub fn is_held(path: &Path) -> Result<bool, StoreError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(StoreError::new("open the lock", path, error)),
    };
    Ok(!would_share(&file, path)?)
}

/// Who says that it holds the lock; it may be long gone.
pub fn holder(path: &Path) -> Option<LockHolder> {
    let mut text = String::new();
    File::open(path).ok()?.take(4096).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn open(path: &Path) -> Result<File, StoreError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(StoreError::at("open the lock", path))
}

/// After a refusal: whether it came from somebody who only asks.
fn only_asked(file: &File, path: &Path) -> Result<bool, StoreError> {
    would_share(file, path)
}

fn would_share(file: &File, path: &Path) -> Result<bool, StoreError> {
    match file.try_lock_shared() {
        Ok(()) => {
            file.unlock().map_err(StoreError::at("unlock", path))?;
            Ok(true)
        }
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(StoreError::new("lock", path, error)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{BufRead as _, BufReader};
    use std::process::Stdio;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::store::testing::{child, child_value, now, run_id};

    fn me() -> LockHolder {
        LockHolder::new(run_id(), now())
    }

    #[test]
    fn a_lock_has_one_holder_and_is_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.lock");
        assert!(!is_held(&path).unwrap());
        assert!(!path.exists(), "asking creates nothing");

        let lock = Lock::try_acquire(&path, &me()).unwrap();
        assert!(is_held(&path).unwrap());
        let started = Instant::now();
        let error = Lock::try_acquire(&path, &me()).unwrap_err();
        assert!(started.elapsed() < ASKERS_GONE, "a real holder is told at once");
        assert_eq!(
            error.to_string(),
            format!("another process holds the lock (process {})", std::process::id())
        );
        assert!(matches!(error, LockError::Held { holder: Some(holder) } if holder == me()));

        drop(lock);
        assert!(!is_held(&path).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
        assert!(!Lock::try_acquire(&path, &me()).unwrap().holder_was_killed());
    }

    #[test]
    fn a_holder_without_a_name_is_told_too() {
        let error = LockError::Held { holder: None };
        assert_eq!(error.to_string(), "another process holds the lock");
    }

    #[test]
    fn a_missing_folder_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("no/p.lock");
        let error = Lock::try_acquire(&path, &me()).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot open the lock {}", path.display()));
    }

    #[test]
    fn those_who_ask_keep_nobody_out() {
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
    fn child_holds_until_it_is_killed() {
        let Some(path) = child_value() else { return };
        let _lock = Lock::try_acquire(Path::new(&path), &me()).unwrap();
        println!("locked");
        thread::sleep(Duration::from_secs(60));
    }

    #[test]
    fn the_lock_of_a_killed_holder_is_free_and_tells_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.lock");
        let mut holding = child("store::lock::tests::child_holds_until_it_is_killed", path.to_str().unwrap())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(holding.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("locked")));
        let pid = holding.id();
        let refused = Lock::try_acquire(&path, &me());
        assert!(matches!(refused, Err(LockError::Held { holder: Some(holder) }) if holder.pid == pid));
        holding.kill().unwrap();
        holding.wait().unwrap();
        assert!(!is_held(&path).unwrap());
        assert_eq!(holder(&path).unwrap().pid, pid);
        assert!(Lock::try_acquire(&path, &me()).unwrap().holder_was_killed());
    }
}
