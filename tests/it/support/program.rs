//! The program under test as a process, in a folder of its own. Everything that works on that folder ends with
//! the test, also when the test fails.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sysinfo::{ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind};
use tempfile::TempDir;

/// The poll interval of another process's files, which give nothing to wait on.
const LOOK: Duration = Duration::from_millis(2);
/// Of every wait that is not the subject of its test. Machines under load are slow.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// An operator's folder.
pub struct Folder {
    temp: TempDir,
    /// Without symbolic links, as processes name it.
    root: PathBuf,
    outputs: AtomicU32,
}

/// A process on a folder: ended when dropped.
pub struct Program {
    process: Child,
    stdout: PathBuf,
    stderr: PathBuf,
    started: Instant,
    command: String,
}

#[derive(Debug)]
pub struct Ended {
    /// `None`: a signal.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

/// A living process whose arguments name the folder.
#[derive(Debug, Clone)]
pub struct Found {
    pub pid: u32,
    pub arguments: Vec<String>,
}

impl Folder {
    pub fn empty() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().canonicalize().unwrap().join("folder");
        fs::create_dir(&root).unwrap();
        Self { temp, root, outputs: AtomicU32::new(0) }
    }

    /// A copy of `examples/practice`.
    pub fn practice() -> Self {
        let folder = Self::empty();
        practice_into(&folder.root);
        folder
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Beside the folder, gone with it.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.temp.path().canonicalize().unwrap().join(name)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// `regatta -C FOLDER ARGUMENTS`
    pub fn start(&self, arguments: &[&str]) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_regatta"));
        command.arg("-C").arg(&self.root).args(arguments);
        self.start_command(command)
    }

    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).wait()
    }

    /// With its output in files, where no reader is needed for it to go on.
    pub fn start_command(&self, mut command: Command) -> Program {
        let number = self.outputs.fetch_add(1, Ordering::Relaxed);
        let stdout = self.beside(&format!("{number}.out"));
        let stderr = self.beside(&format!("{number}.err"));
        // Nothing of the tester's own terminal or settings.
        for name in ["NO_COLOR", "CLICOLOR_FORCE", "REGATTA_ADSPOWER_URL", "COLUMNS"] {
            command.env_remove(name);
        }
        let process = command
            .stdin(Stdio::null())
            .stdout(File::create(&stdout).unwrap())
            .stderr(File::create(&stderr).unwrap())
            .spawn()
            .unwrap();
        Program { process, stdout, stderr, started: Instant::now(), command: format!("{command:?}") }
    }

    /// `None` where there is none yet. It is replaced as a whole, so it never is half there.
    pub fn session(&self, profile: &str) -> Option<Value> {
        let text = fs::read_to_string(self.path(&format!("state/{profile}.json"))).ok()?;
        Some(serde_json::from_str(&text).expect("a session is never half written"))
    }

    /// The events of the profile's runs so far, without a last line that is not complete.
    pub fn events(&self, profile: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.path(&format!("logs/{profile}.events.jsonl"))).unwrap_or_default();
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        whole.filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    pub fn events_of(&self, profile: &str, kind: &str) -> Vec<Value> {
        self.events(profile).into_iter().filter(|event| event["type"] == kind).collect()
    }

    pub fn processes(&self) -> Vec<Found> {
        on(&self.root)
    }

    /// The browsers themselves; their own children carry `--type=…`.
    pub fn browsers(&self) -> Vec<Found> {
        self.processes().into_iter().filter(Found::is_browser).collect()
    }

    #[track_caller]
    pub fn assert_nothing_left(&self) {
        // A browser's last children notice its end a moment later.
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "left behind: {left:#?}");
            std::thread::sleep(LOOK);
        }
    }

    /// Output with this folder's place as `FOLDER`.
    pub fn normal(&self, text: &str) -> String {
        assert!(!text.contains('\u{1b}'), "an escape code, and no terminal: {text:?}");
        text.replace(self.root.to_str().unwrap(), "FOLDER")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A run that is just starting a browser is ended first or last: until no process is left.
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let left = on(&self.root);
            if left.is_empty() || Instant::now() > deadline {
                return;
            }
            left.iter().for_each(Found::kill);
            std::thread::sleep(LOOK);
        }
    }
}

impl Found {
    /// Not the script that started it: Debian's headless shell is started by one, which waits for it.
    pub fn is_browser(&self) -> bool {
        let is_script = self.arguments.first().is_some_and(|program| program.ends_with("/sh"));
        self.has("--user-data-dir=") && !self.has("--type=") && !is_script
    }

    /// `regatta … run …`
    pub fn is_run(&self) -> bool {
        self.arguments.first().is_some_and(|program| program.ends_with("regatta"))
            && self.arguments.iter().any(|argument| argument == "run")
    }

    fn has(&self, prefix: &str) -> bool {
        self.arguments.iter().any(|argument| argument.starts_with(prefix))
    }

    pub fn kill(&self) {
        if let Some(pid) = Pid::from_raw(self.pid as i32) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

impl Program {
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The files of its standard output and standard error.
    pub fn outputs(&self) -> [PathBuf; 2] {
        [self.stdout.clone(), self.stderr.clone()]
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    /// How it ended, if it has. `Some(None)`: by a signal.
    pub fn ended(&mut self) -> Option<Option<i32>> {
        self.process.try_wait().unwrap().map(|status| status.code())
    }

    /// SIGKILL, and until it is gone.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    #[track_caller]
    pub fn wait(self) -> Ended {
        self.wait_for(PATIENCE)
    }

    #[track_caller]
    pub fn wait_for(mut self, bound: Duration) -> Ended {
        let status = loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                break status;
            }
            if self.started.elapsed() > bound {
                panic!("{} is still there after {bound:?}:\n{}", self.command, self.output());
            }
            std::thread::sleep(LOOK);
        };
        Ended {
            code: status.code(),
            stdout: fs::read_to_string(&self.stdout).unwrap(),
            stderr: fs::read_to_string(&self.stderr).unwrap(),
            took: self.started.elapsed(),
        }
    }

    /// Waits for something outside, as long as this process lives.
    #[track_caller]
    pub fn until<T>(&mut self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Asked before looking: what it did before its end is then seen.
            let ended = self.process.try_wait().unwrap();
            if let Some(found) = look() {
                return found;
            }
            if ended.is_some() || Instant::now() > deadline {
                panic!("{}: {what} never came ({ended:?}):\n{}", self.command, self.output());
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Waits for words of its output.
    #[track_caller]
    pub fn until_said(&mut self, words: &str) {
        let paths = [self.stdout.clone(), self.stderr.clone()];
        self.until(words, || {
            let said = |path: &PathBuf| fs::read_to_string(path).is_ok_and(|text| text.contains(words));
            paths.iter().any(said).then_some(())
        });
    }

    fn output(&self) -> String {
        [&self.stdout, &self.stderr].map(|path| fs::read_to_string(path).unwrap_or_default()).join("\n")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Ended {
    /// The lines of `orchestrate --json`.
    #[track_caller]
    pub fn lines(&self) -> Vec<Value> {
        let line = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.stdout.lines().map(line).collect()
    }

    /// The closing report of `orchestrate --json`: its last line.
    #[track_caller]
    pub fn report(&self) -> Value {
        let last = self.lines().pop().unwrap_or_else(|| panic!("no report: {self:#?}"));
        assert_eq!(last["type"], "fleet_finished", "{self:#?}");
        last
    }

    #[track_caller]
    pub fn assert_code(&self, code: i32) {
        assert_eq!(self.code, Some(code), "{self:#?}");
    }
}

fn on(root: &Path) -> Vec<Found> {
    let root = root.to_str().unwrap();
    let Ok(mut system) = System::new() else { return Vec::new() };
    let arguments = ProcessRefreshKind::nothing().with_cmd(UpdateKind::Always).without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, arguments);
    let living = system.processes().values().filter(|process| process.status() != ProcessStatus::Zombie);
    // A child that is about to become another program still has its parent's arguments.
    let forked = |process: &&sysinfo::Process| {
        let parent = process.parent().and_then(|pid| system.process(pid));
        parent.is_some_and(|parent| parent.cmd() == process.cmd())
    };
    let found = living.filter(|process| !forked(process)).map(|process| Found {
        pid: process.pid().as_u32(),
        arguments: process.cmd().iter().map(|argument| argument.to_string_lossy().into_owned()).collect(),
    });
    found.filter(|found| found.arguments.iter().any(|argument| argument.contains(root))).collect()
}

/// The files of `examples/practice`.
pub fn practice_into(folder: &Path) {
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/practice"), folder);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
