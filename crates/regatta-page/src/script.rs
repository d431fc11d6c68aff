//! Calls the script that is injected into each document.

use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::page::CreateIsolatedWorldParams;
use chromiumoxide::cdp::js_protocol::runtime::{
    CallArgument, CallFunctionOnParams, EvaluateParams, ReleaseObjectGroupParams,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use crate::connection::CdpError;
use crate::error::WaitError;
use crate::page::Page;
use crate::state::{ExecutionContext, WORLD};

pub(crate) mod methods;

pub use self::methods::{Method, ScriptReply};

/// Runs in a world of its own beside the page: the page can neither see nor change it. One call resolves,
/// scrolls, checks and measures; every wait ends by a change of the page or by its deadline. A browser that
/// an earlier program has used may hold an earlier version.
pub const SOURCE: &str = concat!(
    "(() => {\nconst VERSION = 14;\n",
    "if (Object.hasOwn(globalThis, 'regatta') && regatta.version === VERSION) return;\n",
    include_str!("script/injected/dom.js"),
    include_str!("script/injected/wait.js"),
    include_str!("script/injected/selectors.js"),
    include_str!("script/injected/elements.js"),
    include_str!("script/injected/pointer.js"),
    include_str!("script/injected/keys.js"),
    include_str!("script/injected/around.js"),
    include_str!("script/injected/likeness.js"),
    include_str!("script/injected/find.js"),
    include_str!("script/injected/near.js"),
    include_str!("script/injected/methods.js"),
    "})();\n",
);

/// Handles of page objects, released together.
pub const OBJECTS: &str = "regatta";

/// The script keeps the deadline itself; this is for a page that no longer runs scripts.
const GRACE: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RemoteResult {
    pub result: RemoteObject,
    pub exception_details: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RemoteObject {
    #[serde(rename = "type", default)]
    pub kind: String,
    pub subtype: Option<String>,
    pub value: Option<Value>,
    pub unserializable_value: Option<String>,
    pub object_id: Option<String>,
}

#[derive(Deserialize)]
pub struct ResolvedNode {
    pub object: RemoteObject,
}

impl RemoteResult {
    /// The thrown value, in one line.
    pub fn thrown(&self) -> Option<String> {
        let details = self.exception_details.as_ref()?;
        let exception = &details["exception"];
        let described = exception["description"].as_str().map(str::to_owned);
        // A thrown value need not be an error.
        let described = described.or_else(|| match exception.get("value")? {
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        });
        let described = described.or_else(|| details["text"].as_str().map(str::to_owned));
        Some(described.as_deref().unwrap_or("an exception").lines().next().unwrap_or_default().to_owned())
    }
}

impl Page {
    /// Waits for the script's world in the current document of the step's frame.
    pub(crate) async fn world(&self, deadline: Instant) -> Result<ExecutionContext, WaitError> {
        loop {
            let patience = Instant::now() + Duration::from_secs(1);
            match self.until(deadline.min(patience), |view| view.frame.world.clone()).await {
                Err(WaitError::Deadline) if Instant::now() < deadline => {
                    // A document comes with the world. One that has lost it is given another.
                    let Some((session, frame)) =
                        self.with_view(|view| (view.frame.session.clone(), view.frame.id.clone()))
                    else {
                        continue;
                    };
                    let mut create = CreateIsolatedWorldParams::new(frame);
                    create.world_name = Some(WORLD.to_owned());
                    match self.answer(session.send(create), deadline).await {
                        // The browser announces a new world, and says nothing of one that is still there.
                        Ok(created) => {
                            let id = *created.execution_context_id.inner();
                            self.state.send_modify(|state| state.revive_world(&session, id));
                        }
                        Err(WaitError::Script(_)) => {}
                        Err(error) => return Err(error),
                    }
                }
                other => return other,
            }
        }
    }

    pub(crate) fn forget_world(&self, lost: &ExecutionContext) {
        self.state.send_modify(|state| state.forget_world(lost));
    }

    /// Calls one method of the script. `None`: the document went away in the meantime.
    pub(crate) async fn call<R: ScriptReply>(
        &self,
        world: &ExecutionContext,
        query: &Value,
        nodes: &[String],
        deadline: Instant,
    ) -> Result<Option<R>, WaitError> {
        let method = R::METHOD.name();
        let make = || call_of(world, R::METHOD, query, nodes);
        let Some(mut called) = self.in_world::<_, RemoteResult>(world, make(), deadline).await? else {
            return Ok(None);
        };
        if called.thrown().is_some_and(|thrown| is_not_installed(&thrown)) {
            let mut install = EvaluateParams::new(SOURCE);
            install.unique_context_id = Some(world.unique.clone());
            if self.in_world::<_, RemoteResult>(world, install, deadline).await?.is_none() {
                return Ok(None);
            }
            match self.in_world(world, make(), deadline).await? {
                Some(again) => called = again,
                None => return Ok(None),
            }
        }
        if let Some(thrown) = called.thrown() {
            return Err(WaitError::Script(format!("{method}: {thrown}")));
        }
        let value = called.result.value.unwrap_or(Value::Null);
        if value["lost"] == true {
            return Ok(None);
        }
        let reply = serde_json::from_value(value);
        reply.map(Some).map_err(|error| WaitError::Script(format!("{method}: {error}")))
    }

    /// Queues a call of one method now; the future waits for its reply.
    pub(crate) fn ask<R: ScriptReply>(
        &self,
        world: &ExecutionContext,
        query: &Value,
    ) -> impl Future<Output = Result<R, CdpError>> + Send + use<R> {
        let called = world.session.send_as::<_, RemoteResult>(call_of(world, R::METHOD, query, &[]));
        async move {
            let value = called.await?.result.value.unwrap_or(Value::Null);
            serde_json::from_value(value)
                .map_err(|source| CdpError::Malformed { method: "Runtime.callFunctionOn".into(), source })
        }
    }

    /// Sends a command to a context. `None`: the context is gone.
    pub(crate) async fn in_world<C: chromiumoxide::Command, R: DeserializeOwned>(
        &self,
        world: &ExecutionContext,
        command: C,
        deadline: Instant,
    ) -> Result<Option<R>, WaitError> {
        let answer = world.session.send_as::<C, R>(command);
        let answer = async {
            match answer.await {
                Ok(answer) => Ok(Some(answer)),
                Err(CdpError::Refused { message, .. }) if is_lost(&message) => Ok(None),
                // A frame that leaves its process goes on in another one.
                Err(CdpError::Detached) if world.session.id() != self.tab_session().id() => Ok(None),
                Err(error) => Err(error),
            }
        };
        let answer = self.answer(answer, deadline + GRACE).await?;
        if answer.is_none() {
            self.forget_world(world);
        }
        Ok(answer)
    }

    pub(crate) fn release_objects(&self) {
        drop(self.frame_session().send(ReleaseObjectGroupParams::new(OBJECTS)));
    }
}

fn call_of(
    world: &ExecutionContext,
    method: Method,
    query: &Value,
    nodes: &[String],
) -> CallFunctionOnParams {
    const CALL: &str = "function(method, query, ...nodes) { return regatta.call(method, query, ...nodes) }";
    let mut call = CallFunctionOnParams::new(CALL);
    let of_value = |value| CallArgument { value: Some(value), unserializable_value: None, object_id: None };
    let of_node = |node: &String| CallArgument {
        value: None,
        unserializable_value: None,
        object_id: Some(node.clone().into()),
    };
    let values = [Value::String(method.name().to_owned()), query.clone()];
    call.arguments = Some(values.into_iter().map(of_value).chain(nodes.iter().map(of_node)).collect());
    call.unique_context_id = Some(world.unique.clone());
    call.await_promise = Some(true);
    call.return_by_value = Some(true);
    call
}

/// A call of a method that returns handles of page objects.
pub fn handle_call(
    world: &ExecutionContext,
    method: Method,
    query: &Value,
    nodes: &[String],
) -> CallFunctionOnParams {
    let mut call = call_of(world, method, query, nodes);
    call.await_promise = None;
    call.return_by_value = None;
    call.object_group = Some(OBJECTS.to_owned());
    call
}

/// Chrome's words for a world without the script. An element whose id is `regatta` stands for it there.
fn is_not_installed(thrown: &str) -> bool {
    ["regatta is not defined", "regatta.call is not a function"].iter().any(|words| thrown.contains(words))
}

/// Chrome's words for a document that went away before or while a command ran in it.
fn is_lost(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    [
        "context",
        "navigated or closed",
        "promise was collected",
        "with given id does not belong",
        "could not find object",
    ]
    .iter()
    .any(|words| message.contains(words))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use regex::Regex;

    use super::SOURCE;

    const OTHERS: [&str; 2] = [include_str!("evidence/trace/snapshot.js"), include_str!("evidence/blur.js")];

    /// Members that nodes share with what is no node: values, events, styles, boxes.
    const SHARED: &str = "data focus label list multiple options rows select size src style text title type value id media URL \
         attributes matches checked alt selected labels timeline";

    fn names(pattern: &str, text: &str) -> BTreeSet<String> {
        let pattern = Regex::new(pattern).unwrap();
        pattern.captures_iter(text).map(|found| found[1].to_owned()).collect()
    }

    /// A form gives its field of that name instead.
    #[test]
    fn members_of_nodes_are_read_by_symbols_only() {
        let members: BTreeSet<String> =
            names(r"\['\w+', '([\w ]+)'\]", include_str!("script/injected/dom.js"))
                .iter()
                .flat_map(|names| names.split(' ').map(str::to_owned).collect::<Vec<_>>())
                .collect();
        assert!(members.len() > 80, "{members:?}");
        let code: String = std::iter::once(SOURCE)
            .chain(OTHERS)
            .flat_map(str::lines)
            .filter(|line| !line.trim_start().starts_with("//"))
            .flat_map(|line| [line, "\n"])
            .collect();
        let unknown: Vec<_> =
            names(r"\bdom\.(\w+)", &code).into_iter().filter(|name| !members.contains(name)).collect();
        assert_eq!(unknown, Vec::<String>::new(), "not aliased by dom.js");
        let plain: Vec<_> = names(r"[\w\])]\??\.(\w+)", &code.replace("dom.", ""))
            .into_iter()
            .filter(|name| members.contains(name) && !SHARED.split_whitespace().any(|shared| shared == name))
            .collect();
        assert_eq!(plain, Vec::<String>::new(), "read from a node by a name that a page may take");
        let unused: Vec<_> = members.difference(&names(r"\bdom\.(\w+)", &code)).cloned().collect();
        assert_eq!(unused, Vec::<String>::new(), "aliased for nothing");
    }
}
