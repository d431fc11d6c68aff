//! The list item, table row or dialog that contains an element. It distinguishes Bob from Ann where each has
//! a button `Delete` at the same place of the row.

use serde::{Deserialize, Serialize};

use super::LONGEST;
use super::words::{self, LabelDifference};
use crate::mask::Mask;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ElementRow {
    /// The texts of the row, without those of its buttons and fields; the first six.
    pub texts: Vec<String>,
    /// Indexes of the texts that none of its neighbours has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<usize>,
    /// Whether it has neighbours with an element like this.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub many: bool,
    /// How many levels above the element it is.
    #[serde(skip_serializing_if = "is_zero")]
    pub depth: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(depth: &u32) -> bool {
    *depth == 0
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowComparison {
    /// Nothing in it identifies the row.
    Unknown,
    Same,
    /// The same row with another text in part.
    Changed,
    Another,
}

impl ElementRow {
    pub(super) fn masked(self, mask: &Mask) -> Self {
        let short = |text: String| mask.apply_to_start(&text).chars().take(LONGEST).collect();
        Self { texts: self.texts.into_iter().map(short).collect(), ..self }
    }

    #[must_use]
    pub fn compare(&self, seen: &Self) -> RowComparison {
        if self.texts.is_empty() {
            return RowComparison::Unknown;
        }
        let equal = |a: &String, b: &String| words::compare(a, b) == LabelDifference::None;
        let all = |same: &dyn Fn(&String, &String) -> bool| {
            self.texts.len() == seen.texts.len()
                && self.texts.iter().zip(&seen.texts).all(|(a, b)| same(a, b))
        };
        if all(&equal) {
            return RowComparison::Same;
        }
        let keys: Vec<_> = self.keys.iter().filter_map(|key| Some((*key, self.texts.get(*key)?))).collect();
        match keys.first() {
            // The first key is usually the name; a state may come before it.
            Some((key, own)) => {
                let found = seen.texts.get(*seen.keys.first().unwrap_or(key));
                let named = found.is_some_and(|text| equal(own, text));
                let is_there = |own: &String| seen.texts.iter().any(|text| equal(own, text));
                let there = keys.iter().filter(|(_, own)| is_there(own)).count();
                let same = named && (there == keys.len() || there >= 2);
                if same { RowComparison::Changed } else { RowComparison::Another }
            }
            None if all(&|a, b| words::compare(a, b).is_alike()) => RowComparison::Changed,
            None => RowComparison::Another,
        }
    }

    /// Returns the text that distinguishes the row from its neighbours.
    pub(super) fn title(&self) -> Option<&str> {
        self.texts.get(self.keys.first().copied().unwrap_or(0)).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(texts: &[&str], keys: &[usize]) -> ElementRow {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        ElementRow { texts, keys: keys.to_vec(), many: !keys.is_empty(), depth: 2 }
    }

    #[test]
    fn a_row_is_identified_by_the_texts_its_neighbours_lack() {
        let ann = row(&["Ann", "active"], &[0]);
        assert_eq!(ann.compare(&row(&["Ann", "active"], &[])), RowComparison::Same);
        assert_eq!(ann.compare(&row(&["Ann", "on leave"], &[0])), RowComparison::Changed);
        assert_eq!(ann.compare(&row(&["Ann", "on leave"], &[])), RowComparison::Changed);
        assert_eq!(ann.compare(&row(&["Bob", "active"], &[0])), RowComparison::Another);
        assert_eq!(ann.compare(&row(&["Bob", "Ann"], &[])), RowComparison::Another);
        assert_eq!(ann.compare(&row(&[], &[])), RowComparison::Another);
        let invoice = row(&["Invoice", "1001", "€ 10"], &[1]);
        assert_eq!(invoice.compare(&row(&["Invoice", "1002", "€ 10"], &[1])), RowComparison::Another);
        assert_eq!(invoice.compare(&row(&["Invoice", "1001", "€ 12"], &[1])), RowComparison::Changed);
    }

    #[test]
    fn a_state_that_one_row_alone_has_is_not_its_name() {
        let ann = row(&["active", "Ann"], &[0, 1]);
        assert_eq!(ann.compare(&row(&["active", "Bob"], &[0, 1])), RowComparison::Another);
        assert_eq!(ann.compare(&row(&["active", "Bob"], &[])), RowComparison::Another);
        let ann = row(&["Ann", "ann@x.test", "today"], &[0, 1, 2]);
        assert_eq!(ann.compare(&row(&["Ann", "ann@x.test", "a week ago"], &[0, 1])), RowComparison::Changed);
    }

    #[test]
    fn without_neighbours_every_text_of_a_row_counts() {
        let asked = row(&["Move (3)", "Are you sure?"], &[]);
        assert_eq!(asked.compare(&row(&["Move (3)", "Are you sure?"], &[])), RowComparison::Same);
        assert_eq!(asked.compare(&row(&["Move (4)", "Are you sure?"], &[])), RowComparison::Changed);
        assert_eq!(asked.compare(&row(&["Move all", "Are you sure?"], &[])), RowComparison::Another);
        let one = row(&["Ann", "(3)"], &[]);
        assert_eq!(one.compare(&row(&["Ann"], &[])), RowComparison::Another);
        assert_eq!(row(&[], &[]).compare(&one), RowComparison::Unknown);
    }
}
