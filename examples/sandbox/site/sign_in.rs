//! Addresses, cookies and sign-ins, alike in all parts of the site.

use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::ledger::Record;
use super::page::Unavailable;
use super::{PracticeSite, random_token};

const YEAR_S: u32 = 31_536_000;

#[derive(Debug, Deserialize)]
pub struct SignInForm {
    pub address: String,
    pub password: String,
}

/// The address in lower case would be another profile: it is taken as it is, without spaces.
pub fn checked_address(text: &str) -> Result<String, &'static str> {
    let address = text.trim();
    let local = address
        .strip_suffix("@practice.test")
        .ok_or("Please give an address that ends in @practice.test.")?;
    let safe = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if local.is_empty() || local.len() > 128 || !local.chars().all(safe) {
        return Err("This is not a valid address.");
    }
    Ok(address.to_owned())
}

pub fn checked_password(password: &str) -> Result<(), &'static str> {
    if password.chars().count() < 8 {
        return Err("Please choose a password of at least 8 characters.");
    }
    Ok(())
}

/// `known` is the password on file.
pub fn check_credentials(
    credentials: &SignInForm,
    known: Option<&str>,
    unknown_message: &'static str,
) -> Result<(), &'static str> {
    match known {
        None => Err(unknown_message),
        Some(known) if known != credentials.password => Err("This password is not right."),
        Some(_) => Ok(()),
    }
}

/// The address signed in to a part of the site, if any.
pub fn signed_in(site: &PracticeSite, headers: &HeaderMap, area: &str) -> Option<String> {
    let token = cookie(headers, &format!("hp_{area}"))?;
    site.read(|state| state.signed_in(area, &token).map(str::to_owned))
}

/// Signs in and goes on to `page`.
pub fn sign_in(site: &PracticeSite, area: &str, address: &str, page: &str) -> Result<Response, Unavailable> {
    let token = random_token();
    site.record(Record::SignedIn {
        area: area.to_owned(),
        token: token.clone(),
        address: address.to_owned(),
    })?;
    Ok(with_cookie(Redirect::to(page).into_response(), &format!("hp_{area}"), &token))
}

/// As [`sign_in`] on a part of the site that asks for a code after the password.
pub fn ask_for_code(
    site: &PracticeSite,
    area: &str,
    address: &str,
    page: &str,
) -> Result<Response, Unavailable> {
    let token = random_token();
    site.record(Record::PasswordGiven { token: token.clone(), address: address.to_owned() })?;
    Ok(with_cookie(Redirect::to(page).into_response(), &format!("hp_{area}_half"), &token))
}

/// The address whose password was given, and whose code is asked for.
pub fn half_signed_in(site: &PracticeSite, headers: &HeaderMap, area: &str) -> Option<String> {
    let token = cookie(headers, &format!("hp_{area}_half"))?;
    site.read(|state| state.half_signed_in(&token).map(str::to_owned))
}

pub fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.to_owned())
}

/// Kept over a restart of the browser, as sites that remember their visitors do.
pub fn with_cookie(mut response: Response, name: &str, token: &str) -> Response {
    let value = format!("{name}={token}; Path=/; Max-Age={YEAR_S}; SameSite=Lax; HttpOnly");
    // A name of ours and hexadecimal digits are always a valid header value.
    if let Ok(value) = HeaderValue::from_str(&value) {
        response.headers_mut().append(SET_COOKIE, value);
    }
    response
}
