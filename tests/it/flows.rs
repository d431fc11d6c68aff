//! Recordings of others parse as they are, and the practice folder is one that can be played.

use std::path::Path;

use regatta_core::flow;

use crate::support::program::Folder;
use crate::support::sandbox::Sandbox;

#[test]
fn recordings_of_others_parse() {
    let recordings = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/recordings");
    let Ok(entries) = std::fs::read_dir(&recordings) else {
        println!("no recordings at {}: nothing was tried", recordings.display());
        return;
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
    paths.sort();
    for path in &paths {
        let name = path.file_name().unwrap().to_str().unwrap();
        let flow = flow::parse(name, &std::fs::read_to_string(path).unwrap());
        let flow = flow.unwrap_or_else(|error| panic!("{}: {error}", error.location()));
        assert!(!flow.steps.is_empty(), "{name} has no step");
    }
    assert_eq!(paths.len(), 9, "{paths:?}");
}

#[test]
fn the_practice_flows_and_their_verifications_can_be_played() {
    let ended = Folder::practice().run(&["validate"]);
    ended.assert_code(0);
    assert!(ended.stdout.starts_with("onboarding: 5 steps, all of them can be played\n"), "{ended:#?}");
    assert_eq!(ended.stdout.matches("verified when in doubt").count(), 5, "{}", ended.stdout);
}

/// What `make demo` ends with.
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
    let told = "ledger: 0 submissions of 0 profiles, each once\n".to_owned();
    assert_eq!(verdict("0"), (true, told.clone(), String::new()));
    let (is_good, said, problem) = verdict("4");
    assert_eq!((is_good, said), (false, told));
    assert!(problem.contains("the ledger should hold 4 submissions"), "{problem}");
}
