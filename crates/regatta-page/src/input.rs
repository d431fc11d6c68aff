//! Sends input, and proves that the document that was meant has seen it.

pub(crate) mod aftermath;
pub(crate) mod asserted;
pub(crate) mod change;
pub(crate) mod click;
pub(crate) mod download;
pub(crate) mod emulate;
pub(crate) mod guard;
pub(crate) mod typing;
pub(crate) mod upload;
