//! Keys reach the element that was checked and nothing else.
//!
//! Input goes to the tab, and the frame that has the focus gets it: a frame that calls `focus()` in time
//! would get a password. So every document of the tab is guarded before keys are sent. The target document
//! lets them through while the element has the focus; every other one keeps them from its page.
//! Each stroke is confirmed before the next is sent.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chromiumoxide::cdp::browser_protocol::page::{
    AddScriptToEvaluateOnNewDocumentParams, RemoveScriptToEvaluateOnNewDocumentParams, ScriptIdentifier,
};
use futures::future::{BoxFuture, join_all};
use futures::{FutureExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::attempt::StepAttempt;
use crate::connection::{CdpError, CdpSession};
use crate::error::{ActionError, ActionErrorKind, WaitError};
use crate::input::keystroke::Keystroke;
use crate::input::{PAUSE, PRESS_ANSWER};
use crate::script::methods::{GuardReply, KeptReply, NextReply, RefocusReply, StrokeReply, UnguardReply};
use crate::state::{ExecutionContext, WORLD};

/// A document that does not answer within this time runs no script that could take the focus.
const GUARDED_WITHIN: Duration = Duration::from_secs(2);

/// A guard expires, so that a run that is killed does not leave a browser without keys.
const BEYOND: Duration = Duration::from_secs(4);

/// How often the focus is brought back to a field that the page itself took it from.
const REFOCUSED: u32 = 3;

/// How long the browser may take to pass the focus from one process to another.
const HANDED_OVER: Duration = Duration::from_secs(1);

/// The input that is sent while the documents are guarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyInput {
    /// Characters, each with its keydown and keyup.
    Text,
    Down,
    Up,
}

/// The guarded documents of a tab, and the one that the keys are meant for.
pub struct FocusGuard {
    pub own: ExecutionContext,
    sent: KeyInput,
    armed: Vec<ExecutionContext>,
    scripts: Vec<(CdpSession, ScriptIdentifier)>,
    /// Strokes that were confirmed.
    confirmed: u32,
    refocused: u32,
}

/// Where a stroke went, by the documents' reports.
#[derive(Debug, PartialEq, Eq)]
pub enum StrokeOutcome {
    Seen,
    /// The document went away with it.
    DocumentGone,
    /// It was kept from the page that it was meant for, since another element of it has the focus: a frame
    /// element where there is the origin of its document.
    OtherElement {
        element: String,
        frame: Option<String>,
    },
    /// It was kept from another document, which has the focus.
    OtherDocument {
        origin: String,
    },
    /// It was kept from another document, though the target document believes to have the focus: the
    /// browser is passing it on.
    FocusInTransit,
    Unseen,
}

type StrokeConfirmation = BoxFuture<'static, Result<StrokeReply, CdpError>>;

impl KeyInput {
    const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Down => "down",
            Self::Up => "up",
        }
    }
}

impl StepAttempt<'_> {
    /// Guards the documents of the tab for text into the field that was found. `None` where its document
    /// went away; a reply where the field does not take the focus.
    pub async fn guard_field(&mut self) -> Result<Option<Result<FocusGuard, GuardReply>>, ActionError> {
        let Some(own) = self.page.with_view(|view| view.frame.world.clone()).flatten() else {
            return Ok(None);
        };
        let mut guard = FocusGuard::new(own.clone(), KeyInput::Text);
        let others = self.arm_new(&mut guard);
        let new = self.guard_new_documents();
        let query = json!({ "ms": self.guarded_for(), "sent": KeyInput::Text.name(), "field": true });
        let own_told = self.page.call::<GuardReply>(&own, &query, &[], self.deadline());
        let ((), scripts, reply) = futures::join!(others, new, own_told);
        guard.scripts = scripts;
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => {
                self.unguard(guard);
                return Err(self.wait_failed(error));
            }
        };
        match reply {
            Some(reply) if reply.ok => Ok(Some(Ok(guard))),
            refused => {
                self.unguard(guard);
                Ok(refused.map(Err))
            }
        }
    }

    /// Guards the documents of the tab for a key to what has the focus now; with it, what the document
    /// that has it says.
    pub async fn guard_focus(&mut self, sent: KeyInput) -> Result<(FocusGuard, GuardReply), ActionError> {
        loop {
            let worlds = self.worlds_of_tab();
            let query = json!({ "ms": self.guarded_for(), "sent": sent.name(), "focus": true });
            let asked =
                worlds.iter().map(|world| self.page.call::<GuardReply>(world, &query, &[], self.deadline()));
            let reply = tokio::time::timeout(GUARDED_WITHIN.min(self.left()), join_all(asked));
            let (reply, scripts) = futures::join!(reply, self.guard_new_documents());
            let reply = reply.unwrap_or_default();
            let mut owners = Vec::new();
            for (world, reply) in worlds.iter().zip(reply) {
                match reply {
                    Ok(Some(reply)) if reply.ok => owners.push((world.clone(), reply)),
                    Ok(_) | Err(WaitError::Script(_)) => {}
                    Err(error) => return Err(self.wait_failed(error)),
                }
            }
            if owners.len() == 1
                && let Some((own, reply)) = owners.pop()
            {
                let armed = worlds.into_iter().filter(|world| *world != own).collect();
                return Ok((FocusGuard { armed, scripts, ..FocusGuard::new(own, sent) }, reply));
            }
            self.end_guard(&worlds, scripts);
            if self.is_over() {
                return Err(ActionError::timed_out(format!(
                    "no document of the page has the focus {}",
                    self.within()
                )));
            }
            // The browser is passing it on, or the document that has it is being replaced.
            tokio::time::sleep(PAUSE).await;
        }
    }

    pub fn unguard(&self, guard: FocusGuard) {
        let worlds: Vec<_> = guard.armed.into_iter().chain([guard.own]).collect();
        self.end_guard(&worlds, guard.scripts);
    }

    fn end_guard(&self, worlds: &[ExecutionContext], scripts: Vec<(CdpSession, ScriptIdentifier)>) {
        for world in worlds {
            drop(self.page.ask::<UnguardReply>(world, &Value::Null));
        }
        for (session, script) in scripts {
            drop(session.send(RemoveScriptToEvaluateOnNewDocumentParams::new(script)));
        }
        self.page.state.send_modify(|state| state.settings.guarded_until = None);
    }

    /// Sends strokes one by one, each when the one before is confirmed. With `passes_on` the fields are boxes of
    /// one character, and each passes the focus to the next.
    pub async fn send_strokes(
        &mut self,
        guard: &mut FocusGuard,
        strokes: &[Keystroke],
        passes_on: bool,
    ) -> Result<(), ActionError> {
        let loader = self.loader();
        for (n, stroke) in strokes.iter().enumerate() {
            if passes_on && n > 0 {
                let patience = json!({ "ms": HANDED_OVER.min(self.left()).as_secs_f64() * 1000.0 });
                let _ = self.page.call::<NextReply>(&guard.own, &patience, &[], self.deadline()).await;
            }
            let started = Instant::now();
            loop {
                self.arm_new(guard).await;
                let reply = self.confirmation(guard);
                self.taken(self.send_stroke(stroke), &loader, "key").await?;
                match self.stroke_outcome(guard, reply).await {
                    StrokeOutcome::Seen => break,
                    StrokeOutcome::DocumentGone if n + 1 == strokes.len() => return Ok(()),
                    StrokeOutcome::DocumentGone => {
                        return Err(ActionError::timed_out(format!(
                            "the document went away after {} of {} characters",
                            n + 1,
                            strokes.len()
                        )));
                    }
                    StrokeOutcome::OtherElement { element, frame } => {
                        self.bring_back(guard, &element, frame.as_deref()).await?
                    }
                    StrokeOutcome::OtherDocument { origin } => {
                        return Err(focus_stolen_by_frame_error(&origin));
                    }
                    StrokeOutcome::FocusInTransit if started.elapsed() < HANDED_OVER => {}
                    StrokeOutcome::FocusInTransit => return Err(focus_stolen_error("a frame", None)),
                    StrokeOutcome::Unseen if self.is_over() => return Err(self.unseen("key")),
                    StrokeOutcome::Unseen => {
                        self.lost = Some("key");
                        tokio::time::sleep(PAUSE.min(self.left())).await;
                    }
                }
            }
            (self.delivered, self.lost) = (true, None);
            guard.confirmed += 1;
        }
        Ok(())
    }

    /// Asks the target document to confirm the next stroke, before it is sent.
    pub fn confirmation(&self, guard: &FocusGuard) -> StrokeConfirmation {
        self.page.ask(&guard.own, &json!({ "n": guard.confirmed + 1 })).boxed()
    }

    /// Determines where a stroke went that the browser has answered. A document that has answered it sees no more
    /// of it.
    pub async fn stroke_outcome(&self, guard: &FocusGuard, mut reply: StrokeConfirmation) -> StrokeOutcome {
        match (&mut reply).now_or_never() {
            Some(Ok(reply)) if reply.ok => return StrokeOutcome::Seen,
            Some(Err(_)) => return StrokeOutcome::DocumentGone,
            Some(Ok(_)) | None => {}
        }
        let others = self.worlds_of_tab().into_iter().filter(|world| *world != guard.own);
        let mut asked: futures::stream::FuturesUnordered<_> =
            others.map(|world| self.page.ask::<KeptReply>(&world, &Value::Null)).collect();
        let own = self.page.ask::<KeptReply>(&guard.own, &Value::Null);
        let all = async {
            let own = match own.await {
                Err(_) => return StrokeOutcome::DocumentGone,
                Ok(own) if own.seen > guard.confirmed => return StrokeOutcome::Seen,
                Ok(own) => own,
            };
            if let Some(element) = own.stray {
                return StrokeOutcome::OtherElement { element, frame: own.frame };
            }
            while let Some(reply) = asked.next().await {
                if let Ok(KeptReply { stray: Some(_), origin, .. }) = reply {
                    return if own.focused {
                        StrokeOutcome::FocusInTransit
                    } else {
                        StrokeOutcome::OtherDocument { origin }
                    };
                }
            }
            StrokeOutcome::Unseen
        };
        tokio::time::timeout(PRESS_ANSWER, all).await.unwrap_or(StrokeOutcome::Unseen)
    }

    /// Brings the focus back a few times where the page has moved it to another element of its own: many pages
    /// set it late, and once.
    async fn bring_back(
        &self,
        guard: &mut FocusGuard,
        element: &str,
        frame: Option<&str>,
    ) -> Result<(), ActionError> {
        guard.refocused += 1;
        if guard.refocused <= REFOCUSED {
            let called = self.page.call::<RefocusReply>(&guard.own, &Value::Null, &[], self.deadline()).await;
            if called.map_err(|error| self.wait_failed(error))?.is_some_and(|reply| reply.ok) {
                return Ok(());
            }
        }
        Err(focus_stolen_error(element, frame))
    }

    /// Guards the documents of the tab that are not guarded yet. Queued when this is called.
    fn arm_new(&self, guard: &mut FocusGuard) -> BoxFuture<'static, ()> {
        let new: Vec<_> = self.worlds_of_tab();
        guard.armed.retain(|world| new.contains(world));
        let new: Vec<_> =
            new.into_iter().filter(|world| *world != guard.own && !guard.armed.contains(world)).collect();
        if new.is_empty() {
            return futures::future::ready(()).boxed();
        }
        let query = json!({ "ms": self.guarded_for(), "sent": guard.sent.name() });
        let asked: Vec<_> = new.iter().map(|world| self.page.ask::<GuardReply>(world, &query)).collect();
        guard.armed.extend(new);
        async move {
            let _ = tokio::time::timeout(GUARDED_WITHIN, join_all(asked)).await;
        }
        .boxed()
    }

    /// Guards new documents from their first script on, in known processes and in frames that get their own.
    async fn guard_new_documents(&self) -> Vec<(CdpSession, ScriptIdentifier)> {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let until = since_epoch + self.left() + BEYOND;
        self.page.state.send_modify(|state| state.settings.guarded_until = Some(until));
        let source = guarded_until(until);
        let mut sessions: Vec<CdpSession> = Vec::new();
        for world in self.worlds_of_tab() {
            if !sessions.iter().any(|session| session.id() == world.session.id()) {
                sessions.push(world.session);
            }
        }
        let added = sessions.into_iter().map(|session| {
            let mut add = AddScriptToEvaluateOnNewDocumentParams::new(source.clone());
            add.world_name = Some(WORLD.to_owned());
            let added = session.send(add);
            async move { added.await.ok().map(|added| (session, added.identifier)) }
        });
        let added = tokio::time::timeout(GUARDED_WITHIN, join_all(added)).await;
        added.unwrap_or_default().into_iter().flatten().collect()
    }

    /// The script contexts of the documents of the step's tab.
    pub fn worlds_of_tab(&self) -> Vec<ExecutionContext> {
        let of_tab = self.page.with_view(|view| {
            let main = view.state.frame(&view.tab().main_frame);
            let inside = main.map(|main| view.state.inside(main)).unwrap_or_default();
            main.into_iter().chain(inside).filter_map(|frame| frame.world.clone()).collect()
        });
        of_tab.unwrap_or_default()
    }

    fn guarded_for(&self) -> f64 {
        (self.left() + BEYOND).as_secs_f64() * 1000.0
    }

    /// The error where no document of the tab has seen an input.
    pub fn unseen(&self, input: &str) -> ActionError {
        let what = format!("no document of the page has seen the {input} {}", self.within());
        ActionError::new(ActionErrorKind::Unseen, what).hint(self.page.likely_dialog())
    }
}

impl FocusGuard {
    const fn new(own: ExecutionContext, sent: KeyInput) -> Self {
        Self { own, sent, armed: Vec::new(), scripts: Vec::new(), confirmed: 0, refocused: 0 }
    }
}

/// The script with which a document begins while keys are sent.
pub fn guarded_until(until: Duration) -> String {
    let ms = until.as_millis();
    format!(
        "globalThis.regattaGuardedUntil = {ms};\n\
         if (Object.hasOwn(globalThis, 'regatta')) regatta.call('guard', {{ ms: {ms} - Date.now(), sent: 'text' }});\n"
    )
}

/// The error where another element has the focus; `frame` is the origin of its document where it is a frame.
pub fn focus_stolen_error(element: &str, frame: Option<&str>) -> ActionError {
    match frame {
        Some(origin) => focus_stolen_by_frame_error(origin),
        None => focus_stolen_by(&format!("`{element}` of the page itself")),
    }
}

/// The error where a frame with a document of this origin has the focus.
pub fn focus_stolen_by_frame_error(origin: &str) -> ActionError {
    focus_stolen_by(&format!("a frame of {origin}"))
}

fn focus_stolen_by(thief: &str) -> ActionError {
    ActionError::new(ActionErrorKind::FocusStolen, format!("{thief} took the focus while keys were sent"))
        .hint("it got none of them; the field keeps the text that it has by then")
}
