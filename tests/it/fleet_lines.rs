//! `orchestrate --json`: a line for everything that happens, as it happens.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::program::{Folder, Program};

/// Runs that end at once: they find no browser.
fn start(folder: &Folder, command: &str) -> Program {
    folder.write("profiles.txt", "p1\np2\n");
    let arguments = "orchestrate --retries 1 --max 1 --stagger 0s --json profiles.txt";
    let fleet = format!("{} -C {} {arguments}", env!("CARGO_BIN_EXE_regatta"), folder.root().display());
    let mut shell = Command::new("sh");
    let command = command.replace("FLEET", &fleet).replace("CODE", folder.beside("code").to_str().unwrap());
    shell.args(["-c", &command]).env("CHROME", "/bin/false");
    folder.start_command(shell)
}

#[test]
fn lines_are_what_the_event_files_hold_and_what_the_fleet_does() {
    let folder = Folder::practice();
    let ended = start(&folder, "exec FLEET").wait();
    ended.assert_code(1);
    let lines = ended.lines();
    for profile in ["p1", "p2"] {
        let of_runs = |line: &&Value| line["run_id"].is_string() && line["profile_id"] == profile;
        let reported: Vec<_> = lines.iter().filter(of_runs).cloned().collect();
        assert_eq!(reported, folder.events(profile), "as they stand in the file");
        assert!(!reported.is_empty(), "{ended:#?}");
        let all = lines.iter().filter(|line| line["profile_id"] == profile);
        let all: Vec<_> = all.map(|line| line["type"].as_str().unwrap()).collect();
        let run = ["run_launched", "run_started", "run_finished"];
        // The second pause is for the provider, which is asked whether it is there.
        let pauses = ["profile_backing_off"];
        assert_eq!(all, [&run[..], &pauses, &run, &pauses, &["profile_ended"]].concat());
    }
    assert!(lines.iter().all(|line| line["v"] == 1 && line["at"].is_string()), "{lines:#?}");
    assert_eq!((&lines[0]["type"], &lines[0]["profiles"]), (&json!("fleet_surveyed"), &json!(2)));
    let report = ended.report();
    assert_eq!((&report["outcome"], &report["tally"]["failed"]), (&json!("some_failed"), &json!(2)));
    let ends = lines.iter().filter(|line| line["type"] == "profile_ended").map(|line| &line["last_error"]);
    let reported = report["profiles"].as_array().unwrap().iter().map(|profile| &profile["last_error"]);
    assert_eq!(ends.collect::<Vec<_>>(), reported.collect::<Vec<_>>());
    assert!(ended.stderr.contains("p1: failed, 0/5 steps: "), "words go to standard error: {}", ended.stderr);
}

#[test]
fn a_reader_that_goes_away_does_no_harm() {
    let folder = Folder::practice();
    let ended = start(&folder, "{ FLEET; echo $? > CODE; } | head -n 1").wait();
    ended.assert_code(0);
    let [first] = &ended.lines()[..] else { panic!("{ended:#?}") };
    assert_eq!(first["type"], "fleet_surveyed");
    assert_eq!(std::fs::read_to_string(folder.beside("code")).unwrap(), "1\n");
    assert!(!ended.stderr.contains("panicked") && ended.stderr.contains("p2: failed"), "{}", ended.stderr);
}
