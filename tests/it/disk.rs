//! What a person reads when the disk refuses, and that nothing is overwritten then. On a small file
//! system of its own; where none may be mounted, the refusals are injected, and the test says so.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use regatta::store::StoreError;
use serde_json::json;

use crate::support::program::{Ended, Folder};

/// A mounted file system, gone with the test.
struct Mount(PathBuf);

impl Mount {
    fn new(place: PathBuf) -> Result<Self, String> {
        fs::create_dir_all(&place).unwrap();
        mount(&["-t", "tmpfs", "-o", "size=512k", "tmpfs"], &place).map(|()| Self(place))
    }

    fn make_read_only(&self) {
        mount(&["-o", "remount,ro"], &self.0).unwrap();
    }

    /// Not one more byte.
    fn fill(&self) {
        let mut file = fs::File::create(self.0.join("filler")).unwrap();
        let (mut block, mut refused) = (vec![0; 4096], false);
        while !refused || block.len() > 1 {
            refused = file.write_all(&block).is_err();
            if refused {
                block.truncate((block.len() / 2).max(1));
            }
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn mount(arguments: &[&str], place: &Path) -> Result<(), String> {
    let output =
        Command::new("mount").args(arguments).arg(place).output().map_err(|error| error.to_string())?;
    output.status.success().then_some(()).ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The practice folder on a file system of its own; its profile `p1` has only its end to write.
struct SmallDisk {
    folder: Folder,
    root: PathBuf,
    mount: Mount,
}

impl SmallDisk {
    fn new() -> Option<Self> {
        let folder = Folder::practice();
        let root = folder.path("small");
        let mount = match Mount::new(root.clone()) {
            Ok(mount) => mount,
            Err(refused) => {
                println!("no file system may be mounted here ({}): injected instead", refused.trim());
                return None;
            }
        };
        for name in ["workflow.toml", "regatta.toml", "profiles.txt"] {
            fs::copy(folder.path(name), root.join(name)).unwrap();
        }
        for name in ["flows", "state", "logs", "artifacts"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        for flow in fs::read_dir(folder.path("flows")).unwrap().flatten() {
            fs::copy(flow.path(), root.join("flows").join(flow.file_name())).unwrap();
        }
        fs::write(root.join("state/p1.json"), document()).unwrap();
        fs::write(root.join("state/p1.lock"), "").unwrap();
        Some(Self { folder, root, mount })
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_regatta"));
        command.arg("-C").arg(&self.root).args(arguments);
        self.folder.start_command(command).wait()
    }
}

fn document() -> String {
    json!({
        "profile_id": "p1",
        "status": "PENDING",
        "platform": "desktop",
        "completion_flags": { "mailbox_created": true, "store_signup": true, "dev_registration": true, "2fa_enabled": true, "password_rotated": true },
        "identity": { "email": "p1@practice.test", "password": "pwd", "two_fa_secret": null },
    })
    .to_string()
}

#[track_caller]
fn assert_says(ended: &Ended, code: i32, words: &[&str]) {
    ended.assert_code(code);
    for word in words {
        assert!(ended.stderr.contains(word), "{word:?} is not in:\n{}", ended.stderr);
    }
}

#[track_caller]
fn check_injected(errno: i32, message: &str, hint: &str) {
    let error = StoreError::new("write", "state/p1.json", io::Error::from_raw_os_error(errno));
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains(message), "{source}");
    assert!(error.hint().is_some_and(|text| text.contains(hint)), "{:?}", error.hint());
}

const FULL: [&str; 2] = ["No space left on device", "the disk is full: free some space, then run again"];
const READ_ONLY: [&str; 2] = ["Read-only file system", "choose a writable folder, or mount it writable"];

#[test]
fn a_full_disk_is_told_and_no_document_is_lost() {
    let Some(place) = SmallDisk::new() else { return check_injected(28, FULL[0], FULL[1]) };
    place.mount.fill();
    assert_says(&place.run(&["run", "p1"]), 1, &FULL);
    assert_eq!(fs::read_to_string(place.root.join("state/p1.json")).unwrap(), document());
    // There is room again: it goes on as if nothing had been.
    fs::remove_file(place.root.join("filler")).unwrap();
    place.run(&["run", "p1"]).assert_code(0);
    let session = fs::read_to_string(place.root.join("state/p1.json")).unwrap();
    assert!(session.contains("COMPLETED") && session.contains("p1@practice.test"), "{session}");
}

#[test]
fn a_fleet_on_a_full_disk_says_so_and_tries_again() {
    let Some(place) = SmallDisk::new() else { return check_injected(28, FULL[0], FULL[1]) };
    // A profile that never ran has a document to begin.
    fs::write(place.root.join("profiles.txt"), "p2\n").unwrap();
    place.mount.fill();
    assert_says(&place.run(&["run", "p2"]), 1, &FULL);
    let ended = place.run(&["orchestrate", "--retries", "1", "--json", "profiles.txt"]);
    ended.assert_code(1);
    let report = ended.report();
    let p2 = &report["profiles"][0];
    assert_eq!((&p2["attempts"], &p2["cause"]), (&json!(2), &json!("step_failed")), "{report:#}");
    assert!(p2["last_error"].as_str().unwrap().starts_with("the disk is full"), "{report:#}");
    assert!(!place.root.join("state/p2.json").exists());
}

#[test]
fn a_read_only_folder_is_told_before_anything_starts() {
    let Some(place) = SmallDisk::new() else { return check_injected(30, READ_ONLY[0], READ_ONLY[1]) };
    place.mount.make_read_only();
    assert_says(&place.run(&["run", "p1"]), 2, &READ_ONLY);
    assert_says(&place.run(&["orchestrate", "profiles.txt"]), 2, &READ_ONLY);
    assert_eq!(fs::read_to_string(place.root.join("state/p1.json")).unwrap(), document());
}

#[test]
fn a_lock_that_cannot_be_opened_is_told() {
    let folder = Folder::practice();
    folder.write("state/p1.json", &document());
    fs::create_dir(folder.path("state/p1.lock")).unwrap();
    let said =
        ["cannot open the lock", "Is a directory", "a folder stands where a file is expected: move it away"];
    assert_says(&folder.run(&["run", "p1"]), 2, &said);
    assert_eq!(folder.read("state/p1.json"), document());
    fs::create_dir(folder.path("state/.orchestrator.lock")).unwrap();
    assert_says(&folder.run(&["orchestrate", "profiles.txt"]), 2, &said);
}

#[test]
fn garbage_in_the_place_of_a_document_is_kept_and_its_profile_refused() {
    for (name, garbage) in
        [("empty", ""), ("cut", &document()[..60]), ("zeros", "\0\0\0\0"), ("prose", "lost+found")]
    {
        let folder = Folder::practice();
        folder.write("state/p1.json", garbage);
        assert_says(
            &folder.run(&["run", "p1"]),
            6,
            &["is damaged", "it was moved to", "repair it and put it back"],
        );
        // Nor does the next run begin afresh.
        assert_says(&folder.run(&["run", "p1"]), 6, &["is damaged"]);
        assert!(!folder.path("state/p1.json").exists(), "{name}");
        let kept = fs::read_dir(folder.path("state")).unwrap().flatten();
        let kept: Vec<_> =
            kept.filter(|entry| entry.file_name().to_string_lossy().contains("damaged")).collect();
        assert_eq!(kept.len(), 1, "{name}");
        assert_eq!(fs::read_to_string(kept[0].path()).unwrap(), garbage, "{name}");
    }
}
