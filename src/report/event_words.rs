//! The words for events that runs and played flows have in common, the same on every console.

use std::time::Duration;

use super::words::span;
use regatta_core::duration::in_words;

pub fn pacer_waiting(call: &str) -> String {
    format!("waiting for the provider (rate limit, {call})")
}

pub fn pacer_waited(call: &str, ms: u64) -> String {
    format!("waited {} for the provider (rate limit, {call})", span(ms))
}

pub fn pace_waiting(origin: &str) -> String {
    format!("waiting for {origin} ([[pace]] limit)")
}

pub fn pace_waited(origin: &str, ms: u64) -> String {
    format!("waited {} for {origin} ([[pace]] limit)", span(ms))
}

pub fn kernel_downloading(message: &str, ms: u64) -> String {
    format!("waiting for the browser kernel ({} so far): {message}", span(ms))
}

pub fn browser_started(provider: &str, reused: bool, ms: u64) -> String {
    let how = if reused { "taken over" } else { "started" };
    format!("browser {how} ({provider}, {})", span(ms))
}

pub fn totp_waiting(ms: u64) -> String {
    format!("waiting {} for the next two-factor code", in_words(Duration::from_millis(ms)))
}
