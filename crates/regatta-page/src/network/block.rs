//! Which requests the engine intercepts, and which the browser refuses alone.
//!
//! The renderer refuses URLs. Types need the interception that the guard of the main frame's documents has
//! switched on anyway.

use std::borrow::Cow;

use chromiumoxide::cdp::browser_protocol::fetch::{EnableParams, RequestPattern};
use chromiumoxide::cdp::browser_protocol::network::ResourceType as CdpType;
use chromiumoxide::types::{Command, Method, MethodId};
use serde::Serialize;

use crate::state::TabSettings;
use regatta_core::event::ResourceType;
use regatta_core::workflow::block::Block;

/// Pauses documents, everything of a type that is blocked, and what a server may ask a user and a password for:
/// see [`crate::network::prompts`].
pub fn interception(settings: &TabSettings) -> EnableParams {
    if settings.asks {
        let patterns = Some(vec![RequestPattern::default()]);
        return EnableParams { patterns, handle_auth_requests: Some(true) };
    }
    let types =
        std::iter::once(CdpType::Document).chain(settings.block.types.iter().filter_map(|kind| named(*kind)));
    let of_type = types.map(pattern);
    let of_origins = settings.credentials.iter().map(|credential| RequestPattern {
        url_pattern: Some(format!("{}/*", credential.origin)),
        ..RequestPattern::default()
    });
    let patterns = Some(of_type.chain(of_origins).collect());
    EnableParams { patterns, handle_auth_requests: Some(!settings.credentials.is_empty()) }
}

/// Pauses documents and nothing else.
pub fn documents() -> EnableParams {
    EnableParams { patterns: Some(vec![pattern(CdpType::Document)]), handle_auth_requests: None }
}

fn pattern(kind: CdpType) -> RequestPattern {
    RequestPattern { resource_type: Some(kind), ..RequestPattern::default() }
}

/// Whether a request of this type, in the browser's words, is blocked.
pub fn is_blocked(block: &Block, kind: &str) -> bool {
    block.types.iter().filter_map(|kind| named(*kind)).any(|blocked| blocked.as_ref() == kind)
}

pub fn blocked_urls(block: &Block) -> SetBlockedUrls {
    SetBlockedUrls { urls: block.urls.iter().map(|url| format!("*{url}*")).collect() }
}

/// The generated command knows only the patterns of younger browsers; these are understood by all.
/// Documents are exempt.
#[derive(Debug, Clone, Serialize)]
pub struct SetBlockedUrls {
    urls: Vec<String>,
}

impl Method for SetBlockedUrls {
    fn identifier(&self) -> MethodId {
        Cow::Borrowed("Network.setBlockedURLs")
    }
}

impl Command for SetBlockedUrls {
    type Response = serde_json::Value;
}

const fn named(kind: ResourceType) -> Option<CdpType> {
    Some(match kind {
        ResourceType::Image => CdpType::Image,
        ResourceType::Font => CdpType::Font,
        ResourceType::Media => CdpType::Media,
        ResourceType::Stylesheet => CdpType::Stylesheet,
        ResourceType::Script => CdpType::Script,
        ResourceType::Xhr => CdpType::Xhr,
        ResourceType::Fetch => CdpType::Fetch,
        ResourceType::Ping => CdpType::Ping,
        ResourceType::Manifest => CdpType::Manifest,
        ResourceType::TextTrack => CdpType::TextTrack,
        ResourceType::EventSource => CdpType::EventSource,
        ResourceType::Document | ResourceType::WebSocket | ResourceType::Other => return None,
    })
}
