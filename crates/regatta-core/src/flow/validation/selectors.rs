//! Finds selectors that no page understands.
//!
//! CSS is parsed by Servo's parser, XPath by sxd-xpath. Both know the stable grammar, not what a browser
//! supports. Names of pseudo-classes depend on the browser and are all accepted, except those that are known
//! from other tools and that no browser has.

use std::borrow::Borrow;
use std::fmt;

use cssparser::{ParseError, ParseErrorKind, Parser, ToCss};
use precomputed_hash::PrecomputedHash;
use selectors::parser::{
    NonTSPseudoClass, ParseRelative, PseudoElement, SelectorImpl, SelectorList, SelectorParseErrorKind,
};

use super::Unplayable;
use crate::flow::{Selector, SelectorKind};
use crate::workflow::template::is_template;

/// Pseudo-classes of jQuery, Sizzle and Playwright.
const FOREIGN: [&str; 24] = [
    "contains",
    "has-text",
    "text",
    "text-is",
    "text-matches",
    "visible",
    "hidden",
    "eq",
    "gt",
    "lt",
    "even",
    "odd",
    "first",
    "last",
    "nth",
    "parent",
    "header",
    "input",
    "button",
    "submit",
    "selected",
    "checkbox",
    "radio",
    "password",
];

/// Returns why a selector matches nothing on any page.
pub fn invalid(selector: &Selector) -> Option<Unplayable> {
    if is_template(&selector.text) {
        return None;
    }
    match selector.kind {
        SelectorKind::Css | SelectorKind::Pierce => invalid_css(selector),
        SelectorKind::XPath => invalid_xpath(selector),
        // The engine parses `aria/`, and any text may be searched.
        SelectorKind::Aria | SelectorKind::Text => None,
    }
}

fn invalid_css(selector: &Selector) -> Option<Unplayable> {
    let mut parser = Parser::new(&selector.text);
    let error = SelectorList::parse(&Css, &mut parser, ParseRelative::No).err()?;
    let problem = format!("`{selector}` is not a valid CSS selector");
    let foreign = match error.kind {
        ParseErrorKind::Custom(Fault::Foreign(name)) => Some(name),
        _ => None,
    };
    Some(match foreign {
        Some(name) => Unplayable::new(
            format!("{problem}: no browser has `:{name}`"),
            "write `text/…` to find an element by its text, `aria/…` by its name, or a CSS selector that a browser knows",
        ),
        None => Unplayable::new(
            problem,
            "a selector without a prefix is CSS; other kinds begin with aria/, text/, xpath/ or pierce/",
        ),
    })
}

fn invalid_xpath(selector: &Selector) -> Option<Unplayable> {
    if let Ok(Some(_)) = sxd_xpath::Factory::new().build(&selector.text) {
        return None;
    }
    Some(Unplayable::new(
        format!("`{selector}` is not a valid XPath"),
        "what follows `xpath/` is the whole expression: \"xpath///button[text()=\\\"Save\\\"]\"",
    ))
}

/// Parses the form of a selector and matches nothing.
struct Css;

enum Fault {
    Foreign(String),
    Form,
}

impl From<SelectorParseErrorKind> for Fault {
    fn from(_: SelectorParseErrorKind) -> Self {
        Self::Form
    }
}

#[derive(Debug, Clone)]
struct AnySelector;

/// A name of an element, attribute, class, id or pseudo-class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Name(String);

impl SelectorImpl for AnySelector {
    type ExtraMatchingData<'a> = ();
    type AttrValue = Name;
    type Identifier = Name;
    type LocalName = Name;
    type NamespaceUrl = Name;
    type NamespacePrefix = Name;
    type BorrowedNamespaceUrl = str;
    type BorrowedLocalName = str;
    type NonTSPseudoClass = Name;
    type PseudoElement = Name;
}

impl<'i> selectors::parser::Parser<'i> for Css {
    type Impl = AnySelector;
    type Error = Fault;

    fn parse_slotted(&self) -> bool {
        true
    }

    fn parse_part(&self) -> bool {
        true
    }

    fn parse_nth_child_of(&self) -> bool {
        true
    }

    fn parse_is_and_where(&self) -> bool {
        true
    }

    fn parse_has(&self) -> bool {
        true
    }

    fn parse_parent_selector(&self) -> bool {
        true
    }

    fn parse_host(&self) -> bool {
        true
    }

    fn parse_non_ts_pseudo_class(&self, name: &str) -> Result<Name, ParseError<Fault>> {
        known(name)
    }

    fn parse_non_ts_functional_pseudo_class(
        &self,
        name: &str,
        arguments: &mut Parser<'i>,
        _: bool,
    ) -> Result<Name, ParseError<Fault>> {
        skip(arguments);
        known(name)
    }

    fn parse_pseudo_element(&self, name: &str) -> Result<Name, ParseError<Fault>> {
        Ok(name.into())
    }

    fn parse_functional_pseudo_element(
        &self,
        name: &str,
        arguments: &mut Parser<'i>,
    ) -> Result<Name, ParseError<Fault>> {
        skip(arguments);
        Ok(name.into())
    }
}

fn known(name: &str) -> Result<Name, ParseError<Fault>> {
    match FOREIGN.iter().any(|foreign| foreign.eq_ignore_ascii_case(name)) {
        true => Err(ParseError::custom(Fault::Foreign(name.to_owned()))),
        false => Ok(name.into()),
    }
}

fn skip(arguments: &mut Parser<'_>) {
    while arguments.next().is_ok() {}
}

impl NonTSPseudoClass for Name {
    fn is_active_or_hover(&self) -> bool {
        false
    }

    fn is_user_action_state(&self) -> bool {
        false
    }
}

impl PseudoElement for Name {
    fn accepts_state_pseudo_classes(&self) -> bool {
        true
    }

    fn valid_after_slotted(&self) -> bool {
        true
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        Self(name.to_owned())
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl ToCss for Name {
    fn to_css<W: fmt::Write>(&self, to: &mut W) -> fmt::Result {
        to.write_str(&self.0)
    }
}

impl PrecomputedHash for Name {
    fn precomputed_hash(&self) -> u32 {
        // Nothing is matched, so nothing is filtered by it.
        0
    }
}
