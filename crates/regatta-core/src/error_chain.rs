//! An error with its causes in one line.

use std::error::Error;

/// Returns the message and those of its causes, without repeating any.
pub fn with_cause(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |&error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
