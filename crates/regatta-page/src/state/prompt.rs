//! Questions that the browser itself asks, outside every document.

use std::fmt;

/// A question of the browser, and its outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrowserPrompt {
    SignIn {
        origin: String,
        answer: SignInOutcome,
    },
    /// `tel`. Where the browser has dialogs one may be open.
    External {
        scheme: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInOutcome {
    Answered,
    /// The server has refused what it was given.
    Refused,
    Cancelled,
}

impl fmt::Display for BrowserPrompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SignIn { origin, answer } => {
                let came = match answer {
                    SignInOutcome::Answered => "answered with the credentials for it",
                    SignInOutcome::Refused => "cancelled: the server has refused the credentials for it",
                    SignInOutcome::Cancelled => "cancelled",
                };
                write!(f, "sign-in dialog for {origin}, {came}")
            }
            Self::External { scheme } => write!(f, "link to another program: `{scheme}:`"),
        }
    }
}
