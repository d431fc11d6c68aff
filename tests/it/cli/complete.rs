//! What a shell completes, asked as its script asks.

use std::process::Command;

use serde_json::json;

use super::session;
use crate::support::program::Folder;

const SHELLS: [&str; 4] = ["bash", "zsh", "fish", "powershell"];

/// The last word of the line is the one at the cursor.
fn complete(shell: &str, folder: &Folder, line: &[&str]) -> Vec<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_regatta"));
    command.env("REGATTA_COMPLETE", shell).env("_CLAP_COMPLETE_INDEX", line.len().to_string());
    command.env("_CLAP_IFS", "\n").current_dir(folder.root()).args(["--", "regatta"]).args(line);
    let output = command.output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    // Some shells get a description behind the word, or a colon in it escaped.
    let word = |line: &str| line.split(['\t']).next().unwrap_or_default().replace("\\:", ":");
    text.lines().map(word).collect()
}

#[test]
fn every_shell_completes_names_of_the_folder() {
    let folder = Folder::practice();
    folder.write("fleet.csv", "id\np1\n");
    session(&folder, "k18imh7u", "FAILED", &json!({}));
    session(&folder, "k2", "FAILED", &json!({}));
    session(&folder, "k10", "FAILED", &json!({}));
    for shell in SHELLS {
        let starts = |line: &[&str], expected: &[&str]| {
            let found = complete(shell, &folder, line);
            for name in expected {
                assert!(
                    found.iter().any(|found| found.starts_with(name)),
                    "{shell} {line:?}: {name}: {found:?}"
                );
            }
            found
        };
        let profiles = starts(&["status", "k"], &["k2", "k10", "k18imh7u"]);
        assert_eq!(profiles.len(), 3, "{shell}: {profiles:?}");
        // Those of the list too, before they have run.
        for command in ["run", "logs", "reset", "resolve", "report", "clean"] {
            starts(&[command, "p"], &["p1", "p2"]);
        }
        starts(&["run", "k2", "--step", ""], &["mailbox_created", "store_signup"]);
        starts(&["run", "k2", "--until", "2fa"], &["2fa_enabled"]);
        starts(&["run", "k2", "--set", ""], &["site="]);
        starts(&["status", "--status", "f"], &["failed"]);
        starts(&["status", "--status", "failed,in"], &["failed,interrupted"]);
        starts(&["orchestrate", "--only-status", "need"], &["needs_attention"]);
        starts(&["orchestrate", ""], &["profiles.txt", "fleet.csv", "adspower:all"]);
        starts(&["orchestrate", "--source", "fl"], &["fleet.csv"]);
        starts(&["play", "flows/ma"], &["flows/mailbox.json"]);
        starts(&["selectors", "explain", "flows/st"], &["flows/store.json"]);
        starts(&["orch"], &["orchestrate"]);
        starts(&["orchestrate", "--stal"], &["--stall"]);
        // The folder may be another one than where the shell stands.
        let other = Folder::empty();
        let at = folder.root().to_str().unwrap();
        let found = complete(shell, &other, &["-C", at, "status", "k1"]);
        assert_eq!(found.len(), 2, "{shell}: {found:?}");
        assert!(complete(shell, &other, &["status", "k"]).is_empty(), "{shell}");
    }
}

#[test]
fn the_scripts_ask_the_program() {
    let folder = Folder::practice();
    for shell in SHELLS.iter().chain(&["elvish"]) {
        let script = folder.run(&["completions", shell]);
        script.assert_code(0);
        assert!(
            script.stdout.contains("REGATTA_COMPLETE") && script.stdout.contains("regatta"),
            "{}",
            script.stdout
        );
    }
    // Bash itself, which is everywhere: the script is read, and its function is called as for a Tab.
    session(&folder, "k18imh7u", "FAILED", &json!({}));
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_regatta"));
    let line = r#"
        source <(regatta completions bash)
        COMP_WORDS=(regatta status k18) COMP_CWORD=2 COMP_TYPE=9
        _clap_complete_regatta regatta k18 status 2>/dev/null
        echo "${COMPREPLY[@]}""#;
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash")
        .args(["-c", line])
        .env("PATH", path)
        .current_dir(folder.root())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "k18imh7u", "{output:?}");
}
