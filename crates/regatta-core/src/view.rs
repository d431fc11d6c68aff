//! Folds of events and sessions, which every view of a fleet shares.

pub mod overview;
pub mod profile_status;
pub mod summary;
