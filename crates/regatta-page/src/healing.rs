//! Remembers what elements were like, and finds them again after a redesign.

pub(crate) mod heal;
pub(crate) mod memory;
