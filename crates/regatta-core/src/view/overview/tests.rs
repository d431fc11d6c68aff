use expect_test::{Expect, expect};

use super::*;
use crate::event::Event;

#[path = "samples.rs"]
pub(crate) mod samples;

use samples::*;

#[track_caller]
fn check(lines: impl IntoIterator<Item = String>, expected: Expect) {
    expected.assert_eq(&lines.into_iter().collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_folder_is_counted_by_status_and_by_step() {
    let overview = Overview::from_views(&folder(), &["a".parse().unwrap()]);
    let counts = DisplayStatus::ALL.map(|status| format!("{status} {}", overview.count(status)));
    let steps = overview.steps.iter().map(|step| {
        format!(
            "{}: reached {} done {} running {} failed {} troubled {} median {:?} p95 {:?} outcomes {:?}",
            step.flag,
            step.reached,
            step.done,
            step.running,
            step.failed_attempts,
            step.troubled,
            step.median_ms,
            step.p95_ms,
            step.outcomes
        )
    });
    let whole = format!(
        "{} profiles, {}/{} steps, {} runs, {} retries, {} browsers, {} ms for the pacer, {} B",
        overview.profiles,
        overview.steps_done,
        overview.steps_total,
        overview.runs,
        overview.retries,
        overview.browsers,
        overview.pacer_wait_ms,
        overview.network.bytes_received
    );
    check(
        counts.into_iter().chain(steps).chain([whole]),
        expect![[r#"
        PROCESSING 1
        PENDING 1
        INTERRUPTED 0
        NEEDS_ATTENTION 0
        FAILED 2
        DAMAGED 1
        COMPLETED 3
        a: reached 6 done 4 running 0 failed 2 troubled 2 median Some(2000) p95 Some(3000) outcomes [3, 0, 2, 0, 0]
        b: reached 4 done 3 running 1 failed 0 troubled 0 median None p95 None outcomes [0, 3, 0, 0, 0]
        8 profiles, 7/12 steps, 6 runs, 0 retries, 1 browsers, 40 ms for the pacer, 16384 B"#]],
    );
}

#[test]
fn a_quantile_is_a_value_that_was_measured() {
    let hundred: Vec<u64> = (1..=100).collect();
    assert_eq!((quantile(&hundred, 50), quantile(&hundred, 95)), (Some(50), Some(95)));
    assert_eq!((quantile(&[7], 50), quantile(&[7], 95), quantile(&[], 50)), (Some(7), Some(7), None));
}

#[test]
fn failures_that_differ_in_numbers_are_grouped() {
    let mut views = folder();
    views.push(failed("p9", 9, "the button is disabled"));
    // One attempt failed, and the run continued.
    let mut recovered = failed("p10", 9, "the button is disabled");
    recovered.status = DisplayStatus::Completed;
    views.push(recovered);
    let lines = causes(&views).into_iter().map(|cause| {
        let names: Vec<_> = cause.profiles.iter().map(ProfileId::as_str).collect();
        format!(
            "{:?} {:?}: {} | {} attempts, {} profiles: {} | {:?}",
            cause.flag,
            cause.place,
            cause.message,
            cause.attempts,
            cause.troubled,
            names.join(" "),
            cause.evidence
        )
    });
    check(
        lines,
        expect![[r#"
        Some(Flag("a")) Some("f.json, step 4 (click)"): no element matches any of its 3 selectors within 10 s | 2 attempts, 2 profiles: p4 p5 | Some("artifacts/p5/1")
        Some(Flag("a")) Some("f.json, step 4 (click)"): the button is disabled | 2 attempts, 1 profiles: p9 | Some("artifacts/p10/1")
        None None: the session document is damaged | 0 attempts, 1 profiles: p8 | None"#]],
    );
}

#[test]
fn the_timeline_has_a_lane_for_each_run_beside_another() {
    let now = "2026-01-02T03:04:10Z".parse().unwrap();
    let timeline = timeline(&folder(), now).unwrap();
    let lanes = timeline.lanes.iter().map(|lane| {
        let runs = lane.runs.iter().map(|run| {
            let steps: Vec<_> = run
                .steps
                .iter()
                .map(|step| {
                    format!(
                        "{}{} {}-{}",
                        timeline.flags[step.flag],
                        if step.is_failed { "!" } else { "" },
                        step.start,
                        step.end
                    )
                })
                .collect();
            let end = if run.is_living { "living" } else { "ended" };
            format!("{} {}-{} {end} [{}]", run.profile, run.start, run.end, steps.join(", "))
        });
        runs.collect::<Vec<_>>().join(" | ")
    });
    let buckets = timeline
        .buckets
        .iter()
        .enumerate()
        .filter(|(_, bucket)| **bucket != Bucket::default())
        .map(|(at, bucket)| format!("{at}: {bucket:?}"));
    let span = format!("{} to {}, buckets of {} s", timeline.from, timeline.to, timeline.bucket_seconds);
    check(
        [span].into_iter().chain(lanes.collect::<Vec<_>>()).chain(buckets.collect::<Vec<_>>()),
        expect![[r#"
            2026-01-02T03:04:00Z to 2026-01-02T03:04:10Z, buckets of 1 s
            p1 0-4000 ended [a 1000-2000, b 2000-3000] | p5 5000-8000 ended [a! 6000-8000] | p6 8000-10000 living [b 8000-10000]
            p2 1000-5000 ended [a 2000-3000, b 3000-4000] | p3 6000-10000 ended [a 7000-8000, b 8000-9000]
            p4 2000-5000 ended [a! 3000-5000]
            2: Bucket { steps: 1, completed: 0, failed: 0, bytes: 2048 }
            3: Bucket { steps: 2, completed: 0, failed: 0, bytes: 4096 }
            4: Bucket { steps: 1, completed: 1, failed: 0, bytes: 2048 }
            5: Bucket { steps: 0, completed: 1, failed: 1, bytes: 2048 }
            8: Bucket { steps: 1, completed: 0, failed: 1, bytes: 4096 }
            9: Bucket { steps: 1, completed: 0, failed: 0, bytes: 2048 }
            10: Bucket { steps: 0, completed: 1, failed: 0, bytes: 0 }"#]],
    );
}

#[test]
fn an_older_stretch_of_work_is_not_drawn() {
    let mut old = completed("old", 0, 10);
    for run in &mut old.summary.history.runs {
        run.started_at = "2026-01-01T00:00:00Z".parse().unwrap();
        run.last_event_at = "2026-01-01T00:01:00Z".parse().unwrap();
    }
    let views = [old, completed("new", 0, 10)];
    let timeline = timeline(&views, "2026-01-02T05:00:00Z".parse().unwrap()).unwrap();
    let drawn: Vec<_> =
        timeline.lanes.iter().flat_map(|lane| &lane.runs).map(|run| run.profile.as_str()).collect();
    assert_eq!(drawn, ["new"]);
    assert_eq!(timeline.from, "2026-01-02T03:04:00Z".parse().unwrap());
}
