//! Turns signals into a wish to stop. What differs between systems is only which signals there are.

use tokio::sync::watch;

use crate::run::Stop;

/// The first signal asks to stop after the step under way; the second, now.
pub async fn ask_to_stop(stop: watch::Sender<Stop>, mut heard: impl FnMut(Stop)) {
    // Listened to before the first is waited for: a second one right behind it is not lost.
    if let Ok(mut signals) = Signals::listen() {
        for severity in [Stop::AfterStep, Stop::Now] {
            signals.next().await;
            stop.send_replace(severity);
            heard(severity);
        }
    }
    std::future::pending().await
}

#[cfg(unix)]
struct Signals([tokio::signal::unix::Signal; 3]);

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
struct Signals;

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
