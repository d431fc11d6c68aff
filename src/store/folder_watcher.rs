//! Follows a whole folder: every session, lock and event file of it, however many there are.
//!
//! A poll reads what has changed and asks for the state of each file. [`FolderWatcher::rest`] returns how
//! long to wait between two polls.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::time::{Duration, Instant, SystemTime};

use super::event_log::EventReader;
use super::session::SessionReader;
use super::{Layout, SessionError, StoreError, lock};
use regatta_core::event::EventKind;
use regatta_core::id::{Flag, ProfileId};
use regatta_core::session::Status;
use regatta_core::view::overview::{DisplayStatus, ProfileView};

/// The ending of an event file's name, behind the id.
const EVENTS: &str = ".events.jsonl";
/// Polling may take a fiftieth of the time.
const SHARE: u32 = 50;
const LEAST_REST: Duration = Duration::from_millis(300);
const MOST_REST: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub struct FolderWatcher {
    layout: Layout,
    /// The workflow's steps; empty where they are not known.
    steps: Vec<Flag>,
    profiles: BTreeMap<ProfileId, WatchedProfile>,
    /// How long the last poll took.
    took: Duration,
}

#[derive(Debug)]
struct WatchedProfile {
    view: ProfileView,
    events: EventReader,
    /// The document's state when it was read.
    stamp: Option<(SystemTime, u64)>,
    is_new: bool,
}

impl FolderWatcher {
    /// `steps` are the workflow's; empty where they are not known.
    pub fn new(layout: Layout, steps: &[Flag]) -> Self {
        Self { layout, steps: steps.to_vec(), profiles: BTreeMap::new(), took: Duration::ZERO }
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Adds profiles that have no file yet, such as those of a list.
    pub fn expect(&mut self, profiles: impl IntoIterator<Item = ProfileId>) {
        for profile in profiles {
            watched(&mut self.profiles, &self.layout, profile);
        }
    }

    /// In the order of their ids.
    pub fn views(&self) -> impl Iterator<Item = &ProfileView> + Clone {
        self.profiles.values().map(|watched| &watched.view)
    }

    pub fn view(&self, profile: &ProfileId) -> Option<&ProfileView> {
        self.profiles.get(profile).map(|watched| &watched.view)
    }

    /// Polls every profile, and returns those that have changed, in order.
    pub fn poll(&mut self) -> Result<Vec<ProfileId>, SessionError> {
        let since = Instant::now();
        let reader = SessionReader::new(&self.layout)?;
        let with_events = profiles_with_events(&self.layout)?;
        for profile in reader.profiles().iter().cloned().chain(with_events) {
            watched(&mut self.profiles, &self.layout, profile);
        }
        let mut changed = Vec::new();
        for (profile, watched) in &mut self.profiles {
            if watched.poll(&self.layout, &self.steps, &reader, profile)? {
                changed.push(profile.clone());
            }
        }
        self.took = since.elapsed();
        Ok(changed)
    }

    /// Returns how long to wait before the next poll.
    pub fn rest(&self) -> Duration {
        (self.took * SHARE).clamp(LEAST_REST, MOST_REST)
    }
}

impl WatchedProfile {
    fn poll(
        &mut self,
        layout: &Layout,
        steps: &[Flag],
        reader: &SessionReader,
        profile: &ProfileId,
    ) -> Result<bool, SessionError> {
        let is_new = std::mem::take(&mut self.is_new);
        let events = self.events.poll()?;
        let mut changed = is_new || !events.is_empty();
        events.iter().for_each(|event| self.view.summary.apply(event));
        // Actions are frequent, and the start of one changes no document.
        let has_news = events.iter().any(|event| !matches!(event.kind, EventKind::ActionStarted { .. }));
        let stamp = fs::metadata(layout.session(profile))
            .ok()
            .and_then(|file| Some((file.modified().ok()?, file.len())));
        let summary = std::mem::take(&mut self.view.summary);
        let view = if is_new || has_news || stamp.is_none() || stamp != self.stamp {
            self.stamp = stamp;
            read(layout, steps, reader, profile)?
        } else {
            let mut view = self.view.clone();
            if self.is_at_work() {
                // Only the lock shows that a run has ended without an event.
                (view.status, view.pid) = read_status(layout, profile, Status::Processing)?;
            }
            view
        };
        changed |= view != self.view;
        self.view = ProfileView { summary, ..view };
        Ok(changed)
    }

    const fn is_at_work(&self) -> bool {
        matches!(self.view.status, DisplayStatus::Processing | DisplayStatus::Interrupted)
    }
}

fn watched(profiles: &mut BTreeMap<ProfileId, WatchedProfile>, layout: &Layout, profile: ProfileId) {
    profiles.entry(profile).or_insert_with_key(|profile| WatchedProfile {
        view: ProfileView::pending(profile.clone()),
        events: EventReader::from_start(layout.events(profile)),
        stamp: None,
        is_new: true,
    });
}

/// Reads the state of a profile from its document and lock, without its events.
pub fn read(
    layout: &Layout,
    steps: &[Flag],
    reader: &SessionReader,
    profile: &ProfileId,
) -> Result<ProfileView, SessionError> {
    Ok(match reader.read(profile) {
        Ok(Some(session)) => {
            let (status, pid) = read_status(layout, profile, session.status)?;
            ProfileView { status, pid, ..ProfileView::from_session(&session) }.for_workflow(steps)
        }
        Ok(None) => ProfileView::pending(profile.clone()),
        Err(error) => ProfileView::damaged(profile.clone(), error.to_string()),
    })
}

/// Returns the status of a profile, and the process that runs it. The lock of a completed profile is not
/// checked.
fn read_status(
    layout: &Layout,
    profile: &ProfileId,
    status: Status,
) -> Result<(DisplayStatus, Option<u32>), StoreError> {
    if status == Status::Completed {
        return Ok((DisplayStatus::Completed, None));
    }
    let path = layout.session_lock(profile);
    let is_held = lock::is_held(&path)?;
    let pid = if is_held { lock::holder(&path).map(|holder| holder.pid) } else { None };
    Ok((DisplayStatus::new(status, is_held), pid))
}

/// Returns the profiles whose runs have written events.
pub fn profiles_with_events(layout: &Layout) -> Result<Vec<ProfileId>, StoreError> {
    let folder = layout.logs();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StoreError::new("read the folder", folder, error)),
    };
    let id = |entry: fs::DirEntry| entry.file_name().to_str()?.strip_suffix(EVENTS)?.parse().ok();
    Ok(entries.flatten().filter_map(id).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::event_log::EventLog;
    use crate::store::testing::{folder, now, run_id};
    use crate::store::{Lock, LockHolder};
    use regatta_core::id::RunId;
    use regatta_core::outcome::RunOutcome;

    fn id(name: &str) -> ProfileId {
        name.parse().unwrap()
    }

    fn session(layout: &Layout, name: &str, status: &str) {
        let text = format!(
            r#"{{"profile_id":"{name}","status":"{status}","platform":"desktop","completion_flags":{{"a":true,"b":false}},"identity":{{}}}}"#
        );
        // As a run does: the document is replaced whole.
        let temp = layout.state().join(".temp");
        fs::write(&temp, text).unwrap();
        fs::rename(&temp, layout.session(&id(name))).unwrap();
    }

    fn names(changed: &[ProfileId]) -> Vec<&str> {
        changed.iter().map(ProfileId::as_str).collect()
    }

    #[test]
    fn a_change_is_reported_once_and_an_expected_profile_is_shown() {
        let (_folder, layout) = folder();
        let mut watch = FolderWatcher::new(layout.clone(), &[]);
        watch.expect([id("p3")]);
        session(&layout, "p1", "COMPLETED");
        let mut log = EventLog::open(&layout, &id("p2"), &run_id()).unwrap();
        log.append(
            now(),
            EventKind::RunStarted { pid: 7, plan: "x".to_owned(), steps: 2, done: 0, browser: None },
        )
        .unwrap();
        assert_eq!(names(&watch.poll().unwrap()), ["p1", "p2", "p3"]);
        assert!(watch.poll().unwrap().is_empty());
        let status: Vec<_> =
            watch.views().map(|view| (view.id.as_str(), view.status, view.steps())).collect();
        assert_eq!(
            status,
            [
                ("p1", DisplayStatus::Completed, 2),
                ("p2", DisplayStatus::Pending, 2),
                ("p3", DisplayStatus::Pending, 0)
            ]
        );

        session(&layout, "p1", "FAILED");
        let outcome = RunOutcome::StepFailed;
        log.append(
            now(),
            EventKind::RunFinished {
                outcome,
                exit_code: 1,
                message: None,
                permanent: false,
                cause: None,
                retry_after_ms: None,
                ms: 1,
            },
        )
        .unwrap();
        assert_eq!(names(&watch.poll().unwrap()), ["p1", "p2"]);
        assert_eq!(watch.view(&id("p1")).unwrap().status, DisplayStatus::Failed);
        assert_eq!(watch.view(&id("p2")).unwrap().summary.outcome(), Some(outcome));
    }

    #[test]
    fn a_released_lock_is_noticed_although_nothing_was_written() {
        let (_folder, layout) = folder();
        let holder = LockHolder::new(RunId::new(now(), 1), now());
        let held = Lock::try_acquire(&layout.session_lock(&id("p1")), &holder).unwrap();
        session(&layout, "p1", "PROCESSING");
        let mut watch = FolderWatcher::new(layout, &[]);
        watch.poll().unwrap();
        let seen = watch.view(&id("p1")).unwrap();
        assert_eq!((seen.status, seen.pid), (DisplayStatus::Processing, Some(std::process::id())));
        drop(held);
        assert_eq!(names(&watch.poll().unwrap()), ["p1"]);
        let seen = watch.view(&id("p1")).unwrap();
        assert_eq!((seen.status, seen.pid), (DisplayStatus::Interrupted, None));
    }

    #[test]
    fn a_profile_is_completed_by_the_steps_of_the_workflow() {
        let (_folder, layout) = folder();
        // The document knows `a`, done, and `b`, open.
        session(&layout, "p1", "COMPLETED");
        let flags: Vec<Flag> = ["a", "c"].map(|flag| flag.parse().unwrap()).to_vec();
        let status = |steps: &[Flag]| {
            let mut watch = FolderWatcher::new(layout.clone(), steps);
            watch.poll().unwrap();
            let view = watch.view(&id("p1")).unwrap();
            (view.status, view.done(), view.steps())
        };
        assert_eq!(status(&flags), (DisplayStatus::Pending, 1, 2));
        assert_eq!(status(&flags[..1]), (DisplayStatus::Completed, 1, 1));
        assert_eq!(status(&[]), (DisplayStatus::Completed, 1, 2));
    }

    #[test]
    fn a_damaged_document_is_shown_and_a_repaired_one_too() {
        let (_folder, layout) = folder();
        fs::write(layout.session(&id("p1")), "{").unwrap();
        let mut watch = FolderWatcher::new(layout.clone(), &[]);
        watch.poll().unwrap();
        assert_eq!(watch.view(&id("p1")).unwrap().status, DisplayStatus::Damaged);
        session(&layout, "p1", "COMPLETED");
        assert_eq!(names(&watch.poll().unwrap()), ["p1"]);
        assert_eq!(watch.view(&id("p1")).unwrap().status, DisplayStatus::Completed);
    }
}
