//! The profiles AdsPower knows, in three groups.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::browser::{Browser, Connection, Liveness};

pub const GROUPS: [(&str, &str); 3] = [("1", "Harbour"), ("2", "Pine"), ("3", "Quay")];

pub struct Profile {
    pub id: String,
    /// The serial number, from 1.
    pub number: usize,
    pub folder: PathBuf,
    /// Held over a whole start or stop: no two of them meet on one profile.
    pub browser: tokio::sync::Mutex<Option<Browser>>,
    /// What can be told without waiting for a start or stop under way.
    open: Mutex<Option<(Connection, Liveness)>>,
}

impl Profile {
    fn new(id: String, number: usize, folder: &Path) -> Self {
        let folder = folder.join(&id);
        Profile { id, number, folder, browser: tokio::sync::Mutex::new(None), open: Mutex::new(None) }
    }

    pub fn set_open(&self, browser: Option<&Browser>) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        *open = browser.map(|browser| (browser.connection().clone(), browser.liveness()));
    }

    /// A browser that died by itself is not open.
    pub fn open(&self) -> Option<Connection> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let (connection, liveness) = open.as_ref()?;
        liveness.is_alive().then(|| connection.clone())
    }

    pub fn group(&self) -> (&'static str, &'static str) {
        GROUPS[(self.number - 1) % GROUPS.len()]
    }

    pub fn v1_item(&self) -> Value {
        let (group_id, group_name) = self.group();
        json!({
            "serial_number": self.number.to_string(),
            "user_id": self.id,
            "name": format!("Practice {}", self.number),
            "group_id": group_id,
            "group_name": group_name,
            "domain_name": "",
            "username": "",
            "remark": "",
            "created_time": "1760000000",
            "last_open_time": "0",
            "password": "not-a-password",
            "user_proxy_config": { "proxy_soft": "no_proxy" },
        })
    }

    pub fn v2_item(&self) -> Value {
        let (group_id, group_name) = self.group();
        json!({
            "profile_no": self.number.to_string(),
            "profile_id": self.id,
            "name": format!("Practice {}", self.number),
            "group_id": group_id,
            "group_name": group_name,
            "platform": "",
            "username": "",
            "remark": "",
            "created_time": "1760000000",
            "last_open_time": "0",
            "password": "not-a-password",
            "user_proxy_config": { "proxy_soft": "no_proxy" },
        })
    }
}

pub fn numbered(count: usize, folder: &Path) -> Vec<Profile> {
    (1..=count).map(|number| Profile::new(format!("p{number}"), number, folder)).collect()
}

/// One id a line, `#` starts a comment.
pub fn read(file: &Path, folder: &Path) -> io::Result<Vec<Profile>> {
    let place = |text: String| io::Error::other(format!("{}: {text}", file.display()));
    let text = fs::read_to_string(file).map_err(|error| place(error.to_string()))?;
    let mut ids = HashSet::new();
    let mut profiles = Vec::new();
    for line in text.lines() {
        let id = line.split('#').next().unwrap_or_default().trim();
        if id.is_empty() {
            continue;
        }
        // The id becomes a folder's name.
        let safe = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        if !id.chars().all(safe) || id.len() > 128 {
            return Err(place(format!("`{id}` is no profile id")));
        }
        if ids.insert(id) {
            profiles.push(Profile::new(id.to_owned(), profiles.len() + 1, folder));
        }
    }
    Ok(profiles)
}
