//! Recordings of others parse as they are, and the practice folder is one that can be played.

use std::path::Path;

use regatta::domain::flow;

use crate::support::program::Folder;

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
        let flow = flow.unwrap_or_else(|error| panic!("{}: {error}", error.place()));
        assert!(!flow.steps.is_empty(), "{name} has no step");
    }
    assert_eq!(paths.len(), 9, "{paths:?}");
}

#[test]
fn the_practice_flows_and_their_verifications_can_be_played() {
    let ended = Folder::practice().run(&["validate"]);
    ended.assert_code(0);
    assert!(ended.stdout.starts_with("onboarding: 4 steps, all of them can be played\n"), "{ended:#?}");
    assert_eq!(ended.stdout.matches("verified when in doubt").count(), 4, "{}", ended.stdout);
}
