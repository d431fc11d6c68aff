//! Drives one page of a Chromium over the DevTools protocol.
//!
//! A step of a flow names an element by selectors. The engine finds the element, waits until it can be acted
//! on, sends real input, and returns once the page has seen that input.
//!
//! # What it proves
//! - A click counts only when the element that was found, and nothing that covered or replaced it, has received
//!   the press. A press that would reach something else is kept from the page and tried again.
//! - Text goes into the element that was checked. While keys are sent, every other document of the tab keeps
//!   them from its page.
//! - Nothing is typed or pressed in a document of an origin that is not allowed.
//! - What an input sets off is not cut off: a navigation waits until the page is idle.
//! - Before the first input of a step an [`InputGate`] is asked, and its refusal stops the step.
//!
//! # What it does not do
//! It keeps no files but the evidence and downloads that it is asked for, repeats no step, decides no outcome,
//! and hides no automation. Errors have a kind and facts; commands and settings are the caller's.
//!
//! # Example
//! ```
//! use regatta_core::flow;
//! use regatta_page::launch::LaunchedBrowser;
//! use regatta_page::{InputGate, PageOptions};
//! use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
//!
//! /// Lets every input through.
//! struct AllowAll;
//!
//! impl InputGate for AllowAll {
//!     fn before_input(&mut self) -> Result<(), String> {
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! const PAGE: &str = "<button onclick=\"document.title = 'clicked'\">Join</button>";
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let site = format!("http://{}", listener.local_addr()?);
//! tokio::spawn(async move {
//!     while let Ok((mut stream, _)) = listener.accept().await {
//!         let _ = stream.read(&mut [0; 4096]).await;
//!         let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n", PAGE.len());
//!         let _ = stream.write_all(format!("{head}Connection: close\r\n\r\n{PAGE}").as_bytes()).await;
//!     }
//! });
//!
//! let browser = LaunchedBrowser::start(&["--no-sandbox"]).await?;
//! let mut page = browser.connect().await?.open_page(PageOptions::new([&site])).await?;
//! let text = format!(
//!     r#"{{ "title": "Join", "steps": [
//!         {{ "type": "navigate", "url": "{site}/" }},
//!         {{ "type": "click", "selectors": ["aria/Join[role=\"button\"]"], "offsetX": 5, "offsetY": 5 }},
//!         {{ "type": "waitForExpression", "expression": "document.title === 'clicked'" }}
//!     ] }}"#
//! );
//! for step in &flow::parse("join.json", &text)?.steps {
//!     page.perform("join.json", step, std::time::Duration::from_secs(10), &mut AllowAll).await?;
//! }
//! page.close().await;
//! # Ok(())
//! # }
//! ```

mod attempt;
mod browser;
pub mod connection;
mod error;
mod evidence;
mod healing;
mod input;
pub mod launch;
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
