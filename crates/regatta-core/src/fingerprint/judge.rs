//! Decides whether an element that a selector matches is the intended one.
//!
//! A refusal costs a person a check; a wrong click may cost an account. So an element is never used only
//! because of its position, and a changed label needs a reason: the flow names it so, the label is known to
//! alternate, or a key of the page still means the same.

use super::authored_names::{AuthoredNames, NameFit};
use super::element_row::RowComparison;
use super::risk::{is_irreversible, is_risky};
use super::words::{self, LabelDifference};
use super::{ElementKind, Fingerprint, TEST_IDS};

/// An element and the references it is compared with.
#[derive(Debug, Clone, Copy)]
pub struct ElementComparison<'a> {
    pub authored: &'a AuthoredNames,
    /// The alternative that matched is the whole of its name.
    pub by_name: bool,
    /// The element that the locator matched before; `None` on the first visit.
    pub known: Option<&'a Fingerprint>,
    pub seen: &'a Fingerprint,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Same,
    /// The same element with a changed label, text or row, which is reported.
    Changed,
    /// The other elements of the page decide.
    Ask,
    Another(MismatchReason),
}

/// Why it is another element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MismatchReason {
    /// The flow's own selectors give it another name.
    Name,
    Kind,
    Label,
    Row,
    Picture,
    Place,
}

impl ElementComparison<'_> {
    /// `others` are the other elements of its kind on the page; `None` before they were queried.
    #[must_use]
    pub fn judge(&self, others: Option<&[Fingerprint]>) -> Verdict {
        let Self { authored, by_name, known, seen } = *self;
        let fit = match authored.fit(seen) {
            _ if by_name => NameFit::Whole,
            // Numbers in the flow's own words identify the element.
            NameFit::Whole if seen.series && !authored.has_numbers_of(seen) => NameFit::Contrary,
            fit => fit,
        };
        if fit == NameFit::Contrary {
            return Verdict::Another(MismatchReason::Name);
        }
        let Some(known) = known.filter(|known| authored.permits(known)) else {
            let risky = fit == NameFit::Part && authored.label_extends_name_riskily(seen.label());
            return if risky { Verdict::Another(MismatchReason::Name) } else { Verdict::Same };
        };
        let judged = known.judge_as(seen, fit, authored, others);
        match judged {
            Verdict::Same if known.differs_in_words(seen) => Verdict::Changed,
            judged => judged,
        }
    }
}

impl Fingerprint {
    fn judge_as(
        &self,
        seen: &Self,
        fit: NameFit,
        authored: &AuthoredNames,
        others: Option<&[Self]>,
    ) -> Verdict {
        let whole = fit == NameFit::Whole;
        if !self.kind().may_become(seen.kind()) {
            return Verdict::Another(MismatchReason::Kind);
        }
        if self.is_in_another_row(seen, whole) {
            return Verdict::Another(MismatchReason::Row);
        }
        let (label, now) = (self.label(), seen.label());
        if label.is_empty() && now.is_empty() {
            return self.judge_nameless(seen, authored);
        }
        match words::compare(label, now) {
            _ if whole => Verdict::Same,
            LabelDifference::None => self.judge_place(seen, authored),
            LabelDifference::Count => self.judge_count(seen, others),
            LabelDifference::Number | LabelDifference::Words if fit == NameFit::Part => {
                // Where the flow has the whole label, additional words make another label.
                let risky = is_risky(label, now) || is_risky(now, label) || is_irreversible(now);
                if authored.is_whole(label) || risky {
                    Verdict::Another(MismatchReason::Name)
                } else {
                    Verdict::Same
                }
            }
            LabelDifference::Number | LabelDifference::Words => self.judge_relabelled(seen, others),
        }
    }

    /// Only the label is known to be equal, which is enough only where no other element has it.
    fn judge_place(&self, seen: &Self, authored: &AuthoredNames) -> Verdict {
        let Some(twins) = self.twins else { return Verdict::Same };
        if self.shares_telling_key(seen) {
            return Verdict::Same;
        }
        let by_row = match (&self.row, &seen.row) {
            (Some(row), Some(now)) => {
                matches!(row.compare(now), RowComparison::Same | RowComparison::Changed)
            }
            _ => false,
        };
        if by_row {
            return Verdict::Same;
        }
        let same_place =
            self.path == seen.path && self.landmark == seen.landmark && self.has_heading_of(seen);
        if twins > 0 || seen.twins.unwrap_or_default() > 0 {
            // The flow chooses one of several equal items, such as the newest mail of a sender.
            let chosen = authored.takes_end() && (seen.role == "link" || !is_irreversible(seen.label()));
            let unchanged = same_place && (self.twins == seen.twins || chosen);
            return if unchanged { Verdict::Same } else { Verdict::Another(MismatchReason::Place) };
        }
        if same_place || self.is_consistent_with(seen) {
            Verdict::Same
        } else {
            Verdict::Another(MismatchReason::Place)
        }
    }

    fn judge_count(&self, seen: &Self, others: Option<&[Self]>) -> Verdict {
        if self.series || seen.series {
            return Verdict::Another(MismatchReason::Label);
        }
        let Some(others) = others else { return Verdict::Ask };
        if self.is_elsewhere(others) { Verdict::Another(MismatchReason::Label) } else { Verdict::Changed }
    }

    fn judge_relabelled(&self, seen: &Self, others: Option<&[Self]>) -> Verdict {
        let (label, now) = (self.label(), seen.label());
        let nameless = label.is_empty() || now.is_empty();
        if nameless && !self.picture.is_empty() && self.picture == seen.picture {
            return Verdict::Same;
        }
        let alternates = self.formerly.iter().any(|label| words::compare(label, now).is_alike());
        if !alternates && !self.may_be_relabelled(seen) {
            return Verdict::Another(if label.is_empty() {
                MismatchReason::Picture
            } else {
                MismatchReason::Label
            });
        }
        let Some(others) = others else { return Verdict::Ask };
        if self.is_elsewhere(others) { Verdict::Another(MismatchReason::Label) } else { Verdict::Changed }
    }

    fn judge_nameless(&self, seen: &Self, authored: &AuthoredNames) -> Verdict {
        if !self.picture.is_empty() || !seen.picture.is_empty() {
            return if self.picture == seen.picture {
                self.judge_place(seen, authored)
            } else {
                Verdict::Another(MismatchReason::Picture)
            };
        }
        if self.shares_key(seen) {
            return Verdict::Same;
        }
        if self.contradicts_key(seen) {
            return Verdict::Another(MismatchReason::Place);
        }
        let like = ["type", "autocomplete", "value"]
            .iter()
            .all(|name| self.attributes.get(*name) == seen.attributes.get(*name));
        let there = self.path == seen.path && self.classes == seen.classes && like;
        let alone = self.kind() != ElementKind::Press || seen.twins == Some(0) && self.twins == Some(0);
        let by_row = match (&self.row, &seen.row) {
            (Some(row), Some(now)) if !row.texts.is_empty() => {
                let steps = row.depth as usize;
                let inside =
                    |of: &Self| of.path.rsplit('>').take(steps).map(str::to_owned).collect::<Vec<_>>();
                row.compare(now) != RowComparison::Another && inside(self) == inside(seen) && like
            }
            _ => false,
        };
        if by_row && self.kind() != ElementKind::Press {
            return Verdict::Same;
        }
        // A box whose content changes has neither a label nor a picture.
        let same_box = self.kind() == ElementKind::Plain && self.tag == seen.tag;
        if there && alone || same_box { Verdict::Same } else { Verdict::Another(MismatchReason::Place) }
    }

    fn is_in_another_row(&self, seen: &Self, whole: bool) -> bool {
        let Some(row) = &self.row else { return false };
        match &seen.row {
            Some(now) => {
                let leads_there = self.attributes.contains_key("to")
                    && self.attributes.get("to") == seen.attributes.get("to");
                row.compare(now) == RowComparison::Another && (row.many || !whole) && !leads_there
            }
            None => row.many && !row.texts.is_empty() && !self.shares_telling_key(seen),
        }
    }

    /// Whether its label, its text or its row has changed.
    fn differs_in_words(&self, seen: &Self) -> bool {
        let row = |of: &Self| of.row.as_ref().map(|row| row.texts.clone());
        let row_differs = self.row.is_some() && seen.row.is_some() && row(self) != row(seen);
        self.name != seen.name || self.text != seen.text || row_differs
    }

    /// Returns keys that identify one element of a page and have not changed.
    fn shared_keys<'a>(&'a self, seen: &'a Self) -> impl Iterator<Item = (&'static str, &'a str)> {
        TEST_IDS.into_iter().chain(["id", "name", "to"]).filter_map(|name| {
            let known = self.attributes.get(name)?;
            (seen.attributes.get(name) == Some(known)).then_some((name, known.as_str()))
        })
    }

    pub(super) fn shares_key(&self, seen: &Self) -> bool {
        self.shared_keys(seen).next().is_some()
    }

    /// Whether they share a key that says what the element is for. A key such as `submit` or `item-2` may
    /// belong to any element.
    pub(super) fn shares_telling_key(&self, seen: &Self) -> bool {
        self.shared_keys(seen).any(|(_, key)| is_telling(key))
    }

    fn contradicts_key(&self, seen: &Self) -> bool {
        TEST_IDS.into_iter().chain(["id", "name"]).any(|name| {
            matches!((self.attributes.get(name), seen.attributes.get(name)), (Some(a), Some(b)) if a != b)
        })
    }

    pub(super) fn has_heading_of(&self, seen: &Self) -> bool {
        let known = &self.heading;
        known.is_empty() || seen.heading.is_empty() || words::compare(known, &seen.heading).is_alike()
    }

    /// Whether nothing around it shows that it is another element of the same label: `Save` of `Profile` is
    /// not `Save` of `Newsletter`.
    pub(super) fn is_consistent_with(&self, seen: &Self) -> bool {
        self.has_heading_of(seen) && (self.landmark == seen.landmark || !self.names_landmark(seen))
    }

    /// Both are in a named part of the page.
    fn names_landmark(&self, seen: &Self) -> bool {
        self.landmark.contains('"') && seen.landmark.contains('"')
    }

    /// Whether an unchanged key of the page justifies another label.
    pub(super) fn may_be_relabelled(&self, seen: &Self) -> bool {
        let (label, now) = (self.label(), seen.label());
        let sort = |of: &Self| of.attributes.get("type").cloned().unwrap_or_default();
        let same_sort = self.takes_no_value() || sort(self) == sort(seen);
        same_sort
            && !self.series
            && !seen.series
            && self.kind() == seen.kind()
            && !now.is_empty()
            && !is_risky(label, now)
            && !is_irreversible(now)
            && self.shared_keys(seen).any(|(_, key)| says(key, label, now))
    }

    /// Whether one of `among` has a label that this element has or had.
    #[must_use]
    pub fn is_elsewhere(&self, among: &[Self]) -> bool {
        let labels = std::iter::once(self.label()).chain(self.formerly.iter().map(String::as_str));
        let labels: Vec<_> = labels.filter(|label| !label.is_empty()).collect();
        among.iter().any(|other| {
            self.kind().may_become(other.kind())
                && labels.iter().any(|label| words::compare(label, other.label()).is_alike())
        })
    }

    /// Returns the fingerprint to remember after `known` was found to be this element: with its former
    /// labels.
    #[must_use]
    pub fn after(mut self, known: &Self) -> Self {
        let mut formerly: Vec<String> = known.formerly.clone();
        formerly.push(known.label().to_owned());
        let own = self.label().to_owned();
        formerly.retain(|label| !label.is_empty() && !words::compare(label, &own).is_alike());
        formerly.dedup();
        self.formerly = formerly.split_off(formerly.len().saturating_sub(FORMER));
        self
    }
}

/// The number of former labels that are kept.
const FORMER: usize = 4;

/// Words in keys that do not say what the element is for.
const GENERIC: [&str; 52] = [
    "primary",
    "secondary",
    "tertiary",
    "main",
    "action",
    "actions",
    "btn",
    "button",
    "cta",
    "ok",
    "item",
    "link",
    "first",
    "last",
    "default",
    "left",
    "right",
    "top",
    "bottom",
    "submit",
    "go",
    "menu",
    "tab",
    "tool",
    "icon",
    "box",
    "row",
    "cell",
    "col",
    "list",
    "nav",
    "header",
    "footer",
    "dialog",
    "modal",
    "form",
    "field",
    "input",
    "label",
    "text",
    "content",
    "wrapper",
    "container",
    "control",
    "option",
    "toggle",
    "page",
    "card",
    "next",
    "current",
    "entry",
    "element",
];

/// `saveDraft` is two words.
fn parts_of(key: &str) -> Vec<String> {
    let mut parts = String::new();
    for c in key.chars() {
        if c.is_uppercase() {
            parts.push(' ');
        }
        parts.extend(c.to_lowercase());
    }
    words::words(&parts)
}

fn is_telling(key: &str) -> bool {
    !key.chars().any(char::is_numeric) && !parts_of(key).iter().all(|part| GENERIC.contains(&part.as_str()))
}

/// Whether a key of the page says what the element is for, as its old label did, so that the page's author
/// still means the same element. A key that counts elements or names a place may belong to any.
fn says(key: &str, label: &str, now: &str) -> bool {
    if !is_telling(key) {
        return false;
    }
    let parts = parts_of(key);
    let now = words::words(now);
    let label = words::words(label);
    let is_word = |word: &&String| word.chars().any(char::is_alphabetic);
    let lost: Vec<_> = label.iter().filter(is_word).filter(|word| !now.contains(word)).collect();
    let joined = parts.concat();
    lost.is_empty()
        || joined.contains(&label.concat())
        || lost.iter().any(|word| word.chars().count() >= 3 && parts.iter().any(|part| part == *word))
}
