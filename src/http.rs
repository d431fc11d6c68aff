//! Clients of HTTP, for every room but the domain. TLS is rustls with the ciphers of ring, in the whole
//! program; a client that is built before they are chosen panics. So all clients come from here, which
//! clippy.toml holds.

use std::sync::Once;
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, ClientBuilder};

use regatta_core::site_busy::parse_retry_after;

/// For anywhere: with the certificate authorities that this machine trusts.
#[expect(clippy::disallowed_methods, reason = "this is the place they come from")]
pub fn builder() -> ClientBuilder {
    static CIPHERS: Once = Once::new();
    // A second one is refused, and is the same.
    CIPHERS.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    Client::builder()
}

/// For what listens on this machine: never through a proxy, and without the milliseconds that reading
/// the authorities takes.
pub fn local() -> ClientBuilder {
    builder().no_proxy().tls_certs_only([])
}

/// The last of the causes, without the address: its parameters may hold a token.
pub fn problem(error: reqwest::Error) -> String {
    let error = error.without_url();
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// How long the other side asks to be left alone: seconds, or until a moment.
pub fn retry_after(headers: &HeaderMap, now: jiff::Timestamp) -> Option<Duration> {
    parse_retry_after(headers.get(RETRY_AFTER)?.to_str().ok()?, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_side_says_how_long_to_wait() {
        let now = "2015-10-21T07:27:00Z".parse().unwrap();
        let after = |text: &str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            retry_after(&headers, now).map(|time| time.as_secs())
        };
        assert_eq!(after("120"), Some(120));
        assert_eq!(after("Wed, 21 Oct 2015 07:28:00 GMT"), Some(60));
        assert_eq!(after("Wed, 21 Oct 2015 07:26:00 GMT"), Some(0));
        assert_eq!(after("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
