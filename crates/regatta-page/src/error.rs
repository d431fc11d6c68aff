//! Why a page could not be had, and why a step on it did not succeed.

use std::time::Duration;

use crate::connection::CdpError;
use regatta_core::duration::in_words;

#[derive(Debug, thiserror::Error)]
pub enum PageError {
    #[error(transparent)]
    Browser(#[from] CdpError),
    #[error("the browser did not close")]
    StillOpen,
}

/// A lower-case fragment a person understands. Never holds a value that was typed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ActionError {
    pub kind: ActionErrorKind,
    pub message: String,
    /// The text that the page shows about it.
    pub hint: Option<String>,
    /// The remedies that the caller can offer, in words and commands of its own.
    pub remedies: Vec<Remedy>,
}

/// A remedy for selectors of a flow that no longer match the element that is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// Write the suggested selector, which the hint names, into the flow.
    AcceptSuggestion { flow: String, step: String },
    /// Forget the remembered element, if the page is right.
    ForgetElement { flow: String, step: String },
    /// Correct the selectors of the step, if the page is right.
    CorrectSelectors { flow: String, step: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionErrorKind {
    /// A wait or assertion that did not hold on a page that had loaded and was quiet: a definite no.
    NotMet,
    /// Not found, not actionable or still loading when time ran out: says nothing about the outside.
    TimedOut,
    /// More than one element, and no selector that means one.
    Ambiguous,
    /// The page is another one than the selectors were written for: they match something else, or
    /// something else is what they used to match. Says nothing about the outside.
    Changed,
    /// Outside `allowed_origins`, unknown option, offset outside the box, read-only, …
    Refused,
    /// The profile lacks an identity field that the step needs, or its value is unusable.
    MissingField,
    /// Net error, HTTP error status, wrong URL or title after a navigation.
    Navigation,
    /// The site answered 429 or 503: neither a yes nor a no. `retry_after` is the time that it asks for.
    SiteBusy {
        retry_after: Option<Duration>,
    },
    /// Something else took the focus while text was typed. Nothing was typed there, but the page or a
    /// frame of it may try again: not repeated, not even by another run.
    FocusStolen,
    /// No document of the page has seen the input: a dialog of the browser may be in front.
    Unseen,
    BrowserGone,
    PageCrashed,
    /// The gate said no.
    Gate,
}

/// Why waiting ended without what was waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitError {
    Deadline,
    Ended(PageEnd),
    /// A main-frame request outside the allowed origins was stopped; its origin.
    OriginNotAllowed(String),
    /// The script threw or the protocol refused: a defect, not the page's doing.
    Script(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageEnd {
    Gone,
    Crashed,
    Closed,
}

impl ActionError {
    pub fn new(kind: ActionErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, remedies: Vec::new() }
    }

    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(ActionErrorKind::Refused, message)
    }

    pub(crate) fn timed_out(message: impl Into<String>) -> Self {
        Self::new(ActionErrorKind::TimedOut, message)
    }

    pub(crate) fn navigation(message: impl Into<String>) -> Self {
        Self::new(ActionErrorKind::Navigation, message)
    }

    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    pub(crate) fn from_wait(error: WaitError, timeout: Duration) -> Self {
        match error {
            WaitError::Deadline => {
                Self::timed_out(format!("the page did not answer within {}", in_words(timeout)))
            }
            WaitError::Ended(PageEnd::Gone) => Self::new(ActionErrorKind::BrowserGone, "the browser is gone"),
            WaitError::Ended(PageEnd::Closed) => {
                Self::new(ActionErrorKind::BrowserGone, "the page was closed")
            }
            WaitError::Ended(PageEnd::Crashed) => Self::new(ActionErrorKind::PageCrashed, "the page crashed"),
            WaitError::OriginNotAllowed(origin) => {
                Self::refused(format!("the page went to {origin}, which is not in allowed_origins"))
            }
            WaitError::Script(message) => {
                Self::timed_out(format!("the page could not be examined: {message}"))
            }
        }
    }
}
