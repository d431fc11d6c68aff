//! Which alternative of a step matched last time.

/// Names a place where a step looks for an element. Holds no value of any variable.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SelectorKey {
    pub flow: String,
    pub step: String,
    /// Of the selectors as authored: an edited step starts afresh.
    pub digest: String,
    pub origin: String,
    pub path: String,
}

/// Kept by the store; the page only asks.
pub trait SelectorMemory: Send {
    /// An index into the step's alternatives.
    fn recall(&mut self, key: &SelectorKey) -> Option<usize>;
    fn remember(&mut self, key: &SelectorKey, alternative: usize);
}

/// Segments that name one record among many become `:id`, so that the same page of another record
/// is the same place.
pub fn normalise_path(path: &str) -> String {
    let is_id = |segment: &str| {
        let digits = !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit());
        let hex = segment.len() >= 8
            && segment.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
            && segment.bytes().any(|byte| byte.is_ascii_digit());
        digits || hex
    };
    path.split('/').map(|segment| if is_id(segment) { ":id" } else { segment }).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_in_paths_do_not_matter() {
        for (path, normal) in [
            ("/mail/messages/17", "/mail/messages/:id"),
            ("/u/9f8e7d6c-1111-2222-3333-444455556666/edit", "/u/:id/edit"),
            ("/defaced/facade", "/defaced/facade"),
            ("/", "/"),
        ] {
            assert_eq!(normalise_path(path), normal);
        }
    }
}
