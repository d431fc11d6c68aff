//! Where profiles come from, and where their outcomes go.

pub mod outcome_document;
pub mod profile_reference;
pub mod row;
pub mod spec;
pub mod statement;
