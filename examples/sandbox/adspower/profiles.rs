//! The profiles AdsPower knows, in three groups, some of them with tags.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::browser::{EmulatedBrowser, EmulatedConnection, ProcessStatus};

/// The first tag belongs to every second profile, from the first one on; the second one to every third.
pub const TAGS: [(&str, &str); 2] = [("11", "Blue"), ("12", "Green")];

pub const GROUPS: [(&str, &str); 3] = [("1", "Harbour"), ("2", "Pine"), ("3", "Quay")];

pub struct EmulatedProfile {
    pub id: String,
    /// The serial number, from 1.
    pub number: usize,
    pub name: String,
    pub folder: PathBuf,
    /// Held over a whole start or stop: no two of them meet on one profile.
    pub browser: tokio::sync::Mutex<Option<EmulatedBrowser>>,
    /// The state that is known without waiting for a start or stop under way.
    open: Mutex<Option<(EmulatedConnection, ProcessStatus)>>,
}

impl EmulatedProfile {
    /// `name` is for people; without one it is `Practice` and its number.
    fn new(id: String, number: usize, name: &str, folder: &Path) -> Self {
        let folder = folder.join(&id);
        let name = if name.is_empty() { format!("Practice {number}") } else { name.to_owned() };
        EmulatedProfile {
            id,
            number,
            name,
            folder,
            browser: tokio::sync::Mutex::new(None),
            open: Mutex::new(None),
        }
    }

    pub fn set_open(&self, browser: Option<&EmulatedBrowser>) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        *open = browser.map(|browser| (browser.connection().clone(), browser.liveness()));
    }

    /// A browser that crashed is not open.
    pub fn open(&self) -> Option<EmulatedConnection> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let (connection, liveness) = open.as_ref()?;
        liveness.is_alive().then(|| connection.clone())
    }

    pub fn group(&self) -> (&'static str, &'static str) {
        GROUPS[(self.number - 1) % GROUPS.len()]
    }

    /// Ids of its tags.
    pub fn tags(&self) -> impl Iterator<Item = &'static str> {
        let has = [self.number % 2 == 1, self.number.is_multiple_of(3)];
        TAGS.into_iter().zip(has).filter_map(|((id, _), has)| has.then_some(id))
    }

    pub fn v1_item(&self) -> Value {
        let (group_id, group_name) = self.group();
        json!({
            "serial_number": self.number.to_string(),
            "user_id": self.id,
            "name": self.name,
            "group_id": group_id,
            "group_name": group_name,
            "domain_name": "",
            "username": "",
            "remark": "",
            "created_time": "1760000000",
            "last_open_time": "0",
            "password": "not-a-password",
            "fakey": "not-a-secret",
            "ip": "",
            "ip_country": "",
            "fbcc_proxy_acc_id": "",
            "ipchecker": "",
            "sys_app_cate_id": "0",
            "user_proxy_config": { "proxy_soft": "no_proxy" },
        })
    }

    pub fn v2_item(&self) -> Value {
        let (group_id, group_name) = self.group();
        json!({
            "profile_no": self.number.to_string(),
            "profile_id": self.id,
            "name": self.name,
            "group_id": group_id,
            "group_name": group_name,
            "platform": "",
            "username": "",
            "remark": "",
            "created_time": "1760000000",
            "last_open_time": "0",
            "password": "not-a-password",
            "fakey": "not-a-secret",
            "ip": "",
            "ip_country": "",
            "fbcc_proxy_acc_id": "",
            "ipchecker": "",
            "sys_app_cate_id": "0",
            "user_proxy_config": { "proxy_soft": "no_proxy" },
        })
    }
}

pub fn numbered(count: usize, folder: &Path) -> Vec<EmulatedProfile> {
    (1..=count).map(|number| EmulatedProfile::new(format!("p{number}"), number, "", folder)).collect()
}

/// One id a line, and a name behind it where it has one; `#` starts a comment.
pub fn read(file: &Path, folder: &Path) -> io::Result<Vec<EmulatedProfile>> {
    let place = |text: String| io::Error::other(format!("{}: {text}", file.display()));
    let text = fs::read_to_string(file).map_err(|error| place(error.to_string()))?;
    let mut ids = HashSet::new();
    let mut profiles = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let (id, name) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        if id.is_empty() {
            continue;
        }
        // The id becomes a folder's name.
        let safe = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        if !id.chars().all(safe) || id.len() > 128 {
            return Err(place(format!("`{id}` is no profile id")));
        }
        if ids.insert(id) {
            profiles.push(EmulatedProfile::new(id.to_owned(), profiles.len() + 1, name.trim(), folder));
        }
    }
    Ok(profiles)
}
