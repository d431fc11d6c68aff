//! Account security: sign-in with the mail account, two-factor set-up.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use minijinja::context;
use serde::Deserialize;
use serde_json::json;
use totp_rs::{Algorithm, Builder, Secret, Totp};

use super::Site;
use super::ledger::{Record, Submission};
use super::page::Unavailable;
use super::sign_in::{Credentials, check_credentials, sign_in, signed_in};

pub fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/account/login", get(login_page).post(login))
        .route("/account/security", get(security_page))
        .route("/account/security/two-factor", post(enable))
        .route("/account/api/two-factor", get(setup_key))
}

async fn login_page(State(site): State<Arc<Site>>) -> Response {
    show_login(&site, None)
}

fn show_login(site: &Site, error: Option<&str>) -> Response {
    site.look().page(
        "account",
        "Account sign-in",
        include_str!("../html/login.html"),
        context! { error, heading => "Your account", action => "/account/login", area => "account" },
    )
}

async fn login(
    State(site): State<Arc<Site>>,
    Form(form): Form<Credentials>,
) -> Result<Response, Unavailable> {
    let address = form.address.trim().to_owned();
    let checked = site.read(|state| {
        check_credentials(&form, state.mailbox_password(&address), "There is no account with this address.")
    });
    match checked {
        Ok(()) => sign_in(&site, "account", &address, "/account/security"),
        Err(error) => Ok(show_login(&site, Some(error))),
    }
}

async fn security_page(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    show_security(&site, &headers, None)
}

fn show_security(site: &Site, headers: &HeaderMap, error: Option<&str>) -> Response {
    let Some(address) = signed_in(site, headers, "account") else {
        return Redirect::to("/account/login").into_response();
    };
    // The key stays readable once it is on, so that a run that died before it kept the key can
    // still get it.
    let key = site.read(|state| {
        let on = state.two_factor_is_on(&address);
        on.then(|| state.secret(&address).map(str::to_owned)).flatten()
    });
    site.look().page(
        "account",
        "Account security",
        include_str!("../html/account_security.html"),
        context! { address, error, key },
    )
}

/// One key for an address for ever: a second set-up must not make the first one's key worthless.
async fn setup_key(State(site): State<Arc<Site>>, headers: HeaderMap) -> Result<Response, Unavailable> {
    let Some(address) = signed_in(&site, &headers, "account") else {
        return Ok(StatusCode::UNAUTHORIZED.into_response());
    };
    let key = match site.read(|state| state.secret(&address).map(str::to_owned)) {
        Some(key) => key,
        None => {
            let key = Secret::from(rand::random::<[u8; 20]>()).to_base32();
            site.record(Record::SecretIssued { address, secret: key.clone() })?;
            key
        }
    };
    Ok(Json(json!({ "key": key })).into_response())
}

#[derive(Debug, Deserialize)]
struct Code {
    code: String,
}

async fn enable(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    Form(form): Form<Code>,
) -> Result<Response, Unavailable> {
    let Some(address) = signed_in(&site, &headers, "account") else {
        return Ok(Redirect::to("/account/login").into_response());
    };
    let key = site.read(|state| state.secret(&address).map(str::to_owned));
    let right =
        key.and_then(|key| totp(&key)).is_some_and(|totp| totp.check_current(form.code.trim()).is_some());
    if !right {
        return Ok(show_security(&site, &headers, Some("That code is not right.")));
    }
    site.accept(Submission::TwoFactorEnabled { address })?;
    Ok(Redirect::to("/account/security").into_response())
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
