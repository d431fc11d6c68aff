//! Drives one page of a Chromium over the DevTools protocol.

mod attempt;
pub mod connection;
mod error;
mod evidence;
mod healing;
mod input;
mod locating;
mod navigate;
mod network;
mod page;
mod script;
mod state;

pub use self::error::{ActionError, ActionErrorKind, PageError};
pub use self::healing::likeness::{HealingEvent, HealingKind};
pub use self::healing::memory::{LocatorKey, NoMemory, RememberedLocator, SelectorMemory};
pub use self::input::download::DownloadedFile;
pub use self::network::pace::DocumentPace;
pub use self::page::{BrowserConnection, InputGate, Page, PageOptions};
