//! A run waits for a busy site with its browser open, for as long as the site asks and no longer than two
//! minutes at a time. What takes longer is left to the fleet, which gives the slot to another profile meanwhile.

use std::time::Duration;

use rand::RngExt as _;

use super::{BrowserHost, Run, RunExit, StopSeverity};
use regatta_core::event::EventKind;
use regatta_core::site_busy::{LONGEST_WAIT, WITHIN_RUN, retry_delay};
use regatta_core::workflow::plan::PlanStep;
use regatta_page::{ActionError, ActionErrorKind};

impl<O: BrowserHost> Run<'_, O> {
    /// Waits before attempt `attempt + 1`, as long as the error of the last one says. Returns false where the
    /// site asks for more time than a run waits. A request to stop ends the wait and the run.
    pub(super) async fn wait_after(
        &mut self,
        step: &PlanStep,
        attempt: u32,
        error: &ActionError,
    ) -> Result<bool, RunExit> {
        let ActionErrorKind::SiteBusy { retry_after } = error.kind else {
            return self.back_off(attempt).await.map(|()| true);
        };
        if retry_after.is_some_and(|asked| asked > LONGEST_WAIT) {
            return Ok(false);
        }
        let delay = retry_delay(WITHIN_RUN, attempt, retry_after, self.random.random_range(-1.0..=1.0));
        self.events.emit(EventKind::SiteBusy { flag: step.flag.clone(), ms: delay.as_millis() as u64 });
        self.pause(delay).await.map(|()| true)
    }

    pub(super) async fn pause(&mut self, delay: Duration) -> Result<(), RunExit> {
        tokio::select! {
            biased;
            () = tokio::time::sleep(delay) => self.stop.check(),
            () = self.stop.reached(StopSeverity::AfterStep) => Err(RunExit::Stopped),
        }
    }
}
