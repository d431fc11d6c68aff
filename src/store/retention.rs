//! Finds and removes what a folder no longer needs: user data of browsers, evidence and logs.
//!
//! Invariants: nothing below `state/` is removed, and nothing of a profile that is being run, has failed or
//! needs a person. A folder is renamed before it is removed, so it goes whole.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::disk::measure;
use super::session::{self, SessionReader, is_running};
use super::{Layout, LockHolder, SessionError, StoreError, folder_watcher};
use regatta_core::id::{Flag, ProfileId};
use regatta_core::view::overview::{DisplayStatus, ProfileView};

/// In front of a name that is being removed. A profile's id has no dot, and evidence is not named so.
const REMOVED: &str = ".removed-";
/// The end of the name of a folder with what a run has downloaded: no evidence, and often the result.
const DOWNLOADS: &str = "-downloads";

/// The items to remove; none by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// User data of the browsers of completed profiles.
    pub browsers: bool,
    /// Evidence that is older.
    pub artifacts: Option<Duration>,
    /// Logs and events that have not changed for this time.
    pub logs: Option<Duration>,
    /// Bytes of all artifacts, above which the oldest evidence goes.
    pub most_artifacts: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RemovableKind {
    BrowserData,
    Artifacts,
    Logs,
}

/// Something that can be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemovableItem {
    /// `None`: of a flow that was played on its own.
    pub profile: Option<ProfileId>,
    pub kind: RemovableKind,
    pub path: PathBuf,
    pub bytes: u64,
    modified: SystemTime,
}

impl Retention {
    pub fn removes_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the files that can be removed now, by profile. `steps` are the workflow's; without them no profile counts as
    /// completed. Only of the profiles in `only`, unless that is empty.
    pub fn find(
        &self,
        layout: &Layout,
        steps: &[Flag],
        only: &[ProfileId],
        now: SystemTime,
    ) -> Result<Vec<RemovableItem>, SessionError> {
        let reader = SessionReader::new(layout)?;
        let mut search = RetentionSearch {
            retention: *self,
            layout,
            now,
            found: Vec::new(),
            evidence: Vec::new(),
            kept: 0,
        };
        for profile in search.profiles()? {
            let is_wanted = only.is_empty() || only.contains(&profile);
            let standing =
                if is_wanted { standing(layout, &reader, &profile, steps)? } else { RetentionStatus::Kept };
            search.profile(&profile, standing);
        }
        if only.is_empty() {
            search.played();
        }
        let mut found = search.finish();
        found.sort_by(|a, b| (&a.profile, a.kind, &a.path).cmp(&(&b.profile, b.kind, &b.path)));
        Ok(found)
    }
}

/// Removes what [`Retention::find`] has found of one profile, under its lock. `None` where a run has begun
/// meanwhile, or the profile needs a person by now: then nothing was removed.
pub fn remove(
    layout: &Layout,
    steps: &[Flag],
    olds: &[RemovableItem],
    holder: &LockHolder,
) -> Result<Option<()>, SessionError> {
    let Some(RemovableItem { profile: Some(profile), .. }) = olds.first() else {
        return Ok(Some(olds.iter().try_for_each(remove_whole)?));
    };
    let _lock = match session::hold(layout, profile, holder) {
        Ok(lock) => lock,
        Err(SessionError::Busy { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let standing = standing_of(session_view(layout, profile, steps)?);
    let has_browser = olds.iter().any(|old| old.kind == RemovableKind::BrowserData);
    if standing == RetentionStatus::Kept || (has_browser && standing != RetentionStatus::Completed) {
        return Ok(None);
    }
    Ok(Some(olds.iter().try_for_each(remove_whole)?))
}

fn remove_whole(old: &RemovableItem) -> Result<(), StoreError> {
    let at = StoreError::at("remove", &old.path);
    let name = old.path.file_name().unwrap_or_default().to_string_lossy();
    let aside = match name.strip_prefix(REMOVED) {
        Some(_) => old.path.clone(),
        None => old.path.with_file_name(format!("{REMOVED}{name}")),
    };
    let removed = if aside == old.path { Ok(()) } else { fs::rename(&old.path, &aside) };
    let removed = removed.and_then(|()| match fs::symlink_metadata(&aside)?.is_dir() {
        true => fs::remove_dir_all(&aside),
        false => fs::remove_file(&aside),
    });
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(error)),
        _ => Ok(()),
    }
}

/// Whether files of a profile may be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RetentionStatus {
    /// It is being run, has failed, or needs a person.
    Kept,
    Open,
    Completed,
}

fn standing(
    layout: &Layout,
    reader: &SessionReader,
    profile: &ProfileId,
    steps: &[Flag],
) -> Result<RetentionStatus, SessionError> {
    if is_running(layout, profile)? {
        return Ok(RetentionStatus::Kept);
    }
    Ok(standing_of(folder_watcher::read(layout, steps, reader, profile)?))
}

/// For a profile whose lock this process holds.
fn session_view(layout: &Layout, profile: &ProfileId, steps: &[Flag]) -> Result<ProfileView, SessionError> {
    Ok(match session::read(layout, profile) {
        Ok(Some(session)) => ProfileView::from_session(&session).for_workflow(steps),
        Ok(None) => ProfileView::pending(profile.clone()),
        Err(error) => ProfileView::damaged(profile.clone(), error.to_string()),
    })
}

fn standing_of(view: ProfileView) -> RetentionStatus {
    match view.status {
        _ if view.in_flight.is_some() => RetentionStatus::Kept,
        DisplayStatus::Completed => RetentionStatus::Completed,
        DisplayStatus::Pending => RetentionStatus::Open,
        _ => RetentionStatus::Kept,
    }
}

struct RetentionSearch<'a> {
    retention: Retention,
    layout: &'a Layout,
    now: SystemTime,
    found: Vec<RemovableItem>,
    /// Evidence that is young enough to stay, and goes where there is too much of it.
    evidence: Vec<RemovableItem>,
    /// Bytes of artifacts that stay.
    kept: u64,
}

impl RetentionSearch<'_> {
    fn profiles(&self) -> Result<BTreeSet<ProfileId>, StoreError> {
        let mut profiles = BTreeSet::new();
        if self.retention.browsers {
            profiles.extend(self.layout.profiles_with_browser_folder()?);
        }
        if self.wants_artifacts() {
            let names = names(&self.layout.artifacts_folder())?;
            profiles.extend(names.iter().filter_map(|name| name.parse().ok()));
        }
        if self.retention.logs.is_some() {
            profiles.extend(folder_watcher::profiles_with_events(self.layout)?);
            let names = names(self.layout.logs())?;
            profiles.extend(names.iter().filter_map(|name| name.strip_suffix(".log")?.parse().ok()));
        }
        Ok(profiles)
    }

    const fn wants_artifacts(&self) -> bool {
        self.retention.artifacts.is_some() || self.retention.most_artifacts.is_some()
    }

    fn profile(&mut self, profile: &ProfileId, standing: RetentionStatus) {
        if self.retention.browsers && standing == RetentionStatus::Completed {
            self.add(RemovableKind::BrowserData, Some(profile), self.layout.browser_folder(profile));
        }
        if self.wants_artifacts() {
            let folder = self.layout.artifacts(profile);
            self.evidence_in(&folder, Some(profile), standing != RetentionStatus::Kept);
        }
        if let (Some(age), false) = (self.retention.logs, standing == RetentionStatus::Kept) {
            // Outcomes are read from the events, up to a byte that the outbox remembers.
            let events = (!self.layout.outbox().exists()).then(|| self.layout.events(profile));
            for path in [self.layout.log(profile)].into_iter().chain(events) {
                if self.age(&path).is_some_and(|old| old > age) {
                    self.add(RemovableKind::Logs, Some(profile), path);
                }
            }
        }
    }

    /// Finds the files of flows that were played on their own.
    fn played(&mut self) {
        if self.wants_artifacts() {
            self.evidence_in(&self.layout.play_artifacts(), None, true);
        }
    }

    fn evidence_in(&mut self, folder: &Path, profile: Option<&ProfileId>, may_go: bool) {
        for name in names(folder).unwrap_or_default() {
            let path = folder.join(&name);
            let Ok(measured) = measure(&path) else { continue };
            let (bytes, modified) = (measured.bytes, measured.modified);
            let old = RemovableItem {
                profile: profile.cloned(),
                kind: RemovableKind::Artifacts,
                path,
                bytes,
                modified,
            };
            let age = self.now.duration_since(modified).unwrap_or_default();
            let is_old = self.retention.artifacts.is_some_and(|most| age > most) || name.starts_with(REMOVED);
            if !may_go || name.ends_with(DOWNLOADS) {
                self.kept += bytes;
            } else if is_old {
                self.found.push(old);
            } else {
                self.kept += bytes;
                self.evidence.push(old);
            }
        }
    }

    fn age(&self, path: &Path) -> Option<Duration> {
        self.now.duration_since(fs::metadata(path).ok()?.modified().ok()?).ok()
    }

    fn add(&mut self, kind: RemovableKind, profile: Option<&ProfileId>, path: PathBuf) {
        let Ok(measured) = measure(&path) else { return };
        let (bytes, modified) = (measured.bytes, measured.modified);
        self.found.push(RemovableItem { profile: profile.cloned(), kind, path, bytes, modified });
    }

    fn finish(mut self) -> Vec<RemovableItem> {
        if let Some(most) = self.retention.most_artifacts {
            self.evidence.sort_by_key(|old| old.modified);
            for old in self.evidence {
                if self.kept <= most {
                    break;
                }
                self.kept -= old.bytes;
                self.found.push(old);
            }
        }
        // Left by an interrupted removal.
        if self.retention.browsers {
            for name in names(&self.layout.browser_folders()).unwrap_or_default() {
                if name.starts_with(REMOVED)
                    && let Ok(measured) = measure(&self.layout.browser_folders().join(&name))
                {
                    let path = self.layout.browser_folders().join(name);
                    let (bytes, modified) = (measured.bytes, measured.modified);
                    self.found.push(RemovableItem {
                        profile: None,
                        kind: RemovableKind::BrowserData,
                        path,
                        bytes,
                        modified,
                    });
                }
            }
        }
        self.found
    }
}

/// The names in a folder; none where there is no folder.
fn names(folder: &Path) -> Result<Vec<String>, StoreError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StoreError::new("read the folder", folder, error)),
    };
    Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::store::Lock;
    use crate::store::testing::{folder, now, run_id};

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn id(name: &str) -> ProfileId {
        name.parse().unwrap()
    }

    fn write(path: &Path, days: u32) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x".repeat(5_000)).unwrap();
        let old = SystemTime::now() - DAY * days;
        fs::File::options().write(true).open(path).unwrap().set_modified(old).unwrap();
        fs::File::open(path.parent().unwrap()).unwrap().set_modified(old).unwrap();
    }

    /// A profile with everything, 40 days old, and evidence of ten days.
    fn profile(layout: &Layout, name: &str, status: &str, more: &str) {
        let profile = id(name);
        let text = format!(
            r#"{{"profile_id":"{name}","status":"{status}","platform":"desktop","completion_flags":{{"a":true}},"identity":{{}}{more}}}"#
        );
        fs::write(layout.session(&profile), text).unwrap();
        write(&layout.browser_folder(&profile).join("Default/Cookies"), 40);
        write(&layout.artifacts(&profile).join("r1-a-1/page.html"), 40);
        write(&layout.artifacts(&profile).join("r2-a-1/page.html"), 10);
        write(&layout.artifacts(&profile).join("r1-downloads/invoice.pdf"), 40);
        write(&layout.log(&profile), 40);
        write(&layout.events(&profile), 40);
    }

    fn everything() -> Retention {
        Retention { browsers: true, artifacts: Some(DAY * 30), logs: Some(DAY * 30), most_artifacts: None }
    }

    fn shown(layout: &Layout, found: &[RemovableItem]) -> String {
        let line = |old: &RemovableItem| {
            let path = old.path.strip_prefix(layout.root()).unwrap().display();
            format!("{} {path}", old.profile.as_ref().map_or("-", ProfileId::as_str))
        };
        found.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn all(layout: &Layout) -> Vec<ProfileId> {
        SessionReader::new(layout).unwrap().profiles().to_vec()
    }

    #[test]
    fn only_old_items_that_need_no_person_are_found() {
        let (_folder, layout) = folder();
        let flags = ["a".parse().unwrap()];
        profile(&layout, "done", "COMPLETED", "");
        profile(&layout, "paused", "PENDING", "");
        profile(&layout, "failed", "FAILED", "");
        profile(&layout, "asks", "NEEDS_ATTENTION", "");
        profile(&layout, "died", "PROCESSING", "");
        let in_flight =
            r#","in_flight":{"flag":"a","attempt":1,"started_at":"2026-01-02T03:04:05Z","run_id":"r"}"#;
        profile(&layout, "doubt", "PENDING", in_flight);
        profile(&layout, "held", "COMPLETED", "");
        profile(&layout, "torn", "COMPLETED", "");
        fs::write(layout.session(&id("torn")), "{").unwrap();
        write(&layout.play_artifacts().join("r1/page.html"), 40);
        let _held =
            Lock::try_acquire(&layout.session_lock(&id("held")), &LockHolder::new(run_id(), now())).unwrap();
        let found = everything().find(&layout, &flags, &[], SystemTime::now()).unwrap();
        expect![[r#"
            - artifacts/.play/r1
            done browsers/done
            done artifacts/done/r1-a-1
            done logs/done.events.jsonl
            done logs/done.log
            paused artifacts/paused/r1-a-1
            paused logs/paused.events.jsonl
            paused logs/paused.log"#]]
        .assert_eq(&shown(&layout, &found));
        assert!(found.iter().all(|old| old.bytes >= 5_000), "{found:?}");
        assert!(Retention::default().find(&layout, &flags, &[], SystemTime::now()).unwrap().is_empty());
        // With another step in the workflow nothing is completed.
        let browsers = Retention { browsers: true, ..Retention::default() };
        let more = ["a".parse().unwrap(), "b".parse().unwrap()];
        assert!(browsers.find(&layout, &more, &[], SystemTime::now()).unwrap().is_empty());
        // Events stay where outcomes are read from them.
        fs::write(layout.outbox(), "").unwrap();
        let logs = Retention { logs: Some(DAY), ..Retention::default() };
        let found = logs.find(&layout, &flags, &[id("done")], SystemTime::now()).unwrap();
        assert_eq!(shown(&layout, &found), "done logs/done.log");
    }

    #[test]
    fn what_is_found_is_removed_and_no_session() {
        let (_folder, layout) = folder();
        let flags = ["a".parse().unwrap()];
        profile(&layout, "done", "COMPLETED", "");
        let holder = LockHolder::new(run_id(), now());
        let found = everything().find(&layout, &flags, &[], SystemTime::now()).unwrap();
        let before = all(&layout);
        assert_eq!(remove(&layout, &flags, &found, &holder).unwrap(), Some(()));
        let left = |path: PathBuf| path.exists();
        assert!(!left(layout.browser_folder(&id("done"))) && !left(layout.log(&id("done"))));
        assert!(left(layout.artifacts(&id("done")).join("r1-downloads")), "a download is no evidence");
        assert!(left(layout.artifacts(&id("done")).join("r2-a-1")), "it is young");
        assert_eq!(all(&layout), before);
        assert!(everything().find(&layout, &flags, &[], SystemTime::now()).unwrap().is_empty());
    }

    #[test]
    fn what_has_changed_since_it_was_found_stays() {
        let (_folder, layout) = folder();
        let flags = ["a".parse().unwrap()];
        profile(&layout, "p", "COMPLETED", "");
        let holder = LockHolder::new(run_id(), now());
        let found = everything().find(&layout, &flags, &[], SystemTime::now()).unwrap();
        let held = Lock::try_acquire(&layout.session_lock(&id("p")), &holder).unwrap();
        assert_eq!(remove(&layout, &flags, &found, &holder).unwrap(), None);
        drop(held);
        profile(&layout, "p", "NEEDS_ATTENTION", "");
        assert_eq!(remove(&layout, &flags, &found, &holder).unwrap(), None);
        assert!(found.iter().all(|old| old.path.exists()));
    }

    #[test]
    fn over_the_limit_the_oldest_evidence_goes_first() {
        let (_folder, layout) = folder();
        let flags = ["a".parse().unwrap()];
        for (name, days) in [("p1", 3), ("p2", 9), ("p3", 6)] {
            profile(&layout, name, "COMPLETED", "");
            fs::remove_dir_all(layout.artifacts(&id(name))).unwrap();
            write(&layout.artifacts(&id(name)).join("r1-a-1/page.html"), days);
        }
        profile(&layout, "failed", "FAILED", "");
        let one = measure(&layout.artifacts(&id("p1")).join("r1-a-1")).unwrap().bytes;
        let kept: u64 = ["r1-a-1", "r2-a-1", "r1-downloads"]
            .map(|name| measure(&layout.artifacts(&id("failed")).join(name)).unwrap().bytes)
            .iter()
            .sum();
        let over = |most| {
            let retention = Retention { most_artifacts: Some(most), ..Retention::default() };
            shown(&layout, &retention.find(&layout, &flags, &[], SystemTime::now()).unwrap())
        };
        assert_eq!(over(kept + one * 3), "");
        assert_eq!(over(kept + one * 2), "p2 artifacts/p2/r1-a-1");
        assert_eq!(over(kept + one * 2 - 1), "p2 artifacts/p2/r1-a-1\np3 artifacts/p3/r1-a-1");
        assert_eq!(over(0).lines().count(), 3, "a failed profile keeps its evidence");
    }

    #[test]
    fn an_interrupted_removal_is_finished_by_the_next() {
        let (_folder, layout) = folder();
        profile(&layout, "done", "COMPLETED", "");
        fs::rename(layout.browser_folder(&id("done")), layout.browser_folders().join(".removed-done"))
            .unwrap();
        let found = everything().find(&layout, &["a".parse().unwrap()], &[], SystemTime::now()).unwrap();
        let cut = found.into_iter().filter(|old| old.profile.is_none()).collect::<Vec<_>>();
        assert_eq!(shown(&layout, &cut), "- browsers/.removed-done");
        remove(&layout, &[], &cut, &LockHolder::new(run_id(), now())).unwrap();
        assert!(!layout.browser_folders().join(".removed-done").exists());
    }
}
