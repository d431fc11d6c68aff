//! Where profiles come from and where outcomes go: the real program against real files, databases and
//! servers. Where no browser is needed there is none: every run then ends with exit code 5.

mod adspower;
mod database;
mod outcomes;
mod web;

use std::process::Command;
use std::time::Duration;

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::support::program::{Ended, Folder, Program};
use crate::support::sandbox::Sandbox;

/// Bound of what starts a real browser, on a machine that has much to do.
const BROWSERS: Duration = Duration::from_secs(200);

/// A practice folder whose runs find no browser.
fn folder() -> Folder {
    let folder = Folder::practice();
    std::fs::remove_file(folder.path("profiles.txt")).unwrap();
    let workflow = folder.read("workflow.toml");
    folder.write("workflow.toml", &workflow.replacen("[variables]\n", "[variables]\nshop = \"south\"\n", 1));
    folder
}

/// The workflow's first steps alone.
fn with_steps(folder: &Folder, count: usize) {
    let text = folder.read("workflow.toml");
    let parts: Vec<_> = text.split("[[step]]").collect();
    folder.write("workflow.toml", &parts[..=count].join("[[step]]"));
}

fn start(folder: &Folder, arguments: &[&str], variables: &[(&str, &str)]) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_regatta"));
    command.arg("-C").arg(folder.root()).env("CHROME", "/no/such/browser").envs(variables.iter().copied());
    command.args(["orchestrate", "--retries", "0", "--stagger", "1ms", "--json"]).args(arguments);
    folder.start_command(command)
}

fn fleet(folder: &Folder, arguments: &[&str]) -> Ended {
    start(folder, arguments, &[]).wait()
}

/// Of the closing report, in its order.
fn taken(ended: &Ended) -> Vec<String> {
    let report = ended.report();
    let profiles = report["profiles"].as_array().unwrap();
    profiles.iter().map(|profile| profile["profile_id"].as_str().unwrap().to_owned()).collect()
}

/// What a person reads where nothing was started.
#[track_caller]
fn refused(folder: &Folder, ended: &Ended, expected: Expect) {
    ended.assert_code(2);
    let reported = ended.lines();
    assert!(reported.iter().all(|line| line["type"] == "source_retrying"), "{reported:#?}");
    let port = regex::Regex::new(r"127\.0\.0\.1:\d+").unwrap();
    expected.assert_eq(port.replace_all(&folder.normal(&ended.stderr), "HOST").trim_end());
}

fn write_session(folder: &Folder, profile: &str, status: &str, more: &Value) {
    let mut document = json!({
        "profile_id": profile,
        "status": status,
        "platform": "desktop",
        "completion_flags": { "mailbox_created": status == "COMPLETED", "store_signup": status == "COMPLETED",
            "dev_registration": status == "COMPLETED", "2fa_enabled": status == "COMPLETED",
            "password_rotated": status == "COMPLETED" },
        "identity": { "email": format!("{profile}@practice.test") },
    });
    for (key, value) in more.as_object().unwrap() {
        document[key] = value.clone();
    }
    folder.write(&format!("state/{profile}.json"), &document.to_string());
}

#[test]
fn a_table_begins_the_sessions_of_new_profiles_and_changes_none_that_is_there() {
    let folder = folder();
    write_session(
        &folder,
        "p2",
        "FAILED",
        &json!({ "identity": { "email": "old@practice.test", "password": "pwd-of-old" } }),
    );
    folder.write(
        "fleet.csv",
        "profile_id,platform,identity.email,identity.password,variables.shop\n\
         p1,mobile,new@practice.test,pwd-of-new,north\n\
         p2,mobile,other@practice.test,pwd-of-old,\n\
         p3,,,,\n",
    );
    let ended = fleet(&folder, &["fleet.csv"]);
    ended.assert_code(1);
    assert_eq!(taken(&ended), ["p1", "p2", "p3"]);
    let p1 = folder.session("p1").unwrap();
    assert_eq!(p1["platform"], "mobile");
    assert_eq!(p1["identity"], json!({ "email": "new@practice.test", "password": "pwd-of-new" }));
    assert_eq!(p1["variables"], json!({ "shop": "north" }));
    let p2 = folder.session("p2").unwrap();
    assert_eq!((&p2["platform"], &p2["identity"]["email"]), (&json!("desktop"), &json!("old@practice.test")));
    let said = "p2: the source says otherwise about platform, identity.email; the session is kept";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
    assert_eq!(folder.session("p3").unwrap()["platform"], "desktop");
    // Nothing that was typed is reported, neither here nor in the log.
    for entry in std::fs::read_dir(folder.path("logs")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(!text.contains("pwd-of") && !text.contains("@practice.test"), "{text}");
    }
    assert!(!ended.stderr.contains("pwd-of") && !ended.stderr.contains("@practice.test"), "{}", ended.stderr);
    assert!(!ended.stdout.contains("@practice.test"), "{}", ended.stdout);
}

#[test]
fn variables_of_a_row_reach_its_run() {
    let folder = folder();
    let sandbox = Sandbox::start(&folder.beside("sandbox"));
    // The workflow's own address leads nowhere.
    folder.write(
        "fleet.jsonl",
        &format!(
            "{}\n",
            json!({ "profile_id": "p1", "platform": "mobile", "variables": { "site": sandbox.site() } })
        ),
    );
    with_steps(&folder, 1);
    let ended = folder.start(&["orchestrate", "fleet.jsonl"]).wait_for(BROWSERS);
    ended.assert_code(0);
    assert_eq!(sandbox.counts("p1"), [1, 0, 0, 0, 0]);
    folder.assert_nothing_left();
}

#[test]
fn of_a_source_only_what_is_asked_for_is_taken() {
    let folder = folder();
    for (profile, status) in
        [("a", "COMPLETED"), ("b", "FAILED"), ("d", "PROCESSING"), ("f", "NEEDS_ATTENTION")]
    {
        write_session(&folder, profile, status, &json!({}));
    }
    folder.write("list", "a\nb\nc\nd\ne\nf\n");
    // Completed ones do not count, and are passed over at once.
    assert_eq!(taken(&fleet(&folder, &["--limit", "2", "list"])), ["a", "b", "c"]);
    let only = |status: &str| taken(&fleet(&folder, &["--only-status", status, "list"]));
    assert_eq!(only("needs_attention"), ["f"]);
    assert_eq!(only("COMPLETED,NEEDS_ATTENTION"), ["a", "f"]);
    // Those of before have failed for want of a browser by now.
    assert_eq!(only("INTERRUPTED"), ["d"]);
    assert_eq!(only("PENDING"), ["e"]);
    assert_eq!(only("PENDING"), Vec::<String>::new());

    let many: String = (0..40).map(|number| format!("c{number}\n")).collect();
    (0..40).for_each(|number| write_session(&folder, &format!("c{number}"), "COMPLETED", &json!({})));
    folder.write("many", &many);
    let shuffled = |seed: &str| taken(&fleet(&folder, &[seed, "many"]));
    let (one, other) = (shuffled("--shuffle=1"), shuffled("--shuffle=2"));
    assert_eq!(one, shuffled("--shuffle=1"));
    assert_ne!(one, other);
    let mut sorted = one.clone();
    sorted.sort();
    let mut all: Vec<_> = many.lines().map(str::to_owned).collect();
    all.sort();
    assert_eq!(sorted, all);
}

#[test]
fn higher_priorities_are_launched_first() {
    let folder = folder();
    folder.write("fleet.csv", "id,priority\na,\nb,-1\nc,5\nd,5\n");
    let ended = fleet(&folder, &["--max", "1", "--source", "fleet.csv"]);
    let launched = regex::Regex::new(r"(\w): launched").unwrap();
    let launched: Vec<_> = launched.captures_iter(&ended.stderr).map(|found| found[1].to_owned()).collect();
    assert_eq!(launched, ["c", "d", "a", "b"], "{}", ended.stderr);
}

#[test]
fn what_cannot_be_a_source_is_told() {
    let folder = folder();
    let refused = |arguments: &[&str], expected| refused(&folder, &fleet(&folder, arguments), expected);
    refused(
        &[],
        expect![[r#"
        error: cannot read the profiles from `FOLDER/profiles.txt`: No such file or directory (os error 2)
          hint: write one profile id a line, or pipe them in: regatta orchestrate -"#]],
    );
    folder.write("wrong.csv", "name,platform\np1,mobile\n");
    refused(
        &["wrong.csv"],
        expect![[r#"
            error: FOLDER/wrong.csv:1: unknown column `name`
              hint: columns are profile_id, platform, priority, identity.FIELD, variables.NAME and adspower.SETTING; rename it, or leave it out"#]],
    );
    folder.write("undeclared.csv", "id,variables.shp\np1,north\n");
    refused(
        &["undeclared.csv"],
        expect![[r#"
        error: FOLDER/undeclared.csv:1: the workflow declares no variable `shp`; did you mean `shop`?
          hint: correct the name, or declare the variable below [variables] in the workflow"#]],
    );
    folder.write("undeclared.jsonl", "{\"id\":\"p1\",\"variables\":{\"stie\":\"http://127.0.0.1:1\"}}\n");
    refused(
        &["undeclared.jsonl"],
        expect![[r#"
        error: 1 wrong line in the list of profiles; nothing was started
          FOLDER/undeclared.jsonl:1: the workflow declares no variable `stie`; did you mean `site`?
          hint: correct the name, or declare the variable below [variables] in the workflow"#]],
    );
    let rows: String =
        (2..=800).map(|line| if line == 731 { "a/b\n".to_owned() } else { format!("p{line}\n") }).collect();
    folder.write("long.csv", &format!("id\n{rows}"));
    refused(
        &["long.csv"],
        expect![[r#"
        error: 1 wrong line in the list of profiles; nothing was started
          FOLDER/long.csv:731: `a/b` is not a profile id: use 1 to 128 of A-Z a-z 0-9 _ -"#]],
    );
    refused(
        &["adspower:tags=x"],
        expect![[r#"
        error: `adspower:tags=x` is no selection of profiles
          hint: write adspower:all, adspower:group=NAME, adspower:tag=NAME,NAME, adspower:no=12,15 or adspower:name=NAME"#]],
    );
    refused(
        &["--source", "postgres://ann:hunter22@127.0.0.1:1/app?query=select 1"],
        expect![[r#"
        error: the address of --source holds a password, and everybody here can see it (`ps`)
          hint: leave it out and name the variable that holds it, [source] password_env in regatta.toml; or write the address there as `from`"#]],
    );
    refused(
        &["sqlite:fleet.db"],
        expect![[r#"
        error: the source is a database, and no query says which profiles
          hint: end it with ?query=select id from profiles, or write query = "…" below [source] in regatta.toml"#]],
    );
    let settings = "[source]\nfrom = \"postgres://ann@127.0.0.1:1/app?query=select 1\"\npassword_env = \"NO_SUCH_VARIABLE\"\n";
    folder.write("regatta.toml", settings);
    // No other test needs it.
    folder.run(&["status"]).assert_code(0);
    refused(
        &[],
        expect![[r#"
        error: regatta.toml names the variable `NO_SUCH_VARIABLE`, and it is not set
          hint: set it where regatta is started: export NO_SUCH_VARIABLE=…"#]],
    );
    assert!(!folder.path("state").exists() && !folder.path("logs").exists(), "nothing was started");
}

#[test]
fn sessions_are_moved_out_and_in() {
    let folder = folder();
    write_session(
        &folder,
        "p1",
        "FAILED",
        &json!({ "identity": { "email": "a@practice.test", "password": "hunter22", "pin": "0123", "two_fa_secret": null, "n": 7 },
        "variables": { "shop": "north" }, "mine": { "deep": [1] },
        "in_flight": { "flag": "store_signup", "attempt": 1, "started_at": "2026-01-02T03:04:05Z", "run_id": "r" } }),
    );
    write_session(&folder, "p2", "COMPLETED", &json!({}));
    let run = |folder: &Folder, arguments: &[&str]| folder.run(&[&["sessions"], arguments].concat());

    let hidden = run(&folder, &["export"]);
    hidden.assert_code(0);
    assert!(!hidden.stdout.contains("hunter22") && !hidden.stdout.contains("@practice"), "{}", hidden.stdout);
    for name in ["out.json", "out.jsonl", "out.csv"] {
        let path = folder.beside(name);
        let path = path.to_str().unwrap();
        run(&folder, &["export", "--reveal", "-o", path]).assert_code(0);
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600, "it holds passwords");
        let other = super::sources::folder();
        let dry = run(&other, &["import", path, "--dry-run"]);
        dry.assert_code(0);
        assert_eq!(dry.stdout, "2 would be made, 0 there already, 0 kept as they were\n");
        assert!(other.session("p1").is_none());
        let made = run(&other, &["import", path]);
        made.assert_code(0);
        assert_eq!(made.stdout, "2 made, 0 there already, 0 kept as they were\n");
        let (mut before, after) = (folder.session("p1").unwrap(), other.session("p1").unwrap());
        before["version"] = json!(1);
        assert_eq!(after, before, "{name}");
        // Again nothing changes, and what differs is kept.
        let again = run(&other, &["import", path]);
        assert_eq!(again.stdout, "0 made, 2 there already, 0 kept as they were\n");
        write_session(&other, "p2", "FAILED", &json!({ "platform": "mobile" }));
        let kept = run(&other, &["import", path]);
        kept.assert_code(1);
        let names = "completion_flags.2fa_enabled, completion_flags.dev_registration, completion_flags.mailbox_created, completion_flags.password_rotated, completion_flags.store_signup, platform, status";
        let said = format!(
            "p2: has a session that differs in {names}; it is kept\n0 made, 1 there already, 1 kept as they were\n"
        );
        assert_eq!(kept.stdout, said);
        assert_eq!(other.session("p2").unwrap()["status"], "FAILED");
    }
    let reported = |file: &str, text: &str, expected: Expect| {
        folder.write(file, text);
        refused(&folder, &run(&folder, &["import", file]), expected);
    };
    reported(
        "a.json",
        &hidden.stdout,
        expect![[r#"
        error: 2 wrong documents; nothing was imported
          FOLDER/a.json, document 1: the values of the identity were left out of this file
          FOLDER/a.json, document 2: the values of the identity were left out of this file
          hint: export it again with --reveal, and keep the file to yourself"#]],
    );
    reported(
        "a.csv",
        "profile_id,emial\np9,x\np9,y\n",
        expect![[r#"
            error: 2 wrong lines; nothing was imported
              FOLDER/a.csv, line 2: unknown column `emial`
              FOLDER/a.csv, line 3: unknown column `emial`
              hint: columns are profile_id, status, platform, completion_flags.FLAG, identity.FIELD, variables.NAME, adspower, in_flight, last_error, superseded, totp_used, version, plan, extra.NAME and json_cells"#]],
    );
    reported(
        "a.csv",
        "profile_id\np9\np9\n",
        expect![[r#"
        error: 1 wrong line; nothing was imported
          FOLDER/a.csv, line 3: profile p9 is in line 2 already"#]],
    );
    reported(
        "a.txt",
        "p9\n",
        expect![[r#"
        error: `FOLDER/a.txt` is neither .csv nor .json nor .jsonl"#]],
    );
    reported(
        "undeclared.csv",
        "profile_id,variables.shp\np9,north\n",
        expect![[r#"
        error: 1 wrong line; nothing was imported
          FOLDER/undeclared.csv, line 2: the workflow declares no variable `shp`; did you mean `shop`?
          hint: correct the name, or declare the variable below [variables] in the workflow"#]],
    );
    assert!(folder.session("p9").is_none());
    let unknown = run(&folder, &["export", "p9"]);
    refused(
        &folder,
        &unknown,
        expect![[r#"
            error: there is no profile `p9` in this folder
              hint: did you mean `p1`? `regatta status` lists the profiles; -C DIR works in another folder"#]],
    );
}
