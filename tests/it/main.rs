//! Whole parts of the program with real processes, without a browser.

#[cfg(unix)]
mod orchestrate;
