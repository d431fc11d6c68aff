//! Browsers: who starts them, and the page engine that drives them.

pub mod provider;
