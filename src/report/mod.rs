//! Everything that watches: it turns events and notices into what a person or a program reads.

pub mod dashboard;
mod event_words;
pub mod files;
pub mod fleet_console;
pub mod notify;
pub mod otlp;
pub mod play_console;
pub mod run_console;
#[cfg(test)]
mod testing;
pub mod watch_screen;
mod words;

pub use self::words::bytes;

/// `println!` to a reader who may have gone (`| head`): that ends nothing.
macro_rules! say {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        writeln!(std::io::stdout(), $($words)*).ok();
    }};
}
pub(crate) use say;
