//! Calls into the injected script, and what it answers.

use std::time::Duration;

use chromiumoxide::cdp::js_protocol::runtime::{CallArgument, CallFunctionOnParams, EvaluateParams};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::error::{ActionError, ActionErrorKind};
use super::state::PageState;
use super::{Page, state};
use crate::browser::cdp::CdpError;
use crate::domain::flow::{Locator, SelectorKind};

pub(super) const SOURCE: &str = include_str!("injected.js");
/// What an answer may take beyond the time the script itself was given.
const GRACE: Duration = Duration::from_secs(5);

pub(super) enum Waited {
    Holds,
    Lost,
    Late,
}

/// What `locate` and `waitFor` answer.
#[derive(Debug, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub(super) enum Answer {
    Found(Found),
    /// The accessibility tree is to be asked for this alternative and depth.
    Tree {
        key: String,
    },
    Late(Late),
}

#[derive(Debug, Deserialize)]
pub(super) struct Found {
    /// `null` where absence was found.
    pub index: Option<usize>,
    /// The alternative to remember: names the same element and is cheap to look for.
    pub winner: Option<usize>,
    #[serde(default)]
    pub control: String,
    pub at: Option<Aim>,
    pub origin: String,
    pub path: String,
}

#[derive(Debug, Deserialize, Clone, Copy)]
pub(super) struct Aim {
    /// CSS pixels in the viewport.
    pub x: f64,
    pub y: f64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Late {
    pub code: String,
    #[serde(default)]
    pub words: String,
    pub index: Option<usize>,
    #[serde(default)]
    pub candidates: Option<Vec<String>>,
    #[serde(default)]
    pub title: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Where {
    pub title: String,
}

/// Selectors as the script takes them.
pub(super) fn alternatives(locator: &Locator) -> Value {
    let kind = |kind| match kind {
        SelectorKind::Css => "css",
        SelectorKind::Aria => "aria",
        SelectorKind::Text => "text",
        SelectorKind::XPath => "xpath",
        SelectorKind::Pierce => "pierce",
    };
    locator
        .alternatives
        .iter()
        .map(|chain| {
            chain
                .0
                .iter()
                .map(|part| json!({ "kind": kind(part.kind), "text": part.text }))
                .collect::<Value>()
        })
        .collect()
}

impl Page {
    /// Calls one function of the injected script in the document that is shown. A navigation in the
    /// middle is no failure: the next document is asked again, with the time that is left as
    /// `arguments` says of it.
    pub(super) async fn script<T: DeserializeOwned>(
        &mut self,
        function: &str,
        deadline: Instant,
        arguments: impl Fn(Duration) -> Value,
    ) -> Result<T, ActionError> {
        loop {
            let context = self.context(deadline).await?;
            let left = deadline.saturating_duration_since(Instant::now());
            let arguments = match arguments(left) {
                Value::Array(arguments) => arguments,
                other => vec![other],
            };
            let arguments: Vec<_> = arguments.iter().map(Value::to_string).collect();
            let mut call =
                EvaluateParams::new(format!("globalThis.regatta.{function}({})", arguments.join(",")));
            call.unique_context_id = Some(context.clone());
            call.await_promise = Some(true);
            call.return_by_value = Some(true);
            let answer = tokio::time::timeout(left + GRACE, self.session.send(call)).await;
            match answer {
                Ok(Ok(answer)) => {
                    if let Some(thrown) = answer.exception_details {
                        let what = thrown.exception.and_then(|exception| exception.description);
                        return Err(ActionError::refused(what.unwrap_or(thrown.text)));
                    }
                    let value = answer.result.value.unwrap_or(Value::Null);
                    return serde_json::from_value(value)
                        .map_err(|error| ActionError::refused(format!("the page answered oddly: {error}")));
                }
                Ok(Err(error)) if error.is_context_lost() => self.forget_context(&context),
                Ok(Err(error)) => return Err(self.lost(error)),
                Err(_) => return Err(ActionError::timed_out("the page does not answer: it hangs")),
            }
        }
    }

    /// The injected script's context, waited for where a document is on its way.
    async fn context(&mut self, deadline: Instant) -> Result<String, ActionError> {
        match self.until(deadline + GRACE, |state| state.context.is_some()).await {
            Waited::Holds => {}
            Waited::Lost => return Err(self.lost(CdpError::Gone)),
            Waited::Late => return Err(ActionError::timed_out("the page does not load")),
        }
        let context = self.state.borrow().context.clone();
        context.ok_or_else(|| ActionError::timed_out("the page has no document"))
    }

    /// Until the page's state is as asked. Nothing of the state is held while others change it.
    pub(super) async fn until(&self, deadline: Instant, holds: impl Fn(&PageState) -> bool) -> Waited {
        let mut state = self.state.clone();
        let waited = state.wait_for(|state| state.crashed || holds(state));
        match tokio::time::timeout_at(deadline, waited).await {
            Ok(Ok(state)) if !state.crashed => Waited::Holds,
            Ok(_) => Waited::Lost,
            Err(_) => Waited::Late,
        }
    }

    /// The event that says so may still be on its way.
    fn forget_context(&self, context: &str) {
        self.state_sender.send_modify(|state| drop(state.context.take_if(|known| known == context)));
    }

    /// Hands elements found by the accessibility tree to the injected script.
    pub(super) async fn answer_tree(
        &mut self,
        key: &str,
        objects: Vec<String>,
        deadline: Instant,
    ) -> Result<(), ActionError> {
        let context = self.context(deadline).await?;
        let mut call = CallFunctionOnParams::new(
            "function (key, ...elements) { globalThis.regatta.answer(key, ...elements); }",
        );
        call.unique_context_id = Some(context.clone());
        call.arguments = Some(
            std::iter::once(CallArgument { value: Some(key.into()), ..Default::default() })
                .chain(
                    objects
                        .into_iter()
                        .map(|object| CallArgument { object_id: Some(object.into()), ..Default::default() }),
                )
                .collect(),
        );
        match self.session.send(call).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_context_lost() => {
                self.forget_context(&context);
                Ok(())
            }
            Err(error) => Err(self.lost(error)),
        }
    }

    /// Which kind of end a failed command stands for.
    pub(super) fn lost(&self, error: CdpError) -> ActionError {
        let kind = if self.session.is_gone() || error == CdpError::Gone {
            ActionErrorKind::BrowserGone
        } else if self.state.borrow().crashed || error.is_page_lost() {
            ActionErrorKind::PageCrashed
        } else {
            ActionErrorKind::TimedOut
        };
        let message = match kind {
            ActionErrorKind::PageCrashed => "the page crashed or was closed".to_owned(),
            _ => error.to_string(),
        };
        ActionError { kind, message, hint: None }
    }

    pub(super) fn current_origin(&self) -> String {
        url::Url::parse(&self.state.borrow().url)
            .map(|url| url.origin().ascii_serialization())
            .unwrap_or_default()
    }

    /// Until nothing has been under way for a moment, or the time is over.
    pub(super) async fn quiet(&mut self, deadline: Instant) {
        while Instant::now() < deadline && !self.state.borrow().is_quiet(state::QUIET) {
            let look_again = Instant::now() + state::QUIET;
            // Traffic wakes it early and starts the moment anew.
            tokio::time::timeout_at(deadline.min(look_again), self.state.changed()).await.ok();
        }
    }
}
