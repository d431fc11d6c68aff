//! An error with its location in a file that a person wrote.

use std::ops::Range;

use miette::{Diagnostic, NamedSource, SourceSpan};
use thiserror::Error;

/// A problem of a file, its location, and a hint. Rendered by miette with the surrounding lines.
#[derive(Debug, Clone, Error, Diagnostic)]
#[error("{problem}")]
pub struct FileDiagnostic {
    problem: String,
    #[source_code]
    text: NamedSource<String>,
    #[label("{label}")]
    at: SourceSpan,
    label: String,
    #[help]
    help: Option<String>,
}

impl FileDiagnostic {
    /// `at` is a range of byte offsets in `text`; `label` stands below the marked text.
    pub fn new(file: &str, text: &str, at: Range<usize>, problem: impl Into<String>) -> Self {
        let end = at.end.min(text.len());
        let start = at.start.min(end);
        Self {
            problem: problem.into(),
            text: NamedSource::new(file, text.to_owned()),
            at: (start..end).into(),
            label: "here".to_owned(),
            help: None,
        }
    }

    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Returns `flows/store.json:12:5`, where one line must do.
    pub fn location(&self) -> String {
        let (line, column) = line_and_column(self.text.inner(), self.at.offset());
        format!("{}:{line}:{column}", self.text.name())
    }
}

/// Returns line and column. Both count from 1; the column counts characters.
pub fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// Returns the byte offset of a line and a column. Both count from 1; the column counts bytes, as in
/// serde_json.
pub fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let line_start = match line.saturating_sub(2) {
        _ if line <= 1 => 0,
        skipped => text.match_indices('\n').nth(skipped).map_or(text.len(), |(at, _)| at + 1),
    };
    text.floor_char_boundary((line_start + column.saturating_sub(1)).min(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_offsets_agree() {
        let text = "ab\nçd\n\nx";
        for (offset, place) in [(0, (1, 1)), (3, (2, 1)), (5, (2, 2)), (8, (4, 1))] {
            assert_eq!(line_and_column(text, offset), place);
        }
        assert_eq!(offset_of(text, 1, 2), 1);
        assert_eq!(offset_of(text, 2, 1), 3);
        assert_eq!(offset_of(text, 4, 1), 8);
        assert_eq!(offset_of(text, 9, 9), text.len());
        assert_eq!(FileDiagnostic::new("f.json", text, 8..9, "x").location(), "f.json:4:1");
    }
}
