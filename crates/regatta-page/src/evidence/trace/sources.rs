//! The sources of the evidence's files.

use std::collections::VecDeque;

use super::recorder::TraceRecorder;
use super::snapshot::PageSnapshot;
use crate::network::Exchange;
use crate::state::ConsoleLine;
use regatta_core::evidence::Incident;
use regatta_core::mask::Mask;

/// The records that the evidence shows, and the values that it masks.
pub struct EvidenceSources<'a> {
    pub recorder: &'a TraceRecorder,
    pub exchanges: &'a [Exchange],
    pub console: &'a VecDeque<ConsoleLine>,
    pub incident: Option<&'a Incident>,
    /// How the page looked when the last action had failed.
    pub failed: Option<&'a PageSnapshot>,
    pub mask: &'a Mask,
}
