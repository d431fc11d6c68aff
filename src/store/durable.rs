//! Files that are replaced whole: a reader sees the old content or the new, never a part.
//!
//! `atomic-write-file` does temp file, fsync, rename and fsync of the folder on Unix; elsewhere the
//! last of these is the system's business. Its temp files have random names
//! (`.p1.json.a1B2c3`), so one is left when its process is killed in between: [`sweep`] removes it.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use atomic_write_file::AtomicWriteFile;

use super::StoreError;

/// Length of what the crate appends to the name of a temp file after `.NAME.`.
const SUFFIX: usize = 6;

/// Replaces `path`; on return the new content survives a power cut. A new file is readable by its
/// owner only, since sessions hold passwords; an existing one keeps its permissions.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let error = StoreError::at("write", path);
    let write = || {
        let mut options = AtomicWriteFile::options();
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(through_link(path)?)?;
        file.write_all(bytes)?;
        file.commit()
    };
    write().map_err(error)
}

/// Replaces `path` atomically but does not wait for the disk: for what a dying process must not
/// damage and a power cut may take. The temp file has one name, so the caller holds a lock.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".tmp");
    let temp = path.with_file_name(name);
    fs::write(&temp, bytes).and_then(|()| fs::rename(&temp, path)).map_err(StoreError::at("write", path))
}

/// Renames durably. `to` lies in the same folder.
pub fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::rename(from, to).and_then(|()| sync_folder(to)).map_err(StoreError::at("rename", from))
}

/// Removes what killed writers of `path` left behind. The caller holds the lock of `path`: the temp
/// file of a living writer must stay. Reads the whole folder.
pub fn sweep(path: &Path) -> Result<(), StoreError> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Ok(());
    };
    for entry in fs::read_dir(folder).map_err(StoreError::at("read the folder", folder))?.flatten() {
        if entry.file_name().to_str().is_some_and(|found| is_temp_of(found, name)) {
            // A leftover that stays costs a few bytes: no reason to refuse the profile.
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

fn is_temp_of(found: &str, name: &str) -> bool {
    found
        .strip_prefix('.')
        .and_then(|rest| rest.strip_prefix(name)?.strip_prefix('.'))
        .is_some_and(|suffix| suffix.len() == SUFFIX && suffix.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// A person may have linked the file elsewhere: then the target is replaced, not the link.
fn through_link(path: &Path) -> io::Result<Cow<'_, Path>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => fs::canonicalize(path).map(Cow::Owned),
        _ => Ok(Cow::Borrowed(path)),
    }
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
}

#[cfg(not(unix))]
fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::*;
    use crate::store::testing::{child, child_value, folder};

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn only_temp_files_of_this_name_are_swept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p1.json");
        for name in
            ["p1.json", ".p1.json.aB3dE6", ".p1.json.aB3dE6x", ".p10.json.aB3dE6", "p1.json.damaged-1"]
        {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        sweep(&path).unwrap();
        assert_eq!(
            names(folder.path()),
            [".p1.json.aB3dE6x", ".p10.json.aB3dE6", "p1.json", "p1.json.damaged-1"]
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_new_file_is_private_and_a_link_is_followed() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (path, target) = (folder.path().join("a.json"), folder.path().join("b.json"));
        write(&target, b"1").unwrap();
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
        symlink(&target, &path).unwrap();
        write(&path, b"2").unwrap();
        assert!(path.is_symlink());
        assert_eq!(fs::read(&target).unwrap(), b"2");
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(names(folder.path()), ["a.json", "b.json"]);
    }

    #[test]
    fn a_missing_folder_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("no/p.json");
        for error in [write(&path, b"x").unwrap_err(), replace(&path, b"x").unwrap_err()] {
            assert_eq!(error.to_string(), format!("cannot write {}", path.display()));
            assert_eq!(error.hint(), Some("the folder is missing: is this the folder you meant?"));
        }
    }

    /// The child's part of the next test: writes ever longer documents until it is killed.
    #[test]
    fn child_writes_until_it_is_killed() {
        let Some(path) = child_value() else { return };
        for round in 0_usize.. {
            let line = format!("{}\n", "x".repeat(round % 5000));
            write(Path::new(&path), line.as_bytes()).unwrap();
            if round == 0 {
                println!("written");
            }
        }
    }

    #[test]
    fn a_killed_writer_leaves_a_whole_file_and_nothing_else() {
        use std::io::BufRead as _;
        let (_folder, layout) = folder();
        let path = layout.state().join("p1.json");
        let mut left_over = 0;
        for round in 0..30 {
            let mut writer =
                child("store::durable::tests::child_writes_until_it_is_killed", path.to_str().unwrap())
                    .stdout(Stdio::piped())
                    .spawn()
                    .unwrap();
            let mut lines = io::BufReader::new(writer.stdout.take().unwrap()).lines();
            assert!(lines.any(|line| line.unwrap().contains("written")));
            // Not to synchronise: the kill is to fall at another place of the loop each time.
            std::thread::sleep(std::time::Duration::from_micros(317 * round));
            writer.kill().unwrap();
            writer.wait().unwrap();
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.ends_with('\n') && text.trim_end().bytes().all(|b| b == b'x'), "{text:?}");
            left_over += names(layout.state()).len() - 1;
            sweep(&path).unwrap();
            assert_eq!(names(layout.state()), ["p1.json"]);
        }
        println!("{left_over} temp files were swept");
    }
}
