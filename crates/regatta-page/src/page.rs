//! One page of a browser: its state, and how the parts of the engine read it and wait for it.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::fetch::DisableParams as FetchDisableParams;
use chromiumoxide::cdp::browser_protocol::target::SetAutoAttachParams;
use tokio::sync::watch as channel;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::connection::{CdpError, CdpSession, Connection};
use crate::error::{ActionError, PageEnd, WaitError};
use crate::evidence::trace::recorder::TraceRecorder;
use crate::healing::memory::SelectorMemory;
use crate::healing::state::HealingState;
use crate::network::pace::DocumentPace;
use crate::network::triggered_requests::TriggeredRequests;
use crate::state::step_target::StepTarget;
use crate::state::{ExecutionContext, FrameView, PageState};
use regatta_core::flow::keyboard::Key;

/// Called right before the first input of a step, to write what must be durable by then. An error stops the
/// step before any input is sent.
pub trait InputGate {
    fn before_input(&mut self) -> Result<(), String>;

    /// Called when no document has seen any input since `before_input`: the step has not touched the page.
    fn input_not_seen(&mut self) -> Result<(), String> {
        Ok(())
    }
}

/// The gate of attempts that send no input.
pub(crate) struct NoInputGate;

impl InputGate for NoInputGate {
    fn before_input(&mut self) -> Result<(), String> {
        Err("a question touches nothing".to_owned())
    }
}

/// A key that is held down, and the tab in which it was pressed.
#[derive(Debug)]
pub(crate) struct HeldKey {
    pub(crate) key: Key,
    pub(crate) tab: usize,
}

/// A page, and the tabs that it opens.
pub struct Page {
    pub(crate) connection: Connection,
    pub(crate) owns_browser: bool,
    /// Documents are paused in the whole browser.
    pub(crate) guards_browser: bool,
    /// The target of the page's own tab.
    pub(crate) target: String,
    pub(crate) state: channel::Sender<PageState>,
    pub(crate) watcher: JoinHandle<()>,
    pub(crate) allowed: Vec<String>,
    pub(crate) downloads: Option<PathBuf>,
    pub(crate) memory: Box<dyn SelectorMemory>,
    pub(crate) healing: HealingState,
    pub(crate) trace: TraceRecorder,
    /// Where the step acts.
    pub(crate) step_target: StepTarget,
    pub(crate) owners: Vec<FrameElement>,
    /// Keys that are held down.
    pub(crate) pressed: Vec<HeldKey>,
    /// The last click was with Ctrl or Meta: a list keeps its chosen options.
    pub(crate) extends_selection: bool,
    /// Input was sent, and the page's tasks for it may still be pending.
    pub(crate) tasks_pending: bool,
    pub(crate) pending_input: Option<PendingInput>,
    pub(crate) triggered: TriggeredRequests,
    /// The submission that had no answer when the last flow ended, or was refused by a busy site.
    pub(crate) unanswered: Option<ActionError>,
    /// No document has seen an input: a dialog of the browser is likely in front, which nothing closes.
    pub(crate) is_covered: bool,
    /// HTTP errors that the next step may end in.
    pub(crate) allowed_statuses: Vec<u16>,
    /// The loader of a document that is an HTTP error the flow allows.
    pub(crate) allowed_error: Option<String>,
}

impl Page {
    /// Waits until `holds` returns a value for the frame that the step acts in. A violation and the end of the
    /// page end every wait.
    pub(crate) async fn until<T>(
        &self,
        deadline: Instant,
        mut holds: impl FnMut(FrameView<'_>) -> Option<T>,
    ) -> Result<T, WaitError> {
        let mut states = self.state.subscribe();
        let waiting = async {
            loop {
                {
                    let state = states.borrow_and_update();
                    if let Some(error) = state.wait_error(&self.step_target) {
                        return Err(error);
                    }
                    if let Some(held) = state.resolve(&self.step_target).and_then(&mut holds) {
                        return Ok(held);
                    }
                }
                if states.changed().await.is_err() {
                    return Err(WaitError::Ended(PageEnd::Gone));
                }
            }
        };
        self.within(deadline, waiting).await.unwrap_or(Err(WaitError::Deadline))
    }

    /// Reads the frame that the step acts in. `None` where there is none.
    pub(crate) fn with_view<T>(&self, at: impl FnOnce(FrameView<'_>) -> T) -> Option<T> {
        self.state.borrow().resolve(&self.step_target).map(at)
    }

    /// The session of the step's tab, or of the page's own where that is gone. Input goes to the tab, which passes
    /// it to its frames.
    pub(crate) fn tab_session(&self) -> CdpSession {
        let state = self.state.borrow();
        state.resolve(&self.step_target).map_or_else(|| state.main_tab(), |view| view.tab()).session.clone()
    }

    pub(crate) fn frame_session(&self) -> CdpSession {
        let state = self.state.borrow();
        state.resolve(&self.step_target).map_or_else(|| state.main_frame(), |view| view.frame).session.clone()
    }

    /// Waits for an answer of the browser, unless the page ends or leaves first.
    pub(crate) async fn answer<T>(
        &self,
        answer: impl Future<Output = Result<T, CdpError>>,
        deadline: Instant,
    ) -> Result<T, WaitError> {
        tokio::select! {
            biased;
            answer = answer => answer.map_err(|error| match error {
                CdpError::Gone => WaitError::Ended(PageEnd::Gone),
                CdpError::Detached => WaitError::Ended(PageEnd::Closed),
                CdpError::TimedOut { .. } => WaitError::Deadline,
                error => WaitError::Script(error.to_string()),
            }),
            ended = self.until::<Infallible>(deadline, |_| None) => match ended {
                Ok(never) => match never {},
                Err(error) => Err(error),
            },
        }
    }

    /// Limits how fast documents are requested from now on.
    pub fn set_pace(&mut self, pace: Arc<dyn DocumentPace>) {
        self.state.send_modify(|state| state.settings.pace = Some(pace));
    }

    pub(crate) fn held(&self) -> Duration {
        self.state.borrow().settings.pace.as_ref().map_or(Duration::ZERO, |pace| pace.held())
    }

    /// Waits for a future. `None` where the deadline passes first, which moves while documents are held back.
    pub(crate) async fn within<T>(&self, deadline: Instant, future: impl Future<Output = T>) -> Option<T> {
        let held = self.held();
        let mut future = std::pin::pin!(future);
        let mut until = deadline;
        loop {
            tokio::select! {
                biased;
                done = &mut future => return Some(done),
                () = tokio::time::sleep_until(until) => {}
            }
            let moved = deadline + (self.held() - held);
            if moved <= Instant::now() {
                return None;
            }
            // While a document is held, the deadline keeps its distance.
            until = moved.max(Instant::now() + LEAST);
        }
    }

    /// Notes that input is about to be sent.
    pub(crate) fn note_input(&mut self) {
        let now = Instant::now();
        if self.pending_input.is_none() {
            self.triggered.track();
        }
        let first = self.pending_input.as_ref().map_or(now, |pending| pending.first);
        self.pending_input = Some(PendingInput { first, last: now, step_target: self.step_target.clone() });
    }

    /// Notes that all input of a step has been sent.
    pub(crate) fn note_input_sent(&mut self) {
        if let Some(pending) = &mut self.pending_input {
            pending.last = Instant::now();
        }
    }

    /// The bits of the modifier keys that are held down.
    pub(crate) fn modifiers(&self) -> i64 {
        self.pressed.iter().fold(0, |bits, pressed| bits | pressed.key.modifier())
    }

    /// A `navigate` step begins anew, wherever its tab went before.
    pub(crate) fn clear_violation(&self) {
        let tab = self.with_view(|view| view.frame.tab);
        self.state.send_modify(|state| {
            if let Some(tab) = tab {
                state.tabs[tab].violation = None;
            }
        });
    }
}

/// Input whose consequences have not been waited for yet.
#[derive(Debug, Clone)]
pub struct PendingInput {
    pub first: Instant,
    pub last: Instant,
    /// Where the last input went.
    pub step_target: StepTarget,
}

/// The element that holds a frame, as a handle in the document around it.
#[derive(Debug, Clone)]
pub struct FrameElement {
    pub frame: String,
    pub around: ExecutionContext,
    pub object: String,
}

/// The least time between two checks of a deadline that moves.
const LEAST: Duration = Duration::from_millis(20);

impl Drop for Page {
    fn drop(&mut self) {
        // Without the watcher new tabs would stay paused.
        release_browser(&self.connection.browser());
        self.watcher.abort();
    }
}

/// Ends what was requested of the browser as a whole, so that it pauses nothing any more.
pub fn release_browser(browser: &CdpSession) {
    let mut attach = SetAutoAttachParams::new(false, false);
    attach.flatten = Some(true);
    drop(browser.send(attach));
    drop(browser.send(FetchDisableParams::default()));
}
