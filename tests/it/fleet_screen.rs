//! `orchestrate` on a real terminal, kept by tmux: what a person sees of a fleet.
//!
//! The runs are stubs that were there before, so that each stands still in the state that is to be seen;
//! the program adopts them as it does any living run. Memory is asked for that no machine has: what is
//! not running waits.

use std::fs;
use std::process::Child;

use expect_test::{Expect, expect};
use regex::Regex;
use serde_json::{Value, json};

use crate::orchestrate::stub::Folder;
use crate::support::program::practice_into;
use crate::support::sandbox::SUBMISSIONS;
use crate::support::terminal::Terminal;

/// A fleet on a terminal, and the runs it found.
struct Stage {
    // Dropped first: without its runs the fleet ends, and its terminal after it.
    _runs: Runs,
    terminal: Terminal,
    folder: Folder,
}

struct Runs(Vec<Child>);

impl Drop for Runs {
    fn drop(&mut self) {
        for run in &mut self.0 {
            let _ = run.kill();
            let _ = run.wait();
        }
    }
}

impl Stage {
    /// `runs`: profiles with the events each emits before it waits for its signal; `waiting` have no run.
    fn new(runs: &[(&str, &[Value])], waiting: &str, width: u16, height: u16) -> Self {
        let folder = Folder::new();
        let place = folder.path("w");
        practice_into(&place);
        let mut list = String::new();
        let mut living = Runs(Vec::new());
        for (profile, reported) in runs {
            let reported: String = reported.iter().map(|kind| format!("emit {kind}; ")).collect();
            folder.plan(
                profile,
                &format!("lock; {reported}touch {profile}.up; wait {profile}.go; last {profile}.go; exit 0"),
            );
            living.0.push(folder.start(profile));
            list += &format!("{profile}\n");
        }
        for (profile, _) in runs {
            folder.wait_for(&format!("{profile}.up"));
        }
        fs::write(place.join("profiles.txt"), list + waiting).unwrap();
        let program = format!(
            "trap : INT; {} -C {} --color never orchestrate --max 9 --retries 1 --stagger 0s \
             --min-free-memory 900000GiB; echo \"exit code $?\"; exec sleep 600",
            env!("CARGO_BIN_EXE_regatta"),
            place.display()
        );
        let terminal = Terminal::start(&folder.path("tmux"), &program, width, height);
        Self { _runs: living, terminal, folder }
    }

    /// The run of a profile ends so, its session saying the same.
    fn end(&self, profile: &str, status: &str, outcome: &str, error: Option<&str>) {
        let done = if status == "COMPLETED" { SUBMISSIONS.len() } else { 1 };
        let flags: serde_json::Map<_, _> =
            SUBMISSIONS.iter().enumerate().map(|(at, flag)| ((*flag).to_owned(), json!(at < done))).collect();
        let mut session = json!({ "profile_id": profile, "status": status, "platform": "desktop",
            "completion_flags": flags, "identity": {} });
        if let Some(message) = error {
            session["last_error"] =
                json!({ "flag": SUBMISSIONS[1], "message": message, "at": "2026-01-02T03:04:05Z" });
        }
        fs::write(self.folder.path(&format!("w/state/{profile}.json")), session.to_string()).unwrap();
        let last = json!({ "type": "run_finished", "outcome": outcome, "exit_code": 0, "ms": 1 });
        // Whole at once: the run reads it as soon as it is there.
        let unfinished = self.folder.path(&format!("{profile}.unfinished"));
        fs::write(&unfinished, last.to_string()).unwrap();
        fs::rename(unfinished, self.folder.path(&format!("{profile}.go"))).unwrap();
    }

    #[track_caller]
    fn shows(&self, parts: &[&str], expected: &Expect) {
        let screen = self.terminal.shows(parts);
        expected.assert_eq(&self.masked(&screen));
    }

    /// Without what differs from run to run: moments, spans, rates, and the place of the folder.
    fn masked(&self, screen: &str) -> String {
        let mut text = screen.replace(&self.folder.path("w").display().to_string(), "FOLDER");
        for (pattern, mask) in [
            (r"(?m)^\d\d:\d\d:\d\d ", "TIME "),
            (r"(?m)^[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] (\S+) +\d+[sm] ", "* $1 FOR "),
            (r"retrying in [\d.]+ m?s", "retrying in SPAN"),
            (r"retries (in \d+ s|next)", "retries SOON"),
            (r"profiles, .*", "profiles, RATE"),
            (r"\d+ MiB of", "N MiB of"),
        ] {
            text = Regex::new(pattern).unwrap().replace_all(&text, mask).into_owned();
        }
        text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim_end().to_owned()
    }
}

fn started(done: usize) -> Value {
    json!({ "type": "run_started", "pid": 7, "plan": "x", "steps": 4, "done": done })
}

fn step(flag: &str, attempt: u32, mode: &str) -> Value {
    json!({ "type": "step_started", "flag": flag, "attempt": attempt, "mode": mode })
}

fn action(flag: &str, number: usize, of: usize, action: &str) -> Value {
    json!({ "type": "action_started", "flag": flag, "flow": "flows/x.json", "step": number.to_string(),
        "number": number, "of": of, "action": action })
}

fn stage(width: u16, height: u16) -> Stage {
    let network = json!({ "requests": 40, "failed": 0, "bytes_received": 1_468_006, "bytes_sent": 9 });
    let done = json!({ "type": "step_finished", "flag": SUBMISSIONS[0], "outcome": "done", "ms": 9, "network": network });
    let acts = [
        started(0),
        step(SUBMISSIONS[0], 1, "act"),
        action(SUBMISSIONS[0], 12, 12, "waitForElement"),
        done,
        step(SUBMISSIONS[1], 1, "act"),
        action(SUBMISSIONS[1], 7, 12, "click"),
    ];
    let asks =
        [started(1), step(SUBMISSIONS[1], 2, "verify"), action(SUBMISSIONS[1], 1, 2, "waitForElement")];
    let kernel = [
        started(0),
        json!({ "type": "kernel_downloading", "message": "Chrome 148 is being downloaded, 40 %", "ms": 15_000 }),
    ];
    let evidence =
        json!({ "type": "evidence", "flag": SUBMISSIONS[1], "path": "artifacts/needs-me/1-store_signup-1" });
    let needs =
        [started(1), step(SUBMISSIONS[1], 1, "act"), action(SUBMISSIONS[1], 3, 12, "change"), evidence];
    let fails = [started(1), step(SUBMISSIONS[1], 1, "act")];
    Stage::new(
        &[("k18imh7u", &acts), ("asks", &asks), ("kernel", &kernel), ("needs-me", &needs), ("fails", &fails)],
        "later\n",
        width,
        height,
    )
}

/// Until the run of `fails` waits for its next attempt, which there is no room for.
fn play(stage: &Stage) {
    stage.terminal.shows(&["launches wait: ", "click 7/12", "40 %", "waitForElement 1/2", "change 3/12"]);
    stage.end("needs-me", "NEEDS_ATTENTION", "needs_attention", Some("the shop asks for a phone number"));
    stage.terminal.shows(&["needs-me: needs attention: "]);
    stage.end(
        "fails",
        "FAILED",
        "step_failed",
        Some("no element matches any of its 3 selectors within 10 s"),
    );
}

const PLAYED: [&str; 7] = [
    "click 7/12",
    "waitForElement 1/2",
    "40 %",
    "fails: attempt 1 failed",
    "\n  launches wait",
    "fails retries ",
    "1/6",
];

#[test]
fn a_small_terminal_shows_what_runs_what_is_waited_for_and_what_went_wrong() {
    let stage = stage(80, 24);
    play(&stage);
    stage.shows(
        &PLAYED,
        &expect![[r#"
        TIME launches wait: N MiB of memory are free, 921600400 MiB are needed
        TIME needs-me: needs attention: the shop asks for a phone number; see artifa
        cts/needs-me/1-store_signup-1
        TIME fails: attempt 1 failed: no element matches any of its 3 selectors with
        in 10 s; retrying in SPAN
        * k18imh7u FOR step 2/4 store_signup, click 7/12, 1.4 MiB
        * asks FOR step 2/4 store_signup, asking the site, waitForElement 1/2, try
        * kernel FOR 0/4 steps done, waiting: Chrome 148 is being downloaded, 40 %
          launches wait: N MiB of memory are free, 921600400 MiB are needed
          fails retries SOON
          [=====>                        ] 1/6 profiles, RATE"#]],
    );

    // A terminal that becomes narrower, and wider than it was, shows every line that moves once, one below
    // the other, and what was printed as it was.
    let starts = [" k18imh7u ", " asks  ", " kernel ", "  launches wait: ", "  fails retries ", "  [=====> "];
    for width in [60, 110] {
        stage.terminal.resize(width, 24);
        let is_whole = |screen: &str| {
            let lines: Vec<&str> = screen.lines().collect();
            let moving = lines.iter().skip_while(|line| !line.contains(starts[0]));
            moving.zip(starts).filter(|(line, start)| line.contains(start)).count() == starts.len()
                && starts.iter().all(|start| screen.matches(start).count() == 1)
        };
        stage.terminal.comes_to(&format!("{width} columns, every line once"), is_whole);
    }
    stage.terminal.shows(&[
        "number; see artifacts/needs-me/1-store_signup-1\n",
        " 3 selectors within 10 s; retrying in ",
    ]);
}

#[test]
fn a_large_terminal_shows_them_too_and_the_table_at_the_end() {
    let stage = stage(160, 50);
    play(&stage);
    stage.shows(&PLAYED, &expect![[r#"
        TIME launches wait: N MiB of memory are free, 921600400 MiB are needed
        TIME needs-me: needs attention: the shop asks for a phone number; see artifacts/needs-me/1-store_signup-1
        TIME fails: attempt 1 failed: no element matches any of its 3 selectors within 10 s; retrying in SPAN
        * k18imh7u FOR step 2/4 store_signup, click 7/12, 1.4 MiB
        * asks FOR step 2/4 store_signup, asking the site, waitForElement 1/2, try 2
        * kernel FOR 0/4 steps done, waiting: Chrome 148 is being downloaded, 40 %
          launches wait: N MiB of memory are free, 921600400 MiB are needed
          fails retries SOON
          [=====>                        ] 1/6 profiles, RATE"#]]);

    for profile in ["k18imh7u", "asks", "kernel"] {
        stage.end(profile, "COMPLETED", "completed", None);
    }
    stage.terminal.shows(&["4/6 profiles"]);
    stage.terminal.press("C-c");
    let screen = stage.terminal.shows(&["exit code 7"]);
    let table = screen.split_once("PROFILE").map(|(_, table)| format!("PROFILE{table}")).unwrap();
    let spans = Regex::new(r"(\d+ (h|min) )?[\d.]+ (ms|s|min)\b").unwrap();
    let table = spans.replace_all(&table, "SPAN").into_owned();
    let spaces = Regex::new("  +").unwrap();
    let table = spaces.replace_all(&table, "  ").into_owned();
    expect![[r#"
        PROFILE  STATUS  STEPS  ATTEMPTS  TIME  LAST ERROR
        k18imh7u  COMPLETED  5/5  1  SPAN
        asks  COMPLETED  5/5  1  SPAN
        kernel  COMPLETED  5/5  1  SPAN
        needs-me  NEEDS_ATTENTION  1/5  1  SPAN  the shop asks for a phone number (artifacts/needs-me/1-store_signup-1)
        fails  STOPPED  1/5  1  SPAN  no element matches any of its 3 selectors within SPAN

        1 profile was never launched: later
        6 profiles: 3 completed, 1 needs attention, 2 stopped; 17 of 30 steps done, SPAN
        report: FOLDER/report/report.html
        exit code 7"#]].assert_eq(&stage.masked(&table));
}
