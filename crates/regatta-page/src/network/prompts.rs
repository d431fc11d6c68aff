//! Answers what the browser itself would ask a person in a dialog. No document and no command can see or close
//! such a dialog, and it takes every press and key of the tab.
//!
//! A sign-in by HTTP is answered before the dialog opens: with the workflow's user and password, or by
//! cancelling it. `Fetch.authRequired` is sent only for requests that a pattern pauses when they are made. So a
//! browser that has such dialogs pauses every request for a moment; the headless shell has none, and pauses only
//! those to the origins of the credentials. Passkeys are refused by
//! an empty set of authenticators, the capture of a screen by a switch of the browser. Links to other
//! programs (`tel:`) cannot be refused, they are only noticed.

use chromiumoxide::cdp::browser_protocol::fetch::{
    AuthChallengeResponse, AuthChallengeResponseResponse, ContinueWithAuthParams,
};
use chromiumoxide::types::{Command, Method, MethodId};
use serde::Serialize;
use serde_json::Value;

use crate::connection::CdpSession;
use crate::network::block;
use crate::page::Page;
use crate::state::prompt::{BrowserPrompt, SignInOutcome};
use crate::state::{PageState, TabSettings, text};
use regatta_core::workflow::http_auth::Credential;

impl Page {
    /// Sets the credentials for servers that ask for a user and a password by HTTP.
    pub fn set_http_auth(&mut self, credentials: Vec<Credential>) {
        let mut changed = None;
        self.state.send_modify(|state| {
            let origins = |settings: &TabSettings| {
                settings.credentials.iter().map(|one| one.origin.clone()).collect::<Vec<_>>()
            };
            let before = origins(&state.settings);
            state.settings.credentials = credentials;
            if before != origins(&state.settings) {
                changed = Some((state.sessions(), block::interception(&state.settings)));
            }
        });
        for session in changed.iter().flat_map(|(sessions, _)| sessions) {
            drop(session.send(changed.as_ref().expect("it has sessions").1.clone()));
        }
    }

    /// Describes the dialog that is likely to take the input of the tab.
    pub(crate) fn likely_dialog(&self) -> String {
        let state = self.state.borrow();
        let external = state.prompts.iter().rev().find_map(|prompt| match prompt {
            BrowserPrompt::External { scheme } => Some(scheme),
            BrowserPrompt::SignIn { .. } => None,
        });
        match external {
            Some(scheme) => format!(
                "a dialog of the browser is likely in front: the page has opened a `{scheme}:` link, which it asks about"
            ),
            None => "a dialog of the browser may be in front, which asks about a passkey, a screen to share, a sign-in \
                     or another program"
                .to_owned(),
        }
    }
}

impl PageState {
    pub fn prompted(&mut self, prompt: BrowserPrompt) {
        self.note(prompt.to_string());
        self.prompts.push(prompt);
    }

    /// Notes that a page or frame navigates to `url`.
    pub fn goes_to(&mut self, url: &str) {
        // What a browser opens itself.
        const OWN: [&str; 14] = [
            "http",
            "https",
            "about",
            "blob",
            "data",
            "javascript",
            "file",
            "filesystem",
            "view-source",
            "chrome",
            "chrome-error",
            "chrome-extension",
            "devtools",
            "ftp",
        ];
        if let Some((scheme, _)) = url.split_once(':')
            && !OWN.contains(&scheme.to_ascii_lowercase().as_str())
        {
            self.prompted(BrowserPrompt::External { scheme: scheme.to_ascii_lowercase() });
        }
    }

    /// Answers a server that asks for a user and a password. The browser answers a proxy.
    pub fn sign_in(&mut self, params: &Value) -> ContinueWithAuthParams {
        let request = text(&params["requestId"]).to_owned();
        let challenge = &params["authChallenge"];
        let answer =
            |response| ContinueWithAuthParams::new(request.clone(), AuthChallengeResponse::new(response));
        if challenge["source"] == "Proxy" {
            return answer(AuthChallengeResponseResponse::Default);
        }
        let origin = text(&challenge["origin"]).to_owned();
        let known = self.settings.credentials.iter().find(|known| known.origin == origin).cloned();
        let Some(known) = known else {
            self.prompted(BrowserPrompt::SignIn { origin, answer: SignInOutcome::Cancelled });
            return answer(AuthChallengeResponseResponse::CancelAuth);
        };
        // Asked again for the same request: what it was given was wrong.
        if !self.signed_in.insert(request.clone()) {
            self.prompted(BrowserPrompt::SignIn { origin, answer: SignInOutcome::Refused });
            return answer(AuthChallengeResponseResponse::CancelAuth);
        }
        self.prompted(BrowserPrompt::SignIn { origin, answer: SignInOutcome::Answered });
        let mut response = AuthChallengeResponse::new(AuthChallengeResponseResponse::ProvideCredentials);
        (response.username, response.password) = (Some(known.user), Some(known.password));
        ContinueWithAuthParams::new(request, response)
    }
}

/// Gives the tab an empty set of authenticators, so that the browser never asks for a passkey. A browser that
/// does not know the command asks.
pub fn refuse_passkeys(session: &CdpSession, settings: &TabSettings) {
    if settings.asks {
        drop(session.send(NoAuthenticators { enable_ui: false }));
    }
}

#[derive(Debug, Clone, Serialize)]
struct NoAuthenticators {
    #[serde(rename = "enableUI")]
    enable_ui: bool,
}

impl Method for NoAuthenticators {
    fn identifier(&self) -> MethodId {
        "WebAuthn.enable".into()
    }
}

impl Command for NoAuthenticators {
    type Response = Value;
}
