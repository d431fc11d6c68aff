//! Drives runs against a fake site: what a run does in doubt, and what an interrupted run leaves.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use expect_test::{Expect, expect};
use futures::poll;

use super::{BrowserHost, EventEmitter, FlowPage, OpenedBrowser, Run, RunEnd, RunOptions, StopWatch};
use crate::providers::ProviderError;
use crate::store::event_log::{EventLog, EventReader};
use crate::store::{Layout, OpenSession};
use regatta_core::event::{EventKind, NetworkTotals};
use regatta_core::evidence::Incident;
use regatta_core::flow::{self, Action, Step};
use regatta_core::id::{ProfileId, RunId};
use regatta_core::mask::Mask;
use regatta_core::session::{Platform, Session};
use regatta_core::workflow;
use regatta_core::workflow::dialog::DialogPolicy;
use regatta_core::workflow::plan::Plan;
use regatta_page::{ActionError, ActionErrorKind, DownloadedFile, InputGate};

mod busy;
mod captures;
mod totp;

const ACT: &str = r#"{"title":"t","steps":[{"type":"navigate","url":"http://site.test/"},
    {"type":"click","selectors":["button"],"offsetX":1,"offsetY":1},
    {"type":"customStep","name":"regatta.capture","parameters":{"selectors":["code"],"from":"text","into":"identity.code"}}]}"#;
const WHEN: &str = r#"{"title":"t","steps":[{"type":"customStep","name":"regatta.when","parameters":{"exists":["banner"],
    "steps":[{"type":"click","selectors":["button"],"offsetX":1,"offsetY":1},{"type":"close"}]}},
    {"type":"hover","selectors":["menu"]}]}"#;
const VERIFY: &str = r#"{"title":"t","steps":[{"type":"waitForElement","selectors":["done"]},
    {"type":"customStep","name":"regatta.capture","parameters":{"selectors":["code"],"from":"text","into":"identity.code"}}]}"#;

/// Asks whether the step was done, and learns nothing else.
const LOOK: &str = r#"{"title":"t","steps":[{"type":"waitForElement","selectors":["done"]}]}"#;

/// A site that treats clicks and questions as its queues say. With an empty queue it accepts, and
/// answers truly.
#[derive(Default)]
struct FakeSite {
    document: PathBuf,
    submissions: u32,
    clicks: VecDeque<ScriptedClick>,
    answers: VecDeque<ActionErrorKind>,
    /// The texts that it shows to one capture after the other, and then `123456`.
    codes: VecDeque<&'static str>,
    /// The last of them that was captured.
    captured: Option<String>,
    /// The condition of a `when` does not hold.
    lacks_banner: bool,
    story: Vec<String>,
}

enum ScriptedClick {
    /// The click never gets as far as the page.
    Unreached,
    /// Accepted, and the answer is lost.
    Lost,
    /// Not accepted, which the page does not say either.
    Swallowed,
    /// No document of the page has seen it.
    Unseen,
    /// Something else took the focus.
    Stolen,
    /// Refused: the site is busy, and asks for so much time.
    Busy(Option<Duration>),
}

#[derive(Clone)]
struct FakeBrowserHost(Rc<RefCell<FakeSite>>);

impl BrowserHost for FakeBrowserHost {
    type Page = Self;

    fn provider(&self) -> &'static str {
        "fake"
    }

    async fn open(&mut self, _: bool) -> Result<OpenedBrowser<Self>, ProviderError> {
        tokio::task::yield_now().await;
        Ok(OpenedBrowser { page: self.clone(), reused: false, version: None })
    }

    async fn close(&mut self, _: Option<Self>) -> Result<(), ProviderError> {
        tokio::task::yield_now().await;
        Ok(())
    }
}

impl FlowPage for FakeBrowserHost {
    async fn perform(
        &mut self,
        _: &str,
        step: &Step,
        _: Duration,
        gate: &mut dyn InputGate,
    ) -> Result<Option<String>, ActionError> {
        self.expect_captured_on_disk();
        tokio::task::yield_now().await;
        match &step.action {
            Action::Click(_) => self.click(gate).await.map(|()| None),
            Action::WaitForElement(_) => self.ask_site().map(|()| None),
            Action::Change { value, .. } => {
                self.note(&format!("typed {value}"));
                Ok(None)
            }
            Action::Capture(_) => {
                let mut site = self.0.borrow_mut();
                let code = site.codes.pop_front().unwrap_or("123456").to_owned();
                site.captured = Some(code.clone());
                Ok(Some(code))
            }
            Action::When { .. } => Ok((!self.0.borrow().lacks_banner).then(String::new)),
            _ => Ok(None),
        }
    }

    fn begin_trace(&mut self, _: &str) {}

    async fn keep_trace(&mut self, _: &Path, _: &Mask) -> Option<PathBuf> {
        None
    }

    async fn evidence(&mut self, _: &Path, _: &Incident, _: &Mask) -> Vec<PathBuf> {
        Vec::new()
    }

    fn set_dialogs(&mut self, _: &DialogPolicy) {}

    async fn finish(&mut self) -> Vec<DownloadedFile> {
        Vec::new()
    }

    async fn isolate(&mut self, _: Duration) {
        tokio::task::yield_now().await;
    }

    async fn wait_until_idle(&mut self, _: Duration) {}

    fn left_allowed_origins(&self) -> Option<ActionError> {
        None
    }

    fn take_network_totals(&mut self) -> NetworkTotals {
        NetworkTotals::default()
    }
}

impl FakeBrowserHost {
    /// The site may never show a value again, so no action follows before it is durable.
    fn expect_captured_on_disk(&self) {
        let site = self.0.borrow();
        let Some(code) = &site.captured else { return };
        let document = fs::read_to_string(&site.document).unwrap();
        assert!(document.contains(code), "an action follows, and {code} is not in {document}");
    }

    async fn click(&self, gate: &mut dyn InputGate) -> Result<(), ActionError> {
        let click = self.0.borrow_mut().clicks.pop_front();
        if let Some(ScriptedClick::Unreached) = click {
            self.note("no button");
            return Err(failed(ActionErrorKind::TimedOut));
        }
        gate.before_input().map_err(|_| failed(ActionErrorKind::Gate))?;
        let document = fs::read_to_string(&self.0.borrow().document).unwrap();
        self.note(if document.contains("\"in_flight\"") {
            "touched, intent on disk"
        } else {
            "TOUCHED UNKNOWN"
        });
        tokio::task::yield_now().await;
        match click {
            Some(ScriptedClick::Unseen) => {
                gate.input_not_seen().map_err(|_| failed(ActionErrorKind::Gate))?;
                let document = fs::read_to_string(&self.0.borrow().document).unwrap();
                self.note(if document.contains("\"in_flight\"") { "unseen, IN DOUBT" } else { "unseen" });
                return Err(failed(ActionErrorKind::Unseen));
            }
            Some(ScriptedClick::Busy(retry_after)) => {
                return Err(failed(ActionErrorKind::SiteBusy { retry_after }));
            }
            Some(ScriptedClick::Stolen) => return Err(failed(ActionErrorKind::FocusStolen)),
            _ => {}
        }
        let accepted = !matches!(click, Some(ScriptedClick::Swallowed));
        self.0.borrow_mut().submissions += u32::from(accepted);
        tokio::task::yield_now().await;
        if click.is_some() { Err(failed(ActionErrorKind::TimedOut)) } else { Ok(()) }
    }

    fn ask_site(&self) -> Result<(), ActionError> {
        let scripted = self.0.borrow_mut().answers.pop_front();
        let truth = (self.0.borrow().submissions == 0).then_some(ActionErrorKind::NotMet);
        match scripted.or(truth) {
            Some(kind) => {
                self.note(&format!("asked: {kind:?}"));
                Err(failed(kind))
            }
            None => {
                self.note("asked: yes");
                Ok(())
            }
        }
    }

    fn note(&self, what: &str) {
        self.0.borrow_mut().story.push(what.to_owned());
    }
}

fn failed(kind: ActionErrorKind) -> ActionError {
    ActionError::new(kind, "scripted")
}

struct RunFixture {
    _folder: tempfile::TempDir,
    layout: Layout,
    plan: Plan,
    site: FakeBrowserHost,
}

impl RunFixture {
    /// One step with the flows above; `settings` are further lines of it.
    fn new(settings: &str, site: FakeSite) -> Self {
        Self::of(ACT, settings, site)
    }

    fn of(act: &str, settings: &str, site: FakeSite) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        layout.create_folders().unwrap();
        let text = format!(
            "name = \"n\"\nallowed_origins = [\"http://site.test\"]\n[[step]]\nflag = \"a\"\nflow = \"act\"\n{settings}\n"
        );
        let workflow = workflow::parse("workflow.toml", &text).unwrap();
        let plan = Plan::assemble("workflow.toml", &text, workflow, &serde_json::Map::new(), |name| {
            let flow = match name.value.as_str() {
                "verify" => VERIFY,
                "look" => LOOK,
                _ => act,
            };
            flow::parse(&name.value, flow)
        });
        let document = layout.session(&profile());
        let site = FakeBrowserHost(Rc::new(RefCell::new(FakeSite { document, ..site })));
        Self { _folder: folder, layout, plan: plan.unwrap(), site }
    }

    fn run(&self) -> Run<'_, FakeBrowserHost> {
        self.run_by(std::sync::Arc::new(jiff::Timestamp::now))
    }

    fn run_by(&self, clock: super::WallClock) -> Run<'_, FakeBrowserHost> {
        let run_id = RunId::new(jiff::Timestamp::now(), rand::random());
        let log = EventLog::open(&self.layout, &profile(), &run_id).unwrap();
        let fresh = || Session::new(profile(), Platform::Desktop, self.plan.flags());
        let session =
            OpenSession::open(&self.layout, &profile(), &run_id, jiff::Timestamp::now(), fresh).unwrap();
        Run {
            session,
            plan: &self.plan,
            profile_settings: self.plan.settings_for(&profile(), Platform::Desktop).unwrap(),
            events: EventEmitter::new(log, clock, |_| {}),
            run_id,
            pid: std::process::id(),
            random: rand::make_rng(),
            browser_host: self.site.clone(),
            provider_news: tokio::sync::mpsc::unbounded_channel().1,
            provider_hint: |_| None,
            stop: StopWatch::new().1,
            pacing: super::Pacing::default(),
            options: RunOptions::default(),
            artifacts: self.layout.artifacts(&profile()),
        }
    }

    async fn drive(&self) -> RunEnd {
        self.run().drive().await
    }

    fn session(&self) -> Session {
        crate::store::session::read(&self.layout, &profile()).unwrap().unwrap()
    }

    fn events(&self) -> Vec<regatta_core::event::Event> {
        EventReader::from_start(self.layout.events(&profile())).poll().unwrap()
    }

    /// Changes the session as a person or an earlier run would have.
    fn prepare_session(&self, change: impl FnOnce(&mut Session)) {
        let run_id = RunId::new(jiff::Timestamp::now(), rand::random());
        let fresh = || Session::new(profile(), Platform::Desktop, self.plan.flags());
        let mut open =
            OpenSession::open(&self.layout, &profile(), &run_id, jiff::Timestamp::now(), fresh).unwrap();
        open.update(|session| {
            change(session);
            Ok(())
        })
        .unwrap();
    }

    /// The passes and actions that its run emitted.
    fn check_actions(&self, expected: Expect) {
        let events = self.events();
        let lines = events.iter().filter_map(|event| match &event.kind {
            EventKind::StepStarted { attempt, mode, .. } => Some(format!("{mode:?}, attempt {attempt}")),
            EventKind::ActionStarted { .. } | EventKind::ActionFailed { .. } => {
                let mut kind = serde_json::to_value(&event.kind).unwrap();
                let kind = kind.as_object_mut().unwrap();
                kind.remove("message");
                Some(serde_json::to_string(kind).unwrap())
            }
            _ => None,
        });
        expected.assert_eq(&lines.collect::<Vec<_>>().join("\n"));
    }

    fn check(&self, end: &RunEnd, expected: Expect) {
        let site = self.site.0.borrow();
        let mut lines = site.story.clone();
        lines.push(format!("{:?}, {} submissions", end.outcome, site.submissions));
        lines.extend(end.message.clone());
        expected.assert_eq(&lines.join("\n"));
    }
}

fn profile() -> ProfileId {
    "p1".parse().unwrap()
}

const VERIFIED: &str = "verify = \"verify\"\nsettle = \"0s\"";

#[tokio::test]
async fn intent_is_on_the_disk_when_the_page_is_touched() {
    let bench = RunFixture::new(VERIFIED, FakeSite::default());
    let end = bench.drive().await;
    bench.check(
        &end,
        expect![[r#"
        touched, intent on disk
        Completed, 1 submissions"#]],
    );
    let session = bench.session();
    assert!(session.completion_flags.is_set(&"a".parse().unwrap()));
    assert_eq!((session.identity.get("code").as_deref(), session.in_flight), (Some("123456"), None));
}

#[tokio::test]
async fn a_submission_whose_answer_is_lost_is_found() {
    let bench =
        RunFixture::new(VERIFIED, FakeSite { clicks: [ScriptedClick::Lost].into(), ..FakeSite::default() });
    let end = bench.drive().await;
    bench.check(
        &end,
        expect![[r#"
        touched, intent on disk
        asked: yes
        Completed, 1 submissions"#]],
    );
}

#[tokio::test]
async fn what_never_touched_the_page_is_repeated_without_asking() {
    let bench = RunFixture::new(
        VERIFIED,
        FakeSite { clicks: [ScriptedClick::Unreached].into(), ..FakeSite::default() },
    );
    let end = bench.drive().await;
    bench.check(
        &end,
        expect![[r#"
        no button
        touched, intent on disk
        Completed, 1 submissions"#]],
    );
}

/// Also of an attempt that is made again, and of a verify flow.
#[tokio::test]
async fn each_action_is_told_as_it_begins_by_its_place_and_kind_alone() {
    let clicks = [ScriptedClick::Unreached, ScriptedClick::Lost].into();
    let bench = RunFixture::new(VERIFIED, FakeSite { clicks, ..FakeSite::default() });
    bench.drive().await;
    bench.check_actions(expect![[r#"
        Act, attempt 1
        {"type":"action_started","flag":"a","flow":"act","step":"1","number":1,"of":3,"action":"navigate"}
        {"type":"action_started","flag":"a","flow":"act","step":"2","number":2,"of":3,"action":"click"}
        {"type":"action_failed","flag":"a","attempt":1,"flow":"act","step":"2","action":"click"}
        Act, attempt 2
        {"type":"action_started","flag":"a","flow":"act","step":"1","number":1,"of":3,"action":"navigate"}
        {"type":"action_started","flag":"a","flow":"act","step":"2","number":2,"of":3,"action":"click"}
        {"type":"action_failed","flag":"a","attempt":2,"flow":"act","step":"2","action":"click"}
        Verify, attempt 1
        {"type":"action_started","flag":"a","flow":"verify","step":"1","number":1,"of":2,"action":"waitForElement"}
        {"type":"action_started","flag":"a","flow":"verify","step":"2","number":2,"of":2,"action":"regatta.capture"}"#]]);
    let bench = RunFixture::of(WHEN, "in_doubt = \"repeat\"", FakeSite::default());
    bench.drive().await;
    bench.check_actions(expect![[r#"
        Act, attempt 1
        {"type":"action_started","flag":"a","flow":"act","step":"1","number":1,"of":4,"action":"regatta.when"}
        {"type":"action_started","flag":"a","flow":"act","step":"1.1","number":2,"of":4,"action":"click"}
        {"type":"action_started","flag":"a","flow":"act","step":"1.2","number":3,"of":4,"action":"close"}
        {"type":"action_started","flag":"a","flow":"act","step":"2","number":4,"of":4,"action":"hover"}"#]]);
}

/// The site is still at work when it is asked: its early "no" would do the step twice.
#[tokio::test]
async fn a_no_counts_only_after_the_site_had_its_time() {
    let late = FakeSite {
        clicks: [ScriptedClick::Lost].into(),
        answers: [ActionErrorKind::NotMet].into(),
        ..FakeSite::default()
    };
    let bench = RunFixture::new("verify = \"verify\"\nsettle = \"300ms\"", late);
    let end = bench.drive().await;
    bench.check(
        &end,
        expect![[r#"
        touched, intent on disk
        asked: NotMet
        asked: yes
        Completed, 1 submissions"#]],
    );
}

#[tokio::test]
async fn after_a_settled_no_the_step_runs_again() {
    let bench = RunFixture::new(
        VERIFIED,
        FakeSite { clicks: [ScriptedClick::Swallowed].into(), ..FakeSite::default() },
    );
    let end = bench.drive().await;
    bench.check(
        &end,
        expect![[r#"
        touched, intent on disk
        asked: NotMet
        touched, intent on disk
        Completed, 1 submissions"#]],
    );
}

#[tokio::test]
async fn without_an_answer_a_person_is_asked() {
    let unclear = FakeSite {
        clicks: [ScriptedClick::Lost].into(),
        answers: [ActionErrorKind::Navigation].into(),
        ..FakeSite::default()
    };
    let bench = RunFixture::new(&format!("{VERIFIED}\nattempts = 1"), unclear);
    let end = bench.drive().await;
    bench.check(&end, expect![[r#"
        touched, intent on disk
        asked: Navigation
        NeedsAttention, 1 submissions
        step `a`: it may or may not have happened, and verifying failed: scripted (the attempt failed: scripted)"#]]);
    assert!(bench.session().in_flight.is_some());
}

#[tokio::test]
async fn without_a_verify_flow_a_person_is_asked_at_once() {
    let bench =
        RunFixture::new("", FakeSite { clicks: [ScriptedClick::Swallowed].into(), ..FakeSite::default() });
    let end = bench.drive().await;
    bench.check(
        &end,
        expect![[r#"
        touched, intent on disk
        NeedsAttention, 0 submissions
        step `a`: it may or may not have happened, and only a person can check (the attempt failed: scripted)"#]],
    );
}

/// No document has seen the input, so no person has to decide whether to repeat the step.
#[tokio::test]
async fn an_input_that_no_document_has_seen_was_no_touch() {
    let bench =
        RunFixture::new("", FakeSite { clicks: [ScriptedClick::Unseen].into(), ..FakeSite::default() });
    let end = bench.drive().await;
    bench.check(
        &end,
        expect![[r#"
        touched, intent on disk
        unseen
        touched, intent on disk
        Completed, 1 submissions"#]],
    );
}

#[tokio::test]
async fn a_stolen_focus_is_not_tried_again() {
    let bench = RunFixture::new(
        "in_doubt = \"repeat\"",
        FakeSite { clicks: [ScriptedClick::Stolen].into(), ..FakeSite::default() },
    );
    let end = bench.drive().await;
    bench.check(
        &end,
        expect![[r#"
        touched, intent on disk
        NeedsAttention, 0 submissions
        step `a`: scripted"#]],
    );
}

#[tokio::test]
async fn what_may_be_repeated_is() {
    let bench = RunFixture::new(
        "in_doubt = \"repeat\"",
        FakeSite { clicks: [ScriptedClick::Lost].into(), ..FakeSite::default() },
    );
    let end = bench.drive().await;
    bench.check(
        &end,
        expect![[r#"
        touched, intent on disk
        touched, intent on disk
        Completed, 2 submissions"#]],
    );
}

/// Dropped after each number of polls in turn, then driven again.
#[tokio::test]
async fn a_run_cut_off_at_any_await_does_nothing_twice() {
    for polls in 0.. {
        let bench = RunFixture::new(VERIFIED, FakeSite::default());
        let mut ended = false;
        {
            let mut run = std::pin::pin!(bench.run().drive());
            for _ in 0..polls {
                if let Poll::Ready(end) = poll!(&mut run) {
                    assert_eq!(end.outcome.exit_code(), 0);
                    ended = true;
                    break;
                }
            }
        }
        let end = bench.drive().await;
        let submissions = bench.site.0.borrow().submissions;
        assert_eq!((end.outcome.exit_code(), submissions), (0, 1), "cut off after {polls} polls");
        assert_eq!(bench.session().identity.get("code").as_deref(), Some("123456"));
        if ended {
            assert!(polls > 5, "the run was hardly cut off at all");
            break;
        }
    }
}
