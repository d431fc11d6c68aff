//! Comparing URLs as a person means them.

use url::{Origin, Url};

use regatta_core::wildcard;

/// Where the engine's own pages live: no site is behind them.
pub fn is_blank(url: &str) -> bool {
    url.is_empty() || url.starts_with("about:") || url.starts_with("chrome-error:")
}

/// `http://127.0.0.1:8800`; the text itself where it is no URL with an origin. Errors name this much of
/// a URL: a query may hold a value of the identity.
pub fn origin(url: &str) -> String {
    match Url::parse(url).map(|url| url.origin()) {
        Ok(origin @ Origin::Tuple(..)) => origin.ascii_serialization(),
        _ => url.split([':']).next().map(|scheme| format!("{scheme}:")).unwrap_or_default(),
    }
}

/// Whether a page at `url` is at one of `allowed`, each an origin or a URL of it.
pub fn is_allowed(url: &str, allowed: &[String]) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let Origin::Tuple(..) = url.origin() else { return false };
    allowed.iter().any(|origin| Url::parse(origin).is_ok_and(|allowed| allowed.origin() == url.origin()))
}

/// Equal after normalisation: default ports, the case of host and scheme, an empty path, percent signs
/// as the URL standard writes them.
pub fn same(a: &str, b: &str) -> bool {
    match (Url::parse(a), Url::parse(b)) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}

/// [`same`], where `*` in the pattern stands for anything.
pub fn fits(url: &str, pattern: &str) -> bool {
    let normal = |text: &str| Url::parse(text).map_or_else(|_| text.to_owned(), Into::into);
    same(url, pattern) || pattern.contains('*') && wildcard::matches(&normal(url), &normal(pattern))
}

/// The address with a `*` in the place of what was another one this time. `None` where that would be any
/// page of the site, or another site.
pub fn pattern_of(asserted: &str, seen: &str) -> Option<String> {
    let site = origin(asserted);
    let is_near = !asserted.contains('*') && site == origin(seen);
    let pattern = wildcard::common(asserted, seen).filter(|_| is_near)?;
    (pattern.strip_prefix(&site) != Some("/*")).then_some(pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_equal_after_normalisation_only() {
        for (a, b, equal) in [
            ("http://x", "http://X:80/", true),
            ("http://x/a b", "http://x/a%20b", true),
            ("http://x/a/../b", "http://x/b", true),
            ("http://x/a", "http://x/a/", false),
            ("http://x/a", "http://x/a?q", false),
            ("http://x/a", "http://x/a#f", false),
            ("http://x/", "https://x/", false),
        ] {
            assert_eq!(same(a, b), equal, "{a} {b}");
        }
    }

    #[test]
    fn a_pattern_is_compared_after_normalisation() {
        for (url, pattern, expected) in [
            ("http://x/a/1", "HTTP://X:80/a/*", true),
            ("http://x/a b/1", "http://x/a b/*", true),
            ("https://n.x/a", "https://*.x/a", true),
            ("http://127.0.0.1:8800/a", "http://127.0.0.1:*/a", true),
            ("http://x/a?q=1#f", "http://x/a?*", true),
            ("http://y/a/1", "http://x/a/*", false),
            ("http://x/a/1", "http://x/a/", false),
        ] {
            assert_eq!(fits(url, pattern), expected, "{url} {pattern}");
        }
        assert_eq!(pattern_of("http://x/a/1", "http://x/a/2").as_deref(), Some("http://x/a/*"));
        assert_eq!(pattern_of("http://x/a/1", "http://y/a/2"), None);
        assert_eq!(pattern_of("http://x/b/*", "http://x/a/2"), None);
        assert_eq!(pattern_of("http://x/cart", "http://x/login"), None);
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let allowed = ["http://127.0.0.1:8800".to_owned(), "https://shop.test/path".to_owned()];
        for (url, expected) in [
            ("http://127.0.0.1:8800/a?b", true),
            ("http://127.0.0.1:8801/", false),
            ("http://127.0.0.1:8800@evil.test/", false),
            ("https://shop.test:443/x", true),
            ("http://shop.test/x", false),
            ("https://a.shop.test/x", false),
            ("blob:https://shop.test/1-2", true),
            ("data:text/html,x", false),
            ("file:///etc/passwd", false),
            ("nonsense", false),
        ] {
            assert_eq!(is_allowed(url, &allowed), expected, "{url}");
        }
        assert_eq!(origin("http://X:8800/secret?q=1"), "http://x:8800");
        assert_eq!(origin("data:text/html,secret"), "data:");
    }
}
