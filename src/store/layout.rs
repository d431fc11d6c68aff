//! The names of all files in the operator's folder. Opens none of them.
//!
//! Invariant: what belongs to a profile starts with its id, what belongs to all of them with a dot
//! (a profile id never does), so a profile of any name meets no other file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::StoreError;
use regatta_core::id::ProfileId;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
    state: PathBuf,
    logs: PathBuf,
    artifacts: PathBuf,
}

impl Layout {
    /// The usual folders below `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self { state: root.join("state"), logs: root.join("logs"), artifacts: root.join("artifacts"), root }
    }

    /// A relative folder is relative to the root, here and below.
    #[must_use]
    pub fn with_state(mut self, folder: impl AsRef<Path>) -> Self {
        self.state = self.root.join(folder);
        self
    }

    #[must_use]
    pub fn with_logs(mut self, folder: impl AsRef<Path>) -> Self {
        self.logs = self.root.join(folder);
        self
    }

    #[must_use]
    pub fn with_artifacts(mut self, folder: impl AsRef<Path>) -> Self {
        self.artifacts = self.root.join(folder);
        self
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn state(&self) -> &Path {
        &self.state
    }

    pub fn logs(&self) -> &Path {
        &self.logs
    }

    /// The session document.
    pub fn session(&self, id: &ProfileId) -> PathBuf {
        self.state.join(format!("{id}.json"))
    }

    pub fn session_lock(&self, id: &ProfileId) -> PathBuf {
        self.state.join(format!("{id}.lock"))
    }

    /// Returns the profiles that ever ran, in order: a lock file is never deleted.
    pub fn profiles_with_lock(&self) -> Result<Vec<ProfileId>, StoreError> {
        let entries = match fs::read_dir(&self.state) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(StoreError::new("read the folder", &self.state, error)),
        };
        let id = |entry: fs::DirEntry| entry.file_name().to_str()?.strip_suffix(".lock")?.parse().ok();
        let mut profiles: Vec<ProfileId> = entries.flatten().filter_map(id).collect();
        profiles.sort();
        Ok(profiles)
    }

    /// The output of the run.
    pub fn log(&self, id: &ProfileId) -> PathBuf {
        self.logs.join(format!("{id}.log"))
    }

    pub fn events(&self, id: &ProfileId) -> PathBuf {
        self.logs.join(format!("{id}.events.jsonl"))
    }

    pub fn artifacts_folder(&self) -> PathBuf {
        self.artifacts.clone()
    }

    pub fn artifacts(&self, id: &ProfileId) -> PathBuf {
        self.artifacts.join(id.as_str())
    }

    /// Returns the folder of evidence that an event names, in the place where the artifacts lie now. `None`
    /// where the text is no such name.
    pub fn evidence(&self, named: &str) -> Option<PathBuf> {
        let mut parts = Path::new(named).components().rev();
        let (folder, profile) = (parts.next()?.as_os_str().to_str()?, parts.next()?.as_os_str().to_str()?);
        let profile: ProfileId = profile.parse().ok()?;
        (!folder.starts_with('.')).then(|| self.artifacts(&profile).join(folder))
    }

    /// The report of a fleet.
    pub fn report(&self) -> PathBuf {
        self.root.join("report")
    }

    /// Artifacts of flows that were played without a run.
    pub fn play_artifacts(&self) -> PathBuf {
        self.artifacts.join(".play")
    }

    /// The user-data folder of a local Chromium.
    pub fn browser_folder(&self, id: &ProfileId) -> PathBuf {
        self.browser_folders().join(id.as_str())
    }

    pub fn browser_folders(&self) -> PathBuf {
        self.root.join("browsers")
    }

    /// Returns the profiles that a browser was ever opened for, in order.
    pub fn profiles_with_browser_folder(&self) -> Result<Vec<ProfileId>, StoreError> {
        let folder = self.browser_folders();
        let mut profiles: Vec<ProfileId> = match fs::read_dir(&folder) {
            Ok(entries) => {
                entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(StoreError::new("read the folder", folder, error)),
        };
        profiles.sort();
        Ok(profiles)
    }

    pub fn orchestrator_log_folder(&self) -> &Path {
        &self.logs
    }

    pub fn orchestrator_lock(&self) -> PathBuf {
        self.state.join(".orchestrator.lock")
    }

    /// Outcomes that are to be delivered, a SQLite database.
    pub fn outbox(&self) -> PathBuf {
        self.state.join(".outbox.db")
    }

    pub fn selector_cache(&self) -> PathBuf {
        self.root.join(".selector_cache.json")
    }

    pub fn selector_cache_lock(&self) -> PathBuf {
        self.root.join(".selector_cache.lock")
    }

    /// `name` is the provider's.
    pub fn pacer(&self, name: &str) -> PathBuf {
        self.state.join(format!(".pacer-{name}.json"))
    }

    pub fn pacer_lock(&self, name: &str) -> PathBuf {
        self.state.join(format!(".pacer-{name}.lock"))
    }

    /// Numbers and names of a provider's profiles.
    pub fn provider_labels(&self, name: &str) -> PathBuf {
        self.state.join(format!(".labels-{name}.json"))
    }

    /// Creates the folders that every command needs. Folders of a profile are created when they are filled.
    pub fn create_folders(&self) -> Result<(), StoreError> {
        for folder in [&self.state, &self.logs, &self.artifacts] {
            create_folder(folder)?;
        }
        Ok(())
    }
}

/// The file beside a lock in which its holder describes itself.
pub fn lock_holder(lock: &Path) -> PathBuf {
    let mut name = lock.as_os_str().to_owned();
    name.push(".holder");
    name.into()
}

/// Creates a folder and its parents. An existing folder is no error.
pub fn create_folder(folder: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(folder).map_err(StoreError::at("create the folder", folder))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::store::testing;

    #[test]
    fn the_folder_is_the_published_one() {
        let id = "k18imh7u".parse().unwrap();
        let layout = Layout::new("w");
        let paths = [
            layout.session(&id),
            layout.session_lock(&id),
            lock_holder(&layout.session_lock(&id)),
            layout.log(&id),
            layout.events(&id),
            layout.artifacts(&id),
            layout.play_artifacts(),
            layout.browser_folder(&id),
            layout.orchestrator_log_folder().to_owned(),
            layout.orchestrator_lock(),
            layout.outbox(),
            layout.selector_cache(),
            layout.selector_cache_lock(),
            layout.pacer("adspower"),
            layout.pacer_lock("adspower"),
        ];
        let paths: Vec<_> = paths.iter().map(|path| path.to_str().unwrap().replace('\\', "/")).collect();
        expect![[r#"
            w/state/k18imh7u.json
            w/state/k18imh7u.lock
            w/state/k18imh7u.lock.holder
            w/logs/k18imh7u.log
            w/logs/k18imh7u.events.jsonl
            w/artifacts/k18imh7u
            w/artifacts/.play
            w/browsers/k18imh7u
            w/logs
            w/state/.orchestrator.lock
            w/state/.outbox.db
            w/.selector_cache.json
            w/.selector_cache.lock
            w/state/.pacer-adspower.json
            w/state/.pacer-adspower.lock"#]]
        .assert_eq(&paths.join("\n"));
    }

    #[test]
    fn folders_can_lie_elsewhere() {
        let id = "p".parse().unwrap();
        let layout = Layout::new("/w").with_state("s").with_logs("/var/l").with_artifacts("../a");
        assert_eq!(layout.session(&id), Path::new("/w/s/p.json"));
        assert_eq!(layout.log(&id), Path::new("/var/l/p.log"));
        assert_eq!(layout.artifacts(&id), Path::new("/w/../a/p"));
    }

    #[test]
    fn a_file_in_the_place_of_a_folder_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("state"), "").unwrap();
        let error = Layout::new(folder.path().join("state")).create_folders().unwrap_err();
        let story = testing::story(&error, error.hint());
        expect![[r#"
            cannot create the folder ROOT/state/state
            Not a directory (os error 20)
            hint: a file stands where a folder is expected: move it away"#]]
        .assert_eq(&story.replace(folder.path().to_str().unwrap(), "ROOT"));
    }
}
