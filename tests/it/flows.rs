//! Recordings of all versions of the Recorder parse, and the practice folder can be played.

use std::path::Path;

use regatta_core::flow;

use crate::support::program::Folder;
use crate::support::sandbox::Sandbox;

/// In the forms that versions of the Recorder and its extensions have written.
#[test]
fn recordings_in_the_forms_of_all_versions_parse() {
    let recordings = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/recordings");
    let parsed = |name: &str| {
        let flow = flow::parse(name, &std::fs::read_to_string(recordings.join(name)).unwrap());
        flow.unwrap_or_else(|error| panic!("{}: {error}", error.location()))
    };
    let alternatives = |flow: &flow::Flow| -> Vec<usize> {
        let locators = flow.steps.iter().filter_map(|step| step.action.locator());
        locators.map(|locator| locator.alternatives.len()).collect()
    };
    let names = [
        ("desktop-with-keys.json", 9, vec![2, 2, 2]),
        ("mobile-with-asserted-navigation.json", 3, vec![2]),
        ("strings-for-selectors.json", 3, vec![4, 2]),
        ("chains-and-all-kinds.json", 3, vec![5]),
    ];
    for (name, steps, expected) in names {
        let flow = parsed(name);
        assert_eq!((flow.steps.len(), alternatives(&flow)), (steps, expected), "{name}");
    }
}

#[test]
fn the_practice_flows_and_their_verifications_can_be_played() {
    let ended = Folder::practice().run(&["validate"]);
    ended.assert_code(0);
    assert!(ended.stdout.starts_with("onboarding: 5 steps, all of them can be played\n"), "{ended:#?}");
    assert_eq!(ended.stdout.matches("verified when in doubt").count(), 5, "{}", ended.stdout);
}

/// The end of `make demo`.
#[test]
fn the_sandbox_says_what_its_ledger_holds() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(folder.path());
    let verdict = |expected: &str| {
        let program =
            std::path::Path::new(env!("CARGO_BIN_EXE_regatta")).with_file_name("examples").join("sandbox");
        let arguments = ["verdict", "--site", &sandbox.site(), "--expect", expected];
        let ended = std::process::Command::new(program).args(arguments).output().unwrap();
        (
            ended.status.success(),
            String::from_utf8(ended.stdout).unwrap(),
            String::from_utf8(ended.stderr).unwrap(),
        )
    };
    let line = "ledger: 0 submissions of 0 profiles, each once\n".to_owned();
    assert_eq!(verdict("0"), (true, line.clone(), String::new()));
    let (is_good, said, problem) = verdict("4");
    assert_eq!((is_good, said), (false, line));
    assert!(problem.contains("the ledger should hold 4 submissions"), "{problem}");
}
