//! Where profiles stand, as `status` and `doctor` say it.

use std::process::Command;

use expect_test::expect;
use serde_json::json;

use super::{change, check, in_flight, session};
use crate::support::program::Folder;

#[test]
fn ids_are_listed_as_a_person_counts() {
    let folder = Folder::practice();
    for id in ["done10", "done2", "done1"] {
        session(&folder, id, "FAILED", &json!({}));
    }
    check(
        &folder,
        &["status"],
        expect![[r#"
        exit 0
        PROFILE  STATUS           STEPS  NOTE
        done1    FAILED             1/5
        done2    FAILED             1/5
        done10   FAILED             1/5
        3 profiles: 3 FAILED; 3 of 15 steps done"#]],
    );
    let json = folder.run(&["status", "--json"]);
    let rows: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    let ids: Vec<_> =
        rows.as_array().unwrap().iter().map(|row| row["profile_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["done1", "done2", "done10"]);
}

#[test]
fn a_profile_is_completed_where_a_run_would_do_nothing() {
    let folder = Folder::practice();
    let done = json!({ "mailbox_created": true, "store_signup": true, "dev_registration": true, "2fa_enabled": true, "password_rotated": true });
    session(&folder, "p1", "COMPLETED", &json!({ "completion_flags": done }));
    check(
        &folder,
        &["status"],
        expect![[r#"
        exit 0
        PROFILE  STATUS           STEPS  NOTE
        p1       COMPLETED          5/5
        1 profile: 1 COMPLETED; 5 of 5 steps done"#]],
    );
    // The last step is another one now; its old flag says nothing of it.
    change(&folder, "workflow.toml", "flag = \"password_rotated\"", "flag = \"password_changed\"");
    check(
        &folder,
        &["status"],
        expect![[r#"
        exit 0
        PROFILE  STATUS           STEPS  NOTE
        p1       PENDING            4/5
        1 profile: 1 PENDING; 4 of 5 steps done"#]],
    );
    check(
        &folder,
        &["run", "p1", "--dry-run"],
        expect![[r#"
        exit 0
        mailbox_created          done before                          flows/mailbox.json
        store_signup             done before                          flows/store.json
        dev_registration         done before                          flows/developer.desktop.json
        2fa_enabled              done before                          flows/two_factor.json
        password_changed         would run                            flows/password.json"#]],
    );
    let report = folder.run(&["report", "--stdout", "csv"]);
    assert!(report.stdout.lines().any(|line| line.starts_with("p1,PENDING,4,5")), "{}", report.stdout);
}

#[test]
fn a_long_note_is_cut_on_a_terminal_alone() {
    let folder = Folder::practice();
    let message = format!("{}end\nsecond line", "long ".repeat(60));
    let error = json!({ "flag": "store_signup", "message": message, "at": "2026-01-02T03:04:05Z" });
    session(&folder, "p1", "FAILED", &json!({ "last_error": error }));
    let piped = folder.run(&["status"]);
    assert!(piped.stdout.contains("long end\n"), "{}", piped.stdout);
    assert!(!piped.stdout.contains("second line"), "{}", piped.stdout);
    let rows: serde_json::Value = serde_json::from_str(&folder.run(&["status", "--json"]).stdout).unwrap();
    assert_eq!(rows[0]["error"], format!("store_signup: {message}"));
    let program =
        format!("{} -C {} status; read line", env!("CARGO_BIN_EXE_regatta"), folder.root().display());
    let terminal = crate::support::terminal::Terminal::start(&folder.beside("tmux"), &program, 70, 8);
    let screen = terminal.shows(&["1 profile: 1 FAILED"]);
    let lines: Vec<_> = screen.lines().take(3).map(str::trim_end).collect();
    expect![[r#"
        PROFILE  STATUS           STEPS  NOTE
        p1       FAILED             1/5  store_signup: long long long long lo…
        1 profile: 1 FAILED; 1 of 5 steps done"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn a_watch_into_a_pipe_prints_what_has_changed_and_no_control_codes() {
    let folder = Folder::practice();
    session(&folder, "p1", "PENDING", &json!({}));
    let mut program = folder.start(&["status", "--watch"]);
    program.until_said("1 PENDING");
    // As a run does: the document is replaced whole.
    session(&folder, "p1.next", "FAILED", &json!({ "profile_id": "p1" }));
    std::fs::rename(folder.path("state/p1.next.json"), folder.path("state/p1.json")).unwrap();
    program.until_said("1 FAILED");
    let [stdout, _] = program.outputs();
    let said = std::fs::read_to_string(stdout).unwrap();
    program.kill();
    assert!(!said.contains('\u{1b}'), "{said:?}");
    assert_eq!(said.matches("PROFILE").count(), 2, "once for each change: {said}");
}

#[test]
fn doctor_counts_the_sessions_that_do_not_go_on_and_names_the_remedy() {
    let folder = Folder::practice();
    let sessions = |folder: &Folder| {
        let said = folder.run(&["doctor"]);
        let text = folder.normal(&said.stdout);
        let from = text.lines().skip_while(|line| !line.contains("sessions "));
        let lines: Vec<_> = from.take_while(|line| !line.contains("disk ")).collect();
        format!("exit {}\n{}", said.code.unwrap(), lines.join("\n"))
    };
    session(&folder, "fine", "FAILED", &json!({}));
    expect![[r#"
        exit 0
        ok      sessions   1, none of them damaged, in doubt or waiting for a person"#]]
    .assert_eq(&sessions(&folder));
    session(&folder, "cut", "PROCESSING", &in_flight());
    session(&folder, "dead", "PROCESSING", &json!({}));
    for number in 1..=7 {
        session(&folder, &format!("asks{number}"), "NEEDS_ATTENTION", &in_flight());
    }
    let gone = json!({ "flag": "gone", "attempt": 1, "started_at": "2026-01-02T03:04:05Z", "run_id": "r" });
    session(&folder, "orphan", "PROCESSING", &json!({ "in_flight": gone }));
    folder.write("state/torn.json", "{");
    folder.write("state/newer.json", r#"{ "version": 99 }"#);
    expect![[r#"
        exit 1
        PROBLEM sessions   damaged: 1 (torn)
                           → repair the document in FOLDER/state, or delete it (and a copy that was moved aside) to start afresh
        PROBLEM sessions   written by a newer regatta: 1 (newer)
                           → update regatta
        note    sessions   in doubt about a step that the workflow no longer has: 1 (orphan)
                           → look, then: regatta run orphan, and regatta resolve orphan --done | --again
        note    sessions   waiting for a person: 7 (asks1, asks2, asks3, asks4, asks5 and 2 more)
                           → look, then: regatta resolve asks1 --done | --again
        note    sessions   in doubt, since a run died or was stopped in a step: 1 (cut)
                           → run them again: the step's verify flow asks the site, or you are asked
        note    sessions   interrupted between two steps: 1 (dead)
                           → run them again: regatta orchestrate --only-status INTERRUPTED"#]].assert_eq(&sessions(&folder));
    let json: serde_json::Value = serde_json::from_str(&folder.run(&["doctor", "--json"]).stdout).unwrap();
    let found = json.as_array().unwrap().iter().filter(|finding| finding["check"] == "sessions").count();
    assert_eq!(found, 6);
    let empty = Folder::empty();
    let mut command = Command::new(env!("CARGO_BIN_EXE_regatta"));
    command.arg("-C").arg(empty.root()).arg("doctor");
    let said = empty.start_command(command).wait();
    said.assert_code(1);
    let lines: Vec<_> = said.stdout.lines().take(2).collect();
    expect![[r#"
        PROBLEM workflow   there is no FOLDER/workflow.toml
                           → make a folder that runs: regatta init DIR; -C DIR works in another folder"#]]
    .assert_eq(&empty.normal(&lines.join("\n")));
}
