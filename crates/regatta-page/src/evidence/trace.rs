//! What a page did, for people to look at later: see [`regatta_core::evidence::TraceMode`].
//!
//! While nothing fails, only words are kept, of one attempt and so many actions. Pictures and documents
//! are taken when something failed, or around every action where that is asked for. All of it stays in
//! memory until it is written: a value that is captured late is masked in what was seen before.

pub mod archive;
pub mod capture;
mod format;
mod har;
pub mod recorder;
pub mod snapshot;
pub mod sources;
