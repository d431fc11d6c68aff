//! Everything that watches: it turns events and notices into what a person or a program reads.

pub mod fleet_console;
pub mod run_console;
