//! What a step searches the page for, and the form in which the page's script takes it.

use serde_json::{Value, json};

use crate::error::WaitError;
use crate::locating::aria;
use regatta_core::fingerprint::{AuthoredNames, Fingerprint, MismatchReason};
use regatta_core::flow::{Chain, Locator, Selector, SelectorKind};

/// A locator with what is remembered of it.
pub(crate) struct ElementQuery {
    /// With a selector that was found by likeness as its last alternative.
    pub locator: Locator,
    pub written: usize,
    /// Its content is read and may be a profile's value, so it does not identify the element.
    pub bare: bool,
    pub remembered: Option<usize>,
    /// The element that it led to last time, where the flow's own selectors do not contradict that.
    pub known: Option<Fingerprint>,
    /// The names that the flow's own selectors give it.
    pub authored: AuthoredNames,
    /// The step is about to act on it: it has to be the element that is meant.
    pub acts: bool,
    /// The first alternative that led to another element.
    pub wrong_match: Option<WrongMatch>,
}

pub(crate) struct WrongMatch {
    pub selector: String,
    pub seen: Fingerprint,
    pub because: MismatchReason,
}

/// The object of a search in the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SearchPurpose {
    Act,
    /// A person decides.
    Suggest,
}

pub(crate) enum LocateError {
    Wait(WaitError),
    InvalidSelector(String),
}

impl From<WaitError> for LocateError {
    fn from(error: WaitError) -> Self {
        Self::Wait(error)
    }
}

/// The name in an `aria/` selector.
pub fn name_of(text: &str) -> Option<String> {
    aria::parse(text).ok()?.name
}

pub(crate) fn chain(selector: &[String]) -> Chain {
    Chain(selector.iter().map(|text| Selector::parse(text)).collect())
}

pub(crate) fn asks_tree(chain: &Chain) -> bool {
    chain.0.iter().any(|selector| selector.kind == SelectorKind::Aria)
}

pub(crate) fn alternative_of(index: usize, chain: &Chain, by_tree: bool) -> Value {
    if by_tree {
        json!({ "index": index, "stashed": true })
    } else {
        json!({ "index": index, "chain": selectors(&chain.0) })
    }
}

pub fn selectors(chain: &[Selector]) -> Value {
    let pair = |selector: &Selector| {
        let kind = match selector.kind {
            SelectorKind::Css => "css",
            SelectorKind::Aria => "aria",
            SelectorKind::Text => "text",
            SelectorKind::XPath => "xpath",
            SelectorKind::Pierce => "pierce",
        };
        json!([kind, selector.text])
    };
    chain.iter().map(pair).collect()
}
