//! Finds the processes of a user-data folder by the folder in their arguments: a process id alone may have
//! been reused.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::Duration;

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};
use tokio::time::{Instant, sleep};

use super::POLL_INTERVAL;
use crate::providers::ProviderError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrowserProcess {
    pub pid: u32,
    /// The browser itself, not one of its helpers; or the script that starts it.
    pub is_main: bool,
    /// A shell that runs a script: Debian's headless shell is started by one, which waits for it.
    pub is_script: bool,
}

impl BrowserProcess {
    fn new(pid: Pid, arguments: &[OsString]) -> Self {
        let program = arguments.first().map(Path::new).and_then(Path::file_name).and_then(OsStr::to_str);
        let is_script = matches!(program, Some("sh" | "bash" | "dash"));
        Self { pid: pid.as_u32(), is_main: !has_type(arguments), is_script }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndSignal {
    /// Chromium writes its files and ends.
    End,
    Kill,
}

pub fn folder_argument(folder: &Path) -> OsString {
    let mut argument = OsString::from("--user-data-dir=");
    argument.push(folder);
    argument
}

/// All processes of the folder.
pub async fn of(folder: &Path) -> Result<Vec<BrowserProcess>, ProviderError> {
    let folder = folder.to_owned();
    // Reads something of every process of the machine.
    tokio::task::spawn_blocking(move || scan(ProcessesToUpdate::All, &folder))
        .await
        .map_err(|error| ProviderError::ProcessesUnreadable { problem: error.to_string() })?
}

/// The processes of every folder below `folders`, by its name.
pub async fn all_below(folders: &Path) -> Result<HashMap<String, Vec<BrowserProcess>>, ProviderError> {
    let Ok(folders) = std::fs::canonicalize(folders) else { return Ok(HashMap::new()) };
    tokio::task::spawn_blocking(move || {
        let mut start = folder_argument(&folders);
        start.push(std::path::MAIN_SEPARATOR_STR);
        let mut found: HashMap<String, Vec<BrowserProcess>> = HashMap::new();
        for (pid, process) in read(ProcessesToUpdate::All)?.processes() {
            if let Some(name) = process.cmd().iter().find_map(|argument| name_after(argument, &start)) {
                found.entry(name).or_default().push(BrowserProcess::new(*pid, process.cmd()));
            }
        }
        Ok(found)
    })
    .await
    .map_err(|error| ProviderError::ProcessesUnreadable { problem: error.to_string() })?
}

/// Returns what follows `start` in the argument, up to a blank.
fn name_after(argument: &OsStr, start: &OsStr) -> Option<String> {
    let (_, rest) = argument.to_str()?.split_once(start.to_str()?)?;
    rest.split(' ').next().map(str::to_owned)
}

/// The browser of the folder. A script that started it, and waits for it, counts only until the browser
/// is there.
pub async fn main_of(folder: &Path) -> Result<Option<u32>, ProviderError> {
    Ok(main_among(&of(folder).await?).map(|process| process.pid))
}

pub fn main_among(processes: &[BrowserProcess]) -> Option<&BrowserProcess> {
    processes.iter().filter(|process| process.is_main).min_by_key(|process| process.is_script)
}

/// Waits until the process is no longer one of the folder; whether it is so in time.
pub async fn wait_gone(pid: u32, folder: &Path, within: Duration) -> Result<bool, ProviderError> {
    let deadline = Instant::now() + within;
    while is_of(pid, folder)? {
        if Instant::now() >= deadline {
            return Ok(false);
        }
        sleep(POLL_INTERVAL).await;
    }
    Ok(true)
}

/// Signals the process, and the group it leads, if it still is one of the folder.
pub fn signal(pid: u32, folder: &Path, how: EndSignal) -> Result<(), ProviderError> {
    if is_of(pid, folder)? {
        send(pid, how);
    }
    Ok(())
}

fn is_of(pid: u32, folder: &Path) -> Result<bool, ProviderError> {
    Ok(!scan(ProcessesToUpdate::Some(&[Pid::from_u32(pid)]), folder)?.is_empty())
}

/// Reads the processes of the folder. A failure is an error: it must not be taken for an empty folder.
fn scan(which: ProcessesToUpdate<'_>, folder: &Path) -> Result<Vec<BrowserProcess>, ProviderError> {
    let system = read(which)?;
    let argument = folder_argument(folder);
    Ok(system
        .processes()
        .iter()
        .filter(|(_, process)| holds(process.cmd(), &argument))
        .map(|(pid, process)| BrowserProcess::new(*pid, process.cmd()))
        .collect())
}

fn read(which: ProcessesToUpdate<'_>) -> Result<System, ProviderError> {
    let mut system =
        System::new().map_err(|error| ProviderError::ProcessesUnreadable { problem: error.to_string() })?;
    let only_arguments = ProcessRefreshKind::nothing().without_tasks().with_cmd(UpdateKind::Always);
    system.refresh_processes_specifics(which, true, only_arguments);
    Ok(system)
}

/// Helpers forked by the zygote have all their arguments in one string.
pub fn holds(arguments: &[OsString], wanted: &OsStr) -> bool {
    let (whole, wanted) = (|argument: &OsString| argument == wanted, wanted.as_encoded_bytes());
    arguments.iter().any(|argument| {
        whole(argument) || {
            let bytes = argument.as_encoded_bytes();
            bytes.windows(wanted.len()).enumerate().any(|(at, found)| {
                let before = at > 0 && bytes[at - 1] == b' ';
                let after = bytes.get(at + wanted.len()).is_none_or(|byte| *byte == b' ');
                found == wanted && before && after
            })
        }
    })
}

fn has_type(arguments: &[OsString]) -> bool {
    let starts = |argument: &OsString| argument.as_encoded_bytes().starts_with(b"--type=");
    let inside =
        |argument: &OsString| argument.as_encoded_bytes().windows(8).any(|found| found == b" --type=");
    arguments.iter().any(|argument| starts(argument) || inside(argument))
}

#[cfg(unix)]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(not(unix))]
pub fn is_root() -> bool {
    false
}

#[cfg(unix)]
fn send(pid: u32, how: EndSignal) {
    use rustix::process::{Pid, Signal as Unix, getpgid, kill_process, kill_process_group};
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return };
    let signal = match how {
        EndSignal::End => Unix::TERM,
        EndSignal::Kill => Unix::KILL,
    };
    // An error means that it is gone, or is not ours to end: the caller looks again.
    let _ = match getpgid(Some(pid)) {
        Ok(group) if group == pid => kill_process_group(pid, signal),
        _ => kill_process(pid, signal),
    };
}

#[cfg(not(unix))]
fn send(pid: u32, _how: EndSignal) {
    let pid = Pid::from_u32(pid);
    let Ok(mut system) = System::new() else { return };
    system.refresh_processes(ProcessesToUpdate::Some(&[pid]), true);
    if let Some(process) = system.process(pid) {
        process.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(arguments: &[&str], found: bool, is_main: bool) {
        let arguments: Vec<_> = arguments.iter().map(OsString::from).collect();
        assert_eq!(holds(&arguments, &folder_argument(Path::new("/w/browsers/p1"))), found, "{arguments:?}");
        assert_eq!(!has_type(&arguments), is_main, "{arguments:?}");
    }

    #[test]
    fn a_process_is_known_by_its_folder() {
        check(&["chromium", "--user-data-dir=/w/browsers/p1", "about:blank"], true, true);
        check(&["/bin/sh", "/usr/bin/chromium", "--user-data-dir=/w/browsers/p1"], true, true);
        check(&["chromium --type=renderer --user-data-dir=/w/browsers/p1 --x"], true, false);
        check(&["chromium", "--type=zygote", "--user-data-dir=/w/browsers/p1"], true, false);
        check(&["chromium", "--user-data-dir=/w/browsers/p10"], false, true);
        check(&["chromium --type=gpu --user-data-dir=/w/browsers/p10"], false, false);
        check(&["ls", "/w/browsers/p1"], false, true);
        check(&[], false, true);
    }

    #[test]
    fn the_script_that_starts_a_browser_is_not_the_browser() {
        let of = |pid: usize, program: &str| {
            BrowserProcess::new(Pid::from(pid), &[program, "-e", "--user-data-dir=/w"].map(OsString::from))
        };
        let (script, browser) = (of(1, "/bin/sh"), of(2, "/usr/lib/chromium/chromium-headless-shell"));
        assert_eq!(main_among(&[script, browser]), Some(&browser));
        assert_eq!(main_among(&[script]), Some(&script), "it is about to start one");
    }
}
