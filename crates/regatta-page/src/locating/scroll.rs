//! Scrolling: to where the recording was, which a page that grows has to be taken to step by step.

use std::time::Duration;

use serde_json::json;

use crate::attempt::StepAttempt;
use crate::error::ActionError;
use crate::script::methods::ScrollReply;
use regatta_core::flow::Locator;

/// A page that is shorter than it was, with nothing on its way and nothing new for this long, stays so.
/// Pages that wait for the scrolling to end before they ask for more wait less.
const STILL: Duration = Duration::from_millis(250);

/// A tab behind others may pause for a second and more; one that is hidden draws nothing at all.
const UNDRAWN: Duration = Duration::from_secs(5);

impl StepAttempt<'_> {
    /// Ready where the place is reached, or where the page has ended before it and no longer grows.
    pub async fn scroll(
        &mut self,
        locator: Option<&Locator>,
        x: Option<f64>,
        y: Option<f64>,
    ) -> Result<(), ActionError> {
        loop {
            let found = match locator {
                Some(locator) => Some((locator, self.find(locator, &json!({ "view": true })).await?)),
                None => None,
            };
            let ms = |most: Duration| most.min(self.left()).as_secs_f64() * 1000.0;
            let query =
                json!({ "x": x, "y": y, "page": locator.is_none(), "ms": ms(STILL), "undrawn": ms(UNDRAWN) });
            let Some(reply) = self.call::<ScrollReply>(&query).await? else { continue };
            let more = reply.again || self.page.with_view(|view| view.is_quiet(STILL)) != Some(true);
            if !reply.ok && more && !self.is_over() {
                continue;
            }
            if let Some((locator, found)) = found {
                self.remember(locator, &found);
            }
            return Ok(());
        }
    }
}
