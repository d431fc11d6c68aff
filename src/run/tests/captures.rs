//! What a step learns: captured values, committed values, fields that a profile lacks.

use expect_test::expect;

use super::*;

/// A key that is shown once, an input that makes it count, and an answer that may come late.
const ACTIVATE: &str = r#"{"title":"t","steps":[
    {"type":"customStep","name":"regatta.capture","parameters":{"selectors":["key"],"from":"text","into":"identity.key"}},
    {"type":"navigate","url":"http://site.test/"},
    {"type":"click","selectors":["button"],"offsetX":1,"offsetY":1},
    {"type":"waitForElement","selectors":["late"]}]}"#;
/// The value is shown after the input.
const SHOWN_AFTER: &str = r#"{"title":"t","steps":[
    {"type":"click","selectors":["button"],"offsetX":1,"offsetY":1},
    {"type":"waitForElement","selectors":["late"]},
    {"type":"customStep","name":"regatta.capture","parameters":{"selectors":["key"],"from":"text","into":"identity.key"}},
    {"type":"close"}]}"#;
const LOOKED_AT: &str = "verify = \"look\"\nsettle = \"0s\"";

fn late(answers: impl IntoIterator<Item = ActionErrorKind>, codes: &[&'static str]) -> FakeSite {
    FakeSite {
        answers: answers.into_iter().collect(),
        codes: codes.iter().copied().collect(),
        ..FakeSite::default()
    }
}

/// The account was locked for ever: the step counted as verified, and the key was nowhere.
#[tokio::test]
async fn a_value_that_was_captured_before_a_late_wait_failed_is_kept() {
    let bench = RunFixture::of(ACTIVATE, LOOKED_AT, late([ActionErrorKind::TimedOut], &["KEY1"]));
    let end = bench.drive().await;
    bench.check(
        &end,
        expect![[r#"
            touched, intent on disk
            asked: TimedOut
            asked: yes
            Completed, 1 submissions"#]],
    );
    assert_eq!(bench.session().identity.get("key").as_deref(), Some("KEY1"));
    let events = bench.events();
    let is_captured = |event: &regatta_core::event::Event| matches!(&event.kind, EventKind::Captured { fields, .. } if fields == &["key"]);
    assert_eq!(events.iter().filter(|event| is_captured(event)).count(), 1);
}

/// Cut off at every await, before and after each write; the site is never asked to show the key again.
#[tokio::test]
async fn a_run_cut_off_at_any_await_keeps_what_it_has_captured() {
    for polls in 0.. {
        let bench = RunFixture::of(ACTIVATE, LOOKED_AT, late([], &["KEY1", "KEY2"]));
        let mut ended = false;
        {
            let mut run = std::pin::pin!(bench.run().drive());
            for _ in 0..polls {
                ended |= poll!(&mut run).is_ready();
                if ended {
                    break;
                }
            }
        }
        let end = bench.drive().await;
        let (session, site) = (bench.session(), bench.site.0.borrow());
        assert_eq!((end.outcome.exit_code(), site.submissions), (0, 1), "cut off after {polls} polls");
        assert_eq!(session.identity.get("key"), site.captured, "cut off after {polls} polls");
        if ended {
            assert!(polls > 5, "the run was hardly cut off at all");
            break;
        }
    }
}

#[tokio::test]
async fn a_step_that_happened_without_its_value_needs_a_person() {
    let bench = RunFixture::of(SHOWN_AFTER, LOOKED_AT, late([ActionErrorKind::TimedOut], &["KEY1"]));
    // A value that was left from earlier is not the one of this step.
    bench.prepare_session(|session| session.identity.set("key", "OLD"));
    let end = bench.drive().await;
    bench.check(&end, expect![[r#"
        touched, intent on disk
        asked: TimedOut
        asked: yes
        NeedsAttention, 1 submissions
        step `a` has happened, but the run that did it ended before it had `identity.key`: give it with --done --set identity.key, or undo the step at the site and answer --again (the attempt failed: scripted)"#]]);
    let session = bench.session();
    assert!(!session.completion_flags.is_set(&"a".parse().unwrap()) && session.in_flight.is_some());
}

#[tokio::test]
async fn each_attempts_value_is_kept_beside_the_one_before_it() {
    let site = FakeSite {
        clicks: [ScriptedClick::Swallowed, ScriptedClick::Swallowed].into(),
        ..late([ActionErrorKind::NotMet, ActionErrorKind::NotMet], &["KEY1", "KEY2", "KEY3"])
    };
    let bench = RunFixture::of(ACTIVATE, LOOKED_AT, site);
    assert_eq!(bench.drive().await.outcome.exit_code(), 0);
    let session = bench.session();
    let kept: Vec<_> =
        session.superseded.iter().map(|old| (old.field.as_str(), old.value.as_str())).collect();
    assert_eq!(kept, [("key", Some("KEY2")), ("key", Some("KEY1"))]);
    assert_eq!(session.identity.get("key").as_deref(), Some("KEY3"));
}

#[tokio::test]
async fn no_value_is_dropped_while_the_step_is_in_doubt() {
    let bench = RunFixture::of(SHOWN_AFTER, "", late([], &["NEW"]));
    bench.prepare_session(|session| {
        let run_id = RunId::new(jiff::Timestamp::UNIX_EPOCH, 1);
        for value in 0..=10 {
            let change = regatta_core::session::Change { at: jiff::Timestamp::UNIX_EPOCH, run_id: &run_id };
            session.replace("key", &format!("K{value}"), change);
        }
    });
    // The click of SHOWN_AFTER is done, so the step is in flight when the eleventh value is replaced.
    let end = bench.drive().await;
    bench.check(&end, expect![[r#"
        touched, intent on disk
        asked: yes
        NeedsAttention, 1 submissions
        step `a` has captured `identity.key` again: 10 earlier values are kept, and while the step is in doubt none may be dropped"#]]);
    let session = bench.session();
    assert_eq!((session.superseded.len(), session.identity.get("key").as_deref()), (11, Some("NEW")));
}

#[tokio::test]
async fn a_prepared_value_moves_into_place_with_the_flag() {
    const ROTATE: &str = r#"{"title":"t","steps":[
        {"type":"change","selectors":["old"],"value":"{{ identity.password }}"},
        {"type":"change","selectors":["new"],"value":"{{ identity.new_password }}"},
        {"type":"click","selectors":["button"],"offsetX":1,"offsetY":1}]}"#;
    let settings = "prepare = { new_password = \"next\" }\ncommit = { password = \"new_password\" }\n";
    let site = FakeSite { clicks: [ScriptedClick::Lost].into(), ..FakeSite::default() };
    let bench = RunFixture::of(ROTATE, &format!("{settings}{LOOKED_AT}"), site);
    bench.prepare_session(|session| session.identity.set("password", "first"));
    let end = bench.drive().await;
    bench.check(
        &end,
        expect![[r#"
            typed first
            typed next
            touched, intent on disk
            asked: yes
            Completed, 1 submissions"#]],
    );
    let session = bench.session();
    assert_eq!(session.identity.get("password").as_deref(), Some("next"));
    assert_eq!(session.identity.names().collect::<Vec<_>>(), ["password"]);
    assert_eq!(
        (session.superseded[0].field.as_str(), session.superseded[0].value.as_str()),
        ("password", Some("first"))
    );
}

#[tokio::test]
async fn a_field_that_the_profile_lacks_is_a_persons_to_give() {
    const TYPED: &str =
        r#"{"title":"t","steps":[{"type":"change","selectors":["code"],"value":"{{ totp }}"}]}"#;
    let bench = RunFixture::of(TYPED, "", FakeSite::default());
    let end = bench.drive().await;
    bench.check(&end, expect![[r#"
        NeedsAttention, 0 submissions
        step `a` needs `identity.two_fa_secret`, which the profile does not have; give it: regatta resolve p1 --again --set identity.two_fa_secret"#]]);
}

/// Only in the middle of the flow is it known that nothing has captured the field.
#[tokio::test]
async fn a_field_that_was_not_captured_on_the_way_is_a_persons_to_give() {
    const WITHIN: &str = r#"{"title":"t","steps":[
        {"type":"customStep","name":"regatta.when","parameters":{"exists":["banner"],"steps":[
            {"type":"customStep","name":"regatta.capture","parameters":{"selectors":["key"],"from":"text","into":"identity.key"}}]}},
        {"type":"change","selectors":["code"],"value":"{{ identity.key }}"}]}"#;
    let bench = RunFixture::of(WITHIN, "", FakeSite { lacks_banner: true, ..FakeSite::default() });
    let end = bench.drive().await;
    bench.check(&end, expect![[r#"
        NeedsAttention, 0 submissions
        step `a`: the profile has no `identity.key`, which `{{ identity.key }}` needs; give it with --set identity.key"#]]);
    let mut given = bench.session();
    given.identity.set("key", "GIVEN");
    bench.prepare_session(|session| *session = given);
    assert_eq!(bench.drive().await.outcome.exit_code(), 0);
    assert_eq!(bench.site.0.borrow().story, ["typed GIVEN"]);
}
