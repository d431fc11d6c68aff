//! The dashboard: what it answers to whom, and the page itself, used by our own flows on real Chromium.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use expect_test::expect;
use serde_json::{Value, json};

use crate::cli::report::{events, folder};
use crate::support::program::{Ended, Folder, Program};
use crate::support::sandbox::Sandbox;

const TOKEN: &str = "practice-token";

/// A dashboard of a folder; it ends with this.
struct Page {
    program: Program,
    /// `127.0.0.1:PORT`
    host: String,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Page {
    fn of(folder: &Folder) -> Self {
        let mut program = start(folder, &["dashboard", "--listen", "127.0.0.1:0"]);
        let host = listens_at(&mut program, false);
        Self { program, host }
    }

    fn ask(&self, method: &str, path: &str, headers: &[&str]) -> Answer {
        ask(&self.host, method, path, headers)
    }

    fn rendered(&self, method: &str, path: &str, headers: &[&str]) -> String {
        let answer = self.ask(method, path, headers);
        format!("{} {}", answer.status, answer.body.trim_end())
    }

    fn play(&self, flow: &str) -> Ended {
        play(&self.host, flow)
    }
}

fn ask(at: &str, method: &str, path: &str, headers: &[&str]) -> Answer {
    let host = format!("Host: {}", at);
    let named = headers.iter().any(|line| line.starts_with("Host: "));
    let lines: Vec<&str> = if named { headers.to_vec() } else { [&[host.as_str()], headers].concat() };
    let mut stream = TcpStream::connect(at).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\n{}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        lines.join("\r\n")
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

fn start(folder: &Folder, arguments: &[&str]) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_regatta"));
    command.arg("-C").arg(folder.root()).args(arguments).env("REGATTA_DASHBOARD_TOKEN", TOKEN);
    folder.start_command(command)
}

/// As it says itself, on standard output, or beside a fleet on standard error.
fn listens_at(program: &mut Program, beside_a_fleet: bool) -> String {
    let [stdout, stderr] = program.outputs();
    program.until("the address", || {
        let text = std::fs::read_to_string(if beside_a_fleet { &stderr } else { &stdout }).unwrap();
        let line = text.lines().find(|line| line.contains("http://"))?.to_owned();
        text.ends_with('\n').then(|| line.split("http://").nth(1).unwrap().trim_end_matches('/').to_owned())
    })
}

/// Played in a Chromium of its own; nothing is left of it.
fn play(host: &str, flow: &str) -> Ended {
    let author = Folder::empty();
    let text =
        std::fs::read_to_string(format!("{}/tests/it/dashboard/{flow}.json", env!("CARGO_MANIFEST_DIR")))
            .unwrap();
    author.write("flow.json", &text);
    let (page, temp) = (format!("page=http://{host}"), author.beside("tmp"));
    std::fs::create_dir(&temp).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_regatta"));
    command.arg("-C").arg(author.root()).args(["play", "flow.json", "--set", &page]);
    if text.contains("variables.token") {
        command.args(["--set", &format!("token={TOKEN}")]);
    }
    command.args(["--allow", &format!("http://{host}")]).env("TMPDIR", &temp);
    author.start_command(command).wait_for(std::time::Duration::from_secs(120))
}

#[test]
fn it_answers_its_own_page_and_nobody_elses() {
    let folder = folder();
    let page = Page::of(&folder);
    let index = page.ask("GET", "/", &[]);
    assert_eq!(index.status, 200);
    assert!(
        index.head.contains("default-src 'none'") && index.head.contains("frame-ancestors 'none'"),
        "{}",
        index.head
    );
    for asset in [
        "/app.js",
        "/style.css",
        "/model.js",
        "/plots.js",
        "/table.js",
        "/profile.js",
        "/dom.js",
        "/icon.svg",
    ] {
        let answer = page.ask("GET", asset, &[]);
        assert_eq!(answer.status, 200, "{asset}");
        let elsewhere = answer.body.replace("http://www.w3.org/", "");
        assert!(
            !elsewhere.contains("http://")
                && !elsewhere.contains("https://")
                && !elsewhere.contains("innerHTML"),
            "{asset}"
        );
    }
    let token = format!("Authorization: Bearer {TOKEN}");
    let rendered = [
        page.rendered("GET", "/healthz", &[]),
        page.rendered("GET", "/", &["Host: evil.example"]),
        page.rendered("GET", "/events", &["Host: evil.example"]),
        page.rendered("GET", "/nothing", &[]),
        page.rendered("GET", "/api/profiles/unknown", &[]),
        page.rendered("GET", "/api/profiles/a%2Fb", &[]),
        page.rendered("POST", "/api/profiles/p1/retry", &[]),
        page.rendered("POST", "/api/profiles/p1/retry", &["Authorization: Bearer wrong"]),
        page.rendered("POST", "/api/profiles/p1/retry", &[&token, "Origin: http://evil.example"]),
        page.rendered("GET", "/api/profiles/p1/retry", &[&token]),
        page.rendered("POST", "/api/profiles/p1/explode", &[&token]),
        page.rendered("POST", "/api/profiles/p1/retry", &[&token]),
        page.rendered("POST", "/api/profiles/p1/stop", &[&token]),
        page.rendered("POST", "/api/profiles/p9/reset", &[&token]),
    ];
    expect![[r#"
        200 ok
        421 {"error":"this server does not go by that name: open it as it was printed, or name it with --allow-host"}
        421 {"error":"this server does not go by that name: open it as it was printed, or name it with --allow-host"}
        404 {"error":"there is nothing here"}
        404 {"error":"no such profile in this folder"}
        404 {"error":"no such profile in this folder"}
        401 {"error":"this needs the token: open the page by the whole address that was printed"}
        401 {"error":"the token is not that of this server: open the page by the address it printed last"}
        403 {"error":"the request comes from a page of another site"}
        405 
        404 {"error":"no such profile in this folder"}
        409 {"error":"p1 is completed: no step is open","hint":"reset it to run its steps again"}
        409 {"error":"p1 is not being run"}
        409 {"error":"there is no session of p9: it has not run yet"}"#]]
    .assert_eq(&rendered.join("\n"));
    // None of it did anything.
    assert_eq!(folder.session("p1").unwrap()["status"], "COMPLETED");
}

#[test]
fn only_what_is_among_the_artifacts_is_served_and_it_runs_nothing() {
    let folder = folder();
    let page = Page::of(&folder);
    let evidence = page.ask("GET", "/artifacts/p2/r1-store_signup-1/index.html", &[]);
    assert_eq!(evidence.status, 200);
    assert!(evidence.head.contains("content-security-policy: sandbox;"), "{}", evidence.head);
    std::os::unix::fs::symlink(folder.path("state/p2.json"), folder.path("artifacts/p2/link.txt")).unwrap();
    for path in [
        "../../state/p2.json",
        "..%2F..%2Fstate%2Fp2.json",
        "%2e%2e/%2e%2e/state/p2.json",
        "link.txt",
        "none.png",
    ] {
        let answer = page.ask("GET", &format!("/artifacts/p2/{path}"), &[]);
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.body.contains("password"), "{path}: {}", answer.body);
    }
    let detail = page.ask("GET", "/api/profiles/p2", &[]).body;
    assert!(detail.contains("the button is disabled") && !detail.contains("p2@practice.test"), "{detail}");
}

#[test]
fn who_watches_gets_the_whole_and_then_what_changes() {
    let folder = folder();
    let page = Page::of(&folder);
    let mut stream = BufReader::new(TcpStream::connect(&page.host).unwrap());
    let head = format!("GET /events HTTP/1.1\r\nHost: {}\r\n\r\n", page.host);
    stream.get_mut().write_all(head.as_bytes()).unwrap();
    let mut next = |kind: &str| -> Value {
        let mut is_it = false;
        loop {
            let mut line = String::new();
            assert!(stream.read_line(&mut line).unwrap() > 0, "the stream ended");
            is_it |= line.trim_end() == format!("event: {kind}");
            if let Some(data) = line.strip_prefix("data: ").filter(|_| is_it) {
                return serde_json::from_str(data).unwrap();
            }
        }
    };
    let mut whole = next("whole");
    // It may not have looked yet.
    if whole["rows"].as_array().unwrap().is_empty() {
        whole = next("change");
    }
    assert_eq!(whole["rows"].as_array().unwrap().len(), 3, "{whole}");
    assert_eq!(whole["counted"]["overview"]["by_status"]["FAILED"], 1);
    events(
        &folder,
        "p4",
        &[
            r#""type":"run_started","pid":5,"plan":"x","steps":4,"done":0"#.to_owned(),
            r#""type":"step_started","flag":"mailbox_created","attempt":1,"mode":"act""#.to_owned(),
        ],
    );
    let change = next("change");
    assert_eq!(
        (&change["rows"][0][0], change["rows"].as_array().unwrap().len()),
        (&json!("p4"), 1),
        "{change}"
    );
}

#[test]
fn metrics_are_those_of_the_folder() {
    let folder = folder();
    let mut page = Page::of(&folder);
    let (program, host) = (&mut page.program, page.host.clone());
    let text = program.until("the metrics", || {
        let asked = ask(&host, "GET", "/metrics", &[]);
        asked.body.contains("regatta_profiles{status=\"failed\"} 1").then_some(asked)
    });
    assert!(text.head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{}", text.head);
    for line in [
        r#"regatta_steps_total{step="store_signup",outcome="failed"} 1"#,
        r#"regatta_step_duration_seconds_sum{step="mailbox_created"} 1.5"#,
        r#"regatta_network_bytes_total{direction="received"} 4096"#,
    ] {
        assert!(text.body.contains(line), "{line} is not in {}", text.body);
    }
    assert!(text.body.ends_with("# EOF\n"));
}

#[test]
fn the_page_finds_what_failed_and_acts_on_it() {
    let folder = folder();
    let page = Page::of(&folder);
    page.play("browse").assert_code(0);
    let session = folder.session("p2").unwrap();
    assert_eq!(session["completion_flags"]["mailbox_created"], false, "it was reset: {session}");
    assert_eq!(session["identity"]["email"], "p2@practice.test");
}

#[test]
fn what_a_page_said_is_text_and_without_the_token_nothing_can_be_done() {
    let folder = folder();
    let message = "<img src=x onerror=\"document.title='owned'\">";
    let kinds = [
        r#""type":"run_started","pid":6,"plan":"x","steps":4,"done":1"#.to_owned(),
        format!(
            r#""type":"run_finished","outcome":"step_failed","exit_code":1,"message":{},"ms":9500"#,
            json!(message)
        ),
    ];
    events(&folder, "p2", &kinds);
    let mut session = folder.session("p2").unwrap();
    session["last_error"]["message"] = json!(message);
    folder.write("state/p2.json", &session.to_string());
    Page::of(&folder).play("markup").assert_code(0);
}

#[test]
fn ten_thousand_profiles_are_searched_and_scrolled() {
    let folder = Folder::practice();
    let session = folder_session();
    for number in 0..10_000 {
        let id = format!("profile-{number:05}");
        folder.write(&format!("state/{id}.json"), &session.replace("ID", &id));
    }
    Page::of(&folder).play("many").assert_code(0);
}

fn folder_session() -> String {
    json!({
        "profile_id": "ID", "status": "COMPLETED", "platform": "desktop",
        "completion_flags": { "mailbox_created": true, "store_signup": true }, "identity": {},
    })
    .to_string()
}

#[test]
fn a_fleet_is_watched_while_it_runs() {
    let folder = Folder::practice();
    folder.write("profiles.txt", "p1\np2\n");
    let sandbox = Sandbox::start(&folder.beside("site"));
    let site = format!("site={}", sandbox.site());
    let mut fleet =
        start(&folder, &["orchestrate", "--max", "1", "--dashboard", "127.0.0.1:0", "--set", &site]);
    let host = listens_at(&mut fleet, true);
    play(&host, "live").assert_code(0);
    let ended = fleet.wait_for(std::time::Duration::from_secs(180));
    ended.assert_code(0);
    assert!(ended.stdout.contains("report: "), "{}", ended.stdout);
    assert!(folder.read("report/report.html").contains("10&#x2f;10"), "every step of both");
    assert!(TcpStream::connect(&host).is_err(), "the page ends with the fleet");
}

#[test]
fn where_it_cannot_listen_it_says_why() {
    let folder = Folder::practice();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = folder.run(&["dashboard", "--listen", &address]);
    ended.assert_code(2);
    assert_eq!(
        ended.stderr.replace(&address, "ADDRESS"),
        "error: cannot listen on ADDRESS: Address already in use (os error 98)\n  hint: another page may be served there; port 0 takes a free one\n"
    );
    let ended = folder.run(&["dashboard", "--listen", "0.0.0.0:0"]);
    ended.assert_code(2);
    assert!(
        ended
            .stderr
            .starts_with("error: 0.0.0.0:0 can be reached from other machines\n  hint: listen on 127.0.0.1"),
        "{}",
        ended.stderr
    );
    let ended = folder.run(&["dashboard", "--listen", "nowhere"]);
    ended.assert_code(2);
    assert!(ended.stderr.contains("invalid value 'nowhere' for '--listen <ADDRESS>'"), "{}", ended.stderr);
}
