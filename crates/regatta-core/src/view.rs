//! Folds of events and sessions, which every view of a fleet shares.

pub mod overview;
pub mod standing;
pub mod summary;
