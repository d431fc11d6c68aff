//! Names that do not exist are refused with the nearest that do, and nothing is started.

use expect_test::expect;
use serde_json::json;

use super::{check, in_flight, rendered, session};
use crate::support::program::Folder;

#[test]
fn a_variable_that_no_workflow_declares_is_refused_with_the_nearest_name() {
    let folder = Folder::practice();
    let said = r#"
        exit 2
        error: --set stie=…: the workflow has no variable `stie`
          hint: did you mean `site`? its variables: site"#;
    let said = said.trim_start_matches('\n').lines().map(|line| line.trim_start_matches("        "));
    let said = said.collect::<Vec<_>>().join("\n");
    for command in [
        &["run", "p1"][..],
        &["run", "p1", "--dry-run"],
        &["validate"],
        &["orchestrate"],
        &["dashboard", "--listen", "127.0.0.1:0"],
        &["watch"],
        &["play", "flows/mailbox.json"],
    ] {
        let ended = folder.run(&[command, &["--set", "stie=http://127.0.0.1:9"]].concat());
        assert_eq!(rendered(&folder, &ended), said, "{command:?}");
    }
    assert!(!folder.path("state").exists(), "nothing was started");
    // A flow that is being written may use a variable before the workflow declares it.
    folder.write(
        "new.json",
        r#"{"title":"t","steps":[{"type":"navigate","url":"{{ variables.shop }}/{{ identity.x }}"}]}"#,
    );
    let used = folder.run(&["play", "new.json", "--set", "shop=http://127.0.0.1:9"]);
    assert!(used.stderr.contains("uses identity.x"), "{}", used.stderr);
    std::fs::remove_file(folder.path("workflow.toml")).unwrap();
    check(
        &folder,
        &["play", "new.json", "--set", "shp=http://127.0.0.1:9"],
        expect![[r#"
        exit 2
        error: --set shp=…: the flow has no variable `shp`
          hint: did you mean `shop`? its variables: shop"#]],
    );
}

#[test]
fn a_session_with_a_variable_that_the_workflow_lacks_is_named_by_its_run() {
    let folder = Folder::practice();
    session(&folder, "p1", "PENDING", &json!({ "variables": { "stie": "http://127.0.0.1:9" } }));
    check(
        &folder,
        &["run", "p1", "--dry-run"],
        expect![[r#"
        exit 0
        mailbox_created          done before                          flows/mailbox.json
        store_signup             would run                            flows/store.json
        dev_registration         would run                            flows/developer.desktop.json
        2fa_enabled              would run                            flows/two_factor.json
        password_rotated         would run                            flows/password.json
         WARN the session of p1 sets the variable `stie`, which the workflow does not declare; did you mean `site`?"#]],
    );
}

#[test]
fn a_profile_that_does_not_exist_is_refused_with_the_nearest() {
    let folder = Folder::practice();
    session(&folder, "k18imh7u", "FAILED", &json!({}));
    session(&folder, "k19abcde", "FAILED", &json!({}));
    check(
        &folder,
        &["status", "k18imh7v"],
        expect![[r#"
        exit 2
        error: there is no profile `k18imh7v` in this folder
          hint: did you mean `k18imh7u`? `regatta status` lists the profiles; -C DIR works in another folder"#]],
    );
    check(
        &folder,
        &["status", "nosuch", "k19abcd", "k18imh7u"],
        expect![[r#"
        exit 2
        error: there are no profiles `nosuch`, `k19abcd` in this folder
          k19abcd: did you mean `k19abcde`?
          hint: `regatta status` lists the profiles; -C DIR works in another folder"#]],
    );
    for command in [
        &["status", "--watch"][..],
        &["report"],
        &["report", "--stdout", "csv"],
        &["clean", "--dry-run"],
        &["clean"],
        &["logs"],
        &["reset"],
        &["resolve", "--done"],
        &["sessions", "export"],
    ] {
        let ended = folder.run(&[command, &["k18imh7"]].concat());
        ended.assert_code(2);
        assert_eq!(
            ended.stderr,
            "error: there is no profile `k18imh7` in this folder\n  hint: did you mean `k18imh7u`? `regatta status` lists the profiles; -C DIR works in another folder\n",
            "{command:?}"
        );
    }
    // One that its list names has only not run yet.
    check(
        &folder,
        &["status", "p1"],
        expect![[r#"
            exit 0
            PROFILE  STATUS           STEPS  NOTE
            p1       PENDING            0/5
            1 profile: 1 PENDING; 0 of 5 steps done"#]],
    );
}

#[test]
fn a_step_that_does_not_exist_is_refused_with_the_nearest() {
    let folder = Folder::practice();
    session(&folder, "p1", "FAILED", &json!({}));
    for command in [
        &["status", "--step"][..],
        &["run", "p1", "--step"],
        &["run", "p1", "--until"],
        &["reset", "p1", "--step"],
    ] {
        let ended = folder.run(&[command, &["stroe_signup"]].concat());
        ended.assert_code(2);
        assert!(ended.stderr.contains("has no step `stroe_signup`"), "{}", ended.stderr);
        assert!(
            ended.stderr.contains("hint: did you mean `store_signup`? its steps: mailbox_created, "),
            "{}",
            ended.stderr
        );
    }
    // One that only a session still has, since it is in flight there, is no misspelt one.
    let gone = json!({ "flag": "gone", "attempt": 1, "started_at": "2026-01-02T03:04:05Z", "run_id": "r" });
    session(&folder, "p2", "PROCESSING", &json!({ "in_flight": gone }));
    folder.run(&["status", "--step", "gone"]).assert_code(0);
}

#[test]
fn a_dry_run_ends_as_the_run_would() {
    let folder = Folder::practice();
    folder.write("state/torn.json", "{ \"profile_id\": \"torn\", \"status\": \"PROC");
    check(
        &folder,
        &["run", "torn", "--dry-run"],
        expect![[r#"
        exit 6
        error: the session document FOLDER/state/torn.json is damaged: EOF while parsing a string at line 1 column 39
          a run would move it aside and end with this error, without doing a step
          hint: repair FOLDER/state/torn.json, or move it away"#]],
    );
    assert!(folder.path("state/torn.json").exists(), "a dry run moves nothing");
    session(&folder, "other", "PENDING", &json!({ "profile_id": "p9" }));
    folder.run(&["run", "other", "--dry-run"]).assert_code(6);
    folder.write("state/newer.json", r#"{ "version": 99 }"#);
    folder.run(&["run", "newer", "--dry-run"]).assert_code(6);
    // Both runs now say what the dry one said.
    folder.run(&["run", "torn"]).assert_code(6);
    check(
        &folder,
        &["run", "torn", "--dry-run"],
        expect![[r#"
        exit 6
        error: the session document FOLDER/state/torn.json is damaged: an earlier run could not read it, and it has not been repaired since
          hint: it was moved to FOLDER/state/torn.json.damaged-STAMP; repair it and put it back as FOLDER/state/torn.json, or delete it to start this profile afresh"#]],
    );

    session(
        &folder,
        "orphan",
        "PROCESSING",
        &json!({ "in_flight": { "flag": "gone", "attempt": 1, "started_at": "2026-01-02T03:04:05Z", "run_id": "r" } }),
    );
    check(
        &folder,
        &["run", "orphan", "--dry-run"],
        expect![[r#"
        exit 3
        error: step `gone` may or may not have happened, and the workflow no longer has it: nothing can find out
          hint: look, then: regatta run orphan, and answer: regatta resolve orphan --done | --again"#]],
    );
    session(&folder, "asked", "PROCESSING", &in_flight());
    super::change(
        &folder,
        "workflow.toml",
        "flag = \"store_signup\"",
        "flag = \"store_signup\"\nin_doubt = \"ask\"",
    );
    check(
        &folder,
        &["run", "asked", "--dry-run"],
        expect![[r#"
        exit 3
        error: step `store_signup`: it may or may not have happened, and only a person can check
          hint: look, then: regatta run asked, and answer: regatta resolve asked --done | --again"#]],
    );
}

#[test]
fn an_export_leaves_out_what_is_damaged_and_names_it() {
    let folder = Folder::practice();
    session(&folder, "good", "FAILED", &json!({}));
    session(&folder, "fine", "COMPLETED", &json!({}));
    folder.write("state/torn.json", "{ \"profile_id\": \"torn\", \"status\": \"PROC");
    folder.write("state/newer.json", r#"{ "version": 99 }"#);
    let ended = folder.run(&["sessions", "export", "-o", folder.path("out.json").to_str().unwrap()]);
    expect![[r#"
        exit 1
        error: 2 sessions could not be read and left out; 2 exported
          the session document FOLDER/state/newer.json was written by a newer regatta (version 99, this one knows 1)
            update regatta
          the session document FOLDER/state/torn.json is damaged: EOF while parsing a string at line 1 column 39
            repair FOLDER/state/torn.json, or move it away"#]].assert_eq(&rendered(&folder, &ended));
    let exported: Vec<serde_json::Value> = serde_json::from_str(&folder.read("out.json")).unwrap();
    let ids: Vec<_> = exported.iter().map(|session| session["profile_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["fine", "good"]);
}
