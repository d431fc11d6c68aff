//! Finds the one element a step means, and waits until it can be acted on.

use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::accessibility::{AxNode, QueryAxTreeParams};
use chromiumoxide::cdp::browser_protocol::dom::ResolveNodeParams;
use chromiumoxide::cdp::js_protocol::runtime::{EvaluateParams, ExecutionContextId, RemoteObjectId};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::aria::AriaQuery;
use super::memory::{SelectorKey, normalise_path};
use super::navigate::seconds;
use super::script::{Answer, Found, Late, alternatives};
use super::{ActionError, ActionErrorKind, Page};
use crate::browser::cdp::CdpError;
use crate::domain::flow::Locator;

/// What must hold of the element, as Playwright defines it for each action.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Needs {
    pub visible: bool,
    pub enabled: bool,
    pub editable: bool,
    /// It gets what happens at its point.
    pub point: bool,
}

/// Which step looks, and until when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seek<'a> {
    pub flow: &'a str,
    pub step: &'a str,
    pub locator: &'a Locator,
    pub timeout: Duration,
    pub deadline: Instant,
}

/// Roles of the accessibility tree that no element has.
const NO_ELEMENTS: [&str; 3] = ["StaticText", "InlineTextBox", "LineBreak"];

impl Page {
    /// `offset`: CSS pixels from the box's left top; `None` is its middle. `edit` focuses the
    /// element and selects what it holds.
    pub(super) async fn locate(
        &mut self,
        seek: &Seek<'_>,
        needs: Needs,
        offset: Option<(f64, f64)>,
        edit: bool,
    ) -> Result<Found, ActionError> {
        let key = self.key(seek);
        let order = order(seek.locator, self.memory.recall(&key));
        let selectors = alternatives(seek.locator);
        let arguments = |left: Duration| {
            json!({
                "alternatives": selectors,
                "order": order,
                "needs": { "visible": needs.visible, "enabled": needs.enabled, "editable": needs.editable, "point": needs.point },
                "offset": offset.map(|(x, y)| [x, y]),
                "edit": edit,
                "ms": left.as_millis() as u64,
            })
        };
        self.ask(seek, "locate", arguments).await
    }

    /// Asks the script, and the accessibility tree where the script needs it.
    pub(super) async fn ask(
        &mut self,
        seek: &Seek<'_>,
        function: &str,
        arguments: impl Fn(Duration) -> Value,
    ) -> Result<Found, ActionError> {
        loop {
            match self.script::<Answer>(function, seek.deadline, &arguments).await? {
                Answer::Found(found) => return Ok(found),
                Answer::Late(late) => return Err(self.late(seek, late)),
                Answer::Tree { key } => self.ask_tree(seek, &key).await?,
            }
        }
    }

    /// Remembers which alternative found the element; called when the action has succeeded.
    pub(super) fn remember(&mut self, seek: &Seek<'_>, found: &Found) {
        if let Some(winner) = found.winner.or(found.index) {
            let key = selector_key(seek, &found.origin, &found.path);
            self.memory.remember(&key, winner);
        }
    }

    pub(super) fn key(&self, seek: &Seek<'_>) -> SelectorKey {
        let (origin, path) = match url::Url::parse(&self.state.borrow().url) {
            Ok(url) => (url.origin().ascii_serialization(), url.path().to_owned()),
            Err(_) => (String::new(), String::new()),
        };
        selector_key(seek, &origin, &path)
    }

    /// Elements with the name and role of one `aria/` selector, handed to the script.
    async fn ask_tree(&mut self, seek: &Seek<'_>, key: &str) -> Result<(), ActionError> {
        let part = key.split_once('.').and_then(|(index, depth)| {
            let chain = seek.locator.alternatives.get(index.parse::<usize>().ok()?)?;
            chain.0.get(depth.parse::<usize>().ok()?)
        });
        let Some(part) = part else {
            return Err(ActionError::refused(format!("the page asks for an unknown selector `{key}`")));
        };
        let objects = self.elements_named(&AriaQuery::parse(&part.text)).await?;
        self.answer_tree(key, objects, seek.deadline).await
    }

    /// Objects in the injected script's world. Empty where the document went away meanwhile.
    async fn elements_named(&mut self, query: &AriaQuery) -> Result<Vec<String>, ActionError> {
        let Some(context) = self.state.borrow().context.clone() else { return Ok(Vec::new()) };
        let mut document = EvaluateParams::new("document");
        document.unique_context_id = Some(context);
        let document = match self.session.send(document).await {
            Ok(answer) => answer.result.object_id,
            Err(error) if error.is_context_lost() => None,
            Err(error) => return Err(self.lost(error)),
        };
        let Some(document) = document else { return Ok(Vec::new()) };
        let tree = QueryAxTreeParams {
            object_id: Some(document.clone()),
            accessible_name: query.name.clone(),
            role: query.role.clone(),
            ..Default::default()
        };
        let nodes = match self.session.send(tree).await {
            Ok(answer) => answer.nodes,
            // The document changed under the question; the next look asks again.
            Err(CdpError::Refused { .. }) => return Ok(Vec::new()),
            Err(error) => return Err(self.lost(error)),
        };
        let role = |node: &AxNode| {
            node.role.as_ref().and_then(|role| role.value.as_ref()?.as_str().map(str::to_owned))
        };
        let elements = nodes.into_iter().filter(|node| {
            !node.ignored && role(node).is_none_or(|role| !NO_ELEMENTS.contains(&role.as_str()))
        });
        let world = world_of(&document);
        let mut objects = Vec::new();
        for node in elements {
            let Some(backend) = node.backend_dom_node_id else { continue };
            let resolve = ResolveNodeParams {
                backend_node_id: Some(backend),
                execution_context_id: world,
                ..Default::default()
            };
            if let Ok(answer) = self.session.send(resolve).await {
                objects.extend(answer.object.object_id.map(String::from));
            }
        }
        Ok(objects)
    }

    pub(super) fn late(&self, seek: &Seek<'_>, late: Late) -> ActionError {
        let within = format!("within {}", seconds(seek.timeout));
        let number = seek.locator.alternatives.len();
        let shows = (!late.title.is_empty()).then(|| format!("the page shows \"{}\"", late.title));
        match late.code.as_str() {
            "absent" => {
                let message = match number {
                    1 => format!("no element matches `{}` {within}", seek.locator.alternatives[0]),
                    _ => format!("no element matches any of its {number} selectors {within}"),
                };
                ActionError { hint: shows, ..ActionError::timed_out(message) }
            }
            "ambiguous" => {
                let which = late.index.and_then(|index| seek.locator.alternatives.get(index));
                let which = which.map(|chain| format!(" `{chain}`")).unwrap_or_default();
                let candidates = late.candidates.unwrap_or_default().join("; ");
                ActionError::new(ActionErrorKind::Ambiguous, format!("{}{which}", late.words))
                    .hint(format!("write a selector that matches one of them: {candidates}"))
            }
            "offset" | "selector" => ActionError::refused(late.words),
            _ => ActionError { hint: shows, ..ActionError::timed_out(format!("{} {within}", late.words)) },
        }
    }
}

/// The number of the world an object lives in: nodes are resolved by number, not by unique id. Object
/// ids carry it, as `ISOLATE.NUMBER.OBJECT`.
fn world_of(object: &RemoteObjectId) -> Option<ExecutionContextId> {
    let number = object.inner().split('.').nth(1)?.parse::<i64>().ok()?;
    Some(ExecutionContextId::new(number))
}

/// The remembered alternative first, then as written.
pub(super) fn order(locator: &Locator, remembered: Option<usize>) -> Vec<usize> {
    let all = 0..locator.alternatives.len();
    let first = remembered.filter(|index| all.contains(index));
    first.into_iter().chain(all.filter(|index| Some(*index) != first)).collect()
}

fn selector_key(seek: &Seek<'_>, origin: &str, path: &str) -> SelectorKey {
    SelectorKey {
        flow: seek.flow.to_owned(),
        step: seek.step.to_owned(),
        digest: seek.locator.digest.clone(),
        origin: origin.to_owned(),
        path: normalise_path(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::flow::{Chain, Selector};

    #[test]
    fn what_matched_last_time_is_tried_first() {
        let chain = |text| Chain(vec![Selector::parse(text)]);
        let locator = Locator::new(vec![chain("a"), chain("b"), chain("c")]);
        assert_eq!(order(&locator, None), [0, 1, 2]);
        assert_eq!(order(&locator, Some(2)), [2, 0, 1]);
        assert_eq!(order(&locator, Some(7)), [0, 1, 2]);
    }
}
