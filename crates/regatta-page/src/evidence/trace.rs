//! Records what a page did, for people to read later: see [`regatta_core::evidence::TraceMode`].
//!
//! While nothing fails, only the actions of one attempt are kept. Pictures and documents are taken when an action
//! failed, or around every action where that is requested. All of it stays in memory until it is written: a
//! value that is captured late is masked in earlier snapshots, too.

pub mod archive;
pub mod capture;
mod format;
mod har;
pub mod recorder;
pub mod snapshot;
pub mod sources;
