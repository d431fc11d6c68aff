//! Folds of events and sessions, shared by every view of a fleet.

pub mod overview;
pub mod profile_status;
pub mod summary;
