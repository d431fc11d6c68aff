//! Traces over OTLP, and settings of webhooks that are refused.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;

use crate::support::program::{Ended, Folder};

/// A run that gets no browser, with the variables of OpenTelemetry.
fn run(folder: &Folder, endpoint: Option<&str>, arguments: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_regatta"));
    command.arg("-C").arg(folder.root()).args(["run", "p1"]).args(arguments);
    command.env("CHROME", "/bin/false").env_remove("OTEL_EXPORTER_OTLP_ENDPOINT");
    if let Some(endpoint) = endpoint {
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
    }
    folder.start_command(command).wait()
}

#[test]
fn a_run_sends_its_trace_where_it_is_told_to() {
    let folder = Folder::practice();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let endpoint = format!("http://{address}");
    let receiver = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut bytes = Vec::new();
        let mut block = [0; 4096];
        loop {
            let read = stream.read(&mut block).unwrap();
            bytes.extend_from_slice(&block[..read]);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            // Of its two parts the body names the run.
            if text.contains("\r\n\r\n") && text.contains("regatta.run_id") {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
                return text;
            }
            assert!(read > 0, "{text}");
        }
    });
    let ended = run(&folder, Some(&endpoint), &[]);
    ended.assert_code(5);
    assert!(!ended.stderr.contains("trace"), "{}", ended.stderr);
    // Who waits for a trace that never came waits no longer.
    drop(std::net::TcpStream::connect(address));
    let request = receiver.join().unwrap();
    assert!(request.starts_with("POST /v1/traces HTTP/1.1"), "{request}");
    for part in ["regatta.profile_id", "onboarding", "no_browser", "service.name"] {
        assert!(request.contains(part), "{part} is not in {request:?}");
    }
}

#[test]
fn a_trace_that_nobody_takes_is_told_without_its_secrets_and_the_run_ends_as_it_would() {
    let folder = Folder::practice();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let ended = run(&folder, Some(&format!("http://user:secret@127.0.0.1:{port}")), &[]);
    ended.assert_code(5);
    assert!(ended.stderr.contains("the trace of this run is lost: "), "{}", ended.stderr);
    assert!(!ended.stderr.contains("secret"), "{}", ended.stderr);
    let ended = run(&folder, None, &[]);
    ended.assert_code(5);
    assert!(!ended.stderr.contains("trace"), "off unless it is asked for: {}", ended.stderr);
}

#[test]
fn a_webhook_that_cannot_be_right_is_refused_before_anything_starts() {
    let folder = Folder::practice();
    let settings = folder.read("regatta.toml");
    let reported = |notify: &str| {
        folder.write("regatta.toml", &format!("{settings}\n[notify]\n{notify}\n"));
        let ended = folder.run(&["orchestrate"]);
        ended.assert_code(2);
        ended.stderr
    };
    assert_eq!(
        reported("webhook = \"hooks.example\""),
        "error: regatta.toml: notify.webhook: relative URL without a base\n"
    );
    assert_eq!(
        reported("webhook = \"ftp://user:secret@hooks.example/x\""),
        "error: regatta.toml: notify.webhook: a webhook has an address as in https://hooks.example/fleet\n"
    );
    assert_eq!(
        reported("webhook = \"https://hooks.example/x\"\nsecret_env = \"NO_SUCH_VARIABLE\""),
        "error: regatta.toml: notify.secret_env names `NO_SUCH_VARIABLE`, which is not set\n  hint: messages would not be signed: set it, or take `secret_env` away\n"
    );
}
