//! The site's misbehaviour, switched at start and at run time.
//!
//! Counting: `fail_first` and `hang_first` count requests of all browsers together, for each path
//! prefix, because before a sign-in the owner of a request is unknown. `fail_after_accept` counts
//! for each profile. Posting one of these keys starts its counts again; a restart starts all again.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::site::ledger::SUBMISSIONS;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switches {
    pub latency_ms: u64,
    /// Up to so much is added to the latency, evenly spread.
    pub latency_jitter_ms: u64,
    pub mail_delay_ms: u64,
    /// Path prefix to the number of its first requests that are answered with 503.
    pub fail_first: BTreeMap<String, u64>,
    /// Submission to the number of its first acceptances that are answered with 503.
    pub fail_after_accept: BTreeMap<String, u64>,
    /// Path prefix to the number of documents that may be asked for below it in a minute; the others are answered
    /// with 429.
    pub limit: BTreeMap<String, u64>,
    /// Those answers do not say when to come back.
    pub limit_silently: bool,
    /// Path prefixes whose requests are never answered.
    pub hang: Vec<String>,
    /// Only so many requests of each of them; absent: all.
    pub hang_first: Option<u64>,
    /// Gives ids, class names and test ids other names; texts and roles stay.
    pub rename: bool,
    /// What pages do late, buttons, banners, content, they do at once.
    pub brisk: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Switches {
            latency_ms: 0,
            latency_jitter_ms: 0,
            mail_delay_ms: 1200,
            fail_first: BTreeMap::new(),
            fail_after_accept: BTreeMap::new(),
            limit: BTreeMap::new(),
            limit_silently: false,
            hang: Vec::new(),
            hang_first: None,
            rename: false,
            brisk: false,
        }
    }
}

impl Switches {
    /// A misspelt submission would silently test nothing.
    pub fn check(&self) -> Result<(), String> {
        for name in self.fail_after_accept.keys() {
            if !SUBMISSIONS.contains(&name.as_str()) {
                return Err(format!("no submission `{name}`; there are {}", SUBMISSIONS.join(", ")));
            }
        }
        let prefixes = self.fail_first.keys().chain(self.limit.keys()).chain(&self.hang);
        for prefix in prefixes {
            if !prefix.starts_with('/') {
                return Err(format!("the path prefix `{prefix}` must start with /"));
            }
        }
        Ok(())
    }
}

/// The treatment of a request before its page is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    Proceed,
    Fail,
    Hang,
    /// There were too many in this minute; the next one may come after so many seconds, where the site says so.
    Busy {
        retry_after: Option<u64>,
    },
}

/// The switches and how often each has struck.
#[derive(Debug, Default)]
pub struct FaultSwitches {
    switches: Switches,
    failed: HashMap<String, u64>,
    hung: HashMap<String, u64>,
    /// When the documents of the last minute were asked for.
    limited: HashMap<String, VecDeque<Instant>>,
    failed_after_accept: HashMap<(String, String), u64>,
}

impl FaultSwitches {
    pub fn new(switches: Switches) -> Self {
        FaultSwitches { switches, ..FaultSwitches::default() }
    }

    pub fn switches(&self) -> &Switches {
        &self.switches
    }

    /// Sets the keys present in `body` and leaves the others; `null` sets a key's default.
    pub fn post(&mut self, body: &Value) -> Result<(), String> {
        let body = body.as_object().ok_or("expected a JSON object")?;
        let mut merged = serde_json::to_value(&self.switches).map_err(|error| error.to_string())?;
        for (key, value) in body {
            if value.is_null() {
                // An absent key takes its default below.
                if let Some(merged) = merged.as_object_mut() {
                    merged.remove(key);
                }
            } else {
                merged[key.as_str()] = value.clone();
            }
        }
        let switches: Switches = serde_json::from_value(merged).map_err(|error| error.to_string())?;
        switches.check()?;
        self.switches = switches;
        if body.contains_key("fail_first") {
            self.failed.clear();
        }
        if body.contains_key("limit") {
            self.limited.clear();
        }
        if body.contains_key("hang") || body.contains_key("hang_first") {
            self.hung.clear();
        }
        if body.contains_key("fail_after_accept") {
            self.failed_after_accept.clear();
        }
        Ok(())
    }

    /// `random` is evenly spread over 0..1.
    pub fn latency(&self, random: f64) -> Duration {
        let jitter = self.switches.latency_jitter_ms as f64 * random;
        Duration::from_millis(self.switches.latency_ms + jitter as u64)
    }

    pub fn fate(&mut self, path: &str, is_document: bool, now: Instant) -> Fate {
        if is_document && let Some(busy) = self.over_the_limit(path, now) {
            return busy;
        }
        let limit = self.switches.hang_first.unwrap_or(u64::MAX);
        for prefix in &self.switches.hang {
            if path.starts_with(prefix.as_str()) && take(&mut self.hung, prefix.clone(), limit) {
                return Fate::Hang;
            }
        }
        for (prefix, &limit) in &self.switches.fail_first {
            if path.starts_with(prefix.as_str()) && take(&mut self.failed, prefix.clone(), limit) {
                return Fate::Fail;
            }
        }
        Fate::Proceed
    }

    /// One that is refused does not count.
    fn over_the_limit(&mut self, path: &str, now: Instant) -> Option<Fate> {
        const MINUTE: Duration = Duration::from_secs(60);
        for (prefix, &limit) in &self.switches.limit {
            if !path.starts_with(prefix.as_str()) {
                continue;
            }
            let asked = self.limited.entry(prefix.clone()).or_default();
            while asked.front().is_some_and(|at| now.duration_since(*at) >= MINUTE) {
                asked.pop_front();
            }
            if asked.len() as u64 >= limit {
                let wait = asked.front().map_or(MINUTE, |at| MINUTE.saturating_sub(now.duration_since(*at)));
                let retry_after = (!self.switches.limit_silently).then(|| wait.as_secs() + 1);
                return Some(Fate::Busy { retry_after });
            }
            asked.push_back(now);
        }
        None
    }

    pub fn fails_after_accept(&mut self, submission: &str, profile: &str) -> bool {
        let Some(&limit) = self.switches.fail_after_accept.get(submission) else {
            return false;
        };
        let key = (submission.to_owned(), profile.to_owned());
        take(&mut self.failed_after_accept, key, limit)
    }
}

/// Counts one more, unless the limit is reached.
fn take<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, u64>, key: K, limit: u64) -> bool {
    let count = counts.entry(key).or_default();
    let within = *count < limit;
    *count += u64::from(within);
    within
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_prefix_fails_its_first_requests_only() {
        let mut faults = FaultSwitches::default();
        faults.post(&json!({"fail_first": {"/store": 2}})).unwrap();
        let fates: Vec<Fate> = ["/store/a", "/mail", "/store/b", "/store/a"]
            .into_iter()
            .map(|path| faults.fate(path, true, Instant::now()))
            .collect();
        assert_eq!(fates, [Fate::Fail, Fate::Proceed, Fate::Fail, Fate::Proceed]);
    }

    #[test]
    fn a_limit_counts_the_documents_of_a_minute() {
        let mut faults = FaultSwitches::default();
        faults.post(&json!({"limit": {"/store": 2}})).unwrap();
        let start = Instant::now();
        let mut at = |seconds: u64, path: &str, is_document: bool| {
            faults.fate(path, is_document, start + Duration::from_secs(seconds))
        };
        assert_eq!([at(0, "/store/a", true), at(10, "/store", true)], [Fate::Proceed, Fate::Proceed]);
        assert_eq!(at(20, "/store", true), Fate::Busy { retry_after: Some(41) });
        assert_eq!([at(20, "/store/api", false), at(20, "/mail", true)], [Fate::Proceed, Fate::Proceed]);
        assert_eq!(at(61, "/store", true), Fate::Proceed);
        assert_eq!(at(61, "/store", true), Fate::Busy { retry_after: Some(10) });
        faults.post(&json!({"limit_silently": true})).unwrap();
        assert_eq!(faults.fate("/store", true, start), Fate::Busy { retry_after: None });
    }

    #[test]
    fn acceptances_fail_for_each_profile() {
        let mut faults = FaultSwitches::default();
        faults.post(&json!({"fail_after_accept": {"store_signup": 1}})).unwrap();
        let struck: Vec<bool> = ["p1", "p2", "p1"]
            .into_iter()
            .map(|profile| faults.fails_after_accept("store_signup", profile))
            .collect();
        assert_eq!(struck, [true, true, false]);
    }

    #[test]
    fn a_post_leaves_the_other_switches() {
        let mut faults = FaultSwitches::default();
        faults.post(&json!({"rename": true, "latency_ms": 5})).unwrap();
        faults.post(&json!({"latency_ms": null})).unwrap();
        assert_eq!(faults.switches(), &Switches { rename: true, ..Switches::default() });
        assert!(faults.post(&json!({"latncy_ms": 5})).is_err());
        assert!(faults.post(&json!({"fail_after_accept": {"store": 1}})).is_err());
    }
}
