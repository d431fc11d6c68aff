//! Profiles that AdsPower knows: its emulator, at the pace that AdsPower allows.

use expect_test::expect;

use super::{fleet, folder, refused, start, taken};
use crate::support::program::{Ended, Folder};
use crate::support::sandbox::Sandbox;

/// Chromium's provider: what is asked of AdsPower here is its lists.
fn ask(folder: &Folder, sandbox: &Sandbox, arguments: &[&str]) -> Ended {
    fleet(folder, &[&["--adspower-url", &sandbox.adspower()], arguments].concat())
}

#[test]
fn of_250_profiles_in_three_groups_those_of_one_are_taken_page_by_page() {
    let folder = folder();
    let sandbox = Sandbox::with_adspower_of(&folder.beside("sandbox"), 250);
    // Nothing runs, so that only the lists are seen.
    let status = ["--only-status", "COMPLETED"];
    (1..=250).for_each(|number| {
        super::write_session(&folder, &format!("p{number}"), "COMPLETED", &serde_json::json!({}));
    });
    let group = |name: &str| {
        taken(&ask(
            &folder,
            &sandbox,
            &[&["--source", &format!("adspower:group={name}")], &status[..]].concat(),
        ))
    };
    let numbers =
        |rest: usize| (1..=250).filter(move |number| number % 3 == rest).map(|number| format!("p{number}"));
    assert_eq!(group("Harbour"), numbers(1).collect::<Vec<_>>());
    assert_eq!(group("Quay"), numbers(0).collect::<Vec<_>>());
    let all = taken(&ask(&folder, &sandbox, &["--source", "adspower:all"]));
    assert_eq!(all, (1..=250).map(|number| format!("p{number}")).collect::<Vec<_>>());
    assert_eq!(sandbox.throttled(), 0, "the pace was kept");
}

#[test]
fn what_adspower_does_not_have_is_told() {
    let folder = folder();
    let sandbox = Sandbox::with_adspower_of(&folder.beside("sandbox"), 1);
    let ended = ask(&folder, &sandbox, &["--source", "adspower:group=Unknown"]);
    refused(
        &folder,
        &ended,
        expect![[r#"
        error: AdsPower has no group `Unknown`
          hint: groups are named as AdsPower shows them"#]],
    );
    folder.write("regatta.toml", "[adspower]\nbase_url = \"http://127.0.0.1:1\"\n");
    let ended = start(&folder, &["--source", "adspower:all"], &[]).wait();
    refused(
        &folder,
        &ended,
        expect![[r#"
        error: AdsPower is not reachable at http://HOST: Connection refused (os error 111)
          hint: start AdsPower and check the address of its Local API (settings of the app, or its file `local_api`)"#]],
    );
}

#[test]
fn profiles_are_taken_by_tag_number_and_name() {
    let folder = folder();
    folder.write("known.txt", "k1 Ann\nk2 Bob, of the harbour\nk3 Ann\nk4 Annika\nk5 Eve\n");
    let sandbox = Sandbox::with_adspower_profiles(&folder.beside("sandbox"), &folder.path("known.txt"));
    let by = |choice: &str| taken(&ask(&folder, &sandbox, &["--source", &format!("adspower:{choice}")]));
    assert_eq!(by("tag=Blue"), ["k1", "k3", "k5"]);
    assert_eq!(by("tag=Green"), ["k3"]);
    assert_eq!(by("tag=Green,Blue"), ["k1", "k3", "k5"], "any of them");
    assert_eq!(by("no=4,2"), ["k4", "k2"]);
    // By likeness it would be k1 and k3 as well.
    assert_eq!(by("name=Annika"), ["k4"]);
    assert_eq!(by("name=Bob, of the harbour"), ["k2"]);
    // What was listed is shown beside the ids.
    super::write_session(&folder, "k2", "COMPLETED", &serde_json::json!({}));
    let ended = folder.run(&["status", "k2"]);
    assert!(ended.stdout.contains("k2       2   Bob, of the harbour  COMPLETED"), "{}", ended.stdout);
    let status: serde_json::Value =
        serde_json::from_str(&folder.run(&["status", "k2", "--json"]).stdout).unwrap();
    assert_eq!((&status[0]["number"], &status[0]["name"]), (&"2".into(), &"Bob, of the harbour".into()));
}

#[test]
fn a_list_may_name_profiles_by_number_and_name() {
    let folder = folder();
    folder.write("known.txt", "k1 Ann\nk2 Bob\nk3 Ann\n");
    let sandbox = Sandbox::with_adspower_profiles(&folder.beside("sandbox"), &folder.path("known.txt"));
    folder.write("list.txt", "adspower:name=Bob # as the office calls it\nk3\nadspower:no=1\n");
    assert_eq!(taken(&ask(&folder, &sandbox, &["list.txt"])), ["k2", "k3", "k1"]);
    folder.write("fleet.csv", "id,platform\nadspower:no=3,mobile\nadspower:name=Bob,\n");
    assert_eq!(taken(&ask(&folder, &sandbox, &["fleet.csv"])), ["k3", "k2"]);
    folder.write("fleet.jsonl", "\"adspower:no=2\"\n{\"profile_id\":\"adspower:no=1\"}\n");
    assert_eq!(taken(&ask(&folder, &sandbox, &["fleet.jsonl"])), ["k2", "k1"]);
}

#[test]
fn what_cannot_be_looked_up_is_told_with_its_line() {
    let folder = folder();
    folder.write("known.txt", "k1 Ann\nk2 Bob\nk3 Ann\n");
    let sandbox = Sandbox::with_adspower_profiles(&folder.beside("sandbox"), &folder.path("known.txt"));
    folder.write("list.txt", "adspower:name=Ann\nadspower:no=9\nadspower:nr=1\nadspower:name=Bob\nk2\n");
    refused(
        &folder,
        &ask(&folder, &sandbox, &["list.txt"]),
        expect![[r#"
        error: 4 wrong lines in the list of profiles; nothing was started
          FOLDER/list.txt:1: AdsPower has 2 profiles named `Ann`: k1, k3
          FOLDER/list.txt:2: AdsPower has no profile with the number 9
          FOLDER/list.txt:3: `adspower:nr=1` is neither an AdsPower number nor a name
          FOLDER/list.txt:5: profile k2 is on line 4 already
          hint: name the one you mean by its id, or by its number: adspower:no=12"#]],
    );
    refused(
        &folder,
        &ask(&folder, &sandbox, &["--source", "adspower:name=Ann"]),
        expect![[r#"
        error: AdsPower has 2 profiles named `Ann`: k1, k3
          hint: name the one you mean by its id, or by its number: adspower:no=12"#]],
    );
    refused(
        &folder,
        &ask(&folder, &sandbox, &["--source", "adspower:no=1,9"]),
        expect![[r#"
        error: AdsPower has no profile with the number 9
          hint: compare it with AdsPower's list of profiles; names are compared whole"#]],
    );
    refused(
        &folder,
        &ask(&folder, &sandbox, &["--source", "adspower:tag=Blu"]),
        expect![[r#"
        error: AdsPower has no tag `Blu`; it has Blue, Green
          hint: tags are named as AdsPower shows them"#]],
    );
    sandbox.fault(&serde_json::json!({ "kind": "old_application" }));
    refused(
        &folder,
        &ask(&folder, &sandbox, &["--source", "adspower:tag=Blue"]),
        expect![[r#"
        error: AdsPower at http://HOST does not know the call `tags` (HTTP 404)
          hint: an older AdsPower has no tags in its API: update it, or choose profiles by a group"#]],
    );
}
