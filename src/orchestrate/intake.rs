//! Takes profiles in: reads the source, scans the files of each profile, and hands them to the fleet in
//! bounded batches. Decides which rows are for this fleet, and nothing else.
//!
//! A task reads the source and a thread scans files. Each waits for the slower one after it, so a source
//! of any length takes little memory.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use thiserror::Error;
use tokio::sync::mpsc;

use super::files::{ProfileProgress, RunFolder};
use super::source::{ReadError, Rows, Source, SourceItem};
use super::spool::{Spool, SpoolAt};
use super::world::FleetWorld;
use crate::store::{SessionError, StoreError};
use regatta_core::fleet::ProfileStatus;
use regatta_core::id::ProfileId;
use regatta_core::session::{Platform, Session};
use regatta_core::source::row::{DeclaredVariables, ProfileRow, RowProblem};
use regatta_core::view::overview::DisplayStatus;

/// Batches on their way to the fleet.
const ON_THE_WAY: usize = 4;

/// Where the profiles of a fleet come from, and which of them it takes.
pub struct Intake {
    pub source: Box<dyn Source>,
    /// How often the source is read again; `None`: once.
    pub follow: Option<Duration>,
    /// At most so many profiles that have something to do.
    pub limit: Option<usize>,
    /// In an order of chance, by this seed.
    pub shuffle: Option<u64>,
    /// Only profiles that stand so; empty: all.
    pub only: Vec<DisplayStatus>,
    /// The site is asked about steps that wait for a person's answer.
    pub verify: bool,
    /// The platform of sessions that do not exist yet and whose row names none.
    pub platform: Platform,
    /// Variables that rows may set.
    pub declared: DeclaredVariables,
}

/// A profile of the source with what its files say.
#[derive(Debug)]
pub struct ScannedProfile {
    pub profile: ProfileId,
    pub standing: ProfileStatus,
    pub known: ProfileProgress,
    pub priority: i32,
    /// The content of its new session.
    pub new: Option<SpoolAt>,
    /// Names of what its session says otherwise.
    pub conflicts: Vec<String>,
}

#[derive(Debug)]
pub enum IntakeEvent {
    Scanned(Vec<ScannedProfile>),
    /// Every living run and left-over of the folder that the source can name was seen.
    Surveyed,
    RowRejected {
        place: String,
        problem: RowProblem,
    },
    /// The source did not answer as it should, and is asked again.
    Retrying {
        problem: String,
        after: Duration,
    },
    /// No more will come.
    Closed(Result<(), IntakeError>),
}

#[derive(Debug, Error)]
pub enum IntakeError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("cannot read the sessions of this folder")]
    Sessions(#[from] SessionError),
    #[error("cannot keep the rows of the source")]
    Spool(#[source] std::io::Error),
}

impl Intake {
    /// All there is of the source, once.
    pub fn new(source: Box<dyn Source>, platform: Platform) -> Self {
        let declared = DeclaredVariables::default();
        Self {
            source,
            follow: None,
            limit: None,
            shuffle: None,
            only: Vec::new(),
            verify: false,
            platform,
            declared,
        }
    }

    /// Begins to read. `left` are profiles without a run that may have left a browser or a process.
    pub(super) fn start<W: FleetWorld>(
        self,
        folder: RunFolder<W>,
        left: HashSet<ProfileId>,
        spool: Spool,
    ) -> mpsc::Receiver<IntakeEvent> {
        let (sender, receiver) = mpsc::channel(ON_THE_WAY);
        let (passed, to_look_at) = mpsc::channel(ON_THE_WAY);
        let Self { source, follow, limit, shuffle, only, verify, platform: _, declared } = self;
        let reading = tokio::spawn(read(source, follow, Rows::new(passed, declared)));
        let world = folder.world.clone();
        let mut scanner = ProfileScanner {
            folder,
            left,
            spool,
            limit,
            only,
            verify,
            shuffle: shuffle.map(|seed| (StdRng::seed_from_u64(seed), Vec::new())),
            seen: HashSet::new(),
            refused: HashSet::new(),
            taken: 0,
            unseen: None,
            news: sender.clone(),
        };
        world.spawn_file_work(async move {
            let scanned = scanner.work(to_look_at).await;
            drop(scanner);
            let closed = match scanned {
                // The fleet takes no more profiles.
                Err(ScanError::Closed) => Ok(()),
                Err(ScanError::Intake(error)) => Err(error),
                // The scanner ends before the reader only where it wants no more.
                Ok(()) => match reading.await {
                    Ok(Err(ReadError::Closed)) | Ok(Ok(())) | Err(_) => Ok(()),
                    Ok(Err(error)) => Err(error.into()),
                },
            };
            let _ = sender.send(IntakeEvent::Closed(closed)).await;
        });
        receiver
    }
}

/// Runs the given profiles once.
impl From<Vec<ProfileId>> for Intake {
    fn from(profiles: Vec<ProfileId>) -> Self {
        Self::new(Box::new(ProfileList(profiles)), Platform::default())
    }
}

struct ProfileList(Vec<ProfileId>);

impl Source for ProfileList {
    fn name(&self) -> &str {
        "the list"
    }

    fn read<'a>(&'a mut self, rows: &'a mut Rows) -> BoxFuture<'a, Result<(), ReadError>> {
        Box::pin(async move {
            for profile in &self.0 {
                rows.push(profile.clone().into()).await?;
            }
            Ok(())
        })
    }
}

/// Reads the source, and again while it is followed. Then only the first read may fail: later errors are
/// reported and retried.
async fn read(
    mut source: Box<dyn Source>,
    follow: Option<Duration>,
    mut rows: Rows,
) -> Result<(), ReadError> {
    let mut first = true;
    loop {
        match (source.read(&mut rows).await, follow) {
            (Ok(()), _) => rows.end_pass().await?,
            (Err(ReadError::Closed), _) => return Ok(()),
            (Err(error), Some(interval)) if !first => {
                rows.end_pass().await?;
                rows.retrying(error.to_string(), interval).await?;
            }
            (Err(error), _) => {
                rows.flush().await?;
                return Err(error);
            }
        }
        first = false;
        let Some(interval) = follow else { return Ok(()) };
        tokio::select! {
            biased;
            () = tokio::time::sleep(interval) => {}
            () = source.changed() => {}
            () = rows.closed() => return Ok(()),
        }
    }
}

struct ProfileScanner<W> {
    folder: RunFolder<W>,
    left: HashSet<ProfileId>,
    spool: Spool,
    limit: Option<usize>,
    only: Vec<DisplayStatus>,
    verify: bool,
    /// The chance, and what waits for it.
    shuffle: Option<(StdRng, Vec<SpooledRow>)>,
    /// A profile that comes again is the same profile.
    seen: HashSet<ProfileId>,
    /// Rejected rows that were reported already.
    refused: HashSet<String>,
    /// Profiles handed out that have something to do.
    taken: usize,
    /// Living runs and left-overs that did not come yet; `None` once nothing is launched too early.
    unseen: Option<HashSet<ProfileId>>,
    news: mpsc::Sender<IntakeEvent>,
}

/// A row whose contents lie in the spool.
struct SpooledRow {
    profile: ProfileId,
    priority: i32,
    new: Option<SpoolAt>,
}

enum ScanError {
    /// The fleet takes no more.
    Closed,
    Intake(IntakeError),
}

impl<W: FleetWorld> ProfileScanner<W> {
    async fn work(&mut self, mut passed: mpsc::Receiver<SourceItem>) -> Result<(), ScanError> {
        let sessions = self.folder.world.sessions().map_err(|error| ScanError::Intake(error.into()))?;
        let mut unseen = self.left.clone();
        let held = held(&self.folder.world).await;
        unseen.extend(held.map_err(|error| ScanError::Intake(SessionError::from(error).into()))?);
        self.unseen = Some(unseen);
        while let Some(passed) = passed.recv().await {
            match passed {
                SourceItem::Rows(rows) => {
                    let rows = self.keep(rows)?;
                    match &mut self.shuffle {
                        Some((_, waiting)) => waiting.extend(rows),
                        None => self.look(&sessions, rows).await?,
                    }
                    if self.is_full() {
                        break;
                    }
                }
                SourceItem::Rejected { place, problem } => {
                    // A followed source names it each time.
                    if self.refused.insert(format!("{place}: {problem}")) {
                        self.send(IntakeEvent::RowRejected { place, problem }).await?;
                    }
                }
                SourceItem::Retrying { problem, after } => {
                    self.send(IntakeEvent::Retrying { problem, after }).await?
                }
                SourceItem::PassEnded => {
                    if let Some((chance, waiting)) = &mut self.shuffle {
                        waiting.shuffle(chance);
                        let rows = std::mem::take(waiting);
                        self.look(&sessions, rows).await?;
                    }
                    self.survey_ended().await?;
                    if self.is_full() {
                        break;
                    }
                }
            }
        }
        // Closing the channel shows the fleet that no more rows will come.
        Ok(())
    }

    /// New rows of a batch, their contents put aside.
    fn keep(&mut self, rows: Vec<ProfileRow>) -> Result<Vec<SpooledRow>, ScanError> {
        let mut kept = Vec::with_capacity(rows.len());
        for ProfileRow { id, priority, new } in rows {
            if !self.seen.insert(id.clone()) {
                continue;
            }
            let new = (!new.is_empty()).then(|| self.spool.keep(&new)).transpose();
            let new = new.map_err(|error| ScanError::Intake(IntakeError::Spool(error)))?;
            kept.push(SpooledRow { profile: id, priority, new });
        }
        Ok(kept)
    }

    async fn look(&mut self, sessions: &W::Sessions, rows: Vec<SpooledRow>) -> Result<(), ScanError> {
        const AT_ONCE: usize = 256;
        let mut batch = Vec::new();
        for row in rows {
            if self.is_full() {
                break;
            }
            if let Some(unseen) = &mut self.unseen {
                unseen.remove(&row.profile);
            }
            batch.extend(self.look_at(sessions, row).await?);
            if batch.len() == AT_ONCE {
                self.hand_out(std::mem::take(&mut batch)).await?;
            }
        }
        self.hand_out(batch).await
    }

    async fn hand_out(&mut self, batch: Vec<ScannedProfile>) -> Result<(), ScanError> {
        if !batch.is_empty() {
            self.send(IntakeEvent::Scanned(batch)).await?;
        }
        if self.unseen.as_ref().is_some_and(HashSet::is_empty) {
            self.survey_ended().await?;
        }
        Ok(())
    }

    async fn look_at(
        &mut self,
        sessions: &W::Sessions,
        row: SpooledRow,
    ) -> Result<Option<ScannedProfile>, ScanError> {
        let SpooledRow { profile, priority, new } = row;
        let (standing, known, session) = self.folder.look(sessions, &profile, &self.left).await;
        if !self.is_wanted(standing, session.as_ref().ok().and_then(Option::as_ref)) {
            return Ok(None);
        }
        let in_doubt = matches!(&session, Ok(Some(session)) if session.in_flight.is_some());
        let standing = match standing {
            // Its run asks the site.
            ProfileStatus::NeedsAttention if self.verify && in_doubt => ProfileStatus::Open,
            standing => standing,
        };
        let mut conflicts = Vec::new();
        if let (Ok(Some(session)), Some(at)) = (&session, new) {
            let row = self.spool.read(at).map_err(|error| ScanError::Intake(IntakeError::Spool(error)))?;
            conflicts = row.conflicts(session);
        }
        let is_new = matches!(session, Ok(None));
        let has_work =
            matches!(standing, ProfileStatus::Open | ProfileStatus::Held | ProfileStatus::LeftBehind);
        self.taken += usize::from(has_work);
        Ok(Some(ScannedProfile {
            profile,
            standing,
            known,
            priority,
            new: new.filter(|_| is_new),
            conflicts,
        }))
    }

    fn is_wanted(&self, standing: ProfileStatus, session: Option<&Session>) -> bool {
        self.only.is_empty() || {
            let status = match (standing, session) {
                (ProfileStatus::Damaged, _) => DisplayStatus::Damaged,
                (_, Some(session)) => DisplayStatus::new(session.status, standing == ProfileStatus::Held),
                (_, None) => DisplayStatus::Pending,
            };
            self.only.contains(&status)
        }
    }

    fn is_full(&self) -> bool {
        self.limit.is_some_and(|limit| self.taken >= limit)
    }

    /// Launches may begin; said once.
    async fn survey_ended(&mut self) -> Result<(), ScanError> {
        if self.unseen.take().is_some() { self.send(IntakeEvent::Surveyed).await } else { Ok(()) }
    }

    async fn send(&self, news: IntakeEvent) -> Result<(), ScanError> {
        self.news.send(news).await.map_err(|_| ScanError::Closed)
    }
}

/// Returns the profiles that a run holds now.
async fn held<W: FleetWorld>(world: &W) -> Result<Vec<ProfileId>, StoreError> {
    let mut held = Vec::new();
    for profile in world.profiles_with_lock()? {
        // A lock that cannot be asked is reported when its profile is scanned.
        if world.is_held(&profile).await.unwrap_or(true) {
            held.push(profile);
        }
    }
    Ok(held)
}

impl fmt::Debug for Intake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intake").field("source", &self.source.name()).finish_non_exhaustive()
    }
}
