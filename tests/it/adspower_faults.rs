//! What an operator sees of AdsPower's refusals, each as the emulator words it after the real one.

use serde_json::{Value, json};

use crate::support::program::{Ended, Folder};
use crate::support::sandbox::Sandbox;

struct Place {
    // First of all the runs are ended, then what they talk to.
    folder: Folder,
    sandbox: Sandbox,
}

impl Place {
    fn new() -> Self {
        Self::with_faults(&[])
    }

    fn with_faults(faults: &[Value]) -> Self {
        let folder = Folder::practice();
        let sandbox = Sandbox::with_adspower(&folder.beside("sandbox"), faults);
        folder.write("regatta.toml", "provider = \"adspower\"\n[adspower]\ncalls_per_second = 50.0\n");
        Self { folder, sandbox }
    }

    fn start(&self, arguments: &[&str]) -> crate::support::program::Program {
        let (site, adspower) = (format!("site={}", self.sandbox.site()), self.sandbox.adspower());
        self.folder.start(&[arguments, &["--set", &site, "--adspower-url", &adspower]].concat())
    }

    /// Steps of the profile are done, and its run has only that to say.
    fn is_done(&self, profile: &str) {
        let flags = crate::support::sandbox::SUBMISSIONS;
        let flags: serde_json::Map<_, _> =
            flags.map(|flag| (flag.to_owned(), json!(true))).into_iter().collect();
        let session = json!({ "profile_id": profile, "status": "PENDING", "platform": "desktop",
            "completion_flags": flags, "identity": {} });
        self.folder.write(&format!("state/{profile}.json"), &session.to_string());
    }
}

#[track_caller]
fn check(kind: &str, said: &str, hint: &str) {
    let place = Place::with_faults(&[json!({ "kind": kind, "profile": "p1" })]);
    let ended: Ended = place.start(&["run", "p1"]).wait();
    ended.assert_code(5);
    assert!(ended.stderr.contains(said) && ended.stderr.contains(hint), "{}", ended.stderr);
    let kept = format!("{}{}", ended.stdout, place.folder.read("logs/p1.events.jsonl"));
    assert!(!kept.contains("mail.test") && !ended.stderr.contains("mail.test"), "an address: {kept}");
    // By this event a fleet knows that the profile has done nothing wrong.
    let elsewhere = place.folder.events_of("p1", "used_elsewhere").len();
    assert_eq!(elsewhere, usize::from(kind == "used_elsewhere"), "{kind}");
    assert_eq!(place.folder.session("p1").unwrap()["status"], "FAILED");
    assert_eq!(place.sandbox.open(), json!([]));
}

#[test]
fn every_refusal_ends_in_words_with_a_remedy_and_without_an_address() {
    check("used_elsewhere", "profile p1 is open elsewhere", "close it on the other device");
    check("kernel_missing", "no browser kernel", "download this kernel in AdsPower's settings");
    check("paid_plan", "AdsPower's plan has no API", "needs a paid plan");
    check("unknown_profile", "AdsPower knows no profile p1", "check the id in the list of profiles");
    check("start_failed", "could not start the browser", "open this profile by hand in AdsPower once");
}

/// It was started three times.
#[test]
fn a_profile_that_adspower_does_not_know_is_asked_for_once() {
    let place = Place::with_faults(&[json!({ "kind": "unknown_profile", "profile": "p1" })]);
    place.folder.write("profiles.txt", "p1\n");
    let ended = place.start(&["orchestrate", "--stagger", "0s", "--retries", "2", "profiles.txt"]).wait();
    ended.assert_code(1);
    assert_eq!(place.sandbox.calls("/api/v2/browser-profile/start"), 1, "{}", ended.stdout);
    let finished = place.folder.events_of("p1", "run_finished");
    assert_eq!((finished.len(), &finished[0]["permanent"]), (1, &json!(true)));
}

#[test]
fn an_app_that_restarts_refuses_and_is_slow_is_waited_for() {
    let once = |kind: &str| json!({ "kind": kind, "times": 1, "ms": 300 });
    let place = Place::with_faults(&[once("throttled"), once("not_ready"), once("slow_start")]);
    place.sandbox.fault(&json!({ "kind": "app_restarts", "ms": 1500 }));
    place.start(&["run", "p1", "--until", "mailbox_created"]).wait().assert_code(0);
    assert_eq!(place.sandbox.calls("/api/v2/browser-profile/start"), 3, "throttled, not ready, slow");
    assert_eq!(place.sandbox.open(), json!([]));
}

#[test]
fn a_fleet_shows_that_it_waits_for_the_kernel() {
    let place = Place::with_faults(&[json!({ "kind": "kernel_updating" })]);
    let mut fleet = place.start(&["orchestrate", "--stagger", "0s", "profiles.txt"]);
    fleet.until("a download", || place.folder.events_of("p1", "kernel_downloading").first().cloned());
    fleet.signal(rustix::process::Signal::INT);
    let ended = fleet.wait();
    ended.assert_code(7);
    let told = "by now: SunBrowser 136 is updating, waiting for download.";
    assert!(
        ended.stdout.contains("p1: waits for the browser's kernel, ") && ended.stdout.contains(told),
        "{}",
        ended.stdout
    );
    assert_eq!(place.sandbox.open(), json!([]));
}

#[test]
fn what_is_open_elsewhere_is_known_before_it_is_launched_and_comes_last() {
    let place = Place::with_faults(&[json!({ "kind": "used_elsewhere", "profile": "p1" })]);
    place.folder.write("profiles.txt", "p1\np2\np3\n");
    ["p2", "p3"].iter().for_each(|profile| place.is_done(profile));
    let mut fleet = place.start(&["orchestrate", "--max", "1", "--stagger", "0s", "profiles.txt"]);
    fleet.until("the end of p3", || place.folder.events_of("p3", "run_finished").first().cloned());
    fleet.signal(rustix::process::Signal::INT);
    let ended = fleet.wait();
    ended.assert_code(7);
    let line = "p1: open on another device; again after the others, not before 30.0 s";
    assert!(ended.stdout.contains(line) && !ended.stdout.contains("mail.test"), "{}", ended.stdout);
    assert!(place.folder.events("p1").is_empty(), "it was not launched");
    let calls =
        ["cloud-active", "local-active"].map(|call| place.sandbox.calls(&format!("/api/v1/browser/{call}")));
    assert_eq!((calls, place.sandbox.calls("/api/v2/browser-profile/start")), ([1, 1], 0));
}

#[test]
fn a_used_up_quota_pauses_the_fleet_and_says_for_how_long() {
    let place = Place::new();
    place.sandbox.fault(&json!({ "kind": "daily_quota" }));
    place.folder.write("profiles.txt", "p1\np2\np3\n");
    let mut fleet = place.start(&["orchestrate", "--max", "1", "--stagger", "0s", "profiles.txt"]);
    let paused = |events: Vec<Value>| events.first().map(|event| event["ms"].as_u64().unwrap());
    let ms = fleet.until("a pause", || paused(place.folder.events_of("p1", "provider_paused")));
    assert_eq!(ms, 7 * 3_600_000);
    // The orchestrator has read it, too.
    fleet.until("the pause in its log", || {
        let logs = std::fs::read_dir(place.folder.path("logs")).unwrap().flatten();
        let mut logs = logs.filter(|log| log.file_name().to_string_lossy().starts_with("orchestrator."));
        let text = std::fs::read_to_string(logs.next()?.path()).unwrap();
        text.contains("the provider opens no more browsers").then_some(())
    });
    fleet.signal(rustix::process::Signal::INT);
    let ended = fleet.wait();
    ended.assert_code(7);
    assert!(ended.stdout.contains("the provider opens no more browsers for 7 h 00 min"), "{}", ended.stdout);
    assert!(place.folder.events("p2").is_empty(), "no other profile was tried");
}

#[test]
fn a_browser_the_registry_lost_is_found_and_ended() {
    let place = Place::new();
    place.sandbox.switch(&json!({ "hang": ["/"] }));
    let mut run = place.start(&["run", "p1"]);
    run.until("a browser", || place.folder.events_of("p1", "browser_started").first().cloned());
    run.kill();
    place.sandbox.fault(&json!({ "kind": "registry_lost" }));
    assert_eq!(place.sandbox.open(), json!([]));
    let adspower = place.sandbox.adspower();
    let clean = |more: &[&str]| {
        let ended = place.folder.run(&[&["clean", "--json", "--adspower-url", &adspower], more].concat());
        ended.assert_code(0);
        serde_json::from_str::<Value>(&ended.stdout).unwrap()
    };
    let found = clean(&["--dry-run"]);
    assert_eq!(found[0]["kind"], "browser", "{found}");
    assert!(found[0]["name"].as_str().unwrap().starts_with("ws://127.0.0.1:"), "{found}");
    assert_eq!(clean(&[])[0]["state"], "ended");
    assert_eq!(clean(&[]), json!([]));
}
