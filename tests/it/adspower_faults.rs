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
        let folder = Folder::practice();
        let sandbox = Sandbox::with_adspower(&folder.beside("sandbox"));
        folder.write("regatta.toml", "provider = \"adspower\"\n[adspower]\ncalls_per_second = 50.0\n");
        Self { folder, sandbox }
    }

    fn start(&self, arguments: &[&str]) -> crate::support::program::Program {
        let (site, adspower) = (format!("site={}", self.sandbox.site()), self.sandbox.adspower());
        self.folder.start(&[arguments, &["--set", &site, "--adspower-url", &adspower]].concat())
    }

    fn refused(&self, kind: &str) -> Ended {
        self.sandbox.fault(&json!({ "kind": kind, "profile": "p1" }));
        self.start(&["run", "p1"]).wait()
    }
}

#[track_caller]
fn check(kind: &str, said: &str, hint: &str) {
    let place = Place::new();
    let ended = place.refused(kind);
    ended.assert_code(5);
    assert!(ended.stderr.contains(said) && ended.stderr.contains(hint), "{}", ended.stderr);
    let kept = format!("{}{}", ended.stdout, place.folder.read("logs/p1.events.jsonl"));
    assert!(!kept.contains("mail.test") && !ended.stderr.contains("mail.test"), "an address: {kept}");
    assert_eq!(place.folder.session("p1").unwrap()["status"], "FAILED");
    assert_eq!(place.sandbox.open(), json!([]));
}

#[test]
fn every_refusal_ends_in_words_with_a_remedy_and_without_an_address() {
    check("used_elsewhere", "profile p1 is open elsewhere", "close it on the other device");
    check("kernel_missing", "no browser kernel", "download this kernel in AdsPower's settings");
    check("paid_plan", "AdsPower's plan has no API", "needs a paid plan");
    check("start_failed", "could not start the browser", "open this profile by hand in AdsPower once");
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
