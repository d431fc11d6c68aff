//! One binary for all integration tests: they link once. Real Chromium, real processes, real files.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails right there")]

#[cfg(target_os = "linux")]
mod admission;
#[cfg(target_os = "linux")]
mod adspower_faults;
#[cfg(target_os = "linux")]
mod adspower_ownership;
mod cli;
mod crash;
#[cfg(unix)]
mod dashboard;
#[cfg(target_os = "linux")]
mod disk;
#[cfg(unix)]
mod fleet_lines;
#[cfg(unix)]
mod fleet_screen;
mod flows;
mod golden;
mod healing;
#[cfg(target_os = "linux")]
mod leftovers;
#[cfg(unix)]
mod orchestrate;
mod page;
mod play;
mod provider_adspower;
mod provider_chromium;
#[cfg(target_os = "linux")]
mod sources;
#[cfg(target_os = "linux")]
mod stopping;
#[cfg(unix)]
mod storm;
mod support;
#[cfg(unix)]
mod telemetry;
#[cfg(unix)]
mod watch;
