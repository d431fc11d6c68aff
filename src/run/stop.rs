//! The request to stop, from signals to the run. Its severity only rises.

use tokio::sync::watch;

use super::RunExit;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopSeverity {
    #[default]
    No,
    /// After the step that is under way.
    AfterStep,
    /// In the middle of it: the step will be in doubt if it had touched the page.
    Now,
}

/// The run's end of the request.
#[derive(Debug, Clone)]
pub struct StopWatch(watch::Receiver<StopSeverity>);

impl StopWatch {
    pub fn new() -> (watch::Sender<StopSeverity>, Self) {
        let (sender, receiver) = watch::channel(StopSeverity::No);
        (sender, Self(receiver))
    }

    pub(super) fn check(&self) -> Result<(), RunExit> {
        if *self.0.borrow() >= StopSeverity::AfterStep { Err(RunExit::Stopped) } else { Ok(()) }
    }

    /// Never returns once the sender is dropped.
    pub(super) async fn reached(&mut self, severity: StopSeverity) {
        if self.0.wait_for(|stop| *stop >= severity).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
