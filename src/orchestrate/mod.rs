//! Drives many profiles at once: the shell around [`crate::domain::fleet`].

mod intake;

pub use self::intake::{IntakeErrors, LineProblem, parse_profiles};
