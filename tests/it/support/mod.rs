//! What the tests share. Everything started here is ended here.

#[cfg(target_os = "linux")]
pub mod adspower;
pub mod chrome;
#[cfg(target_os = "linux")]
pub mod postgres;
#[cfg(target_os = "linux")]
mod processes;
pub mod program;
pub mod relay;
pub mod sandbox;
#[cfg(target_os = "linux")]
pub mod server;
#[cfg(unix)]
pub mod terminal;

#[cfg(target_os = "linux")]
pub use self::processes::{EndsBrowsers, browser_processes};
