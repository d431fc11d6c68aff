//! Account security: sign-in with the mail account and, where it is on, a two-factor code; two-factor
//! set-up; a new password.
//!
//! As on careful sites, a set-up key is shown once and a code is good once (RFC 6238, 5.2).

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use minijinja::context;
use serde::Deserialize;
use serde_json::json;
use totp_rs::{Algorithm, Builder, Secret, Totp};

use super::PracticeSite;
use super::ledger::{Record, Submission};
use super::page::Unavailable;
use super::sign_in::{
    SignInForm, ask_for_code, check_credentials, checked_password, half_signed_in, sign_in, signed_in,
};

const WRONG_CODE: &str = "That code is not right, or was used before.";

pub fn routes() -> Router<Arc<PracticeSite>> {
    Router::new()
        .route("/account/login", get(login_page).post(login))
        .route("/account/code", get(code_page).post(give_code))
        .route("/account/security", get(security_page))
        .route("/account/security/two-factor", post(enable))
        .route("/account/api/two-factor", get(setup_key))
        .route("/account/password", get(password_page).post(rotate))
}

async fn login_page(State(site): State<Arc<PracticeSite>>) -> Response {
    show_login(&site, None)
}

fn show_login(site: &PracticeSite, error: Option<&str>) -> Response {
    site.look().page(
        "account",
        "Account sign-in",
        include_str!("../html/login.html"),
        context! { error, heading => "Your account", action => "/account/login", area => "account" },
    )
}

async fn login(
    State(site): State<Arc<PracticeSite>>,
    Form(form): Form<SignInForm>,
) -> Result<Response, Unavailable> {
    let address = form.address.trim().to_owned();
    let checked = site.read(|state| {
        check_credentials(&form, state.mailbox_password(&address), "There is no account with this address.")
    });
    match checked {
        Ok(()) if site.read(|state| state.two_factor_is_on(&address)) => {
            ask_for_code(&site, "account", &address, "/account/code")
        }
        Ok(()) => sign_in(&site, "account", &address, "/account/security"),
        Err(error) => Ok(show_login(&site, Some(error))),
    }
}

async fn code_page(State(site): State<Arc<PracticeSite>>, headers: HeaderMap) -> Response {
    match half_signed_in(&site, &headers, "account") {
        Some(address) => show_code(&site, &address, None),
        None => Redirect::to("/account/login").into_response(),
    }
}

fn show_code(site: &PracticeSite, address: &str, error: Option<&str>) -> Response {
    site.look().page(
        "account",
        "Sign-in code",
        include_str!("../html/account_code.html"),
        context! { address, error },
    )
}

#[derive(Debug, Deserialize)]
struct Code {
    code: String,
}

async fn give_code(
    State(site): State<Arc<PracticeSite>>,
    headers: HeaderMap,
    Form(form): Form<Code>,
) -> Result<Response, Unavailable> {
    let Some(address) = half_signed_in(&site, &headers, "account") else {
        return Ok(Redirect::to("/account/login").into_response());
    };
    if !use_code(&site, &address, &form.code)? {
        return Ok(show_code(&site, &address, Some(WRONG_CODE)));
    }
    sign_in(&site, "account", &address, "/account/security")
}

async fn security_page(State(site): State<Arc<PracticeSite>>, headers: HeaderMap) -> Response {
    show_security(&site, &headers, None)
}

fn show_security(site: &PracticeSite, headers: &HeaderMap, error: Option<&str>) -> Response {
    let Some(address) = signed_in(site, headers, "account") else {
        return Redirect::to("/account/login").into_response();
    };
    let on = site.read(|state| state.two_factor_is_on(&address));
    site.look().page(
        "account",
        "Account security",
        include_str!("../html/account_security.html"),
        context! { address, error, on },
    )
}

/// A new key each time until two-factor authentication is on; never again afterwards.
async fn setup_key(
    State(site): State<Arc<PracticeSite>>,
    headers: HeaderMap,
) -> Result<Response, Unavailable> {
    let Some(address) = signed_in(&site, &headers, "account") else {
        return Ok(StatusCode::UNAUTHORIZED.into_response());
    };
    if site.read(|state| state.two_factor_is_on(&address)) {
        return Ok(StatusCode::CONFLICT.into_response());
    }
    let key = Secret::from(rand::random::<[u8; 20]>()).to_base32();
    site.record(Record::SecretIssued { address, secret: key.clone() })?;
    Ok(Json(json!({ "key": key })).into_response())
}

async fn enable(
    State(site): State<Arc<PracticeSite>>,
    headers: HeaderMap,
    Form(form): Form<Code>,
) -> Result<Response, Unavailable> {
    let Some(address) = signed_in(&site, &headers, "account") else {
        return Ok(Redirect::to("/account/login").into_response());
    };
    if !use_code(&site, &address, &form.code)? {
        return Ok(show_security(&site, &headers, Some(WRONG_CODE)));
    }
    site.accept(Submission::TwoFactorEnabled { address })?;
    Ok(Redirect::to("/account/security").into_response())
}

#[derive(Debug, Deserialize)]
struct Changed {
    changed: Option<String>,
}

async fn password_page(
    State(site): State<Arc<PracticeSite>>,
    headers: HeaderMap,
    Query(query): Query<Changed>,
) -> Response {
    match signed_in(&site, &headers, "account") {
        Some(address) => show_password(&site, &address, query.changed.is_some(), None),
        None => Redirect::to("/account/login").into_response(),
    }
}

fn show_password(site: &PracticeSite, address: &str, changed: bool, error: Option<&str>) -> Response {
    site.look().page(
        "account",
        "Your password",
        include_str!("../html/account_password.html"),
        context! { address, changed, error },
    )
}

#[derive(Debug, Deserialize)]
struct Rotation {
    current: String,
    new: String,
}

async fn rotate(
    State(site): State<Arc<PracticeSite>>,
    headers: HeaderMap,
    Form(form): Form<Rotation>,
) -> Result<Response, Unavailable> {
    let Some(address) = signed_in(&site, &headers, "account") else {
        return Ok(Redirect::to("/account/login").into_response());
    };
    let refused = if site.read(|state| state.ever_had_password(&address, &form.current)) {
        checked_password(&form.new).err()
    } else {
        Some("The current password is not right.")
    };
    if let Some(error) = refused {
        return Ok(show_password(&site, &address, false, Some(error)));
    }
    site.accept(Submission::PasswordRotated { address, password: form.new })?;
    Ok(Redirect::to("/account/password?changed=1").into_response())
}

/// Whether the code is right and was not used before. It is used up when this returns.
fn use_code(site: &PracticeSite, address: &str, code: &str) -> Result<bool, Unavailable> {
    let (key, last_used) =
        site.read(|state| (state.secret(address).map(str::to_owned), state.last_used_window(address)));
    let window = key.and_then(|key| totp(&key)).and_then(|totp| totp.check_current(code.trim()));
    let Some(window) = window.filter(|window| last_used.is_none_or(|used| *window > used)) else {
        return Ok(false);
    };
    site.record(Record::CodeUsed { address: address.to_owned(), window })?;
    Ok(true)
}

/// What every authenticator app takes for granted: SHA-1, six digits, thirty seconds.
fn totp(key: &str) -> Option<Totp> {
    let secret = Secret::try_from_base32(key).ok()?;
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_step_duration(30)
        .with_skew(1)
        .with_secret(secret)
        .build()
        .ok()
}
