//! The developer portal: registration over two pages, sign-in with the mail account, status.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Form, Router};
use minijinja::context;
use serde::Deserialize;

use super::ledger::{Draft, Record, Submission};
use super::page::Unavailable;
use super::sign_in::{
    SignInForm, check_credentials, checked_address, cookie, sign_in, signed_in, with_cookie,
};
use super::{PracticeSite, random_token};

const DRAFT_COOKIE: &str = "hp_dev_draft";

pub fn routes() -> Router<Arc<PracticeSite>> {
    Router::new()
        .route("/developers", get(home_page))
        .route("/developers/register", get(register_page).post(register))
        .route("/developers/register/details", get(details_page).post(details))
        .route("/developers/registered", get(registered_page))
        .route("/developers/login", get(login_page).post(login))
        .route("/developers/status", get(status_page))
}

async fn home_page(State(site): State<Arc<PracticeSite>>) -> Response {
    site.look().page("developers", "Developers", include_str!("../html/developers_home.html"), context! {})
}

async fn register_page(State(site): State<Arc<PracticeSite>>) -> Response {
    show_register(&site, None)
}

fn show_register(site: &PracticeSite, error: Option<&str>) -> Response {
    site.look().page(
        "developers",
        "Your project",
        include_str!("../html/developers_register.html"),
        context! { error },
    )
}

#[derive(Debug, Deserialize)]
struct Project {
    address: String,
    kind: String,
    traffic: Option<String>,
    purpose: String,
    terms: Option<String>,
}

async fn register(
    State(site): State<Arc<PracticeSite>>,
    Form(form): Form<Project>,
) -> Result<Response, Unavailable> {
    let draft = match checked_project(form) {
        Ok(draft) => draft,
        Err(error) => return Ok(show_register(&site, Some(error))),
    };
    let token = random_token();
    site.record(Record::DraftKept { token: token.clone(), draft })?;
    Ok(with_cookie(Redirect::to("/developers/register/details").into_response(), DRAFT_COOKIE, &token))
}

/// The server asks for everything again: a form filled by a program that missed a field must fail.
fn checked_project(form: Project) -> Result<Draft, &'static str> {
    let address = checked_address(&form.address)?;
    if !["web", "mobile", "server"].contains(&form.kind.as_str()) {
        return Err("Please choose what kind of application it is.");
    }
    let traffic = form.traffic.ok_or("Please choose how much traffic you expect.")?;
    if form.purpose.trim().is_empty() {
        return Err("Please describe what you will build.");
    }
    if form.terms.is_none() {
        return Err("Please accept the developer terms.");
    }
    Ok(Draft { address, kind: form.kind, traffic, purpose: form.purpose })
}

async fn details_page(State(site): State<Arc<PracticeSite>>, headers: HeaderMap) -> Response {
    show_details(&site, &headers, None)
}

fn show_details(site: &PracticeSite, headers: &HeaderMap, error: Option<&str>) -> Response {
    let Some(draft) = draft(site, headers) else {
        return Redirect::to("/developers/register").into_response();
    };
    site.look().page(
        "developers",
        "Details",
        include_str!("../html/developers_details.html"),
        context! { error, address => draft.address },
    )
}

fn draft(site: &PracticeSite, headers: &HeaderMap) -> Option<Draft> {
    let token = cookie(headers, DRAFT_COOKIE)?;
    site.read(|state| state.draft(&token).cloned())
}

#[derive(Debug, Deserialize)]
struct Details {
    application: String,
}

async fn details(
    State(site): State<Arc<PracticeSite>>,
    headers: HeaderMap,
    Form(form): Form<Details>,
) -> Result<Response, Unavailable> {
    let Some(draft) = draft(&site, &headers) else {
        return Ok(Redirect::to("/developers/register").into_response());
    };
    if form.application.trim().is_empty() {
        return Ok(show_details(&site, &headers, Some("Please name your application.")));
    }
    site.accept(Submission::DevRegistration {
        address: draft.address,
        application: form.application.trim().to_owned(),
    })?;
    Ok(Redirect::to("/developers/registered").into_response())
}

async fn registered_page(State(site): State<Arc<PracticeSite>>) -> Response {
    site.look().page(
        "developers",
        "Thank you",
        include_str!("../html/developers_registered.html"),
        context! {},
    )
}

async fn login_page(State(site): State<Arc<PracticeSite>>) -> Response {
    show_login(&site, None)
}

fn show_login(site: &PracticeSite, error: Option<&str>) -> Response {
    site.look().page(
        "developers",
        "Developer sign-in",
        include_str!("../html/login.html"),
        context! {
            error,
            heading => "Developer portal",
            action => "/developers/login",
            area => "developers",
        },
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
        Ok(()) => sign_in(&site, "developers", &address, "/developers/status"),
        Err(error) => Ok(show_login(&site, Some(error))),
    }
}

async fn status_page(State(site): State<Arc<PracticeSite>>, headers: HeaderMap) -> Response {
    let Some(address) = signed_in(&site, &headers, "developers") else {
        return Redirect::to("/developers/login").into_response();
    };
    let application = site.read(|state| state.registration(&address).map(str::to_owned));
    site.look().page(
        "developers",
        "Your application",
        include_str!("../html/developers_status.html"),
        context! { address, application },
    )
}
