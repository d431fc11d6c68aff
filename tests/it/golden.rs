//! Session documents of every version, as they were written. The program reads each of them and writes
//! unknown fields back.

use serde_json::{Value, json};

use crate::support::program::Folder;

/// The six published fields; a document of the first version; one with what a step has captured.
const DOCUMENTS: [(&str, &str); 3] = [
    ("published", include_str!("golden/published.json")),
    ("first", include_str!("golden/first.json")),
    ("learned", include_str!("golden/learned.json")),
];

fn folder() -> Folder {
    let folder = Folder::practice();
    for (profile, document) in DOCUMENTS {
        folder.write(&format!("state/{profile}.json"), document);
    }
    folder
}

#[test]
fn documents_of_every_version_are_read_and_written_back_whole() {
    let folder = folder();
    let exported = folder.run(&["sessions", "export", "--reveal"]);
    exported.assert_code(0);
    let exported: Vec<Value> = serde_json::from_str(&exported.stdout).unwrap();
    for (profile, document) in DOCUMENTS {
        let mut expected: Value = serde_json::from_str(document).unwrap();
        expected["version"] = json!(1);
        assert!(exported.contains(&expected), "{profile}: {exported:#?}");
        folder.run(&["reset", profile, "--step", "mailbox_created"]).assert_code(0);
        let mut kept = folder.session(profile).unwrap();
        expected["completion_flags"]["mailbox_created"] = json!(false);
        expected["status"] = json!("PENDING");
        // A reset answers the question.
        for answered in ["in_flight", "last_error"] {
            expected.as_object_mut().unwrap().remove(answered);
        }
        kept.sort_all_objects();
        expected.sort_all_objects();
        assert_eq!(kept, expected, "{profile}");
    }
}

#[test]
fn superseded_values_are_named_and_shown_only_on_request() {
    let folder = folder();
    let status = folder.run(&["status", "learned", "--json"]);
    let rows: Value = serde_json::from_str(&status.stdout).unwrap();
    let named =
        json!([{ "field": "password", "at": "2026-01-02T03:04:04Z", "run_id": "20260102T030405-0000beef" }]);
    assert_eq!(rows[0]["superseded"], named);
    let hidden = folder.run(&["sessions", "export", "learned"]).stdout;
    for said in [&status.stdout, &hidden] {
        assert!(!said.contains("old-password") && !said.contains("new-password"), "{said}");
    }
    for format in ["json", "csv"] {
        let file = format!("out.{format}");
        let exported = folder.run(&[
            "sessions",
            "export",
            "learned",
            "--reveal",
            "-o",
            folder.path(&file).to_str().unwrap(),
        ]);
        exported.assert_code(0);
        let other = Folder::practice();
        other.write(&file, &folder.read(&file));
        other.run(&["sessions", "import", &file]).assert_code(0);
        let (kept, imported) = (folder.session("learned").unwrap(), other.session("learned").unwrap());
        for field in ["identity", "superseded", "totp_used", "in_flight"] {
            assert_eq!(kept[field], imported[field], "{format}: {field}");
        }
    }
}

/// The person says that the password was changed: it moves into place as it would have when the flag was set.
#[test]
fn an_answer_commits_what_the_step_prepared() {
    let folder = folder();
    let mut session = folder.session("learned").unwrap();
    session["in_flight"]["flag"] = json!("password_rotated");
    session["identity"]["new_password"] = json!("newest-password");
    folder.write("state/learned.json", &session.to_string());
    folder.run(&["resolve", "learned", "--done"]).assert_code(0);
    let session = folder.session("learned").unwrap();
    assert_eq!(session["identity"]["password"], "newest-password");
    assert_eq!(session["identity"].get("new_password"), None, "{session:#}");
    assert_eq!(session["superseded"][0]["value"], "new-password");
}

#[test]
fn a_step_is_not_resolved_as_done_without_its_captured_value() {
    let folder = folder();
    let mut session = folder.session("learned").unwrap();
    session["identity"]["two_fa_secret"] = Value::Null;
    folder.write("state/learned.json", &session.to_string());
    let refused = folder.run(&["resolve", "learned", "--done"]);
    refused.assert_code(2);
    let said = "step `2fa_enabled` captures `identity.two_fa_secret`, and the session has no value of it";
    assert!(refused.stderr.contains(said) && refused.stderr.contains("--done --set"), "{}", refused.stderr);
    assert_eq!(folder.session("learned").unwrap()["completion_flags"]["2fa_enabled"], false);
    folder.run(&["resolve", "learned", "--done", "--set", "identity.two_fa_secret=ABC"]).assert_code(0);
    assert_eq!(folder.session("learned").unwrap()["completion_flags"]["2fa_enabled"], true);
}

/// A field that a profile lacks is its own state: not wrong usage, and no browser is started for it.
#[test]
fn a_profile_that_lacks_a_required_field_needs_a_person() {
    let folder = Folder::practice();
    folder.write(
        "flows/store.json",
        r#"{"title":"t","steps":[{"type":"change","selectors":["input"],"value":"{{ identity.phone }}"}]}"#,
    );
    let ended = folder.run(&["run", "p1"]);
    ended.assert_code(3);
    let said = "step `store_signup` needs `identity.phone`, which the profile does not have";
    assert!(ended.stderr.contains(said) && ended.stderr.contains("--set identity.phone"), "{}", ended.stderr);
    let session = folder.session("p1").unwrap();
    assert_eq!(session["status"], "NEEDS_ATTENTION");
    assert_eq!(folder.events_of("p1", "browser_started").len(), 0);
    folder.run(&["resolve", "p1", "--again", "--set", "identity.phone=555"]).assert_code(0);
    folder.run(&["run", "p1", "--dry-run"]).assert_code(0);
    assert_eq!(folder.session("p1").unwrap()["identity"]["phone"], "555");
}
