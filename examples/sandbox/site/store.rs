//! The shop: sign-up with a code by mail, sign-in, account.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Form, Router};
use minijinja::context;

use serde::Deserialize;

use super::ledger::{Record, Submission};
use super::page::Unavailable;
use super::sign_in::{
    SignInForm, check_credentials, checked_address, checked_password, cookie, sign_in, signed_in, with_cookie,
};
use super::{PracticeSite, now_ms, random_token};

const PENDING_COOKIE: &str = "hp_store_signup";

pub fn routes() -> Router<Arc<PracticeSite>> {
    Router::new()
        .route("/store", get(home_page))
        .route("/store/signup", get(signup_page).post(signup))
        .route("/store/confirm", get(confirm_page).post(confirm))
        .route("/store/login", get(login_page).post(login))
        .route("/store/account", get(account_page))
}

async fn home_page(State(site): State<Arc<PracticeSite>>) -> Response {
    site.look().page("store", "Shop", include_str!("../html/store_home.html"), context! {})
}

async fn signup_page(State(site): State<Arc<PracticeSite>>, headers: HeaderMap) -> Response {
    show_signup(&site, &headers, None)
}

fn show_signup(site: &PracticeSite, headers: &HeaderMap, error: Option<&str>) -> Response {
    let consented = cookie(headers, "hp_consent").is_some();
    site.look().page(
        "store",
        "Join the shop",
        include_str!("../html/store_signup.html"),
        context! { error, consented },
    )
}

/// Not a submission yet: that is the code's acceptance.
async fn signup(
    State(site): State<Arc<PracticeSite>>,
    headers: HeaderMap,
    Form(form): Form<SignInForm>,
) -> Result<Response, Unavailable> {
    let address = checked_address(&form.address).and_then(|address| {
        checked_password(&form.password)?;
        Ok(address)
    });
    let address = match address {
        Ok(address) => address,
        Err(error) => return Ok(show_signup(&site, &headers, Some(error))),
    };
    let delay_ms = site.faults().switches().mail_delay_ms;
    let token = random_token();
    site.record(Record::CodeMailed {
        arrives_ms: now_ms().saturating_add_unsigned(delay_ms),
        token: token.clone(),
        address,
        password: form.password,
        code: format!("{:06}", rand::random_range(0..1_000_000)),
    })?;
    Ok(with_cookie(Redirect::to("/store/confirm").into_response(), PENDING_COOKIE, &token))
}

async fn confirm_page(State(site): State<Arc<PracticeSite>>, headers: HeaderMap) -> Response {
    show_confirm(&site, &headers, None)
}

fn show_confirm(site: &PracticeSite, headers: &HeaderMap, error: Option<&str>) -> Response {
    let pending = cookie(headers, PENDING_COOKIE)
        .and_then(|token| site.read(|state| Some(state.pending_signup(&token)?.address.clone())));
    let Some(address) = pending else {
        return Redirect::to("/store/signup").into_response();
    };
    site.look().page(
        "store",
        "Check your mail",
        include_str!("../html/store_confirm.html"),
        context! { error, address },
    )
}

#[derive(Debug, Deserialize)]
struct Confirmation {
    code: String,
}

async fn confirm(
    State(site): State<Arc<PracticeSite>>,
    headers: HeaderMap,
    Form(form): Form<Confirmation>,
) -> Result<Response, Unavailable> {
    let pending = cookie(&headers, PENDING_COOKIE)
        .and_then(|token| site.read(|state| state.pending_signup(&token).cloned()));
    let Some(pending) = pending else {
        return Ok(Redirect::to("/store/signup").into_response());
    };
    if !site.read(|state| state.knows_code(&pending.address, form.code.trim())) {
        return Ok(show_confirm(&site, &headers, Some("That code is not right.")));
    }
    let address = pending.address.clone();
    site.accept(Submission::StoreSignup { address: pending.address, password: pending.password })?;
    sign_in(&site, "store", &address, "/store/account")
}

async fn login_page(State(site): State<Arc<PracticeSite>>) -> Response {
    show_login(&site, None)
}

fn show_login(site: &PracticeSite, error: Option<&str>) -> Response {
    site.look().page(
        "store",
        "Shop sign-in",
        include_str!("../html/login.html"),
        context! { error, heading => "Welcome back", action => "/store/login", area => "store" },
    )
}

async fn login(
    State(site): State<Arc<PracticeSite>>,
    Form(form): Form<SignInForm>,
) -> Result<Response, Unavailable> {
    let address = form.address.trim().to_owned();
    let checked = site.read(|state| {
        check_credentials(
            &form,
            state.store_password(&address),
            "There is no shop account with this address.",
        )
    });
    match checked {
        Ok(()) => sign_in(&site, "store", &address, "/store/account"),
        Err(error) => Ok(show_login(&site, Some(error))),
    }
}

async fn account_page(State(site): State<Arc<PracticeSite>>, headers: HeaderMap) -> Response {
    let Some(address) = signed_in(&site, &headers, "store") else {
        return Redirect::to("/store/login").into_response();
    };
    site.look().page(
        "store",
        "Your shop account",
        include_str!("../html/store_account.html"),
        context! { address },
    )
}
