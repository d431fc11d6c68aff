use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use super::*;
use crate::report::fleet_console::tests::{report, story};

/// Answers each request with the next status, the last one for ever; gives what was asked.
fn receiver(statuses: &'static [u16]) -> (Url, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://user:secret@{}/hook?token=hidden", listener.local_addr().unwrap());
    let (asked, requests) = channel();
    std::thread::spawn(move || {
        for (at, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut text = Vec::new();
            let mut block = [0; 4096];
            loop {
                let read = stream.read(&mut block).unwrap();
                text.extend_from_slice(&block[..read]);
                let whole = String::from_utf8_lossy(&text).into_owned();
                let Some((head, body)) = whole.split_once("\r\n\r\n") else { continue };
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                if body.len() >= length.parse().unwrap() {
                    break;
                }
            }
            if asked.send(String::from_utf8(text).unwrap()).is_err() {
                return;
            }
            let status = statuses[at.min(statuses.len() - 1)];
            write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        }
    });
    (url.parse().unwrap(), requests)
}

fn notifier(url: Url, secret: Option<&str>) -> Notifier {
    Notifier::with_pause(Webhook::new(url, secret).unwrap(), Duration::from_millis(1)).unwrap()
}

fn header<'r>(request: &'r str, name: &str) -> &'r str {
    request.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or_default()
}

fn body(request: &str) -> Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[test]
fn who_needs_a_person_and_the_end_are_told_in_order_and_signed() {
    let (url, requests) = receiver(&[204]);
    let notifier = notifier(url, Some("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
    story().iter().for_each(|notice| notifier.observe(notice));
    assert_eq!(notifier.finish(&report()), Vec::<String>::new());
    let reported: Vec<_> = requests.try_iter().collect();
    assert_eq!(reported.len(), 2, "{reported:?}");
    assert_eq!(body(&reported[0])["type"], "profile.needs_attention");
    assert_eq!(body(&reported[0])["data"]["profile_id"], "c");
    assert_eq!(body(&reported[1])["type"], "fleet.finished");
    assert_eq!(body(&reported[1])["data"]["tally"]["failed"], 2);
    for request in &reported {
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let (_, text) = request.split_once("\r\n\r\n").unwrap();
        let expected =
            signature(&key, header(request, "webhook-id"), header(request, "webhook-timestamp"), text);
        assert_eq!(header(request, "webhook-signature"), expected);
    }
}

#[test]
fn a_signature_is_that_of_the_standard() {
    // The example of the standard's own libraries.
    let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    assert_eq!(
        signature(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", r#"{"test": 2432232314}"#),
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    );
}

#[test]
fn a_receiver_that_is_down_for_a_moment_is_asked_again_with_the_same_id() {
    let (url, requests) = receiver(&[503, 429, 200]);
    assert_eq!(notifier(url, None).finish(&report()), Vec::<String>::new());
    let reported: Vec<_> = requests.try_iter().collect();
    assert_eq!(reported.len(), 3);
    assert!(
        reported.iter().all(|request| header(request, "webhook-id") == header(&reported[0], "webhook-id"))
    );
    assert_eq!(header(&reported[0], "webhook-signature"), "", "nothing to sign with");
}

#[test]
fn one_that_refuses_is_asked_once_and_named_without_its_secrets() {
    let (url, requests) = receiver(&[404]);
    let port = url.port().unwrap();
    let problems = notifier(url, None).finish(&report());
    assert_eq!(problems, [format!("the webhook at http://127.0.0.1:{port}: it answered 404 Not Found")]);
    assert_eq!(requests.try_iter().count(), 1);
}

#[test]
fn one_that_is_not_there_is_told_without_its_secrets() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url: Url = format!("http://user:secret@127.0.0.1:{port}/hook?token=hidden").parse().unwrap();
    let problems = notifier(url, None).finish(&report()).join("\n");
    assert!(problems.ends_with(", 6 times") && problems.contains("refused"), "{problems}");
    assert!(!problems.contains("secret") && !problems.contains("hidden"), "{problems}");
}

#[test]
fn what_is_no_webhook_is_refused() {
    let webhook = |url: &str, secret| Webhook::new(url.parse().unwrap(), secret).err();
    assert_eq!(
        webhook("file:///x", None).as_deref(),
        Some("a webhook has an address as in https://hooks.example/fleet")
    );
    assert_eq!(
        webhook("https://hooks.example/x", Some("whsec_*")).as_deref(),
        Some("what follows `whsec_` is not base64")
    );
    assert_eq!(webhook("https://hooks.example/x", Some("any text")), None);
}
