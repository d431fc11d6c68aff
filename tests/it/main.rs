//! Whole parts of the program with real processes.

#[cfg(unix)]
mod orchestrate;
mod page;
mod support;
