//! The orchestrator over real processes: stubs that follow a plan instead of driving a browser.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use regatta::orchestrate::{OrchestrateError, OrchestrateOptions, orchestrate};
use regatta::providers::{Endpoint, ListedProfile, OpenBrowser, Provider, ProviderError, StartOptions};
use regatta::store::{Lock, LockHolder};
use regatta_core::fleet::fact::{FleetFact, FleetNotice, WaitReason};
use regatta_core::fleet::report::FleetReport;
use regatta_core::fleet::{JobFailure, JobOutcome, TimeLimits};
use regatta_core::id::{ProfileId, RunId};
use regatta_core::outcome::FleetOutcome;
use regatta_core::retry::Backoff;

use self::stub::{Folder, lives};

pub mod stub;

/// Stops no browser, and writes down that it was asked to, and what lived then. Down as long as there is
/// a file `down`; asked about it, it writes so down and the file away.
struct Recorder(Folder);

impl Provider for Recorder {
    fn name(&self) -> &'static str {
        "recorder"
    }

    fn start<'a>(
        &'a self,
        _: &'a ProfileId,
        _: &'a StartOptions,
    ) -> BoxFuture<'a, Result<Endpoint, ProviderError>> {
        Box::pin(async { unreachable!("an orchestrator starts no browser") })
    }

    fn active<'a>(&'a self, _: &'a ProfileId) -> BoxFuture<'a, Result<Option<Endpoint>, ProviderError>> {
        Box::pin(async { Ok(None) })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<ListedProfile>, ProviderError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        let is_down = fs::remove_file(self.0.path("down")).is_ok();
        self.0.journal(if is_down { "probed, down" } else { "probed, up" });
        let problem = "it is asleep".to_owned();
        let answer = if is_down { Err(ProviderError::ProcessesUnreadable { problem }) } else { Ok(()) };
        Box::pin(std::future::ready(answer))
    }

    fn left_open<'a>(&'a self, _: &'a [ProfileId]) -> BoxFuture<'a, Result<Vec<OpenBrowser>, ProviderError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn stop<'a>(&'a self, profile: &'a ProfileId) -> BoxFuture<'a, Result<(), ProviderError>> {
        let grandchild = self.0.pid(&format!("{profile}.grandchild"));
        let left = if grandchild.is_some_and(lives) { " while its group lives" } else { "" };
        self.0.journal(&format!("stop {profile}{left}"));
        Box::pin(async { Ok(()) })
    }
}

fn options(folder: &Folder) -> OrchestrateOptions {
    let (program, run_arguments) = folder.stub();
    OrchestrateOptions {
        stagger: Duration::ZERO,
        retries: 0,
        backoff: Backoff { base: Duration::from_millis(1), ..Backoff::default() },
        ..OrchestrateOptions::new(folder.layout(), program, run_arguments, vec!["one".parse().unwrap()])
    }
}

fn ids(names: &str) -> Vec<ProfileId> {
    names.split_whitespace().map(|name| name.parse().unwrap()).collect()
}

fn run(
    folder: &Folder,
    options: OrchestrateOptions,
    profiles: Vec<ProfileId>,
    mut notices: impl FnMut(FleetNotice),
) -> Result<FleetReport, OrchestrateError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let provider = Arc::new(Recorder(folder.clone()));
    runtime.block_on(async {
        let fleet = orchestrate(options, profiles, provider, &mut notices);
        tokio::time::timeout(Duration::from_secs(60), fleet).await.expect("the fleet ends")
    })
}

/// `a completed 1 1/1`: outcome, attempts, steps.
fn lines(report: &FleetReport) -> Vec<String> {
    let line = |profile: &regatta_core::fleet::report::ProfileReport| {
        let outcome = match profile.outcome {
            JobOutcome::Completed => "completed".to_owned(),
            JobOutcome::NeedsAttention => "attention".to_owned(),
            JobOutcome::Failed(failure) => format!("failed({failure:?})"),
            JobOutcome::Stopped => "stopped".to_owned(),
        };
        let (done, steps) = (profile.steps_done, profile.steps);
        format!("{} {outcome} {} {done}/{steps}", profile.profile_id, profile.attempts)
    };
    report.profiles.iter().map(line).collect()
}

const COMPLETES: &str = "lock; started; session COMPLETED true; finished completed; exit 0";

#[test]
fn the_limit_is_held() {
    let folder = Folder::new();
    // The first two need each other.
    folder.plan("a", &format!("touch a.up; wait b.up; {COMPLETES}"));
    folder.plan("b", &format!("touch b.up; wait a.up; {COMPLETES}"));
    for name in ["c", "d", "e", "f"] {
        folder.plan(name, COMPLETES);
    }
    let report = run(&folder, OrchestrateOptions { max: 2, ..options(&folder) }, ids("a b c d e f"), |_| {});
    let report = report.unwrap();
    assert_eq!(report.outcome, FleetOutcome::Completed);
    assert_eq!(lines(&report)[5], "f completed 1 1/1");
    let (mut living, mut most) = (0_i32, 0);
    for line in folder.journal_lines() {
        living += if line.starts_with('+') { 1 } else { -1 };
        most = most.max(living);
    }
    assert_eq!(most, 2, "{:?}", folder.journal_lines());
}

#[test]
fn output_and_events_of_a_run_are_its_own() {
    let folder = Folder::new();
    for name in ["a", "b"] {
        folder.plan(name, &format!("say {name} speaks; {COMPLETES}"));
    }
    let mut reported = Vec::new();
    run(&folder, options(&folder), ids("a b"), |notice| {
        if let FleetFact::RunEvent { event, .. } = notice.fact {
            reported.push(format!("{} {}", event.profile_id, event.seq));
        }
    })
    .unwrap();
    let log = |name: &str| fs::read_to_string(folder.layout().log(&name.parse().unwrap())).unwrap();
    assert!(log("a").contains("a speaks") && !log("a").contains("b speaks"), "{}", log("a"));
    assert!(log("b").contains("b speaks") && !log("b").contains("a speaks"), "{}", log("b"));
    reported.sort();
    assert_eq!(reported, ["a 1", "a 2", "b 1", "b 2"], "every event is reported, the last before the end");
}

#[test]
fn outcomes_come_from_exit_codes_and_failed_runs_are_retried() {
    let folder = Folder::new();
    folder.plan("done", COMPLETES);
    folder.plan("fails", "exit 1");
    folder.plan("recovers", &format!("exit 5\n{COMPLETES}"));
    folder.plan("asks", "session NEEDS_ATTENTION false; exit 3");
    folder.plan("wrong", "exit 2");
    let profiles = ids("done fails recovers asks wrong");
    let report =
        run(&folder, OrchestrateOptions { retries: 1, ..options(&folder) }, profiles, |_| {}).unwrap();
    assert_eq!(
        lines(&report),
        [
            "done completed 1 1/1",
            "fails failed(StepFailed) 2 0/1",
            "recovers completed 2 1/1",
            "asks attention 1 0/1",
            "wrong failed(Usage) 1 0/1",
        ]
    );
    assert_eq!(report.exit_code, 1);
    assert!(folder.stops().is_empty(), "a run that ended on its own has stopped its browser");
}

#[test]
fn a_run_that_was_refused_before_it_began_fails_with_its_own_words() {
    let folder = Folder::new();
    folder.plan("a", "say begins; say error: no step `x`; say   hint: its steps are y; exit 2");
    // What an earlier attempt printed is not of this one.
    folder.plan("b", "say begins; say error: of before; exit 1\nexit 1");
    let once_more = OrchestrateOptions { retries: 1, ..options(&folder) };
    let report = run(&folder, once_more, ids("a b"), |_| {}).unwrap();
    assert_eq!(lines(&report), ["a failed(Usage) 1 0/1", "b failed(StepFailed) 2 0/1"]);
    let errors: Vec<_> = report.profiles.iter().map(|profile| profile.last_error.as_deref()).collect();
    assert_eq!(errors, [Some("no step `x`"), Some("a step failed")]);
}

#[test]
fn what_stands_at_its_end_is_not_started() {
    let folder = Folder::new();
    folder.session("done", "COMPLETED", true);
    folder.session("asks", "NEEDS_ATTENTION", false);
    fs::write(folder.layout().session(&"torn".parse().unwrap()), "{").unwrap();
    // Completed under a workflow that had fewer steps.
    folder.session("more", "COMPLETED", false);
    folder.plan("more", COMPLETES);
    let report = run(&folder, options(&folder), ids("done asks torn more"), |_| {}).unwrap();
    assert_eq!(
        lines(&report),
        [
            "done completed 0 1/1",
            "asks attention 0 0/1",
            "torn failed(Damaged) 0 0/1",
            "more completed 1 1/1"
        ]
    );
    assert!(report.profiles[2].last_error.as_deref().is_some_and(|error| error.contains("is damaged")));
    assert_eq!(folder.journal_lines(), ["+more", "-more"]);
}

#[test]
fn a_crashed_run_leaves_nothing_before_its_slot_is_used_again() {
    let folder = Folder::new();
    folder.plan("a", "lock; grandchild; crash");
    folder.plan("b", COMPLETES);
    let report = run(&folder, OrchestrateOptions { max: 1, ..options(&folder) }, ids("a b"), |_| {}).unwrap();
    assert_eq!(lines(&report), ["a failed(Crashed) 1 0/1", "b completed 1 1/1"]);
    assert_eq!(report.profiles[0].last_error.as_deref(), Some("the run crashed (signal 9)"));
    assert_eq!(folder.journal_lines(), ["+a", "stop a", "+b", "-b"]);
    assert!(!lives(folder.pid("a.grandchild").unwrap()));
}

#[test]
fn a_grandchild_in_another_session_is_ended_before_the_slot_is_used_again() {
    let folder = Folder::new();
    folder.plan("a", "lock; moved; crash");
    folder.plan("b", "lock; seen a.moved; exit 1");
    let report = run(&folder, OrchestrateOptions { max: 1, ..options(&folder) }, ids("a b"), |_| {}).unwrap();
    assert_eq!(lines(&report), ["a failed(Crashed) 1 0/1", "b failed(StepFailed) 1 0/1"]);
    assert_eq!(folder.journal_lines(), ["+a", "stop a", "+b", "a.moved is gone", "-b"]);
}

#[test]
fn what_a_run_of_a_killed_orchestrator_left_is_ended_before_anything_is_launched() {
    let folder = Folder::new();
    folder.session("a", "PROCESSING", false);
    let rest = &COMPLETES[6..];
    folder.plan("a", &format!("lock; moved; touch a.up; wait a.go; crash\nlock; seen a.moved; {rest}"));
    folder.plan("b", &format!("lock; seen a.moved; {rest}"));
    let mut fleet = folder.start_fleet("max 1", "a");
    folder.wait_for("a.up");
    fleet.signal("KILL");
    fleet.end();
    folder.touch("a.go");
    let pid = folder.pid("a.moved").unwrap();
    folder.wait_for_unlock("a");
    assert!(lives(pid), "no orchestrator was there to end it");
    let mut seen = Vec::new();
    let one = OrchestrateOptions { max: 1, ..options(&folder) };
    let report = run(&folder, one, ids("b a"), |notice| match notice.fact {
        FleetFact::RunCrashed { profile, cause } => seen.push(format!("cleaning {profile}: {cause}")),
        FleetFact::LeftOversEnded { profile } => seen.push(format!("cleared {profile}")),
        FleetFact::RunLaunched { profile, .. } => seen.push(format!("launched {profile}")),
        _ => {}
    })
    .unwrap();
    assert_eq!(lines(&report), ["b completed 1 1/1", "a completed 1 1/1"]);
    assert_eq!(seen, ["cleaning a: an earlier run died", "cleared a", "launched a", "launched b"]);
    let journal = folder.journal_lines();
    assert_eq!(journal, ["+a", "stop a", "+a", "a.moved is gone", "-a", "+b", "a.moved is gone", "-b"]);
}

#[test]
fn a_living_run_is_adopted_and_takes_a_slot() {
    let folder = Folder::new();
    folder.plan("x", &format!("lock; started; touch x.up; wait x.go; {}", &COMPLETES[6..]));
    folder.plan("a", COMPLETES);
    let mut by_hand = folder.start("x");
    folder.wait_for("x.up");
    let mut seen = Vec::new();
    let one = OrchestrateOptions { max: 1, ..options(&folder) };
    let report = run(&folder, one, ids("a x"), |notice| match notice.fact {
        FleetFact::RunAdopted { profile, pid, .. } => {
            assert_eq!(pid, Some(by_hand.id()));
            seen.push(format!("adopted {profile}"));
            folder.touch("x.go");
        }
        FleetFact::RunLaunched { profile, .. } => seen.push(format!("launched {profile}")),
        FleetFact::ProfileEnded(report) => seen.push(format!("ended {}", report.profile_id)),
        _ => {}
    })
    .unwrap();
    by_hand.wait().unwrap();
    assert_eq!(lines(&report), ["a completed 1 1/1", "x completed 1 1/1"]);
    assert_eq!(seen, ["adopted x", "ended x", "launched a", "ended a"]);
}

#[test]
fn an_adopted_run_that_dies_is_cleaned_up_and_tried_again() {
    let folder = Folder::new();
    folder.plan("x", &format!("lock; started; grandchild; touch x.up; wait x.go; crash\n{COMPLETES}"));
    let mut by_hand = folder.start("x");
    folder.wait_for("x.up");
    let again = OrchestrateOptions { retries: 1, ..options(&folder) };
    let report = run(&folder, again, ids("x"), |notice| {
        if matches!(notice.fact, FleetFact::RunAdopted { .. }) {
            folder.touch("x.go");
        }
    })
    .unwrap();
    by_hand.wait().unwrap();
    assert_eq!(lines(&report), ["x completed 2 1/1"]);
    assert_eq!(folder.journal_lines(), ["+x", "stop x", "+x", "-x"]);
    assert!(!lives(folder.pid("x.grandchild").unwrap()), "its group is ended too");
}

#[test]
fn a_profile_found_busy_is_adopted() {
    let folder = Folder::new();
    // What another run made of it meanwhile.
    folder.plan("a", "session COMPLETED true; exit 4");
    let report = run(&folder, options(&folder), ids("a"), |_| {}).unwrap();
    assert_eq!(lines(&report), ["a completed 1 1/1"]);
}

#[test]
fn a_program_that_cannot_be_started_fails_its_profiles() {
    let folder = Folder::new();
    let nowhere = OrchestrateOptions { program: "/nowhere/regatta".into(), retries: 1, ..options(&folder) };
    let report = run(&folder, nowhere, ids("a b"), |_| {}).unwrap();
    assert_eq!(lines(&report), ["a failed(NotSpawned) 2 0/1", "b failed(NotSpawned) 2 0/1"]);
    assert_eq!(report.profiles[0].outcome, JobOutcome::Failed(JobFailure::NotSpawned));
    assert!(report.profiles[0].last_error.as_deref().is_some_and(|error| error.contains("No such file")));
}

#[test]
fn a_folder_has_one_orchestrator() {
    let folder = Folder::new();
    let now = "2026-01-02T03:04:05Z".parse().unwrap();
    let lock =
        Lock::try_acquire(&folder.layout().orchestrator_lock(), &LockHolder::new(RunId::new(now, 1), now))
            .unwrap();
    let error = run(&folder, options(&folder), ids("a"), |_| {}).unwrap_err();
    assert!(matches!(&error, OrchestrateError::Busy { holder: Some(_) }));
    assert_eq!(
        error.to_string(),
        format!("another orchestrator holds this folder (process {})", std::process::id())
    );
    drop(lock);
    assert!(folder.journal_lines().is_empty());
}

#[test]
fn stopped_once_runs_end_after_their_step_and_nothing_is_launched() {
    let folder = Folder::new();
    folder.plan("x", "lock; started; touch x.up; term; finished stopped; exit 7");
    folder.plan("a", "lock; started; touch a.up; term; finished stopped; exit 7");
    let mut by_hand = folder.start("x");
    folder.wait_for("x.up");
    let mut fleet = folder.start_fleet("max 2", "x a b");
    fleet.wait_for("Launched a");
    folder.wait_for("a.up");
    fleet.signal("INT");
    assert_eq!(fleet.end(), Some(7));
    by_hand.wait().unwrap();
    assert_eq!(fleet.lines("Ended"), ["Ended a stopped", "Ended b stopped", "Ended x stopped"]);
    assert_eq!(folder.started(), ["+a", "+x"]);
    assert!(folder.stops().is_empty());
}

#[test]
fn stopped_twice_runs_are_killed_and_their_browsers_stopped() {
    let folder = Folder::new();
    for name in ["x", "a"] {
        folder.plan(
            name,
            &format!("lock; started; grandchild; touch {name}.up; term; touch {name}.asked; wait never"),
        );
    }
    let mut by_hand = folder.start("x");
    folder.wait_for("x.up");
    let mut fleet = folder.start_fleet("max 2", "x a");
    folder.wait_for("a.up");
    fleet.wait_for("Adopted x");
    fleet.signal("TERM");
    folder.wait_for("a.asked");
    folder.wait_for("x.asked");
    fleet.signal("HUP");
    assert_eq!(fleet.end(), Some(7));
    by_hand.wait().unwrap();
    assert_eq!(fleet.lines("Ended"), ["Ended a stopped", "Ended x stopped"]);
    assert_eq!(folder.stops(), ["stop a", "stop x"]);
    for name in ["x", "a"] {
        assert!(!lives(folder.pid(&format!("{name}.grandchild")).unwrap()), "the group of {name}");
    }
}

#[test]
fn a_run_that_does_not_stop_is_killed_after_its_grace() {
    let folder = Folder::new();
    folder.plan("a", "lock; started; touch a.up; term; wait never");
    let mut fleet = folder.start_fleet("grace 50", "a");
    folder.wait_for("a.up");
    fleet.signal("INT");
    assert_eq!(fleet.end(), Some(7));
    assert_eq!(folder.stops(), ["stop a"]);
}

/// `a StopAfterStep no event`: how runs over their time were stopped.
fn demands(notices: &mut Vec<String>) -> impl FnMut(FleetNotice) {
    |notice| {
        if let FleetFact::RunOverTime { profile, demand, .. } = notice.fact {
            notices.push(format!("{profile} {demand:?}"));
        }
    }
}

fn time_limits(run: Option<u64>, stall: Option<u64>) -> TimeLimits {
    let millis = |millis: Option<u64>| millis.map(Duration::from_millis);
    TimeLimits { run: millis(run), stall: millis(stall), grace: Duration::from_millis(100) }
}

#[test]
fn a_frozen_run_is_killed_and_tried_again() {
    let folder = Folder::new();
    folder.plan("a", &format!("lock; started; grandchild; freeze; wait never\n{COMPLETES}"));
    let limits = time_limits(None, Some(1500));
    let mut reported = Vec::new();
    let again = OrchestrateOptions { limits, retries: 1, ..options(&folder) };
    let report = run(&folder, again, ids("a"), demands(&mut reported)).unwrap();
    assert_eq!(lines(&report), ["a completed 2 1/1"]);
    assert_eq!(reported, ["a StopAfterStep", "a StopNow", "a Kill"]);
    assert_eq!(folder.journal_lines(), ["+a", "stop a", "+a", "-a"]);
    assert!(!lives(folder.pid("a.grandchild").unwrap()));
}

#[test]
fn a_run_that_hangs_and_obeys_ends_with_the_reason() {
    let folder = Folder::new();
    folder.plan("a", "lock; started; term; term; finished stopped; exit 7");
    let mut reported = Vec::new();
    let limits = time_limits(None, Some(1500));
    let report =
        run(&folder, OrchestrateOptions { limits, ..options(&folder) }, ids("a"), demands(&mut reported))
            .unwrap();
    assert_eq!(lines(&report), ["a failed(Stalled) 1 0/1"]);
    assert_eq!(report.profiles[0].last_error.as_deref(), Some("it emitted no event for 1.5s"));
    assert_eq!(reported, ["a StopAfterStep", "a StopNow"]);
    assert!(folder.stops().is_empty(), "it stopped its own browser");
}

#[test]
fn a_run_that_talks_for_ever_ends_with_the_reason() {
    let folder = Folder::new();
    folder.plan("a", "lock; started; chat; finished stopped; exit 7");
    let mut reported = Vec::new();
    // It emits an event every 20 ms and is polled every 200 ms.
    let limits = time_limits(Some(3000), Some(2500));
    let report =
        run(&folder, OrchestrateOptions { limits, ..options(&folder) }, ids("a"), demands(&mut reported))
            .unwrap();
    assert_eq!(lines(&report), ["a failed(OutOfTime) 1 0/1"]);
    assert_eq!(report.profiles[0].last_error.as_deref(), Some("it ran longer than 3s"));
    assert_eq!(reported, ["a StopAfterStep"]);
}

#[test]
fn a_provider_that_is_down_is_waited_for_and_no_attempt_is_lost() {
    let folder = Folder::new();
    folder.touch("down");
    folder.plan("a", &format!("exit 5\n{COMPLETES}"));
    folder.plan("b", COMPLETES);
    let mut reported = Vec::new();
    let report = run(&folder, OrchestrateOptions { max: 1, ..options(&folder) }, ids("a b"), |notice| {
        match notice.fact {
            FleetFact::LaunchesWaiting(WaitReason::Provider { problem }) => reported.push(problem),
            FleetFact::LaunchesResumed => reported.push("resumed".to_owned()),
            _ => {}
        }
    });
    assert_eq!(lines(&report.unwrap()), ["a completed 1 1/1", "b completed 1 1/1"]);
    assert_eq!(reported, ["cannot read the processes of this machine: it is asleep", "resumed"]);
    assert_eq!(folder.journal_lines(), ["+a", "-a", "probed, down", "probed, up", "+a", "-a", "+b", "-b"]);
}

#[test]
fn a_profile_without_a_browser_fails_where_the_provider_is_there() {
    let folder = Folder::new();
    folder.plan("a", "exit 5");
    folder.plan("b", COMPLETES);
    let report = run(&folder, OrchestrateOptions { max: 1, ..options(&folder) }, ids("a b"), |_| {}).unwrap();
    assert_eq!(lines(&report), ["a failed(NoBrowser) 1 0/1", "b completed 1 1/1"]);
    assert_eq!(folder.journal_lines(), ["+a", "-a", "probed, up", "+b", "-b"]);
}

#[test]
fn a_fleet_without_room_launches_nothing_says_why_and_can_be_stopped() {
    let folder = Folder::new();
    folder.plan("a", COMPLETES);
    let mut fleet = folder.start_fleet("memory 18446744073709551615", "a");
    fleet.wait_for("Waiting Memory");
    fleet.signal("INT");
    assert_eq!(fleet.end(), Some(7));
    assert_eq!(fleet.lines("Ended"), ["Ended a stopped"]);
    assert!(folder.journal_lines().is_empty());
}

#[test]
fn a_run_that_is_refused_a_profile_open_elsewhere_is_tried_after_all_others() {
    let folder = Folder::new();
    folder.plan("a", "lock; started; elsewhere; exit 5");
    folder.plan("b", "lock; started; touch b.up; term; finished stopped; exit 7");
    let mut fleet = folder.start_fleet("max 1", "a b");
    fleet.wait_for("PutOff a");
    folder.wait_for("b.up");
    fleet.signal("INT");
    assert_eq!(fleet.end(), Some(7));
    assert_eq!(fleet.lines("Ended"), ["Ended a stopped", "Ended b stopped"]);
    // Nor was the provider asked whether it is there.
    assert_eq!(folder.journal_lines(), ["+a", "-a", "+b", "-b"]);
}

#[test]
fn the_death_of_the_orchestrator_takes_nothing_with_it() {
    let folder = Folder::new();
    folder.plan("a", &format!("lock; started; touch a.up; wait a.go; {}", &COMPLETES[6..]));
    folder.plan("b", COMPLETES);
    let mut fleet = folder.start_fleet("max 1", "a b");
    folder.wait_for("a.up");
    fleet.signal("KILL");
    fleet.end();
    let one = OrchestrateOptions { max: 1, ..options(&folder) };
    let report = run(&folder, one, ids("a b"), |notice| {
        if matches!(notice.fact, FleetFact::RunAdopted { .. }) {
            folder.touch("a.go");
        }
    })
    .unwrap();
    assert_eq!(lines(&report), ["a completed 1 1/1", "b completed 1 1/1"]);
    assert_eq!(folder.journal_lines(), ["+a", "-a", "+b", "-b"], "nothing ran twice");
}

#[test]
fn jobs_that_do_nothing_cost_next_to_nothing() {
    let folder = Folder::new();
    let profiles: Vec<ProfileId> = (0..2_000).map(|n| format!("p{n}").parse().unwrap()).collect();
    let nothing = OrchestrateOptions {
        program: "/bin/true".into(),
        run_arguments: Vec::new(),
        max: 4,
        ..options(&folder)
    };
    let since = Instant::now();
    let report = run(&folder, nothing, profiles.clone(), |_| {}).unwrap();
    let ours = since.elapsed();
    assert_eq!(report.tally.completed, 2_000);
    let list: String = profiles.iter().map(|profile| format!("{profile}\n")).collect();
    fs::write(folder.path("list"), list).unwrap();
    let since = Instant::now();
    let xargs = Command::new("xargs")
        .args(["-P4", "-n1", "/bin/true"])
        .stdin(fs::File::open(folder.path("list")).unwrap())
        .stdout(Stdio::null())
        .status();
    let theirs = since.elapsed();
    println!("2,000 jobs: {ours:?}; xargs -P4: {theirs:?} ({xargs:?})");
}

#[test]
fn ten_thousand_completed_profiles_are_passed_over() {
    let folder = Folder::new();
    let profiles: Vec<ProfileId> = (0..10_000).map(|n| format!("p{n}").parse().unwrap()).collect();
    for profile in &profiles {
        folder.session(profile.as_str(), "COMPLETED", true);
        fs::write(folder.layout().session_lock(profile), "").unwrap();
    }
    let launched = Arc::new(Mutex::new(0));
    let since = Instant::now();
    let report = run(&folder, options(&folder), profiles, |notice| {
        if matches!(notice.fact, FleetFact::RunLaunched { .. }) {
            *launched.lock().unwrap() += 1;
        }
    })
    .unwrap();
    println!("10,000 completed profiles: {:?}", since.elapsed());
    assert_eq!((report.tally.completed, *launched.lock().unwrap()), (10_000, 0));
}

/// Not a test: a run, as the orchestrator starts it. Does nothing in a run of all tests.
#[test]
fn stub_run() {
    stub::play_run();
}

/// Not a test: an orchestrator that can be signalled. Does nothing in a run of all tests.
#[test]
fn stub_fleet() {
    let Some((folder, settings, profiles)) = stub::fleet_arguments() else { return };
    let mut options = options(&folder);
    match settings.split_once(' ') {
        Some(("max", max)) => options.max = max.parse().unwrap(),
        Some(("memory", bytes)) => options.admission.min_free_memory = Some(bytes.parse().unwrap()),
        Some(("grace", millis)) => options.term_grace = Some(Duration::from_millis(millis.parse().unwrap())),
        _ => panic!("unknown setting {settings}"),
    }
    let report = run(&folder, options, ids(&profiles), |notice| match notice.fact {
        FleetFact::RunLaunched { profile, .. } => println!("Launched {profile}"),
        FleetFact::RunAdopted { profile, .. } => println!("Adopted {profile}"),
        FleetFact::ProfilePutOff { profile, .. } => println!("PutOff {profile}"),
        FleetFact::LaunchesWaiting(WaitReason::Memory { .. }) => println!("Waiting Memory"),
        _ => {}
    });
    let report = report.unwrap();
    for line in lines(&report) {
        let mut words = line.split(' ');
        println!("Ended {} {}", words.next().unwrap(), words.next().unwrap());
    }
    std::process::exit(report.exit_code.into());
}
