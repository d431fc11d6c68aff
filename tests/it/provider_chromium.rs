//! The local provider against a real Chromium, which must be installed.
#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::time::Duration;

use expect_test::{Expect, expect};
use regatta::cli::hint;
use regatta::providers::chromium::executable::{BrowserChoice, ChromiumPrograms, is_headless_shell};
use regatta::providers::chromium::{Chromium, ChromiumSettings};
use regatta::providers::{Provider, ProviderError, StartOptions};
use regatta::store::Layout;
use regatta_core::id::ProfileId;
use regatta_core::session::Platform;
use rustix::process::{Pid, Signal, kill_process};

use crate::support;
use crate::support::server::{Server, answer};

const HEADLESS: StartOptions = StartOptions { headless: true, platform: Platform::Desktop };

struct ChromiumFixture {
    _ends: support::EndsBrowsers,
    folder: tempfile::TempDir,
    profile: ProfileId,
}

/// Where the program looks: `CHROME` names the browser of the whole suite.
fn installed() -> ChromiumPrograms {
    ChromiumPrograms {
        chrome_variable: std::env::var_os("CHROME").map(Into::into),
        search_path: std::env::var_os("PATH"),
        ..ChromiumPrograms::default()
    }
}

impl ChromiumFixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let profile = "p1".parse().unwrap();
        let browser_folder = Layout::new(folder.path()).browser_folder(&profile);
        Self { _ends: support::EndsBrowsers(browser_folder), folder, profile }
    }

    fn provider(&self, executable: Option<PathBuf>) -> Chromium {
        let settings = ChromiumSettings {
            programs: ChromiumPrograms { executable, ..installed() },
            ..ChromiumSettings::default()
        };
        Chromium::new(Layout::new(self.folder.path()), settings)
    }

    fn browser_folder(&self) -> PathBuf {
        Layout::new(self.folder.path()).browser_folder(&self.profile)
    }

    fn processes(&self) -> Vec<i32> {
        support::browser_processes(&self.browser_folder())
    }

    fn script(&self, text: &str) -> PathBuf {
        let path = self.folder.path().join("browser.sh");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[track_caller]
    fn check(&self, error: &ProviderError, expected: Expect) {
        let text = format!("{error}\nhint: {}", hint::of_provider(error).unwrap_or_default());
        expected.assert_eq(&text.replace(self.folder.path().to_str().unwrap(), "ROOT"));
    }
}

async fn version_of(ws: &str) -> serde_json::Value {
    let address = url::Url::parse(ws).unwrap();
    let version = format!("http://127.0.0.1:{}/json/version", address.port().unwrap());
    let client = regatta::http::local().build().unwrap();
    client.get(version).send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn a_browser_is_started_reused_and_stopped() {
    let place = ChromiumFixture::new();
    let provider = place.provider(None);
    assert_eq!(provider.active(&place.profile).await.unwrap(), None);
    provider.stop(&place.profile).await.unwrap();

    let first = provider.start(&place.profile, &HEADLESS).await.unwrap();
    assert!(!first.reused);
    assert_eq!(version_of(&first.ws).await["webSocketDebuggerUrl"], first.ws);

    // As another process would see it.
    let second = place.provider(None).start(&place.profile, &HEADLESS).await.unwrap();
    assert_eq!((second.ws.as_str(), second.reused), (first.ws.as_str(), true));
    assert_eq!(provider.active(&place.profile).await.unwrap(), Some(second));

    provider.stop(&place.profile).await.unwrap();
    assert_eq!(place.processes(), [0_i32; 0]);
    assert_eq!(provider.active(&place.profile).await.unwrap(), None);
    provider.stop(&place.profile).await.unwrap();
    assert_eq!(provider.list().await.unwrap()[0].id, place.profile);
}

#[tokio::test]
async fn a_killed_browser_is_replaced() {
    for choice in [BrowserChoice::Chromium, BrowserChoice::HeadlessShell] {
        let place = ChromiumFixture::new();
        let programs =
            ChromiumPrograms { choice, search_path: std::env::var_os("PATH"), ..ChromiumPrograms::default() };
        let settings = ChromiumSettings { programs, ..ChromiumSettings::default() };
        let provider = Chromium::new(Layout::new(place.folder.path()), settings);
        let first = provider.start(&place.profile, &HEADLESS).await.unwrap();
        kill_process(Pid::from_raw(place.processes()[0]).unwrap(), Signal::KILL).unwrap();
        // Only the full browser claims its folder.
        let is_claimed = place.browser_folder().join("SingletonLock").is_symlink();
        assert_eq!(is_claimed, choice == BrowserChoice::Chromium, "there is a stale claim to survive");

        let second = provider.start(&place.profile, &HEADLESS).await.unwrap();
        assert!(!second.reused, "{choice:?}");
        assert_ne!(first.ws, second.ws);
        assert_eq!(version_of(&second.ws).await["webSocketDebuggerUrl"], second.ws);
        provider.stop(&place.profile).await.unwrap();
        assert_eq!(place.processes(), [0_i32; 0]);
    }
}

#[tokio::test]
async fn a_browser_that_does_not_listen_any_more_is_ended_by_stop() {
    let place = ChromiumFixture::new();
    let provider = place.provider(None);
    provider.start(&place.profile, &HEADLESS).await.unwrap();
    fs::remove_file(place.browser_folder().join("DevToolsActivePort")).unwrap();
    provider.stop(&place.profile).await.unwrap();
    assert_eq!(place.processes(), [0_i32; 0]);
}

#[tokio::test]
async fn a_browser_that_hangs_is_killed_by_stop() {
    let place = ChromiumFixture::new();
    let provider = place.provider(None);
    provider.start(&place.profile, &HEADLESS).await.unwrap();
    let main = Pid::from_raw(place.processes()[0]).unwrap();
    kill_process(main, Signal::STOP).unwrap();
    provider.stop(&place.profile).await.unwrap();
    assert_eq!(place.processes(), [0_i32; 0]);
}

#[tokio::test]
async fn a_living_browser_that_cannot_be_driven_is_told() {
    let place = ChromiumFixture::new();
    // Holds the folder in its arguments and never listens.
    let script = place.script("#!/bin/sh\nsleep 600\n");
    let settings = ChromiumSettings {
        programs: ChromiumPrograms { executable: Some(script), ..ChromiumPrograms::default() },
        start_timeout: Duration::from_millis(300),
        ..ChromiumSettings::default()
    };
    fs::create_dir_all(place.browser_folder()).unwrap();
    let argument = format!("--user-data-dir={}", place.browser_folder().display());
    let mut living = std::process::Command::new(settings.programs.executable.as_ref().unwrap())
        .arg(argument)
        .process_group(0)
        .spawn()
        .unwrap();
    let provider = Chromium::new(Layout::new(place.folder.path()), settings);
    let error = provider.start(&place.profile, &HEADLESS).await.unwrap_err();
    let text = error.to_string().replace(&living.id().to_string(), "PID");
    assert_eq!(
        text,
        format!("a browser (process PID) uses {} but cannot be driven", place.browser_folder().display())
    );
    assert!(living.try_wait().unwrap().is_none(), "it is left alone");
    provider.stop(&place.profile).await.unwrap();
    living.wait().unwrap();
}

#[tokio::test]
async fn a_claim_of_another_machine_is_respected() {
    let place = ChromiumFixture::new();
    fs::create_dir_all(place.browser_folder()).unwrap();
    symlink("far-away-4711", place.browser_folder().join("SingletonLock")).unwrap();
    let settings =
        ChromiumSettings { start_timeout: Duration::from_millis(200), ..ChromiumSettings::default() };
    let provider = Chromium::new(Layout::new(place.folder.path()), settings);
    place.check(
        &provider.start(&place.profile, &HEADLESS).await.unwrap_err(),
        expect![[r#"
            a browser on far-away (process 4711) uses ROOT/browsers/p1 but cannot be driven
            hint: close that browser; where it is gone or runs on another machine that is no more, delete ROOT/browsers/p1/SingletonLock"#]],
    );
    provider.stop(&place.profile).await.unwrap();
    assert!(place.browser_folder().join("SingletonLock").is_symlink());
}

#[tokio::test]
async fn what_is_no_browser_is_told() {
    let place = ChromiumFixture::new();
    let start = async |executable: PathBuf| {
        let provider = place.provider(Some(executable));
        provider.start(&place.profile, &HEADLESS).await.unwrap_err()
    };
    place.check(
        &start(place.folder.path().join("nothing")).await,
        expect![[r#"
            no Chromium found at ROOT/nothing
            hint: name an executable file, or leave it out to use an installed Chromium or Chrome"#]],
    );
    place.check(
        &start(place.script("#!/bin/sh\necho one >&2\necho the display is missing >&2\nexit 3\n")).await,
        expect![[r#"
            ROOT/browser.sh ended before it could be driven (exit status: 3)
              | one
              | the display is missing
            hint: start it by hand with the same arguments to see more"#]],
    );
    let unreadable = start(place.script("no program")).await;
    place.check(
        &unreadable,
        expect![[r#"
            cannot start ROOT/browser.sh
            hint: is this a browser, and may this user run it?"#]],
    );
}

#[tokio::test]
async fn a_browser_that_is_never_ready_is_ended() {
    let place = ChromiumFixture::new();
    let script = place.script("#!/bin/sh\necho still thinking >&2\nsleep 600\n");
    let settings = ChromiumSettings {
        programs: ChromiumPrograms { executable: Some(script), ..ChromiumPrograms::default() },
        start_timeout: Duration::from_millis(400),
        ..ChromiumSettings::default()
    };
    let provider = Chromium::new(Layout::new(place.folder.path()), settings);
    let error = provider.start(&place.profile, &HEADLESS).await.unwrap_err();
    assert!(error.retryable());
    place.check(
        &error,
        expect![[r#"
            the browser of profile p1 did not become ready within 0.4 s
              | still thinking
            hint: a slow machine needs a longer start timeout, or fewer runs at once"#]],
    );
    assert_eq!(place.processes(), [0_i32; 0]);
}

#[tokio::test]
async fn what_a_dead_browser_left_is_gone_before_the_next_starts() {
    let place = ChromiumFixture::new();
    fs::create_dir_all(place.browser_folder()).unwrap();
    let host = sysinfo::System::host_name().unwrap();
    // This process lives, but is no browser: the number was used again.
    let claim = format!("{host}-{}", std::process::id());
    symlink(claim, place.browser_folder().join("SingletonLock")).unwrap();
    symlink("/nowhere", place.browser_folder().join("SingletonSocket")).unwrap();
    fs::write(place.browser_folder().join("DevToolsActivePort"), "1\n/devtools/browser/a-b").unwrap();
    let script = place.script(
        "#!/bin/sh\nfor a; do case $a in --user-data-dir=*) ls -A ${a#--user-data-dir=};; esac; done; exit 1\n",
    );
    place.check(
        &place.provider(Some(script)).start(&place.profile, &HEADLESS).await.unwrap_err(),
        expect![[r#"
            ROOT/browser.sh ended before it could be driven (exit status: 1)
              | chromium.log
            hint: start it by hand with the same arguments to see more"#]],
    );
    let provider = place.provider(None);
    assert!(!provider.start(&place.profile, &HEADLESS).await.unwrap().reused);
    provider.stop(&place.profile).await.unwrap();
}

/// Judged by what the server receives: the cookie in the request, the page's storage in the address.
#[test]
fn a_folder_moves_between_the_two_programs_with_its_cookies_and_storage() {
    const PAGE: &str = "<script>fetch('/seen?' + localStorage.kept); localStorage.kept = 'yes'</script>";
    let (report, reported) = std::sync::mpsc::channel();
    let server = Server::start(move |asked| {
        if asked.uri.path() == "/seen" {
            let cookie = asked.header("cookie").unwrap_or_default().to_owned();
            report.send((cookie, asked.uri.query().unwrap_or_default().to_owned())).unwrap();
        }
        answer(200, &[("content-type", "text/html"), ("set-cookie", "visit=1; Max-Age=86400")], PAGE)
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let choices = [BrowserChoice::HeadlessShell, BrowserChoice::Chromium, BrowserChoice::HeadlessShell];
    let place = ChromiumFixture::new();
    let mut seen = Vec::new();
    for choice in choices {
        let programs =
            ChromiumPrograms { choice, search_path: std::env::var_os("PATH"), ..ChromiumPrograms::default() };
        let settings = ChromiumSettings { programs, ..ChromiumSettings::default() };
        let provider = Chromium::new(Layout::new(place.folder.path()), settings);
        let program = provider.program(&HEADLESS).expect("`make test` installs both programs");
        assert_eq!(is_headless_shell(&program), choice == BrowserChoice::HeadlessShell);
        let started = runtime.block_on(provider.start(&place.profile, &HEADLESS)).unwrap();
        let port = url::Url::parse(&started.ws).unwrap().port().unwrap();
        let open = format!("http://127.0.0.1:{port}/json/new?{}", server.url("/page"));
        let client = regatta::http::local().build().unwrap();
        runtime.block_on(client.put(open).send()).unwrap();
        seen.push(reported.recv_timeout(Duration::from_secs(30)).expect("the page reports what it has kept"));
        runtime.block_on(provider.stop(&place.profile)).unwrap();
    }
    let kept = ("visit=1".to_owned(), "yes".to_owned());
    assert_eq!(seen, [("visit=1".to_owned(), "undefined".to_owned()), kept.clone(), kept]);
}
