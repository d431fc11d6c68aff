//! The promise with real processes: whatever dies, and whenever, the next run goes on, and the site's
//! ledger has every submission once.

use std::path::Path;
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

    fn flags(&self, profile: &str) -> [bool; 4] {
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

    /// An event of the run that is `run`, which may have told nothing yet.
    fn told(&self, profile: &str, run: &Program, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
        let events = self.folder.events(profile);
        let started = |event: &Value| event["type"] == "run_started" && event["pid"] == run.pid();
        let from = events.iter().rposition(started)?;
        events.into_iter().skip(from).find(wanted)
    }

    #[track_caller]
    fn assert_completed(&self, profile: &str) {
        let session = self.folder.session(profile).unwrap();
        assert_eq!(session["status"], "COMPLETED", "{session:#}");
        assert_eq!(self.flags(profile), [true; 4], "{session:#}");
        assert_eq!(session.get("in_flight"), None, "{session:#}");
        assert_eq!(session.get("last_error"), None, "{session:#}");
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
        let of = |run: &Value, kind: &str| run["type"] == kind && run["flag"] == flag;
        let told = |wanted: &dyn Fn(&Value) -> bool| {
            let events = practice.folder.events(profile);
            let started = |event: &Value| event["type"] == "run_started" && event["pid"] == pid;
            let from = events.iter().rposition(started)?;
            events.into_iter().skip(from).find(|event| wanted(event)).map(drop)
        };
        run.until(&format!("{flag} {self:?}"), || match self {
            Self::Started => told(&|event| of(event, "step_started")),
            // A doubt of an earlier run is looked into before this run touches the page.
            Self::InFlight => told(&|event| of(event, "step_started") && event["mode"] == "act")
                .filter(|()| practice.is_in_flight(profile, flag)),
            Self::Accepted => (practice.site.counts(profile)[index] > 0).then_some(()),
            Self::Finished => told(&|event| of(event, "step_finished")),
        });
    }
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
            assert_eq!(session["status"], "PROCESSING", "{at}");
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
    // The answer that tells of the acceptance is lost: time to kill the run before it knows.
    practice.site.switch(&json!({ "fail_after_accept": SUBMISSIONS.map(|name| (name, 1)).into_iter().collect::<std::collections::BTreeMap<_, _>>() }));
    kill_at(&practice, "p1", &[Moment::Started, Moment::InFlight, Moment::Accepted]);
}

#[test]
fn a_submission_whose_answer_is_lost_is_found_and_not_repeated() {
    let practice = Practice::new();
    practice.site.switch(&json!({ "fail_after_accept": { "mailbox_created": 1, "store_signup": 1, "dev_registration": 1, "2fa_enabled": 1 } }));
    practice.run("p1").assert_code(0);
    practice.assert_completed("p1");
    practice.site.assert_once_each(&["p1"]);
    let finished = practice.folder.events_of("p1", "step_finished");
    let outcomes: Vec<_> = finished.iter().map(|event| event["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["verified"; 4]);
    practice.folder.assert_nothing_left();
}
