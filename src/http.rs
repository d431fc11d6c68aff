//! Builds every HTTP client of the program. TLS is rustls with the ciphers of ring; a client that is built
//! before they are chosen panics. So all clients come from here, which clippy.toml enforces.

use std::sync::Once;
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, ClientBuilder};

use regatta_core::site_busy::parse_retry_after;

/// Returns a client for any address, with the certificate authorities that this machine trusts.
#[expect(clippy::disallowed_methods, reason = "this is the place they come from")]
pub fn builder() -> ClientBuilder {
    static CIPHERS: Once = Once::new();
    // A second one is refused, and is the same.
    CIPHERS.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    Client::builder()
}

/// Returns a client for addresses of this machine: without a proxy, and without the milliseconds that
/// reading the authorities takes.
pub fn local() -> ClientBuilder {
    builder().no_proxy().tls_certs_only([])
}

/// Returns the last of the causes, without the address: its parameters may hold a token.
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

/// Returns the wait that `Retry-After` asks for: seconds, or until a moment.
pub fn retry_after(headers: &HeaderMap, now: jiff::Timestamp) -> Option<Duration> {
    parse_retry_after(headers.get(RETRY_AFTER)?.to_str().ok()?, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_as_seconds_or_as_a_moment() {
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
