//! Checks the direction of imports between the rooms of `src/`. The walls around `regatta-core` and
//! `regatta-page` are Cargo's, and `crates/regatta-core/clippy.toml` keeps the former pure.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails right there")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// Each room with the rooms that it may import, itself left out.
const ROOMS: [(&str, &[&str]); 6] = [
    ("store", &[]),
    ("providers", &["store", "http", "defaults"]),
    ("run", &["providers", "store"]),
    ("orchestrate", &["providers", "store", "http", "defaults"]),
    ("report", &["http"]),
    ("cli", &["report", "orchestrate", "run", "providers", "store", "http", "defaults"]),
];

#[test]
fn imports_run_downwards_only() {
    let mut broken = Vec::new();
    for (room, allowed) in ROOMS {
        for (file, text) in sources(room) {
            for import in imports(&text).iter().filter(|import| *import != room) {
                if !allowed.contains(&import.as_str()) {
                    broken.push(format!("{} imports crate::{import}", file.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn imports_are_found_in_every_form() {
    let text = "use crate::store::lock;\nuse crate::{cli::args, run};\nuse crate::{\n    report::{a, b},\n};\n\
                let x = crate::http::builder();\nuse crate::store;";
    let found: Vec<String> = imports(text).into_iter().collect();
    assert_eq!(found, ["cli", "http", "report", "run", "store"]);
}

/// The modules at the root of the crate that `text` names.
fn imports(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for path in Regex::new(r"\bcrate::(\w+)").unwrap().captures_iter(text) {
        found.insert(path[1].to_owned());
    }
    for group in Regex::new(r"\bcrate::\{").unwrap().find_iter(text) {
        let mut depth = 1;
        let mut item = String::new();
        for c in text[group.end()..].chars() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => {
                    found.insert(root_of(&item));
                    item.clear();
                    continue;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
            item.push(c);
        }
        found.insert(root_of(&item));
    }
    found.remove("");
    found
}

fn root_of(item: &str) -> String {
    item.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Clocks and sources of chance that a run receives as values, so that a simulation can supply them.
const SUPPLIED_TO_A_RUN: [&str; 4] = ["Timestamp::now", "std::time::Instant", "rand::rng()", "rand::random"];

#[test]
fn a_run_reads_no_clock_and_draws_no_chance() {
    let mut broken = Vec::new();
    // The real world, and a flow that is played alone and keeps nothing.
    let exempt = |file: &Path| file.ends_with("live_browser.rs") || file.ends_with("play.rs");
    for (file, text) in sources("run").iter().filter(|(file, _)| !exempt(file)) {
        let text = if file.ends_with("tests.rs") { "" } else { text.split("#[cfg(test)]").next().unwrap() };
        for name in SUPPLIED_TO_A_RUN.iter().filter(|name| text.contains(**name)) {
            broken.push(format!("{} names {name}", file.display()));
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_room_has_a_rule() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let folders = fs::read_dir(src).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    for folder in folders {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(ROOMS.iter().any(|(room, _)| *room == name), "src/{name} is in no rule");
        assert!(!sources(&name).is_empty());
    }
}

/// The Rust files of a room with their text, comments left out.
fn sources(room: &str) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(room)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
                files.push((path.clone(), code.collect::<Vec<_>>().join("\n")));
            }
        }
    }
    files
}
