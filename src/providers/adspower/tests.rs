//! Against a fake that answers only bodies that AdsPower was seen to answer.

use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use expect_test::{Expect, expect};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

use super::calling::back_off;
use super::claim::{Claim, StartCallTimes};
use super::*;
use regatta_core::session::Platform;

const OPTIONS: StartOptions = StartOptions { headless: false, platform: Platform::Desktop };

mod ownership;

/// Gives its answers in order, the last one for ever; keeps what it was asked. Whether a browser is open it
/// answers from answers of their own, where there are any.
#[derive(Default)]
struct FakeAdsPower {
    answers: VecDeque<(StatusCode, String)>,
    active: VecDeque<String>,
    asked: Vec<String>,
    keys: Vec<Option<String>>,
}

type SharedState = Arc<Mutex<FakeAdsPower>>;

async fn answer(
    State(fake): State<SharedState>,
    headers: HeaderMap,
    uri: Uri,
    body: Bytes,
) -> (StatusCode, String) {
    let mut fake = fake.lock().unwrap();
    fake.asked.push(format!("{uri} {}", String::from_utf8_lossy(&body)).trim_end().to_owned());
    fake.keys.push(headers.get("authorization").map(|key| key.to_str().unwrap().to_owned()));
    if uri.path().ends_with("/active") && !fake.active.is_empty() {
        let last = fake.active.len() == 1;
        let body = if last { fake.active[0].clone() } else { fake.active.pop_front().unwrap() };
        return (StatusCode::OK, body);
    }
    if fake.answers.len() > 1 { fake.answers.pop_front().unwrap() } else { fake.answers[0].clone() }
}

fn fake(answers: &[String]) -> SharedState {
    let answers = answers.iter().map(|body| (StatusCode::OK, body.clone())).collect();
    let active = VecDeque::from([inactive()]);
    Arc::new(Mutex::new(FakeAdsPower { answers, active, ..FakeAdsPower::default() }))
}

async fn serve(fake: &SharedState, listener: TcpListener) {
    let router = Router::new().fallback(answer).with_state(Arc::clone(fake));
    tokio::spawn(async move { axum::serve(listener, router).await });
}

struct TestFolder {
    _folder: tempfile::TempDir,
    layout: Layout,
    adspower: AdsPower,
    profile: ProfileId,
    waits: Arc<Mutex<Vec<String>>>,
}

impl TestFolder {
    fn new(base_url: String, change: impl FnOnce(&mut AdsPowerSettings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        layout.create_folders().unwrap();
        let mut settings = AdsPowerSettings {
            base_url,
            // The stub answers the first version; tests of the second ask for it.
            api: ApiVersion::V1,
            calls_per_second: 200.0,
            start_timeout: Duration::from_secs(5),
            restart_timeout: Duration::from_millis(100),
            ..AdsPowerSettings::default()
        };
        change(&mut settings);
        let waits = Arc::new(Mutex::new(Vec::new()));
        let reported = Arc::clone(&waits);
        let on_news: OnProviderNews = Arc::new(move |news| {
            reported.lock().unwrap().push(match news {
                ProviderNews::Waits { call } => format!("{call} waits"),
                ProviderNews::Waited { call, .. } => call.to_owned(),
                ProviderNews::KernelDownloading { message, .. } => message,
            });
        });
        let adspower = AdsPower::new(layout.clone(), settings, Some(on_news));
        Self { _folder: folder, layout, adspower, profile: "k18imh7u".parse().unwrap(), waits }
    }

    async fn serving(fake: &SharedState, change: impl FnOnce(&mut AdsPowerSettings)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/", listener.local_addr().unwrap());
        serve(fake, listener).await;
        Self::new(base_url, change)
    }

    async fn start(&self) -> Result<Endpoint, ProviderError> {
        self.adspower.start(&self.profile, &OPTIONS).await
    }

    async fn stop(&self) -> Result<(), ProviderError> {
        self.adspower.stop(&self.profile).await
    }

    /// As if a start of just before was cut off.
    fn has_asked(&self) {
        let now = jiff::Timestamp::now();
        self.claims(&Claim { ws: None, asked: Some(StartCallTimes { first: now, last: now }) });
    }

    fn claims(&self, claim: &Claim) {
        self.adspower.claims.write(&self.profile, claim).unwrap();
    }

    fn claim(&self) -> Option<Claim> {
        self.adspower.claims.read(&self.profile)
    }

    async fn active(&self) -> Result<Option<Endpoint>, ProviderError> {
        self.adspower.active(&self.profile).await
    }
}

#[track_caller]
fn check(error: &ProviderError, expected: Expect) {
    let retryable = if error.retryable() { "may be retried" } else { "not to be retried" };
    let text = format!("{error}\n{retryable}");
    let port = regex::Regex::new(r"127\.0\.0\.1:\d+").unwrap();
    expected.assert_eq(&port.replace_all(&text, "HOST"));
}

/// Port 1 is closed.
fn opened(status: Option<&str>) -> String {
    let mut data = json!({
        "ws": { "puppeteer": "ws://127.0.0.1:1/devtools/browser/6b1e", "selenium": "127.0.0.1:1" },
        "debug_port": "1",
        "webdriver": "/chromedriver",
    });
    if let Some(status) = status {
        data["status"] = json!(status);
    }
    json!({ "code": 0, "msg": "success", "data": data }).to_string()
}

fn not_ready() -> String {
    let data = json!({ "ws": { "puppeteer": "", "selenium": "" }, "debug_port": "", "webdriver": "" });
    json!({ "code": 0, "msg": "success", "data": data }).to_string()
}

fn refused(message: &str) -> String {
    json!({ "code": -1, "data": {}, "msg": message }).to_string()
}

fn inactive() -> String {
    json!({ "code": 0, "msg": "success", "data": { "status": "Inactive" } }).to_string()
}

fn success() -> String {
    json!({ "code": 0, "msg": "success" }).to_string()
}

fn throttled() -> String {
    refused("Too many request per second, please check")
}

#[tokio::test]
async fn a_browser_is_started_asked_about_and_stopped() {
    let fake = fake(&[opened(None), success()]);
    fake.lock().unwrap().active =
        [inactive(), opened(Some("Active")), inactive(), opened(Some("Active"))].into();
    let place = TestFolder::serving(&fake, |settings| settings.key = Some("sesame".into())).await;
    assert!(!format!("{:?}", place.adspower.settings).contains("sesame"));

    let ws = "ws://127.0.0.1:1/devtools/browser/6b1e";
    assert_eq!(place.start().await.unwrap(), Endpoint { ws: ws.into(), reused: false });
    assert_eq!(place.active().await.unwrap(), Some(Endpoint { ws: ws.into(), reused: true }));
    assert_eq!(place.active().await.unwrap(), None);
    assert_eq!(place.claim(), Some(Claim::of(ws)));
    place.stop().await.unwrap();
    assert_eq!(place.claim(), None);

    let fake = fake.lock().unwrap();
    expect![[r#"
        /api/v1/browser/active?user_id=k18imh7u
        /api/v1/browser/start?user_id=k18imh7u&open_tabs=1&ip_tab=0&headless=0
        /api/v1/browser/active?user_id=k18imh7u
        /api/v1/browser/active?user_id=k18imh7u
        /api/v1/browser/active?user_id=k18imh7u
        /api/v1/browser/stop?user_id=k18imh7u"#]]
    .assert_eq(&fake.asked.join("\n"));
    assert!(fake.keys.iter().all(|key| key.as_deref() == Some("Bearer sesame")));
}

#[tokio::test]
async fn a_browser_that_is_not_ready_is_asked_for_again() {
    let fake = fake(&[not_ready(), opened(None)]);
    let place = TestFolder::serving(&fake, |settings| settings.api = ApiVersion::V2).await;
    place.start().await.unwrap();
    let fake = fake.lock().unwrap();
    assert_eq!(fake.asked.len(), 3);
    assert!(fake.asked[1..].iter().all(|asked| asked.starts_with("/api/v2/browser-profile/start {")));
    assert_eq!(fake.keys, [None, None, None]);
}

#[tokio::test]
async fn a_browser_that_is_never_ready_is_stopped() {
    let fake = fake(&[not_ready()]);
    let place =
        TestFolder::serving(&fake, |settings| settings.start_timeout = Duration::from_millis(300)).await;
    check(
        &place.start().await.unwrap_err(),
        expect![[r#"
            the browser of profile k18imh7u did not become ready within 0.3 s
            may be retried"#]],
    );
    assert!(fake.lock().unwrap().asked.last().unwrap().starts_with("/api/v1/browser/stop"));
}

#[tokio::test]
async fn a_kernel_that_is_being_downloaded_is_waited_for() {
    let downloads = refused("SunBrowser 136 is updating, waiting for download.");
    let fake = fake(&[downloads.clone(), downloads, opened(None)]);
    // The download takes longer than a start may.
    let place = TestFolder::serving(&fake, |settings| settings.start_timeout = Duration::from_secs(3)).await;
    place.start().await.unwrap();
    assert_eq!(fake.lock().unwrap().asked.len(), 4);
    // At once, and not each time it is asked.
    let reported: Vec<_> = place
        .waits
        .lock()
        .unwrap()
        .iter()
        .filter(|reported| *reported != "start" && *reported != "active")
        .cloned()
        .collect();
    assert_eq!(reported, ["SunBrowser 136 is updating, waiting for download."]);
}

#[tokio::test]
async fn two_calls_say_which_of_a_hundred_are_open_elsewhere() {
    let anywhere = json!({ "code": 0, "msg": "success", "data": [
        { "user_id": "p7", "account": "ann@mail.test" },
        { "user_id": "p8", "account": "ann@mail.test" },
        { "user_id": "p9", "account": "ann@mail.test" },
    ] });
    let here = |ws: &str| json!({ "user_id": "p8", "ws": { "puppeteer": ws } });
    let ours = "ws://127.0.0.1:1/devtools/browser/6b1e";
    let here = json!({ "code": 0, "msg": "success", "data": { "list": [here(ours)] } });
    let fake = fake(&[anywhere.to_string(), here.to_string()]);
    let place = TestFolder::serving(&fake, |_| {}).await;
    place.adspower.claims.write(&"p8".parse().unwrap(), &Claim::of(ours)).unwrap();
    let profiles: Vec<ProfileId> = (0..100).map(|n| format!("p{n}").parse().unwrap()).collect();
    let open = place.adspower.open_elsewhere(&profiles).await.unwrap();
    assert_eq!(open, ["p7".parse().unwrap(), "p9".parse().unwrap()]);
    let fake = fake.lock().unwrap();
    assert!(
        fake.asked[0].starts_with(r#"/api/v1/browser/cloud-active {"user_ids":"p0,p1,p2,"#),
        "{:?}",
        fake.asked
    );
    assert_eq!(fake.asked[1..], ["/api/v1/browser/local-active"]);
}

/// As many processes as there are profiles wait for their turn, and one has to stop its browser.
#[tokio::test]
async fn a_stop_finds_budget_among_many_starts_and_is_made_again_when_it_is_refused() {
    let (second, seen) = (Arc::new(tokio::sync::Notify::new()), Arc::new(Mutex::new(Vec::<String>::new())));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let router = {
        let (second, seen) = (Arc::clone(&second), Arc::clone(&seen));
        Router::new().fallback(async move |uri: Uri| {
            let mut seen = seen.lock().unwrap();
            let is_stop = uri.path().ends_with("/stop");
            let first_stop = is_stop && !seen.iter().any(|call| call == "stop");
            seen.push(if is_stop { "stop" } else { "start" }.to_owned());
            if seen.len() == 2 {
                second.notify_one();
            }
            // Another program has used up this second.
            if first_stop {
                throttled()
            } else if uri.path().ends_with("/active") {
                inactive()
            } else {
                opened(None)
            }
        })
    };
    tokio::spawn(async move { axum::serve(listener, router).await });
    let place = TestFolder::new(base_url.clone(), |settings| settings.calls_per_second = 20.0);
    place.has_asked();
    let layout = place.layout.clone();
    let starts = (0..16).map(|n| {
        let settings = AdsPowerSettings {
            base_url: base_url.clone(),
            api: ApiVersion::V1,
            calls_per_second: 20.0,
            ..Default::default()
        };
        let (layout, profile) = (layout.clone(), format!("p{n}").parse::<ProfileId>().unwrap());
        tokio::spawn(async move {
            let adspower = AdsPower::new(layout, settings, None);
            adspower.start(&profile, &OPTIONS).await.unwrap();
        })
    });
    let starts: Vec<_> = starts.collect();
    second.notified().await;
    place.stop().await.unwrap();
    for start in starts {
        start.await.unwrap();
    }
    let seen = seen.lock().unwrap();
    let stops: Vec<_> = (1..).zip(seen.iter()).filter(|(_, call)| *call == "stop").map(|(n, _)| n).collect();
    // Each at the next slot but one, however many wait; the second one after its back-off.
    // Before it stands the question what is open, which goes first, too; between the two a start or two
    // may pass. All others wait: 33 of the calls are not of the stop.
    assert!(stops.len() == 2 && stops[0] <= 12 && stops[1] <= stops[0] + 6, "{seen:?}");
    assert_eq!(seen.len(), 2 * 16 + 3, "every start was made, too");
}

#[tokio::test]
async fn a_throttled_call_is_made_again_later() {
    let fake = fake(&[throttled(), throttled(), opened(None), success()]);
    let place = TestFolder::serving(&fake, |_| {}).await;
    place.start().await.unwrap();
    assert_eq!((place.adspower.throttled(), fake.lock().unwrap().asked.len()), (2, 4));
}

#[tokio::test]
async fn what_http_itself_refuses_is_known_by_its_status() {
    let fake = fake(&["slow down".to_owned(), opened(None), success()]);
    fake.lock().unwrap().answers[0].0 = StatusCode::TOO_MANY_REQUESTS;
    let place = TestFolder::serving(&fake, |_| {}).await;
    place.start().await.unwrap();
    assert_eq!(place.adspower.throttled(), 1);
    {
        let mut fake = fake.lock().unwrap();
        fake.active.clear();
        fake.answers = [(StatusCode::FORBIDDEN, String::new())].into();
    }
    assert!(matches!(place.active().await, Err(ProviderError::KeyRefused { .. })));
    fake.lock().unwrap().answers = [(StatusCode::NOT_FOUND, refused("Not Found"))].into();
    let second = AdsPowerSettings { api: ApiVersion::V2, ..place.adspower.settings.clone() };
    let second = AdsPower::new(place.layout.clone(), second, None);
    assert!(matches!(
        second.active(&place.profile).await,
        Err(ProviderError::UnknownCall { call: "active", .. })
    ));
    // An application of today has the first version.
    assert!(!matches!(place.active().await, Err(ProviderError::UnknownCall { .. })));
}

#[tokio::test]
async fn a_call_that_is_throttled_for_ever_is_given_up() {
    let fake = fake(&[throttled()]);
    let place = TestFolder::serving(&fake, |settings| settings.calls_per_second = 1000.0).await;
    place.has_asked();
    check(
        &place.stop().await.unwrap_err(),
        expect![[r#"
            AdsPower was asked too often: `stop` was refused 8 times
            may be retried"#]],
    );
}

#[tokio::test]
async fn a_closed_browser_is_stopped_already() {
    let fake = fake(&[refused("User_id is not open")]);
    let place = TestFolder::serving(&fake, |_| {}).await;
    place.has_asked();
    place.stop().await.unwrap();
    assert_eq!(
        fake.lock().unwrap().asked,
        ["/api/v1/browser/active?user_id=k18imh7u", "/api/v1/browser/stop?user_id=k18imh7u"]
    );
}

#[tokio::test]
async fn a_refusal_is_told_and_not_repeated() {
    let fake = fake(&[refused("user_id does not exist")]);
    fake.lock().unwrap().active.clear();
    let place = TestFolder::serving(&fake, |_| {}).await;
    for error in [place.start().await.unwrap_err(), place.active().await.unwrap_err()] {
        assert_eq!(error.to_string(), "AdsPower knows no profile k18imh7u");
    }
    let asked = fake.lock().unwrap().asked.len();
    place.stop().await.unwrap();
    assert_eq!((asked, fake.lock().unwrap().asked.len()), (2, 2), "nothing was opened");
}

#[tokio::test]
async fn an_app_that_restarts_is_waited_for() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let place = TestFolder::new(format!("http://{address}"), |settings| {
        settings.restart_timeout = Duration::from_secs(20)
    });
    let fake = fake(&[opened(None)]);
    let (started, ()) = tokio::join!(place.start(), async {
        // Not to synchronise: the first call must find a closed port.
        sleep(Duration::from_millis(300)).await;
        serve(&fake, TcpListener::bind(address).await.unwrap()).await;
    });
    started.unwrap();
}

#[tokio::test]
async fn an_app_that_is_not_there_is_told() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let place = TestFolder::new(base_url, |_| {});
    for error in [place.start().await.unwrap_err(), place.active().await.unwrap_err()] {
        check(
            &error,
            expect![[r#"
                AdsPower is not reachable at http://HOST: Connection refused (os error 111)
                may be retried"#]],
        );
    }
}

#[tokio::test]
async fn another_program_is_told() {
    let fake = fake(&["<html>hello</html>".to_owned()]);
    fake.lock().unwrap().answers[0].0 = StatusCode::NOT_FOUND;
    fake.lock().unwrap().active.clear();
    let place = TestFolder::serving(&fake, |_| {}).await;
    check(
        &place.start().await.unwrap_err(),
        expect![[r#"
            http://HOST does not answer `active` as AdsPower does: HTTP 404 Not Found without AdsPower's JSON
            not to be retried"#]],
    );
}

#[tokio::test]
async fn an_app_that_hangs_is_told() {
    // Accepts, by the system, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", silent.local_addr().unwrap());
    let place = TestFolder::new(base_url, |_| {});
    let call = ApiCall::active(&place.profile);
    let answered = place.adspower.call(&call, Duration::from_millis(200)).await;
    let Err(failure) = answered else { panic!() };
    check(
        &place.adspower.error(failure, &place.profile),
        expect![[r#"
            AdsPower did not answer `active` within 0.2 s
            may be retried"#]],
    );
}

#[tokio::test]
async fn all_pages_are_listed_though_they_are_shorter_than_asked_for() {
    let page = |ids: &[&str]| {
        let list: Vec<_> = ids.iter().map(|id| json!({ "user_id": id, "name": id })).collect();
        json!({ "code": 0, "msg": "Success", "data": { "list": list, "page": 1 } }).to_string()
    };
    let fake = fake(&[page(&["a", "b"]), page(&["c"]), page(&[])]);
    let place = TestFolder::serving(&fake, |_| {}).await;
    let began = Instant::now();
    let listed = place.adspower.list().await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(2), "one page a second");
    assert_eq!(listed.iter().map(|item| item.id.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(fake.lock().unwrap().asked[1], "/api/v1/user/list?page=2&page_size=100");
    assert_eq!(*place.waits.lock().unwrap(), ["list", "list"]);
}

#[tokio::test]
async fn a_list_is_made_when_its_own_limit_lets_it_through() {
    let last = |path: PathBuf| {
        let queue: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        queue["last"].as_i64().unwrap()
    };
    let page = json!({ "code": 0, "msg": "Success", "data": { "list": [{ "user_id": "a" }] } }).to_string();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let place = TestFolder::new(base_url, |settings| settings.calls_per_second = 5.0);
    let layout = place.layout.clone();
    let let_through = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&let_through);
    let router = Router::new().fallback(async move |uri: Uri| {
        if uri.path().ends_with("/list") {
            let last = (last(layout.pacer("adspower")), last(layout.pacer("adspower-list")));
            seen.lock().unwrap().push(last);
        }
        page
    });
    tokio::spawn(async move { axum::serve(listener, router).await });

    // The general limit holds the first list up, its own one the second.
    place.active().await.unwrap();
    assert_eq!(place.adspower.list().await.unwrap().len(), 1);
    let let_through = let_through.lock().unwrap();
    assert_eq!(let_through.len(), 2);
    assert!(let_through.iter().all(|(any, list)| any <= list), "{let_through:?}");
    assert!(let_through[1].1 - let_through[0].1 >= 1_000_000, "{let_through:?}");
    assert!(let_through[1].0 - let_through[0].0 >= 200_000, "{let_through:?}");
}

#[tokio::test]
async fn a_call_that_waits_long_for_its_turn_says_so_meanwhile() {
    let page = json!({ "code": 0, "msg": "Success", "data": { "status": "Inactive" } }).to_string();
    let place =
        TestFolder::serving(&fake(&[page.clone(), page]), |settings| settings.calls_per_second = 0.4).await;
    place.active().await.unwrap();
    assert_eq!(*place.waits.lock().unwrap(), [""; 0]);
    place.active().await.unwrap();
    assert_eq!(*place.waits.lock().unwrap(), ["active waits", "active"]);
}

#[test]
fn the_back_off_doubles_up_to_a_bound() {
    let seconds = |times| back_off(times, 1.0).as_secs();
    assert_eq!([1, 2, 3, 4, 20].map(seconds), [2, 4, 8, 8, 8]);
}
