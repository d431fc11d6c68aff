//! Frames inside frames: where a point of one lies in its tab.
//!
//! Input goes to the tab, in its coordinates. So a point found in a frame is followed outwards, and in
//! each document on the way the frame has to be visible, at rest and on top, as an element has to be.

use chromiumoxide::cdp::browser_protocol::dom::{
    BackendNodeId, GetBoxModelParams, GetFrameOwnerParams, ResolveNodeParams,
};
use chromiumoxide::cdp::js_protocol::runtime::{ExecutionContextId, RemoteObjectId};
use futures::future::try_join_all;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::attempt::StepAttempt;
use crate::error::{ActionError, WaitError};
use crate::locating::quad::Quad;
use crate::page::{FrameElement, Page};
use crate::script::ResolvedNode;
use crate::script::methods::{ChangedReply, ElementPoint, FailureReason, FrameConfirmReply, FramePointReply};
use crate::state::ExecutionContext;

pub enum TabMapping {
    /// The worlds of the documents around, innermost first.
    Mapped(Vec<ExecutionContext>),
    /// A frame on the way is hidden, covered or moving.
    Blocked(Option<FailureReason>),
    /// A document on the way went away.
    Lost,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FrameOwner {
    backend_node_id: i64,
}

#[derive(Deserialize)]
struct BoxModel {
    model: Boxes,
}

#[derive(Deserialize)]
struct Boxes {
    content: Vec<f64>,
}

impl Page {
    /// The element that holds the frame, as a handle in the document around it.
    pub(crate) async fn owner_of(
        &self,
        frame: &str,
        around: &ExecutionContext,
        deadline: Instant,
    ) -> Result<Option<String>, WaitError> {
        let asked = GetFrameOwnerParams::new(frame.to_owned());
        let owner = self.answer(around.session.send_as::<_, FrameOwner>(asked), deadline).await?;
        let resolve = ResolveNodeParams {
            node_id: None,
            backend_node_id: Some(BackendNodeId::new(owner.backend_node_id)),
            object_group: None,
            execution_context_id: Some(ExecutionContextId::new(around.id)),
        };
        let resolved = self.answer(around.session.send_as::<_, ResolvedNode>(resolve), deadline).await?;
        Ok(resolved.object.object_id)
    }
}

impl StepAttempt<'_> {
    /// Follows the point that was found outwards to the tab, and changes it to what it is there.
    pub async fn map_to_tab(&mut self, found: &mut ElementPoint) -> Result<TabMapping, ActionError> {
        let mut passed = Vec::new();
        let mut frame = self.page.with_view(|view| view.frame.id.clone());
        while let Some(inner) = frame {
            let Some(outer) = self.around(&inner) else {
                // No frame around: this is the tab's own document. Or it went away with everything.
                let is_there = self.page.with_view(|_| ()).is_some();
                return Ok(if is_there { TabMapping::Mapped(passed) } else { TabMapping::Lost });
            };
            let Some(world) = self.world_of(&outer).await? else { return Ok(TabMapping::Lost) };
            let Some(owner) = self.owner(&inner, &world).await? else { return Ok(TabMapping::Lost) };
            let mut query = json!({ "x": found.x, "y": found.y });
            let mut mapped = self.through(&world, &owner, &query).await?;
            if let Some(FramePointReply { turned: true, width, height, .. }) = mapped {
                let Some(quad) = self.quad_in(&outer, &world, &owner, (width, height)).await? else {
                    return Ok(TabMapping::Lost);
                };
                let (x, y) = quad.place(found.x / found.width, found.y / found.height);
                query["point"] = json!({ "x": x, "y": y });
                mapped = self.through(&world, &owner, &query).await?;
            }
            match mapped {
                Some(reply) if reply.ok => {
                    (found.x, found.y) = (reply.x, reply.y);
                    (found.width, found.height) = (reply.width, reply.height);
                }
                Some(reply) => {
                    let patience = json!({ "ms": self.left().as_secs_f64() * 1000.0 });
                    let changed =
                        self.page.call::<ChangedReply>(&world, &patience, &[], self.deadline()).await;
                    changed.map_err(|error| self.wait_failed(error))?;
                    return Ok(TabMapping::Blocked(reply.reason));
                }
                None => return Ok(TabMapping::Lost),
            }
            passed.push(world);
            frame = Some(outer);
        }
        Ok(TabMapping::Lost)
    }

    /// A point inside a frame becomes one of the document around it. `None` where that went away.
    async fn through(
        &self,
        world: &ExecutionContext,
        owner: &str,
        query: &Value,
    ) -> Result<Option<FramePointReply>, ActionError> {
        let called = self.page.call(world, query, &[owner.to_owned()], self.deadline()).await;
        called.map_err(|error| self.wait_failed(error))
    }

    /// Where the browser draws the inside of a frame, in the document around it. The browser counts from the
    /// outermost document of that process, in which that document may be turned itself; `size` is its own.
    async fn quad_in(
        &mut self,
        outer: &str,
        world: &ExecutionContext,
        owner: &str,
        (width, height): (f64, f64),
    ) -> Result<Option<Quad>, ActionError> {
        let Some(quad) = self.quad(world, owner).await? else { return Ok(None) };
        let around = {
            let state = self.page.state.borrow();
            let parent = state.frame(outer).and_then(|frame| state.frame(frame.parent.as_ref()?));
            parent.filter(|parent| parent.session.id() == world.session.id()).map(|parent| parent.id.clone())
        };
        let Some(around) = around else { return Ok(Some(quad)) };
        let Some(around) = self.world_of(&around).await? else { return Ok(None) };
        let Some(holder) = self.owner(outer, &around).await? else { return Ok(None) };
        let Some(own) = self.quad(&around, &holder).await? else { return Ok(None) };
        let inside = |(x, y)| {
            let (x, y) = own.origin(x, y);
            (x * width, y * height)
        };
        Ok(Some(Quad(quad.0.map(inside))))
    }

    /// The quad of an element's content, in pixels of the outermost document of its process.
    async fn quad(&self, world: &ExecutionContext, element: &str) -> Result<Option<Quad>, ActionError> {
        let asked = GetBoxModelParams {
            node_id: None,
            backend_node_id: None,
            object_id: Some(RemoteObjectId::new(element)),
        };
        match self.page.answer(world.session.send_as::<_, BoxModel>(asked), self.deadline()).await {
            Ok(answer) => Ok(Quad::read(&answer.model.content)),
            // It went away in between.
            Err(WaitError::Script(_)) if !self.is_over() => Ok(None),
            Err(error) => Err(self.wait_failed(error)),
        }
    }

    /// Whether every frame on the way is still where it was: the first that is not, or a reply that says
    /// whether the pointer has come into any document on the way.
    pub async fn confirm_around(
        &self,
        around: &[ExecutionContext],
        query: &Value,
    ) -> Result<FrameConfirmReply, ActionError> {
        let replies = around
            .iter()
            .map(|world| self.page.call::<FrameConfirmReply>(world, query, &[], self.deadline()));
        let replies = try_join_all(replies).await.map_err(|error| self.wait_failed(error))?;
        let mut all = FrameConfirmReply { ok: true, reason: None, moved: false };
        for reply in replies {
            // The document went away.
            let Some(reply) = reply else { return Ok(FrameConfirmReply { ok: false, ..all }) };
            if !reply.ok {
                return Ok(reply);
            }
            all.moved |= reply.moved;
        }
        Ok(all)
    }

    fn around(&self, inner: &str) -> Option<String> {
        self.page.state.borrow().frame(inner)?.parent.clone()
    }

    /// The context of a frame beside the step's own. Waits where its document is being replaced. `None` where the
    /// frame went away.
    async fn world_of(&self, frame: &str) -> Result<Option<ExecutionContext>, ActionError> {
        let found = self.page.until(self.deadline(), |view| match view.state.frame(frame) {
            Some(frame) => frame.world.clone().map(Some),
            None => Some(None),
        });
        found.await.map_err(|error| self.wait_failed(error))
    }

    /// `None` where the document around went away.
    async fn owner(&mut self, frame: &str, around: &ExecutionContext) -> Result<Option<String>, ActionError> {
        let known = self.page.owners.iter().find(|owner| owner.frame == frame && owner.around == *around);
        if let Some(owner) = known {
            return Ok(Some(owner.object.clone()));
        }
        let object = match self.page.owner_of(frame, around, self.deadline()).await {
            Ok(object) => object,
            // It went away in between.
            Err(WaitError::Script(_)) if !self.is_over() => return Ok(None),
            Err(error) => return Err(self.wait_failed(error)),
        };
        if let Some(object) = &object {
            self.page.owners.retain(|owner| owner.frame != frame);
            let (frame, around, object) = (frame.to_owned(), around.clone(), object.clone());
            self.page.owners.push(FrameElement { frame, around, object });
        }
        Ok(object)
    }
}
