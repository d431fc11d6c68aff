//! One binary for all integration tests: they link once. Real Chromium, real processes, real files.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails right there")]

mod cli;
mod crash;
mod flows;
mod healing;
#[cfg(unix)]
mod orchestrate;
mod page;
mod provider_adspower;
mod provider_chromium;
mod support;
