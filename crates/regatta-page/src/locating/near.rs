//! Hints for a locator that matches nothing: elements of the page that nearly match, and the errors that the page
//! shows.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::attempt::StepAttempt;
use crate::error::WaitError;
use crate::locating::aria;
use crate::locating::query::{self, LocateError, alternative_of, asks_tree};
use crate::script::methods::{AgreesReply, InsteadReply, LocatorReply, MeansReply, NearReply, ReasonCode};
use regatta_core::flow::{Chain, Locator, Selector, SelectorKind, WaitForElement};
use regatta_core::workflow::Heal;

/// The time for hints, after the step's deadline.
const PATIENCE: Duration = Duration::from_secs(1);

impl StepAttempt<'_> {
    /// Adds a hint to a failed reply. A page that is gone gives none.
    pub(crate) async fn with_hint<R: LocatorReply>(
        &mut self,
        locator: &Locator,
        query: &Value,
        mut reply: R,
    ) -> R {
        let found = reply.count();
        let Some(reason) = reply.reason_mut() else { return reply };
        let is_missing = reason.code == ReasonCode::Missing && reason.message.is_empty();
        let is_unready = matches!(
            reason.code,
            ReasonCode::Empty | ReasonCode::Disabled | ReasonCode::Invisible | ReasonCode::Covered
        );
        if is_missing || is_unready {
            let searches = is_missing && found == 0 && !is_absence(query);
            let wanted = if searches { wanted(locator) } else { json!([]) };
            reason.hint = self.beyond_deadline(async |attempt| attempt.hint(&wanted).await).await;
        }
        reply
    }

    /// The properties and attributes that a failed wait has found instead, in a sentence.
    pub(crate) async fn describe_mismatch(&mut self, wait: &WaitForElement, query: &Value) -> Option<String> {
        let mut query = query.clone();
        query["within"] = json!(self.within());
        let reply = self.beyond_deadline(async |attempt| attempt.ask_instead(wait, query).await).await;
        (!reply.is_empty()).then_some(reply)
    }

    async fn beyond_deadline(
        &mut self,
        ask: impl AsyncFnOnce(&mut Self) -> Result<String, LocateError>,
    ) -> String {
        let late = (Instant::now() + PATIENCE).saturating_duration_since(self.deadline());
        self.extend(late);
        let reply = ask(self).await.unwrap_or_default();
        self.shorten(late);
        self.page.healing.mask().apply(&reply)
    }

    async fn hint(&mut self, wanted: &Value) -> Result<String, LocateError> {
        let world = self.page.world(self.deadline()).await?;
        let query = json!({ "wanted": wanted });
        let Some(reply) = self.page.call::<NearReply>(&world, &query, &[], self.deadline()).await? else {
            return Ok(String::new());
        };
        let mut near = Vec::new();
        // Where healing is off, no near match is searched either.
        if self.page.healing.mode != Heal::Off {
            for (of, selector) in reply.selectors.iter().enumerate() {
                near.extend(self.selector_of(of, selector).await?);
            }
        }
        near.dedup();
        let mut hints = Vec::new();
        if !near.is_empty() {
            hints.push(format!("did you mean {}?", near.join(" or ")));
        }
        if !reply.errors.is_empty() {
            let errors: Vec<_> = reply.errors.iter().map(|error| format!("\"{error}\"")).collect();
            let plural = if errors.len() == 1 { "" } else { "s" };
            hints.push(format!("the page shows the error{plural} {}", errors.join(" and ")));
        }
        Ok(hints.join(" "))
    }

    /// A selector that means the element alone: the one of the kind that was asked for, where it does.
    async fn selector_of(&mut self, of: usize, own: &[String]) -> Result<Option<String>, LocateError> {
        let world = self.page.world(self.deadline()).await?;
        let others = self.page.call::<MeansReply>(&world, &json!({ "of": of }), &[], self.deadline()).await?;
        let others = others.map(|reply| reply.selectors).unwrap_or_default();
        for selector in std::iter::once(own.to_vec()).chain(others) {
            let chain = query::chain(&selector);
            let by_tree = asks_tree(&chain);
            if by_tree && self.stash(&world, 0, &chain).await?.is_none() {
                return Ok(None);
            }
            let query = json!({ "alternative": alternative_of(0, &chain, by_tree), "of": of });
            let agrees = self.page.call::<AgreesReply>(&world, &query, &[], self.deadline()).await?;
            if agrees.is_some_and(|reply| reply.ok) {
                return Ok(Some(format!("`{chain}`")));
            }
        }
        Ok(None)
    }

    async fn ask_instead(&mut self, wait: &WaitForElement, mut query: Value) -> Result<String, LocateError> {
        let world = self.page.world(self.deadline()).await?;
        let mut alternatives = Vec::new();
        for (index, chain) in wait.locator.alternatives.iter().enumerate() {
            let by_tree = asks_tree(chain);
            if by_tree && self.stash(&world, index, chain).await?.is_none() {
                return Ok(String::new());
            }
            alternatives.push(alternative_of(index, chain, by_tree));
        }
        query["alternatives"] = alternatives.into();
        let reply = self.page.call::<InsteadReply>(&world, &query, &[], self.deadline()).await;
        match reply {
            Ok(reply) => Ok(reply.and_then(|reply| reply.value).unwrap_or_default()),
            Err(WaitError::Script(_)) => Ok(String::new()),
            Err(error) => Err(error.into()),
        }
    }
}

/// A wait for something to go.
fn is_absence(query: &Value) -> bool {
    query["visible"] == false || query["operator"] == "<=" || query["operator"] == "==" && query["count"] == 0
}

/// The last selector of each alternative, as the script wants it.
fn wanted(locator: &Locator) -> Value {
    let last = |chain: &Chain| {
        let Selector { kind, text } = chain.0.last()?;
        Some(match kind {
            SelectorKind::Aria => {
                let aria = aria::parse(text).ok()?;
                json!({ "kind": "aria", "name": aria.name, "role": aria.role })
            }
            SelectorKind::Text => json!({ "kind": "text", "text": text }),
            SelectorKind::Css => json!({ "kind": "css", "text": text, "alone": chain.0.len() == 1 }),
            SelectorKind::Pierce => json!({ "kind": "pierce", "text": text }),
            SelectorKind::XPath => json!({ "kind": "xpath", "text": text }),
        })
    };
    locator.alternatives.iter().filter_map(last).collect()
}
