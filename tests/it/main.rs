//! One binary for all integration tests: they link once. Real Chromium, real processes, real files.

mod page;
mod provider_adspower;
mod provider_chromium;
mod support;
