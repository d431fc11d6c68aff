//! Origins: scheme, host and port, as browsers write them.

use url::Url;

/// Returns the origin that the text is; `None` where it holds more than an origin, or none.
pub fn parse_origin(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let plain = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    origin_of(text).filter(|_| plain)
}

/// Returns the origin of an address; `None` where it has none, such as `about:blank`.
pub fn origin_of(url: &str) -> Option<String> {
    let origin = Url::parse(url).ok()?.origin();
    origin.is_tuple().then(|| origin.ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_more_than_an_origin_is_not_one() {
        assert_eq!(parse_origin("http://127.0.0.1:80/").as_deref(), Some("http://127.0.0.1"));
        assert_eq!(origin_of("https://a.test:443/b?c").as_deref(), Some("https://a.test"));
        for not_an_origin in ["127.0.0.1", "http://a/b", "data:x", "about:blank"] {
            assert_eq!(parse_origin(not_an_origin), None, "{not_an_origin}");
        }
    }
}
