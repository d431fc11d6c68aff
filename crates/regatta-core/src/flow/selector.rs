//! Locators: alternatives, each a chain of selectors that enters shadow roots.

use std::fmt;

use sha2::{Digest, Sha256};

/// Alternatives in the order they are tried. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locator {
    pub alternatives: Vec<Chain>,
    /// A digest of the selectors as written, before templates: an edited step has another digest, and no
    /// value of a variable is ever in it.
    pub digest: String,
}

/// Each selector is matched inside the (shadow root of the) match of the one before. Not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain(pub Vec<Selector>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    pub kind: SelectorKind,
    /// Without its prefix.
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SelectorKind {
    Css,
    /// `Name[role="button"]` over the accessibility tree, exact.
    Aria,
    /// The deepest elements that contain the text.
    Text,
    XPath,
    /// CSS through open shadow roots at any depth.
    Pierce,
}

impl Locator {
    pub fn new(alternatives: Vec<Chain>) -> Self {
        let mut hasher = Sha256::new();
        for chain in &alternatives {
            hasher.update(chain.to_string());
            hasher.update([0]);
        }
        let digest = hasher.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        Self { alternatives, digest }
    }

    pub(super) fn map_text<E>(&self, f: &mut impl FnMut(&str) -> Result<String, E>) -> Result<Self, E> {
        let mut map_selector =
            |selector: &Selector| Ok(Selector { kind: selector.kind, text: f(&selector.text)? });
        let mut map_chain =
            |chain: &Chain| chain.0.iter().map(&mut map_selector).collect::<Result<_, E>>().map(Chain);
        Ok(Self {
            alternatives: self.alternatives.iter().map(&mut map_chain).collect::<Result<_, E>>()?,
            digest: self.digest.clone(),
        })
    }
}

impl Selector {
    /// The prefix decides the kind; without one it is CSS.
    pub fn parse(text: &str) -> Self {
        const PREFIXES: [(&str, SelectorKind); 5] = [
            ("aria/", SelectorKind::Aria),
            ("text/", SelectorKind::Text),
            ("xpath/", SelectorKind::XPath),
            ("pierce/", SelectorKind::Pierce),
            ("css/", SelectorKind::Css),
        ];
        let prefixed =
            PREFIXES.iter().find_map(|(prefix, kind)| text.strip_prefix(prefix).map(|rest| (*kind, rest)));
        let (kind, rest) = prefixed.unwrap_or((SelectorKind::Css, text));
        Self { kind, text: rest.to_owned() }
    }
}

impl SelectorKind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Css => "",
            Self::Aria => "aria/",
            Self::Text => "text/",
            Self::XPath => "xpath/",
            Self::Pierce => "pierce/",
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.kind.prefix(), self.text)
    }
}

/// `outer >>> inner`, as errors and the cache write a chain.
impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, selector) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { " >>> " };
            write!(f, "{separator}{selector}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_decides_the_kind() {
        for (text, kind, rest) in [
            ("#a > b", SelectorKind::Css, "#a > b"),
            ("css/#a", SelectorKind::Css, "#a"),
            ("aria/Sign up[role=\"button\"]", SelectorKind::Aria, "Sign up[role=\"button\"]"),
            ("text/Sign up", SelectorKind::Text, "Sign up"),
            ("xpath///*[@id=\"a\"]", SelectorKind::XPath, "//*[@id=\"a\"]"),
            ("pierce/#a", SelectorKind::Pierce, "#a"),
        ] {
            assert_eq!(Selector::parse(text), Selector { kind, text: rest.to_owned() });
        }
    }

    #[test]
    fn the_digest_is_of_the_selectors_as_written() {
        let locator = Locator::new(vec![Chain(vec![Selector::parse("text/{{ profile_id }}")])]);
        let rendered = locator.map_text::<()>(&mut |_| Ok("p1".to_owned())).unwrap();
        assert_eq!(rendered.alternatives[0].to_string(), "text/p1");
        assert_eq!(rendered.digest, locator.digest);
        let edited = Locator::new(vec![Chain(vec![Selector::parse("text/other")])]);
        assert_ne!(edited.digest, locator.digest);
    }
}
