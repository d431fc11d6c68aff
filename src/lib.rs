//! Regatta drives many browser profiles through the same ordered steps, one isolated process per
//! profile, and loses nothing when anything dies. ARCHITECTURE.md is the map of this house.

pub mod cli;
pub mod defaults;
pub mod http;
pub mod orchestrate;
pub mod providers;
pub mod report;
pub mod run;
pub mod store;
