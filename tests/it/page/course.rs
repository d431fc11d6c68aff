//! The sandbox's obstacle course on a real Chromium: what comes of each hazard, and what the page saw of
//! it, is what its file says.
//!
//! `COURSE_ROUNDS=100` plays it so often in a row, `COURSE_ONLY=scroll` plays the hazards whose name
//! contains it. Every deviation is reported.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream};
use regatta_core::session::Platform;
use serde_json::Value;

use super::rig::Rig;
use crate::support::chrome::Chrome;
use crate::support::sandbox::Sandbox;

const BROWSERS: usize = 2;
const PAGES: usize = 6;

#[tokio::test]
async fn every_hazard_of_the_course_ends_as_its_file_says() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(folder.path());
    let course = sandbox.course();
    let only = std::env::var("COURSE_ONLY").unwrap_or_default();
    let rounds: u32 = std::env::var("COURSE_ROUNDS").map_or(1, |rounds| rounds.parse().unwrap());
    let all = course.as_array().expect("a list of hazards");
    assert!(all.len() >= 50, "only {} hazards", all.len());
    let played: Vec<_> = all.iter().filter(|hazard| text(hazard, "name").contains(&only)).collect();

    let browsers: Vec<_> = (0..BROWSERS).map(|_| Arc::new(Chrome::launch("data:text/html,keeper"))).collect();
    let mut deviations = String::new();
    for round in 1..=rounds {
        let start = Instant::now();
        let reported = stream::iter(played.iter().enumerate())
            .map(|(n, hazard)| play(Arc::clone(&browsers[n % BROWSERS]), sandbox.site(), hazard))
            .buffer_unordered(PAGES)
            .collect::<Vec<_>>()
            .await;
        let reported: Vec<_> = reported.into_iter().flatten().collect();
        println!(
            "round {round}: {} of {} as expected, {:.1?}",
            played.len() - reported.len(),
            played.len(),
            start.elapsed()
        );
        for reported in reported {
            println!("{reported}");
            let _ = writeln!(deviations, "round {round}, {reported}");
        }
    }
    assert!(deviations.is_empty(), "\n{deviations}");
}

/// What was not as expected.
async fn play(chrome: Arc<Chrome>, site: String, hazard: &Value) -> Option<String> {
    let name = text(hazard, "name");
    let mut rig = Rig::at(chrome, site, Platform::Desktop).await;
    let opened = rig.play(&format!(r#"{{"type":"navigate","url":"{{site}}/course/{name}"}}"#)).await;
    let steps: Vec<_> = hazard["steps"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let start = Instant::now();
    let played = rig.play(&steps.join(",")).await.replace(" [gate]", "");
    let took = start.elapsed();
    let log = log(&mut rig).await;
    rig.page.close().await;
    let got = format!("{played}{log}");
    if std::env::var_os("COURSE_TIMES").is_some() {
        println!("{name}: {took:.1?}");
    }
    if opened != "1 navigate: ok\n" {
        return Some(format!("{name} did not open: {opened}"));
    }
    let expected = text(hazard, "expected");
    (got != expected).then(|| format!("{name}, after {took:.1?}: expected\n{expected}got\n{got}"))
}

/// What the page saw, a line an event, indented.
async fn log(rig: &mut Rig) -> String {
    let capture = rig.flow(
        r#"{"type":"customStep","name":"regatta.capture","parameters":{"selectors":["html"],"from":"attribute","attribute":"data-course-log","into":"identity.x"}}"#,
    );
    let mut gate = super::rig::Counter::default();
    let read = rig.page.perform("f.json", &capture.steps[0], Duration::from_secs(10), &mut gate).await;
    match read {
        Ok(log) => log.unwrap_or_default().lines().skip(1).map(|line| format!("  {line}\n")).collect(),
        Err(error) => format!("  no log: {error}\n"),
    }
}

fn text<'a>(hazard: &'a Value, field: &str) -> &'a str {
    hazard[field].as_str().unwrap_or_default()
}
