//! Left-overs of a killed run, with a real browser: `clean` and the next run find them, and no process of
//! another owner.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::support::program::{Folder, Program};
use crate::support::sandbox::Sandbox;

/// A site that never answers, and a browser that leaves a process in a session of its own.
struct LeftoverFixture {
    folder: Folder,
    site: Sandbox,
    chrome: PathBuf,
}

impl LeftoverFixture {
    fn new() -> Self {
        let folder = Folder::practice();
        let site = Sandbox::start(&folder.beside("site"));
        site.switch(&json!({ "hang": ["/"] }));
        let chrome = folder.path("chrome");
        let real = std::env::var("CHROME").unwrap_or_else(|_| "chromium-headless-shell".to_owned());
        let pid = folder.path("stray.pid");
        let (real, pid) = (real, pid.display());
        let script = format!(
            "#!/bin/sh\n(setsid sleep 300 >/dev/null 2>&1 </dev/null & echo $! >'{pid}')\nexec '{real}' \"$@\"\n"
        );
        fs::write(&chrome, script).unwrap();
        fs::set_permissions(&chrome, fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder, site, chrome }
    }

    fn start(&self, profile: &str) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_regatta"));
        command.arg("-C").arg(self.folder.root()).args(["run", profile]);
        command.args(["--set", &format!("site={}", self.site.site())]).env("CHROME", &self.chrome);
        self.folder.start_command(command)
    }

    /// A run that was killed once it had its browser.
    fn killed_run(&self, profile: &str) {
        let mut run = self.start(profile);
        self.until_browser(profile, &mut run);
        run.kill();
    }

    fn until_browser(&self, profile: &str, run: &mut Program) -> Value {
        let pid = run.pid();
        run.until("a browser", || {
            let events = self.folder.events(profile);
            let from = events.iter().rposition(|event| event["pid"] == pid)?;
            events.into_iter().skip(from).find(|event| event["type"] == "browser_started")
        })
    }

    fn stray(&self) -> u32 {
        self.folder.read("stray.pid").trim().parse().unwrap()
    }

    fn browsers_of(&self, profile: &str) -> usize {
        let end = format!("/browsers/{profile}");
        let of = |argument: &String| argument.starts_with("--user-data-dir=") && argument.ends_with(&end);
        self.folder.browsers().iter().filter(|browser| browser.arguments.iter().any(of)).count()
    }

    fn clean(&self, arguments: &[&str]) -> Vec<(String, String, String)> {
        let ended = self.folder.run(&[&["clean", "--json"], arguments].concat());
        ended.assert_code(0);
        let rows: Value = serde_json::from_str(&ended.stdout).unwrap();
        let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
        let rows = rows.as_array().unwrap();
        rows.iter().map(|row| (text(row, "profile_id"), text(row, "kind"), text(row, "state"))).collect()
    }
}

struct Stranger(Child);

impl Stranger {
    fn new() -> Self {
        Self(Command::new("sleep").arg("300").stdin(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn lives(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}

#[test]
fn clean_ends_what_a_killed_run_left_and_nothing_else() {
    let place = LeftoverFixture::new();
    place.killed_run("p1");
    let stray = place.stray();
    let mut living = place.start("p2");
    place.until_browser("p2", &mut living);
    let of_living = place.stray();
    let mut stranger = Stranger::new();

    let row = |kind: &str, state: &str| ("p1".to_owned(), kind.to_owned(), state.to_owned());
    assert_eq!(place.clean(&["--dry-run"]), [row("browser", "found"), row("process", "found")]);
    assert!(lives(stray) && place.browsers_of("p1") == 1, "a dry run touches nothing");

    assert_eq!(place.clean(&[]), [row("browser", "ended"), row("process", "ended")]);
    assert!(!lives(stray) && place.browsers_of("p1") == 0);
    assert!(lives(of_living) && place.browsers_of("p2") == 1, "p2 is being run");
    assert!(stranger.0.try_wait().unwrap().is_none());
    assert_eq!(place.folder.run(&["clean"]).stdout, "nothing is left over\n");
    living.kill();
    place.clean(&[]);
    assert!(!lives(of_living));
    place.folder.assert_nothing_left();
}

#[test]
fn the_next_run_takes_the_browser_over_and_ends_the_rest() {
    let place = LeftoverFixture::new();
    place.killed_run("p1");
    let stray = place.stray();
    assert!(lives(stray));
    let mut next = place.start("p1");
    assert_eq!(place.until_browser("p1", &mut next)["reused"], true);
    assert!(!lives(stray));
    next.kill();
    place.clean(&[]);
    place.folder.assert_nothing_left();
}

/// The headless shell writes no lock by which its folder could be known as taken.
#[test]
fn the_browser_of_a_killed_emulator_ends_when_the_emulator_starts_again() {
    let folder = Folder::practice();
    let emulator = Sandbox::with_adspower(&folder.path("adspower"), &[]);
    emulator.start_browser("p1");
    assert_eq!(folder.browsers().len(), 1);
    // Dropped is killed.
    drop(emulator);
    assert_eq!(folder.browsers().len(), 1);
    let _again = Sandbox::with_adspower(&folder.path("adspower"), &[]);
    let left: Vec<_> = folder.browsers();
    assert!(left.is_empty(), "{left:#?}");
}
