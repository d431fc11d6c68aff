//! Delivers outcomes at least once, without holding up the fleet.
//!
//! Outcomes come from the events that runs leave on the disk, not from what this process remembers:
//! each profile has a cursor in its events, and outcome and cursor change in one transaction
//! ([`outbox`]). After any crash the next orchestrator reads on where this one was.
//!
//! Two tasks: one collects, one delivers. They wait only for each other.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, info, warn};

use self::outbox::Outbox;
use self::sink::{DeliveryError, Sink};
use crate::store::session::read;
use crate::store::{EventReader, Layout};
use regatta_core::event::{EventKind, StepOutcome};
use regatta_core::fleet::fact::{FleetFact, FleetNotice};
use regatta_core::fleet::source_notice::SourceNotice;
use regatta_core::fleet::{JobFailure, JobOutcome};
use regatta_core::id::{ProfileId, RunId};
use regatta_core::session::{Session, Status};
use regatta_core::source::outcome_document::{OUTCOME_VERSION, OutcomeDocument, OutcomeTranslator};

mod outbox;
mod sink;

pub use self::sink::SinkSpec;

/// Between two attempts where nothing can be delivered: the first, doubling, and the longest.
const AGAIN: Duration = Duration::from_secs(1);
const AGAIN_AT_MOST: Duration = Duration::from_secs(60);
/// The longest wait before a refused outcome is sent again, in seconds.
const REFUSED_AT_MOST: i64 = 3600;
/// At the end of a fleet: what is not delivered by then waits for the next start.
const LAST_WORDS: Duration = Duration::from_secs(20);
const AT_ONCE: i64 = 64;

/// Asks the collector to read a profile's events.
#[derive(Debug)]
enum CollectRequest {
    /// A run has emitted an outcome, or may have before it died.
    Events(ProfileId),
    /// No run holds the profile: its session may say what no event does.
    Session(ProfileId),
    /// The fleet reports what no run could.
    Fleet { profile: ProfileId, error: Option<String> },
}

/// Takes what happens and sees that it is delivered.
pub struct Outcomes {
    requests: UnboundedSender<CollectRequest>,
    collecting: JoinHandle<()>,
    delivering: JoinHandle<u64>,
    /// The fleet has ended.
    closing: watch::Sender<bool>,
    problem: watch::Receiver<Option<String>>,
}

impl Outcomes {
    /// `notices` receives problems and recoveries.
    pub async fn start(
        layout: &Layout,
        sink: SinkSpec,
        notices: UnboundedSender<SourceNotice>,
    ) -> Result<Self, sqlx::Error> {
        let path = layout.outbox();
        let mut outbox = Outbox::open(&path).await?;
        outbox.make_due().await?;
        let (requests, receiver) = unbounded_channel();
        let more = Arc::new(Notify::new());
        let (closing, is_closing) = watch::channel(false);
        let (problem, has_problem) = watch::channel(None);
        let now = jiff::Timestamp::now();
        let collector = OutcomeCollector {
            layout: layout.clone(),
            outbox,
            fleet: RunId::new(now, rand::random()),
            more: Arc::clone(&more),
        };
        let delivery = OutcomeDelivery {
            outbox: Outbox::open(&path).await?,
            name: format!("{sink:?}"),
            sink: sink.open(),
            more,
            closing: is_closing,
            notices,
            problem,
            pause: None,
        };
        info!(to = delivery.name, "outcomes are delivered");
        Ok(Self {
            requests,
            collecting: tokio::spawn(collector.collect(receiver)),
            delivering: tokio::spawn(delivery.deliver()),
            closing,
            problem: has_problem,
        })
    }

    /// Sees what the watchers of the fleet see.
    pub fn observe(&self, notice: &FleetNotice) {
        let request = match &notice.fact {
            FleetFact::RunEvent { event, .. } => match &event.kind {
                EventKind::RunFinished { .. }
                | EventKind::StepFinished { outcome: StepOutcome::Done | StepOutcome::Verified, .. } => {
                    CollectRequest::Events(event.profile_id.clone())
                }
                _ => return,
            },
            // Its earlier events may not have been collected.
            FleetFact::RunLaunched { profile, attempt: 1, .. }
            | FleetFact::RunAdopted { profile, .. }
            | FleetFact::RunCrashed { profile, .. } => CollectRequest::Events(profile.clone()),
            FleetFact::ProfileEnded(report) => match report.outcome {
                // A run has reported these itself.
                JobOutcome::Failed(JobFailure::StepFailed | JobFailure::NoBrowser) => return,
                JobOutcome::Failed(_) => CollectRequest::Fleet {
                    profile: report.profile_id.clone(),
                    error: report.last_error.clone(),
                },
                JobOutcome::Completed | JobOutcome::NeedsAttention if report.attempts == 0 => {
                    CollectRequest::Session(report.profile_id.clone())
                }
                _ => return,
            },
            _ => return,
        };
        // The collector lives as long as this does.
        let _ = self.requests.send(request);
    }

    /// The fleet has ended: delivers what can be, and says how many wait for the next start, and why.
    pub async fn finish(self) -> Option<SourceNotice> {
        let Self { requests, mut collecting, delivering, closing, problem } = self;
        drop(requests);
        // Of very many profiles the rest is collected by the next start: nothing of it is lost.
        if timeout(LAST_WORDS, &mut collecting).await.is_err() {
            collecting.abort();
            warn!("not all outcomes were collected; the next start goes on");
        }
        let _ = closing.send(true);
        let waiting = delivering.await.unwrap_or(0);
        let last_problem = problem.borrow().clone();
        (waiting > 0).then(|| SourceNotice::Undelivered {
            problem: last_problem.unwrap_or_else(|| format!("not within {} s", LAST_WORDS.as_secs())),
            waiting,
        })
    }
}

struct OutcomeCollector {
    layout: Layout,
    outbox: Outbox,
    /// Of this fleet alone, for the keys of what it says itself.
    fleet: RunId,
    more: Arc<Notify>,
}

impl OutcomeCollector {
    async fn collect(mut self, mut requests: UnboundedReceiver<CollectRequest>) {
        while let Some(request) = requests.recv().await {
            // The disk may be full for a moment; nothing is lost, since the cursor stays where it is.
            if let Err(error) = self.take(request).await {
                warn!(%error, "an outcome cannot be kept now");
            }
        }
    }

    async fn take(&mut self, request: CollectRequest) -> Result<(), sqlx::Error> {
        let (CollectRequest::Events(profile)
        | CollectRequest::Session(profile)
        | CollectRequest::Fleet { profile, .. }) = &request;
        let before = self.outbox.cursor(profile).await?;
        let (layout, asked, offset) = (self.layout.clone(), profile.clone(), before.read);
        let scanned = spawn_blocking(move || read_outcomes(&layout, &asked, offset)).await;
        let Ok((mut documents, read, session)) = scanned else { return Ok(()) };
        let mut cursor = before.clone();
        cursor.read = read;
        cursor.advance(&documents);
        let own = match &request {
            CollectRequest::Events(_) => None,
            CollectRequest::Session(_) => session
                .filter(|session| cursor.status.as_deref() != Some(&session.status.to_string()))
                .map(|session| OutcomeDocument::from_session(&session, jiff::Timestamp::now())),
            CollectRequest::Fleet { error, .. }
                if cursor.status.as_deref() == Some("FAILED") && cursor.error == *error =>
            {
                None
            }
            CollectRequest::Fleet { profile, error } => Some(OutcomeDocument {
                v: OUTCOME_VERSION,
                key: format!("{profile}:{}:ended", self.fleet),
                profile_id: profile.clone(),
                status: Status::Failed,
                flag: None,
                error: error.clone(),
                at: jiff::Timestamp::now(),
            }),
        };
        documents.extend(own);
        cursor.advance(&documents);
        if documents.is_empty() && cursor == before {
            return Ok(());
        }
        self.outbox.put(profile, &documents, &cursor).await?;
        debug!(%profile, outcomes = documents.len(), "put into the outbox");
        self.more.notify_one();
        Ok(())
    }
}

/// Outcomes among the events after `offset`, and how far they were read; then the session.
fn read_outcomes(
    layout: &Layout,
    profile: &ProfileId,
    offset: u64,
) -> (Vec<OutcomeDocument>, u64, Option<Session>) {
    let mut tail = EventReader::from_offset(layout.events(profile), offset);
    let events = tail.poll().unwrap_or_else(|error| {
        debug!(%profile, %error, "cannot read events");
        Vec::new()
    });
    let session = read(layout, profile).ok().flatten();
    let mut translator = OutcomeTranslator::default();
    let documents = events.iter().filter_map(|event| translator.translate(event, session.as_ref())).collect();
    (documents, tail.offset(), session)
}

struct OutcomeDelivery {
    outbox: Outbox,
    name: String,
    sink: Box<dyn Sink>,
    more: Arc<Notify>,
    closing: watch::Receiver<bool>,
    notices: UnboundedSender<SourceNotice>,
    problem: watch::Sender<Option<String>>,
    /// How long nothing is tried, where the last attempt failed.
    pause: Option<Duration>,
}

impl OutcomeDelivery {
    /// Until the fleet has ended and nothing more can be delivered now; how many are left.
    async fn deliver(mut self) -> u64 {
        let mut until: Option<Instant> = None;
        loop {
            let is_closing = *self.closing.borrow();
            if is_closing {
                let until = *until.get_or_insert_with(|| Instant::now() + LAST_WORDS);
                let left = until.saturating_duration_since(Instant::now());
                let _ = timeout(left, self.round(true)).await;
                return self.outbox.waiting().await.unwrap_or(0);
            }
            let wait = self.round(false).await;
            let mut closing = self.closing.clone();
            tokio::select! {
                () = sleep(wait) => {}
                // While nothing can be delivered more of it changes nothing.
                () = self.more.notified(), if self.pause.is_none() => {}
                _ = closing.wait_for(|closing| *closing) => {}
            }
        }
    }

    /// Delivers all that is due, or until something cannot be; how long to wait then. In the last round
    /// one failure is enough.
    async fn round(&mut self, last: bool) -> Duration {
        loop {
            let now = jiff::Timestamp::now().as_second();
            let due = match self.outbox.due(now, AT_ONCE).await {
                Ok(due) => VecDeque::from(due),
                Err(error) => {
                    warn!(%error, "cannot read the outbox");
                    return AGAIN_AT_MOST;
                }
            };
            if due.is_empty() {
                let next = self.outbox.next_due().await.ok().flatten();
                let seconds = next.map_or(60, |next| (next - now).clamp(1, 60));
                return Duration::from_secs(u64::try_from(seconds).unwrap_or(60));
            }
            for waiting in due {
                // The last round has a bound, this one has none.
                if !last && *self.closing.borrow() {
                    return Duration::ZERO;
                }
                match self.sink.deliver(&waiting.document).await {
                    Ok(()) => {
                        if let Err(error) = self.outbox.delivered(waiting.id).await {
                            warn!(%error, "a delivered outcome stays in the outbox, and is delivered again");
                            return AGAIN_AT_MOST;
                        }
                        self.recovered();
                    }
                    Err(DeliveryError::Rejected { problem }) => {
                        let seconds = 1_i64 << waiting.attempts.clamp(0, 12);
                        let _ = self.outbox.postpone(waiting.id, now + seconds.min(REFUSED_AT_MOST)).await;
                        self.trouble(problem).await;
                    }
                    Err(DeliveryError::SinkUnavailable { problem, after }) => {
                        self.trouble(problem).await;
                        let pause = self.pause.map_or(AGAIN, |pause| (pause * 2).min(AGAIN_AT_MOST));
                        self.pause = Some(pause);
                        if last {
                            return pause;
                        }
                        return after.map_or(pause, |after| after.max(pause));
                    }
                }
            }
        }
    }

    fn recovered(&mut self) {
        if self.pause.take().is_some() && self.problem.send_replace(None).is_some() {
            info!(to = self.name, "outcomes are delivered again");
            let _ = self.notices.send(SourceNotice::Delivering);
        }
    }

    /// Reported once, until it changes or ends.
    async fn trouble(&mut self, problem: String) {
        if self.problem.send_replace(Some(problem.clone())).as_ref() == Some(&problem) {
            return;
        }
        warn!(problem, "outcomes cannot be delivered");
        let waiting = self.outbox.waiting().await.unwrap_or(0);
        let _ = self.notices.send(SourceNotice::Undelivered { problem, waiting });
    }
}
