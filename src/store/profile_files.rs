//! Reads what one profile has on the disk, on demand: for a page that shows it.

use std::fs;

use super::session::SessionReader;
use super::{EventReader, Layout, event_log, folder_watcher, log_file};
use regatta_core::event::{Event, EventKind};
use regatta_core::id::{Flag, ProfileId};
use regatta_core::view::overview::ProfileView;

#[derive(Debug, Clone)]
pub struct ProfileFiles {
    layout: Layout,
    /// The workflow's steps.
    steps: Vec<Flag>,
}

impl ProfileFiles {
    pub fn new(layout: Layout, steps: Vec<Flag>) -> Self {
        Self { layout, steps }
    }

    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Returns `None` for a profile without a session and without events.
    pub fn view(&self, profile: &ProfileId) -> Option<ProfileView> {
        let known =
            [self.layout.session(profile), self.layout.events(profile)].iter().any(|path| path.exists());
        let reader = SessionReader::new(&self.layout).ok()?;
        if !known && !reader.profiles().contains(profile) {
            return None;
        }
        let mut view = folder_watcher::read(&self.layout, &self.steps, &reader, profile).ok()?;
        let mut events = EventReader::from_start(self.layout.events(profile));
        events.poll().unwrap_or_default().iter().for_each(|event| view.summary.apply(event));
        Some(view)
    }

    /// Returns the latest `most` events, oldest first. The starts of actions are left out: they would
    /// crowd out the rest.
    pub fn events(&self, profile: &ProfileId, most: usize) -> Vec<Event> {
        let wanted = |kind: &EventKind| !matches!(kind, EventKind::ActionStarted { .. });
        event_log::tail(&self.layout.events(profile), most, wanted).unwrap_or_default()
    }

    pub fn log(&self, profile: &ProfileId, lines: usize) -> String {
        log_file::last_lines(&self.layout.log(profile), lines).unwrap_or_default()
    }

    /// Reads a file below the profile's artifacts. Returns `None` for a path that leads out of them, by a
    /// link too.
    pub fn artifact(&self, profile: &ProfileId, path: &str) -> Option<Vec<u8>> {
        let folder = self.layout.artifacts(profile).canonicalize().ok()?;
        let file = folder.join(path).canonicalize().ok().filter(|file| file.starts_with(&folder))?;
        fs::read(file).ok()
    }
}
