//! Drives one page of a Chromium over the DevTools protocol.

mod attempt;
mod browser;
pub mod connection;
mod error;
mod evidence;
mod healing;
mod input;
mod locating;
mod navigate;
mod network;
mod page;
mod perform;
mod script;
mod state;

pub use self::browser::{BrowserConnection, PageOptions};
pub use self::error::{ActionError, ActionErrorKind, PageError, Remedy};
pub use self::healing::memory::{LocatorKey, NoMemory, RememberedLocator, SelectorMemory};
pub use self::healing::state::{HealingEvent, HealingKind};
pub use self::input::download::DownloadedFile;
pub use self::network::pace::DocumentPace;
pub use self::page::{InputGate, Page};
