//! One binary for all integration tests: they link once.

mod provider_adspower;
mod provider_chromium;
mod support;
