//! The features of an element at the time it was the right one: enough to recognize that a selector now
//! matches another element, and to find the element again where no selector matches.
//!
//! Made in the page (`regatta-page/src/script/injected/likeness.js`), compared here. Holds nothing that was
//! typed: the content of fields is never read, and identity values are masked before any comparison.
//!
//! `authored_names` holds the names that the flow's own selectors give an element; they outrank everything
//! that was observed. `judge` decides whether an element that a selector matches is the intended one,
//! `search` finds it where none matches. `words` compares labels, `risk` knows which must not be confused,
//! `element_row` compares the list items that contain elements.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::mask::Mask;

mod authored_names;
mod element_row;
mod judge;
mod risk;
mod search;
mod words;

pub use self::authored_names::{AuthoredNames, NameFit, is_by_name};
pub use self::element_row::{ElementRow, RowComparison};
pub use self::judge::{ElementComparison, MismatchReason, Verdict};
use self::words::LabelDifference;

/// Names and texts are cut to this many characters. The page sends more, since a value that is cut could not
/// be masked.
const LONGEST: usize = 80;

/// A plain element with a longer text is a box, not a label.
const LABEL: usize = 60;

/// Attributes that authors use to name an element for tests.
const TEST_IDS: [&str; 6] = ["data-testid", "data-test-id", "data-test", "data-qa", "data-cy", "data-pw"];

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fingerprint {
    pub tag: String,
    /// The ARIA role, explicit or by the tag; empty for a plain element.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub role: String,
    /// An approximation of the accessible name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// `id`, `name`, `type`, test ids, the path of `href` and similar attributes; none that looks generated.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// `main:1>form:1>button:2`, the nearest eight elements.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// The nearest ancestor with a landmark role: `form "Sign up"`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub landmark: String,
    /// Whether it is part of a list or a table of content.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub item: bool,
    /// The heading above it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub heading: String,
    /// A digest of its graphics, where it has no words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub picture: String,
    /// How many other elements of its kind have its label, at most nine. Absent before version 3 of the
    /// cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub twins: Option<u32>,
    /// Whether others have its label except for the numbers in it, so that a number identifies the element
    /// and is not a count.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub series: bool,
    /// The list item or similar that contains it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<ElementRow>,
    /// Labels that it had before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub formerly: Vec<String>,
}

/// A selector that was found by likeness, and the element it matched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Likeness {
    /// A chain, each part with its prefix, as flows write it.
    pub selector: Vec<String>,
    pub element: Fingerprint,
}

/// The use of an element. Elements of different kinds are different, even if all else agrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ElementKind {
    Press,
    Field,
    Toggle,
    File,
    Plain,
}

/// Points for and against, by which candidates are ranked. Keys are counted apart: in a search after a
/// selector no longer matches, the keys are what has changed.
#[derive(Debug, Clone, Copy, Default)]
struct MatchScore {
    favour: i32,
    against: i32,
    keys_against: i32,
}

impl MatchScore {
    fn key(&mut self, known: Option<&String>, seen: Option<&String>, points: i32, against: i32) {
        match (known, seen) {
            (Some(known), Some(seen)) if known == seen => self.favour += points,
            (Some(_), Some(_)) => self.keys_against += against,
            _ => {}
        }
    }
}

impl Fingerprint {
    /// Returns the fingerprint with identity values replaced by the names of their fields, and with texts
    /// cut.
    #[must_use]
    pub fn masked(self, mask: &Mask) -> Self {
        let short = |text: String| -> String { mask.apply_to_start(&text).chars().take(LONGEST).collect() };
        let whole = |text: String| mask.apply(&text);
        Self {
            name: short(self.name),
            text: short(self.text),
            attributes: self.attributes.into_iter().map(|(name, value)| (name, short(value))).collect(),
            classes: self.classes.into_iter().map(whole).collect(),
            landmark: short(self.landmark),
            heading: short(self.heading),
            row: self.row.map(|row| row.masked(mask)),
            formerly: self.formerly.into_iter().map(short).collect(),
            ..self
        }
    }

    /// Whether `seen` is still this element for an action that only reads or scrolls. Its text may be
    /// anything, and a single change proves nothing.
    #[must_use]
    pub fn matches_for_reading(&self, seen: &Self) -> bool {
        let evidence = self.weigh(seen);
        self.kind().resembles_when_read(seen.kind())
            && evidence.favour - evidence.against - evidence.keys_against > 0
    }

    fn weigh(&self, seen: &Self) -> MatchScore {
        let mut evidence = MatchScore::default();
        let attribute = |name: &str| (self.attributes.get(name), seen.attributes.get(name));
        // For a link or a text in a list, neither key nor label shows that it is another element.
        let content = self.item && seen.item && self.role != "button" && self.takes_no_value();

        if self.tag == seen.tag {
            evidence.favour += 1;
        } else {
            evidence.against += 1;
        }
        if self.role != seen.role {
            evidence.against += 2;
        } else if !self.role.is_empty() {
            evidence.favour += 1;
        }
        for name in TEST_IDS {
            let (known, seen) = attribute(name);
            evidence.key(known, seen, 4, 4);
        }
        let (known, other) = attribute("id");
        evidence.key(known, other, 3, 2);
        let (known, other) = attribute("name");
        evidence.key(known, other, 3, 3);
        let (known, other) = attribute("href");
        evidence.key(known, other, 3, 2);
        let (label, now) = (self.label(), seen.label());
        match words::compare(label, now) {
            _ if label.is_empty() => {}
            LabelDifference::None => evidence.favour += 4,
            LabelDifference::Count => evidence.favour += 3,
            // A text may change freely.
            LabelDifference::Number | LabelDifference::Words if self.name.is_empty() => {}
            _ if now.is_empty() => evidence.against += 2,
            // The label of a field is not its state; the label of a button may be.
            _ if !self.takes_no_value() => evidence.against += 5,
            _ => evidence.against += 3,
        }
        if !self.picture.is_empty() && self.picture == seen.picture {
            evidence.favour += 3;
        }
        if !self.heading.is_empty() && self.heading == seen.heading {
            evidence.favour += 1;
        }
        if !self.takes_no_value() {
            if let (Some(known), Some(seen)) = attribute("type")
                && known != seen
            {
                evidence.against += 2;
            }
            match attribute("value") {
                (Some(known), Some(seen)) if known == seen => evidence.favour += 2,
                (Some(_), Some(_)) => evidence.against += 3,
                _ => {}
            }
        }
        match overlap(&self.classes, &seen.classes) {
            Some(0) => evidence.against += 1,
            Some(shared) if shared >= 50 => evidence.favour += 1,
            _ => {}
        }
        if !self.path.is_empty() && self.path == seen.path {
            evidence.favour += 2;
        } else if !self.path.is_empty() && tags(&self.path).eq(tags(&seen.path)) {
            evidence.favour += 1;
        }
        if !self.landmark.is_empty() && self.landmark == seen.landmark {
            evidence.favour += 1;
        }
        if content {
            (evidence.against, evidence.keys_against) = (0, 0);
        }
        evidence
    }

    /// Returns the label as a person would name it.
    #[must_use]
    pub fn label(&self) -> &str {
        match self.name.as_str() {
            "" if self.text.chars().count() > LABEL => "",
            "" => &self.text,
            name => name,
        }
    }

    /// Returns every name that the element may be called by.
    fn labels(&self) -> Vec<&str> {
        let attributes = ["placeholder", "title", "alt"].iter().filter_map(|name| self.attributes.get(*name));
        let labels = [&self.name, &self.text].into_iter().chain(attributes);
        labels.map(String::as_str).filter(|label| !label.is_empty()).collect()
    }

    fn takes_no_value(&self) -> bool {
        matches!(self.kind(), ElementKind::Press | ElementKind::Plain)
    }

    /// Returns the roles of elements of its kind; for a plain element, all roles that it must not have.
    pub fn roles(&self) -> (Vec<&'static str>, RoleMatch) {
        let kind = self.kind();
        if kind == ElementKind::Plain {
            return (ROLES.iter().flat_map(|(_, roles)| roles.iter().copied()).collect(), RoleMatch::NoneOf);
        }
        let of_kind = ROLES.iter().filter(|(other, _)| *other == kind);
        (of_kind.flat_map(|(_, roles)| roles.iter().copied()).collect(), RoleMatch::AnyOf)
    }

    fn kind(&self) -> ElementKind {
        let of = ROLES.iter().find(|(_, roles)| roles.contains(&self.role.as_str()));
        of.map_or(ElementKind::Plain, |(kind, _)| *kind)
    }
}

/// How a list of roles is matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleMatch {
    AnyOf,
    NoneOf,
}

const ROLES: [(ElementKind, &[&str]); 4] = [
    (
        ElementKind::Press,
        &["button", "link", "menuitem", "menuitemcheckbox", "menuitemradio", "tab", "option", "treeitem"],
    ),
    (ElementKind::Field, &["textbox", "searchbox", "combobox", "listbox", "spinbutton", "slider"]),
    (ElementKind::Toggle, &["checkbox", "radio", "switch"]),
    (ElementKind::File, &["file"]),
];

impl ElementKind {
    /// A plain element that becomes a proper button is still the same element.
    fn may_become(self, other: Self) -> bool {
        self == other || matches!((self, other), (Self::Plain, Self::Press))
    }

    fn resembles_when_read(self, other: Self) -> bool {
        self.may_become(other) || other.may_become(self)
    }
}

/// `button#save "Save"`
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = self.role.is_empty() || self.role == self.tag;
        f.write_str(if plain { &self.tag } else { &self.role })?;
        let key = TEST_IDS.iter().find_map(|name| Some((*name, self.attributes.get(*name)?)));
        match (self.attributes.get("id"), key) {
            (Some(id), _) => write!(f, "#{id}")?,
            (None, Some((name, value))) => write!(f, "[{name}=\"{value}\"]")?,
            (None, None) => {}
        }
        let label = self.label();
        if !label.is_empty() {
            let cut = label.chars().count() > 40;
            let shown: String = label.chars().take(if cut { 39 } else { 40 }).collect();
            write!(f, " \"{shown}{}\"", if cut { "…" } else { "" })?;
        }
        if let Some(title) = self.row.as_ref().and_then(ElementRow::title) {
            let shown: String = title.chars().take(40).collect();
            write!(f, " in \"{shown}\"")?;
        }
        Ok(())
    }
}

/// Returns the percentage of all classes that both have; `None` where one has none.
fn overlap(known: &[String], seen: &[String]) -> Option<usize> {
    if known.is_empty() || seen.is_empty() {
        return None;
    }
    let shared = known.iter().filter(|class| seen.contains(class)).count();
    Some(shared * 100 / (known.len() + seen.len() - shared).max(1))
}

fn tags(path: &str) -> impl Iterator<Item = &str> {
    path.split('>').map(|step| step.split(':').next().unwrap_or_default())
}

#[cfg(test)]
mod tests;
