//! Browsers: who starts and stops them, and how their pages are driven.

pub mod chromium;
mod devtools;
pub mod provider;
