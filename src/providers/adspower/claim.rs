//! Records which browser of a profile this folder has requested from AdsPower.
//!
//! AdsPower returns the open browser of a profile to every caller, and `stop` closes it regardless of its
//! opener. Only this record, `browsers/ID/adspower.json`, distinguishes a browser of this folder from one that
//! a person or another program has opened. It is durable before `start` is sent, so it survives a crash of
//! the run at any moment.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::providers::ProviderError;
use crate::store::layout::create_folder;
use crate::store::{Layout, StoreError, durable};
use regatta_core::id::ProfileId;

/// How far the wall clock and the age of a process may disagree.
const CLOCK_ERROR: Duration = Duration::from_millis(if cfg!(target_os = "linux") { 250 } else { 2500 });

/// How long after `start_timeout` AdsPower may still open the browser.
const OPENS_LATE: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The address of the browser; absent while the answer is awaited.
    pub ws: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<StartCallTimes>,
}

/// When `start` was sent: the first and the last time of those that may have opened the browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartCallTimes {
    pub first: Timestamp,
    pub last: Timestamp,
}

impl Claim {
    pub fn of(ws: &str) -> Self {
        Self { ws: Some(ws.to_owned()), asked: None }
    }

    /// Whether the browser at `ws`, whose process began at `born` where that is known, is the one that was
    /// asked for. A start opens it within `start_timeout` or a little later, or not at all.
    pub fn owns(&self, ws: &str, born: Option<Timestamp>, now: Timestamp, start_timeout: Duration) -> bool {
        match (&self.ws, self.asked, born) {
            (Some(known), _, _) => is_same_browser(known, ws),
            (None, Some(asked), Some(born)) => {
                born.saturating_add(CLOCK_ERROR).is_ok_and(|born| born >= asked.first)
                    && born <= last_opening(asked, start_timeout)
            }
            (None, Some(_), None) => self.may_be_opening(now, start_timeout),
            (None, None, _) => false,
        }
    }

    /// Whether AdsPower may still be opening what was asked for.
    pub fn may_be_opening(&self, now: Timestamp, start_timeout: Duration) -> bool {
        self.ws.is_none() && self.asked.is_some_and(|asked| now <= last_opening(asked, start_timeout))
    }
}

fn last_opening(asked: StartCallTimes, start_timeout: Duration) -> Timestamp {
    asked.last.saturating_add(start_timeout.saturating_add(OPENS_LATE)).unwrap_or(Timestamp::MAX)
}

/// The UUID in its path is a browser's identity. Ports are used again.
pub fn is_same_browser(one: &str, other: &str) -> bool {
    let path = |ws: &str| Url::parse(ws).map(|url| url.path().to_owned());
    match (path(one), path(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

/// The claims of a folder.
pub struct Claims(Layout);

impl Claims {
    pub const fn new(layout: Layout) -> Self {
        Self(layout)
    }

    fn path(&self, profile: &ProfileId) -> PathBuf {
        self.0.browser_folder(profile).join("adspower.json")
    }

    /// A record that cannot be read claims no browser.
    pub fn read(&self, profile: &ProfileId) -> Option<Claim> {
        let bytes = fs::read(self.path(profile)).ok()?;
        Some(serde_json::from_slice(&bytes).unwrap_or_default())
    }

    pub fn write(&self, profile: &ProfileId, claim: &Claim) -> Result<(), ProviderError> {
        create_folder(&self.0.browser_folder(profile))?;
        let bytes = serde_json::to_vec(claim).expect("addresses and times are always JSON");
        Ok(durable::replace(&self.path(profile), &bytes)?)
    }

    pub fn remove(&self, profile: &ProfileId) -> Result<(), ProviderError> {
        let path = self.path(profile);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::new("remove", path, error).into())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "ws://127.0.0.1:43703/devtools/browser/6b1e";
    const OTHER: &str = "ws://127.0.0.1:43703/devtools/browser/77aa";
    const LIMIT: Duration = Duration::from_secs(120);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn the_uuid_identifies_the_browser() {
        let claim = Claim::of(OURS);
        assert!(claim.owns("ws://localhost:1/devtools/browser/6b1e", None, at(0), LIMIT));
        assert!(!claim.owns(OTHER, None, at(0), LIMIT), "ports are used again");
    }

    #[test]
    fn without_an_answer_the_age_of_its_process_identifies_the_browser() {
        let claim = Claim { ws: None, asked: Some(StartCallTimes { first: at(100), last: at(110) }) };
        let owns = |born| claim.owns(OURS, Some(at(born)), at(100_000), LIMIT);
        // Before we asked; the process of our start; opened by a person the next day.
        assert_eq!(
            [90, 99, 100, 115, 260, 261, 90_000].map(owns),
            [false, false, true, true, true, false, false]
        );
        // A browser of unknown age is ours as long as our start may have opened it.
        assert!(claim.owns(OURS, None, at(260), LIMIT) && !claim.owns(OURS, None, at(261), LIMIT));
    }

    #[test]
    fn a_record_of_before_is_read_and_claims_no_unknown_browser() {
        let older: Claim = serde_json::from_str(&format!(r#"{{"ws":"{OURS}"}}"#)).unwrap();
        assert_eq!(older, Claim::of(OURS));
        let awaited: Claim = serde_json::from_str(r#"{"ws":null}"#).unwrap();
        assert!(!awaited.owns(OURS, Some(at(0)), at(0), LIMIT) && !awaited.may_be_opening(at(0), LIMIT));
    }
}
