//! The integration tests: real Chromium, real processes, real files.

mod page;
mod support;
