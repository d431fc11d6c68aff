//! Where the program's own remarks go: `tracing` events, at the level `REGATTA_LOG` names (`info`, `debug`).

use std::path::Path;

use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;

const DAYS_KEPT: usize = 14;

/// Only what this program says itself: libraries below it would write every command to the browser,
/// with what is typed in it.
fn filter(default: &str) -> EnvFilter {
    let level = std::env::var("REGATTA_LOG").unwrap_or_else(|_| default.to_owned());
    EnvFilter::new(format!("off,regatta={level}"))
}

/// Warnings on standard error.
pub fn to_stderr() {
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter("warn")).with_writer(std::io::stderr);
    // Otherwise a remark that cannot be written panics.
    let subscriber = subscriber.log_internal_errors(false);
    subscriber.with_ansi(false).without_time().with_target(false).try_init().ok();
}

/// Into `orchestrator.….log` of `folder`, a file a day. Nothing is lost as long as the guard lives.
pub fn to_folder(folder: &Path) -> Option<WorkerGuard> {
    let appender = tracing_appender::rolling::Builder::new()
        .rotation(tracing_appender::rolling::Rotation::DAILY)
        .filename_prefix("orchestrator")
        .filename_suffix("log")
        .max_log_files(DAYS_KEPT)
        .build(folder)
        .ok()?;
    let (writer, guard) = tracing_appender::non_blocking(appender);
    tracing_subscriber::fmt()
        .with_env_filter(filter("info"))
        .with_writer(writer)
        .with_ansi(false)
        .log_internal_errors(false)
        .try_init()
        .ok()?;
    Some(guard)
}
