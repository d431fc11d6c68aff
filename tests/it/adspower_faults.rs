//! What an operator sees of AdsPower's refusals, each as the emulator words it after the real one.

use serde_json::{Value, json};

use crate::support::adspower::AdsPowerFixture;
use crate::support::program::Ended;

#[track_caller]
fn check(kind: &str, said: &str, hint: &str) {
    let place = AdsPowerFixture::with_faults(&[json!({ "kind": kind, "profile": "p1" })]);
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
    check("firefox_kernel", "uses a Firefox kernel, which Regatta cannot drive", "choose a Chrome kernel");
    check("no_devtools", "named no DevTools address (`ws.puppeteer`)", "only Chrome kernels");
    check(
        "proxy_failed",
        "the proxy of profile p1 does not work: Check Proxy Fail",
        "check the proxy of this",
    );
    check("no_permission", "no permission for this call", "give the account of this key the permission");
    check("paid_plan", "AdsPower's plan has no API", "needs a paid plan");
    check("unknown_profile", "AdsPower knows no profile p1", "check the id in the list of profiles");
    check("start_failed", "could not start the browser", "open this profile by hand in AdsPower once");
}

/// It was started three times.
#[test]
fn a_profile_that_adspower_does_not_know_is_asked_for_once() {
    let place = AdsPowerFixture::with_faults(&[json!({ "kind": "unknown_profile", "profile": "p1" })]);
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
    let place = AdsPowerFixture::with_faults(&[once("throttled"), once("not_ready"), once("slow_start")]);
    place.sandbox.fault(&json!({ "kind": "app_restarts", "ms": 1500 }));
    place.start(&["run", "p1", "--until", "mailbox_created"]).wait().assert_code(0);
    assert_eq!(place.sandbox.calls("/api/v2/browser-profile/start"), 3, "throttled, not ready, slow");
    assert_eq!(place.sandbox.open(), json!([]));
}

#[test]
fn a_fleet_shows_that_it_waits_for_the_kernel() {
    let place = AdsPowerFixture::with_faults(&[json!({ "kind": "kernel_updating" })]);
    let mut fleet = place.start(&["orchestrate", "--stagger", "0s", "profiles.txt"]);
    fleet.until("a download", || place.folder.events_of("p1", "kernel_downloading").first().cloned());
    fleet.signal(rustix::process::Signal::INT);
    let ended = fleet.wait();
    ended.assert_code(7);
    let reported = "so far): SunBrowser 136 is updating, waiting for download.";
    assert!(
        ended.stdout.contains("p1: waiting for the browser kernel (") && ended.stdout.contains(reported),
        "{}",
        ended.stdout
    );
    assert_eq!(place.sandbox.open(), json!([]));
}

#[test]
fn what_is_open_elsewhere_is_known_before_it_is_launched_and_comes_last() {
    let place = AdsPowerFixture::with_faults(&[json!({ "kind": "used_elsewhere", "profile": "p1" })]);
    place.folder.write("profiles.txt", "p1\np2\np3\n");
    ["p2", "p3"].iter().for_each(|profile| place.is_done(profile));
    let mut fleet = place.start(&["orchestrate", "--max", "1", "--stagger", "0s", "profiles.txt"]);
    fleet.until("the end of p3", || place.folder.events_of("p3", "run_finished").first().cloned());
    fleet.signal(rustix::process::Signal::INT);
    let ended = fleet.wait();
    ended.assert_code(7);
    let line = "p1: open outside of Regatta; retrying after the others, in 30 s at the earliest";
    assert!(ended.stdout.contains(line) && !ended.stdout.contains("mail.test"), "{}", ended.stdout);
    assert!(place.folder.events("p1").is_empty(), "it was not launched");
    let calls =
        ["cloud-active", "local-active"].map(|call| place.sandbox.calls(&format!("/api/v1/browser/{call}")));
    assert_eq!((calls, place.sandbox.calls("/api/v2/browser-profile/start")), ([1, 1], 0));
}

#[test]
fn a_used_up_quota_pauses_the_fleet_and_says_for_how_long() {
    let place = AdsPowerFixture::new();
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
        text.contains("provider_quota").then_some(())
    });
    fleet.signal(rustix::process::Signal::INT);
    let ended = fleet.wait();
    ended.assert_code(7);
    assert!(ended.stdout.contains("the provider opens no more browsers for 7 h"), "{}", ended.stdout);
    assert!(place.folder.events("p2").is_empty(), "no other profile was tried");
}

#[test]
fn a_browser_the_registry_lost_is_found_and_ended() {
    let place = AdsPowerFixture::new();
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

#[test]
fn a_kernel_that_is_missing_is_asked_for_and_waited_for() {
    let place = AdsPowerFixture::with_faults(&[
        json!({ "kind": "kernel_updating", "times": 1 }),
        json!({ "kind": "kernel_missing", "profile": "p1" }),
    ]);
    place.start(&["run", "p1", "--until", "mailbox_created"]).wait().assert_code(0);
    let reported = place.folder.events_of("p1", "kernel_downloading");
    assert_eq!(reported[0]["message"], "SunBrowser 136 is updating, waiting for download.");
    assert_eq!(place.sandbox.calls("/api/v2/browser-profile/download-kernel"), 1);
    assert_eq!(place.sandbox.open(), json!([]));
}

#[test]
fn an_application_without_the_second_version_is_told_and_driven_by_the_first() {
    let place = AdsPowerFixture::with_faults(&[json!({ "kind": "old_application" })]);
    let ended = place.start(&["run", "p1", "--until", "mailbox_created"]).wait();
    ended.assert_code(5);
    assert!(ended.stderr.contains("api = \"v1\" below [adspower]"), "{}", ended.stderr);
    place.settings("api = \"v1\"\n");
    place.start(&["run", "p1", "--until", "mailbox_created"]).wait().assert_code(0);
    assert_eq!(place.sandbox.open(), json!([]));
}

/// Waiting would not help, and each further run would end in the same way.
#[test]
fn a_fleet_ends_at_once_where_the_provider_refuses_every_profile() {
    let place = AdsPowerFixture::with_faults(&[json!({ "kind": "paid_plan" })]);
    place.folder.write("profiles.txt", "p1\np2\np3\n");
    let ended = place.start(&["orchestrate", "--max", "1", "--stagger", "0s", "profiles.txt"]).wait();
    ended.assert_code(2);
    assert!(
        ended.stderr.contains("error: AdsPower's plan has no API")
            && ended.stderr.contains("needs a paid plan"),
        "{}",
        ended.stderr
    );
    assert_eq!(place.sandbox.calls("/api/v2/browser-profile/start"), 1, "{}", ended.stdout);
    assert_eq!(place.folder.events_of("p1", "provider_refused").len(), 1);
    assert!(place.folder.events("p2").is_empty());
}

#[test]
fn a_wrong_key_ends_a_fleet_at_once_and_is_named() {
    let place = AdsPowerFixture::with_key("right");
    place.settings("key_env = \"PRACTICE_KEY\"\n");
    place.folder.write("profiles.txt", "p1\np2\n");
    let with_key = |key: &str, arguments: &[&str]| {
        let mut command = place.command(arguments);
        command.env("PRACTICE_KEY", key);
        place.folder.start_command(command).wait()
    };
    let ended = with_key("wrong", &["orchestrate", "--stagger", "0s", "profiles.txt"]);
    ended.assert_code(2);
    assert!(
        ended.stderr.contains("error: AdsPower refuses the API key: Please config the api key")
            && ended.stderr.contains("compare the variable `PRACTICE_KEY`"),
        "{}",
        ended.stderr
    );
    assert!(place.folder.events("p1").is_empty(), "nothing was launched");
    let ended = with_key("wrong", &["run", "p1"]);
    ended.assert_code(5);
    assert!(ended.stderr.contains("compare the variable `PRACTICE_KEY`"), "{}", ended.stderr);
    with_key("right", &["run", "p1", "--until", "mailbox_created"]).assert_code(0);
}

#[test]
fn a_key_that_is_named_and_not_set_is_told_before_anything_is_asked() {
    let place = AdsPowerFixture::with_key("right");
    place.settings("key_env = \"PRACTICE_KEY\"\n");
    let ended = place.start(&["run", "p1"]).wait();
    ended.assert_code(2);
    assert!(
        ended.stderr.contains("names the variable `PRACTICE_KEY`, and it is not set")
            && ended.stderr.contains("export PRACTICE_KEY="),
        "{}",
        ended.stderr
    );
    assert_eq!(place.sandbox.calls("/api/v2/browser-profile/active"), 0);
    place.settings("");
    let ended = place.start(&["run", "p1"]).wait();
    ended.assert_code(5);
    assert!(ended.stderr.contains("key_env = \"ADSPOWER_API_KEY\""), "{}", ended.stderr);
}

#[test]
fn doctor_asks_adspower_in_a_folder_that_was_just_made() {
    let place = AdsPowerFixture::new();
    for folder in ["state", "logs", "artifacts"] {
        std::fs::remove_dir_all(place.folder.path(folder)).ok();
    }
    let ended = place.folder.run(&["doctor", "--json", "--adspower-url", &place.sandbox.adspower()]);
    let findings: Vec<Value> = serde_json::from_str(&ended.stdout).unwrap();
    let adspower = findings.iter().find(|finding| finding["check"] == "adspower").unwrap();
    assert_eq!(adspower["level"], "good", "{adspower}");
    assert!(adspower["found"].as_str().unwrap().ends_with("knows 5 profiles"), "{adspower}");
}

#[test]
fn adspower_is_told_what_is_meant_and_nothing_else() {
    let place = AdsPowerFixture::new();
    place.start(&["run", "p1", "--until", "mailbox_created"]).wait().assert_code(0);
    assert_eq!(
        place.sandbox.last_start("p1"),
        json!({ "profile_id": "p1", "headless": "1", "last_opened_tabs": "0", "proxy_detection": "0" })
    );
    place.settings("cdp_mask = false\ndelete_cache = true\nlaunch_arguments = [\"--lang=de\"]\n");
    place.folder.write(
        "fleet.csv",
        "id,adspower.delete_cache,adspower.device_scale,adspower.last_opened_tabs\np2,0,1.5,1\np3,,,\n",
    );
    ["p2", "p3"].iter().for_each(|profile| {
        std::fs::remove_file(place.folder.path(&format!("state/{profile}.json"))).ok();
    });
    let mut fleet = place.start(&["orchestrate", "--stagger", "0s", "fleet.csv"]);
    fleet.until("both", || {
        let opened = |profile: &str| place.folder.events_of(profile, "browser_started").first().cloned();
        opened("p2").and(opened("p3"))
    });
    fleet.signal(rustix::process::Signal::INT);
    fleet.wait();
    let common =
        json!({ "headless": "1", "proxy_detection": "0", "cdp_mask": "0", "launch_args": ["--lang=de"] });
    let with = |more: Value| {
        let mut start = common.clone();
        start.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        start
    };
    assert_eq!(
        place.sandbox.last_start("p2"),
        with(
            json!({ "profile_id": "p2", "delete_cache": "0", "device_scale": "1.5", "last_opened_tabs": "1" })
        )
    );
    assert_eq!(
        place.sandbox.last_start("p3"),
        with(json!({ "profile_id": "p3", "delete_cache": "1", "last_opened_tabs": "0" }))
    );
    assert_eq!(place.folder.session("p2").unwrap()["adspower"]["device_scale"], "1.5");
}
