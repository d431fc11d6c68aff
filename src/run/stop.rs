//! The wish to stop, from signals to the run. Its severity only rises.

use tokio::sync::watch;

use super::Leave;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    #[default]
    No,
    /// After the step that is under way.
    AfterStep,
    /// In the middle of it: the step will be in doubt if it had touched the page.
    Now,
}

/// What a run sees of the wish.
#[derive(Debug, Clone)]
pub struct StopWatch(watch::Receiver<Stop>);

impl StopWatch {
    pub fn new() -> (watch::Sender<Stop>, Self) {
        let (sender, receiver) = watch::channel(Stop::No);
        (sender, Self(receiver))
    }

    pub(super) fn check(&self) -> Result<(), Leave> {
        if *self.0.borrow() >= Stop::AfterStep { Err(Leave::Stopped) } else { Ok(()) }
    }

    /// Never returns once nobody can ask any more.
    pub(super) async fn reached(&mut self, severity: Stop) {
        if self.0.wait_for(|stop| *stop >= severity).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
