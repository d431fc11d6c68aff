//! Browsers: who starts and stops them, and how their pages are driven.

pub mod adspower;
pub mod chromium;
mod devtools;
pub mod provider;
