//! Sends input, and proves that the document that was meant has seen it.

use std::time::Duration;

use regatta_core::flow::keyboard::{CONTROL, META};

pub(crate) mod aftermath;
pub(crate) mod asserted;
pub(crate) mod baseline;
pub(crate) mod change;
pub(crate) mod click;
pub(crate) mod download;
pub(crate) mod emulate;
pub(crate) mod guard;
pub(crate) mod keystroke;
pub(crate) mod typing;
pub(crate) mod upload;

/// Before an input that no document has seen is sent again.
pub const PAUSE: Duration = Duration::from_millis(20);

/// Once a button was pressed its answer is waited for this long, even past the deadline: whether the
/// page took the click matters more than a second of time.
pub const PRESS_ANSWER: Duration = Duration::from_secs(3);

/// With one of these a click adds to the chosen options of a list.
pub const ADDING: i64 = CONTROL | META;
