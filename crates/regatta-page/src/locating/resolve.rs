//! Resolves a locator to one element: the remembered alternative first, then all as written.

use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::accessibility::QueryAxTreeParams;
use chromiumoxide::cdp::browser_protocol::dom::{BackendNodeId, ResolveNodeParams};
use chromiumoxide::cdp::js_protocol::runtime::{ExecutionContextId, GetPropertiesParams, RemoteObjectId};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::attempt::StepAttempt;
use crate::error::{ActionError, ActionErrorKind, WaitError};
use crate::healing::memory::{self, LocatorKey};
use crate::healing::state::HealingKind;
use crate::locating::aria;
use crate::locating::query::{
    self, ElementQuery, LocateError, SearchPurpose, alternative_of, asks_tree, selectors,
};
use crate::script::methods::{
    CountReply, FailureReason, FindReply, LocatorReply, Method, ParsedReply, ReasonCode, StashReply,
};
use crate::script::{OBJECTS, RemoteObject, RemoteResult, ResolvedNode, handle_call};
use crate::state::{ExecutionContext, urls};
use regatta_core::fingerprint::{Likeness, Verdict};
use regatta_core::flow::{Chain, Locator, Selector, SelectorKind};
use regatta_core::workflow::Heal;

/// A remembered selector alone is waited for this long before the accessibility tree is asked.
const PATIENCE: Duration = Duration::from_millis(250);

/// How many nodes of one accessibility query are read: one more than an error lists.
const NODES: usize = 11;

impl StepAttempt<'_> {
    /// Asks the script about the locator's alternatives until its reply is final. The reply may be a failure:
    /// see [`Self::failed`]. Where time runs out between two calls, the last reply counts.
    pub async fn query<R: LocatorReply>(
        &mut self,
        locator: &Locator,
        query: Value,
    ) -> Result<R, ActionError> {
        match self.query_or_heal(locator, query).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(changed)) => Err(changed),
            Err(LocateError::Wait(error)) => Err(self.wait_failed(error)),
            Err(LocateError::InvalidSelector(message)) => Err(ActionError::refused(message)),
        }
    }

    async fn query_or_heal<R: LocatorReply>(
        &mut self,
        locator: &Locator,
        query: Value,
    ) -> Result<Result<R, ActionError>, LocateError> {
        let mode = self.page.healing.mode;
        let mut wanted = self.element_query(locator, R::METHOD, &query);
        let heals = mode == Heal::Auto && wanted.known.is_some() && self.healed.is_none();
        if heals {
            let deadline = self.deadline() - self.reserve();
            let reply: R = self.query_page(&mut wanted, &query, deadline).await?;
            if reply.is_ok() {
                self.note_healed(&wanted, reply.found());
                return Ok(Ok(reply));
            }
            if is_missing(&reply)
                && self.is_at_rest()
                && let Some(known) = &wanted.known
                && let Some(likeness) = self.find_like(&wanted, SearchPurpose::Act).await?
            {
                self.report_healing(HealingKind::Acted, &likeness, known);
                self.healed = Some(likeness);
                wanted = self.element_query(locator, R::METHOD, &query);
            }
        }
        let reply: R = self.query_page(&mut wanted, &query, self.deadline()).await?;
        if reply.is_ok() {
            self.note_healed(&wanted, reply.found());
            return Ok(Ok(reply));
        }
        if !is_missing(&reply) {
            return Ok(Ok(self.with_hint(locator, &query, reply).await));
        }
        let suggestion = match &wanted.known {
            Some(_) if mode != Heal::Off => self.find_like(&wanted, SearchPurpose::Suggest).await?,
            _ => None,
        };
        if let (Some(likeness), Some(known)) = (&suggestion, &wanted.known) {
            self.report_healing(HealingKind::Suggested, likeness, known);
            let url = self.page.with_view(|view| view.frame.document.url.clone()).unwrap_or_default();
            let key = self.memory_key(locator, &url);
            self.page.memory.suggest(&key, likeness.clone());
        }
        if suggestion.is_none() && wanted.wrong_match.is_none() {
            return Ok(Ok(self.with_hint(locator, &query, reply).await));
        }
        Ok(Err(self.changed(&wanted, suggestion.as_ref(), &self.missing(locator))))
    }

    /// Reports an element that an earlier run found by likeness.
    fn note_healed(&mut self, query: &ElementQuery, found: Option<&FindReply>) {
        if let Some(found) = found
            && found.alternative >= query.written
            && self.healed.is_none()
            && let (Some(chain), Some(element)) =
                (query.locator.alternatives.get(found.alternative), found.element.clone())
        {
            let selector = chain.0.iter().map(ToString::to_string).collect();
            let likeness = Likeness { selector, element };
            let known = query.known.as_ref().unwrap_or(&likeness.element);
            self.report_healing(HealingKind::Remembered, &likeness, known);
            self.healed = Some(likeness);
        }
    }

    async fn query_page<R: LocatorReply>(
        &mut self,
        wanted: &mut ElementQuery,
        query: &Value,
        until: Instant,
    ) -> Result<R, LocateError> {
        let mut last = None;
        match self.query_until(wanted, query, until, &mut last).await {
            Err(LocateError::Wait(WaitError::Deadline)) if let Some(last) = last => Ok(last),
            replied => replied,
        }
    }

    async fn query_until<R: LocatorReply>(
        &mut self,
        wanted: &mut ElementQuery,
        query: &Value,
        until: Instant,
        last: &mut Option<R>,
    ) -> Result<R, LocateError> {
        let mut query = query.clone();
        let locator = wanted.locator.clone();
        let by_tree: Vec<bool> = locator.alternatives.iter().map(asks_tree).collect();
        let any_by_tree = by_tree.contains(&true);
        query["depth"] =
            json!(wanted.known.as_ref().and_then(|known| known.row.as_ref()).map_or(0, |row| row.depth));
        let left = |most: Duration| {
            let left = until.saturating_duration_since(Instant::now()).min(most);
            json!(left.as_secs_f64() * 1000.0)
        };
        let mut patience = PATIENCE;
        // Alternatives that led to another element than before, until the page has changed.
        let mut passed: Vec<usize> = Vec::new();
        // The remembered alternative goes first only where it leads to the same element, unchanged.
        let mut distrusted = false;
        loop {
            let world = self.page.world(self.deadline()).await?;
            let remembered = wanted.remembered.filter(|index| !distrusted && !passed.contains(index));
            query["passed"] = json!(passed);
            query["remembered"] = match remembered {
                Some(index) => alternative(index, &locator, &by_tree),
                None => Value::Null,
            };
            if let Some(index) = remembered
                && any_by_tree
                && !by_tree[index]
            {
                query["only"] = json!(true);
                query["again"] = json!(false);
                query["alternatives"] = json!([]);
                query["ms"] = left(patience);
                patience = Duration::ZERO;
                match self.page.call::<R>(&world, &query, &[], self.deadline()).await? {
                    Some(mut reply) if reply.is_ok() => {
                        if self.judge_reply(wanted, &mut reply).await? == Verdict::Same {
                            return Ok(reply);
                        }
                        distrusted = true;
                        continue;
                    }
                    Some(_) => {}
                    None => continue,
                }
            }
            let mut lost = false;
            for (index, chain) in locator.alternatives.iter().enumerate().filter(|(index, _)| by_tree[*index])
            {
                match self.stash(&world, index, chain).await? {
                    Some(()) => {}
                    None => lost = true,
                }
            }
            if lost {
                self.page.forget_world(&world);
                continue;
            }
            query["passed"] = json!(passed);
            query["only"] = json!(false);
            query["again"] = json!(any_by_tree || !passed.is_empty());
            let all = 0..locator.alternatives.len();
            query["alternatives"] = all.map(|index| alternative(index, &locator, &by_tree)).collect();
            query["ms"] = left(self.timeout);
            match self.page.call::<R>(&world, &query, &[], self.deadline()).await? {
                Some(mut reply) if reply.is_ok() => {
                    let verdict = self.judge_reply(wanted, &mut reply).await?;
                    let Some(found) = reply.found() else { return Ok(reply) };
                    match verdict {
                        Verdict::Same => return Ok(reply),
                        _ if remembered == Some(found.alternative) => distrusted = true,
                        Verdict::Changed => {
                            self.report_change(wanted, found);
                            return Ok(reply);
                        }
                        Verdict::Ask | Verdict::Another(_) => passed.push(found.alternative),
                    }
                }
                Some(reply) if reply.is_again() && Instant::now() < until => {
                    *last = Some(reply);
                    passed.clear();
                    distrusted = false;
                }
                Some(reply) => return Ok(reply),
                // A navigation in the middle: the new document has the time that is left.
                None => passed.clear(),
            }
        }
    }

    /// Whether an alternative has led to the element that is meant. Notes the first one that has not.
    async fn judge_reply<R: LocatorReply>(
        &self,
        wanted: &mut ElementQuery,
        reply: &mut R,
    ) -> Result<Verdict, LocateError> {
        let Some(found) = reply.found_mut() else { return Ok(Verdict::Same) };
        if found.point.is_none() {
            return Err(WaitError::Script(format!("{}: no point", R::METHOD.name())).into());
        }
        found.element = found.element.take().map(|element| element.masked(self.page.healing.mask()));
        let verdict = self.judge(wanted, found).await?;
        if let Verdict::Another(because) = verdict {
            let wrong_match = self.wrong_match(wanted, found, because);
            wanted.wrong_match.get_or_insert(wrong_match);
        } else if let Some(known) = &wanted.known {
            found.element = found.element.take().map(|element| element.after(known));
        }
        Ok(verdict)
    }

    /// Finds the element and waits until it is ready for what the query needs.
    pub async fn find(&mut self, locator: &Locator, needs: &Value) -> Result<FindReply, ActionError> {
        // After an input that missed, the element is found again at the step's address.
        self.page.step_target.unpin();
        self.pointed = None;
        let reply: FindReply = self.query(locator, json!({ "needs": needs })).await?;
        if reply.ok { Ok(reply) } else { Err(self.failed(locator, reply.reason)) }
    }

    /// The error for a reason that the script gives.
    pub fn failed(&self, locator: &Locator, reason: Option<FailureReason>) -> ActionError {
        let FailureReason { code, message, alternative, candidates, shows, hint } =
            reason.unwrap_or_default();
        let healed = || self.healed.as_ref().map(|healed| query::chain(&healed.selector).to_string());
        let selector = locator.alternatives.get(alternative).map(ToString::to_string);
        let selector = selector.or_else(healed).unwrap_or_default();
        let error = match code {
            ReasonCode::Missing if message.is_empty() => ActionError::timed_out(self.missing(locator)),
            ReasonCode::Ambiguous => {
                let error = ActionError::new(ActionErrorKind::Ambiguous, format!("{message} `{selector}`"));
                return error.hint(format!("they are {}", candidates.join(", ")));
            }
            ReasonCode::Invalid => return ActionError::refused(format!("`{selector}` is {message}")),
            ReasonCode::Offset | ReasonCode::ReadOnly | ReasonCode::Option | ReasonCode::Unfit => {
                ActionError::refused(message)
            }
            ReasonCode::Missing
            | ReasonCode::Invisible
            | ReasonCode::Disabled
            | ReasonCode::Covered
            | ReasonCode::Moving
            | ReasonCode::Empty
            | ReasonCode::Present
            | ReasonCode::Refused => ActionError::timed_out(message),
        };
        // Where something is missing, what is there instead says most.
        match code {
            _ if !hint.is_empty() => error.hint(hint),
            ReasonCode::Missing | ReasonCode::Empty if !shows.is_empty() => {
                error.hint(format!("the page shows \"{shows}\""))
            }
            _ => error,
        }
    }

    fn missing(&self, locator: &Locator) -> String {
        let all: Vec<_> = locator.alternatives.iter().map(|chain| format!("`{chain}`")).collect();
        let selectors = match all.as_slice() {
            [before @ .., last] if !before.is_empty() => format!("{} or {last}", before.join(", ")),
            all => all.concat(),
        };
        format!("no element matches {selectors} {}", self.within())
    }

    /// Remembers the element, when the action has succeeded.
    pub fn remember(&mut self, locator: &Locator, found: &FindReply) {
        let key = self.memory_key(locator, &found.url);
        match &self.healed {
            Some(healed) if found.alternative >= locator.alternatives.len() => {
                let element = found.element.clone().unwrap_or_else(|| healed.element.clone());
                let likeness = Likeness { selector: healed.selector.clone(), element };
                self.stage(key, likeness);
            }
            _ => {
                let alternative = found.cheaper.unwrap_or(found.alternative);
                let authored = self.authored(locator);
                let element = found.element.clone().filter(|element| authored.permits(element));
                self.page.memory.remember(&key, alternative, element);
            }
        }
    }

    /// Whether a visible element matches any of the selectors now. Waits only for the document to be parsed.
    pub async fn exists(&mut self, locator: &Locator) -> Result<bool, ActionError> {
        loop {
            let ms = self.left().as_secs_f64() * 1000.0;
            match self.call::<ParsedReply>(&json!({ "ms": ms })).await? {
                Some(reply) if reply.ok => break,
                Some(_) => {
                    return Err(ActionError::timed_out(format!(
                        "the page was not parsed to its end {}",
                        self.within()
                    )));
                }
                None => {}
            }
        }
        Ok(self.query::<CountReply>(locator, json!({})).await?.found > 0)
    }

    pub(crate) fn memory_key(&self, locator: &Locator, url: &str) -> LocatorKey {
        LocatorKey {
            flow: self.flow.to_owned(),
            step: self.step_number.to_owned(),
            digest: locator.digest.clone(),
            origin: urls::origin(url),
            path: memory::normalised_path(url, self.page.healing.mask()),
        }
    }

    /// Resolves an alternative by the accessibility tree, and leaves the elements with the script. `None` where the
    /// document went away.
    pub(crate) async fn stash(
        &self,
        world: &ExecutionContext,
        index: usize,
        chain: &Chain,
    ) -> Result<Option<()>, LocateError> {
        let done = self.try_stash(world, index, chain).await;
        self.page.release_objects();
        done.map_err(|stop| match stop {
            LocateError::InvalidSelector(message) => {
                LocateError::InvalidSelector(format!("`{chain}`: {message}"))
            }
            error @ LocateError::Wait(_) => error,
        })
    }

    async fn try_stash(
        &self,
        world: &ExecutionContext,
        index: usize,
        chain: &Chain,
    ) -> Result<Option<()>, LocateError> {
        let mut from: Vec<String> = Vec::new();
        let mut rest = chain.0.as_slice();
        while let Some(at) = rest.iter().position(|selector| selector.kind == SelectorKind::Aria) {
            let wanted = aria::parse(&rest[at].text).map_err(LocateError::InvalidSelector)?;
            let Some(roots) = self.roots(world, &rest[..at], &from).await? else { return Ok(None) };
            let mut found = Vec::new();
            for root in roots {
                match self.query_tree(world, root, &wanted).await? {
                    Some(nodes) => found.extend(nodes),
                    None => return Ok(None),
                }
            }
            (from, rest) = (found, &rest[at + 1..]);
            if from.is_empty() {
                break;
            }
        }
        let rest = if from.is_empty() { &[] } else { rest };
        let query = json!({ "index": index, "chain": selectors(rest) });
        Ok(self.page.call::<StashReply>(world, &query, &from, self.deadline()).await?.map(|_| ()))
    }

    /// Handles of what `chain` leads to from `from`, or from the document.
    async fn roots(
        &self,
        world: &ExecutionContext,
        chain: &[Selector],
        from: &[String],
    ) -> Result<Option<Vec<String>>, LocateError> {
        let query = json!({ "chain": selectors(chain) });
        let call = handle_call(world, Method::Roots, &query, from);
        let Some(called) = self.page.in_world::<_, RemoteResult>(world, call, self.deadline()).await? else {
            return Ok(None);
        };
        // An invalid selector leads nowhere; where no alternative is valid the script says so.
        let Some(list) = called.result.object_id.filter(|_| called.exception_details.is_none()) else {
            return Ok(Some(Vec::new()));
        };
        let mut properties = GetPropertiesParams::new(RemoteObjectId::from(list));
        properties.own_properties = Some(true);
        let Some(listed) = self.page.in_world::<_, Properties>(world, properties, self.deadline()).await?
        else {
            return Ok(None);
        };
        let items = listed.result.into_iter().filter(|property| property.name.parse::<u32>().is_ok());
        Ok(Some(items.filter_map(|property| property.value?.object_id).take(NODES).collect()))
    }

    async fn query_tree(
        &self,
        world: &ExecutionContext,
        root: String,
        wanted: &aria::AriaSelector,
    ) -> Result<Option<Vec<String>>, LocateError> {
        let query = QueryAxTreeParams {
            node_id: None,
            backend_node_id: None,
            object_id: Some(root.into()),
            accessible_name: wanted.name.clone(),
            role: wanted.role.clone(),
        };
        let Some(tree) = self.page.in_world::<_, Tree>(world, query, self.deadline()).await? else {
            return Ok(None);
        };
        let nodes =
            tree.nodes.into_iter().filter(TreeNode::is_element).filter_map(|node| node.backend_dom_node_id);
        let mut answers = Vec::new();
        for node in nodes.take(NODES) {
            let resolve = ResolveNodeParams {
                node_id: None,
                backend_node_id: Some(BackendNodeId::new(node)),
                object_group: Some(OBJECTS.to_owned()),
                execution_context_id: Some(ExecutionContextId::new(world.id)),
            };
            answers.push(world.session.send_as::<_, ResolvedNode>(resolve));
        }
        let mut handles = Vec::new();
        for answer in answers {
            match self.page.answer(answer, self.deadline()).await {
                Ok(resolved) => handles.extend(resolved.object.object_id),
                // The node was removed in between.
                Err(WaitError::Script(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Some(handles))
    }
}

#[derive(Deserialize)]
struct Properties {
    result: Vec<Property>,
}

#[derive(Deserialize)]
struct Property {
    name: String,
    value: Option<RemoteObject>,
}

#[derive(Deserialize)]
struct Tree {
    nodes: Vec<TreeNode>,
}

#[derive(Deserialize)]
struct TreeNode {
    ignored: bool,
    role: Option<TreeValue>,
    #[serde(rename = "backendDOMNodeId")]
    backend_dom_node_id: Option<i64>,
}

#[derive(Deserialize)]
struct TreeValue {
    value: Option<Value>,
}

impl TreeNode {
    fn is_element(&self) -> bool {
        let role = self.role.as_ref().and_then(|role| role.value.as_ref()?.as_str());
        !self.ignored
            && role.is_some_and(|role| !matches!(role, "StaticText" | "InlineTextBox" | "RootWebArea"))
    }
}

/// Whether no alternative leads to an element, not even to one that is not ready.
fn is_missing<R: LocatorReply>(reply: &R) -> bool {
    reply.reason().is_none_or(|reason| reason.code == ReasonCode::Missing && reason.message.is_empty())
}

/// An alternative in the script's form.
fn alternative(index: usize, locator: &Locator, by_tree: &[bool]) -> Value {
    alternative_of(index, &locator.alternatives[index], by_tree[index])
}
