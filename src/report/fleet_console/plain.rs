//! One line for each notice, with the time of day: for logs, pipes and services.

use jiff::tz::TimeZone;

use super::paint::{Emphasis, Paint};
use super::{counts, first_line, span};
use crate::report::event_words;
use regatta_core::duration::in_words;
use regatta_core::event::{EventKind, StepMode, StepOutcome};
use regatta_core::fleet::fact::{FleetFact, FleetNotice, WaitReason};
use regatta_core::fleet::report::ProfileReport;
use regatta_core::fleet::{Enforcement, JobFailure, JobOutcome, Severity, TimeLimit};

pub struct FleetLines {
    quiet: bool,
    zone: TimeZone,
}

impl FleetLines {
    pub const fn new(quiet: bool, zone: TimeZone) -> Self {
        Self { quiet, zone }
    }

    /// Returns `None` for a notice without a line.
    pub fn line(&self, notice: &FleetNotice) -> Option<(Emphasis, String)> {
        let (tone, text) = text(&notice.fact)?;
        let said = !self.quiet || matches!(tone, Emphasis::Bad | Emphasis::Warning);
        let time = notice.at.to_zoned_datetime(self.zone.clone());
        said.then(|| (tone, format!("{} {text}", time.strftime("%H:%M:%S"))))
    }
}

/// Returns a fact as one line, and its emphasis.
pub fn text(kind: &FleetFact) -> Option<(Emphasis, String)> {
    Some(match kind {
        FleetFact::FleetSurveyed { profiles, ended } => {
            let plural = if *profiles == 1 { "" } else { "s" };
            let before = if ended.ended() == 0 {
                String::new()
            } else {
                format!(", before the first launch {}", counts(*ended, Paint { color: false }))
            };
            (Emphasis::Plain, format!("{profiles} profile{plural}{before}"))
        }
        FleetFact::RunLaunched { profile, slot, attempt, pid } => {
            let again = again(*attempt);
            (
                Emphasis::Plain,
                format!("{profile}: launched in slot {}{again} (process {pid})", slot.index() + 1),
            )
        }
        FleetFact::RunAdopted { profile, slot, pid, .. } => {
            let process = pid.map_or_else(String::new, |pid| format!(" (process {pid})"));
            (
                Emphasis::Plain,
                format!("{profile}: adopted a living run in slot {}{process}", slot.index() + 1),
            )
        }
        FleetFact::RunEvent { event, .. } => {
            let (tone, text) = run_event(&event.kind)?;
            (tone, format!("{}: {text}", event.profile_id))
        }
        FleetFact::RunCrashed { profile, cause } => {
            (Emphasis::Warning, format!("{profile}: {}; ending its left-overs", first_line(cause)))
        }
        FleetFact::LeftOversEnded { profile } => {
            (Emphasis::Plain, format!("{profile}: left-overs of its dead run are gone"))
        }
        FleetFact::ProfileBackingOff { profile, attempt, delay, cause } => {
            let delay = in_words(*delay);
            (
                Emphasis::Warning,
                format!("{profile}: attempt {attempt} failed: {}; retrying in {delay}", first_line(cause)),
            )
        }
        FleetFact::ProfileSiteBusy { profile, times, of, at_once, delay } => {
            let delay = in_words(*delay);
            (
                Emphasis::Warning,
                format!(
                    "{profile}: the site is busy; retrying in {delay} ({times} of {of}), with {at_once} at once"
                ),
            )
        }
        FleetFact::ProfilePutOff { profile, delay } => {
            let delay = in_words(*delay);
            (
                Emphasis::Warning,
                format!(
                    "{profile}: open outside of Regatta; retrying after the others, in {delay} at the earliest"
                ),
            )
        }
        FleetFact::RunOverTime { profile, limit, demand } => {
            let done = match demand {
                Enforcement::StopAfterStep => "asked to stop after its step",
                Enforcement::StopNow => "asked to stop now",
                Enforcement::Kill => "killed",
            };
            let what = match limit {
                TimeLimit::Run(limit) => format!("running for {}", in_words(*limit)),
                TimeLimit::Stall(limit) => format!("no event for {}", in_words(*limit)),
            };
            (Emphasis::Warning, format!("{profile}: {what}; {done}"))
        }
        FleetFact::LaunchesWaiting(WaitReason::Provider { problem }) => {
            (Emphasis::Warning, format!("launches wait for the provider: {}", first_line(problem)))
        }
        FleetFact::LaunchesWaiting(reason) => {
            (Emphasis::Warning, format!("launches wait: {}", describe_wait(reason)))
        }
        FleetFact::LaunchesResumed => (Emphasis::Good, "launches resume".to_owned()),
        FleetFact::Source(notice) => (
            if notice.is_good() { Emphasis::Good } else { Emphasis::Warning },
            first_line(&notice.to_string()).to_owned(),
        ),
        FleetFact::ProfileEnded(report) => ended(report)?,
        FleetFact::FleetStopping { severity: Severity::Now } => {
            (Emphasis::Warning, "stopping now: runs are killed, their browsers stopped".to_owned())
        }
        FleetFact::FleetStopping { .. } => (
            Emphasis::Warning,
            "stopping: no more launches, runs end after their step; a second request ends them now"
                .to_owned(),
        ),
        // By the thousand.
        FleetFact::ProfileEnqueued { .. } | FleetFact::FleetFinished { .. } => return None,
    })
}

/// Returns the reason why launches wait, in a few words.
pub fn describe_wait(reason: &WaitReason) -> String {
    match reason {
        WaitReason::Memory { free, wanted } => {
            format!("{} MiB of memory are free, {} MiB are needed", free >> 20, wanted >> 20)
        }
        WaitReason::MemoryPressure { percent } => format!("memory is short {percent:.0} % of the time"),
        WaitReason::Load { load, most } => format!("the load is {load:.1} a processor, at most {most:.1}"),
        WaitReason::BrowsersStarting => "recent launches are still starting".to_owned(),
        WaitReason::Provider { problem } => format!("the provider does not answer: {}", first_line(problem)),
        WaitReason::ProviderQuota { pause } => {
            format!("the provider opens no more browsers for {}", in_words(*pause))
        }
    }
}

/// Renders the events of a run that matter among many runs.
fn run_event(kind: &EventKind) -> Option<(Emphasis, String)> {
    Some(match kind {
        EventKind::KernelDownloading { message, ms } => {
            (Emphasis::Plain, event_words::kernel_downloading(message, *ms))
        }
        EventKind::StepStarted { flag, mode: StepMode::Verify, .. } => {
            (Emphasis::Plain, format!("{flag} is in doubt, asking the site"))
        }
        EventKind::StepFinished { flag, outcome, ms, .. } => {
            let time = span(*ms);
            match outcome {
                StepOutcome::Done => (Emphasis::Plain, format!("{flag} done in {time}")),
                StepOutcome::Verified => {
                    (Emphasis::Plain, format!("{flag}: the site confirms that it is done"))
                }
                StepOutcome::Failed => (Emphasis::Warning, format!("{flag} failed after {time}")),
                // The next line reports it.
                StepOutcome::NeedsAttention | StepOutcome::Stopped => return None,
            }
        }
        _ => return None,
    })
}

fn ended(report: &ProfileReport) -> Option<(Emphasis, String)> {
    let profile = &report.profile_id;
    let steps = format!("{}/{} steps", report.steps_done, report.steps);
    let why =
        report.last_error.as_deref().map_or_else(String::new, |error| format!(": {}", first_line(error)));
    let see = report.evidence.as_deref().map_or_else(String::new, |path| format!("; see {path}"));
    Some(match report.outcome {
        // Profiles without an attempt are counted in one line.
        JobOutcome::Completed | JobOutcome::NeedsAttention | JobOutcome::Stopped if report.attempts == 0 => {
            return None;
        }
        JobOutcome::Completed => {
            (Emphasis::Good, format!("{profile}: completed, {steps} in {}", span(report.ms)))
        }
        JobOutcome::NeedsAttention => (Emphasis::Warning, format!("{profile}: needs attention{why}{see}")),
        JobOutcome::Failed(failure) => {
            (Emphasis::Bad, format!("{profile}: failed, {steps}{}{see}", because(failure, report)))
        }
        JobOutcome::Stopped => (Emphasis::Dim, format!("{profile}: stopped, {steps}")),
    })
}

/// The run's own message, where it has one.
fn because(failure: JobFailure, report: &ProfileReport) -> String {
    match &report.last_error {
        Some(error) => format!(": {}", first_line(error)),
        None => format!(": {failure}"),
    }
}

pub fn again(attempt: u32) -> String {
    if attempt > 1 { format!(", attempt {attempt}") } else { String::new() }
}
