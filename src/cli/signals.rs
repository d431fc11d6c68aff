//! Turns signals into a wish to stop. What differs between systems is only which signals there are.

use tokio::sync::watch;

use crate::run::Stop;

/// The first signal asks to stop after the step under way; the second, now.
pub async fn ask_to_stop(stop: watch::Sender<Stop>, mut heard: impl FnMut(Stop)) {
    for severity in [Stop::AfterStep, Stop::Now] {
        if next_signal().await.is_err() {
            return std::future::pending().await;
        }
        stop.send_replace(severity);
        heard(severity);
    }
    std::future::pending().await
}

#[cfg(unix)]
async fn next_signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    Ok(())
}

#[cfg(not(unix))]
async fn next_signal() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
