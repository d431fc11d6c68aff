//! Records which of a step's selectors matched last time and which element it found, for all runs of a
//! folder. The next profile does not wait for selectors that no longer match, and notices one that matches
//! another element now.
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
use regatta_core::fingerprint::{Fingerprint, Likeness};
use regatta_core::mask::Mask;

/// Version 1 had no fingerprints, version 2 said less in them; both are read, and written as this one.
const VERSION: u32 = 3;
/// Pages with an id in their path would let the file grow for ever: the least recently used go. Some
/// two megabytes, which every run reads.
const MOST_ENTRIES: usize = 4_000;

#[derive(Debug)]
pub struct SelectorCache {
    path: PathBuf,
    lock: PathBuf,
    known: BTreeMap<String, SelectorEntry>,
    /// Entries of this run since the last flush; `hits` count from there.
    learned: BTreeMap<String, SelectorEntry>,
}

/// A step of a flow, on a page.
#[derive(Debug, Clone, Copy)]
pub struct CacheKey<'a> {
    pub flow: &'a str,
    pub step: &'a str,
    /// Of the step's selectors: an edited step forgets.
    pub digest: &'a str,
    pub origin: &'a str,
    pub path: &'a str,
}

/// The cached selectors of a step on a page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SelectorEntry {
    pub digest: String,
    /// Index among the step's alternatives; the last one that matched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alternative: Option<usize>,
    pub at: Timestamp,
    pub hits: u64,
    /// The element that it found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub element: Option<Fingerprint>,
    /// A selector found by likeness, with which a step has reached its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healed: Option<SimilarSelector>,
    /// A selector found by likeness that no step has tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<SimilarSelector>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SimilarSelector {
    #[serde(flatten)]
    pub likeness: Likeness,
    pub at: Timestamp,
}

/// An entry and the step it is of.
#[derive(Debug, Clone, PartialEq)]
pub struct SelectorRecord {
    pub flow: String,
    pub step: String,
    pub origin: String,
    pub path: String,
    pub entry: SelectorEntry,
}

#[derive(Debug, Serialize, Deserialize)]
struct CacheDocument {
    version: u32,
    entries: BTreeMap<String, SelectorEntry>,
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
            CacheContent::Entries(entries) => entries,
            CacheContent::Nothing | CacheContent::Newer => BTreeMap::new(),
            CacheContent::Garbage => {
                let _lock = Lock::acquire(&cache.lock)?;
                read_or_set_aside(&cache.path)?.unwrap_or_default()
            }
        };
        Ok(cache)
    }

    /// Returns the entry of a step, unless the step was edited since.
    pub fn recall(&self, key: CacheKey<'_>) -> Option<SelectorEntry> {
        let name = name_of(key);
        let mut recalled = BTreeMap::new();
        for entry in [self.known.get(&name), self.learned.get(&name)].into_iter().flatten() {
            absorb(&mut recalled, name.clone(), entry.clone());
        }
        recalled.remove(&name).filter(|entry| entry.digest == key.digest)
    }

    /// Records that an alternative matched. Kept in memory until the next flush.
    pub fn remember(
        &mut self,
        key: CacheKey<'_>,
        alternative: usize,
        element: Option<Fingerprint>,
        at: Timestamp,
    ) {
        self.learn(key, at, |entry| {
            (entry.alternative, entry.element, entry.hits) = (Some(alternative), element, 1);
        });
    }

    /// Records that a step succeeded with a selector that was found by likeness.
    pub fn keep(&mut self, key: CacheKey<'_>, likeness: Likeness, at: Timestamp) {
        self.learn(key, at, |entry| {
            entry.element = Some(likeness.element.clone());
            (entry.healed, entry.hits) = (Some(SimilarSelector { likeness, at }), 1);
        });
    }

    /// Records a selector that was found by likeness and not tried.
    pub fn store_suggestion(&mut self, key: CacheKey<'_>, likeness: Likeness, at: Timestamp) {
        self.learn(key, at, |entry| entry.suggestion = Some(SimilarSelector { likeness, at }));
    }

    fn learn(&mut self, key: CacheKey<'_>, at: Timestamp, fill: impl FnOnce(&mut SelectorEntry)) {
        let mut new = SelectorEntry {
            digest: key.digest.to_owned(),
            alternative: None,
            at,
            hits: 0,
            element: None,
            healed: None,
            suggestion: None,
        };
        fill(&mut new);
        absorb(&mut self.learned, name_of(key), new);
    }

    /// Removes values from entries that are not in the file yet: a value may have been on a page
    /// before it became part of the identity.
    pub fn hide(&mut self, mask: &Mask) {
        for (name, mut entry) in std::mem::take(&mut self.learned) {
            let found = [entry.healed.as_mut(), entry.suggestion.as_mut()];
            let elements = found.into_iter().flatten().map(|found| &mut found.likeness.element);
            for element in elements.chain(entry.element.as_mut()) {
                *element = std::mem::take(element).masked(mask);
            }
            let (before, path) = name.rsplit_once('|').unwrap_or(("", &name));
            absorb(&mut self.learned, format!("{before}|{}", mask.apply(path)), entry);
        }
    }

    /// Returns every entry of the file, in the order of flows and steps.
    pub fn entries(&self) -> Vec<SelectorRecord> {
        let mut all: Vec<_> = self.known.iter().filter_map(|(name, entry)| known(name, entry)).collect();
        let number =
            |step: &str| -> Vec<u32> { step.split('.').filter_map(|part| part.parse().ok()).collect() };
        all.sort_by(|a, b| {
            let key = |known: &SelectorRecord| (known.flow.clone(), number(&known.step), known.path.clone());
            key(a).cmp(&key(b))
        });
        all
    }

    /// Changes entries of the file: `None` removes one. Returns how many were changed.
    pub fn edit(
        &mut self,
        mut edit: impl FnMut(&SelectorRecord) -> Option<Option<SelectorEntry>>,
    ) -> Result<usize, StoreError> {
        let _lock = Lock::acquire(&self.lock)?;
        let Some(mut entries) = read_or_set_aside(&self.path)? else { return Ok(0) };
        let mut edited = 0;
        for name in entries.keys().cloned().collect::<Vec<_>>() {
            let Some(change) = known(&name, &entries[&name]).and_then(|known| edit(&known)) else { continue };
            edited += 1;
            match change {
                Some(entry) => entries.insert(name, entry),
                None => entries.remove(&name),
            };
        }
        if edited > 0 {
            self.write(entries)?;
        }
        Ok(edited)
    }

    /// Merges the entries of this run into the file, and those of other runs into this one.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        if self.learned.is_empty() {
            return Ok(());
        }
        let _lock = Lock::acquire(&self.lock)?;
        let Some(mut entries) = read_or_set_aside(&self.path)? else {
            return Ok(());
        };
        for (name, entry) in &self.learned {
            absorb(&mut entries, name.clone(), entry.clone());
        }
        self.write(entries)?;
        self.learned.clear();
        Ok(())
    }

    /// Under the lock.
    fn write(&mut self, mut entries: BTreeMap<String, SelectorEntry>) -> Result<(), StoreError> {
        drop_oldest(&mut entries, MOST_ENTRIES);
        let document = CacheDocument { version: VERSION, entries };
        let bytes = serde_json::to_vec(&document).expect("the cache is always a JSON document");
        durable::replace(&self.path, &bytes)?;
        self.known = document.entries;
        Ok(())
    }
}

impl Drop for SelectorCache {
    fn drop(&mut self) {
        // An error has no receiver here, and it is only a cache.
        let _ = self.flush();
    }
}

/// Each part on its own: the later answer wins, and hits of the same step add up. An edited step
/// starts afresh.
fn absorb(entries: &mut BTreeMap<String, SelectorEntry>, name: String, new: SelectorEntry) {
    match entries.entry(name) {
        MapEntry::Vacant(place) => {
            place.insert(new);
        }
        MapEntry::Occupied(mut place) => {
            let old = place.get_mut();
            if old.digest != new.digest {
                if new.at >= old.at {
                    *old = new;
                }
                return;
            }
            let later = new.at >= old.at;
            old.hits = old.hits.saturating_add(new.hits);
            old.at = old.at.max(new.at);
            take(&mut old.alternative, new.alternative, later);
            take(&mut old.element, new.element, later);
            for (old, new) in [(&mut old.healed, new.healed), (&mut old.suggestion, new.suggestion)] {
                let later = new.as_ref().map(|found| found.at) >= old.as_ref().map(|found| found.at);
                take(old, new, later);
            }
        }
    }
}

/// An absent value replaces nothing.
fn take<T>(old: &mut Option<T>, new: Option<T>, later: bool) {
    if new.is_some() && (later || old.is_none()) {
        *old = new;
    }
}

fn drop_oldest(entries: &mut BTreeMap<String, SelectorEntry>, most: usize) {
    let Some(surplus) = entries.len().checked_sub(most).filter(|surplus| *surplus > 0) else { return };
    let mut by_age: Vec<_> = entries.iter().map(|(name, entry)| (entry.at, name.clone())).collect();
    by_age.sort_unstable();
    for (_, name) in by_age.into_iter().take(surplus) {
        entries.remove(&name);
    }
}

fn name_of(key: CacheKey<'_>) -> String {
    [key.flow, key.step, key.origin, key.path].map(|part| part.replace('|', "%7C")).join("|")
}

fn known(name: &str, entry: &SelectorEntry) -> Option<SelectorRecord> {
    let mut parts = name.split('|').map(|part| part.replace("%7C", "|"));
    Some(SelectorRecord {
        flow: parts.next()?,
        step: parts.next()?,
        origin: parts.next()?,
        path: parts.next()?,
        entry: entry.clone(),
    })
}

enum CacheContent {
    Nothing,
    Entries(BTreeMap<String, SelectorEntry>),
    Newer,
    Garbage,
}

fn read(path: &Path) -> Result<CacheContent, StoreError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(CacheContent::Nothing),
        Err(error) => return Err(StoreError::new("read", path, error)),
    };
    #[derive(Deserialize)]
    struct CacheVersion {
        version: u32,
    }
    if serde_json::from_slice::<CacheVersion>(&bytes).is_ok_and(|found| found.version > VERSION) {
        return Ok(CacheContent::Newer);
    }
    Ok(serde_json::from_slice::<CacheDocument>(&bytes)
        .map_or(CacheContent::Garbage, |document| CacheContent::Entries(document.entries)))
}

/// Under the lock. `None`: the file is a newer regatta's.
fn read_or_set_aside(path: &Path) -> Result<Option<BTreeMap<String, SelectorEntry>>, StoreError> {
    match read(path)? {
        CacheContent::Entries(entries) => Ok(Some(entries)),
        CacheContent::Nothing => Ok(Some(BTreeMap::new())),
        CacheContent::Newer => Ok(None),
        CacheContent::Garbage => {
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

    fn key(path: &str) -> CacheKey<'_> {
        CacheKey { flow: "flows/a.json", step: "4", digest: "d1", origin: "http://127.0.0.1:8800", path }
    }

    fn element(name: &str) -> Fingerprint {
        Fingerprint {
            tag: "button".to_owned(),
            role: "button".to_owned(),
            name: name.to_owned(),
            ..Fingerprint::default()
        }
    }

    fn likeness(selector: &str) -> Likeness {
        Likeness { selector: vec![selector.to_owned()], element: element("Go") }
    }

    fn alternative(cache: &SelectorCache, key: CacheKey<'_>) -> Option<usize> {
        cache.recall(key)?.alternative
    }

    #[test]
    fn what_one_run_learned_the_next_recalls() {
        let (_folder, layout) = folder();
        let mut cache = SelectorCache::open(&layout).unwrap();
        assert_eq!(cache.recall(key("/")), None);
        cache.remember(key("/"), 2, Some(element("Go")), now());
        assert_eq!(alternative(&cache, key("/")), Some(2), "before it is flushed");
        cache.flush().unwrap();
        cache.remember(key("/"), 2, Some(element("Go")), now());
        cache.remember(key("/x|y"), 0, None, now());
        cache.store_suggestion(key("/"), likeness("#go"), now());
        drop(cache);

        let cache = SelectorCache::open(&layout).unwrap();
        assert_eq!(alternative(&cache, key("/")), Some(2));
        assert_eq!(cache.recall(CacheKey { digest: "d2", ..key("/") }), None, "the step was edited");
        expect![[r##"{"version":3,"entries":{"flows/a.json|4|http://127.0.0.1:8800|/":{"digest":"d1","alternative":2,"at":"2026-01-02T03:04:05Z","hits":2,"element":{"tag":"button","role":"button","name":"Go"},"suggestion":{"selector":["#go"],"element":{"tag":"button","role":"button","name":"Go"},"at":"2026-01-02T03:04:05Z"}},"flows/a.json|4|http://127.0.0.1:8800|/x%7Cy":{"digest":"d1","alternative":0,"at":"2026-01-02T03:04:05Z","hits":1}}}"##]].assert_eq(&fs::read_to_string(layout.selector_cache()).unwrap());
        let paths: Vec<_> = cache.entries().into_iter().map(|known| known.path).collect();
        assert_eq!(paths, ["/", "/x|y"]);
    }

    #[test]
    fn a_file_of_version_2_is_read_and_says_nothing_of_rows() {
        let (_folder, layout) = folder();
        let old = r##"{"version":2,"entries":{"flows/a.json|4|http://127.0.0.1:8800|/":{"digest":"d1","alternative":2,"at":"2026-01-02T03:04:05Z","hits":2,"element":{"tag":"button","role":"button","name":"Go","attributes":{"id":"go"},"classes":["b"],"path":"ul:1>li:1>button:1","landmark":"form","item":true},"healed":{"selector":["#go"],"element":{"tag":"button","role":"button","name":"Go"},"at":"2026-01-02T03:04:05Z"}}}}"##;
        fs::write(layout.selector_cache(), old).unwrap();
        let mut cache = SelectorCache::open(&layout).unwrap();
        let known = cache.recall(key("/")).unwrap().element.unwrap();
        assert_eq!((known.name.as_str(), known.twins, known.row), ("Go", None, None));
        cache.remember(key("/"), 2, None, now());
        cache.flush().unwrap();
        assert_eq!(
            fs::read_to_string(layout.selector_cache()).unwrap(),
            old.replace("version\":2", "version\":3").replace("hits\":2", "hits\":3")
        );
    }

    #[test]
    fn a_file_of_version_1_is_read_and_becomes_this_one() {
        let (_folder, layout) = folder();
        let old = r#"{"version":1,"entries":{"flows/a.json|4|http://127.0.0.1:8800|/":{"digest":"d1","alternative":2,"at":"2026-01-02T03:04:05Z","hits":2}}}"#;
        fs::write(layout.selector_cache(), old).unwrap();
        let mut cache = SelectorCache::open(&layout).unwrap();
        assert_eq!(alternative(&cache, key("/")), Some(2));
        cache.remember(key("/"), 2, None, now());
        cache.flush().unwrap();
        assert_eq!(
            fs::read_to_string(layout.selector_cache()).unwrap(),
            old.replace("n\":1", "n\":3").replace("s\":2", "s\":3")
        );
    }

    #[test]
    fn each_part_is_learned_on_its_own() {
        let (_folder, layout) = folder();
        let later = now() + Duration::from_secs(1);
        let mut one = SelectorCache::open(&layout).unwrap();
        let mut other = SelectorCache::open(&layout).unwrap();
        one.remember(key("/"), 1, Some(element("Go")), later);
        other.store_suggestion(key("/"), likeness("#a"), now());
        other.keep(key("/"), likeness("#b"), now());
        one.flush().unwrap();
        other.flush().unwrap();
        let entry = one_entry(&layout);
        assert_eq!((entry.alternative, entry.hits), (Some(1), 2));
        assert_eq!(entry.suggestion.unwrap().likeness, likeness("#a"));
        assert_eq!(entry.healed.unwrap().likeness, likeness("#b"));
    }

    #[test]
    fn a_value_that_became_known_later_is_taken_out() {
        let (_folder, layout) = folder();
        let mut cache = SelectorCache::open(&layout).unwrap();
        cache.remember(key("/of/4711-9"), 0, Some(element("Code 4711-9")), now());
        cache.store_suggestion(key("/"), Likeness { element: element("4711-9"), ..likeness("#a") }, now());
        let mut mask = Mask::default();
        mask.add("identity.code", "4711-9");
        mask.add("variables.what", "code");
        cache.hide(&mask);
        cache.hide(&mask);
        cache.flush().unwrap();
        let text = fs::read_to_string(layout.selector_cache()).unwrap();
        assert!(!text.contains("4711"), "{text}");
        assert!(text.contains("|/of/‹identity.code›") && text.contains("Code ‹identity.code›"), "{text}");
    }

    #[test]
    fn an_edit_takes_out_and_puts_in() {
        let (_folder, layout) = folder();
        let mut cache = SelectorCache::open(&layout).unwrap();
        cache.remember(key("/"), 1, None, now());
        cache.remember(key("/gone"), 1, None, now());
        cache.flush().unwrap();
        let edited = cache.edit(|known| match known.path.as_str() {
            "/gone" => Some(None),
            _ => Some(Some(SelectorEntry { digest: "d2".to_owned(), ..known.entry.clone() })),
        });
        assert_eq!(edited.unwrap(), 2);
        assert_eq!(one_entry(&layout).digest, "d2");
    }

    fn one_entry(layout: &Layout) -> SelectorEntry {
        let entries = SelectorCache::open(layout).unwrap().entries();
        let [only] = entries.as_slice() else { panic!("{entries:?}") };
        only.entry.clone()
    }

    #[test]
    fn the_later_answer_wins() {
        let (_folder, layout) = folder();
        let (mut early, mut late) =
            (SelectorCache::open(&layout).unwrap(), SelectorCache::open(&layout).unwrap());
        early.remember(key("/"), 0, None, now());
        late.remember(key("/"), 1, None, now() + Duration::from_secs(1));
        late.flush().unwrap();
        early.flush().unwrap();
        assert_eq!(alternative(&early, key("/")), Some(1), "a flush also learns");
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
            cache.remember(key("/"), 1, None, now());
            cache.flush().unwrap();
            assert_eq!(one_entry(&layout).alternative, Some(1));
        }
    }

    #[test]
    fn a_newer_file_is_left_alone() {
        let (_folder, layout) = folder();
        let newer = r#"{"version":4,"pages":[]}"#;
        fs::write(layout.selector_cache(), newer).unwrap();
        let mut cache = SelectorCache::open(&layout).unwrap();
        cache.remember(key("/"), 1, None, now());
        cache.flush().unwrap();
        assert_eq!(fs::read_to_string(layout.selector_cache()).unwrap(), newer);
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let entry = |seconds: u64| SelectorEntry {
            digest: String::new(),
            alternative: Some(0),
            at: now() + Duration::from_secs(seconds),
            hits: 1,
            element: None,
            healed: None,
            suggestion: None,
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
            let name = number.to_owned();
            cache.remember(key(&format!("/{number}/{round}")), round, Some(element(&name)), now());
            cache.store_suggestion(key(&format!("/{number}/{round}")), likeness(&name), now());
            cache.remember(key("/shared"), 3, None, now());
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
                let entry = cache.recall(key(&format!("/{number}/{round}"))).unwrap();
                assert_eq!(entry.alternative, Some(round));
                assert_eq!(entry.element, Some(element(&number.to_string())));
                assert_eq!(entry.suggestion.unwrap().likeness, likeness(&number.to_string()));
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
            cache.remember(key(&format!("/{place}")), round, None, now());
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
                let cache = SelectorCache::open(&layout).unwrap();
                let found = cache.recall(key(&format!("/{place}"))).and_then(|entry| entry.alternative);
                let found = found.unwrap_or_default();
                // It may have been killed between the update and its word.
                let range = learnt[place]..=learnt[place] + 1;
                assert!(range.contains(&found), "place {place} said {}, found {found}", learnt[place]);
                learnt[place] = found;
            }
            let value = format!("{place} {} {}", learnt[place] + 1, layout.root().display());
            child("store::selector_cache::tests::child_learns_until_it_is_killed", &value)
        });
        assert!(learnt.iter().any(|rounds| *rounds > 0), "no child learned anything");
    }
}
