//! Two-factor codes are typed once, and the wait for the next one costs an attempt nothing.

use std::sync::Arc;

use super::*;
use crate::run::WallClock;
use regatta_core::workflow::template::totp_code;

const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const TYPES_TWICE: &str = r#"{"title":"t","steps":[
    {"type":"change","selectors":["code"],"value":"{{ totp }}"},
    {"type":"change","selectors":["code"],"value":"{{ totp }}"}]}"#;

/// Shows the virtual clock: 1 s into a window at its start.
fn clock() -> WallClock {
    let started = tokio::time::Instant::now();
    Arc::new(move || {
        let passed = i64::try_from(started.elapsed().as_millis()).unwrap();
        jiff::Timestamp::from_millisecond(61_000 + passed).unwrap()
    })
}

fn code(second: i64) -> String {
    totp_code(SECRET, jiff::Timestamp::from_second(second).unwrap()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_code_is_typed_once_and_the_wait_does_not_count_against_the_timeout() {
    let bench = RunFixture::of(TYPES_TWICE, "timeout = \"10s\"\nin_doubt = \"repeat\"", FakeSite::default());
    bench.prepare_session(|session| session.identity.set("two_fa_secret", SECRET));
    let clock = clock();
    let end = bench.run_by(Arc::clone(&clock)).drive().await;
    assert_eq!(end.outcome.exit_code(), 0, "{end:?}");
    let typed = |second| format!("typed {}", code(second));
    assert_eq!(bench.site.0.borrow().story, [typed(61), typed(91)]);
    let waits = bench.events().into_iter().filter_map(|event| match event.kind {
        EventKind::TotpWaiting { field, ms, .. } => Some((field, ms)),
        _ => None,
    });
    assert_eq!(waits.collect::<Vec<_>>(), [("two_fa_secret".to_owned(), 29_000)]);
    assert_eq!(bench.session().totp_used["two_fa_secret"], 3);

    // The next run remembers.
    bench.prepare_session(|session| session.reset(None).unwrap());
    bench.run_by(clock).drive().await;
    assert_eq!(bench.site.0.borrow().story[2..], [typed(121), typed(151)]);
}

#[tokio::test(start_paused = true)]
async fn the_window_is_durable_before_its_code_is_typed() {
    for polls in 0..40 {
        let bench = RunFixture::of(TYPES_TWICE, "in_doubt = \"repeat\"", FakeSite::default());
        bench.prepare_session(|session| session.identity.set("two_fa_secret", SECRET));
        let mut run = std::pin::pin!(bench.run_by(clock()).drive());
        for _ in 0..polls {
            if poll!(&mut run).is_ready() {
                break;
            }
        }
        let typed = bench.site.0.borrow().story.len();
        let known = bench.session().totp_used.get("two_fa_secret").copied();
        assert!(typed == 0 || known >= Some(2), "{typed} typed, {known:?} on disk");
        if typed == 2 {
            return;
        }
    }
}
