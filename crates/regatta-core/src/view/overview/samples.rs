//! Profiles for tests of views. The program's own tests include this file as well, so the module around it
//! imports the types.

use super::{DisplayStatus, Event, ProfileView};

/// Parses lines of `SECONDS RUN KIND`, the kind as JSON without its braces.
pub fn events(story: &str) -> Vec<Event> {
    let event = |(seq, line): (usize, &str)| {
        let (second, rest) = line.trim().split_once(' ').unwrap();
        let (run, kind) = rest.split_once(' ').unwrap();
        serde_json::from_str(&format!(
            r#"{{"v":1,"seq":{},"at":"2026-01-02T03:04:{second}Z","run_id":"{run}","profile_id":"p",{kind}}}"#,
            seq + 1
        ))
        .unwrap()
    };
    story.lines().filter(|line| !line.trim().is_empty()).enumerate().map(event).collect()
}

/// A profile made of its document and its events.
pub fn view(id: &str, status: DisplayStatus, flags: &str, story: &str) -> ProfileView {
    let flags = flags.split_whitespace().map(|word| match word.strip_prefix('+') {
        Some(done) => (done.parse().unwrap(), true),
        None => (word.parse().unwrap(), false),
    });
    let summary = events(story).iter().collect();
    ProfileView { status, flags: flags.collect(), summary, ..ProfileView::pending(id.parse().unwrap()) }
}

const NETWORK: &str = r#""network":{"requests":9,"failed":1,"bytes_received":2048,"bytes_sent":512}"#;

pub fn story(lines: &str) -> String {
    lines.replace("NETWORK", NETWORK)
}

pub fn completed(id: &str, second: u32, ms: u64) -> ProfileView {
    let lines = format!(
        r#"{:02} r1 "type":"run_started","pid":5,"plan":"x","steps":2,"done":0
        {:02} r1 "type":"step_started","flag":"a","attempt":1,"mode":"act"
        {:02} r1 "type":"step_finished","flag":"a","outcome":"done","ms":{ms},NETWORK
        {:02} r1 "type":"step_started","flag":"b","attempt":1,"mode":"act"
        {:02} r1 "type":"step_finished","flag":"b","outcome":"verified","ms":5,NETWORK
        {:02} r1 "type":"run_finished","outcome":"completed","exit_code":0,"ms":5000"#,
        second,
        second + 1,
        second + 2,
        second + 2,
        second + 3,
        second + 4
    );
    view(id, DisplayStatus::Completed, "+a +b", &story(&lines))
}

pub fn failed(id: &str, second: u32, message: &str) -> ProfileView {
    let lines = format!(
        r#"{:02} r1 "type":"run_started","pid":5,"plan":"x","steps":2,"done":0
        {:02} r1 "type":"step_started","flag":"a","attempt":1,"mode":"act"
        {:02} r1 "type":"action_failed","flag":"a","attempt":1,"flow":"f.json","step":"4","action":"click","message":"{message}"
        {:02} r1 "type":"evidence","flag":"a","path":"artifacts/{id}/1"
        {:02} r1 "type":"step_finished","flag":"a","outcome":"failed","ms":9,NETWORK
        {:02} r1 "type":"run_finished","outcome":"step_failed","exit_code":1,"ms":5000"#,
        second,
        second + 1,
        second + 2,
        second + 2,
        second + 3,
        second + 3
    );
    view(id, DisplayStatus::Failed, "a b", &story(&lines))
}

pub fn running(id: &str, second: u32) -> ProfileView {
    let lines = format!(
        r#"{second:02} r1 "type":"run_started","pid":5,"plan":"x","steps":2,"done":1
        {second:02} r1 "type":"pacer_waited","call":"start","ms":40
        {second:02} r1 "type":"browser_started","provider":"chromium","reused":false,"ms":900
        {second:02} r1 "type":"step_started","flag":"b","attempt":1,"mode":"act""#
    );
    view(id, DisplayStatus::Processing, "+a b", &story(&lines))
}

pub fn folder() -> Vec<ProfileView> {
    vec![
        completed("p1", 0, 1000),
        completed("p2", 1, 3000),
        completed("p3", 6, 2000),
        failed("p4", 2, "no element matches any of its 3 selectors within 10 s"),
        failed("p5", 5, "no element matches any of its 3 selectors within 2 s"),
        running("p6", 8),
        ProfileView::pending("p7".parse().unwrap()),
        ProfileView::damaged("p8".parse().unwrap(), "the session document is damaged".to_owned()),
    ]
}
