//! What a person reads who uses the command line, and the exit code that goes with it. Nothing here
//! starts a browser.

use expect_test::{Expect, expect};
use serde_json::json;

use crate::support::program::{Ended, Folder};

/// Exit code, standard output, standard error; with the folder's place as `FOLDER`.
fn told(folder: &Folder, ended: &Ended) -> String {
    let out = |text: &str| folder.normal(text).lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    let parts = [format!("exit {}", ended.code.unwrap()), out(&ended.stdout), out(&ended.stderr)];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn check(folder: &Folder, arguments: &[&str], expected: Expect) {
    expected.assert_eq(&told(folder, &folder.run(arguments)));
    assert!(folder.browsers().is_empty());
}

/// The practice folder with one change of the workflow.
fn edited(from: &str, to: &str) -> Folder {
    let folder = Folder::practice();
    change(&folder, "workflow.toml", from, to);
    folder
}

fn change(folder: &Folder, file: &str, from: &str, to: &str) {
    let text = folder.read(file);
    assert!(text.contains(from), "{file} has no {from:?}");
    folder.write(file, &text.replacen(from, to, 1));
}

/// A session as a run leaves it.
fn session(folder: &Folder, profile: &str, status: &str, more: &serde_json::Value) {
    let mut document = json!({
        "profile_id": profile,
        "status": status,
        "platform": "desktop",
        "completion_flags": { "mailbox_created": true, "store_signup": false, "dev_registration": false, "2fa_enabled": false },
        "identity": { "email": format!("{profile}@practice.test"), "password": "pwd", "two_fa_secret": null },
    });
    for (key, value) in more.as_object().unwrap() {
        document[key] = value.clone();
    }
    folder.write(&format!("state/{profile}.json"), &document.to_string());
}

fn in_flight() -> serde_json::Value {
    json!({ "in_flight": { "flag": "store_signup", "attempt": 1, "started_at": "2026-01-02T03:04:05Z", "run_id": "r" } })
}

#[test]
fn arguments_that_cannot_be_right_are_refused() {
    let folder = Folder::practice();
    check(&folder, &["run", "a/b"], expect![[""]]);
    check(&folder, &["run"], expect![[""]]);
    check(&folder, &["run", "p1", "--step", "nope"], expect![[""]]);
    check(&folder, &["run", "p1", "--until", "nope"], expect![[""]]);
    check(&folder, &["run", "p1", "--set", "site"], expect![[""]]);
    check(&folder, &["orchestrate", "--max", "0"], expect![[""]]);
    assert!(!folder.path("state").exists(), "nothing was begun");
}

#[test]
fn a_folder_without_what_a_run_needs_is_told_with_its_remedy() {
    let folder = Folder::empty();
    let missing = folder.path("nowhere");
    check(&folder, &["-C", missing.to_str().unwrap(), "status"], expect![[""]]);
    check(&folder, &["run", "p1"], expect![[""]]);
    check(&folder, &["status"], expect![[""]]);
    check(&folder, &["logs", "p1"], expect![[""]]);
    check(&Folder::practice(), &["orchestrate", "nofile.txt"], expect![[""]]);
}

#[test]
fn a_wrong_workflow_is_shown_at_its_line() {
    check(&edited("attempts = 3", "atempts = 3"), &["run", "p1"], expect![[""]]);
    check(&edited("\"flows/store.json\"", "\"flows/shop.json\""), &["run", "p1"], expect![[""]]);
    check(&edited("{{ profile_id }}@", "{{ profil }}@"), &["run", "p1"], expect![[""]]);
    check(&edited("timeout = \"60s\"", "timeout = \"60 parsecs\""), &["orchestrate"], expect![[""]]);
}

#[test]
fn a_wrong_flow_is_shown_at_its_step() {
    let folder = Folder::practice();
    change(
        &folder,
        "flows/store.json",
        "\"type\": \"navigate\",\n      \"url\"",
        "\"type\": \"navigate\",\n      \"uri\"",
    );
    check(&folder, &["validate"], expect![[""]]);
    let folder = Folder::practice();
    change(
        &folder,
        "flows/store.json",
        "\"value\": \"{{ identity.email }}\"",
        "\"value\": \"{{ identty.email }}\"",
    );
    check(&folder, &["run", "p1"], expect![[""]]);
    let folder = Folder::practice();
    change(
        &folder,
        "flows/store.json",
        "\"type\": \"setViewport\",",
        "\"type\": \"emulateNetworkConditions\", \"download\": 1, \"upload\": 1, \"latency\": 1,",
    );
    check(&folder, &["run", "p1"], expect![[""]]);
    let folder = Folder::practice();
    folder.write("flows/store.json", "{ \"title\": \"x\", \"steps\": [ }");
    check(&folder, &["validate"], expect![[""]]);
}

#[test]
fn a_wrong_list_of_profiles_is_told_whole_and_starts_nothing() {
    let folder = Folder::practice();
    folder.write("profiles.txt", "p1\n../p2\n# fine\np3\np1 # again\n");
    check(&folder, &["orchestrate", "--set", "site=http://127.0.0.1:9"], expect![[""]]);
    assert!(!folder.path("state").exists() && !folder.path("logs").exists());
    folder.write("profiles.txt", "# nobody\n");
    check(&folder, &["orchestrate"], expect![[""]]);
}

#[test]
fn a_damaged_session_is_moved_aside_and_its_profile_refused_until_a_person_looked() {
    let folder = Folder::practice();
    let torn = "{ \"profile_id\": \"p1\", \"status\": \"PROC";
    folder.write("state/p1.json", torn);
    let normal = |ended: &Ended| {
        let said = told(&folder, ended);
        // The time in the name of what was moved aside.
        let stamp = said.find("p1.json.damaged").map(|_| ());
        let words = said.split('\n').map(str::to_owned).collect::<Vec<_>>().join("\n");
        drop(stamp);
        words
    };
    let first = folder.run(&["run", "p1"]);
    expect![[""]].assert_eq(&digits(&normal(&first)));
    let second = folder.run(&["run", "p1"]);
    expect![[""]].assert_eq(&digits(&normal(&second)));
    let aside: Vec<_> = std::fs::read_dir(folder.path("state"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| std::fs::read_to_string(path).is_ok_and(|text| text == torn))
        .collect();
    assert_eq!(aside.len(), 1, "kept as it was, once: {aside:?}");
    expect![[""]].assert_eq(&digits(&told(&folder, &folder.run(&["status"]))));
}

/// Runs of digits longer than those of a place in a text are times.
fn digits(text: &str) -> String {
    let mut out = String::new();
    for word in text.split_inclusive(|c: char| !c.is_ascii_digit()) {
        let run = word.trim_end_matches(|c: char| !c.is_ascii_digit());
        if run.len() >= 6 {
            out.push('#');
            out.push_str(&word[run.len()..]);
        } else {
            out.push_str(word);
        }
    }
    out
}

#[test]
fn status_shows_where_everyone_stands() {
    let folder = Folder::practice();
    session(
        &folder,
        "done",
        "COMPLETED",
        &json!({ "completion_flags": { "mailbox_created": true, "store_signup": true, "dev_registration": true, "2fa_enabled": true } }),
    );
    session(&folder, "cut", "PROCESSING", &in_flight());
    session(
        &folder,
        "sad",
        "FAILED",
        &json!({ "last_error": { "flag": "store_signup", "message": "no element", "at": "2026-01-02T03:04:05Z" } }),
    );
    session(&folder, "asks", "NEEDS_ATTENTION", &in_flight());
    check(&folder, &["status"], expect![[""]]);
    check(&folder, &["status", "cut", "--json"], expect![[""]]);
    check(&folder, &["status", "unknown"], expect![[""]]);
    check(&folder, &["run", "asks"], expect![[""]]);
    check(&folder, &["run", "cut", "--step", "2fa_enabled"], expect![[""]]);
    check(&folder, &["run", "cut", "--dry-run"], expect![[""]]);
    check(&folder, &["run", "done"], expect![[""]]);
}

#[test]
fn reset_and_resolve_say_what_they_did() {
    let folder = Folder::practice();
    check(&folder, &["reset", "p1"], expect![[""]]);
    check(&folder, &["resolve", "p1", "--done"], expect![[""]]);
    session(&folder, "p1", "COMPLETED", &json!({}));
    check(&folder, &["resolve", "p1", "--done"], expect![[""]]);
    check(&folder, &["resolve", "p1"], expect![[""]]);
    check(&folder, &["resolve", "p1", "--done", "--again"], expect![[""]]);
    check(&folder, &["reset", "p1", "--step", "nope"], expect![[""]]);
    check(&folder, &["reset", "p1", "--step", "mailbox_created"], expect![[""]]);
    check(&folder, &["reset", "p1"], expect![[""]]);
    session(&folder, "p2", "NEEDS_ATTENTION", &in_flight());
    check(&folder, &["resolve", "p2", "--done", "--set", "identity.store_code=123456"], expect![[""]]);
    let document = folder.session("p2").unwrap();
    assert_eq!(document["completion_flags"]["store_signup"], true, "{document:#}");
    assert_eq!(document["identity"]["store_code"], "123456", "{document:#}");
    session(&folder, "p3", "NEEDS_ATTENTION", &in_flight());
    check(&folder, &["resolve", "p3", "--again"], expect![[""]]);
    assert_eq!(folder.session("p3").unwrap()["completion_flags"]["store_signup"], false);
    check(&folder, &["resolve", "p3", "--done", "--set", "password=x"], expect![[""]]);
}

#[test]
fn init_makes_a_folder_that_validates_and_changes_nothing_that_is_there() {
    let folder = Folder::empty();
    let path = folder.path("onboarding");
    let path = path.to_str().unwrap();
    check(&folder, &["init", path], expect![[""]]);
    check(&folder, &["init", path], expect![[""]]);
    check(&folder, &["-C", path, "validate"], expect![[""]]);
}

#[test]
fn doctor_names_what_is_missing_and_its_remedy() {
    let folder = Folder::practice();
    let good = folder.run(&["doctor"]);
    good.assert_code(0);
    assert!(
        good.stdout.starts_with("ok      workflow   onboarding, 4 steps\nok      chromium   "),
        "{good:#?}"
    );
    assert!(!folder.normal(&good.stdout).contains("PROBLEM"));
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_regatta"));
    command.arg("-C").arg(folder.root()).arg("doctor").env("CHROME", "/no/such");
    let bad = folder.start_command(command).wait();
    bad.assert_code(1);
    let problem: Vec<_> =
        bad.stdout.lines().skip_while(|line| !line.starts_with("PROBLEM")).take(2).collect();
    expect![[""]].assert_eq(&problem.join("\n"));
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_regatta"));
    command.arg("-C").arg(folder.root()).args(["run", "p1"]).env("CHROME", "/no/such");
    expect![[""]].assert_eq(&told(&folder, &folder.start_command(command).wait()));
}

#[test]
fn every_help_teaches_by_example() {
    let folder = Folder::empty();
    let commands = [
        "run",
        "orchestrate",
        "status",
        "logs",
        "init",
        "validate",
        "reset",
        "resolve",
        "doctor",
        "completions",
    ];
    for command in commands {
        let help = folder.run(&[command, "--help"]);
        help.assert_code(0);
        let (_, examples) = folder
            .normal(&help.stdout)
            .split_once("Examples:\n")
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .unwrap_or_else(|| panic!("{command} has no example"));
        assert!(
            examples.contains(&format!(" {command} ")) || examples.contains(&format!(" {command}\n")),
            "{examples}"
        );
    }
    let help = folder.run(&["--help"]);
    for command in commands {
        assert!(help.stdout.contains(&format!("\n  {command} ")), "{command} is not in the overview");
    }
    let completions = folder.run(&["completions", "bash"]);
    completions.assert_code(0);
    assert!(completions.stdout.starts_with("_regatta() {"), "{}", &completions.stdout[..200]);
    assert!(commands.iter().all(|command| completions.stdout.contains(command)));
}
