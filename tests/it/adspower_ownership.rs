//! A browser that a person or another program has opened on this machine is never taken over and closed, and
//! one that a run has opened is known to be ours however that run ended. Judged by AdsPower's emulator.

use rustix::process::Signal;
use serde_json::json;

use crate::support::adspower::AdsPowerFixture;
use crate::support::program::Program;

const STEP: [&str; 2] = ["--until", "mailbox_created"];

fn run(place: &AdsPowerFixture, more: &[&str]) -> Program {
    place.start(&[&["run", "p1"], more].concat())
}

/// A run that stands still with its browser open.
fn stands_still(place: &AdsPowerFixture) -> Program {
    place.sandbox.switch(&json!({ "hang": ["/"] }));
    let mut run = run(place, &[]);
    run.until("a browser", || place.folder.events_of("p1", "browser_started").first().cloned());
    place.sandbox.switch(&json!({ "hang": [] }));
    run
}

#[track_caller]
fn assert_refused(place: &AdsPowerFixture, run: Program) {
    let ended = run.wait();
    ended.assert_code(5);
    assert!(
        ended.stderr.contains("profile p1 is open on this machine, and Regatta did not open it")
            && ended.stderr.contains("regatta run p1 --attach"),
        "{}",
        ended.stderr
    );
    assert_eq!(place.folder.events_of("p1", "used_elsewhere").len(), 1);
}

#[test]
fn what_a_person_has_opened_is_refused_and_stays_open() {
    let place = AdsPowerFixture::new();
    let persons = place.sandbox.open_by_hand("p1");
    assert_refused(&place, run(&place, &STEP));
    assert_eq!(place.sandbox.browser_of("p1"), Some(persons));
    assert_eq!(place.sandbox.counts("p1"), [0; 5]);
    place.sandbox.close_by_hand("p1");
    run(&place, &STEP).wait().assert_code(0);
}

#[test]
fn a_fleet_puts_off_what_a_person_has_opened() {
    let place = AdsPowerFixture::new();
    let persons = place.sandbox.open_by_hand("p1");
    place.folder.write("profiles.txt", "p1\np2\np3\n");
    ["p2", "p3"].iter().for_each(|profile| place.is_done(profile));
    let mut fleet = place.start(&["orchestrate", "--max", "1", "--stagger", "0s", "profiles.txt"]);
    fleet.until("the end of p3", || place.folder.events_of("p3", "run_finished").first().cloned());
    fleet.signal(Signal::INT);
    let ended = fleet.wait();
    ended.assert_code(7);
    assert!(ended.stdout.contains("p1: open outside of Regatta"), "{}", ended.stdout);
    assert!(place.folder.events("p1").is_empty(), "it was not launched");
    assert_eq!(place.sandbox.browser_of("p1"), Some(persons));
}

#[test]
fn attach_joins_what_a_person_has_opened_and_leaves_it_open() {
    let place = AdsPowerFixture::new();
    let persons = place.sandbox.open_by_hand("p1");
    run(&place, &["--attach"]).wait().assert_code(0);
    place.sandbox.assert_once_each(&["p1"]);
    assert_eq!(place.sandbox.browser_of("p1"), Some(persons));
    assert!(place.folder.events_of("p1", "browser_stopped").is_empty());
    assert_eq!(place.folder.events_of("p1", "browser_started")[0]["reused"], true);
    // Nor does a later run take it for ours.
    place.folder.run(&["reset", "p1", "--step", "mailbox_created"]);
    assert_refused(&place, run(&place, &STEP));
}

#[test]
fn there_has_to_be_a_browser_to_attach_to() {
    let place = AdsPowerFixture::new();
    let ended = run(&place, &["--attach"]).wait();
    ended.assert_code(5);
    assert!(ended.stderr.contains("leave out --attach"), "{}", ended.stderr);
    assert_eq!(place.sandbox.calls("/api/v2/browser-profile/start"), 0);
}

#[test]
fn the_browser_of_a_killed_run_is_taken_over_and_closed() {
    let place = AdsPowerFixture::new();
    stands_still(&place).kill();
    let ours = place.sandbox.browser_of("p1").unwrap();
    run(&place, &STEP).wait().assert_code(0);
    let opened = place.folder.events_of("p1", "browser_started");
    assert_eq!((opened.len(), &opened[1]["reused"]), (2, &json!(true)), "{ours}");
    assert_eq!(place.sandbox.open(), json!([]));
}

/// The process dies after it has asked and before it is answered: only the age of the browser's process says
/// whose it is.
#[test]
fn the_browser_of_a_run_that_was_killed_while_it_asked_is_taken_over_and_closed() {
    let place = AdsPowerFixture::with_faults(&[json!({ "kind": "slow_start", "times": 1, "ms": 1500 })]);
    let mut asking = run(&place, &STEP);
    asking.until("a start", || (place.sandbox.calls("/api/v2/browser-profile/start") > 0).then_some(()));
    asking.kill();
    let mut next = run(&place, &STEP);
    next.until("a browser", || place.folder.events_of("p1", "browser_started").first().cloned());
    next.wait().assert_code(0);
    assert_eq!(place.sandbox.open(), json!([]));
}

#[test]
fn what_a_person_opens_where_the_browser_of_a_killed_run_is_gone_stays_open() {
    let place = AdsPowerFixture::new();
    stands_still(&place).kill();
    place.sandbox.close_by_hand("p1");
    let persons = place.sandbox.open_by_hand("p1");
    let adspower = place.sandbox.adspower();
    place.folder.run(&["clean", "--adspower-url", &adspower]).assert_code(0);
    assert_eq!(place.sandbox.browser_of("p1").as_ref(), Some(&persons));
    assert_refused(&place, run(&place, &STEP));
    assert_eq!(place.sandbox.browser_of("p1"), Some(persons));
}

#[test]
fn what_a_person_opens_in_the_place_of_our_browser_is_not_closed_at_the_end_of_the_run() {
    let place = AdsPowerFixture::new();
    let run = stands_still(&place);
    place.sandbox.close_by_hand("p1");
    let persons = place.sandbox.open_by_hand("p1");
    assert_ne!(run.wait().code, Some(0));
    assert_eq!(place.sandbox.browser_of("p1"), Some(persons));
}

/// Between the question whether it is open and the start other processes have their turns.
#[test]
fn what_a_person_opens_between_the_question_and_the_start_stays_open() {
    let place = AdsPowerFixture::new();
    place.settings("");
    let text = place.folder.read("regatta.toml").replace("50.0", "0.25");
    place.folder.write("regatta.toml", &text);
    let mut run = run(&place, &STEP);
    run.until("the question", || (place.sandbox.calls("/api/v2/browser-profile/active") > 0).then_some(()));
    let persons = place.sandbox.open_by_hand("p1");
    assert_refused(&place, run);
    assert_eq!(place.sandbox.calls("/api/v2/browser-profile/start"), 2, "ours was the second");
    assert_eq!(place.sandbox.browser_of("p1"), Some(persons));
}
