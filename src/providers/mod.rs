//! Browsers: who starts them, and the page engine that drives them. Only this room knows
//! chromiumoxide.

pub mod adspower;
pub mod chromium;
pub mod leftovers;
mod liveness;
mod process_age;
pub mod provider;
pub mod temporary_browser;
