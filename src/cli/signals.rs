//! Turns signals into stop requests. Systems differ only in which signals they have.

use tokio::sync::watch;

use super::command_error::CommandError;
use crate::run::StopSeverity;

/// Turns signals into stop requests from now on; before, they ended the process. Must be called within the
/// runtime that receives them.
pub fn listen() -> Result<Signals, CommandError> {
    Signals::listen().map_err(|error| CommandError::usage(format!("cannot listen for signals: {error}")))
}

/// The first signal asks to stop after the step under way; the second, now. What came since `signals`
/// were listened to counts.
pub async fn ask_to_stop(
    mut signals: Signals,
    stop: watch::Sender<StopSeverity>,
    mut on_request: impl FnMut(StopSeverity),
) {
    for severity in [StopSeverity::AfterStep, StopSeverity::Now] {
        signals.next().await;
        stop.send_replace(severity);
        on_request(severity);
    }
    std::future::pending().await
}

#[cfg(unix)]
pub struct Signals([tokio::signal::unix::Signal; 3]);

#[cfg(unix)]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let [interrupt, terminate, hangup] = kinds.map(signal);
        Ok(Self([interrupt?, terminate?, hangup?]))
    }

    async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

#[cfg(not(unix))]
pub struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
