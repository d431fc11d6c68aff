//! How playing a step can fail.

use thiserror::Error;

/// Lower-case, for a person; never holds a typed value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct ActionError {
    pub kind: ActionErrorKind,
    pub message: String,
    pub hint: Option<String>,
}

/// What a failure says about the outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionErrorKind {
    /// A wait or assertion did not hold on a page that had loaded and was quiet: a definite no.
    NotMet,
    /// Not found, not actionable, still loading when time ran out: says nothing about the outside.
    TimedOut,
    /// Several elements match, and nothing says which is meant.
    Ambiguous,
    /// Outside the allowed origins, an unknown option, an offset outside the element: trying again
    /// changes nothing.
    Refused,
    /// A network error, an HTTP error, a wrong URL or title after a navigation.
    Navigation,
    BrowserGone,
    PageCrashed,
    /// The gate said no: nothing was touched.
    Gate,
}

impl ActionError {
    pub(super) fn new(kind: ActionErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }

    pub(super) fn refused(message: impl Into<String>) -> Self {
        Self::new(ActionErrorKind::Refused, message)
    }

    pub(super) fn timed_out(message: impl Into<String>) -> Self {
        Self::new(ActionErrorKind::TimedOut, message)
    }

    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
