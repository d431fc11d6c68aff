//! `regatta doctor`: everything a run needs, each finding with its remedy.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use clap::Args;

use super::command_error::CommandError;
use super::global_args::{OUTPUT, ProviderName};
use super::quantity::MaxRuns;
use super::runtime::block_on;
use super::settings::Settings;
use super::{hint, load};
use crate::defaults;
use crate::providers::Provider;
use crate::store::disk::measure;
use crate::store::session::SessionReader;
use crate::store::{durable, filesystem, lock};
use regatta_core::error_chain::with_cause;
use regatta_core::fleet::RUN_MEMORY;
use regatta_core::session::Platform;

use self::check::{CheckLevel, CheckResult};

mod check;
mod sessions;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta doctor
  regatta doctor --json

Exit codes:
  0 nothing stands in the way of a run
  1 something does")]
pub struct DoctorArgs {
    /// Print one JSON document
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
}

/// Codes are of 30 s, and sites accept the one before and after.
const CLOCK_DRIFT: Duration = Duration::from_secs(20);

pub fn doctor(settings: &Settings, args: DoctorArgs) -> Result<u8, CommandError> {
    let mut findings = vec![workflow(settings), browser(settings)];
    findings.extend(window(settings).filter(|_| settings.provider == ProviderName::Chromium));
    if settings.provider == ProviderName::Adspower {
        findings.push(adspower(settings));
    }
    findings.extend([folders(settings), locks(settings)]);
    findings.extend(sessions::findings(settings)?);
    findings.extend([disk(settings), clock(settings), memory(settings)]);
    let worst = findings.iter().map(|finding| finding.level).max();
    if args.json {
        crate::report::say!("{}", serde_json::to_string_pretty(&findings).unwrap_or_default());
    } else {
        findings.iter().for_each(|finding| print(finding, settings.color));
    }
    Ok(if worst == Some(CheckLevel::Problem) { 1 } else { 0 })
}

fn print(finding: &CheckResult, color: bool) {
    let (mark, paint) = match finding.level {
        CheckLevel::Good => ("ok", "\u{1b}[32m"),
        CheckLevel::Warning => ("note", "\u{1b}[33m"),
        CheckLevel::Problem => ("PROBLEM", "\u{1b}[31m"),
    };
    let (paint, reset) = if color { (paint, "\u{1b}[0m") } else { ("", "") };
    crate::report::say!("{paint}{mark:<8}{reset}{:<10} {}", finding.check, finding.found);
    if let Some(remedy) = &finding.remedy {
        crate::report::say!("{:<8}{:<10} → {remedy}", "", "");
    }
}

fn workflow(settings: &Settings) -> CheckResult {
    if !settings.workflow.exists() {
        return CheckResult::bad(
            "workflow",
            CheckLevel::Problem,
            format!("there is no {}", settings.workflow.display()),
            "make a folder that runs: regatta init DIR; -C DIR works in another folder",
        );
    }
    match load::plan(settings, &[]).and_then(|plan| {
        plan.check(Platform::Desktop, None)?;
        plan.check(Platform::Mobile, None)?;
        Ok(plan)
    }) {
        Ok(plan) => CheckResult::good("workflow", format!("{}, {} steps", plan.name, plan.steps.len())),
        Err(failure) => CheckResult::bad(
            "workflow",
            CheckLevel::Problem,
            failure.into_parts().0,
            "regatta validate shows the place",
        ),
    }
}

/// The program of headless runs.
fn browser(settings: &Settings) -> CheckResult {
    match load::programs(settings).find(true) {
        Ok(path) => program("chromium", &path, ""),
        Err(error) => {
            let needed = settings.provider == ProviderName::Chromium;
            let level = if needed { CheckLevel::Problem } else { CheckLevel::Warning };
            let remedy = hint::of_provider(&error).unwrap_or_else(|| "install Chromium".to_owned());
            CheckResult::bad("chromium", level, error.to_string(), remedy)
        }
    }
}

/// The program of `--headed`, where it is another one.
fn window(settings: &Settings) -> Option<CheckResult> {
    let programs = load::programs(settings);
    match programs.find(false) {
        Ok(path) if programs.find(true).is_ok_and(|headless| headless == path) => None,
        Ok(path) => Some(program("headed", &path, ", for --headed")),
        Err(error) => {
            let remedy = "only --headed needs it: apt-get install chromium";
            Some(CheckResult::bad("headed", CheckLevel::Warning, error.to_string(), remedy))
        }
    }
}

fn program(check: &'static str, path: &Path, purpose: &str) -> CheckResult {
    match version(path) {
        Some(version) => CheckResult::good(check, format!("{version} at {}{purpose}", path.display())),
        None => CheckResult::bad(
            check,
            CheckLevel::Problem,
            format!("{} does not say its version", path.display()),
            "is it a browser, and may this user run it?",
        ),
    }
}

/// Returns the output of `--version`.
fn version(executable: &Path) -> Option<String> {
    let output =
        Command::new(executable).arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn adspower(settings: &Settings) -> CheckResult {
    // The pacer's files are in these folders, which do not exist right after `init`.
    let folders = settings.layout.create_folders().map_err(CommandError::from);
    let asked = folders.and_then(|()| load::adspower(settings, None)).and_then(|adspower| {
        block_on(async {
            let listed = adspower.list().await;
            listed.map_err(|error| CommandError::usage(with_cause(&error)).hint(hint::of_provider(&error)))
        })
    });
    let url = settings.adspower.base_url.as_deref().unwrap_or(defaults::ADSPOWER_URL);
    match asked {
        Ok(profiles) => {
            CheckResult::good("adspower", format!("answers at {url}, knows {} profiles", profiles.len()))
        }
        Err(failure) => {
            let (said, remedy) = failure.into_parts();
            CheckResult::bad(
                "adspower",
                CheckLevel::Problem,
                said,
                remedy.unwrap_or_else(|| "start AdsPower".to_owned()),
            )
        }
    }
}

fn folders(settings: &Settings) -> CheckResult {
    let layout = &settings.layout;
    let probe = layout.state().join(".doctor");
    let started = std::time::Instant::now();
    let written = layout.create_folders().and_then(|()| durable::write(&probe, b"{}"));
    let took = started.elapsed();
    std::fs::remove_file(&probe).ok();
    let network = filesystem::network(layout.state());
    match written.map(|()| took) {
        Ok(_) if let Some(kind) = network => CheckResult::bad(
            "folders",
            CheckLevel::Warning,
            format!("{} lies on {kind}", layout.state().display()),
            "put the folder on a local disk: locks do not hold on every network file system",
        ),
        Ok(took) => CheckResult::good(
            "folders",
            format!("writable, a durable write takes {:.1} ms", took.as_secs_f64() * 1e3),
        ),
        Err(error) => {
            let remedy = error.hint().unwrap_or("give this user the right to write there");
            CheckResult::bad("folders", CheckLevel::Problem, with_cause(&error), remedy)
        }
    }
}

fn locks(settings: &Settings) -> CheckResult {
    let layout = &settings.layout;
    let orchestrator = lock::is_held(&layout.orchestrator_lock());
    let profiles = SessionReader::new(layout).map(|reader| reader.profiles().to_vec()).unwrap_or_default();
    let running =
        profiles.iter().filter(|id| lock::is_held(&layout.session_lock(id)).unwrap_or(false)).count();
    match orchestrator {
        Ok(true) => CheckResult::good(
            "locks",
            format!("an orchestrator is at work; {running} profiles are being run"),
        ),
        Ok(false) => CheckResult::good("locks", format!("no orchestrator; {running} profiles are being run")),
        Err(error) => CheckResult::bad(
            "locks",
            CheckLevel::Problem,
            error.to_string(),
            "put the folder on a local disk: locks do not hold on every network file system",
        ),
    }
}

/// Checks the size of the folder's files and the room that is left.
fn disk(settings: &Settings) -> CheckResult {
    /// Less than this and a fleet of some hundred profiles may fill the disk.
    const LOW: u64 = 1 << 30;
    let layout = &settings.layout;
    let size = |path: &Path| measure(path).map_or(0, |measured| measured.bytes);
    let sizes = [
        ("browsers", layout.browser_folders()),
        ("artifacts", layout.artifacts_folder()),
        ("logs", layout.logs().to_owned()),
    ];
    let sizes: Vec<_> =
        sizes.iter().map(|(name, path)| format!("{name} {}", crate::report::bytes(size(path)))).collect();
    let free = filesystem::free(layout.root());
    let room = free.map_or_else(String::new, |free| format!("; {} are free", crate::report::bytes(free)));
    let found = format!("{}{room}", sizes.join(", "));
    match free {
        Some(free) if free < LOW => CheckResult::bad(
            "disk",
            CheckLevel::Warning,
            found,
            "regatta clean --browsers completed --artifacts 30d --logs 30d --dry-run shows what can go",
        ),
        _ => CheckResult::good("disk", found),
    }
}

/// Two-factor codes need the clock right. The kernel knows whether a service keeps it in step, and how
/// far off it may be.
fn clock(_settings: &Settings) -> CheckResult {
    match clock_error() {
        Some(error) if error > CLOCK_DRIFT => CheckResult::bad(
            "clock",
            CheckLevel::Problem,
            format!("may be off by {} s: two-factor codes would be refused", error.as_secs()),
            "turn on time synchronisation (timedatectl set-ntp true)",
        ),
        Some(error) => CheckResult::good("clock", format!("in step, within {:.1} s", error.as_secs_f64())),
        None => CheckResult::bad(
            "clock",
            CheckLevel::Warning,
            "this system does not say whether it is in step",
            "two-factor codes need it right to some 20 s; turn on time synchronisation",
        ),
    }
}

/// Estimates the error of the clock from the time service of this machine: systemd's leaves a file when it has
/// set the clock, and touches it whenever it does.
fn clock_error() -> Option<Duration> {
    /// A crystal drifts less than this in every second without correction.
    const DRIFT: f64 = 100e-6;
    let stamp = std::fs::metadata("/run/systemd/timesync/synchronized").ok()?.modified().ok()?;
    let since = stamp.elapsed().ok()?;
    Some(Duration::from_secs_f64(0.1 + since.as_secs_f64() * DRIFT))
}

fn memory(settings: &Settings) -> CheckResult {
    let Ok(mut system) = sysinfo::System::new() else {
        return CheckResult::bad(
            "memory",
            CheckLevel::Warning,
            "cannot be read here",
            "keep --max low at first",
        );
    };
    system.refresh_memory();
    let limit = system.cgroup_limits().map_or(u64::MAX, |limits| limits.free_memory);
    let free = system.available_memory().min(limit);
    let fits = free / RUN_MEMORY;
    let found = format!("{} MiB free, enough for about {fits} browsers", free >> 20);
    let wanted = match settings.fleet.max {
        MaxRuns::Of(max) => u64::from(max),
        MaxRuns::Auto => 1,
    };
    if fits < wanted {
        let remedy = format!("regatta orchestrate --max {}", fits.max(1));
        CheckResult::bad("memory", CheckLevel::Warning, found, remedy)
    } else {
        CheckResult::good("memory", found)
    }
}
