//! Processes that follow a plan: this test binary again, started with a folder among its arguments.
//!
//! A plan is one line an attempt (the last one repeats) of sentences: `lock`, `started`,
//! `finished OUTCOME`, `emit KIND` (an event, as JSON), `last FILE` (the event in it),
//! `session STATUS FLAG`, `say WORDS`, `touch FILE`, `wait FILE`, `term` (wait to be asked to stop), `grandchild`, `moved` (one that goes to another session),
//! `elsewhere` (open on another device), `freeze` (SIGSTOP), `chat` (emit events until it is asked to stop), `seen NAME` (whether the process of that name lives), `crash`, `exit CODE`.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio, exit};
use std::sync::Arc;
use std::time::{Duration, Instant};

use regatta::store::{Layout, Lock, LockHolder};
use regatta_core::event::{EVENT_VERSION, Event, EventKind};
use regatta_core::id::{ProfileId, RunId};
use regatta_core::outcome::RunOutcome;
use rustix::process::{Pid, Signal, kill_process};

/// A longer wait would be for something that will not come.
const BOUND: Duration = Duration::from_secs(120);

/// An operator's folder, with plans and a journal beside it.
#[derive(Clone)]
pub struct Folder {
    root: PathBuf,
    /// Removed with the last clone.
    _guard: Option<Arc<tempfile::TempDir>>,
}

impl Folder {
    pub fn new() -> Self {
        let guard = tempfile::tempdir().unwrap();
        let folder = Self { root: guard.path().to_owned(), _guard: Some(Arc::new(guard)) };
        folder.layout().create_folders().unwrap();
        folder
    }

    pub fn layout(&self) -> Layout {
        Layout::new(self.root.join("w"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub fn plan(&self, profile: &str, plan: &str) {
        fs::write(self.path(&format!("{profile}.plan")), plan).unwrap();
    }

    /// Program and arguments of a run, the profile to follow.
    pub fn stub(&self) -> (PathBuf, Vec<OsString>) {
        (std::env::current_exe().unwrap(), self.arguments("orchestrate::stub_run"))
    }

    fn arguments(&self, test: &str) -> Vec<OsString> {
        let folder = format!("folder={}", self.root.display());
        ["--exact", test, "--nocapture", "--test-threads=1", &folder].map(OsString::from).to_vec()
    }

    /// A run that is a child of the test alone, in its own group.
    pub fn start(&self, profile: &str) -> Child {
        use std::os::unix::process::CommandExt as _;
        let (program, arguments) = self.stub();
        Command::new(program)
            .args(arguments)
            .arg(profile)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }

    pub fn start_fleet(&self, settings: &str, profiles: &str) -> FleetProcess {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(self.arguments("orchestrate::stub_fleet"))
            .args([settings, profiles])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        FleetProcess { child, output, reported: Vec::new() }
    }

    pub fn touch(&self, name: &str) {
        fs::write(self.path(name), "").unwrap();
    }

    #[track_caller]
    pub fn wait_for(&self, name: &str) {
        let path = self.path(name);
        assert!(appears(&path), "{name} never came; {:?}", self.journal_lines());
    }

    /// Until no run holds the profile.
    pub fn wait_for_unlock(&self, profile: &str) {
        let lock = self.layout().session_lock(&profile.parse().unwrap());
        let since = Instant::now();
        while regatta::store::lock::is_held(&lock).unwrap() {
            assert!(since.elapsed() < BOUND, "{profile} is held for ever");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn session(&self, profile: &str, status: &str, done: bool) {
        let document = format!(
            r#"{{"profile_id":"{profile}","status":"{status}","platform":"desktop","completion_flags":{{"one":{done}}},"identity":{{}}}}"#
        );
        fs::write(self.layout().session(&profile.parse().unwrap()), document).unwrap();
    }

    pub fn journal(&self, line: &str) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.path("journal")).unwrap();
        file.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    pub fn journal_lines(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("journal")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Sorted: which of several comes first is chance.
    pub fn started(&self) -> Vec<String> {
        self.journal_that("+")
    }

    pub fn stops(&self) -> Vec<String> {
        self.journal_that("stop")
    }

    fn journal_that(&self, start: &str) -> Vec<String> {
        let mut lines = self.journal_lines();
        lines.retain(|line| line.starts_with(start));
        lines.sort();
        lines
    }

    pub fn pid(&self, name: &str) -> Option<u32> {
        fs::read_to_string(self.path(name)).ok()?.parse().ok()
    }
}

/// Whether it runs; a zombie does not.
pub fn lives(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}

/// Read from its table entry: `getsid` has no number for a session whose leader is outside the process
/// namespace, as in a container.
fn session_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // After the name: state, parent, group, session.
    stat.rsplit(')').next()?.split_whitespace().nth(3)?.parse().ok()
}

/// An orchestrator in a process of its own, and what it has printed.
pub struct FleetProcess {
    child: Child,
    output: BufReader<ChildStdout>,
    reported: Vec<String>,
}

impl FleetProcess {
    #[track_caller]
    pub fn wait_for(&mut self, line: &str) {
        while !self.reported.iter().any(|reported| reported.ends_with(line)) {
            assert!(self.read_line(), "never said `{line}`: {:?}", self.reported);
        }
    }

    fn read_line(&mut self) -> bool {
        let mut line = String::new();
        let read = self.output.read_line(&mut line).unwrap() > 0;
        self.reported.push(line.trim_end().to_owned());
        read
    }

    pub fn signal(&self, name: &str) {
        let signal = match name {
            "INT" => Signal::INT,
            "TERM" => Signal::TERM,
            "HUP" => Signal::HUP,
            "KILL" => Signal::KILL,
            other => panic!("unknown signal {other}"),
        };
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Its exit code, once it has ended.
    pub fn end(&mut self) -> Option<i32> {
        while self.read_line() {}
        self.child.wait().unwrap().code()
    }

    pub fn lines(&self, start: &str) -> Vec<String> {
        let mut lines: Vec<_> =
            self.reported.iter().filter(|line| line.starts_with(start)).cloned().collect();
        lines.sort();
        lines
    }
}

/// The folder, and the arguments after it, where this process was started as a stub.
fn arguments() -> Option<(Folder, Vec<String>)> {
    let mut arguments = std::env::args();
    let root = arguments.find_map(|argument| argument.strip_prefix("folder=").map(PathBuf::from))?;
    Some((Folder { root, _guard: None }, arguments.collect()))
}

pub fn fleet_arguments() -> Option<(Folder, String, String)> {
    let (folder, rest) = arguments()?;
    let [settings, profiles] = rest.try_into().ok()?;
    Some((folder, settings, profiles))
}

pub fn play_run() {
    let Some((folder, rest)) = arguments() else { return };
    let profile: ProfileId = rest[0].parse().unwrap();
    let attempt = folder.journal_lines().iter().filter(|line| **line == format!("+{profile}")).count();
    folder.journal(&format!("+{profile}"));
    let plan = fs::read_to_string(folder.path(&format!("{profile}.plan"))).unwrap();
    let line = plan.lines().nth(attempt).or(plan.lines().last()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut asked = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();
        let mut run = Run { folder, profile, seq: 0, lock: None };
        for sentence in line.split(';').map(str::trim) {
            match sentence {
                "term" => match tokio::time::timeout(BOUND, asked.recv()).await {
                    Ok(_) => {}
                    Err(_) => exit(96),
                },
                "chat" => loop {
                    run.event(EventKind::BrowserStopped { ms: 0 });
                    let pause = Duration::from_millis(20);
                    if tokio::time::timeout(pause, asked.recv()).await.is_ok() {
                        break;
                    }
                },
                _ => run.act(sentence),
            }
        }
    });
    exit(98);
}

struct Run {
    folder: Folder,
    profile: ProfileId,
    seq: u64,
    lock: Option<Lock>,
}

impl Run {
    #[expect(clippy::zombie_processes, reason = "a grandchild is there to be left behind")]
    fn act(&mut self, sentence: &str) {
        let profile = self.profile.clone();
        let (verb, rest) = sentence.split_once(' ').unwrap_or((sentence, ""));
        match verb {
            "lock" => {
                let holder = LockHolder::new(self.run_id(), jiff::Timestamp::now());
                let path = self.folder.layout().session_lock(&profile);
                self.lock = Some(Lock::try_acquire(&path, &holder).unwrap());
            }
            "started" => self.event(EventKind::RunStarted {
                pid: std::process::id(),
                plan: "x".to_owned(),
                steps: 1,
                done: 0,
                browser: None,
            }),
            "finished" => {
                let outcome: RunOutcome = serde_json::from_value(rest.into()).unwrap();
                let exit_code = outcome.exit_code();
                self.event(EventKind::RunFinished {
                    outcome,
                    exit_code,
                    message: None,
                    permanent: false,
                    cause: None,
                    retry_after_ms: None,
                    ms: 1,
                });
            }
            "last" => {
                let kind = fs::read_to_string(self.folder.path(rest)).unwrap();
                self.event(serde_json::from_str(&kind).unwrap());
            }
            "emit" => self.event(serde_json::from_str(rest).unwrap()),
            "session" => {
                let (status, done) = rest.split_once(' ').unwrap();
                self.folder.session(profile.as_str(), status, done == "true");
            }
            "say" => println!("{rest}"),
            "touch" => self.folder.touch(rest),
            "wait" => {
                if !appears(&self.folder.path(rest)) {
                    exit(97);
                }
            }
            "grandchild" => {
                let grandchild = Command::new("sleep").arg("300").stdin(Stdio::null()).spawn().unwrap();
                let name = format!("{profile}.grandchild");
                fs::write(self.folder.path(&name), grandchild.id().to_string()).unwrap();
            }
            "moved" => {
                // Neither its group nor its session any more.
                let moved =
                    Command::new("setsid").args(["sleep", "300"]).stdin(Stdio::null()).spawn().unwrap();
                let name = format!("{profile}.moved");
                fs::write(self.folder.path(&name), moved.id().to_string()).unwrap();
                while session_of(moved.id()) != Some(moved.id()) {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            "seen" => {
                let pid = self.folder.pid(rest).expect("it was there once");
                let state = if lives(pid) { "lives" } else { "is gone" };
                self.folder.journal(&format!("{rest} {state}"));
            }
            "elsewhere" => self.event(EventKind::UsedElsewhere),
            "freeze" => kill_process(rustix::process::getpid(), Signal::STOP).unwrap(),
            "crash" => {
                kill_process(rustix::process::getpid(), Signal::KILL).unwrap();
            }
            "exit" => {
                self.folder.journal(&format!("-{profile}"));
                self.lock.take();
                exit(rest.parse().unwrap());
            }
            _ => panic!("unknown sentence {sentence}"),
        }
    }

    fn event(&mut self, kind: EventKind) {
        self.seq += 1;
        let event = Event {
            v: EVENT_VERSION,
            seq: self.seq,
            at: jiff::Timestamp::now(),
            run_id: self.run_id(),
            profile_id: self.profile.clone(),
            kind,
        };
        let line = serde_json::to_string(&event).unwrap() + "\n";
        let path = self.folder.layout().events(&self.profile);
        let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(line.as_bytes()).unwrap();
    }

    fn run_id(&self) -> RunId {
        RunId::new("2026-01-02T03:04:05Z".parse().unwrap(), std::process::id())
    }
}

fn appears(path: &Path) -> bool {
    let since = Instant::now();
    while !path.exists() {
        if since.elapsed() > BOUND {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}
