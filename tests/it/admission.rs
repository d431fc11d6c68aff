//! `--max auto`, `--max-load` and `--min-free-memory` of the real program, on the machine as it is.

use rustix::process::Signal;
use serde_json::json;

use crate::support::program::Folder;

/// Two profiles whose runs need no browser.
fn folder() -> Folder {
    let folder = Folder::practice();
    for profile in ["p1", "p2"] {
        let session = json!({
            "profile_id": profile, "status": "PENDING", "platform": "desktop", "identity": {},
            "completion_flags": { "mailbox_created": true, "store_signup": true, "dev_registration": true, "2fa_enabled": true, "password_rotated": true },
        });
        folder.write(&format!("state/{profile}.json"), &session.to_string());
    }
    folder.write("profiles.txt", "p1\np2\n");
    folder
}

/// Launches nothing, says why, and obeys.
#[track_caller]
fn check_waits(arguments: &[&str], said: &[&str]) {
    let folder = folder();
    let mut fleet =
        folder.start(&[&["orchestrate", "--stagger", "0s"], arguments, &["profiles.txt"]].concat());
    fleet.until("that launches wait", || {
        let logs = std::fs::read_dir(folder.path("logs")).ok()?.flatten();
        let mut logs = logs.filter(|log| log.file_name().to_string_lossy().starts_with("orchestrator."));
        let text = std::fs::read_to_string(logs.next()?.path()).ok()?;
        text.contains("launches_waiting").then_some(())
    });
    fleet.signal(Signal::INT);
    let ended = fleet.wait();
    ended.assert_code(7);
    for words in said {
        assert!(ended.stdout.contains(words), "{words:?} is not in:\n{}", ended.stdout);
    }
    assert!(folder.events("p1").is_empty() && folder.events("p2").is_empty(), "nothing was launched");
}

#[test]
fn launches_wait_for_memory() {
    let said = ["launches wait: ", " MiB of memory are free, ", " MiB are needed"];
    check_waits(&["--min-free-memory", "900000GiB"], &said);
    // The limits hold with `auto`, too, for the first run as for any.
    check_waits(&["--max", "auto", "--min-free-memory", "900000GiB"], &said);
}

#[test]
fn launches_wait_for_the_load() {
    // A machine that has just woken has none: the system counts anew every five seconds.
    let is_idle = || std::fs::read_to_string("/proc/loadavg").unwrap().starts_with("0.00");
    while is_idle() {
        std::hint::spin_loop();
    }
    check_waits(&["--max-load", "0.0001"], &["launches wait: the load is ", " a processor, at most 0.0"]);
}

#[test]
fn an_automatic_fleet_comes_to_its_end_whatever_the_machine() {
    let folder = folder();
    let ended = folder.run(&["orchestrate", "--max", "auto", "--stagger", "0s", "--json", "profiles.txt"]);
    ended.assert_code(0);
    let report = ended.report();
    assert_eq!(report["tally"]["completed"], 2, "{report:#}");
}
