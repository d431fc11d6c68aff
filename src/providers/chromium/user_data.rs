//! The files by which a Chromium claims its user-data folder and says where it is driven.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use crate::store::StoreError;

const PORT_FILE: &str = "DevToolsActivePort";

/// Who claims the folder: `SingletonLock` is a link to `host-pid`. There is none on Windows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserDataHolder {
    host: String,
    pid: u32,
}

impl UserDataHolder {
    /// Only there its process can be looked for.
    pub fn is_of_this_machine(&self) -> bool {
        sysinfo::System::host_name().is_ok_and(|host| host == self.host)
    }
}

impl fmt::Display for UserDataHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a browser on {} (process {})", self.host, self.pid)
    }
}

pub fn holder(folder: &Path) -> Option<UserDataHolder> {
    let target = fs::read_link(folder.join("SingletonLock")).ok()?;
    let (host, pid) = target.to_str()?.rsplit_once('-')?;
    Some(UserDataHolder { host: host.to_owned(), pid: pid.parse().ok()? })
}

/// Returns the address in the port file. It counts only when the browser there gives the same answer: the file
/// outlives its browser, and may be half-written.
pub fn devtools_address(folder: &Path) -> Option<String> {
    let text = fs::read_to_string(folder.join(PORT_FILE)).ok()?;
    let (port, path) = text.split_once('\n')?;
    let port: u16 = port.trim().parse().ok().filter(|port| *port != 0)?;
    let path = path.trim();
    path.starts_with("/devtools/browser/").then(|| format!("ws://127.0.0.1:{port}{path}"))
}

/// Removes what a dead browser left. The caller knows that none lives in the folder.
pub fn clear(folder: &Path) -> Result<(), StoreError> {
    for name in [PORT_FILE, "SingletonLock", "SingletonSocket", "SingletonCookie"] {
        let path = folder.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::new("remove", path, error));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_port_file_counts_once_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(devtools_address(folder.path()), None);
        for (text, expected) in [
            ("", None),
            ("432", None),
            ("43210\n", None),
            ("43210\n/devtools/", None),
            ("0\n/devtools/browser/a-b", None),
            ("43210\n/devtools/browser/a-b", Some("ws://127.0.0.1:43210/devtools/browser/a-b")),
        ] {
            fs::write(folder.path().join(PORT_FILE), text).unwrap();
            assert_eq!(devtools_address(folder.path()).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_claim_names_host_and_process_and_is_cleared() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(holder(folder.path()), None);
        let host = sysinfo::System::host_name().unwrap();
        for (target, ours) in [(format!("{host}-17"), true), ("other-host-17".to_owned(), false)] {
            symlink(&target, folder.path().join("SingletonLock")).unwrap();
            symlink("/nowhere", folder.path().join("SingletonSocket")).unwrap();
            let holder = holder(folder.path()).unwrap();
            assert_eq!((holder.pid, holder.is_of_this_machine()), (17, ours));
            clear(folder.path()).unwrap();
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }
}
