//! What a person reads who uses the command line, and the exit code that goes with it. Nothing here
//! starts a browser.

mod complete;
mod disk;
mod names;
mod recordings;
pub mod report;
mod selectors;
mod standing;
mod usage;

use std::path::Path;
use std::process::Command;

use expect_test::{Expect, expect};
use serde_json::json;

use crate::support::program::{Ended, Folder};

/// Exit code, standard output, standard error; with the folder's place as `FOLDER`.
fn rendered(folder: &Folder, ended: &Ended) -> String {
    let out = |text: &str| folder.normal(text).lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    let parts = [format!("exit {}", ended.code.unwrap()), out(&ended.stdout), out(&ended.stderr)];
    let text = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n");
    // Differs between runs: times of day, durations, and the stamp of what was moved aside.
    let times = regex::Regex::new(r"\b\d\d:\d\d:\d\d\b|\b\d+\.\d s\b|\b\d{1,3} ms\b")
        .unwrap()
        .replace_all(&text, "TIME")
        .into_owned();
    regex::Regex::new(r"damaged-[0-9TZ.]+").unwrap().replace_all(&times, "damaged-STAMP").into_owned()
}

#[track_caller]
fn check(folder: &Folder, arguments: &[&str], expected: Expect) {
    expected.assert_eq(&rendered(folder, &folder.run(arguments)));
    assert!(folder.browsers().is_empty());
}

/// `regatta -C OTHER ARGUMENTS`
fn elsewhere(folder: &Folder, other: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_regatta"));
    command.arg("-C").arg(other).args(arguments);
    rendered(folder, &folder.start_command(command).wait())
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
pub fn session(folder: &Folder, profile: &str, status: &str, more: &serde_json::Value) {
    let mut document = json!({
        "profile_id": profile,
        "status": status,
        "platform": "desktop",
        "completion_flags": { "mailbox_created": true, "store_signup": false, "dev_registration": false, "2fa_enabled": false, "password_rotated": false },
        "identity": { "email": format!("{profile}@practice.test"), "password": "pwd", "two_fa_secret": null },
    });
    for (key, value) in more.as_object().unwrap() {
        document[key] = value.clone();
    }
    folder.write(&format!("state/{profile}.json"), &document.to_string());
}

pub fn in_flight() -> serde_json::Value {
    json!({ "in_flight": { "flag": "store_signup", "attempt": 1, "started_at": "2026-01-02T03:04:05Z", "run_id": "r" } })
}

#[test]
fn arguments_that_cannot_be_right_are_refused() {
    let folder = Folder::practice();
    check(
        &folder,
        &["run", "a/b"],
        expect![[r#"
        exit 2
        error: invalid value 'a/b' for '<PROFILE>': `a/b` is not a profile id: use 1 to 128 of A-Z a-z 0-9 _ -

        For more information, try '--help'."#]],
    );
    check(
        &folder,
        &["run"],
        expect![[r#"
        exit 2
        error: the following required arguments were not provided:
          <PROFILE>

        Usage: regatta run <PROFILE>

        For more information, try '--help'."#]],
    );
    check(
        &folder,
        &["run", "p1", "--step", "nope"],
        expect![[r#"
        exit 2
        error: the workflow has no step `nope`
          hint: its steps: mailbox_created, store_signup, dev_registration, 2fa_enabled, password_rotated"#]],
    );
    check(
        &folder,
        &["run", "p1", "--until", "nope"],
        expect![[r#"
        exit 2
        error: the workflow has no step `nope`
          hint: its steps: mailbox_created, store_signup, dev_registration, 2fa_enabled, password_rotated"#]],
    );
    check(
        &folder,
        &["run", "p1", "--set", "site"],
        expect![[r#"
        exit 2
        error: invalid value 'site' for '--set <NAME=VALUE>': expected NAME=VALUE

        For more information, try '--help'."#]],
    );
    check(
        &folder,
        &["orchestrate", "--max", "0"],
        expect![[r#"
            exit 2
            error: invalid value '0' for '--max <N>': `0` is not a number of runs: write 1 to 65535, or "auto"

            For more information, try '--help'."#]],
    );
    assert!(!folder.path("state").exists(), "nothing was begun");
}

#[test]
fn a_folder_without_what_a_run_needs_is_told_with_its_remedy() {
    let folder = Folder::empty();
    let missing = folder.path("nowhere");
    let nowhere = elsewhere(&folder, &missing, &["status"]);
    expect![[r#"
        exit 2
        error: there is no folder `FOLDER/nowhere`
          hint: make one that runs: regatta init FOLDER/nowhere"#]]
    .assert_eq(&nowhere);
    check(
        &folder,
        &["run", "p1"],
        expect![[r#"
        exit 2
        error: cannot read the workflow `FOLDER/workflow.toml`: No such file or directory (os error 2)
          hint: `regatta init DIR` makes a folder that runs; -C DIR works in another folder"#]],
    );
    check(
        &folder,
        &["status"],
        expect![[r#"
        exit 0
        no sessions yet; a profile gets one with its first run"#]],
    );
    check(
        &folder,
        &["logs", "p1"],
        expect![[r#"
            exit 2
            error: there is no profile `p1` in this folder
              hint: `regatta status` lists the profiles; -C DIR works in another folder"#]],
    );
    check(
        &Folder::practice(),
        &["logs", "p1"],
        expect![[r#"
        exit 2
        error: cannot read `FOLDER/logs/p1.log`: No such file or directory (os error 2)
          hint: a log is written by runs that `orchestrate` starts; events by every run: add --events"#]],
    );
    check(
        &Folder::practice(),
        &["orchestrate", "nofile.txt"],
        expect![[r#"
        exit 2
        error: cannot read the profiles from `FOLDER/nofile.txt`: No such file or directory (os error 2)
          hint: write one profile id a line, or pipe them in: regatta orchestrate -"#]],
    );
}

#[test]
fn a_wrong_workflow_is_shown_at_its_line() {
    check(
        &edited("attempts = 3", "atempts = 3"),
        &["run", "p1"],
        expect![[r#"
            exit 2
            error: unknown field `atempts`, expected one of `flag`, `flow`, `verify`, `prepare`, `commit`, `timeout`, `attempts`, `in_doubt`, `settle`, `dialogs`, `heal`
                ╭─[workflow.toml:31:1]
             30 │ timeout = "60s"          # of one attempt
             31 │ atempts = 3
                · ───┬───
                ·    ╰── here
             32 │ # in_doubt = "verify"    # or "repeat", or "ask"
                ╰────"#]],
    );
    check(
        &edited("\"flows/store.json\"", "\"flows/shop.json\""),
        &["run", "p1"],
        expect![[r#"
            exit 2
            error: cannot read the flow `FOLDER/flows/shop.json`: No such file or directory (os error 2)
                ╭─[workflow.toml:39:8]
             38 │ flag = "store_signup"
             39 │ flow = "flows/shop.json"
                ·        ────────┬────────
                ·                ╰── here
             40 │ verify = "flows/store.verify.json"
                ╰────
              help: flows stand relative to the workflow file"#]],
    );
    check(
        &edited("{{ profile_id }}@", "{{ profil }}@"),
        &["run", "p1"],
        expect![[r#"
            exit 2
            error: step `mailbox_created`: prepare.email: unknown name `profil` in `{{ profil }}@practice.test`
                ╭─[workflow.toml:29:21]
             28 │ # Identity fields the session has no value for yet; on disk before anything types them.
             29 │ prepare = { email = "{{ profil }}@practice.test", password = { generate = "password", length = 20 } }
                ·                     ──────────────┬─────────────
                ·                                   ╰── here
             30 │ timeout = "60s"          # of one attempt
                ╰────
              help: known names: profile_id, platform, totp, identity.FIELD, variables.NAME"#]],
    );
    check(
        &edited("timeout = \"60s\"", "timeout = \"60 parsecs\""),
        &["orchestrate"],
        expect![[r#"
            exit 2
            error: step `mailbox_created`: `60 parsecs` is not a duration: write "60s", "1m 30s" or "500ms"
                ╭─[workflow.toml:30:11]
             29 │ prepare = { email = "{{ profile_id }}@practice.test", password = { generate = "password", length = 20 } }
             30 │ timeout = "60 parsecs"          # of one attempt
                ·           ──────┬─────
                ·                 ╰── here
             31 │ attempts = 3
                ╰────"#]],
    );
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
    check(
        &folder,
        &["validate"],
        expect![[r#"
        exit 2
        error: missing field `url`
            ╭─[flows/store.json:24:5]
         23 │       ]
         24 │     },
            ·     ┬
            ·     ╰── step 2 (navigate)
         25 │     {
            ╰────
          help: expected the fields of navigate"#]],
    );
    let folder = Folder::practice();
    change(
        &folder,
        "flows/store.json",
        "\"value\": \"{{ identity.email }}\"",
        "\"value\": \"{{ identty.email }}\"",
    );
    check(
        &folder,
        &["run", "p1"],
        expect![[r#"
        exit 2
        error: step 3 (change): unknown name `identty.email` in `{{ identty.email }}`
            ╭─[flows/store.json:25:5]
         24 │     },
         25 │     {
            ·     ┬
            ·     ╰── step 3
         26 │       "type": "change",
            ╰────
          help: known names: profile_id, platform, totp, identity.FIELD, variables.NAME"#]],
    );
    let folder = Folder::practice();
    change(
        &folder,
        "flows/store.json",
        "\"type\": \"setViewport\",",
        "\"type\": \"customStep\", \"name\": \"another.programs\",",
    );
    check(
        &folder,
        &["run", "p1"],
        expect![[r#"
            exit 2
            error: step 1 (another.programs): this custom step is another program's and cannot be played
               ╭─[flows/store.json:5:5]
             4 │   "steps": [
             5 │     {
               ·     ┬
               ·     ╰── step 1
             6 │       "type": "customStep", "name": "another.programs",
               ╰────
              help: remove it, or write what it does with the steps of the Recorder and the `regatta.` steps of the guide to flows"#]],
    );
    let folder = Folder::practice();
    folder.write("flows/store.json", "{ \"title\": \"x\", \"steps\": [ }");
    check(
        &folder,
        &["validate"],
        expect![[r#"
        exit 2
        error: expected value
           ╭─[flows/store.json:1:28]
         1 │ { "title": "x", "steps": [ }
           ·                            ┬
           ·                            ╰── here
           ╰────
          help: expected a flow: {"title": …, "steps": […]}"#]],
    );
}

#[test]
fn what_is_blocked_and_what_is_traced_is_told_with_its_place() {
    let folder = edited("# [network]\n# block = [\"image\",", "[network]\nblock = [\"imge\",");
    check(
        &folder,
        &["run", "p1"],
        expect![[r#"
        exit 2
        error: `imge` is neither a type of resource nor a pattern
            ╭─[workflow.toml:18:10]
         17 │ [network]
         18 │ block = ["imge", "font", "media", "*.example/path*"]
            ·          ───┬──
            ·             ╰── here
         19 │
            ╰────
          help: types are image, font, media, stylesheet, script, xhr, fetch, ping, manifest, texttrack, eventsource; a pattern is found anywhere in a URL and has a `*`: "*.example/path*""#]],
    );
    let folder = Folder::practice();
    change(&folder, "regatta.toml", "# trace = \"on-failure\"", "trace = \"sometimes\"");
    check(
        &folder,
        &["validate"],
        expect![[r#"
        exit 2
        error: unknown variant `sometimes`, expected one of `off`, `on-failure`, `always`
            ╭─[regatta.toml:14:9]
         13 │ # led to it, and the page as it stood) or "always" (also the page before and after every action).
         14 │ trace = "sometimes"
            ·         ─────┬─────
            ·              ╰── here
         15 │
            ╰────"#]],
    );
}

#[test]
fn a_wrong_list_of_profiles_is_told_whole_and_starts_nothing() {
    let folder = Folder::practice();
    folder.write("profiles.txt", "p1\n../p2\n# fine\np3\np1 # again\n");
    check(
        &folder,
        &["orchestrate", "--set", "site=http://127.0.0.1:9"],
        expect![[r#"
        exit 2
        error: 2 wrong lines in the list of profiles; nothing was started
          FOLDER/profiles.txt:2: `../p2` is not a profile id: use 1 to 128 of A-Z a-z 0-9 _ -
          FOLDER/profiles.txt:5: profile p1 is on line 1 already"#]],
    );
    assert!(!folder.path("state").exists() && !folder.path("logs").exists());
    folder.write("profiles.txt", "# no profile\n");
    check(
        &folder,
        &["orchestrate"],
        expect![[r#"
        exit 2
        error: FOLDER/profiles.txt names no profile: write one id a line, `#` begins a comment"#]],
    );
}

#[test]
fn a_damaged_session_is_moved_aside_and_its_profile_refused_until_a_person_looked() {
    let folder = Folder::practice();
    let torn = "{ \"profile_id\": \"p1\", \"status\": \"PROC";
    folder.write("state/p1.json", torn);
    let first = folder.run(&["run", "p1"]);
    expect![[r#"
        exit 6
        error: the session document FOLDER/state/p1.json is damaged: EOF while parsing a string at line 1 column 37
          hint: it was moved to FOLDER/state/p1.json.damaged-STAMP; repair it and put it back as FOLDER/state/p1.json, or delete it to start this profile afresh"#]].assert_eq(&rendered(&folder, &first));
    let second = folder.run(&["run", "p1"]);
    expect![[r#"
        exit 6
        error: the session document FOLDER/state/p1.json is damaged: an earlier run could not read it, and it has not been repaired since
          hint: it was moved to FOLDER/state/p1.json.damaged-STAMP; repair it and put it back as FOLDER/state/p1.json, or delete it to start this profile afresh"#]].assert_eq(&rendered(&folder, &second));
    let aside: Vec<_> = std::fs::read_dir(folder.path("state"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| std::fs::read_to_string(path).is_ok_and(|text| text == torn))
        .collect();
    assert_eq!(aside.len(), 1, "kept as it was, once: {aside:?}");
    expect![[r#"
        exit 0
        PROFILE  STATUS           STEPS  NOTE
        p1       DAMAGED            0/0  the session document FOLDER/state/p1.json is damaged: an earlier run could not read it, and it has not been repaired since
        1 profile: 1 DAMAGED; 0 of 0 steps done"#]]
    .assert_eq(&rendered(&folder, &folder.run(&["status"])));
}

#[test]
fn status_shows_where_everyone_stands() {
    let folder = Folder::practice();
    session(
        &folder,
        "done",
        "COMPLETED",
        &json!({ "completion_flags": { "mailbox_created": true, "store_signup": true, "dev_registration": true, "2fa_enabled": true, "password_rotated": true } }),
    );
    session(&folder, "cut", "PROCESSING", &in_flight());
    session(
        &folder,
        "sad",
        "FAILED",
        &json!({ "last_error": { "flag": "store_signup", "message": "no element", "at": "2026-01-02T03:04:05Z" } }),
    );
    session(&folder, "asks", "NEEDS_ATTENTION", &in_flight());
    check(
        &folder,
        &["status"],
        expect![[r#"
            exit 0
            PROFILE  STATUS           STEPS  NOTE
            asks     NEEDS_ATTENTION    1/5  store_signup in doubt
            cut      INTERRUPTED        1/5  store_signup in doubt
            done     COMPLETED          5/5
            sad      FAILED             1/5  store_signup: no element
            4 profiles: 1 COMPLETED, 1 FAILED, 1 INTERRUPTED, 1 NEEDS_ATTENTION; 8 of 20 steps done"#]],
    );
    check(
        &folder,
        &["status", "--status", "failed,interrupted", "--step", "store_signup", "--sort", "error"],
        expect![[r#"
            exit 0
            PROFILE  STATUS           STEPS  NOTE
            sad      FAILED             1/5  store_signup: no element
            cut      INTERRUPTED        1/5  store_signup in doubt
            2 profiles: 1 FAILED, 1 INTERRUPTED; 2 of 10 steps done"#]],
    );
    check(
        &folder,
        &["status", "--step", "2fa_enabled"],
        expect![[r#"
        exit 0
        no profile fits"#]],
    );
    check(
        &folder,
        &["status", "--status", "broken"],
        expect![[r#"
        exit 2
        error: invalid value 'broken' for '--status <STATUS>': no profile is ever `broken`: PROCESSING, PENDING, INTERRUPTED, NEEDS_ATTENTION, FAILED, DAMAGED, COMPLETED

        For more information, try '--help'."#]],
    );
    check(
        &folder,
        &["status", "cut", "--json"],
        expect![[r#"
            exit 0
            [
              {
                "profile_id": "cut",
                "status": "INTERRUPTED",
                "done": 1,
                "steps": 5,
                "in_flight": "store_signup"
              }
            ]"#]],
    );
    check(
        &folder,
        &["status", "unknown"],
        expect![[r#"
            exit 2
            error: there is no profile `unknown` in this folder
              hint: `regatta status` lists the profiles; -C DIR works in another folder"#]],
    );
    check(
        &folder,
        &["run", "asks"],
        expect![[r#"
        exit 3
        error: `asks` needs a person: a step is in doubt
          hint: look, then answer: regatta resolve asks --done | --again"#]],
    );
    check(
        &folder,
        &["run", "cut", "--step", "2fa_enabled"],
        expect![[r#"
        exit 2
        error: step `store_signup` may or may not have happened; it comes before `2fa_enabled`
          hint: run it first: regatta run cut --step store_signup"#]],
    );
    check(
        &folder,
        &["run", "cut", "--dry-run"],
        expect![[r#"
            exit 0
            mailbox_created          done before                          flows/mailbox.json
            store_signup             in doubt: would be looked into first flows/store.json
            dev_registration         would run                            flows/developer.desktop.json
            2fa_enabled              would run                            flows/two_factor.json
            password_rotated         would run                            flows/password.json"#]],
    );
    check(
        &folder,
        &["run", "done"],
        expect![[r#"
            exit 0
            TIME run started, 5 of 5 steps already done
            TIME run finished: completed (exit 0, TIME)"#]],
    );
}

#[test]
fn reset_and_resolve_say_what_they_did() {
    let folder = Folder::practice();
    check(
        &folder,
        &["reset", "p1"],
        expect![[r#"
        exit 2
        error: there is no session of `p1`
          hint: a profile gets its session with its first run; see `regatta status`"#]],
    );
    check(
        &folder,
        &["resolve", "p1", "--done"],
        expect![[r#"
        exit 2
        error: there is no session of `p1`
          hint: a profile gets its session with its first run; see `regatta status`"#]],
    );
    session(&folder, "p1", "COMPLETED", &json!({}));
    check(
        &folder,
        &["resolve", "p1", "--done"],
        expect![[r#"
        exit 2
        error: no step of `p1` waits for an answer
          hint: see where it stands: regatta status p1"#]],
    );
    check(
        &folder,
        &["resolve", "p1"],
        expect![[r#"
        exit 2
        error: the following required arguments were not provided:
          <--done|--again|--verify>

        Usage: regatta resolve <--done|--again|--verify> <PROFILE>

        For more information, try '--help'."#]],
    );
    check(
        &folder,
        &["resolve", "p1", "--done", "--again"],
        expect![[r#"
        exit 2
        error: the argument '--done' cannot be used with '--again'

        Usage: regatta resolve <--done|--again|--verify> <PROFILE>

        For more information, try '--help'."#]],
    );
    check(
        &folder,
        &["reset", "p1", "--step", "nope"],
        expect![[r#"
            exit 2
            error: the session of `p1` has no step `nope`
              hint: its steps: mailbox_created, store_signup, dev_registration, 2fa_enabled, password_rotated"#]],
    );
    check(
        &folder,
        &["reset", "p1", "--step", "mailbox_created"],
        expect![[r#"
        exit 0
        p1: step `mailbox_created` will run again"#]],
    );
    check(
        &folder,
        &["reset", "p1"],
        expect![[r#"
        exit 0
        p1: every step will run again; identity fields are kept"#]],
    );
    session(&folder, "p2", "NEEDS_ATTENTION", &in_flight());
    check(
        &folder,
        &["resolve", "p2", "--done", "--set", "identity.store_code=123456"],
        expect![[r#"
        exit 0
        p2: step `store_signup` is done; go on with: regatta run p2"#]],
    );
    let document = folder.session("p2").unwrap();
    assert_eq!(document["completion_flags"]["store_signup"], true, "{document:#}");
    assert_eq!(document["identity"]["store_code"], "123456", "{document:#}");
    session(&folder, "p3", "NEEDS_ATTENTION", &in_flight());
    check(
        &folder,
        &["resolve", "p3", "--again"],
        expect![[r#"
        exit 0
        p3: step `store_signup` will run again; go on with: regatta run p3"#]],
    );
    assert_eq!(folder.session("p3").unwrap()["completion_flags"]["store_signup"], false);
    check(
        &folder,
        &["resolve", "p3", "--done", "--set", "password=x"],
        expect![[r#"
        exit 2
        error: invalid value 'password=x' for '--set <identity.FIELD[=VALUE]>': expected identity.FIELD or identity.FIELD=VALUE

        For more information, try '--help'."#]],
    );
}

#[test]
fn init_makes_a_folder_that_validates_and_changes_nothing_that_is_there() {
    let folder = Folder::empty();
    let path = folder.path("onboarding");
    let path = path.to_str().unwrap();
    check(
        &folder,
        &["init", path],
        expect![[r#"
            exit 0
            made FOLDER/onboarding/regatta.toml
            made FOLDER/onboarding/workflow.toml
            made FOLDER/onboarding/profiles.txt
            made FOLDER/onboarding/flows/developer.desktop.json
            made FOLDER/onboarding/flows/developer.mobile.json
            made FOLDER/onboarding/flows/developer.verify.json
            made FOLDER/onboarding/flows/mailbox.json
            made FOLDER/onboarding/flows/mailbox.verify.json
            made FOLDER/onboarding/flows/password.json
            made FOLDER/onboarding/flows/password.verify.json
            made FOLDER/onboarding/flows/store.json
            made FOLDER/onboarding/flows/store.verify.json
            made FOLDER/onboarding/flows/two_factor.json
            made FOLDER/onboarding/flows/two_factor.verify.json

            next:
              regatta -C FOLDER/onboarding validate
              regatta -C FOLDER/onboarding doctor
              regatta -C FOLDER/onboarding run p1 --headed"#]],
    );
    check(
        &folder,
        &["init", path],
        expect![[r#"
        exit 2
        error: `FOLDER/onboarding/regatta.toml` already exists
          hint: init changes nothing that is there; name another folder"#]],
    );
    let valid = elsewhere(&folder, Path::new(path), &["validate"]);
    expect![[r#"
        exit 0
        onboarding: 5 steps, all of them can be played
          mailbox_created          flows/mailbox.json   verified when in doubt
          store_signup             flows/store.json   verified when in doubt
          dev_registration         flows/developer.mobile.json, flows/developer.desktop.json   verified when in doubt
          2fa_enabled              flows/two_factor.json   verified when in doubt
          password_rotated         flows/password.json   verified when in doubt
        allowed origins: http://127.0.0.1:8800
        warning: step `store_signup` captures identity.store_code, and its verify flow does not: a run that dies before it has the value asks a person; capture it in the verify flow too if the site shows it again
        warning: step `2fa_enabled` captures identity.two_fa_secret, and its verify flow does not: a run that dies before it has the value asks a person; capture it in the verify flow too if the site shows it again"#]]
    .assert_eq(&valid);
}

#[test]
fn doctor_names_what_is_missing_and_its_remedy() {
    let folder = Folder::practice();
    let good = folder.run(&["doctor"]);
    good.assert_code(0);
    assert!(
        good.stdout.starts_with("ok      workflow   onboarding, 5 steps\nok      chromium   "),
        "{good:#?}"
    );
    assert!(!folder.normal(&good.stdout).contains("PROBLEM"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_regatta"));
    command.arg("-C").arg(folder.root()).arg("doctor").env("CHROME", "/no/such");
    let bad = folder.start_command(command).wait();
    bad.assert_code(1);
    let problem: Vec<_> =
        bad.stdout.lines().skip_while(|line| !line.starts_with("PROBLEM")).take(2).collect();
    expect![[r#"
        PROBLEM chromium   no Chromium found at /no/such
                           → name an executable file, or leave it out to use an installed Chromium or Chrome"#]].assert_eq(&problem.join("\n"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_regatta"));
    command.arg("-C").arg(folder.root()).args(["run", "p1"]).env("CHROME", "/no/such");
    expect![[r#"
        exit 5
        TIME run started, 0 of 5 steps already done
        TIME run finished: no browser (exit 5, TIME)
        error: no Chromium found at /no/such
          hint: name an executable file, or leave it out to use an installed Chromium or Chrome"#]]
    .assert_eq(&rendered(&folder, &folder.start_command(command).wait()));
}

#[test]
fn every_help_teaches_by_example() {
    let folder = Folder::empty();
    let commands = [
        "run",
        "play",
        "orchestrate",
        "status",
        "logs",
        "watch",
        "dashboard",
        "report",
        "init",
        "validate",
        "reset",
        "resolve",
        "clean",
        "selectors",
        "sessions",
        "doctor",
        "completions",
        "schema",
    ];
    let parts = [
        "selectors list",
        "selectors explain",
        "selectors accept",
        "selectors forget",
        "sessions import",
        "sessions export",
    ];
    // An argument whose description is missing stands alone on its line.
    let bare = regex::Regex::new(
        r"(?m)^(?:  -\w, --[\w-]+(?: <[^>]+>)?|      --[\w-]+(?: <[^>]+>)?|  <\w+>|  \[\w+\](?:\.\.\.)?) *(?:\[(?:default|possible|env).*)?$",
    )
    .unwrap();
    for command in commands.iter().chain(&parts) {
        let words: Vec<_> = command.split(' ').chain(["--help"]).collect();
        let help = folder.run(&words);
        help.assert_code(0);
        let followed = |found: &regex::Match<'_>| help.stdout[found.end()..].starts_with("\n          ");
        let bare: Vec<_> = bare.find_iter(&help.stdout).filter(|found| !followed(found)).collect();
        assert!(bare.is_empty(), "{command}: {bare:?}");
        assert!(help.stdout.contains("\nGlobal options:\n  "), "{}", help.stdout);
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
    // Each option stands below what it is about, and nothing between them.
    let help = folder.run(&["orchestrate", "--help"]);
    let headings: Vec<_> =
        help.stdout.lines().filter(|line| line.ends_with(':') && !line.starts_with(' ')).collect();
    assert_eq!(
        headings,
        [
            "Arguments:",
            "Options:",
            "Which profiles:",
            "How many at once:",
            "How long:",
            "What to do:",
            "Browser:",
            "Output:",
            "Global options:",
            "Examples:",
            "Exit codes:"
        ]
    );
    let help = folder.run(&["--help"]);
    for command in commands {
        assert!(help.stdout.contains(&format!("\n  {command} ")), "{command} is not in the overview");
    }
    let completions = folder.run(&["completions", "bash"]);
    completions.assert_code(0);
    assert!(completions.stdout.contains("complete -o nospace"), "{}", completions.stdout);
}

#[test]
fn limits_that_would_end_working_runs_or_mean_nothing_are_refused() {
    let folder = Folder::practice();
    let list = &["orchestrate", "profiles.txt"];
    let with = |more: &[&str]| rendered(&folder, &folder.run(&[list, more].concat()));
    expect![[r#"
        exit 2
        error: a stall of 1 min would end runs that work: step `store_signup` may say nothing for 1 min 30 s
          hint: make it longer than the step's `timeout`: --stall 180s"#]]
    .assert_eq(&with(&["--stall", "1m"]));
    expect![[r#"
        exit 2
        error: invalid value '7' for '--min-free-memory <SIZE>': `7` is not an amount of memory: write "512MiB" or "2GiB"

        For more information, try '--help'."#]]
    .assert_eq(&with(&["--min-free-memory", "7"]));
    expect![[r#"
        exit 2
        error: invalid value 'high' for '--max-load <LOAD>': `high` is not a load for each processor: write 1.5

        For more information, try '--help'."#]]
    .assert_eq(&with(&["--max-load", "high"]));
    for (line, said) in [
        ("max = 0", "`0` is not a number of runs"),
        ("max = \"many\"", "`many` is not a number of runs"),
        ("max_load = 0.0", "`max_load` must be above 0"),
        ("min_free_memory = \"some\"", "`some` is not an amount of memory"),
        ("run_timeout = \"long\"", "`long` is not a duration"),
        ("stall = \"1s\"", "a stall of 1 s would end runs that work"),
    ] {
        folder.write("regatta.toml", &format!("[fleet]\n{line}\n"));
        let text = with(&[]);
        assert!(text.starts_with("exit 2") && text.contains(said), "{line}: {text}");
    }
    assert!(!folder.path("state").exists(), "nothing was begun");
}
