use expect_test::expect;

use super::*;
use crate::report::testing::{failed, folder};

fn report() -> Report {
    let mut views = folder();
    // A page's message may contain anything.
    views.push(failed("p9", 9, "<b>&'=1+1 said the page"));
    let views: Vec<_> = views.iter().collect();
    let order = ["a", "b"].map(|flag| flag.parse().unwrap());
    Report::of("onboarding", &views, &order, "2026-01-02T03:04:20Z".parse().unwrap())
}

#[test]
fn junit_has_a_suite_for_each_profile_and_a_case_for_each_step() {
    expect![[r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="onboarding" tests="15" skipped="4" failures="3" errors="1" time="21.000">
            <testsuite name="p1" tests="2" skipped="0" errors="0" failures="0" time="4.000">
                <properties>
                    <property name="status" value="COMPLETED"/>
                </properties>
                <testcase name="a" classname="p1" time="1.000"/>
                <testcase name="b" classname="p1" time="0.005"/>
            </testsuite>
            <testsuite name="p2" tests="2" skipped="0" errors="0" failures="0" time="4.000">
                <properties>
                    <property name="status" value="COMPLETED"/>
                </properties>
                <testcase name="a" classname="p2" time="3.000"/>
                <testcase name="b" classname="p2" time="0.005"/>
            </testsuite>
            <testsuite name="p3" tests="2" skipped="0" errors="0" failures="0" time="4.000">
                <properties>
                    <property name="status" value="COMPLETED"/>
                </properties>
                <testcase name="a" classname="p3" time="2.000"/>
                <testcase name="b" classname="p3" time="0.005"/>
            </testsuite>
            <testsuite name="p4" tests="2" skipped="1" errors="0" failures="1" time="3.000">
                <properties>
                    <property name="status" value="FAILED"/>
                </properties>
                <testcase name="a" classname="p4" time="0.009">
                    <failure message="no element matches any of its 3 selectors within 10 s (f.json, step 4 click)" type="FAILED"/>
                    <system-out>[[ATTACHMENT|artifacts/p4/1/screenshot.png]]</system-out>
                </testcase>
                <testcase name="b" classname="p4" time="0.000">
                    <skipped message="not reached"/>
                </testcase>
            </testsuite>
            <testsuite name="p5" tests="2" skipped="1" errors="0" failures="1" time="3.000">
                <properties>
                    <property name="status" value="FAILED"/>
                </properties>
                <testcase name="a" classname="p5" time="0.009">
                    <failure message="no element matches any of its 3 selectors within 2 s (f.json, step 4 click)" type="FAILED"/>
                    <system-out>[[ATTACHMENT|artifacts/p5/1/screenshot.png]]</system-out>
                </testcase>
                <testcase name="b" classname="p5" time="0.000">
                    <skipped message="not reached"/>
                </testcase>
            </testsuite>
            <testsuite name="p6" tests="2" skipped="1" errors="0" failures="0" time="0.000">
                <properties>
                    <property name="status" value="PROCESSING"/>
                </properties>
                <testcase name="a" classname="p6" time="0.000"/>
                <testcase name="b" classname="p6" time="0.000">
                    <skipped message="not reached"/>
                </testcase>
            </testsuite>
            <testsuite name="p7" tests="0" skipped="0" errors="0" failures="0" time="0.000">
                <properties>
                    <property name="status" value="PENDING"/>
                </properties>
            </testsuite>
            <testsuite name="p8" tests="1" skipped="0" errors="1" failures="0" time="0.000">
                <properties>
                    <property name="status" value="DAMAGED"/>
                </properties>
                <testcase name="run" classname="p8">
                    <error message="the session document is damaged" type="DAMAGED"/>
                </testcase>
            </testsuite>
            <testsuite name="p9" tests="2" skipped="1" errors="0" failures="1" time="3.000">
                <properties>
                    <property name="status" value="FAILED"/>
                </properties>
                <testcase name="a" classname="p9" time="0.009">
                    <failure message="&lt;b&gt;&amp;&apos;=1+1 said the page (f.json, step 4 click)" type="FAILED"/>
                    <system-out>[[ATTACHMENT|artifacts/p9/1/screenshot.png]]</system-out>
                </testcase>
                <testcase name="b" classname="p9" time="0.000">
                    <skipped message="not reached"/>
                </testcase>
            </testsuite>
        </testsuites>
    "#]].assert_eq(&junit(&report()).unwrap());
}

#[test]
fn csv_has_a_line_for_each_profile_and_no_formula() {
    let mut report = report();
    report.profiles[0].error = Some("=HYPERLINK(\"x\")".to_owned());
    expect![[r#"
        profile_id,status,steps_done,steps,runs,seconds,bytes_received,bytes_sent,started_at,heard_at,error,evidence
        p1,COMPLETED,2,2,1,4.000,4096,1024,2026-01-02T03:04:00Z,2026-01-02T03:04:04Z,"'=HYPERLINK(""x"")",
        p2,COMPLETED,2,2,1,4.000,4096,1024,2026-01-02T03:04:01Z,2026-01-02T03:04:05Z,,
        p3,COMPLETED,2,2,1,4.000,4096,1024,2026-01-02T03:04:06Z,2026-01-02T03:04:10Z,,
        p4,FAILED,0,2,1,3.000,2048,512,2026-01-02T03:04:02Z,2026-01-02T03:04:05Z,"f.json, step 4 (click): no element matches any of its 3 selectors within 10 s",artifacts/p4/1
        p5,FAILED,0,2,1,3.000,2048,512,2026-01-02T03:04:05Z,2026-01-02T03:04:08Z,"f.json, step 4 (click): no element matches any of its 3 selectors within 2 s",artifacts/p5/1
        p6,PROCESSING,1,2,1,0.000,0,0,2026-01-02T03:04:08Z,2026-01-02T03:04:08Z,,
        p7,PENDING,0,0,0,0.000,0,0,,,,
        p8,DAMAGED,0,0,0,0.000,0,0,,,the session document is damaged,
        p9,FAILED,0,2,1,3.000,2048,512,2026-01-02T03:04:09Z,2026-01-02T03:04:12Z,"f.json, step 4 (click): <b>&'=1+1 said the page",artifacts/p9/1
    "#]].assert_eq(&csv(&report).unwrap());
}

#[test]
fn json_is_a_published_format() {
    let mut report = report();
    report.profiles.drain(1..report.profiles.len() - 1);
    report.causes.truncate(1);
    report.slowest.truncate(1);
    report.timeline = None;
    expect![[r#"
        {
          "v": 1,
          "name": "onboarding",
          "at": "2026-01-02T03:04:20Z",
          "overview": {
            "profiles": 9,
            "by_status": {
              "PROCESSING": 1,
              "PENDING": 1,
              "INTERRUPTED": 0,
              "NEEDS_ATTENTION": 0,
              "FAILED": 3,
              "DAMAGED": 1,
              "COMPLETED": 3
            },
            "steps_done": 7,
            "steps_total": 14,
            "steps": [
              {
                "flag": "a",
                "reached": 7,
                "done": 4,
                "running": 0,
                "failed_attempts": 3,
                "troubled": 3,
                "median_ms": 2000,
                "p95_ms": 3000,
                "outcomes": {
                  "done": 3,
                  "verified": 0,
                  "failed": 3,
                  "needs_attention": 0,
                  "stopped": 0
                }
              },
              {
                "flag": "b",
                "reached": 4,
                "done": 3,
                "running": 1,
                "failed_attempts": 0,
                "troubled": 0,
                "median_ms": null,
                "p95_ms": null,
                "outcomes": {
                  "done": 0,
                  "verified": 3,
                  "failed": 0,
                  "needs_attention": 0,
                  "stopped": 0
                }
              }
            ],
            "runs": 7,
            "retries": 0,
            "runs_without_browser": 0,
            "browsers": 1,
            "pacer_waits": 1,
            "pacer_wait_ms": 40,
            "healed": 0,
            "downloads": 0,
            "network": {
              "requests": 81,
              "failed": 9,
              "bytes_received": 18432,
              "bytes_sent": 4608
            },
            "started_at": "2026-01-02T03:04:00Z",
            "heard_at": "2026-01-02T03:04:12Z"
          },
          "causes": [
            {
              "flag": "a",
              "place": "f.json, step 4 (click)",
              "message": "no element matches any of its 3 selectors within 10 s",
              "attempts": 2,
              "troubled": 2,
              "profiles": [
                "p4",
                "p5"
              ],
              "evidence": "artifacts/p5/1"
            }
          ],
          "slowest": [
            {
              "profile_id": "p2",
              "flag": "a",
              "ms": 3000
            }
          ],
          "profiles": [
            {
              "profile_id": "p1",
              "status": "COMPLETED",
              "steps_done": 2,
              "steps": [
                {
                  "flag": "a",
                  "done": true,
                  "attempts": 1,
                  "ms": 1000
                },
                {
                  "flag": "b",
                  "done": true,
                  "attempts": 1,
                  "ms": 5
                }
              ],
              "runs": 1,
              "ms": 4000,
              "network": {
                "requests": 18,
                "failed": 2,
                "bytes_received": 4096,
                "bytes_sent": 1024
              },
              "started_at": "2026-01-02T03:04:00Z",
              "heard_at": "2026-01-02T03:04:04Z"
            },
            {
              "profile_id": "p9",
              "status": "FAILED",
              "steps_done": 0,
              "steps": [
                {
                  "flag": "a",
                  "done": false,
                  "attempts": 1,
                  "ms": 9,
                  "error": "<b>&'=1+1 said the page (f.json, step 4 click)",
                  "evidence": "artifacts/p9/1"
                },
                {
                  "flag": "b",
                  "done": false,
                  "attempts": 0
                }
              ],
              "runs": 1,
              "ms": 3000,
              "error": "f.json, step 4 (click): <b>&'=1+1 said the page",
              "evidence": "artifacts/p9/1",
              "network": {
                "requests": 9,
                "failed": 1,
                "bytes_received": 2048,
                "bytes_sent": 512
              },
              "started_at": "2026-01-02T03:04:09Z",
              "heard_at": "2026-01-02T03:04:12Z"
            }
          ]
        }
    "#]]
    .assert_eq(&report.json());
}

#[test]
fn the_page_stands_alone_and_shows_pictures_of_failures() {
    let mut asked = Vec::new();
    let page = html(&report(), |evidence| {
        asked.push(evidence.to_owned());
        Some(b"PNG".to_vec())
    })
    .unwrap();
    assert_eq!(asked, ["artifacts/p5/1", "artifacts/p9/1"]);
    assert_eq!(page.matches("data:image/png;base64,UE5H").count(), 2);
    assert!(page.contains("&lt;b&gt;&amp;&#x27;=1+1 said the page"), "{page}");
    assert!(!page.contains("<b>&"), "what a page said is text");
    assert!(page.contains("in a bar of 1 s."), "{page}");
    assert!(!page.contains("0 failed attempts"), "what a person has to decide is no attempt");
    let outside = ["http://", "https://", "<script", "src=\"/", "url(", "@import"];
    assert!(outside.iter().all(|word| !page.contains(word)), "{page}");
}

#[test]
fn a_folder_without_a_run_has_a_report_too() {
    let report = Report::of("onboarding", &[], &[], "2026-01-02T03:04:20Z".parse().unwrap());
    assert!(html(&report, |_| None).unwrap().contains("nothing has run yet"));
    assert!(junit(&report).unwrap().contains(r#"name="onboarding" tests="0""#));
    assert_eq!(csv(&report).unwrap().lines().count(), 1);
}

#[test]
fn ten_thousand_profiles_make_a_page_a_browser_opens() {
    let views: Vec<_> = (0..10_000)
        .map(|number| {
            let view = folder().swap_remove(number % 8);
            ProfileView { id: format!("p{number:05}").parse().unwrap(), ..view }
        })
        .collect();
    let views: Vec<_> = views.iter().collect();
    let report = Report::of("onboarding", &views, &[], "2026-01-02T03:04:20Z".parse().unwrap());
    let page = html(&report, |_| None).unwrap();
    // Those in trouble alone: two of eight failed, one is damaged.
    assert_eq!(page.matches("<td><code>p0").count() - report.slowest.len(), 3750);
    assert!(page.contains("6250 profiles without trouble are not listed"), "they are counted");
    assert!(page.len() < 2_000_000, "{}", page.len());
}
