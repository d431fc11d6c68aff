//! Finds the intended element among those of a page, where no selector matches it any more.

use super::authored_names::{AuthoredNames, NameFit};
use super::element_row::RowComparison;
use super::risk::is_risky;
use super::words::{self, LabelDifference};
use super::{ElementKind, Fingerprint};

/// The least lead over the next candidate, in percent of the largest possible score.
const MARGIN: i32 = 25;
/// The least likeness of an element that is only suggested, in percent.
const SUGGESTED: i32 = 40;

impl Fingerprint {
    /// Returns the index of the element in `among` where there is no doubt, so that it may be used.
    #[must_use]
    pub fn best_match(&self, among: &[Self], authored: &AuthoredNames) -> Option<usize> {
        let fits: Vec<_> = (0..among.len()).filter(|at| self.is_found_in(&among[*at], authored)).collect();
        // Where one has the equal label, a different number belongs to another element.
        let exact = |at: &&usize| words::compare(self.label(), among[**at].label()) == LabelDifference::None;
        let exactly: Vec<_> = fits.iter().filter(exact).copied().collect();
        let fits = if exactly.is_empty() { fits } else { exactly };
        let best = self.ahead(among, &fits)?;
        let relabelled = !words::compare(self.label(), among[best].label()).is_alike();
        let others: Vec<_> = (0..among.len()).filter(|at| *at != best).map(|at| among[at].clone()).collect();
        (!relabelled || !self.is_elsewhere(&others)).then_some(best)
    }

    /// Returns the index of the element that a person should check, where none may be used.
    #[must_use]
    pub fn most_similar(&self, among: &[Self], authored: &AuthoredNames) -> Option<usize> {
        let harmless = |seen: &Self| {
            seen.label().is_empty() == self.label().is_empty()
                && !is_risky(self.label(), seen.label())
                && authored.fit(seen) != NameFit::Contrary
                && !self.is_in_another_row_than(seen)
        };
        let fits: Vec<_> = (0..among.len()).filter(|at| harmless(&among[*at])).collect();
        let labelled = |at: &usize| {
            !self.label().is_empty()
                && words::compare(self.label(), among[*at].label()).is_alike()
                && self.kind().resembles(among[*at].kind())
        };
        let same_label: Vec<_> = fits.iter().copied().filter(labelled).collect();
        match same_label.as_slice() {
            [only] => return Some(*only),
            [] => {}
            several => return self.ahead(among, several),
        }
        let alike: Vec<_> = fits.iter().copied().filter(|at| among[*at].kind() == self.kind()).collect();
        let likely: Vec<_> =
            alike.iter().copied().filter(|at| self.share(&among[*at]) >= SUGGESTED).collect();
        if let Some(best) = self.ahead(among, &likely) {
            return Some(best);
        }
        // The only element of its kind at its place, changed into something else: a link where a button was.
        let around = |of: &Self| of.path.rsplit_once('>').map(|(around, _)| around.to_owned());
        let is_there = |at: &usize| {
            let seen = &among[*at];
            seen.kind() == self.kind() && around(seen) == around(self) && seen.landmark == self.landmark
        };
        let is_remade = |at: &usize| among[*at].role != self.role || self.shares_key(&among[*at]);
        match (0..among.len()).filter(is_there).collect::<Vec<_>>().as_slice() {
            [only] if alike.contains(only) && is_remade(only) => Some(*only),
            _ => None,
        }
    }

    /// Returns the candidate that is clearly more similar than all others.
    fn ahead(&self, among: &[Self], fits: &[usize]) -> Option<usize> {
        let mut shares: Vec<_> = fits.iter().map(|at| (self.share(&among[*at]), *at)).collect();
        shares.sort_unstable_by(|a, b| b.cmp(a));
        let (share, best) = *shares.first()?;
        let clear = shares.get(1).is_none_or(|(next, _)| share - (*next).max(0) >= MARGIN);
        clear.then_some(best)
    }

    /// Returns the score in percent of the largest possible one.
    fn share(&self, seen: &Self) -> i32 {
        let evidence = self.weigh(seen);
        (evidence.favour - evidence.against) * 100 / self.weigh(self).favour.max(1)
    }

    fn is_found_in(&self, seen: &Self, authored: &AuthoredNames) -> bool {
        let named = matches!(authored.fit(seen), NameFit::Unnamed | NameFit::Whole);
        if self.kind() != seen.kind() || !named || self.is_in_another_row_than(seen) {
            return false;
        }
        let (label, now) = (self.label(), seen.label());
        if label.is_empty() && now.is_empty() {
            let pictured = !self.picture.is_empty() && self.picture == seen.picture;
            let by_row = self.row.as_ref().is_some_and(|row| row.many && !row.texts.is_empty());
            let bare =
                self.picture.is_empty() && seen.picture.is_empty() && self.kind() != ElementKind::Plain;
            return pictured && (by_row || self.twins == Some(0) && self.is_consistent_with(seen))
                || bare && (by_row || self.shares_key(seen));
        }
        match words::compare(label, now) {
            LabelDifference::None | LabelDifference::Count => {
                let by_row = self.row.as_ref().is_some_and(|row| row.many && !row.texts.is_empty());
                let alone = self.twins.unwrap_or_default() == 0 && self.is_consistent_with(seen);
                self.shares_telling_key(seen) || by_row || alone
            }
            LabelDifference::Number | LabelDifference::Words if now.is_empty() => false,
            LabelDifference::Number | LabelDifference::Words => {
                let alternates = self.formerly.iter().any(|label| words::compare(label, now).is_alike());
                let drawn = label.is_empty() && !self.picture.is_empty() && self.picture == seen.picture;
                alternates || drawn || authored.is_empty() && self.may_be_relabelled(seen)
            }
        }
    }

    fn is_in_another_row_than(&self, seen: &Self) -> bool {
        let Some(row) = self.row.as_ref().filter(|row| !row.texts.is_empty()) else { return false };
        match &seen.row {
            Some(now) => row.compare(now) == RowComparison::Another,
            None => row.many,
        }
    }
}

impl ElementKind {
    /// Whether they may be the same to a person.
    fn resembles(self, other: Self) -> bool {
        self == other || matches!((self, other), (Self::Press, Self::Plain) | (Self::Plain, Self::Press))
    }
}
