//! Finds the element that a step means, and waits until it can be acted on.

pub(crate) mod aria;
pub(crate) mod frames;
pub(crate) mod near;
pub(crate) mod quad;
pub(crate) mod query;
pub(crate) mod resolve;
pub(crate) mod scroll;
pub(crate) mod wait;
