//! `regatta watch` on a real terminal, kept by tmux: what is drawn, and what keys do.

use expect_test::{Expect, expect};

use crate::cli::report::folder;
use crate::support::program::Folder;
use crate::support::terminal::Terminal;

fn watch(folder: &Folder, width: u16, height: u16) -> Terminal {
    let program =
        format!("{} -C {} watch --color never", env!("CARGO_BIN_EXE_regatta"), folder.root().display());
    Terminal::start(&folder.beside("tmux"), &program, width, height)
}

#[track_caller]
fn check(folder: &Folder, screen: &str, expected: Expect) {
    let lines: Vec<_> = screen.lines().map(str::trim_end).collect();
    let place = folder.root().display().to_string();
    expected.assert_eq(lines.join("\n").replace(&place, "FOLDER").trim_end());
}

#[test]
fn a_small_terminal_has_the_list_and_then_the_detail() {
    let folder = folder();
    let terminal = watch(&folder, 80, 24);
    check(
        &folder,
        &terminal.shows(&["q quit"]),
        expect![[r#"
             onboarding  1 pending 1 failed 1 completed
             PROFILE  STATUS          STEPS  PROGRESS
            ▸p2       FAILED            1/5  store_signup: the button is disabled
             p3       PENDING           1/5
             p1       COMPLETED         5/5


















             r run  ↑↓ choose  / filter  s status  Enter detail  z reset  ? keys  q quit"#]],
    );
    terminal.press("Enter");
    let detail = terminal.shows(&["see "]);
    assert!(detail.contains("the button is disabled") && detail.contains("✓ mailbox_created"), "{detail}");
}

#[test]
fn a_large_terminal_has_both_and_an_act_is_asked_for_once_more() {
    let folder = folder();
    folder.write("logs/p1.log", "03:04:00 run started\n03:04:03 run finished\n");
    let terminal = watch(&folder, 160, 50);
    terminal.shows(&["q quit"]);
    terminal.press("End");
    check(
        &folder,
        &terminal.shows(&["03:04:03 run finished"]),
        expect![[r#"
             onboarding  1 pending 1 failed 1 completed
             PROFILE  STATUS          STEPS  PROGRESS                                                    ┌ p1 ─────────────────────────────────────────────────────────────┐
             p2       FAILED            1/5  store_signup: the button is disabled                        │✓ mailbox_created  1.5 s                                         │
             p3       PENDING           1/5                                                              │✓ store_signup                                                   │
            ▸p1       COMPLETED         5/5                                                              │✓ dev_registration                                               │
                                                                                                         │✓ 2fa_enabled                                                    │
                                                                                                         │✓ password_rotated                                               │
                                                                                                         │1 run, 9 requests, 2.0 KiB                                       │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │03:04:00 run started                                             │
                                                                                                         │03:04:03 run finished                                            │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         │                                                                 │
                                                                                                         └─────────────────────────────────────────────────────────────────┘
             ↑↓ choose  / filter  s status  Enter detail  z reset  ? keys  q quit"#]],
    );
    terminal.press("r");
    terminal.shows(&["p1 is completed; z runs its steps again"]);
    terminal.press("z");
    terminal.shows(&["Forget that steps of p1 were done? y/n"]);
    terminal.press("y");
    terminal.shows(&["p1: every step will run again"]);
    assert_eq!(folder.session("p1").unwrap()["status"], "PENDING");
    // It survives a smaller terminal.
    terminal.resize(70, 12);
    terminal.shows(&["p1"]);
    terminal.press("q");
    terminal.ends();
}

#[test]
fn a_person_answers_and_sees_every_key() {
    let folder = Folder::practice();
    crate::cli::session(&folder, "p1", "NEEDS_ATTENTION", &crate::cli::in_flight());
    let terminal = watch(&folder, 80, 24);
    terminal.shows(&["v answer", "? keys  q quit"]);
    terminal.press("?");
    terminal.shows(&["answer for a profile that needs a person", "ask its run to stop after its step"]);
    terminal.press("Escape");
    terminal.comes_to("the list", |screen| !screen.contains("show these keys"));
    terminal.press("x");
    terminal.shows(&["p1 is not being run"]);
    terminal.press("v");
    terminal.shows(&["p1: did store_signup happen?  d: it is done  a: run it again"]);
    // A step that is done has its values: this one captures a code that the session lacks.
    terminal.press("d");
    terminal.shows(&["captures `identity.store_code`"]);
    assert_eq!(folder.session("p1").unwrap()["status"], "NEEDS_ATTENTION");
    terminal.press("v");
    terminal.shows(&["did store_signup happen?"]);
    terminal.press("a");
    terminal.shows(&["p1: step `store_signup` will run again"]);
    let session = folder.session("p1").unwrap();
    assert_eq!((&session["status"], session.get("in_flight")), (&serde_json::json!("PENDING"), None));
    terminal.press("q");
    terminal.ends();
}

#[test]
fn without_a_terminal_it_says_what_to_use() {
    let ended = Folder::practice().run(&["watch"]);
    ended.assert_code(2);
    assert_eq!(
        ended.stderr,
        "error: `watch` draws on a terminal, and this is none\n  hint: regatta status --watch, or regatta dashboard\n"
    );
}
