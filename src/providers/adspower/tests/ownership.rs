//! A browser that a person or another program has opened is never taken over, and never stopped.

use super::*;

/// Another browser than [`opened`] names. Port 1 is closed, so it needs a listener to count as open.
async fn of_a_person() -> (String, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ws = format!("ws://{}/devtools/browser/77aa", listener.local_addr().unwrap());
    let version = json!({ "webSocketDebuggerUrl": ws }).to_string();
    let router = Router::new().fallback(async move || version);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let data = json!({ "status": "Active", "ws": { "puppeteer": ws }, "debug_port": "1" });
    (json!({ "code": 0, "msg": "success", "data": data }).to_string(), ws)
}

fn names(fake: &SharedState) -> Vec<String> {
    let fake = fake.lock().unwrap();
    let name =
        |asked: &String| asked.split(['?', ' ']).next().unwrap().rsplit('/').next().unwrap().to_owned();
    fake.asked.iter().map(name).collect()
}

#[tokio::test]
async fn what_was_never_asked_for_is_not_ours_to_stop() {
    let fake = fake(&[success()]);
    let place = TestFolder::serving(&fake, |_| {}).await;
    place.stop().await.unwrap();
    assert!(fake.lock().unwrap().asked.is_empty(), "a person may have opened it");
}

#[tokio::test]
async fn what_is_asked_for_is_known_before_the_answer() {
    // Never answers a start: as if we died before the answer came.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = TestFolder::new(format!("http://{}", listener.local_addr().unwrap()), |_| {});
    let router = Router::new().fallback(async move |uri: Uri| {
        if uri.path().ends_with("/start") {
            std::future::pending::<()>().await;
        }
        inactive()
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    let started = tokio::time::timeout(Duration::from_millis(300), place.start()).await;
    assert!(started.is_err());
    assert!(place.claim().unwrap().ws.is_none());
}

#[tokio::test]
async fn what_a_person_has_opened_is_refused_and_left_open() {
    let (active, _) = of_a_person().await;
    let fake = fake(&[success()]);
    fake.lock().unwrap().active = [active].into();
    let place = TestFolder::serving(&fake, |_| {}).await;
    check(
        &place.start().await.unwrap_err(),
        expect![[r#"
            profile k18imh7u is open on this machine, and Regatta did not open it
            not to be retried"#]],
    );
    place.stop().await.unwrap();
    assert_eq!(names(&fake), ["active"], "neither started nor stopped");
}

/// AdsPower opens it for a person at this moment.
#[tokio::test]
async fn what_is_being_opened_is_ours_only_where_we_have_just_asked_for_it() {
    let opening =
        json!({ "code": 0, "msg": "success", "data": { "status": "Active", "ws": {} } }).to_string();
    let fake = fake(&[opened(None)]);
    fake.lock().unwrap().active = [opening].into();
    let place = TestFolder::serving(&fake, |_| {}).await;
    assert!(matches!(place.start().await, Err(ProviderError::OpenHere { .. })));
    place.has_asked();
    place.start().await.unwrap();
    assert_eq!(names(&fake), ["active", "active", "start"]);
}

#[tokio::test]
async fn where_our_browser_is_gone_a_persons_is_not_stopped() {
    let (active, _) = of_a_person().await;
    let fake = fake(&[success()]);
    fake.lock().unwrap().active = [active].into();
    let place = TestFolder::serving(&fake, |_| {}).await;
    // Port 1 is closed.
    place.claims(&Claim::of("ws://127.0.0.1:1/devtools/browser/6b1e"));
    place.stop().await.unwrap();
    assert_eq!((names(&fake), place.claim()), (vec!["active".to_owned()], None));
    assert!(matches!(place.start().await, Err(ProviderError::OpenHere { .. })));
}

#[tokio::test]
async fn a_start_that_was_cut_off_long_ago_claims_no_browser_of_unknown_age() {
    let (active, ws) = of_a_person().await;
    let fake = fake(&[success()]);
    fake.lock().unwrap().active = [active].into();
    let place = TestFolder::serving(&fake, |settings| settings.start_timeout = Duration::from_secs(60)).await;
    let ago = |seconds| jiff::Timestamp::now() - Duration::from_secs(seconds);
    let asked =
        |seconds| Claim { ws: None, asked: Some(StartCallTimes { first: ago(seconds), last: ago(seconds) }) };
    place.claims(&asked(3600));
    assert!(matches!(place.start().await, Err(ProviderError::OpenHere { .. })));
    place.stop().await.unwrap();
    assert_eq!((names(&fake), place.claim()), (vec!["active".to_owned(); 2], None));

    place.claims(&asked(5));
    assert_eq!(place.start().await.unwrap(), Endpoint { ws, reused: true });
}

#[tokio::test]
async fn a_start_that_was_cut_off_just_now_is_stopped_though_nothing_is_open_yet() {
    let fake = fake(&[refused("User_id is not open")]);
    let place = TestFolder::serving(&fake, |_| {}).await;
    place.has_asked();
    place.stop().await.unwrap();
    assert_eq!(names(&fake), ["active", "stop"]);
}

#[tokio::test]
async fn who_waits_for_a_turn_has_claimed_nothing() {
    let fake = fake(&[opened(None)]);
    let place = TestFolder::serving(&fake, |settings| settings.calls_per_second = 0.5).await;
    let cut_off = tokio::time::timeout(Duration::from_millis(500), place.start()).await;
    assert!(cut_off.is_err());
    assert_eq!((names(&fake), place.claim()), (vec!["active".to_owned()], None));
}

#[tokio::test]
async fn a_refused_start_leaves_no_claim() {
    for refusal in
        [refused("This feature is only available in paid subscriptions"), refused("Check Proxy Fail")]
    {
        let fake = fake(&[refusal]);
        let place = TestFolder::serving(&fake, |_| {}).await;
        place.start().await.unwrap_err();
        assert_eq!(place.claim(), None);
    }
}

/// A browser that AdsPower lists though it died.
#[tokio::test]
async fn what_is_listed_and_dead_is_in_nobodys_use() {
    let fake = fake(&[opened(None)]);
    fake.lock().unwrap().active = [opened(Some("Active"))].into();
    let place = TestFolder::serving(&fake, |_| {}).await;
    place.start().await.unwrap();
    assert_eq!(names(&fake), ["active", "start"]);
}

#[tokio::test]
async fn what_is_open_here_is_in_use_unless_we_have_opened_it() {
    let (ours, other) = ("ws://127.0.0.1:1/devtools/browser/6b1e", "ws://127.0.0.1:1/devtools/browser/77aa");
    let item = |id: &str, ws: &str| json!({ "user_id": id, "ws": { "puppeteer": ws } });
    let list = json!([item("never", other), item("ours", ours), item("again", other), item("asked", other)]);
    let here = json!({ "code": 0, "msg": "success", "data": { "list": list } }).to_string();
    // As in AdsPower's multi-device mode.
    let nowhere = json!({ "code": 0, "msg": "success", "data": [] }).to_string();
    let fake = fake(&[nowhere, here]);
    let place = TestFolder::serving(&fake, |_| {}).await;
    let id = |name: &str| name.parse::<ProfileId>().unwrap();
    for name in ["ours", "again"] {
        place.adspower.claims.write(&id(name), &Claim::of(ours)).unwrap();
    }
    // Its run finds out by the age of the browser.
    place.adspower.claims.write(&id("asked"), &Claim::default()).unwrap();
    let profiles = ["closed", "never", "ours", "again", "asked"].map(id);
    assert_eq!(place.adspower.open_elsewhere(&profiles).await.unwrap(), [id("never"), id("again")]);
}
