//! Kills runs and orchestrators at chosen moments: the next run continues, and the site's ledger has every
//! submission once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::program::{Ended, Folder, PATIENCE, Program};
use crate::support::sandbox::{SUBMISSIONS, Sandbox};

/// A copy of the practice folder and the site its flows go to.
struct Practice {
    // First of all the browsers are ended, then what they talk to.
    folder: Folder,
    site: Sandbox,
}

impl Practice {
    fn new() -> Self {
        let folder = Folder::practice();
        let site = Sandbox::start(&folder.beside("site"));
        Self { folder, site }
    }

    /// Only the first `steps` of the workflow, the last of them with one more line.
    fn with_workflow(steps: usize, last_line: &str) -> Self {
        let practice = Self::new();
        let text = practice.folder.read("workflow.toml");
        let kept: Vec<_> = text.split("[[step]]").take(1 + steps).collect();
        practice.folder.write("workflow.toml", &format!("{}\n{last_line}\n", kept.join("[[step]]")));
        practice
    }

    fn start(&self, arguments: &[&str]) -> Program {
        let set = format!("site={}", self.site.site());
        self.folder.start(&[arguments, &["--set", &set]].concat())
    }

    fn run(&self, profile: &str) -> Ended {
        self.start(&["run", profile]).wait()
    }

    fn flags(&self, profile: &str) -> [bool; SUBMISSIONS.len()] {
        let session = self.folder.session(profile).unwrap_or_default();
        SUBMISSIONS.map(|flag| session["completion_flags"][flag] == true)
    }

    fn in_flight(&self, profile: &str) -> Option<String> {
        let session = self.folder.session(profile)?;
        session["in_flight"]["flag"].as_str().map(str::to_owned)
    }

    fn is_in_flight(&self, profile: &str, flag: &str) -> bool {
        self.in_flight(profile).as_deref() == Some(flag)
    }

    /// Whether the run of this process emitted such an event of the step.
    fn event(&self, profile: &str, pid: u32, flag: &str, kind: &str) -> Option<Value> {
        let events = self.folder.events(profile);
        let started = |event: &Value| event["type"] == "run_started" && event["pid"] == pid;
        let from = events.iter().rposition(started)?;
        events.into_iter().skip(from).rfind(|event| event["type"] == kind && event["flag"] == flag)
    }

    /// Until a run is in the middle of a step: it has made `in_flight` durable, and no input was sent yet
    /// or few. A doubt of an earlier run is looked into before.
    fn until_in_flight(&self, profile: &str, flag: &str, run: &mut Program) {
        let pid = run.pid();
        run.until(&format!("{flag} in flight"), || {
            let acts =
                self.event(profile, pid, flag, "step_started").is_some_and(|event| event["mode"] == "act");
            (acts && self.is_in_flight(profile, flag)).then_some(())
        });
    }

    #[track_caller]
    fn assert_completed(&self, profile: &str) {
        let session = self.folder.session(profile).unwrap();
        assert_eq!(session["status"], "COMPLETED", "{session:#}");
        assert_eq!(self.flags(profile), [true; SUBMISSIONS.len()], "{session:#}");
        assert_eq!(session.get("in_flight"), None, "{session:#}");
        assert_eq!(session.get("last_error"), None, "{session:#}");
        self.assert_holds_what_the_site_holds(profile);
    }

    /// The site shows a key once: a session without it has locked its account for ever.
    #[track_caller]
    fn assert_holds_what_the_site_holds(&self, profile: &str) {
        let (session, held) = (self.folder.session(profile).unwrap(), &self.site.holdings()[profile]);
        for field in ["password", "two_fa_secret"] {
            assert_eq!(session["identity"][field], held[field], "{field}: {session:#}");
        }
    }
}

/// Where a run is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// Right after `step_started`.
    Started,
    /// Right after `in_flight` became durable: the first input is about to be sent.
    InFlight,
    /// The site has accepted the submission; the run does not know it.
    Accepted,
    /// Right after `step_finished`.
    Finished,
}

impl Moment {
    fn wait(self, practice: &Practice, profile: &str, run: &mut Program, index: usize) {
        let flag = SUBMISSIONS[index];
        let pid = run.pid();
        let event = |kind| practice.event(profile, pid, flag, kind).map(drop);
        match self {
            Self::InFlight => practice.until_in_flight(profile, flag, run),
            Self::Started => run.until(&format!("{flag} started"), || event("step_started")),
            Self::Accepted => run.until(&format!("{flag} accepted"), || {
                (practice.site.counts(profile)[index] > 0).then_some(())
            }),
            Self::Finished => run.until(&format!("{flag} finished"), || event("step_finished")),
        }
    }
}

/// The first acceptance of each is answered with an error page.
fn lose_answers(site: &Sandbox, submissions: &[&str]) {
    let once: BTreeMap<_, _> = submissions.iter().map(|name| (name, 1)).collect();
    site.switch(&json!({ "fail_after_accept": once }));
}

/// Kills one run after the other, each at its moment; each goes on where the one before it died.
fn kill_at(practice: &Practice, profile: &str, moments: &[Moment]) {
    for (index, flag) in SUBMISSIONS.iter().enumerate() {
        for moment in moments {
            let mut run = practice.start(&["run", profile]);
            moment.wait(practice, profile, &mut run, index);
            run.kill();
            let session = practice.folder.session(profile).unwrap();
            let at = format!("{flag} {moment:?}: {session:#}");
            assert_eq!(session["status"], "PROCESSING", "the run was over before it was killed: {at}");
            let (done, in_flight) = (practice.flags(profile), practice.in_flight(profile));
            assert!(done[..index].iter().all(|done| *done), "{at}");
            // It was killed when it should have been, and the document says what is known.
            match moment {
                Moment::Started => assert!(!done[index], "{at}"),
                Moment::InFlight | Moment::Accepted => {
                    assert_eq!((done[index], in_flight.as_deref()), (false, Some(*flag)), "{at}");
                }
                Moment::Finished => assert!(done[index], "{at}"),
            }
            let counts = practice.site.counts(profile);
            assert!(counts.iter().all(|count| *count <= 1), "{at}: {counts:?}");
        }
    }
    practice.run(profile).assert_code(0);
    practice.assert_completed(profile);
    practice.site.assert_once_each(&[profile]);
    practice.folder.assert_nothing_left();
}

#[test]
fn a_run_killed_at_every_step_boundary_goes_on() {
    kill_at(&Practice::new(), "p1", &[Moment::Finished]);
}

#[test]
fn a_run_killed_inside_every_step_goes_on() {
    let practice = Practice::new();
    // The response that reports the acceptance is lost: time to kill the run before it knows.
    lose_answers(&practice.site, &SUBMISSIONS);
    kill_at(&practice, "p1", &[Moment::Started, Moment::InFlight, Moment::Accepted]);
}

#[test]
fn a_submission_whose_answer_is_lost_is_found_and_not_repeated() {
    let practice = Practice::new();
    lose_answers(&practice.site, &SUBMISSIONS);
    practice.run("p1").assert_code(0);
    practice.assert_completed("p1");
    practice.site.assert_once_each(&["p1"]);
    let finished = practice.folder.events_of("p1", "step_finished");
    let outcomes: Vec<_> = finished.iter().map(|event| event["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["verified"; SUBMISSIONS.len()]);
    practice.folder.assert_nothing_left();
}

#[test]
fn a_run_whose_browser_is_killed_in_a_step_fails_and_the_next_completes() {
    let practice = Practice::new();
    for flag in SUBMISSIONS {
        let mut run = practice.start(&["run", "p1"]);
        practice.until_in_flight("p1", flag, &mut run);
        let browsers = practice.folder.browsers();
        assert_eq!(browsers.len(), 1, "{browsers:?}");
        let killed = std::time::Instant::now();
        browsers[0].kill();
        let ended = run.wait();
        assert!(killed.elapsed() < Duration::from_secs(30), "{ended:#?}");
        assert!(matches!(ended.code, Some(1 | 5)), "{ended:#?}");
        assert!(
            ended.stderr.contains("the browser is gone") && ended.stderr.contains("hint: "),
            "{}",
            ended.stderr
        );
        let session = practice.folder.session("p1").unwrap();
        assert_eq!(session["status"], "FAILED", "{session:#}");
        practice.folder.assert_nothing_left();
    }
    practice.run("p1").assert_code(0);
    practice.assert_completed("p1");
    practice.site.assert_once_each(&["p1"]);
    practice.folder.assert_nothing_left();
}

#[test]
fn a_second_run_of_a_profile_names_the_first_and_disturbs_nothing() {
    let practice = Practice::new();
    let mut first = practice.start(&["run", "p1"]);
    practice.until_in_flight("p1", "mailbox_created", &mut first);
    let second = practice.run("p1");
    second.assert_code(4);
    assert!(second.took < Duration::from_secs(3), "at once: {:?}", second.took);
    let holder = format!("process {}", first.pid());
    assert!(second.stderr.contains("p1") && second.stderr.contains(&holder), "{}", second.stderr);
    first.wait().assert_code(0);
    practice.assert_completed("p1");
    practice.site.assert_once_each(&["p1"]);
    assert_eq!(practice.folder.events_of("p1", "run_started").len(), 1);
}

#[test]
fn an_orchestrator_killed_and_started_again_adopts_its_living_runs() {
    const PROFILES: [&str; 3] = ["p1", "p2", "p3"];
    const MAX: usize = 2;
    let practice = Practice::new();
    practice.folder.write("profiles.txt", "p1\np2\np3\n");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut most = (0, 0);
            while !over.load(Ordering::Relaxed) {
                let found = practice.folder.processes();
                let runs = found.iter().filter(|found| found.is_run()).count();
                let browsers = found.iter().filter(|found| found.is_browser()).count();
                most = (most.0.max(runs), most.1.max(browsers));
                std::thread::sleep(Duration::from_millis(20));
            }
            most
        });
        let stop_watching = Over(&over);
        let arguments = ["orchestrate", "--max", "2", "--stagger", "100ms"];
        let mut first = practice.start(&arguments);
        first.until("two runs in the middle of a step", || {
            PROFILES[..MAX].iter().all(|profile| practice.in_flight(profile).is_some()).then_some(())
        });
        first.kill();
        let pids = |profile| {
            let runs = practice.folder.events_of(profile, "run_started");
            runs.iter().map(|run| run["pid"].as_u64().unwrap()).collect::<Vec<_>>()
        };
        let living: Vec<_> = practice.folder.processes().into_iter().filter(|found| found.is_run()).collect();
        assert_eq!(living.len(), MAX, "the runs outlive their orchestrator: {living:#?}");
        let before = PROFILES[..MAX].iter().map(|profile| pids(profile)).collect::<Vec<_>>();
        practice.start(&arguments).wait_for(2 * PATIENCE).assert_code(0);
        let after = PROFILES[..MAX].iter().map(|profile| pids(profile)).collect::<Vec<_>>();
        assert_eq!(after, before, "adopted, not started again");
        drop(stop_watching);
        let (runs, browsers) = watch.join().unwrap();
        assert_eq!((runs, browsers), (MAX, MAX), "most runs and browsers at once");
    });
    PROFILES.iter().for_each(|profile| practice.assert_completed(profile));
    practice.site.assert_once_each(&PROFILES);
    practice.folder.assert_nothing_left();
}

/// Also when the test fails: the scope waits for its threads.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_run_asked_to_stop_ends_after_its_step() {
    let practice = Practice::new();
    let mut run = practice.start(&["run", "p1"]);
    practice.until_in_flight("p1", "mailbox_created", &mut run);
    run.signal(Signal::TERM);
    let ended = run.wait();
    ended.assert_code(7);
    assert!(ended.stderr.contains("go on with: regatta run p1"), "{}", ended.stderr);
    let session = practice.folder.session("p1").unwrap();
    assert_eq!(practice.flags("p1"), [true, false, false, false, false], "{session:#}");
    assert_eq!(session.get("in_flight"), None, "{session:#}");
    assert_eq!(practice.site.counts("p1"), [1, 0, 0, 0, 0]);
    practice.folder.assert_nothing_left();
    practice.run("p1").assert_code(0);
    practice.assert_completed("p1");
    practice.site.assert_once_each(&["p1"]);
}

#[test]
fn a_fleet_stopped_by_ctrl_c_goes_on_and_a_finished_one_starts_no_browser() {
    const PROFILES: [&str; 2] = ["p1", "p2"];
    let practice = Practice::new();
    practice.folder.write("profiles.txt", "p1\np2\n");
    let arguments = ["orchestrate", "--max", "2", "--stagger", "0s"];
    let mut fleet = practice.start(&arguments);
    fleet.until("both in the middle of a step", || {
        PROFILES.iter().all(|profile| practice.in_flight(profile).is_some()).then_some(())
    });
    fleet.signal(Signal::INT);
    fleet.wait().assert_code(7);
    practice.folder.assert_nothing_left();
    for profile in PROFILES {
        let session = practice.folder.session(profile).unwrap();
        assert_eq!(session.get("in_flight"), None, "{session:#}");
        assert!(!practice.flags(profile)[3], "it did not wait for the whole run: {session:#}");
    }
    practice.start(&arguments).wait_for(2 * PATIENCE).assert_code(0);
    PROFILES.iter().for_each(|profile| practice.assert_completed(profile));
    practice.site.assert_once_each(&PROFILES);
    practice.folder.assert_nothing_left();

    let browsers = || PROFILES.map(|profile| browser_starts(&practice.folder, profile));
    let before = browsers();
    practice.start(&arguments).wait().assert_code(0);
    assert_eq!(browsers(), before);
    practice.site.assert_once_each(&PROFILES);
}

/// How often, and when the last of them wrote its first word.
fn browser_starts(folder: &Folder, profile: &str) -> (usize, SystemTime) {
    let log = folder.path(&format!("browsers/{profile}/chromium.log"));
    let written = std::fs::metadata(log).unwrap().modified().unwrap();
    (folder.events_of(profile, "browser_started").len(), written)
}

#[test]
fn a_doubt_that_only_a_person_can_answer_waits_for_one() {
    let practice = Practice::with_workflow(2, "in_doubt = \"ask\"");
    for (profile, submitted, answer) in [("p1", false, "--again"), ("p2", true, "--done")] {
        if submitted {
            lose_answers(&practice.site, &["store_signup"]);
        }
        let mut run = practice.start(&["run", profile]);
        practice.until_in_flight(profile, "store_signup", &mut run);
        if submitted {
            run.until("the acceptance", || (practice.site.counts(profile)[1] > 0).then_some(()));
        }
        run.kill();
        assert_eq!(practice.site.counts(profile), [1, u64::from(submitted), 0, 0, 0]);
        for _ in 0..2 {
            let asked = practice.run(profile);
            asked.assert_code(3);
            assert!(asked.stderr.contains("store_signup"), "{}", asked.stderr);
            assert!(asked.stderr.contains(&format!("regatta resolve {profile}")), "{}", asked.stderr);
            assert_eq!(practice.folder.session(profile).unwrap()["status"], "NEEDS_ATTENTION");
            practice.folder.assert_nothing_left();
        }
        practice.folder.run(&["resolve", profile, answer]).assert_code(0);
        practice.run(profile).assert_code(0);
        assert_eq!(practice.folder.session(profile).unwrap()["status"], "COMPLETED");
        assert_eq!(practice.site.counts(profile), [1, 1, 0, 0, 0]);
        practice.folder.assert_nothing_left();
    }
}

/// A person who was asked may ask the site once more.
#[test]
fn the_site_may_answer_for_the_person() {
    let practice = Practice::with_workflow(2, "");
    for (profile, submitted) in [("p1", false), ("p2", true), ("p3", false)] {
        if submitted {
            lose_answers(&practice.site, &["store_signup"]);
        }
        let mut run = practice.start(&["run", profile]);
        practice.until_in_flight(profile, "store_signup", &mut run);
        if submitted {
            run.until("the acceptance", || (practice.site.counts(profile)[1] > 0).then_some(()));
        }
        run.kill();
        let mut session = practice.folder.session(profile).unwrap();
        session["status"] = json!("NEEDS_ATTENTION");
        practice.folder.write(&format!("state/{profile}.json"), &session.to_string());
    }
    practice.folder.write("profiles.txt", "p1\np2\np3\n");
    let site = practice.site.site();
    let text = practice.folder.read("workflow.toml");
    practice.folder.write("workflow.toml", &text.replace("http://127.0.0.1:8800", &site));
    let answered = practice.folder.run(&["resolve", "p1", "--verify"]);
    answered.assert_code(0);
    assert!(answered.stdout.contains("has not happened"), "{}", answered.stdout);
    assert_eq!(practice.folder.session("p1").unwrap()["status"], "PENDING");
    assert_eq!(practice.in_flight("p1"), None);
    // The others: asked about together, and gone on with.
    let fleet = ["orchestrate", "--only-status", "needs_attention", "--verify", "profiles.txt"];
    practice.folder.run(&fleet).assert_code(0);
    for profile in ["p2", "p3"] {
        assert_eq!(practice.folder.session(profile).unwrap()["status"], "COMPLETED");
        assert_eq!(practice.site.counts(profile), [1, 1, 0, 0, 0]);
    }
    assert_eq!(practice.site.counts("p1"), [1, 0, 0, 0, 0]);
    practice.folder.assert_nothing_left();
}
