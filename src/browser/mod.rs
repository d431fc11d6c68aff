//! Browsers and their pages. Nothing outside this room names the browser protocol's crate.

pub mod cdp;
pub mod page;
