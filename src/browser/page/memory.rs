//! Which alternative of a locator matched last time. The store implements it.

use url::Url;

/// Which alternative matched last time, per flow step, origin and path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SelectorKey {
    /// The flow's file.
    pub flow: String,
    /// The step's number in it.
    pub step: String,
    /// Of the selectors as written: an edited step has another key.
    pub digest: String,
    pub origin: String,
    /// Of the page, with what looks like an id replaced: see [`normalised_path`].
    pub path: String,
}

pub trait SelectorMemory: Send {
    fn recall(&mut self, key: &SelectorKey) -> Option<usize>;
    fn remember(&mut self, key: &SelectorKey, alternative: usize);
}

/// Remembers nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Forgetful;

impl SelectorMemory for Forgetful {
    fn recall(&mut self, _: &SelectorKey) -> Option<usize> {
        None
    }

    fn remember(&mut self, _: &SelectorKey, _: usize) {}
}

/// The path with every segment that is all digits, at least eight hex digits or a uuid as `:id`, so
/// that pages of one kind share what was learnt on one of them.
pub fn normalised_path(url: &str) -> String {
    let Ok(url) = Url::parse(url) else { return String::new() };
    url.path()
        .split('/')
        .map(|segment| if is_id(segment) { ":id" } else { segment })
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
        .map(normalised_path)
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
}
