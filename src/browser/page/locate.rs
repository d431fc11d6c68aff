//! Finding what a step means: the remembered alternative first, then all as written.

use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::accessibility::QueryAxTreeParams;
use chromiumoxide::cdp::browser_protocol::dom::{BackendNodeId, ResolveNodeParams};
use chromiumoxide::cdp::js_protocol::runtime::{
    CallArgument, CallFunctionOnParams, ExecutionContextId, GetPropertiesParams, RemoteObjectId,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::attempt::Attempt;
use super::error::{ActionError, ActionErrorKind};
use super::script::{Called, Halt, OBJECTS, Reply, Why};
use super::state::World;
use super::{SelectorKey, aria, memory, urls};
use crate::domain::flow::{Chain, Locator, Selector, SelectorKind};

/// A remembered selector alone is waited for this long before the accessibility tree is asked.
const PATIENCE: Duration = Duration::from_millis(250);

/// Nodes of one accessibility query that are looked at: one more than an error lists.
const NODES: usize = 11;

impl Attempt<'_> {
    /// Asks the script about the locator's alternatives until it answers for good. Its answer may be a
    /// no; see [`Self::unmet`]. Where time runs out between two looks, the last one is the answer.
    pub async fn ask(&mut self, method: &str, locator: &Locator, query: Value) -> Result<Reply, ActionError> {
        let mut last = None;
        let looked = self.look(method, locator, query, &mut last).await;
        match (looked, last) {
            (Ok(reply), _) | (Err(Stop::Halt(Halt::Deadline)), Some(reply)) => Ok(reply),
            (Err(Stop::Halt(halt)), _) => Err(self.halted(halt)),
            (Err(Stop::Invalid(message)), _) => Err(ActionError::refused(message)),
        }
    }

    async fn look(
        &mut self,
        method: &str,
        locator: &Locator,
        mut query: Value,
        last: &mut Option<Reply>,
    ) -> Result<Reply, Stop> {
        let absence = method == "wait" || method == "count";
        let remembered = if absence { None } else { self.recall(locator) };
        let by_tree: Vec<bool> = locator.alternatives.iter().map(asks_tree).collect();
        let any_by_tree = by_tree.contains(&true);
        let ms = |duration: Duration| json!(duration.as_secs_f64() * 1000.0);
        let mut patience = PATIENCE;
        loop {
            let world = self.page.world(self.deadline).await?;
            query["remembered"] = match remembered {
                Some(index) => alternative(index, locator, &by_tree),
                None => Value::Null,
            };
            if let Some(index) = remembered
                && any_by_tree
                && !by_tree[index]
            {
                query["only"] = json!(true);
                query["again"] = json!(false);
                query["alternatives"] = json!([]);
                query["ms"] = ms(patience.min(self.left()));
                patience = Duration::ZERO;
                let called = self.page.call(&world, method, &query, &[], self.deadline).await;
                match called? {
                    Some(reply) if reply.ok => return Ok(reply),
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
            query["only"] = json!(false);
            query["again"] = json!(any_by_tree);
            let all = 0..locator.alternatives.len();
            query["alternatives"] = all.map(|index| alternative(index, locator, &by_tree)).collect();
            query["ms"] = ms(self.left());
            let called = self.page.call(&world, method, &query, &[], self.deadline).await;
            match called? {
                Some(reply) if reply.again && !self.is_over() => *last = Some(reply),
                Some(reply) => return Ok(reply),
                // A navigation in the middle: the new document has the time that is left.
                None => {}
            }
        }
    }

    /// The element is there and ready for what the query needs.
    pub async fn find(&mut self, locator: &Locator, needs: &Value) -> Result<Reply, ActionError> {
        let reply = self.ask("find", locator, json!({ "needs": needs })).await?;
        if reply.ok { Ok(reply) } else { Err(self.unmet(locator, reply)) }
    }

    /// What a no of the script means.
    pub fn unmet(&self, locator: &Locator, reply: Reply) -> ActionError {
        let Why { code, message, alternative, candidates, shows } = reply.why.unwrap_or_default();
        let selector = locator.alternatives.get(alternative).map(ToString::to_string).unwrap_or_default();
        let error = match code.as_str() {
            "missing" if message.is_empty() => {
                let selectors = match locator.alternatives.as_slice() {
                    [only] => format!("`{only}`"),
                    several => format!("any of its {} selectors", several.len()),
                };
                ActionError::timed_out(format!("no element matches {selectors} {}", self.within()))
            }
            "ambiguous" => {
                let error = ActionError::new(ActionErrorKind::Ambiguous, format!("{message} `{selector}`"));
                return error.hint(format!("they are {}", candidates.join(", ")));
            }
            "invalid" => return ActionError::refused(format!("`{selector}` is {message}")),
            "offset" | "readonly" | "option" | "unfit" => ActionError::refused(message),
            _ => ActionError::timed_out(message),
        };
        // Where something is missing, what is there instead says more than anything.
        let helps = matches!(code.as_str(), "missing" | "empty") && !shows.is_empty();
        if helps { error.hint(format!("the page shows \"{shows}\"")) } else { error }
    }

    /// To be called when the action has succeeded.
    pub fn remember(&mut self, locator: &Locator, found: &Reply) {
        if locator.alternatives.len() > 1 {
            let key = self.memory_key(locator, &found.url);
            self.page.memory.remember(&key, found.alternative);
        }
    }

    /// Whether anything visible matches any of the selectors, now. Waits for nothing but the document:
    /// what has not been parsed yet is neither there nor missing.
    pub async fn exists(&mut self, locator: &Locator) -> Result<bool, ActionError> {
        loop {
            let ms = self.left().as_secs_f64() * 1000.0;
            match self.call("parsed", &json!({ "ms": ms })).await? {
                Some(reply) if reply.ok => break,
                Some(_) => {
                    return Err(ActionError::timed_out(format!(
                        "the page did not come to its end {}",
                        self.within()
                    )));
                }
                None => {}
            }
        }
        Ok(self.ask("count", locator, json!({})).await?.found > 0)
    }

    fn recall(&mut self, locator: &Locator) -> Option<usize> {
        let alternatives = locator.alternatives.len();
        if alternatives < 2 {
            return None;
        }
        let url = self.page.look(|view| view.frame.document.url.clone()).unwrap_or_default();
        let key = self.memory_key(locator, &url);
        self.page.memory.recall(&key).filter(|index| *index < alternatives)
    }

    fn memory_key(&self, locator: &Locator, url: &str) -> SelectorKey {
        SelectorKey {
            flow: self.flow.to_owned(),
            step: self.step.to_owned(),
            digest: locator.digest.clone(),
            origin: urls::origin(url),
            path: memory::normalised_path(url),
        }
    }

    /// Has the accessibility tree look for an alternative, and leaves what it found with the script.
    /// `None` where the document went away.
    async fn stash(&self, world: &World, index: usize, chain: &Chain) -> Result<Option<()>, Stop> {
        let done = self.try_stash(world, index, chain).await;
        self.page.release_objects();
        done.map_err(|stop| match stop {
            Stop::Invalid(message) => Stop::Invalid(format!("`{chain}`: {message}")),
            halt @ Stop::Halt(_) => halt,
        })
    }

    async fn try_stash(&self, world: &World, index: usize, chain: &Chain) -> Result<Option<()>, Stop> {
        let mut from: Vec<String> = Vec::new();
        let mut rest = chain.0.as_slice();
        while let Some(at) = rest.iter().position(|selector| selector.kind == SelectorKind::Aria) {
            let wanted = aria::parse(&rest[at].text).map_err(Stop::Invalid)?;
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
        Ok(self.page.call(world, "stash", &query, &from, self.deadline).await?.map(|_| ()))
    }

    /// Handles of what `chain` leads to from `from`, or from the document.
    async fn roots(
        &self,
        world: &World,
        chain: &[Selector],
        from: &[String],
    ) -> Result<Option<Vec<String>>, Stop> {
        const CALL: &str = "function(query, ...from) { return regatta.call('roots', query, ...from) }";
        let of_node = |node: &String| CallArgument {
            value: None,
            unserializable_value: None,
            object_id: Some(node.clone().into()),
        };
        let query = CallArgument {
            value: Some(json!({ "chain": selectors(chain) })),
            unserializable_value: None,
            object_id: None,
        };
        let mut call = CallFunctionOnParams::new(CALL);
        call.arguments = Some(std::iter::once(query).chain(from.iter().map(of_node)).collect());
        call.unique_context_id = Some(world.unique.clone());
        call.object_group = Some(OBJECTS.to_owned());
        let Some(called) = self.page.in_world::<_, Called>(world, call, self.deadline).await? else {
            return Ok(None);
        };
        // An invalid selector leads nowhere; where no alternative is valid the script says so.
        let Some(list) = called.result.object_id.filter(|_| called.exception_details.is_none()) else {
            return Ok(Some(Vec::new()));
        };
        let mut properties = GetPropertiesParams::new(RemoteObjectId::from(list));
        properties.own_properties = Some(true);
        let Some(listed) = self.page.in_world::<_, Properties>(world, properties, self.deadline).await?
        else {
            return Ok(None);
        };
        let items = listed.result.into_iter().filter(|property| property.name.parse::<u32>().is_ok());
        Ok(Some(items.filter_map(|property| property.value?.object_id).take(NODES).collect()))
    }

    async fn query_tree(
        &self,
        world: &World,
        root: String,
        wanted: &aria::AriaSelector,
    ) -> Result<Option<Vec<String>>, Stop> {
        let query = QueryAxTreeParams {
            node_id: None,
            backend_node_id: None,
            object_id: Some(root.into()),
            accessible_name: wanted.name.clone(),
            role: wanted.role.clone(),
        };
        let Some(tree) = self.page.in_world::<_, Tree>(world, query, self.deadline).await? else {
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
            answers.push(world.session.send_as::<_, Resolved>(resolve));
        }
        let mut handles = Vec::new();
        for answer in answers {
            match self.page.answer(answer, self.deadline).await {
                Ok(resolved) => handles.extend(resolved.object.object_id),
                // The node was removed in between.
                Err(Halt::Script(_)) => {}
                Err(halt) => return Err(halt.into()),
            }
        }
        Ok(Some(handles))
    }
}

enum Stop {
    Halt(Halt),
    Invalid(String),
}

impl From<Halt> for Stop {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

#[derive(Deserialize)]
struct Properties {
    result: Vec<Property>,
}

#[derive(Deserialize)]
struct Property {
    name: String,
    value: Option<super::script::RemoteObject>,
}

#[derive(Deserialize)]
struct Resolved {
    object: super::script::RemoteObject,
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

fn asks_tree(chain: &Chain) -> bool {
    chain.0.iter().any(|selector| selector.kind == SelectorKind::Aria)
}

/// As the script wants an alternative.
fn alternative(index: usize, locator: &Locator, by_tree: &[bool]) -> Value {
    if by_tree[index] {
        json!({ "index": index, "stashed": true })
    } else {
        json!({ "index": index, "chain": selectors(&locator.alternatives[index].0) })
    }
}

fn selectors(chain: &[Selector]) -> Value {
    let pair = |selector: &Selector| {
        let kind = match selector.kind {
            SelectorKind::Css => "css",
            SelectorKind::Aria => "aria",
            SelectorKind::Text => "text",
            SelectorKind::XPath => "xpath",
            SelectorKind::Pierce => "pierce",
        };
        json!([kind, selector.text])
    };
    chain.iter().map(pair).collect()
}
