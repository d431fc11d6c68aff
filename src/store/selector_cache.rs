//! Which of a step's selectors matched last time, shared by all runs of a folder, so that the next
//! profile does not wait for the ones that no longer do.
//!
//! Only a cache: what is lost costs time, never correctness. Runs merge their own changes into the
//! file under a lock, so none takes another's away. A file that cannot be read is moved aside; one of
//! a newer regatta is left alone, and nothing is remembered.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as MapEntry;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Layout, Lock, StoreError, durable};

const VERSION: u32 = 1;
/// Pages with an id in their path would let the file grow for ever: the least recently used go.
const MOST_ENTRIES: usize = 10_000;

#[derive(Debug)]
pub struct SelectorCache {
    path: PathBuf,
    lock: PathBuf,
    known: BTreeMap<String, Entry>,
    /// What this run learned since the last flush; `hits` count from there.
    learned: BTreeMap<String, Entry>,
}

/// A step of a flow, on a page.
#[derive(Debug, Clone, Copy)]
pub struct SelectorKey<'a> {
    pub flow: &'a str,
    pub step: &'a str,
    /// Of the step's selectors: an edited step forgets.
    pub digest: &'a str,
    pub origin: &'a str,
    pub path: &'a str,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Entry {
    digest: String,
    /// Index among the step's alternatives.
    alternative: usize,
    at: Timestamp,
    hits: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Document {
    version: u32,
    entries: BTreeMap<String, Entry>,
}

impl SelectorCache {
    pub fn open(layout: &Layout) -> Result<Self, StoreError> {
        let mut cache = Self {
            path: layout.selector_cache(),
            lock: layout.selector_cache_lock(),
            known: BTreeMap::new(),
            learned: BTreeMap::new(),
        };
        // Without the lock: the file is replaced whole.
        cache.known = match read(&cache.path)? {
            Found::Entries(entries) => entries,
            Found::Nothing | Found::Newer => BTreeMap::new(),
            Found::Garbage => {
                let _lock = Lock::wait(&cache.lock)?;
                read_or_set_aside(&cache.path)?.unwrap_or_default()
            }
        };
        Ok(cache)
    }

    /// The alternative that matched last time.
    pub fn recall(&self, key: SelectorKey<'_>) -> Option<usize> {
        let name = name_of(key);
        let entry = self.learned.get(&name).or_else(|| self.known.get(&name))?;
        (entry.digest == key.digest).then_some(entry.alternative)
    }

    /// An alternative matched. Kept in memory until the next flush.
    pub fn remember(&mut self, key: SelectorKey<'_>, alternative: usize, at: Timestamp) {
        let new = Entry { digest: key.digest.to_owned(), alternative, at, hits: 1 };
        absorb(&mut self.learned, name_of(key), new);
    }

    /// Brings what this run learned into the file, and what others learned into this run.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        if self.learned.is_empty() {
            return Ok(());
        }
        let _lock = Lock::wait(&self.lock)?;
        let Some(mut entries) = read_or_set_aside(&self.path)? else {
            return Ok(());
        };
        for (name, entry) in &self.learned {
            absorb(&mut entries, name.clone(), entry.clone());
        }
        drop_oldest(&mut entries, MOST_ENTRIES);
        let document = Document { version: VERSION, entries };
        let bytes = serde_json::to_vec(&document).expect("the cache is always a JSON document");
        durable::replace(&self.path, &bytes)?;
        self.known = document.entries;
        self.learned.clear();
        Ok(())
    }
}

impl Drop for SelectorCache {
    fn drop(&mut self) {
        // Nobody is left to tell, and it is only a cache.
        let _ = self.flush();
    }
}

/// The later of two answers wins; hits of the same answer add up.
fn absorb(entries: &mut BTreeMap<String, Entry>, name: String, new: Entry) {
    match entries.entry(name) {
        MapEntry::Vacant(place) => {
            place.insert(new);
        }
        MapEntry::Occupied(mut place) => {
            let old = place.get_mut();
            if old.digest == new.digest && old.alternative == new.alternative {
                old.hits = old.hits.saturating_add(new.hits);
                old.at = old.at.max(new.at);
            } else if new.at >= old.at {
                *old = new;
            }
        }
    }
}

fn drop_oldest(entries: &mut BTreeMap<String, Entry>, most: usize) {
    let Some(surplus) = entries.len().checked_sub(most).filter(|surplus| *surplus > 0) else { return };
    let mut by_age: Vec<_> = entries.iter().map(|(name, entry)| (entry.at, name.clone())).collect();
    by_age.sort_unstable();
    for (_, name) in by_age.into_iter().take(surplus) {
        entries.remove(&name);
    }
}

fn name_of(key: SelectorKey<'_>) -> String {
    [key.flow, key.step, key.origin, key.path].map(|part| part.replace('|', "%7C")).join("|")
}

enum Found {
    Nothing,
    Entries(BTreeMap<String, Entry>),
    Newer,
    Garbage,
}

fn read(path: &Path) -> Result<Found, StoreError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(StoreError::new("read", path, error)),
    };
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    if serde_json::from_slice::<Version>(&bytes).is_ok_and(|found| found.version > VERSION) {
        return Ok(Found::Newer);
    }
    Ok(serde_json::from_slice::<Document>(&bytes)
        .map_or(Found::Garbage, |document| Found::Entries(document.entries)))
}

/// Under the lock. `None`: the file is a newer regatta's.
fn read_or_set_aside(path: &Path) -> Result<Option<BTreeMap<String, Entry>>, StoreError> {
    match read(path)? {
        Found::Entries(entries) => Ok(Some(entries)),
        Found::Nothing => Ok(Some(BTreeMap::new())),
        Found::Newer => Ok(None),
        Found::Garbage => {
            // One copy is enough: it is kept for curiosity only.
            let mut aside = path.as_os_str().to_owned();
            aside.push(".damaged");
            fs::rename(path, aside).map_err(StoreError::at("rename", path))?;
            Ok(Some(BTreeMap::new()))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use expect_test::expect;

    use super::*;
    use crate::store::testing::{child, child_value, folder, now, storm};

    fn key(path: &str) -> SelectorKey<'_> {
        SelectorKey { flow: "flows/a.json", step: "4", digest: "d1", origin: "http://127.0.0.1:8800", path }
    }

    #[test]
    fn what_one_run_learned_the_next_recalls() {
        let (_folder, layout) = folder();
        let mut cache = SelectorCache::open(&layout).unwrap();
        assert_eq!(cache.recall(key("/")), None);
        cache.remember(key("/"), 2, now());
        assert_eq!(cache.recall(key("/")), Some(2), "before it is flushed");
        cache.flush().unwrap();
        cache.remember(key("/"), 2, now());
        cache.remember(key("/x|y"), 0, now());
        drop(cache);

        let cache = SelectorCache::open(&layout).unwrap();
        assert_eq!(cache.recall(key("/")), Some(2));
        assert_eq!(cache.recall(SelectorKey { digest: "d2", ..key("/") }), None, "the step was edited");
        expect![[r#"{"version":1,"entries":{"flows/a.json|4|http://127.0.0.1:8800|/":{"digest":"d1","alternative":2,"at":"2026-01-02T03:04:05Z","hits":2},"flows/a.json|4|http://127.0.0.1:8800|/x%7Cy":{"digest":"d1","alternative":0,"at":"2026-01-02T03:04:05Z","hits":1}}}"#]]
            .assert_eq(&fs::read_to_string(layout.selector_cache()).unwrap());
    }

    #[test]
    fn the_later_answer_wins() {
        let (_folder, layout) = folder();
        let (mut early, mut late) =
            (SelectorCache::open(&layout).unwrap(), SelectorCache::open(&layout).unwrap());
        early.remember(key("/"), 0, now());
        late.remember(key("/"), 1, now() + Duration::from_secs(1));
        late.flush().unwrap();
        early.flush().unwrap();
        assert_eq!(early.recall(key("/")), Some(1), "a flush also learns");
    }

    #[test]
    fn garbage_is_moved_aside() {
        let (_folder, layout) = folder();
        for garbage in ["", "{}", "[1]", r#"{"version":1,"entries":{"a":1}}"#] {
            fs::write(layout.selector_cache(), garbage).unwrap();
            let mut cache = SelectorCache::open(&layout).unwrap();
            assert_eq!(cache.recall(key("/")), None);
            assert_eq!(
                fs::read_to_string(layout.root().join(".selector_cache.json.damaged")).unwrap(),
                garbage
            );
            // And again, after it was opened.
            fs::write(layout.selector_cache(), garbage).unwrap();
            cache.remember(key("/"), 1, now());
            cache.flush().unwrap();
            assert_eq!(SelectorCache::open(&layout).unwrap().recall(key("/")), Some(1));
        }
    }

    #[test]
    fn a_newer_file_is_left_alone() {
        let (_folder, layout) = folder();
        let newer = r#"{"version":2,"pages":[]}"#;
        fs::write(layout.selector_cache(), newer).unwrap();
        let mut cache = SelectorCache::open(&layout).unwrap();
        cache.remember(key("/"), 1, now());
        cache.flush().unwrap();
        assert_eq!(fs::read_to_string(layout.selector_cache()).unwrap(), newer);
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let entry = |seconds: u64| Entry {
            digest: String::new(),
            alternative: 0,
            at: now() + Duration::from_secs(seconds),
            hits: 1,
        };
        let mut entries = BTreeMap::from([
            ("a".to_owned(), entry(3)),
            ("b".to_owned(), entry(1)),
            ("c".to_owned(), entry(2)),
        ]);
        drop_oldest(&mut entries, 2);
        assert_eq!(entries.into_keys().collect::<Vec<_>>(), ["a", "c"]);
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let (_folder, layout) = folder();
        fs::create_dir(layout.selector_cache()).unwrap();
        let error = SelectorCache::open(&layout).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot read {}", layout.selector_cache().display()));
    }

    #[test]
    fn child_learns() {
        let Some(value) = child_value() else { return };
        let (number, root) = value.split_once(' ').unwrap();
        let mut cache = SelectorCache::open(&Layout::new(root)).unwrap();
        for round in 0..20 {
            cache.remember(key(&format!("/{number}/{round}")), round, now());
            cache.remember(key("/shared"), 3, now());
            cache.flush().unwrap();
        }
    }

    #[test]
    fn sixteen_processes_lose_no_update() {
        let (_folder, layout) = folder();
        let mut children: Vec<_> = (0..16)
            .map(|number| {
                let value = format!("{number} {}", layout.root().display());
                child("store::selector_cache::tests::child_learns", &value)
                    .stdout(std::process::Stdio::null())
                    .spawn()
                    .unwrap()
            })
            .collect();
        assert!(children.iter_mut().all(|child| child.wait().unwrap().success()));
        let cache = SelectorCache::open(&layout).unwrap();
        for number in 0..16 {
            for round in 0..20 {
                assert_eq!(cache.recall(key(&format!("/{number}/{round}"))), Some(round));
            }
        }
        assert_eq!(cache.known[&name_of(key("/shared"))].hits, 16 * 20);
    }

    #[test]
    fn child_learns_until_it_is_killed() {
        let Some(value) = child_value() else { return };
        let mut words = value.splitn(3, ' ');
        let mut word = || words.next().unwrap();
        let (place, first, root) = (word(), word().parse::<usize>().unwrap(), word());
        let mut cache = SelectorCache::open(&Layout::new(root)).unwrap();
        for round in first.. {
            cache.remember(key(&format!("/{place}")), round, now());
            cache.flush().unwrap();
            println!("learnt {round}");
        }
    }

    #[test]
    fn sixteen_processes_of_which_some_are_killed_lose_no_update() {
        let (_folder, layout) = folder();
        let mut learnt = [0_usize; 16];
        storm(|place, said| {
            if let Some(said) = said {
                let rounds = said.lines().filter_map(|line| line.split_once("learnt ")?.1.parse().ok());
                learnt[place] = rounds.max().unwrap_or(learnt[place]);
                let found = SelectorCache::open(&layout).unwrap().recall(key(&format!("/{place}")));
                let found = found.unwrap_or_default();
                // It may have been killed between the update and its word.
                let range = learnt[place]..=learnt[place] + 1;
                assert!(range.contains(&found), "place {place} said {}, found {found}", learnt[place]);
                learnt[place] = found;
            }
            let value = format!("{place} {} {}", learnt[place] + 1, layout.root().display());
            child("store::selector_cache::tests::child_learns_until_it_is_killed", &value)
        });
        assert!(learnt.iter().sum::<usize>() > 16, "{learnt:?}");
    }
}
