//! The browser behind AdsPower's Local API, which the API does not show: a fake of it in front of a real Chromium.
#![cfg(target_os = "linux")]

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Uri;
use regatta::providers::adspower::{AdsPower, AdsPowerSettings, ApiVersion};
use regatta::providers::chromium::executable::ChromiumPrograms;
use regatta::providers::chromium::{Chromium, ChromiumSettings};
use regatta::providers::{Provider, StartOptions};
use regatta::store::Layout;
use regatta_core::id::ProfileId;
use regatta_core::session::Platform;
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::EndsBrowsers;

const HEADLESS: StartOptions = StartOptions { headless: true, platform: Platform::Desktop };

/// Opens the browser of the profile when it is asked to, and forgets it at once.
async fn forgetful(chromium: Arc<Chromium>, profile: ProfileId) -> String {
    let answer = async move |uri: Uri| {
        if uri.path().ends_with("/start") {
            let ws = chromium.start(&profile, &HEADLESS).await.unwrap().ws;
            let data = json!({ "ws": { "puppeteer": ws, "selenium": "" }, "debug_port": "1" });
            json!({ "code": 0, "msg": "success", "data": data }).to_string()
        } else if uri.path().ends_with("/active") {
            json!({ "code": 0, "msg": "success", "data": { "status": "Inactive" } }).to_string()
        } else {
            json!({ "code": -1, "data": {}, "msg": "User_id is not open" }).to_string()
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    base_url
}

#[tokio::test]
async fn a_browser_that_adspower_forgot_is_found_and_closed() {
    let (real, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let profile: ProfileId = "k18imh7u".parse().unwrap();
    let programs = ChromiumPrograms { search_path: std::env::var_os("PATH"), ..ChromiumPrograms::default() };
    let settings = ChromiumSettings { programs, ..ChromiumSettings::default() };
    let chromium = Arc::new(Chromium::new(Layout::new(real.path()), settings));
    let _ends = EndsBrowsers(Layout::new(real.path()).browser_folder(&profile));
    let layout = Layout::new(ours.path());
    layout.create_folders().unwrap();
    let settings = AdsPowerSettings {
        base_url: forgetful(Arc::clone(&chromium), profile.clone()).await,
        api: ApiVersion::V1,
        calls_per_second: 100.0,
        restart_timeout: Duration::from_millis(50),
        ..AdsPowerSettings::default()
    };
    let adspower = AdsPower::new(layout.clone(), settings.clone(), None);
    let running = adspower.start(&profile, &HEADLESS).await.unwrap();
    assert!(!running.reused);

    // A later process, and an AdsPower that says "Inactive".
    let later = AdsPower::new(layout.clone(), settings.clone(), None);
    let found = later.active(&profile).await.unwrap().unwrap();
    assert_eq!((found.ws.as_str(), found.reused), (running.ws.as_str(), true));
    assert!(later.start(&profile, &HEADLESS).await.unwrap().reused);

    // And one without an AdsPower.
    let settings = AdsPowerSettings { base_url: "http://127.0.0.1:1".to_owned(), ..settings };
    let alone = AdsPower::new(layout, settings, None);
    alone.stop(&profile).await.unwrap();
    assert_eq!(chromium.active(&profile).await.unwrap(), None);
    assert_eq!(later.active(&profile).await.unwrap(), None);
    later.stop(&profile).await.unwrap();
    chromium.stop(&profile).await.unwrap();
}
