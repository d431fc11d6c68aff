//! One trace for each run and a span for each of its steps, sent over OTLP when the run is over. Where to,
//! and with which headers, say the variables of OpenTelemetry (`OTEL_EXPORTER_OTLP_ENDPOINT`, …).
//!
//! Made from the run's events, so there is nothing in a trace that is not in them.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{Event, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{SpanExporter as OtlpExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter as _, SpanLinks};
use sha2::{Digest as _, Sha256};

use crate::http;
use regatta_core::id::ProfileId;
use regatta_core::outcome::RunOutcome;
use regatta_core::view::summary::{RunSpan, StepSpan};

/// A run is over, and its slot waits for it.
const BOUND: Duration = Duration::from_secs(5);

/// `Err`: in words, without what an address may hide. Needs a tokio runtime with io and time.
pub async fn export(run: &RunSpan, profile: &ProfileId, workflow: &str) -> Result<(), String> {
    let client = http::builder().timeout(BOUND).build().map_err(|error| error.without_url().to_string())?;
    let exporter = OtlpExporter::builder().with_http().with_http_client(client).with_timeout(BOUND).build();
    let mut exporter = exporter.map_err(|error| without_secrets(&error.to_string()))?;
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    exporter.set_resource(&Resource::builder().with_service_name("regatta").with_attribute(version).build());
    exporter.export(spans(run, profile, workflow)).await.map_err(|error| match error {
        OTelSdkError::Timeout(bound) => format!("no answer within {} s", bound.as_secs()),
        OTelSdkError::AlreadyShutdown => "the exporter is shut down".to_owned(),
        OTelSdkError::InternalFailure(problem) => without_secrets(&problem),
    })
}

/// The run's first, then one for each of its steps: all attempts at a step are one span.
fn spans(run: &RunSpan, profile: &ProfileId, workflow: &str) -> Vec<SpanData> {
    let trace = TraceId::from_bytes(digest(run.run_id.as_str()));
    let root = span_id(run.run_id.as_str());
    let mut attributes = vec![
        KeyValue::new("regatta.profile_id", profile.to_string()),
        KeyValue::new("regatta.run_id", run.run_id.to_string()),
        KeyValue::new("regatta.workflow", workflow.to_owned()),
    ];
    attributes.extend(run.outcome.map(|outcome| KeyValue::new("regatta.outcome", word(&outcome))));
    let status = match (run.outcome, &run.message) {
        (Some(RunOutcome::Completed), _) => Status::Ok,
        (Some(RunOutcome::Stopped), _) => Status::Unset,
        (_, message) => Status::error(message.clone().unwrap_or_default()),
    };
    let mut spans = vec![span(
        trace,
        root,
        SpanId::INVALID,
        "run".into(),
        (run.started_at, run.last_event_at),
        attributes,
        status,
    )];
    let mut rest = run.steps.as_slice();
    while let Some(first) = rest.first() {
        let count = rest.iter().take_while(|step| step.flag == first.flag).count();
        let (attempts, others) = rest.split_at(count);
        rest = others;
        let id = span_id(&format!("{}/{}/{}", run.run_id, first.flag, rest.len()));
        spans.push(step(trace, id, root, attempts, run.last_event_at));
    }
    spans
}

fn step(
    trace: TraceId,
    id: SpanId,
    root: SpanId,
    attempts: &[StepSpan],
    last_event_at: jiff::Timestamp,
) -> SpanData {
    let (first, last) = (&attempts[0], &attempts[attempts.len() - 1]);
    let mut attributes = vec![
        KeyValue::new("regatta.step", first.flag.to_string()),
        KeyValue::new("regatta.attempts", i64::from(last.attempt)),
        KeyValue::new("regatta.requests", i64::try_from(last.requests).unwrap_or(i64::MAX)),
        KeyValue::new("regatta.bytes_received", i64::try_from(last.bytes_received).unwrap_or(i64::MAX)),
    ];
    attributes.extend(last.outcome.map(|outcome| KeyValue::new("regatta.outcome", word(&outcome))));
    let status = match (last.is_failed_attempt(), &last.failed) {
        (true, Some(failed)) => Status::error(failed.message.clone()),
        (true, None) => Status::error(""),
        (false, _) if last.duration_ms().is_some() => Status::Ok,
        _ => Status::Unset,
    };
    let ended = last.ended_at.unwrap_or(last_event_at);
    let name = first.flag.to_string();
    let mut span = span(trace, id, root, name.into(), (first.started_at, ended), attributes, status);
    for failed in attempts.iter().filter_map(|attempt| Some((attempt, attempt.failed.as_ref()?))) {
        let (attempt, failed) = failed;
        let place = format!("{}, step {} ({})", failed.flow, failed.step, failed.action);
        let attributes = vec![
            KeyValue::new("exception.message", failed.message.clone()),
            KeyValue::new("regatta.place", place),
            KeyValue::new("regatta.attempt", i64::from(attempt.attempt)),
        ];
        let at = system_time(attempt.ended_at.unwrap_or(ended));
        span.events.events.push(Event::new("exception", at, attributes, 0));
    }
    span
}

fn span(
    trace: TraceId,
    id: SpanId,
    parent: SpanId,
    name: Cow<'static, str>,
    (from, to): (jiff::Timestamp, jiff::Timestamp),
    attributes: Vec<KeyValue>,
    status: Status,
) -> SpanData {
    SpanData {
        span_context: SpanContext::new(trace, id, TraceFlags::SAMPLED, false, TraceState::default()),
        parent_span_id: parent,
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name,
        start_time: system_time(from),
        end_time: system_time(to),
        attributes,
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status,
        instrumentation_scope: InstrumentationScope::builder("regatta").build(),
    }
}

/// No run was before 1970.
fn system_time(at: jiff::Timestamp) -> SystemTime {
    let since = u64::try_from(at.as_nanosecond()).unwrap_or(0);
    SystemTime::UNIX_EPOCH + Duration::from_nanos(since)
}

/// Derived from the run's id, so that the run leads to its trace.
fn digest(text: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&Sha256::digest(text.as_bytes())[..16]);
    bytes
}

fn span_id(text: &str) -> SpanId {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&Sha256::digest(text.as_bytes())[16..24]);
    SpanId::from_bytes(bytes)
}

/// As the events name it.
fn word(outcome: &impl serde::Serialize) -> String {
    serde_json::to_value(outcome).ok().and_then(|word| Some(word.as_str()?.to_owned())).unwrap_or_default()
}

/// Addresses down to their hosts.
fn without_secrets(problem: &str) -> String {
    let words = problem.split_inclusive([' ', '(', ')', '"', '\'', '`', ',']).map(|word| {
        let Some(at) = word.find("://") else { return word.to_owned() };
        let rest = &word[at + 3..];
        let end = rest.find(['/', '?', '#', ' ', '(', ')', '"', '\'', '`', ',']).unwrap_or(rest.len());
        let host = rest[..end].rsplit('@').next().unwrap_or_default();
        let last = word.chars().last().filter(|c| " ()\"'`,".contains(*c));
        format!("{}{host}{}", &word[..at + 3], last.map_or(String::new(), String::from))
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::report::testing::{completed, failed};

    fn spans_in_words(spans: &[SpanData]) -> String {
        let line = |span: &SpanData| {
            let time = |at: SystemTime| at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() % 60;
            let is_root = span.parent_span_id == SpanId::INVALID;
            let attributes: Vec<_> =
                span.attributes.iter().map(|pair| format!("{}={}", pair.key, pair.value)).collect();
            let events: Vec<_> = span
                .events
                .iter()
                .map(|event| format!("{} {}", event.name, event.attributes[0].value))
                .collect();
            format!(
                "{}{} {}-{} {:?} {} {events:?}",
                if is_root { "" } else { "  " },
                span.name,
                time(span.start_time),
                time(span.end_time),
                span.status,
                attributes.join(" ")
            )
        };
        spans.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_run_is_a_trace_and_a_step_a_span() {
        let (good, bad) = (completed("p1", 0, 1000), failed("p4", 2, "no element"));
        let spans = [&good, &bad].map(|view| spans(&view.summary.history.runs[0], &view.id, "onboarding"));
        expect![[r#"
            run 0-4 Ok regatta.profile_id=p1 regatta.run_id=r1 regatta.workflow=onboarding regatta.outcome=completed []
              a 1-2 Ok regatta.step=a regatta.attempts=1 regatta.requests=9 regatta.bytes_received=2048 regatta.outcome=done []
              b 2-3 Unset regatta.step=b regatta.attempts=1 regatta.requests=9 regatta.bytes_received=2048 regatta.outcome=verified []
            run 2-5 Error { description: "" } regatta.profile_id=p4 regatta.run_id=r1 regatta.workflow=onboarding regatta.outcome=step_failed []
              a 3-5 Error { description: "no element" } regatta.step=a regatta.attempts=1 regatta.requests=9 regatta.bytes_received=2048 regatta.outcome=failed ["exception no element"]"#]].assert_eq(&spans.iter().map(|spans| spans_in_words(spans)).collect::<Vec<_>>().join("\n"));
        let trace = spans[0][0].span_context.trace_id();
        assert!(spans[0].iter().all(|span| span.span_context.trace_id() == trace));
        assert!(spans[0][1..].iter().all(|span| span.parent_span_id == spans[0][0].span_context.span_id()));
        assert_ne!(spans[0][1].span_context.span_id(), spans[0][2].span_context.span_id());
    }

    #[test]
    fn an_address_is_told_without_its_secrets() {
        assert_eq!(
            without_secrets("error for url (http://user:secret@h.example:4318/v1/traces?key=x): refused"),
            "error for url (http://h.example:4318): refused"
        );
        assert_eq!(without_secrets("no address at all"), "no address at all");
    }
}
