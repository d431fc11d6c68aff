//! `/metrics` in the text format of OpenMetrics 1.0: the overview again, for monitoring. Made anew at each
//! scrape; what is counted comes from event files, so it never falls while they are kept.

use std::sync::atomic::{AtomicI64, AtomicU64};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use regatta_core::view::overview::{DisplayStatus, Overview, STEP_OUTCOMES};

pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// In seconds: from a page that is read to a step that waits for mails.
const BUCKETS: [f64; 12] = [0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 30.0, 60.0, 120.0, 300.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByStatus {
    status: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByStep {
    step: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    step: String,
    outcome: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByDirection {
    direction: String,
}

/// `memory`: resident, of the runs and their browsers, in bytes.
pub fn metrics(overview: &Overview, memory: u64) -> String {
    let mut registry = Registry::with_prefix("regatta");

    let profiles = Family::<ByStatus, Gauge<i64, AtomicI64>>::default();
    registry.register("profiles", "Profiles by the status they are shown with", profiles.clone());
    for shown in DisplayStatus::ALL {
        let status = shown.as_str().to_lowercase();
        profiles.get_or_create(&ByStatus { status }).set(whole(overview.count(shown) as u64));
    }

    let steps = Family::<ByOutcome, Counter<u64, AtomicU64>>::default();
    registry.register("steps", "Steps that ended, by how", steps.clone());
    let attempts = Family::<ByStep, Counter<u64, AtomicU64>>::default();
    registry.register("step_attempts_failed", "Attempts at a step that acted and failed", attempts.clone());
    let reached = Family::<ByStep, Gauge<i64, AtomicI64>>::default();
    registry.register("step_reached_profiles", "Profiles that have come as far as a step", reached.clone());
    let durations = Family::<ByStep, Histogram>::new_with_constructor(|| Histogram::new(BUCKETS));
    registry.register_with_unit(
        "step_duration",
        "Time in which a step was done, all its attempts together",
        Unit::Seconds,
        durations.clone(),
    );
    for step in &overview.steps {
        let label = || step.flag.to_string();
        for (outcome, count) in STEP_OUTCOMES.iter().zip(step.outcomes) {
            let labels = ByOutcome { step: label(), outcome: (*outcome).to_owned() };
            steps.get_or_create(&labels).inc_by(count);
        }
        attempts.get_or_create(&ByStep { step: label() }).inc_by(step.failed_attempts);
        reached.get_or_create(&ByStep { step: label() }).set(whole(step.reached as u64));
        let duration = durations.get_or_create(&ByStep { step: label() });
        step.durations_ms.iter().for_each(|ms| duration.observe(*ms as f64 / 1000.0));
    }

    for (name, help, count) in [
        ("runs", "Runs that were started", overview.runs),
        ("retries", "Runs that followed another of the same profile", overview.retries),
        ("provider_errors", "Runs that got no browser from the provider", overview.runs_without_browser),
        ("browsers_opened", "Browsers that were opened or taken over", overview.browsers),
        ("selectors_healed", "Elements that were found by likeness", overview.healed),
        ("downloads", "Files that flows have downloaded", overview.downloads),
        ("requests", "Requests of pages", overview.network.requests),
        ("requests_failed", "Requests of pages that failed", overview.network.failed),
    ] {
        let counter = Counter::<u64, AtomicU64>::default();
        counter.inc_by(count);
        registry.register(name, help, counter);
    }

    let waited = Counter::<f64, AtomicU64>::default();
    waited.inc_by(overview.pacer_wait_ms as f64 / 1000.0);
    registry.register_with_unit(
        "pacer_wait",
        "Time that runs waited for the provider's rate limit",
        Unit::Seconds,
        waited,
    );

    let network = Family::<ByDirection, Counter<u64, AtomicU64>>::default();
    registry.register_with_unit("network", "Traffic of pages on the wire", Unit::Bytes, network.clone());
    for (direction, bytes) in
        [("received", overview.network.bytes_received), ("sent", overview.network.bytes_sent)]
    {
        network.get_or_create(&ByDirection { direction: direction.to_owned() }).inc_by(bytes);
    }

    let resident = Gauge::<i64, AtomicI64>::default();
    resident.set(whole(memory));
    registry.register_with_unit(
        "children_resident_memory",
        "Resident memory of runs and their browsers",
        Unit::Bytes,
        resident,
    );

    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = encode(&mut text, &registry);
    text
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::report::testing::folder;

    #[test]
    fn metrics_have_conventional_names_and_units() {
        let overview = Overview::from_views(&folder(), &["a".parse().unwrap(), "b".parse().unwrap()]);
        let text = metrics(&overview, 4096);
        // Families have no order of their own.
        let mut lines: Vec<_> = text.lines().filter(|line| !line.contains("_bucket{")).collect();
        assert_eq!(lines.pop(), Some("# EOF"));
        lines.sort_unstable();
        expect![[r##"
            # HELP regatta_browsers_opened Browsers that were opened or taken over.
            # HELP regatta_children_resident_memory_bytes Resident memory of runs and their browsers.
            # HELP regatta_downloads Files that flows have downloaded.
            # HELP regatta_network_bytes Traffic of pages on the wire.
            # HELP regatta_pacer_wait_seconds Time that runs waited for the provider's rate limit.
            # HELP regatta_profiles Profiles by the status they are shown with.
            # HELP regatta_provider_errors Runs that got no browser from the provider.
            # HELP regatta_requests Requests of pages.
            # HELP regatta_requests_failed Requests of pages that failed.
            # HELP regatta_retries Runs that followed another of the same profile.
            # HELP regatta_runs Runs that were started.
            # HELP regatta_selectors_healed Elements that were found by likeness.
            # HELP regatta_step_attempts_failed Attempts at a step that acted and failed.
            # HELP regatta_step_duration_seconds Time in which a step was done, all its attempts together.
            # HELP regatta_step_reached_profiles Profiles that have come as far as a step.
            # HELP regatta_steps Steps that ended, by how.
            # TYPE regatta_browsers_opened counter
            # TYPE regatta_children_resident_memory_bytes gauge
            # TYPE regatta_downloads counter
            # TYPE regatta_network_bytes counter
            # TYPE regatta_pacer_wait_seconds counter
            # TYPE regatta_profiles gauge
            # TYPE regatta_provider_errors counter
            # TYPE regatta_requests counter
            # TYPE regatta_requests_failed counter
            # TYPE regatta_retries counter
            # TYPE regatta_runs counter
            # TYPE regatta_selectors_healed counter
            # TYPE regatta_step_attempts_failed counter
            # TYPE regatta_step_duration_seconds histogram
            # TYPE regatta_step_reached_profiles gauge
            # TYPE regatta_steps counter
            # UNIT regatta_children_resident_memory_bytes bytes
            # UNIT regatta_network_bytes bytes
            # UNIT regatta_pacer_wait_seconds seconds
            # UNIT regatta_step_duration_seconds seconds
            regatta_browsers_opened_total 1
            regatta_children_resident_memory_bytes 4096
            regatta_downloads_total 0
            regatta_network_bytes_total{direction="received"} 16384
            regatta_network_bytes_total{direction="sent"} 4096
            regatta_pacer_wait_seconds_total 0.04
            regatta_profiles{status="completed"} 3
            regatta_profiles{status="damaged"} 1
            regatta_profiles{status="failed"} 2
            regatta_profiles{status="interrupted"} 0
            regatta_profiles{status="needs_attention"} 0
            regatta_profiles{status="pending"} 1
            regatta_profiles{status="processing"} 1
            regatta_provider_errors_total 0
            regatta_requests_failed_total 8
            regatta_requests_total 72
            regatta_retries_total 0
            regatta_runs_total 6
            regatta_selectors_healed_total 0
            regatta_step_attempts_failed_total{step="a"} 2
            regatta_step_attempts_failed_total{step="b"} 0
            regatta_step_duration_seconds_count{step="a"} 3
            regatta_step_duration_seconds_count{step="b"} 0
            regatta_step_duration_seconds_sum{step="a"} 6.0
            regatta_step_duration_seconds_sum{step="b"} 0.0
            regatta_step_reached_profiles{step="a"} 6
            regatta_step_reached_profiles{step="b"} 4
            regatta_steps_total{step="a",outcome="done"} 3
            regatta_steps_total{step="a",outcome="failed"} 2
            regatta_steps_total{step="a",outcome="needs_attention"} 0
            regatta_steps_total{step="a",outcome="stopped"} 0
            regatta_steps_total{step="a",outcome="verified"} 0
            regatta_steps_total{step="b",outcome="done"} 0
            regatta_steps_total{step="b",outcome="failed"} 0
            regatta_steps_total{step="b",outcome="needs_attention"} 0
            regatta_steps_total{step="b",outcome="stopped"} 0
            regatta_steps_total{step="b",outcome="verified"} 3"##]]
        .assert_eq(&lines.join("\n"));
        assert!(text.contains(r#"regatta_step_duration_seconds_bucket{le="2.0",step="a"} 2"#), "{text}");
    }
}
