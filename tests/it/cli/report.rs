//! `regatta report` over a folder whose runs are over.

use expect_test::expect;
use serde_json::{Value, json};

use super::{check, session};
use crate::support::program::Folder;

const NETWORK: &str = r#"{"requests":9,"failed":1,"bytes_received":2048,"bytes_sent":512}"#;

/// One profile that is done, one that failed and left evidence, one that never ran.
pub fn folder() -> Folder {
    let folder = Folder::practice();
    let done = json!({ "mailbox_created": true, "store_signup": true, "dev_registration": true, "2fa_enabled": true, "password_rotated": true });
    session(&folder, "p1", "COMPLETED", &json!({ "completion_flags": done }));
    let last_error =
        json!({ "flag": "store_signup", "message": "the button is disabled", "at": "2026-01-02T03:04:05Z" });
    session(&folder, "p2", "FAILED", &json!({ "last_error": last_error }));
    session(&folder, "p3", "PENDING", &json!({}));
    events(
        &folder,
        "p1",
        &[
            r#""type":"run_started","pid":5,"plan":"x","steps":4,"done":0"#.to_owned(),
            r#""type":"step_started","flag":"mailbox_created","attempt":1,"mode":"act""#.to_owned(),
            format!(
                r#""type":"step_finished","flag":"mailbox_created","outcome":"done","ms":1500,"network":{NETWORK}"#
            ),
            r#""type":"run_finished","outcome":"completed","exit_code":0,"ms":3000"#.to_owned(),
        ],
    );
    let evidence = folder.path("artifacts/p2/r1-store_signup-1").display().to_string();
    events(
        &folder,
        "p2",
        &[
            r#""type":"run_started","pid":6,"plan":"x","steps":4,"done":1"#.to_owned(),
            r#""type":"step_started","flag":"store_signup","attempt":1,"mode":"act""#.to_owned(),
            r#""type":"action_failed","flag":"store_signup","attempt":1,"flow":"flows/store.json","step":"4","action":"click","message":"the button is disabled""#.to_owned(),
            format!(r#""type":"evidence","flag":"store_signup","path":{}"#, json!(evidence)),
            format!(
                r#""type":"step_finished","flag":"store_signup","outcome":"failed","ms":9000,"network":{NETWORK}"#
            ),
            r#""type":"run_finished","outcome":"step_failed","exit_code":1,"ms":9500"#.to_owned(),
        ],
    );
    folder.write("artifacts/p2/r1-store_signup-1/screenshot.png", "a picture");
    folder.write("artifacts/p2/r1-store_signup-1/index.html", "<!doctype html><title>evidence</title>");
    folder
}

/// A second apart.
pub fn events(folder: &Folder, profile: &str, kinds: &[String]) {
    let line = |(second, kind): (usize, &String)| {
        format!(
            r#"{{"v":1,"seq":{},"at":"2026-01-02T03:04:{second:02}Z","run_id":"r1","profile_id":"{profile}",{kind}}}"#,
            second + 1
        ) + "\n"
    };
    let text: String = kinds.iter().enumerate().map(line).collect();
    folder.write(&format!("logs/{profile}.events.jsonl"), &text);
}

#[test]
fn a_report_is_written_in_four_forms() {
    let folder = folder();
    check(
        &folder,
        &["report"],
        expect![[r#"
            exit 0
            FOLDER/report/report.html
            FOLDER/report/report.junit.xml
            FOLDER/report/report.csv
            FOLDER/report/report.json"#]],
    );
    let page = folder.read("report/report.html");
    assert!(page.contains("the button is disabled") && page.contains("base64,YSBwaWN0dXJl"), "{page}");
    let report: Value = serde_json::from_str(&folder.read("report/report.json")).unwrap();
    assert_eq!(report["overview"]["by_status"]["FAILED"], 1);
    assert_eq!(report["overview"]["steps"][0]["median_ms"], 1500);
    assert_eq!(report["causes"][0]["profiles"], json!(["p2"]));
    // A file that was there is replaced as a whole.
    folder.run(&["report", "p1"]).assert_code(0);
    let report: Value = serde_json::from_str(&folder.read("report/report.json")).unwrap();
    assert_eq!(report["overview"]["profiles"], 1);
}

/// As a fleet hands its profiles over, however many they are.
#[test]
fn profiles_are_named_on_standard_input() {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let folder = folder();
    let rendered = |input: &str| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_regatta"))
            .arg("-C")
            .arg(folder.root())
            .args(["report", "-", "--stdout", "csv"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let ended = child.wait_with_output().unwrap();
        (
            ended.status.code(),
            String::from_utf8(ended.stdout).unwrap(),
            String::from_utf8(ended.stderr).unwrap(),
        )
    };
    let (code, printed, _) = rendered("p3\n\np1\n");
    let ids: Vec<_> = printed.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!((code, ids), (Some(0), vec!["p1", "p3"]));
    let (code, _, said) = rendered("p1\np 2\n");
    assert_eq!(code, Some(2));
    assert!(said.contains("error: line 2 of standard input: `p 2` is not a profile id"), "{said}");
}

#[test]
fn one_form_is_printed_and_no_identity_value_is_in_any() {
    let folder = folder();
    check(
        &folder,
        &["report", "--stdout", "csv"],
        expect![[r#"
            exit 0
            profile_id,status,steps_done,steps,runs,seconds,bytes_received,bytes_sent,started_at,heard_at,error,evidence
            p1,COMPLETED,5,5,1,3.000,2048,512,2026-01-02T03:04:00Z,2026-01-02T03:04:03Z,,
            p2,FAILED,1,5,1,5.000,2048,512,2026-01-02T03:04:00Z,2026-01-02T03:04:05Z,store_signup: the button is disabled,FOLDER/artifacts/p2/r1-store_signup-1
            p3,PENDING,1,5,0,0.000,0,0,,,,"#]],
    );
    assert!(!folder.path("report").exists());
    for form in ["html", "junit", "csv", "json"] {
        let printed = folder.run(&["report", "--stdout", form]).stdout;
        assert!(printed.contains("p2") && !printed.contains("p2@practice.test"), "{printed}");
    }
}

#[test]
fn a_report_that_cannot_be_written_says_where() {
    let folder = folder();
    folder.write("taken", "a file");
    check(
        &folder,
        &["report", "--out", folder.path("taken").to_str().unwrap()],
        expect![[r#"
            exit 2
            error: cannot make the folder FOLDER/taken: File exists (os error 17)"#]],
    );
    check(
        &folder,
        &["report", "--stdout", "pdf"],
        expect![[r#"
            exit 2
            error: invalid value 'pdf' for '--stdout <FORMAT>'
              [possible values: html, junit, csv, json]

            For more information, try '--help'."#]],
    );
}
