//! The session document on disk. Only the holder of its lock changes it, and every change is durable
//! before it counts, so memory never runs ahead of the disk.
//!
//! A document that cannot be read is never overwritten: it is moved aside, and its profile stays
//! refused until a person has acted. Starting afresh would do every step twice.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Deserialize;
use thiserror::Error;

use super::lock::{self, Lock, LockError, LockHolder};
use super::{Layout, StoreError, durable};
use regatta_core::id::{Flag, ProfileId, RunId};
use regatta_core::session::{
    Change, Commit, IllegalTransition, LastError, Resolution, SESSION_VERSION, Session,
};

/// Between the name of a document and the time it was moved aside.
const DAMAGED: &str = ".json.damaged-";

#[derive(Debug, Error)]
pub enum SessionError {
    #[error("profile {profile} is already being run{}", holder.as_ref().map(|h| format!(" (process {})", h.pid)).unwrap_or_default())]
    Busy { profile: ProfileId, holder: Option<LockHolder> },
    #[error("the session document {} is damaged: {problem}", path.display())]
    Damaged {
        path: PathBuf,
        /// Where the damaged document lies now, unless it still lies at `path`.
        moved_to: Option<PathBuf>,
        problem: String,
    },
    #[error("the session document {} was written by a newer regatta (version {version}, this one knows {SESSION_VERSION})", path.display())]
    Newer { path: PathBuf, version: u64 },
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SessionError {
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Busy { .. } => Some("wait for that run, or stop it".to_owned()),
            Self::Damaged { path, moved_to: Some(copy), .. } => Some(format!(
                "it was moved to {}; repair it and put it back as {}, or delete it to start this profile afresh",
                copy.display(),
                path.display()
            )),
            Self::Damaged { path, moved_to: None, .. } => {
                Some(format!("repair {}, or move it away", path.display()))
            }
            Self::Newer { .. } => Some("update regatta".to_owned()),
            Self::Illegal(_) => None,
            Self::Store(error) => error.hint().map(str::to_owned),
        }
    }
}

/// Reads the document as it is now, without its lock; `None` where the profile never ran.
/// For many profiles at once see [`SessionReader`].
pub fn read(layout: &Layout, profile: &ProfileId) -> Result<Option<Session>, SessionError> {
    match read_document(layout, profile)? {
        Some(session) => Ok(Some(session)),
        None => refuse_if_set_aside(layout, profile).map(|()| None),
    }
}

/// Reads the documents of a folder of many profiles. Lists the folder once, where [`read`] lists it for
/// every profile without a document.
pub struct SessionReader {
    layout: Layout,
    documents: Vec<ProfileId>,
    set_aside: HashMap<ProfileId, PathBuf>,
}

impl SessionReader {
    pub fn new(layout: &Layout) -> Result<Self, SessionError> {
        let folder = layout.state();
        let mut reader = Self { layout: layout.clone(), documents: Vec::new(), set_aside: HashMap::new() };
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(reader),
            Err(error) => return Err(StoreError::new("read the folder", folder, error).into()),
        };
        for entry in entries {
            let entry = entry.map_err(StoreError::at("read the folder", folder))?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if let Some(Ok(profile)) = name.strip_suffix(".json").map(str::parse) {
                reader.documents.push(profile);
            } else if let Some((Ok(profile), _)) = name.split_once(DAMAGED).map(|(id, at)| (id.parse(), at)) {
                let newest = reader.set_aside.entry(profile).or_insert_with(|| entry.path());
                *newest = entry.path().max(std::mem::take(newest));
            }
        }
        reader.documents.extend(reader.set_aside.keys().cloned());
        reader.documents.sort();
        reader.documents.dedup();
        Ok(reader)
    }

    /// Returns every profile with a document, in order, including those whose document was set aside.
    pub fn profiles(&self) -> &[ProfileId] {
        &self.documents
    }

    /// As [`read`].
    pub fn read(&self, profile: &ProfileId) -> Result<Option<Session>, SessionError> {
        match (read_document(&self.layout, profile)?, self.set_aside.get(profile)) {
            (None, Some(copy)) => Err(still_set_aside(&self.layout, profile, copy.clone())),
            (session, _) => Ok(session),
        }
    }
}

/// Whether a run holds the profile now.
pub fn is_running(layout: &Layout, profile: &ProfileId) -> Result<bool, StoreError> {
    lock::is_held(&layout.session_lock(profile))
}

/// Holds a profile that is not being run, so that no run starts while left-overs of the last one are
/// ended. Sweeps temp files of a killed run.
pub fn hold(layout: &Layout, profile: &ProfileId, holder: &LockHolder) -> Result<Lock, SessionError> {
    let lock = Lock::try_acquire(&layout.session_lock(profile), holder).map_err(|error| match error {
        LockError::Held { holder } => SessionError::Busy { profile: profile.clone(), holder },
        LockError::Io(error) => error.into(),
    })?;
    if lock.holder_was_killed() {
        durable::sweep(&layout.session(profile))?;
    }
    Ok(lock)
}

/// Writes the document of one profile for the one process that may change it. This program writes files
/// under a lock; a simulation writes to a disk that fails at any moment.
pub trait SessionWriter: fmt::Debug + Send {
    /// Replaces the document whole; on return it is durable.
    fn write(&mut self, session: &Session) -> Result<(), StoreError>;
}

#[derive(Debug)]
struct LockedFile {
    path: PathBuf,
    /// Held as long as the session is open.
    _lock: Lock,
}

impl SessionWriter for LockedFile {
    fn write(&mut self, session: &Session) -> Result<(), StoreError> {
        durable::write(&self.path, &bytes_of(session))
    }
}

/// The session of the one process that holds its lock.
#[derive(Debug)]
pub struct OpenSession {
    session: Session,
    run_id: RunId,
    keep: Box<dyn SessionWriter>,
}

impl OpenSession {
    /// Acquires the lock, then reads the document, or creates it from `new` where the profile never
    /// ran. `new` is for this profile.
    pub fn open(
        layout: &Layout,
        profile: &ProfileId,
        run_id: &RunId,
        now: Timestamp,
        new: impl FnOnce() -> Session,
    ) -> Result<Self, SessionError> {
        let lock = hold(layout, profile, &LockHolder::new(run_id.clone(), now))?;
        let path = layout.session(profile);
        let found = match read_document(layout, profile) {
            Ok(Some(session)) => Some(session),
            Ok(None) => {
                refuse_if_set_aside(layout, profile)?;
                None
            }
            Err(SessionError::Damaged { path, moved_to: None, problem }) if is_own_name(&path)? => {
                let moved_to = set_aside(&path, now)?;
                return Err(SessionError::Damaged { path, moved_to: Some(moved_to), problem });
            }
            Err(error) => return Err(error),
        };
        let keep = Box::new(LockedFile { path, _lock: lock });
        let open = Self::resume(keep, run_id, found, new)?;
        debug_assert_eq!(open.session.profile_id, *profile);
        Ok(open)
    }

    /// Opens the document that was found, or `new`, which is durable before this returns.
    pub fn resume(
        mut keep: Box<dyn SessionWriter>,
        run_id: &RunId,
        found: Option<Session>,
        new: impl FnOnce() -> Session,
    ) -> Result<Self, SessionError> {
        let session = match found {
            Some(session) => session,
            None => {
                let session = new();
                keep.write(&session)?;
                session
            }
        };
        Ok(Self { session, run_id: run_id.clone(), keep })
    }

    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Makes a change durable, then visible. A refused or failed change leaves memory as it was.
    pub fn update<T>(
        &mut self,
        make: impl FnOnce(&mut Session) -> Result<T, IllegalTransition>,
    ) -> Result<T, SessionError> {
        let mut changed = self.session.clone();
        let answer = make(&mut changed)?;
        if changed != self.session {
            self.keep.write(&changed)?;
            self.session = changed;
        }
        Ok(answer)
    }

    pub fn begin_run<'a>(
        &mut self,
        plan: &str,
        flags: impl IntoIterator<Item = &'a Flag>,
    ) -> Result<(), SessionError> {
        self.update(|session| {
            session.begin_run(plan, flags);
            Ok(())
        })
    }

    /// Makes a change that records when it was made, and by which run.
    fn change<T>(
        &mut self,
        at: Timestamp,
        make: impl FnOnce(&mut Session, Change<'_>) -> Result<T, IllegalTransition>,
    ) -> Result<T, SessionError> {
        let run_id = self.run_id.clone();
        self.update(|session| make(session, Change { at, run_id: &run_id }))
    }

    /// `captured`: the identity fields that the attempt has captured before it touches the page.
    pub fn begin_step(
        &mut self,
        flag: &Flag,
        attempt: u32,
        captured: &[String],
        at: Timestamp,
    ) -> Result<(), SessionError> {
        self.change(at, |session, change| session.begin_step(flag, attempt, captured, change))
    }

    /// Records a value that the site has shown to the step.
    pub fn record_capture(
        &mut self,
        flag: &Flag,
        field: &str,
        value: &str,
        at: Timestamp,
    ) -> Result<(), SessionError> {
        self.change(at, |session, change| session.record_capture(flag, field, value, change))
    }

    /// Records that the two-factor code of `window` is about to be typed: see [`Session::totp_used`].
    pub fn use_totp(&mut self, field: &str, window: u64) -> Result<(), SessionError> {
        self.update(|session| {
            session.use_totp(field, window);
            Ok(())
        })
    }

    /// Sets the flag and the committed values in one write.
    pub fn complete_step(
        &mut self,
        flag: &Flag,
        commits: &[Commit],
        at: Timestamp,
    ) -> Result<(), SessionError> {
        self.change(at, |session, change| session.complete_step(flag, commits, change))
    }

    /// Records a person's answer, the values that the step commits and the fields that came with the answer
    /// in one write.
    pub fn resolve<'v>(
        &mut self,
        answer: Resolution,
        commits: &[Commit],
        fields: impl IntoIterator<Item = (&'v str, &'v str)>,
        at: Timestamp,
    ) -> Result<Flag, SessionError> {
        self.change(at, |session, change| {
            let flag = session.resolve(answer, commits, change)?;
            for (field, value) in fields {
                session.replace(field, value, change);
            }
            Ok(flag)
        })
    }

    pub fn clear_in_flight(&mut self) -> Result<(), SessionError> {
        self.update(|session| {
            session.clear_in_flight();
            Ok(())
        })
    }

    pub fn complete_run(&mut self) -> Result<(), SessionError> {
        self.update(|session| {
            session.complete_run();
            Ok(())
        })
    }

    pub fn fail(&mut self, error: LastError) -> Result<(), SessionError> {
        self.update(|session| {
            session.fail(error);
            Ok(())
        })
    }

    pub fn need_attention(&mut self, error: LastError) -> Result<(), SessionError> {
        self.update(|session| {
            session.need_attention(error);
            Ok(())
        })
    }

    /// The identity fields, each change durable before the next line. `at`: when they are changed.
    pub fn identity(&mut self, at: Timestamp) -> IdentityHandle<'_> {
        IdentityHandle { open: self, at }
    }
}

/// Keeps runs off a profile while a caller uses its browser without changing its document.
#[derive(Debug)]
pub struct HeldProfile {
    /// `None` where the profile never ran.
    pub session: Option<Session>,
    _lock: Lock,
}

impl HeldProfile {
    pub fn take(
        layout: &Layout,
        profile: &ProfileId,
        run_id: &RunId,
        now: Timestamp,
    ) -> Result<Self, SessionError> {
        let lock = hold(layout, profile, &LockHolder::new(run_id.clone(), now))?;
        Ok(Self { session: read(layout, profile)?, _lock: lock })
    }
}

pub struct IdentityHandle<'a> {
    open: &'a mut OpenSession,
    at: Timestamp,
}

impl IdentityHandle<'_> {
    pub fn get(&self, field: &str) -> Option<String> {
        self.open.session.identity.get(field)
    }

    pub fn set(&mut self, field: &str, value: &str) -> Result<(), SessionError> {
        self.set_many([(field, value)])
    }

    /// All in one write. Values that are replaced are kept.
    pub fn set_many<'v>(
        &mut self,
        fields: impl IntoIterator<Item = (&'v str, &'v str)>,
    ) -> Result<(), SessionError> {
        self.open.change(self.at, |session, change| {
            for (field, value) in fields {
                session.replace(field, value, change);
            }
            Ok(())
        })
    }
}

fn bytes_of(session: &Session) -> Vec<u8> {
    // Infallible: string keys only, nothing that fails to serialise.
    let mut bytes = serde_json::to_vec_pretty(session).expect("a session is always a JSON document");
    bytes.push(b'\n');
    bytes
}

fn read_document(layout: &Layout, profile: &ProfileId) -> Result<Option<Session>, SessionError> {
    let path = layout.session(profile);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::new("read", path, error).into()),
    };
    // Editors of some systems put a byte order mark in front.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    // A newer document may not parse at all, and must not count as damaged.
    if let Ok(SessionVersion { version: Some(version) }) = serde_json::from_slice(bytes)
        && version > SESSION_VERSION.into()
    {
        return Err(SessionError::Newer { path, version });
    }
    let damaged = |problem: String| SessionError::Damaged { path: path.clone(), moved_to: None, problem };
    let session: Session =
        serde_json::from_slice(bytes).map_err(|error| damaged(without_values(&error.to_string())))?;
    if session.profile_id != *profile {
        return Err(damaged(format!("it is the document of profile {}", session.profile_id)));
    }
    Ok(Some(session))
}

#[derive(Deserialize)]
struct SessionVersion {
    version: Option<u64>,
}

/// A parser quotes what it found where it expected something else. That may be a password.
fn without_values(problem: &str) -> String {
    match (problem.find('"'), problem.rfind('"')) {
        (Some(first), Some(last)) if first < last => {
            format!("{}\"…\"{}", &problem[..first], &problem[last + 1..])
        }
        _ => problem.to_owned(),
    }
}

/// Whether the folder has the document under just this name. Where file names ignore case, profile
/// `A` finds the document of profile `a`, which must stay where it is.
fn is_own_name(path: &Path) -> Result<bool, StoreError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let entries = fs::read_dir(folder).map_err(StoreError::at("read the folder", folder))?;
    Ok(entries.flatten().any(|entry| Some(entry.file_name().as_os_str()) == path.file_name()))
}

fn set_aside(path: &Path, now: Timestamp) -> Result<PathBuf, StoreError> {
    let stem = path.with_extension("").into_os_string();
    let name = |number: u32| {
        let mut name = stem.clone();
        name.push(format!("{DAMAGED}{}", now.strftime("%Y%m%dT%H%M%SZ")));
        if number > 1 {
            name.push(format!("-{number}"));
        }
        PathBuf::from(name)
    };
    let target = (1..).map(name).find(|target| !target.exists()).expect("names do not run out");
    durable::rename(path, &target)?;
    Ok(target)
}

/// The profile has no document. Did it have one that was damaged?
fn refuse_if_set_aside(layout: &Layout, profile: &ProfileId) -> Result<(), SessionError> {
    let folder = layout.state();
    let prefix = format!("{profile}{DAMAGED}");
    let copies = match fs::read_dir(folder) {
        Ok(entries) => entries
            .flatten()
            .filter(|entry| entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(StoreError::new("read the folder", folder, error).into()),
    };
    match copies.map(|entry| entry.path()).max() {
        Some(copy) => Err(still_set_aside(layout, profile, copy)),
        None => Ok(()),
    }
}

fn still_set_aside(layout: &Layout, profile: &ProfileId, copy: PathBuf) -> SessionError {
    SessionError::Damaged {
        path: layout.session(profile),
        moved_to: Some(copy),
        problem: "an earlier run could not read it, and it has not been repaired since".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use expect_test::{Expect, expect};

    use super::*;
    use crate::store::testing::{child, child_value, folder, now, profile, run_id, story};
    use regatta_core::session::{Platform, Status};

    fn flag(name: &str) -> Flag {
        name.parse().unwrap()
    }

    fn fresh() -> Session {
        Session::new(profile(), Platform::Mobile, [&flag("a"), &flag("b")])
    }

    fn open(layout: &Layout) -> Result<OpenSession, SessionError> {
        OpenSession::open(layout, &profile(), &run_id(), now(), fresh)
    }

    fn on_disk(layout: &Layout) -> Session {
        read(layout, &profile()).unwrap().unwrap()
    }

    #[track_caller]
    fn check(layout: &Layout, error: &SessionError, expected: Expect) {
        let root = layout.root().to_str().unwrap();
        let story = story(error, error.hint().as_deref()).replace(root, "ROOT");
        expected.assert_eq(&story.replace(&std::process::id().to_string(), "PID"));
    }

    #[test]
    fn every_move_is_on_the_disk_when_it_returns() {
        let (_folder, layout) = folder();
        assert_eq!(read(&layout, &profile()).unwrap(), None);
        let mut open = open(&layout).unwrap();
        assert_eq!(on_disk(&layout), fresh());

        type SessionChange = fn(&mut OpenSession) -> Result<(), SessionError>;
        let moves: [SessionChange; 11] = [
            |s| s.begin_run("sha256:1", [&flag("c")]),
            |s| s.identity(now()).set("password", "hunter2"),
            |s| s.identity(now()).set_many([("email", "a@practice.test"), ("nick", "ann")]),
            |s| s.begin_step(&flag("a"), 1, &[], now()),
            |s| s.record_capture(&flag("a"), "token", "t", now()),
            |s| s.use_totp("token", 7),
            |s| s.complete_step(&flag("a"), &[], now()),
            |s| s.begin_step(&flag("b"), 1, &[], now()),
            |s| s.fail(LastError::new(Some(flag("b")), "no".into(), now())),
            |s| s.need_attention(LastError::new(None, "ask".into(), now())),
            |s| s.clear_in_flight(),
        ];
        for (number, make) in moves.iter().enumerate() {
            let before = open.session().clone();
            make(&mut open).unwrap();
            assert_ne!(*open.session(), before, "move {number}");
            assert_eq!(*open.session(), on_disk(&layout), "move {number}");
        }
        open.complete_run().unwrap();
        assert_eq!(on_disk(&layout).status, Status::Completed);
        assert_eq!(on_disk(&layout).identity.get("token").as_deref(), Some("t"));
        assert_eq!(open.identity(now()).get("nick").as_deref(), Some("ann"));
    }

    #[test]
    fn a_run_on_a_finished_profile_writes_nothing() {
        let (_folder, layout) = folder();
        let mut open = open(&layout).unwrap();
        let flags = [flag("a"), flag("b")];
        open.begin_run("sha256:1", &flags).unwrap();
        for flag in &flags {
            assert_eq!(open.session().status, Status::Processing);
            open.complete_step(flag, &[], now()).unwrap();
        }
        open.complete_run().unwrap();

        // A document written now would be read by the next run.
        fs::remove_file(layout.session(&profile())).unwrap();
        open.begin_run("sha256:1", &flags).unwrap();
        open.complete_run().unwrap();
        assert!(!layout.session(&profile()).exists());
        open.begin_run("sha256:1", &[flag("a"), flag("b"), flag("c")]).unwrap();
        assert_eq!(on_disk(&layout).status, Status::Processing);
    }

    #[test]
    fn a_refused_move_changes_nothing() {
        let (_folder, layout) = folder();
        let mut open = open(&layout).unwrap();
        open.begin_step(&flag("a"), 1, &[], now()).unwrap();
        let error = open.complete_step(&flag("b"), &[], now()).unwrap_err();
        check(&layout, &error, expect!["step `b` cannot move while step `a` is in flight"]);
        assert_eq!(*open.session(), on_disk(&layout));
    }

    #[cfg(unix)]
    #[test]
    fn memory_never_runs_ahead_of_the_disk() {
        let (_folder, layout) = folder();
        let mut open = open(&layout).unwrap();
        // Works for root too: the folder of the document is gone.
        fs::rename(layout.state(), layout.root().join("elsewhere")).unwrap();
        let error = open.begin_step(&flag("a"), 1, &[], now()).unwrap_err();
        check(
            &layout,
            &error,
            expect![[r#"
                cannot write ROOT/state/p1.json
                No such file or directory (os error 2)
                hint: the folder is missing: is this the folder you meant?"#]],
        );
        assert_eq!(*open.session(), fresh());
    }

    #[test]
    fn a_profile_is_run_once_at_a_time() {
        let (_folder, layout) = folder();
        assert!(!is_running(&layout, &profile()).unwrap());
        let first = open(&layout).unwrap();
        assert!(is_running(&layout, &profile()).unwrap());
        check(
            &layout,
            &open(&layout).unwrap_err(),
            expect![[r#"
                profile p1 is already being run (process PID)
                hint: wait for that run, or stop it"#]],
        );
        drop(first);
        open(&layout).unwrap();
    }

    #[test]
    fn a_damaged_document_is_kept_and_refused_until_a_person_acts() {
        let (_folder, layout) = folder();
        let path = layout.session(&profile());
        let text = r#"{"profile_id":"p1","status":"PENDING","platform":"mobile","#;
        fs::write(&path, text).unwrap();

        let error = read(&layout, &profile()).unwrap_err();
        check(
            &layout,
            &error,
            expect![[r#"
                the session document ROOT/state/p1.json is damaged: EOF while parsing a value at line 1 column 58
                hint: repair ROOT/state/p1.json, or move it away"#]],
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "reading moves nothing");

        check(
            &layout,
            &open(&layout).unwrap_err(),
            expect![[r#"
                the session document ROOT/state/p1.json is damaged: EOF while parsing a value at line 1 column 58
                hint: it was moved to ROOT/state/p1.json.damaged-20260102T030405Z; repair it and put it back as ROOT/state/p1.json, or delete it to start this profile afresh"#]],
        );
        let copy = layout.state().join("p1.json.damaged-20260102T030405Z");
        assert_eq!(fs::read_to_string(&copy).unwrap(), text);

        for error in [
            open(&layout).unwrap_err(),
            read(&layout, &profile()).unwrap_err(),
            SessionReader::new(&layout).unwrap().read(&profile()).unwrap_err(),
        ] {
            check(
                &layout,
                &error,
                expect![[r#"
                    the session document ROOT/state/p1.json is damaged: an earlier run could not read it, and it has not been repaired since
                    hint: it was moved to ROOT/state/p1.json.damaged-20260102T030405Z; repair it and put it back as ROOT/state/p1.json, or delete it to start this profile afresh"#]],
            );
        }
        assert!(!path.exists() && copy.exists());

        // Put back, the copy kept; damaged again in the same second.
        fs::write(&path, bytes_of(&fresh())).unwrap();
        open(&layout).unwrap();
        fs::write(&path, "").unwrap();
        open(&layout).unwrap_err();
        let second = layout.state().join("p1.json.damaged-20260102T030405Z-2");
        assert_eq!(
            (fs::read_to_string(&copy).unwrap().as_str(), fs::read_to_string(&second).unwrap().as_str()),
            (text, "")
        );

        // Deleted: afresh.
        fs::remove_file(copy).unwrap();
        open(&layout).unwrap_err();
        fs::remove_file(second).unwrap();
        assert_eq!(*open(&layout).unwrap().session(), fresh());
    }

    #[test]
    fn the_document_of_another_profile_is_damaged() {
        let (_folder, layout) = folder();
        let mut other = fresh();
        other.profile_id = "p2".parse().unwrap();
        fs::write(layout.session(&profile()), bytes_of(&other)).unwrap();
        check(
            &layout,
            &open(&layout).unwrap_err(),
            expect![[r#"
                the session document ROOT/state/p1.json is damaged: it is the document of profile p2
                hint: it was moved to ROOT/state/p1.json.damaged-20260102T030405Z; repair it and put it back as ROOT/state/p1.json, or delete it to start this profile afresh"#]],
        );
    }

    #[test]
    fn a_problem_never_quotes_a_value() {
        let (_folder, layout) = folder();
        let text =
            serde_json::to_string(&fresh()).unwrap().replace("\"identity\":{}", r#""identity":"hun\"ter2""#);
        fs::write(layout.session(&profile()), text).unwrap();
        check(
            &layout,
            &read(&layout, &profile()).unwrap_err(),
            expect![[r#"
                the session document ROOT/state/p1.json is damaged: invalid type: string "…", expected a map at line 1 column 121
                hint: repair ROOT/state/p1.json, or move it away"#]],
        );
    }

    #[test]
    fn a_newer_document_is_left_alone() {
        let (_folder, layout) = folder();
        let path = layout.session(&profile());
        fs::write(&path, r#"{"version":2,"profile":{"id":"p1"}}"#).unwrap();
        check(
            &layout,
            &open(&layout).unwrap_err(),
            expect![[r#"
                the session document ROOT/state/p1.json was written by a newer regatta (version 2, this one knows 1)
                hint: update regatta"#]],
        );
        assert!(path.exists());
    }

    #[test]
    fn a_byte_order_mark_is_no_damage_and_unknown_fields_survive() {
        let (_folder, layout) = folder();
        let text =
            serde_json::to_string(&fresh()).unwrap().replace("\"version\":1", "\"version\":1,\"note\":[1]");
        fs::write(layout.session(&profile()), format!("\u{feff}{text}")).unwrap();
        open(&layout).unwrap().complete_run().unwrap();
        assert!(fs::read_to_string(layout.session(&profile())).unwrap().contains("\"note\": ["));
    }

    #[test]
    fn a_reader_lists_the_folder_once() {
        let (_folder, layout) = folder();
        for name in ["p2.json", "p1.json", ".p1.json.aB3dE6", "p1.lock", "p3.json.damaged-1", ".pacer-x.json"]
        {
            fs::write(layout.state().join(name), "").unwrap();
        }
        let reader = SessionReader::new(&layout).unwrap();
        assert_eq!(reader.profiles().iter().map(ProfileId::as_str).collect::<Vec<_>>(), ["p1", "p2", "p3"]);
        assert!(matches!(
            reader.read(&"p3".parse().unwrap()),
            Err(SessionError::Damaged { moved_to: Some(_), .. })
        ));
        assert_eq!(reader.read(&"p4".parse().unwrap()).unwrap(), None);
        let nowhere = Layout::new("/nonexistent");
        assert!(SessionReader::new(&nowhere).unwrap().profiles().is_empty());
    }

    #[test]
    fn child_moves_until_it_is_killed() {
        let Some(root) = child_value() else { return };
        let layout = Layout::new(root);
        let mut open = open(&layout).unwrap();
        println!("opened");
        for round in 1_u32.. {
            open.begin_step(&flag("b"), round, &[], now()).unwrap();
            open.identity(now()).set("round", &round.to_string()).unwrap();
            println!("durable {round}");
        }
    }

    #[test]
    fn a_killed_run_leaves_a_valid_document_no_older_than_it_said() {
        use std::io::{BufRead as _, BufReader, Read as _};
        let (_folder, layout) = folder();
        for round in 0..25 {
            let mut run = child(
                "store::session::tests::child_moves_until_it_is_killed",
                layout.root().to_str().unwrap(),
            )
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
            let mut output = BufReader::new(run.stdout.take().unwrap());
            let mut line = String::new();
            while !line.contains("durable") {
                line.clear();
                assert_ne!(output.read_line(&mut line).unwrap(), 0);
            }
            // Not to synchronise: the kill is to fall at another place of the loop each time.
            std::thread::sleep(std::time::Duration::from_micros(431 * round));
            run.kill().unwrap();
            run.wait().unwrap();
            let mut rest = String::new();
            output.read_to_string(&mut rest).unwrap();
            let said: u32 = (line + &rest)
                .lines()
                .filter_map(|line| line.split_once("durable ")?.1.parse().ok())
                .max()
                .unwrap();

            let open = open(&layout).unwrap();
            let found: u32 = open.session().identity.get("round").unwrap().parse().unwrap();
            assert!(found == said || found == said + 1, "said {said}, found {found}");
            let left: Vec<_> = fs::read_dir(layout.state())
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .filter(|name| name.starts_with('.'))
                .collect();
            assert!(left.is_empty(), "{left:?}");
        }
    }
}
