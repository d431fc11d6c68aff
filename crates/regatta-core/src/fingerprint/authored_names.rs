//! The names that a flow's own selectors give an element. Their author has seen the page, while the memory
//! was only recorded by a program. So they outrank the memory: an element with a contradicting name is
//! another one, even at the same place and with the same keys.

use super::risk::is_risky;
use super::words::{self, LabelDifference};
use super::{Fingerprint, LONGEST};
use crate::flow::{Chain, Locator, Selector, SelectorKind};
use crate::mask::Mask;

/// The names that a locator's alternatives give to its element; any of them matches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuthoredNames {
    names: Vec<AuthoredName>,
    takes_end: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct AuthoredName {
    text: String,
    /// Whether the name must match entirely, as in `aria/` and attributes; `text/` matches a part.
    whole: bool,
    selector: String,
}

/// How the labels of an element match the names in its flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameFit {
    /// The flow names nothing.
    Unnamed,
    /// A label equals a name.
    Whole,
    /// A label contains the words of a `text/` selector.
    Part,
    Contrary,
}

impl AuthoredNames {
    /// `aria` returns the name in an `aria/` selector, where it has one.
    #[must_use]
    pub fn from_locator(locator: &Locator, aria: impl Fn(&str) -> Option<String>, mask: &Mask) -> Self {
        let mut names = Vec::new();
        for chain in &locator.alternatives {
            let Some((last, text, whole)) = last_name(chain, &aria) else { continue };
            let text: String = mask.apply(&text).chars().take(LONGEST).collect();
            if !text.trim().is_empty() {
                names.push(AuthoredName { text, whole, selector: mask.apply(&last.to_string()) });
            }
        }
        let mut selectors = locator.alternatives.iter().flat_map(|chain| &chain.0);
        Self { names, takes_end: selectors.any(takes_end) }
    }

    /// Whether the flow explicitly asks for the first or the last item of a list: `li:first-child a`. A
    /// recorder counts elements instead, `li:nth-child(1) > a`, which only records where the element was that
    /// day.
    #[must_use]
    pub const fn takes_end(&self) -> bool {
        self.takes_end
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Returns the first selector that names the element.
    #[must_use]
    pub fn selector(&self) -> Option<&str> {
        self.names.first().map(|name| name.selector.as_str())
    }

    /// Whether a `text/` selector of the flow is the whole of this label.
    #[must_use]
    pub fn is_whole(&self, label: &str) -> bool {
        self.names.iter().any(|name| words::compare(&name.text, label).is_alike())
    }

    #[must_use]
    pub fn fit(&self, seen: &Fingerprint) -> NameFit {
        if self.names.is_empty() {
            return NameFit::Unnamed;
        }
        let labels = seen.labels();
        if labels.iter().any(|label| self.is_whole(label)) {
            return NameFit::Whole;
        }
        if self.names.iter().any(|name| name.whole) {
            return NameFit::Contrary;
        }
        let has = |name: &AuthoredName| labels.iter().any(|label| words::contains(label, &name.text));
        if self.names.iter().any(has) { NameFit::Part } else { NameFit::Contrary }
    }

    /// Whether the element may be remembered: not where its labels contradict the flow. An element without a
    /// label may have one that the program cannot read.
    #[must_use]
    pub fn permits(&self, element: &Fingerprint) -> bool {
        element.labels().is_empty() || self.fit(element) != NameFit::Contrary
    }

    /// Whether `label` begins with the name in the flow and continues with something of consequence: `Send
    /// later`. An author who chose a part from the middle knew the rest.
    #[must_use]
    pub fn label_extends_name_riskily(&self, label: &str) -> bool {
        let begins = |name: &AuthoredName| words::words(label).starts_with(&words::words(&name.text));
        self.names
            .iter()
            .filter(|name| words::contains(label, &name.text))
            .all(|name| begins(name) && is_risky(&name.text, label))
    }

    /// Whether one of the names equals a label, numbers included.
    #[must_use]
    pub fn has_numbers_of(&self, seen: &Fingerprint) -> bool {
        let same = |label: &&str| {
            self.names.iter().any(|name| words::compare(&name.text, label) == LabelDifference::None)
        };
        seen.labels().iter().any(same)
    }
}

/// Returns the name that a chain gives its element, and whether it is the whole name. Selectors before the
/// last one locate the element and do not name it.
fn last_name<'a>(
    chain: &'a Chain,
    aria: &impl Fn(&str) -> Option<String>,
) -> Option<(&'a Selector, String, bool)> {
    let last = chain.0.last()?;
    let (text, whole) = match last.kind {
        SelectorKind::Aria => (aria(&last.text)?, true),
        SelectorKind::Text => (last.text.clone(), false),
        SelectorKind::Css | SelectorKind::Pierce => (attribute_of(&last.text)?, true),
        SelectorKind::XPath => literal_of(&last.text)?,
    };
    Some((last, text, whole))
}

/// Whether an alternative finds its element by the whole of its name.
#[must_use]
pub fn is_by_name(chain: &Chain, aria: impl Fn(&str) -> Option<String>) -> bool {
    last_name(chain, &aria).is_some_and(|(_, _, whole)| whole)
}

/// An item around the element, not the element itself: `button:first-child` may be any button.
fn takes_end(selector: &Selector) -> bool {
    const ENDS: [&str; 4] = [":first-child", ":last-child", ":first-of-type", ":last-of-type"];
    if !matches!(selector.kind, SelectorKind::Css | SelectorKind::Pierce) {
        return false;
    }
    let last = last_step(&selector.text, &[' ', '>', '+', '~']);
    let around = selector.text.strip_suffix(last).unwrap_or_default();
    ENDS.iter().any(|end| around.contains(end))
}

const NAMING: [&str; 4] = ["aria-label", "title", "alt", "placeholder"];

/// `[aria-label="Save"]` of the last element of a CSS selector.
fn attribute_of(css: &str) -> Option<String> {
    let last = last_step(css, &[' ', '>', '+', '~']);
    NAMING.iter().find_map(|name| {
        let (_, rest) = last.split_once(&format!("[{name}="))?;
        let (value, _) = rest.split_once(']')?;
        Some(value.trim_matches(['"', '\'']).to_owned())
    })
}

/// Returns the text that the last step of a path compares its element with.
fn literal_of(path: &str) -> Option<(String, bool)> {
    let last = last_step(path, &['/']);
    let (_, conditions) = last.split_once('[')?;
    let own =
        ["text()", "normalize-space", "(.", "[.", "@aria-label", "@title", "@alt", "@placeholder", "@value"];
    let own = own.iter().any(|what| conditions.contains(what)) || conditions.starts_with('.');
    // A condition on descendants or ancestors locates the element.
    if !own || conditions.contains("::") {
        return None;
    }
    let (open, quote) = conditions.char_indices().find(|(_, c)| matches!(c, '"' | '\''))?;
    let rest = &conditions[open + 1..];
    let text = &rest[..rest.find(quote)?];
    let part = conditions.contains("contains(") || conditions.contains("starts-with(");
    Some((text.to_owned(), !part))
}

/// Returns the part after the last separator outside of brackets and quotes.
fn last_step<'a>(text: &'a str, separators: &[char]) -> &'a str {
    let (mut depth, mut quote, mut from) = (0_u32, None, 0);
    for (at, c) in text.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None => match c {
                '"' | '\'' => quote = Some(c),
                '[' | '(' => depth += 1,
                ']' | ')' => depth = depth.saturating_sub(1),
                c if depth == 0 && separators.contains(&c) => from = at + c.len_utf8(),
                _ => {}
            },
        }
    }
    &text[from..]
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::mask::Mask;

    fn locator(selectors: &[&str]) -> Locator {
        let chain = |text: &&str| Chain(text.split(" >>> ").map(Selector::parse).collect());
        Locator { alternatives: selectors.iter().map(chain).collect(), digest: String::new() }
    }

    fn aria(text: &str) -> Option<String> {
        text.split('[').next().filter(|name| !name.is_empty()).map(str::to_owned)
    }

    fn authored(selectors: &[&str]) -> AuthoredNames {
        AuthoredNames::from_locator(&locator(selectors), aria, &Mask::default())
    }

    #[test]
    fn names_are_read_from_all_kinds_of_selectors() {
        let seen: String = [
            "aria/Save[role=\"button\"]",
            "aria/[role=\"button\"]",
            "text/Save",
            "#save",
            "form > button[aria-label=\"Save it\"]",
            "[title='Save > all'] > b",
            "input[placeholder=\"Your e-mail\"]",
            "xpath//html/body/button[1]",
            "xpath//button[text()=\"Save\"]",
            "xpath//form//button[contains(., 'Save')]",
            "xpath//tr[td=\"Ann\"]//button",
            "xpath//button[@aria-label='Save']",
            "xpath//button[ancestor::form[@title='x']]",
            "aria/Ann >>> button",
            "#row >>> aria/Delete",
        ]
        .iter()
        .map(|selector| {
            let names = authored(&[selector]).names;
            let said = names
                .first()
                .map(|name| format!("{} ({})", name.text, if name.whole { "whole" } else { "part" }));
            format!("{selector}: {}\n", said.unwrap_or_default())
        })
        .collect();
        expect![[r#"
            aria/Save[role="button"]: Save (whole)
            aria/[role="button"]: 
            text/Save: Save (part)
            #save: 
            form > button[aria-label="Save it"]: Save it (whole)
            [title='Save > all'] > b: 
            input[placeholder="Your e-mail"]: Your e-mail (whole)
            xpath//html/body/button[1]: 
            xpath//button[text()="Save"]: Save (whole)
            xpath//form//button[contains(., 'Save')]: Save (part)
            xpath//tr[td="Ann"]//button: 
            xpath//button[@aria-label='Save']: Save (whole)
            xpath//button[ancestor::form[@title='x']]: 
            aria/Ann >>> button: 
            #row >>> aria/Delete: Delete (whole)
        "#]]
        .assert_eq(&seen);
    }

    #[test]
    fn an_element_of_another_name_contradicts_the_flow() {
        let fit = |selectors: &[&str], name: &str| {
            let seen =
                Fingerprint { role: "button".to_owned(), name: name.to_owned(), ..Fingerprint::default() };
            authored(selectors).fit(&seen)
        };
        assert_eq!(fit(&["#save"], "Delete"), NameFit::Unnamed);
        assert_eq!(fit(&["#save", "aria/Save"], "Delete"), NameFit::Contrary);
        assert_eq!(fit(&["#save", "aria/Save"], "SAVE"), NameFit::Whole);
        assert_eq!(fit(&["aria/Save", "aria/Speichern"], "Speichern"), NameFit::Whole);
        assert_eq!(fit(&["aria/Send", "text/Send"], "Send later"), NameFit::Contrary);
        assert_eq!(fit(&["text/Send"], "Send later"), NameFit::Part);
        assert_eq!(fit(&["aria/Cart (1)"], "Cart (2)"), NameFit::Whole);
        assert_eq!(fit(&["aria/Save", "#save"], ""), NameFit::Contrary);
    }

    #[test]
    fn a_value_is_masked_in_an_element_and_in_its_authored_name() {
        let mut mask = Mask::default();
        mask.add("identity.email", "ann@practice.test");
        let authored = AuthoredNames::from_locator(&locator(&["text/Hello ann@practice.test"]), aria, &mask);
        let seen = Fingerprint { text: "Hello ‹identity.email›".to_owned(), ..Fingerprint::default() };
        assert_eq!(authored.fit(&seen), NameFit::Whole);
    }
}
