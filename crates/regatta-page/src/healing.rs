//! Remembers what elements were like, and finds them again after a redesign.

pub(crate) mod likeness;
pub(crate) mod memory;
pub(crate) mod state;
