//! Webmail: sign-up, sign-in, inbox and messages.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Form, Json, Router};
use minijinja::context;
use serde_json::json;

use super::ledger::Submission;
use super::page::Unavailable;
use super::sign_in::{SignInForm, check_credentials, checked_address, checked_password, sign_in, signed_in};
use super::{PracticeSite, now_ms};

pub fn routes() -> Router<Arc<PracticeSite>> {
    Router::new()
        .route("/mail/signup", get(signup_page).post(signup))
        .route("/mail/login", get(login_page).post(login))
        .route("/mail/inbox", get(inbox_page))
        .route("/mail/messages/{id}", get(message_page))
        .route("/mail/api/messages", get(messages))
        .route("/mail/api/messages/{id}", get(message))
}

async fn signup_page(State(site): State<Arc<PracticeSite>>) -> Response {
    show_signup(&site, None)
}

fn show_signup(site: &PracticeSite, error: Option<&str>) -> Response {
    site.look().page(
        "mail",
        "Create your mailbox",
        include_str!("../html/mail_signup.html"),
        context! { error },
    )
}

async fn signup(
    State(site): State<Arc<PracticeSite>>,
    Form(form): Form<SignInForm>,
) -> Result<Response, Unavailable> {
    let address = checked_address(&form.address).and_then(|address| {
        checked_password(&form.password)?;
        Ok(address)
    });
    let address = match address {
        Ok(address) => address,
        Err(error) => return Ok(show_signup(&site, Some(error))),
    };
    site.accept(Submission::MailboxCreated { address: address.clone(), password: form.password })?;
    sign_in(&site, "mail", &address, "/mail/inbox")
}

/// Shows its form also to a user who is signed in.
async fn login_page(State(site): State<Arc<PracticeSite>>) -> Response {
    show_login(&site, None)
}

fn show_login(site: &PracticeSite, error: Option<&str>) -> Response {
    site.look().page(
        "mail",
        "Webmail",
        include_str!("../html/login.html"),
        context! { error, heading => "Webmail", action => "/mail/login", area => "mail" },
    )
}

async fn login(
    State(site): State<Arc<PracticeSite>>,
    Form(form): Form<SignInForm>,
) -> Result<Response, Unavailable> {
    let address = form.address.trim().to_owned();
    let checked = site.read(|state| {
        check_credentials(&form, state.mailbox_password(&address), "There is no mailbox with this address.")
    });
    match checked {
        Ok(()) => sign_in(&site, "mail", &address, "/mail/inbox"),
        Err(error) => Ok(show_login(&site, Some(error))),
    }
}

async fn inbox_page(State(site): State<Arc<PracticeSite>>, headers: HeaderMap) -> Response {
    let Some(address) = signed_in(&site, &headers, "mail") else {
        return Redirect::to("/mail/login").into_response();
    };
    site.look().page("mail", "Inbox", include_str!("../html/mail_inbox.html"), context! { address })
}

async fn message_page(
    State(site): State<Arc<PracticeSite>>,
    Path(id): Path<u64>,
    headers: HeaderMap,
) -> Response {
    if signed_in(&site, &headers, "mail").is_none() {
        return Redirect::to("/mail/login").into_response();
    }
    site.look().page("mail", "Message", include_str!("../html/mail_message.html"), context! { id })
}

async fn messages(State(site): State<Arc<PracticeSite>>, headers: HeaderMap) -> Response {
    let Some(address) = signed_in(&site, &headers, "mail") else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    site.read(|state| Json(json!(state.messages(&address, now_ms()))).into_response())
}

async fn message(State(site): State<Arc<PracticeSite>>, Path(id): Path<u64>, headers: HeaderMap) -> Response {
    let Some(address) = signed_in(&site, &headers, "mail") else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    site.read(|state| {
        let messages = state.messages(&address, now_ms());
        match messages.into_iter().find(|message| message.id == id) {
            Some(message) => Json(json!(message)).into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        }
    })
}
