//! Which requests pass through us, and which the browser refuses by itself.
//!
//! URLs are refused in the renderer, without asking anybody. Types need the interception that the guard
//! of the main frame's documents has switched on anyway: only requests of a type that is blocked are
//! paused, so the others do not wait for us.

use std::borrow::Cow;

use chromiumoxide::cdp::browser_protocol::fetch::{EnableParams, RequestPattern};
use chromiumoxide::cdp::browser_protocol::network::ResourceType as CdpType;
use chromiumoxide::types::{Command, Method, MethodId};
use serde::Serialize;

use crate::domain::block::Block;
use crate::domain::event::ResourceType;

/// Pauses documents, and everything of a type that is blocked.
pub fn interception(block: &Block) -> EnableParams {
    let types = std::iter::once(CdpType::Document).chain(block.types.iter().filter_map(|kind| named(*kind)));
    let pattern = |kind| RequestPattern { resource_type: Some(kind), ..RequestPattern::default() };
    EnableParams { patterns: Some(types.map(pattern).collect()), handle_auth_requests: None }
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
