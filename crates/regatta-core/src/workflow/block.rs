//! What pages must not load: `[network] block` of a workflow.

use crate::event::ResourceType;

/// Types that a page can do without. Documents are never blocked, and sockets cannot be.
const TYPES: [(&str, ResourceType); 11] = [
    ("image", ResourceType::Image),
    ("font", ResourceType::Font),
    ("media", ResourceType::Media),
    ("stylesheet", ResourceType::Stylesheet),
    ("script", ResourceType::Script),
    ("xhr", ResourceType::Xhr),
    ("fetch", ResourceType::Fetch),
    ("ping", ResourceType::Ping),
    ("manifest", ResourceType::Manifest),
    ("texttrack", ResourceType::TextTrack),
    ("eventsource", ResourceType::EventSource),
];

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Block {
    pub types: Vec<ResourceType>,
    /// Matched anywhere in a URL; `*` stands for any text or none.
    pub urls: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBlock {
    #[error("documents cannot be blocked: a page needs its document")]
    Document,
    #[error("`{0}` is neither a type of resource nor a pattern")]
    Unknown(String),
}

impl Block {
    pub fn add(&mut self, entry: &str) -> Result<(), InvalidBlock> {
        if let Some((_, kind)) = TYPES.iter().find(|(name, _)| *name == entry) {
            self.types.push(*kind);
        } else if entry == "document" {
            return Err(InvalidBlock::Document);
        } else if entry.contains('*') || entry.contains("://") {
            self.urls.push(entry.to_owned());
        } else {
            return Err(InvalidBlock::Unknown(entry.to_owned()));
        }
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.types.is_empty() && self.urls.is_empty()
    }
}

impl InvalidBlock {
    pub fn hint(&self) -> String {
        let names: Vec<_> = TYPES.iter().map(|(name, _)| *name).collect();
        format!(
            "types are {}; a pattern is found anywhere in a URL and has a `*`: \"*.example/path*\"",
            names.join(", ")
        )
    }
}
