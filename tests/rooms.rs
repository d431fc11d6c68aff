//! Holds the lines of the house: imports run downwards only, and the domain is pure.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails right there")]

use std::fs;
use std::path::{Path, PathBuf};

/// Each room with the rooms it may know, itself left out.
const ROOMS: [(&str, &[&str]); 7] = [
    ("domain", &[]),
    ("store", &["domain"]),
    ("browser", &["store", "domain"]),
    ("run", &["browser", "store", "domain"]),
    ("orchestrate", &["browser", "store", "domain"]),
    ("report", &["domain"]),
    ("cli", &["report", "orchestrate", "run", "browser", "store", "domain"]),
];

/// What a pure room does not touch.
const IMPURE: [&str; 10] = [
    "crate::http",
    "tokio",
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "std::thread",
    "Instant::now",
    "SystemTime",
    "Timestamp::now",
];

#[test]
fn imports_run_downwards_only() {
    let mut broken = Vec::new();
    for (room, allowed) in ROOMS {
        for (file, text) in sources(room) {
            for (other, _) in ROOMS.iter().filter(|(other, _)| *other != room && !allowed.contains(other)) {
                if text.contains(&format!("crate::{other}")) {
                    broken.push(format!("{} names crate::{other}", file.display()));
                }
            }
            if room != "browser" && text.contains("chromiumoxide") {
                broken.push(format!("{} names chromiumoxide", file.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_domain_is_pure() {
    let mut broken = Vec::new();
    for (file, text) in sources("domain") {
        for name in IMPURE.iter().filter(|name| text.contains(**name)) {
            broken.push(format!("{} names {name}", file.display()));
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// What a run takes as a value, so that a simulation can give it.
const GIVEN_TO_A_RUN: [&str; 4] = ["Timestamp::now", "std::time::Instant", "rand::rng()", "rand::random"];

#[test]
fn a_run_asks_nobody_for_time_or_chance() {
    let mut broken = Vec::new();
    // The world as it is; and a flow played alone, of which nothing is kept.
    let exempt = |file: &Path| file.ends_with("live.rs") || file.ends_with("solo.rs");
    for (file, text) in sources("run").iter().filter(|(file, _)| !exempt(file)) {
        let text = if file.ends_with("tests.rs") { "" } else { text.split("#[cfg(test)]").next().unwrap() };
        for name in GIVEN_TO_A_RUN.iter().filter(|name| text.contains(**name)) {
            broken.push(format!("{} names {name}", file.display()));
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_room_is_looked_at() {
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
