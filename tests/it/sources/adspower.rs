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
    let ended = ask(&folder, &sandbox, &["--source", "adspower:group=Nobody"]);
    refused(
        &folder,
        &ended,
        expect![[r#"
        error: AdsPower has no group `Nobody`
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
