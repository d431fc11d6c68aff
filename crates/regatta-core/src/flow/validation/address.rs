//! Addresses in a flow that are invalid or that the workflow does not allow.

use url::Url;

use super::{Unplayable, ValidationContext};
use crate::origin::origin_of;
use crate::workflow::template::{self, is_template};

/// The engine's own page, which belongs to no site.
const BLANK: &str = "about:blank";

/// Returns why a `navigate` cannot go to the address.
pub fn refused(written: &str, context: ValidationContext<'_>) -> Option<Unplayable> {
    let rendered = match &context.scope {
        Some(scope) if is_template(written) && is_known(written) => template::render(written, scope).ok()?,
        _ => written.to_owned(),
    };
    let known = known_part(&rendered);
    if known == BLANK {
        return None;
    }
    if let Some(unplayable) = without_scheme(known, &rendered) {
        return Some(unplayable);
    }
    let origin = match Url::parse(known) {
        Ok(url) if is_template(&rendered) && !has_whole_origin(known, &url) => return None,
        Ok(_) => origin_of(known),
        Err(_) if is_template(&rendered) => return None,
        Err(problem) => {
            return Some(Unplayable::new(format!("`{rendered}` is not an address: {problem}"), SCHEME));
        }
    };
    match origin {
        Some(origin) if context.allowed_origins.contains(&origin) => None,
        Some(origin) => Some(Unplayable::new(
            format!("{origin} is not in allowed_origins"),
            "only if the site is yours: add it to `allowed_origins` of the workflow, or to `play` with --allow",
        )),
        None => Some(Unplayable::new(
            format!("`{rendered}` is not an address of http or https"),
            "flows go to pages of `allowed_origins` only",
        )),
    }
}

/// Returns why no page is ever at an asserted address.
pub fn asserted_address_problem(written: &str) -> Option<Unplayable> {
    let known = known_part(written);
    if known.is_empty() || known.starts_with('*') {
        return None;
    }
    without_scheme(known, written)
}

const SCHEME: &str = "write the whole address, with http:// or https://";

/// `shop.test/cart` and `localhost:8800/cart`; the second one parses as an address of the scheme `localhost`.
fn without_scheme(known: &str, whole: &str) -> Option<Unplayable> {
    let is_missing = match known.split_once(':') {
        // A template may supply the scheme.
        None if known.is_empty() && is_template(whole) => false,
        None => !is_template(whole) || known.contains(['/', '.']),
        Some((host, port)) => {
            let is_port = port.starts_with(|c: char| c.is_ascii_digit());
            is_port && !known.contains("://")
                || host.contains('/')
                || host.contains('.') && !port.starts_with("//")
        }
    };
    is_missing.then(|| {
        let host = whole.strip_prefix("//").unwrap_or(whole);
        let help = match host {
            "" => SCHEME.to_owned(),
            path if path.starts_with('/') => {
                format!("write the whole address: `https://HOST{path}` or `{{{{ variables.site }}}}{path}`")
            }
            host => format!("write `http://{host}`, or with https"),
        };
        Unplayable::new(format!("`{whole}` has no scheme"), help)
    })
}

/// Returns the text before the first template.
fn known_part(text: &str) -> &str {
    let end = ["{{", "{%"].into_iter().filter_map(|opening| text.find(opening)).min();
    &text[..end.unwrap_or(text.len())]
}

/// Whether a template after it can no longer change the origin.
fn has_whole_origin(known: &str, url: &Url) -> bool {
    let after = known.split_once("://").map_or("", |(_, after)| after);
    url.has_host() && after.contains(['/', '?', '#'])
}

/// Whether it uses nothing that only the run finds out.
fn is_known(text: &str) -> bool {
    template::identity_fields(text).is_empty()
}
