//! Reads what runs leave in the folder, off the loop: a slow file delays its own profile only. Reports
//! what it read, in order; decides nothing.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tracing::debug;

use super::uptime::Uptime;
use super::world::{FleetWorld, SessionFolder as _};
use crate::store::event_log::EventReader;
use crate::store::{LockHolder, SessionError, StoreError};
use regatta_core::event::{Event, EventKind};
use regatta_core::fleet::{ChildExit, JobId, ProfileStatus};
use regatta_core::id::{Flag, ProfileId};
use regatta_core::outcome::RunOutcome;
use regatta_core::session::Session;
use regatta_core::session::Status;
use regatta_core::view::profile_status;
use regatta_core::view::summary::ProfileSummary;

const DISK_FULL: &str = "the disk is full: it could not even write down why it ended";

/// Facts in the order in which they were read.
#[derive(Debug)]
pub enum RunFileEvent {
    EventRead {
        job: JobId,
        event: Event,
    },
    /// All events of the dead child were read before.
    ChildExited {
        job: JobId,
        exit: ChildExit,
        known: ProfileProgress,
    },
    /// The lock of an adopted run was released. Without an outcome the run died.
    LockReleased {
        job: JobId,
        outcome: Option<RunOutcome>,
        /// Who held it, and when that was last seen.
        held_by: Option<(LockHolder, Uptime)>,
        known: ProfileProgress,
    },
}

/// The progress of a profile that no run holds, by its session and events.
#[derive(Debug, Default)]
pub struct ProfileProgress {
    pub steps_done: usize,
    /// From the session, else from the run's events.
    pub last_error: Option<String>,
    pub summary: ProfileSummary,
}

impl ProfileProgress {
    pub fn says_anything(&self) -> bool {
        self.steps_done > 0 || self.last_error.is_some()
    }
}

/// The files of all profiles that are followed.
#[derive(Debug)]
pub struct RunFiles<W: FleetWorld> {
    folder: RunFolder<W>,
    followed: BTreeMap<JobId, Arc<Mutex<FollowedRun<W>>>>,
    /// A round that takes longer than its interval is not followed by a second one beside it.
    round_under_way: Arc<AtomicBool>,
    news: UnboundedSender<RunFileEvent>,
}

/// The operator's folder, under one workflow.
#[derive(Debug, Clone)]
pub struct RunFolder<W> {
    pub world: W,
    flags: Arc<[Flag]>,
}

#[derive(Debug)]
struct FollowedRun<W: FleetWorld> {
    job: JobId,
    profile: ProfileId,
    tail: EventReader<W::EventFile>,
    summary: ProfileSummary,
    /// Where in the profile's log the output of a child of ours begins.
    output: u64,
    adopted: Option<AdoptedRun>,
    /// Its end was reported. A round that began before must not report what later runs write.
    ended: bool,
}

/// A run that is no child of ours: only its lock says when it ends.
#[derive(Debug)]
struct AdoptedRun {
    /// As its lock names it, and when the lock was last seen held.
    held_by: Option<(LockHolder, Uptime)>,
    caught_up: bool,
}

impl<W: FleetWorld> RunFiles<W> {
    /// `flags` are those of the workflow.
    pub fn new(world: W, flags: Arc<[Flag]>) -> (Self, UnboundedReceiver<RunFileEvent>) {
        let (news, receiver) = unbounded_channel();
        let files = Self {
            folder: RunFolder { world, flags },
            followed: BTreeMap::new(),
            round_under_way: Arc::default(),
            news,
        };
        (files, receiver)
    }

    /// For the scan of profiles before anything runs.
    pub fn folder(&self) -> RunFolder<W> {
        self.folder.clone()
    }

    /// Follows the events of the child about to be spawned; those of earlier runs are skipped.
    pub fn follow_child(&mut self, job: JobId, profile: &ProfileId) {
        let tail = EventReader::over_end(self.folder.world.events(profile));
        self.follow(job, profile, tail, None);
    }

    /// Follows a run that began before us, with its events so far.
    pub async fn follow_adopted(&mut self, job: JobId, profile: &ProfileId) {
        let tail = EventReader::over(self.folder.world.events(profile), 0);
        let mut adopted = AdoptedRun { held_by: None, caught_up: false };
        // At once: it may die before the first round.
        let _ = adopted.look(&self.folder.world, profile).await;
        self.follow(job, profile, tail, Some(adopted));
    }

    fn follow(
        &mut self,
        job: JobId,
        profile: &ProfileId,
        tail: EventReader<W::EventFile>,
        adopted: Option<AdoptedRun>,
    ) {
        let profile = profile.clone();
        let output = self.folder.world.output_length(&profile);
        let summary = ProfileSummary::default();
        let followed = FollowedRun { job, profile, tail, summary, output, adopted, ended: false };
        self.followed.insert(job, Arc::new(Mutex::new(followed)));
    }

    pub fn forget(&mut self, job: JobId) {
        self.followed.remove(&job);
    }

    pub fn follows_any(&self) -> bool {
        !self.followed.is_empty()
    }

    /// Reads what is new of everyone, and which locks fell.
    pub fn round(&self) {
        if self.round_under_way.swap(true, Ordering::AcqRel) {
            return;
        }
        let under_way = Arc::clone(&self.round_under_way);
        let followed: Vec<_> = self.followed.values().cloned().collect();
        let (folder, news) = (self.folder.clone(), self.news.clone());
        self.folder.world.spawn_file_work(async move {
            for followed in followed {
                followed.lock().await.catch_up(&folder, &news).await;
            }
            under_way.store(false, Ordering::Release);
        });
    }

    /// A child died: reads the rest, then says `ChildExited`.
    pub fn drain_exited(&self, job: JobId, exit: ChildExit) {
        let followed = self.followed.get(&job).cloned();
        let (folder, news) = (self.folder.clone(), self.news.clone());
        self.folder.world.spawn_file_work(async move {
            let known = match followed {
                None => ProfileProgress::default(),
                Some(followed) => {
                    let mut followed = followed.lock().await;
                    followed.read(&news);
                    followed.ended = true;
                    followed.progress_at_exit(&folder, exit).await
                }
            };
            let _ = news.send(RunFileEvent::ChildExited { job, exit, known });
        });
    }
}

impl<W: FleetWorld> RunFolder<W> {
    /// Returns why a run ended that wrote no event: from its output, if there is any.
    fn printed_cause(&self, profile: &ProfileId, output: u64) -> Option<String> {
        let full = || self.world.is_disk_full().then(|| DISK_FULL.to_owned());
        self.world.output(profile, output).as_deref().and_then(printed_error).or_else(full)
    }

    /// Returns the status of a profile before anything of it runs. `left` are profiles without a run that
    /// may have left a browser or a process.
    pub async fn look(
        &self,
        sessions: &W::Sessions,
        profile: &ProfileId,
        left: &HashSet<ProfileId>,
    ) -> (ProfileStatus, ProfileProgress, Result<Option<Session>, SessionError>) {
        // The lock first: a run that ends in between has written its last change by then.
        let held = self.world.is_held(profile).await;
        let session = sessions.read(profile).await;
        let mut known = self.known(&session, ProfileSummary::default());
        let standing = match (held, &session) {
            (Ok(true), _) => ProfileStatus::Held,
            (Err(error), _) => {
                known.last_error = Some(with_cause(&error));
                ProfileStatus::Damaged
            }
            (Ok(false), Err(_)) => ProfileStatus::Damaged,
            (Ok(false), Ok(None)) => ProfileStatus::Open,
            // A browser that was kept open on purpose is not of a run that died.
            (Ok(false), Ok(Some(session)))
                if session.status == Status::Processing && left.contains(profile) =>
            {
                ProfileStatus::LeftBehind
            }
            (Ok(false), Ok(Some(session))) => profile_status::profile_status(session, &self.flags),
        };
        (standing, known, session)
    }

    fn known(
        &self,
        session: &Result<Option<Session>, SessionError>,
        summary: ProfileSummary,
    ) -> ProfileProgress {
        let (steps_done, reported) = match session {
            Ok(Some(session)) => (
                profile_status::steps_done(session, &self.flags),
                session.last_error.as_ref().map(|error| error.message.clone()),
            ),
            Ok(None) => (0, None),
            Err(error) => (0, Some(error.to_string())),
        };
        ProfileProgress { steps_done, last_error: reported.or_else(|| summary.last_error.clone()), summary }
    }
}

impl<W: FleetWorld> FollowedRun<W> {
    /// Returns the progress of a dead child. All its events were read.
    async fn progress_at_exit(&self, folder: &RunFolder<W>, exit: ChildExit) -> ProfileProgress {
        let session = folder.world.session(&self.profile).await;
        let known = folder.known(&session, self.summary.clone());
        match exit {
            ChildExit::Code(1..) if self.summary.outcome().is_none() => {
                let reported = folder.printed_cause(&self.profile, self.output);
                ProfileProgress { last_error: reported.or(known.last_error), ..known }
            }
            _ => known,
        }
    }

    async fn catch_up(&mut self, folder: &RunFolder<W>, news: &UnboundedSender<RunFileEvent>) {
        if self.ended {
            return;
        }
        // The lock first: the events of a run that has released it are then in the file.
        let fell = match &mut self.adopted {
            Some(adopted) => adopted.look(&folder.world, &self.profile).await,
            None => false,
        };
        self.read(news);
        let Some(adopted) = self.adopted.as_mut().filter(|_| fell) else { return };
        self.ended = true;
        let session = folder.world.session(&self.profile).await;
        let outcome = adopted.outcome(folder, &session, &self.summary);
        let known = folder.known(&session, self.summary.clone());
        let held_by = adopted.held_by.take();
        let _ = news.send(RunFileEvent::LockReleased { job: self.job, outcome, held_by, known });
    }

    fn read(&mut self, news: &UnboundedSender<RunFileEvent>) {
        let mut events = self.tail.poll().unwrap_or_else(|error| {
            debug!(profile = %self.profile, %error, "cannot follow a run");
            Vec::new()
        });
        if let Some(adopted) =
            self.adopted.as_mut().filter(|adopted| !adopted.caught_up && !events.is_empty())
        {
            // Runs before the one that lives are history.
            adopted.caught_up = true;
            let is_start = |event: &Event| matches!(event.kind, EventKind::RunStarted { .. });
            let start = events.iter().rposition(is_start).unwrap_or(0);
            events.drain(..start);
        }
        for event in events {
            self.summary.apply(&event);
            let _ = news.send(RunFileEvent::EventRead { job: self.job, event });
        }
    }
}

impl AdoptedRun {
    /// Returns whether the lock was released; remembers its holder until then.
    async fn look<W: FleetWorld>(&mut self, world: &W, profile: &ProfileId) -> bool {
        // Uptime and name are taken before the lock is seen held: the run lived then.
        let held_by = world.lock_holder(profile).await.zip(world.uptime());
        match world.is_held(profile).await {
            Ok(true) => self.held_by = held_by.or_else(|| self.held_by.take()),
            Ok(false) => return true,
            // It cannot be asked now: asked again in a moment.
            Err(error) => debug!(%profile, %error, "cannot ask for a lock"),
        }
        false
    }

    fn outcome<W>(
        &self,
        folder: &RunFolder<W>,
        session: &Result<Option<Session>, SessionError>,
        summary: &ProfileSummary,
    ) -> Option<RunOutcome> {
        let session = match session {
            Err(SessionError::Damaged { .. } | SessionError::Newer { .. }) => {
                return Some(RunOutcome::Damaged);
            }
            Err(_) => None,
            Ok(session) => session.as_ref(),
        };
        let held_by = self.held_by.as_ref().map(|(holder, _)| &holder.run_id);
        profile_status::outcome_from_lock(session, &folder.flags, summary, held_by)
    }
}

/// Returns the last error printed from there on: the only trace of a run that was refused before it
/// began.
fn printed_error(output: &str) -> Option<String> {
    output.lines().rev().find_map(|line| line.strip_prefix("error: ")).map(str::to_owned)
}

fn with_cause(error: &StoreError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
