//! One binary for all integration tests: they link once.

mod provider_chromium;
