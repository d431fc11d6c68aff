//! What files take, and what `clean` and a fleet remove of them.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use expect_test::expect;
use serde_json::json;

use super::{change, rendered, session};
use crate::support::program::{Ended, Folder};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn old(path: &Path, days: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "x".repeat(3_000)).unwrap();
    let at = SystemTime::now() - DAY * days;
    fs::File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
    fs::File::open(path.parent().unwrap()).unwrap().set_modified(at).unwrap();
}

/// One that is done and one that has failed, each with a browser, old and young evidence, and logs.
fn folder() -> Folder {
    let folder = Folder::practice();
    let done = json!({ "mailbox_created": true, "store_signup": true, "dev_registration": true, "2fa_enabled": true, "password_rotated": true });
    session(&folder, "done", "COMPLETED", &json!({ "completion_flags": done }));
    session(&folder, "failed", "FAILED", &json!({}));
    for profile in ["done", "failed"] {
        old(&folder.path(&format!("browsers/{profile}/Default/Cookies")), 40);
        old(&folder.path(&format!("artifacts/{profile}/r1-store_signup-1/page.html")), 40);
        old(&folder.path(&format!("artifacts/{profile}/r2-store_signup-1/page.html")), 1);
        old(&folder.path(&format!("artifacts/{profile}/r1-downloads/invoice.pdf")), 40);
        old(&folder.path(&format!("logs/{profile}.log")), 40);
    }
    folder
}

/// How large blocks are is the file system's affair.
fn shown(folder: &Folder, ended: &Ended) -> String {
    let sizes = regex::Regex::new(r" *\b[\d.]+ (B|KiB|MiB|GiB|TiB)\b").unwrap();
    sizes.replace_all(&rendered(folder, ended), " SIZE").into_owned()
}

fn files(folder: &Folder) -> Vec<String> {
    fn walk(path: &Path, root: &Path, out: &mut Vec<String>) {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            match entry.path().is_dir() {
                true => walk(&entry.path(), root, out),
                false => out.push(entry.path().strip_prefix(root).unwrap().display().to_string()),
            }
        }
    }
    let mut out = Vec::new();
    for name in ["browsers", "artifacts", "logs", "state"] {
        walk(&folder.path(name), folder.root(), &mut out);
    }
    out.retain(|name| !name.ends_with(".lock"));
    out.sort();
    out
}

const CLEAN: [&str; 7] = ["clean", "--browsers", "completed", "--artifacts", "30d", "--logs", "30d"];

#[test]
fn what_is_old_goes_and_what_a_person_has_to_look_at_stays() {
    let folder = folder();
    let before = files(&folder);
    let dry = folder.run(&[&CLEAN[..], &["--dry-run"]].concat());
    expect![[r#"
        exit 0
        PROFILE  STATE       PROCESS  WHAT
        done     found                user data of the browser, SIZE
        done     found                evidence of 1 attempt, SIZE
        done     found                logs, SIZE
        nothing was touched; without --dry-run these are ended or removed
         SIZE would be removed"#]]
    .assert_eq(&shown(&folder, &dry));
    assert_eq!(files(&folder), before, "a dry run touches nothing");
    let json = folder.run(&[&CLEAN[..], &["--dry-run", "--json"]].concat());
    let rows: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((&rows[0]["kind"], &rows[0]["state"]), (&json!("browser_data"), &json!("found")));
    assert!(rows[0]["bytes"].as_u64().unwrap() >= 3_000, "{rows}");
    let clean = folder.run(&CLEAN);
    expect![[r#"
        exit 0
        PROFILE  STATE       PROCESS  WHAT
        done     removed              user data of the browser, SIZE
        done     removed              evidence of 1 attempt, SIZE
        done     removed              logs, SIZE
         SIZE removed"#]]
    .assert_eq(&shown(&folder, &clean));
    expect![[r#"
        artifacts/done/r1-downloads/invoice.pdf
        artifacts/done/r2-store_signup-1/page.html
        artifacts/failed/r1-downloads/invoice.pdf
        artifacts/failed/r1-store_signup-1/page.html
        artifacts/failed/r2-store_signup-1/page.html
        browsers/failed/Default/Cookies
        logs/failed.log
        state/done.json
        state/failed.json"#]]
    .assert_eq(&files(&folder).join("\n"));
    assert_eq!(folder.run(&CLEAN).stdout, "nothing is left over\n");
    let wrong = folder.run(&["clean", "--artifacts", "soon"]);
    expect![[r#"
        exit 2
        error: invalid value 'soon' for '--artifacts <AGE>': `soon` is not an age: write 30d or 12h

        For more information, try '--help'."#]]
    .assert_eq(&rendered(&folder, &wrong));
}

#[test]
fn a_profile_that_is_being_run_keeps_everything() {
    let folder = folder();
    let path = folder.path("state/done.lock");
    let held = fs::File::create(&path).unwrap();
    held.lock().unwrap();
    let before = files(&folder);
    assert_eq!(folder.run(&CLEAN).stdout, "nothing is left over\n");
    assert_eq!(files(&folder), before);
}

#[test]
fn a_fleet_removes_at_its_end_what_the_settings_name() {
    let folder = folder();
    let settings =
        "[folders]\nclean_browsers = \"completed\"\nclean_artifacts = \"30d\"\nclean_logs = \"30d\"\n";
    folder.write("regatta.toml", settings);
    folder.write("profiles.txt", "done\n");
    folder.run(&["orchestrate"]).assert_code(0);
    let left = files(&folder);
    assert!(!left.iter().any(|name| name.starts_with("browsers/done/")), "{left:?}");
    assert!(left.iter().any(|name| name.starts_with("browsers/failed/")), "{left:?}");
    assert!(left.contains(&"state/done.json".to_owned()), "{left:?}");
    folder.write("regatta.toml", "[folders]\nclean_artifacts = \"soon\"\n");
    let wrong = folder.run(&["status"]);
    wrong.assert_code(2);
    assert!(wrong.stderr.contains("`soon` is not an age: write 30d or 12h"), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("regatta.toml:2:"), "{}", wrong.stderr);
}

#[test]
fn sizes_are_shown_where_they_are_asked_for() {
    let folder = folder();
    expect![[r#"
        exit 0
        PROFILE  STATUS           STEPS     BROWSER   ARTIFACTS        LOGS  NOTE
        done     COMPLETED          5/5 SIZE SIZE SIZE
        failed   FAILED             1/5 SIZE SIZE SIZE
        2 profiles: 1 COMPLETED, 1 FAILED; 6 of 10 steps done
         SIZE on the disk"#]]
    .assert_eq(&shown(&folder, &folder.run(&["status", "--sizes"])));
    let json = folder.run(&["status", "--sizes", "--json"]);
    let rows: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert!(rows[0]["sizes"]["artifacts"].as_u64().unwrap() >= 9_000, "{rows}");
    let doctor = folder.run(&["doctor"]);
    let line = doctor.stdout.lines().find(|line| line.contains(" disk ")).unwrap();
    let sizes = regex::Regex::new(r"[\d.]+ (B|KiB|MiB|GiB|TiB)").unwrap();
    assert_eq!(
        sizes.replace_all(line, "SIZE").trim_start_matches("ok").trim_start_matches("note").trim(),
        "disk       browsers SIZE, artifacts SIZE, logs SIZE; SIZE are free"
    );
    // Where the workflow is another one, nothing counts as completed.
    change(&folder, "workflow.toml", "flag = \"password_rotated\"", "flag = \"password_changed\"");
    assert_eq!(folder.run(&["clean", "--browsers", "completed"]).stdout, "nothing is left over\n");
}
