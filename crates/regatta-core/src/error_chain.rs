//! An error with its causes in one line.

use std::error::Error;

/// The message, and those below it, which it does not repeat.
pub fn with_cause(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |&error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
