//! Who may read, and who may act. A page of another site in the same browser can send requests here: it
//! is recognised by the name it calls this server (DNS rebinding) and by its origin, and it knows no token.

use std::net::SocketAddr;

use axum::http::{HeaderMap, StatusCode, header};
use sha2::{Digest as _, Sha256};

#[derive(Debug, Clone)]
pub struct RequestGuard {
    /// As the `Host` header may name us; without a port any will do.
    hosts: Vec<String>,
    token: Option<[u8; 32]>,
}

impl RequestGuard {
    /// `names`: other than this machine's own, `NAME` or `NAME:PORT`. Without a token no action is allowed.
    pub fn new(address: SocketAddr, names: &[String], token: Option<&str>) -> Self {
        let port = address.port();
        let own = ["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()];
        let mut hosts: Vec<String> = own.iter().map(|name| format!("{name}:{port}")).collect();
        if port == 80 {
            hosts.extend(own);
        }
        hosts.push(address.to_string());
        hosts.extend(names.iter().map(|name| name.to_ascii_lowercase()));
        Self { hosts, token: token.map(digest) }
    }

    /// For every request.
    pub fn may_read(&self, headers: &HeaderMap) -> Result<(), (StatusCode, &'static str)> {
        let host = text(headers, header::HOST.as_str()).map(str::to_ascii_lowercase);
        let known = host.is_some_and(|host| {
            let name = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name);
            self.hosts.iter().any(|known| *known == host || *known == name)
        });
        if known {
            Ok(())
        } else {
            Err((
                StatusCode::MISDIRECTED_REQUEST,
                "this server does not go by that name: open it as it was printed, or name it with --allow-host",
            ))
        }
    }

    /// For every request that changes something.
    pub fn may_act(&self, headers: &HeaderMap) -> Result<(), (StatusCode, &'static str)> {
        self.may_read(headers)?;
        let host = text(headers, header::HOST.as_str()).unwrap_or_default();
        // A browser always says where a POST comes from. A proxy in between may speak TLS.
        let is_own =
            |origin: &str| origin.split_once("://").is_some_and(|(_, from)| from.eq_ignore_ascii_case(host));
        let from_elsewhere = text(headers, header::ORIGIN.as_str()).is_some_and(|origin| !is_own(origin))
            || text(headers, "sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none");
        if from_elsewhere {
            return Err((StatusCode::FORBIDDEN, "the request comes from a page of another site"));
        }
        let given = text(headers, header::AUTHORIZATION.as_str())
            .and_then(|value| value.strip_prefix("Bearer "))
            .map(digest);
        match (self.token, given) {
            (Some(token), Some(given)) if token == given => Ok(()),
            (None, _) => Err((StatusCode::FORBIDDEN, "actions are switched off")),
            (_, None) => Err((
                StatusCode::UNAUTHORIZED,
                "this needs the token: open the page by the whole address that was printed",
            )),
            _ => Err((
                StatusCode::UNAUTHORIZED,
                "the token is not that of this server: open the page by the address it printed last",
            )),
        }
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Compared instead of the token itself: how long that takes says nothing about the token.
fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn guard() -> RequestGuard {
        let names = ["fleet.example".to_owned()];
        RequestGuard::new("127.0.0.1:7700".parse().unwrap(), &names, Some("right"))
    }

    fn read(host: &str) -> Option<u16> {
        guard().may_read(&headers(&[("host", host)])).err().map(|(status, _)| status.as_u16())
    }

    fn act(lines: &[(&'static str, &str)]) -> Option<u16> {
        guard().may_act(&headers(lines)).err().map(|(status, _)| status.as_u16())
    }

    #[test]
    fn only_who_knows_our_name_may_read() {
        for host in ["127.0.0.1:7700", "localhost:7700", "LOCALHOST:7700", "[::1]:7700", "fleet.example"] {
            assert_eq!(read(host), None, "{host}");
        }
        // A name that an attacker's server made to mean this machine.
        for host in ["evil.example:7700", "127.0.0.1:80", "localhost", "127.0.0.1.evil.example:7700", ""] {
            assert_eq!(read(host), Some(421), "{host}");
        }
        assert!(guard().may_read(&HeaderMap::new()).is_err());
    }

    #[test]
    fn only_our_own_page_with_the_token_may_act() {
        let host = ("host", "localhost:7700");
        let token = ("authorization", "Bearer right");
        assert_eq!(act(&[host, token]), None);
        assert_eq!(act(&[host, token, ("origin", "http://localhost:7700")]), None);
        assert_eq!(act(&[host, token, ("sec-fetch-site", "same-origin")]), None);
        for (refused, status) in [
            (vec![host], 401),
            (vec![host, ("authorization", "Bearer wrong")], 401),
            (vec![host, ("authorization", "right")], 401),
            (vec![host, token, ("origin", "http://evil.example")], 403),
            (vec![host, token, ("origin", "http://localhost:7701")], 403),
            (vec![host, token, ("origin", "null")], 403),
            (vec![host, token, ("sec-fetch-site", "cross-site")], 403),
            (vec![("host", "evil.example:7700"), token], 421),
        ] {
            assert_eq!(act(&refused), Some(status), "{refused:?}");
        }
        let off = RequestGuard::new("127.0.0.1:7700".parse().unwrap(), &[], None);
        assert!(off.may_act(&headers(&[host, token])).is_err());
    }
}
