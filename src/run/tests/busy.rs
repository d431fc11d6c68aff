//! A busy site is neither a yes nor a no, and no reason to ask a person.

use super::*;
use regatta_core::event::RunCause;
use regatta_core::session::Status;

fn busy(seconds: Option<u64>) -> ActionErrorKind {
    ActionErrorKind::SiteBusy { retry_after: seconds.map(Duration::from_secs) }
}

/// How long the run waited each time, in seconds.
fn waits(bench: &RunFixture) -> Vec<u64> {
    let events = bench.events();
    events
        .iter()
        .filter_map(|event| match event.kind {
            EventKind::SiteBusy { ms, .. } => Some(ms / 1000),
            _ => None,
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_verify_flow_that_finds_the_site_busy_has_no_answer_and_asks_again_when_the_site_says() {
    let site = FakeSite {
        clicks: [ScriptedClick::Lost].into(),
        answers: [busy(Some(30)), busy(Some(30))].into(),
        ..FakeSite::default()
    };
    let bench = RunFixture::new(VERIFIED, site);
    let end = bench.drive().await;
    bench.check(
        &end,
        expect![[r#"
        touched, intent on disk
        asked: SiteBusy { retry_after: Some(30s) }
        asked: SiteBusy { retry_after: Some(30s) }
        asked: yes
        Completed, 1 submissions"#]],
    );
    let waits = waits(&bench);
    assert!(waits.len() == 2 && waits.iter().all(|wait| (30..=38).contains(wait)), "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn a_site_that_stays_busy_ends_the_run_with_the_doubt_kept_and_nobody_asked() {
    let site = FakeSite {
        clicks: [ScriptedClick::Lost].into(),
        answers: [busy(None), busy(None), busy(Some(20))].into(),
        ..FakeSite::default()
    };
    let bench = RunFixture::new(VERIFIED, site);
    let end = bench.drive().await;
    bench.check(
        &end,
        expect![[r#"
        touched, intent on disk
        asked: SiteBusy { retry_after: None }
        asked: SiteBusy { retry_after: None }
        asked: SiteBusy { retry_after: Some(20s) }
        StepFailed, 1 submissions
        step `a`: scripted"#]],
    );
    assert_eq!((end.cause, end.retry_after), (Some(RunCause::SiteBusy), Some(Duration::from_secs(20))));
    assert!(!end.permanent);
    let session = bench.session();
    assert_eq!(session.status, Status::Failed);
    assert!(session.in_flight.is_some());
    // The next run finds out, and does nothing twice.
    let end = bench.drive().await;
    bench.check(
        &end,
        expect![[r#"
        touched, intent on disk
        asked: SiteBusy { retry_after: None }
        asked: SiteBusy { retry_after: None }
        asked: SiteBusy { retry_after: Some(20s) }
        asked: yes
        Completed, 1 submissions"#]],
    );
}

/// Two busy answers and one page that did not answer are not three failures.
#[tokio::test(start_paused = true)]
async fn busy_answers_do_not_bring_a_question_to_a_person_nearer() {
    let site = FakeSite {
        clicks: [ScriptedClick::Lost].into(),
        answers: [busy(None), busy(None), ActionErrorKind::TimedOut].into(),
        ..FakeSite::default()
    };
    let bench = RunFixture::new(VERIFIED, site);
    let end = bench.drive().await;
    bench.check(
        &end,
        expect![[r#"
        touched, intent on disk
        asked: SiteBusy { retry_after: None }
        asked: SiteBusy { retry_after: None }
        asked: TimedOut
        asked: yes
        Completed, 1 submissions"#]],
    );
}

#[tokio::test(start_paused = true)]
async fn a_step_that_a_busy_site_refused_is_done_again_only_after_a_no() {
    let clicks = [ScriptedClick::Busy(None), ScriptedClick::Busy(Some(Duration::from_secs(9)))].into();
    let bench = RunFixture::new(VERIFIED, FakeSite { clicks, ..FakeSite::default() });
    let end = bench.drive().await;
    bench.check(
        &end,
        expect![[r#"
        touched, intent on disk
        asked: NotMet
        touched, intent on disk
        asked: NotMet
        touched, intent on disk
        Completed, 1 submissions"#]],
    );
    let waits = waits(&bench);
    assert!(waits.len() == 2 && (1..=3).contains(&waits[0]) && (9..=12).contains(&waits[1]), "{waits:?}");
}

/// The fleet gives the slot to another profile meanwhile.
#[tokio::test(start_paused = true)]
async fn a_run_does_not_keep_its_browser_for_a_site_that_asks_for_an_hour() {
    let clicks = [ScriptedClick::Busy(Some(Duration::from_secs(3600)))].into();
    let bench = RunFixture::new("in_doubt = \"repeat\"", FakeSite { clicks, ..FakeSite::default() });
    let end = bench.drive().await;
    bench.check(
        &end,
        expect![[r#"
        touched, intent on disk
        StepFailed, 0 submissions
        step `a`: scripted"#]],
    );
    assert_eq!((end.cause, waits(&bench).len()), (Some(RunCause::SiteBusy), 0));
}
