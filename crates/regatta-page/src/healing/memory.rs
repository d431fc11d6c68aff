//! Remembers a locator between runs. The caller implements the store.

use url::Url;

use regatta_core::fingerprint::{Fingerprint, Likeness};
use regatta_core::mask::Mask;

/// Names what is remembered of one locator: its flow, step, selectors, origin and path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LocatorKey {
    /// The flow's file.
    pub flow: String,
    /// The step's number in it.
    pub step: String,
    /// The digest of the selectors as written: an edited step has another key.
    pub digest: String,
    pub origin: String,
    /// The page's path, with everything that looks like an id replaced: see [`normalised_path`].
    pub path: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RememberedLocator {
    /// The alternative that matched last time.
    pub alternative: Option<usize>,
    /// The element that it led to.
    pub element: Option<Fingerprint>,
    /// A selector found by likeness, with which a step has reached its end.
    pub healed: Option<Vec<String>>,
}

pub trait SelectorMemory: Send {
    fn recall(&mut self, key: &LocatorKey) -> RememberedLocator;
    /// An alternative led to an element, and the action succeeded.
    fn remember(&mut self, key: &LocatorKey, alternative: usize, element: Option<Fingerprint>);
    /// A selector that no step has tried yet.
    fn suggest(&mut self, key: &LocatorKey, likeness: Likeness);
    /// A step has reached its end with this selector.
    fn keep(&mut self, key: &LocatorKey, likeness: Likeness);
    /// Removes these values from everything that is remembered.
    fn hide(&mut self, _mask: &Mask) {}
}

/// Remembers nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoMemory;

impl SelectorMemory for NoMemory {
    fn recall(&mut self, _: &LocatorKey) -> RememberedLocator {
        RememberedLocator::default()
    }

    fn remember(&mut self, _: &LocatorKey, _: usize, _: Option<Fingerprint>) {}

    fn suggest(&mut self, _: &LocatorKey, _: Likeness) {}

    fn keep(&mut self, _: &LocatorKey, _: Likeness) {}
}

/// The path with every segment that is all digits, at least eight hex digits or a uuid as `:id`, so
/// that pages of one kind share what was learnt on one of them; and no value that is to be hidden.
pub fn normalised_path(url: &str, mask: &Mask) -> String {
    let Ok(url) = Url::parse(url) else { return String::new() };
    let plain = |segment: &str| {
        // As a form would write the blank; the mask knows values as they are and as forms have them.
        let pair = format!("={}", segment.replace('+', "%2B"));
        let decoded = url::form_urlencoded::parse(pair.as_bytes()).next();
        let decoded = decoded.map(|(_, value)| value.into_owned()).unwrap_or_default();
        let masked = mask.apply(&decoded);
        if masked == decoded { segment.to_owned() } else { masked }
    };
    url.path()
        .split('/')
        .map(|segment| if is_id(segment) { ":id".to_owned() } else { plain(segment) })
        .collect::<Vec<_>>()
        .join("/")
}

fn is_id(segment: &str) -> bool {
    if segment.is_empty() {
        return false;
    }
    let all_digits = segment.bytes().all(|b| b.is_ascii_digit());
    let hex = segment.len() >= 8 && segment.bytes().all(|b| b.is_ascii_hexdigit());
    let groups: Vec<_> = segment.split('-').collect();
    let uuid = groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|b| b.is_ascii_hexdigit()));
    all_digits || hex || uuid
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn segments_that_look_like_ids_are_one() {
        let seen: Vec<_> = [
            "http://x/users/42/edit?page=7#top",
            "http://x/o/deadbeef",
            "http://x/o/deadbee",
            "http://x/o/0b5c8c5e-52a0-4d6c-8f5e-3c1d1b7f0a11/",
            "http://x/store2/v1",
            "http://x",
            "about:blank",
            "nonsense",
        ]
        .map(|url| normalised_path(url, &Mask::default()))
        .to_vec();
        expect![[r#"
            [
                "/users/:id/edit",
                "/o/:id",
                "/o/deadbee",
                "/o/:id/",
                "/store2/v1",
                "/",
                "blank",
                "",
            ]
        "#]]
        .assert_debug_eq(&seen);
    }

    #[test]
    fn no_value_is_in_a_key() {
        let mut mask = Mask::default();
        mask.add("identity.email", "ann b@x.test");
        mask.add("variables.shop", "Überlingen");
        let path = |url| normalised_path(url, &mask);
        assert_eq!(path("http://x/of/ann%20b@x.test/edit%20it"), "/of/‹identity.email›/edit%20it");
        assert_eq!(path("http://x/Überlingen/a+b"), "/‹variables.shop›/a+b");
    }
}
