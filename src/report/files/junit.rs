//! JUnit XML for continuous integration: a suite for each profile, a case for each step. A step that has
//! failed is a failure, one of a profile that needs a person or cannot be read an error, one that was
//! never reached skipped.

use std::time::Duration;

use quick_junit::{NonSuccessKind, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::{ProfileLine, Report, StepLine};
use regatta_core::view::overview::DisplayStatus;

pub fn junit(report: &Report) -> Result<String, SerializeError> {
    let mut document = quick_junit::Report::new(&report.name);
    document.set_time(Duration::from_millis(report.profiles.iter().map(|profile| profile.ms).sum()));
    for profile in &report.profiles {
        document.add_test_suite(suite(profile));
    }
    document.to_string()
}

fn suite(profile: &ProfileLine) -> TestSuite {
    let mut suite = TestSuite::new(profile.profile_id.as_str());
    suite.set_time(Duration::from_millis(profile.ms));
    suite.add_property(("status", profile.status.as_str()));
    let mut reported = false;
    for step in &profile.steps {
        let status = status(profile, step);
        reported |= !step.done && step.error.is_some();
        let mut case = TestCase::new(step.flag.as_str(), status);
        case.set_classname(profile.profile_id.as_str());
        case.set_time(Duration::from_millis(step.ms.unwrap_or(0)));
        if let Some(evidence) = &step.evidence {
            case.set_system_out(format!("[[ATTACHMENT|{evidence}/screenshot.png]]"));
        }
        suite.add_test_case(case);
    }
    if profile.status.is_trouble() && !reported {
        // No step is to blame: a damaged document, a provider without a browser.
        let mut case = TestCase::new("run", non_success(profile, profile.error.as_deref()));
        case.set_classname(profile.profile_id.as_str());
        suite.add_test_case(case);
    }
    suite
}

fn status(profile: &ProfileLine, step: &StepLine) -> TestCaseStatus {
    match &step.error {
        _ if step.done => TestCaseStatus::success(),
        Some(error) if profile.status.is_trouble() => non_success(profile, Some(error)),
        _ => {
            let mut status = TestCaseStatus::skipped();
            status.set_message("not reached");
            status
        }
    }
}

fn non_success(profile: &ProfileLine, error: Option<&str>) -> TestCaseStatus {
    let kind = match profile.status {
        DisplayStatus::Failed => NonSuccessKind::Failure,
        _ => NonSuccessKind::Error,
    };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(profile.status.as_str());
    status.set_message(error.unwrap_or("its run died without a result"));
    status
}
