use std::time::Duration;

use expect_test::expect;

use super::*;
use regatta_core::event::{EVENT_VERSION, Event, EventKind, NetworkTotals, StepMode, StepOutcome};
use regatta_core::fleet::fact::{FleetFact, WaitReason};
use regatta_core::fleet::report::{FLEET_REPORT_VERSION, ProfileReport};
use regatta_core::fleet::{Enforcement, JobFailure, JobOutcome, Severity, Slot, TimeLimit};
use regatta_core::id::{ProfileId, RunId};
use regatta_core::outcome::{FleetOutcome, RunOutcome};

fn id(name: &str) -> ProfileId {
    name.parse().unwrap()
}

fn at(second: i64) -> jiff::Timestamp {
    "2026-01-02T03:04:05Z".parse::<jiff::Timestamp>().unwrap() + jiff::SignedDuration::from_secs(second)
}

fn profile(name: &str, outcome: JobOutcome, done: usize, attempts: u32, ms: u64) -> ProfileReport {
    ProfileReport {
        profile_id: id(name),
        outcome,
        attempts,
        steps_done: done,
        steps: 4,
        ms,
        last_error: None,
        evidence: None,
        network: NetworkTotals::default(),
    }
}

fn profiles() -> Vec<ProfileReport> {
    vec![
        profile("k18imh7u", JobOutcome::Completed, 4, 1, 65_000),
        profile("before", JobOutcome::Completed, 4, 0, 0),
        ProfileReport {
            last_error: Some("no element matches any of its 3 selectors within 10 s\nmore of it".to_owned()),
            evidence: Some("artifacts/b-2/1".to_owned()),
            ..profile("b-2", JobOutcome::Failed(JobFailure::StepFailed), 1, 3, 12_340)
        },
        profile("crashes", JobOutcome::Failed(JobFailure::Crashed), 0, 1, 90),
        ProfileReport {
            last_error: Some("step `store_signup` is in doubt".to_owned()),
            ..profile("c", JobOutcome::NeedsAttention, 2, 1, 7_500_000)
        },
        profile("d", JobOutcome::Stopped, 0, 0, 0),
    ]
}

pub fn report() -> FleetReport {
    FleetReport {
        v: FLEET_REPORT_VERSION,
        outcome: FleetOutcome::Stopped,
        exit_code: 7,
        started_at: at(0),
        ms: 7_600_000,
        tally: Tally { completed: 2, need_attention: 1, failed: 2, stopped: 1 },
        refused: 0,
        profiles: profiles(),
    }
}

/// One notice of each kind.
pub fn story() -> Vec<FleetNotice> {
    let (first, second) = (Slot::new(0), Slot::new(1));
    let run_event = |name: &str, slot, kind| FleetFact::RunEvent {
        slot,
        event: Event {
            v: EVENT_VERSION,
            seq: 1,
            at: at(0),
            run_id: RunId::new(at(0), 1),
            profile_id: id(name),
            kind,
        },
    };
    let flag = || "store_signup".parse().unwrap();
    let network = NetworkTotals::default;
    let [completed, before, failed, crashed, attention, stopped] = profiles().try_into().unwrap();
    let kinds = [
        FleetFact::ProfileEnded(before),
        FleetFact::FleetSurveyed { profiles: 6, ended: Tally { completed: 1, ..Tally::default() } },
        FleetFact::RunLaunched { profile: id("k18imh7u"), slot: first, attempt: 1, pid: 41 },
        FleetFact::RunAdopted { profile: id("b-2"), slot: second, attempt: 1, pid: Some(7) },
        run_event(
            "k18imh7u",
            first,
            EventKind::RunStarted { pid: 41, plan: "x".into(), steps: 4, done: 1, browser: None },
        ),
        run_event(
            "k18imh7u",
            first,
            EventKind::StepStarted { flag: flag(), attempt: 1, mode: StepMode::Act },
        ),
        run_event(
            "k18imh7u",
            first,
            EventKind::ActionStarted {
                flag: flag(),
                flow: "flows/store.json".into(),
                step: "7".into(),
                number: 7,
                of: 12,
                action: "click".into(),
            },
        ),
        run_event(
            "k18imh7u",
            first,
            EventKind::StepStarted { flag: flag(), attempt: 2, mode: StepMode::Verify },
        ),
        run_event(
            "k18imh7u",
            first,
            EventKind::StepFinished {
                flag: flag(),
                outcome: StepOutcome::Verified,
                ms: 900,
                network: network(),
            },
        ),
        run_event(
            "k18imh7u",
            first,
            EventKind::StepFinished {
                flag: flag(),
                outcome: StepOutcome::Done,
                ms: 2_340,
                network: network(),
            },
        ),
        run_event(
            "b-2",
            second,
            EventKind::StepFinished {
                flag: flag(),
                outcome: StepOutcome::Failed,
                ms: 61_000,
                network: network(),
            },
        ),
        FleetFact::ProfileBackingOff {
            profile: id("b-2"),
            attempt: 1,
            delay: Duration::from_millis(2_200),
            cause: "a step failed".into(),
        },
        run_event(
            "k18imh7u",
            first,
            EventKind::RunFinished {
                outcome: RunOutcome::Completed,
                exit_code: 0,
                message: None,
                permanent: false,
                cause: None,
                retry_after_ms: None,
                ms: 1,
            },
        ),
        FleetFact::ProfileEnded(completed),
        FleetFact::RunLaunched { profile: id("b-2"), slot: first, attempt: 2, pid: 42 },
        FleetFact::RunLaunched { profile: id("crashes"), slot: second, attempt: 1, pid: 43 },
        FleetFact::ProfileEnded(failed),
        FleetFact::RunCrashed { profile: id("crashes"), cause: "the run crashed (signal 9)".into() },
        FleetFact::ProfileEnded(crashed),
        FleetFact::ProfileEnded(attention),
        FleetFact::FleetStopping { severity: Severity::Drain },
        FleetFact::ProfileEnded(stopped),
        FleetFact::FleetStopping { severity: Severity::Now },
        FleetFact::FleetFinished { outcome: FleetOutcome::Stopped, tally: report().tally },
    ];
    (0..).zip(kinds).map(|(second, kind)| FleetNotice { at: at(second), fact: kind }).collect()
}

fn lines(quiet: bool) -> String {
    let plain = FleetLines::new(quiet, TimeZone::UTC);
    let lines: Vec<_> =
        story().iter().filter_map(|notice| plain.line(notice)).map(|(_, line)| line).collect();
    lines.join("\n")
}

#[test]
fn plain_lines_tell_what_happens() {
    expect![[r#"
        03:04:06 6 profiles, before the first launch 1 completed
        03:04:07 k18imh7u: launched in slot 1 (process 41)
        03:04:08 b-2: adopted a living run in slot 2 (process 7)
        03:04:12 k18imh7u: store_signup is in doubt, asking the site
        03:04:13 k18imh7u: store_signup: the site confirms that it is done
        03:04:14 k18imh7u: store_signup done in 2.3 s
        03:04:15 b-2: store_signup failed after 1 min 01 s
        03:04:16 b-2: attempt 1 failed: a step failed; retrying in 2.2 s
        03:04:18 k18imh7u: completed, 4/4 steps in 1 min 05 s
        03:04:19 b-2: launched in slot 1, attempt 2 (process 42)
        03:04:20 crashes: launched in slot 2 (process 43)
        03:04:21 b-2: failed, 1/4 steps: no element matches any of its 3 selectors within 10 s; see artifacts/b-2/1
        03:04:22 crashes: the run crashed (signal 9); ending its left-overs
        03:04:23 crashes: failed, 0/4 steps: crashed
        03:04:24 c: needs attention: step `store_signup` is in doubt
        03:04:25 stopping: no more launches, runs end after their step; a second request ends them now
        03:04:27 stopping now: runs are killed, their browsers stopped"#]]
    .assert_eq(&lines(false));
}

#[test]
fn quiet_tells_only_what_went_wrong() {
    expect![[r#"
        03:04:15 b-2: store_signup failed after 1 min 01 s
        03:04:16 b-2: attempt 1 failed: a step failed; retrying in 2.2 s
        03:04:21 b-2: failed, 1/4 steps: no element matches any of its 3 selectors within 10 s; see artifacts/b-2/1
        03:04:22 crashes: the run crashed (signal 9); ending its left-overs
        03:04:23 crashes: failed, 0/4 steps: crashed
        03:04:24 c: needs attention: step `store_signup` is in doubt
        03:04:25 stopping: no more launches, runs end after their step; a second request ends them now
        03:04:27 stopping now: runs are killed, their browsers stopped"#]]
    .assert_eq(&lines(true));
}

#[test]
fn the_table_lists_every_profile() {
    expect![[r#"
        PROFILE   STATUS           STEPS  ATTEMPTS        TIME  LAST ERROR
        k18imh7u  COMPLETED          4/4         1  1 min 05 s
        before    COMPLETED          4/4         0           -
        b-2       FAILED             1/4         3      12.3 s  no element matches any of its 3 selectors within 10 s (artifacts/b-2/1)
        crashes   FAILED             0/4         1       90 ms  crashed
        c         NEEDS_ATTENTION    2/4         1  2 h 05 min  step `store_signup` is in doubt

        1 profile was never launched: d
        6 profiles: 2 completed, 1 needs attention, 2 failed, 1 stopped; 11 of 24 steps done, 2 h 06 min
    "#]].assert_eq(&closing_table(&report(), Paint { color: false }));
}

#[test]
fn profiles_that_were_never_launched_are_counted_in_one_line() {
    let mut stopped = report();
    let never = (0..200).map(|n| profile(&format!("p{n}"), JobOutcome::Stopped, 0, 0, 0));
    stopped.profiles = never.chain([profile("q1", JobOutcome::Stopped, 1, 1, 1_000)]).collect();
    stopped.tally = Tally { stopped: 201, ..Tally::default() };
    expect![[r#"
        PROFILE  STATUS   STEPS  ATTEMPTS   TIME  LAST ERROR
        q1       STOPPED    1/4         1  1.0 s

        200 profiles were never launched
        201 profiles: 201 stopped; 1 of 804 steps done, 2 h 06 min
    "#]]
    .assert_eq(&closing_table(&stopped, Paint { color: false }));
}

#[test]
fn colours_do_not_move_the_columns() {
    let painted = closing_table(&report(), Paint { color: true });
    assert!(painted.contains("\u{1b}[31mFAILED"), "{painted:?}");
    let mut bare = painted;
    for code in ["0", "2", "31", "32", "33"] {
        bare = bare.replace(&format!("\u{1b}[{code}m"), "");
    }
    let bare: Vec<_> = bare.lines().map(str::trim_end).collect();
    assert_eq!(bare.join("\n") + "\n", closing_table(&report(), Paint { color: false }));
}

#[test]
fn many_completed_profiles_are_counted_and_not_listed() {
    let mut many = report();
    let completed = (0..200).map(|n| profile(&format!("p{n}"), JobOutcome::Completed, 4, 1, 1_000));
    many.profiles = completed.chain(profiles().into_iter().skip(2).take(1)).collect();
    many.tally = Tally { completed: 200, failed: 1, ..Tally::default() };
    expect![[r#"
        PROFILE  STATUS  STEPS  ATTEMPTS    TIME  LAST ERROR
        b-2      FAILED    1/4         3  12.3 s  no element matches any of its 3 selectors within 10 s (artifacts/b-2/1)

        201 profiles: 200 completed, 1 failed; 801 of 804 steps done, 2 h 06 min
    "#]].assert_eq(&closing_table(&many, Paint { color: false }));
    many.profiles.truncate(200);
    many.tally.failed = 0;
    expect![[r#"
        200 profiles: 200 completed; 800 of 800 steps done, 2 h 06 min
    "#]]
    .assert_eq(&closing_table(&many, Paint { color: false }));
}

#[test]
fn the_json_document_is_the_published_one() {
    let mut small = report();
    small.profiles.drain(..2);
    small.profiles.truncate(2);
    let text = serde_json::to_string_pretty(&small).unwrap();
    expect![[r#"
        {
          "v": 1,
          "outcome": "stopped",
          "exit_code": 7,
          "started_at": "2026-01-02T03:04:05Z",
          "ms": 7600000,
          "tally": {
            "completed": 2,
            "need_attention": 1,
            "failed": 2,
            "stopped": 1
          },
          "profiles": [
            {
              "profile_id": "b-2",
              "outcome": "failed",
              "cause": "step_failed",
              "attempts": 3,
              "steps_done": 1,
              "steps": 4,
              "ms": 12340,
              "last_error": "no element matches any of its 3 selectors within 10 s\nmore of it",
              "evidence": "artifacts/b-2/1",
              "network": {
                "requests": 0,
                "failed": 0,
                "bytes_received": 0,
                "bytes_sent": 0
              }
            },
            {
              "profile_id": "crashes",
              "outcome": "failed",
              "cause": "crashed",
              "attempts": 1,
              "steps_done": 0,
              "steps": 4,
              "ms": 90,
              "network": {
                "requests": 0,
                "failed": 0,
                "bytes_received": 0,
                "bytes_sent": 0
              }
            }
          ]
        }"#]]
    .assert_eq(&text);
    assert_eq!(serde_json::from_str::<FleetReport>(&text).unwrap(), small);
}

#[test]
fn times_are_as_exact_as_they_are_long() {
    let times = [0, 999, 1_000, 59_999, 60_000, 3_599_000, 3_600_000, 90_000_000].map(span);
    expect!["0 ms, 999 ms, 1.0 s, 59.9 s, 1 min 00 s, 59 min 59 s, 1 h 00 min, 25 h 00 min"]
        .assert_eq(&times.join(", "));
}

#[test]
fn what_launches_wait_for_and_what_happens_to_a_slow_run_is_said() {
    let ten_minutes = Duration::from_secs(600);
    let over = |limit, demand| FleetFact::RunOverTime { profile: id("p1"), limit, demand };
    let kinds = [
        over(TimeLimit::Stall(ten_minutes), Enforcement::StopAfterStep),
        over(TimeLimit::Stall(ten_minutes), Enforcement::StopNow),
        over(TimeLimit::Run(ten_minutes), Enforcement::Kill),
        FleetFact::LaunchesWaiting(WaitReason::Memory { free: 300 << 20, wanted: 1 << 30 }),
        FleetFact::LaunchesWaiting(WaitReason::MemoryPressure { percent: 12.4 }),
        FleetFact::LaunchesWaiting(WaitReason::Load { load: 3.25, most: 1.5 }),
        FleetFact::LaunchesWaiting(WaitReason::Provider {
            problem: "AdsPower is not reachable\nmore of it".to_owned(),
        }),
        FleetFact::LaunchesWaiting(WaitReason::ProviderQuota { pause: Duration::from_secs(7 * 3600) }),
        FleetFact::LaunchesResumed,
        FleetFact::LeftOversEnded { profile: id("p1") },
    ];
    let lines = kinds.iter().filter_map(|kind| Some(super::plain::text(kind)?.1)).collect::<Vec<_>>();
    expect![[r#"
        p1: no event for 10 min; asked to stop after its step
        p1: no event for 10 min; asked to stop now
        p1: running for 10 min; killed
        launches wait: 300 MiB of memory are free, 1024 MiB are needed
        launches wait: memory is short 12 % of the time
        launches wait: the load is 3.2 a processor, at most 1.5
        launches wait for the provider: AdsPower is not reachable
        launches wait: the provider opens no more browsers for 7 h
        launches resume
        p1: left-overs of its dead run are gone"#]]
    .assert_eq(&lines.join("\n"));
}
