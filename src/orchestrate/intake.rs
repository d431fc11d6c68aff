//! The list of profiles as a person writes it. All or nothing: one wrong line starts no profile.

use std::collections::HashMap;
use std::fmt;

use thiserror::Error;

use crate::domain::id::{InvalidProfileId, ProfileId};

/// Everything that is wrong with a list, at once.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct IntakeErrors {
    /// The file, or `-`.
    pub name: String,
    /// In the order of lines; lines count from 1.
    pub problems: Vec<(usize, LineProblem)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LineProblem {
    #[error(transparent)]
    Invalid(#[from] InvalidProfileId),
    #[error("profile {profile} is on line {first} already")]
    Duplicate { profile: ProfileId, first: usize },
}

impl fmt::Display for IntakeErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.problems.is_empty() {
            return write!(f, "{} names no profile: write one id a line, `#` begins a comment", self.name);
        }
        let (count, plural) = (self.problems.len(), if self.problems.len() == 1 { "" } else { "s" });
        write!(f, "{count} wrong line{plural} in the list of profiles; nothing was started")?;
        for (line, problem) in &self.problems {
            write!(f, "\n  {}:{line}: {problem}", self.name)?;
        }
        Ok(())
    }
}

/// One id a line; `#` begins a comment anywhere on a line; blank lines, CR LF and a byte order mark
/// are fine. `name` is what errors call the list.
pub fn parse_profiles(name: &str, text: &str) -> Result<Vec<ProfileId>, IntakeErrors> {
    let mut profiles = Vec::new();
    let mut first_lines = HashMap::new();
    let mut problems = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (number, line) in (1..).zip(text.lines()) {
        let id = line.split('#').next().unwrap_or_default().trim();
        if id.is_empty() {
            continue;
        }
        match id.parse::<ProfileId>() {
            Err(invalid) => problems.push((number, invalid.into())),
            Ok(profile) => match first_lines.get(&profile) {
                Some(&first) => problems.push((number, LineProblem::Duplicate { profile, first })),
                None => {
                    first_lines.insert(profile.clone(), number);
                    profiles.push(profile);
                }
            },
        }
    }
    if problems.is_empty() && !profiles.is_empty() {
        Ok(profiles)
    } else {
        Err(IntakeErrors { name: name.to_owned(), problems })
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&match parse_profiles("profiles.txt", text) {
            Ok(profiles) => profiles.iter().map(ProfileId::as_str).collect::<Vec<_>>().join(" "),
            Err(errors) => errors.to_string(),
        });
    }

    #[test]
    fn comments_blank_lines_and_the_ends_of_other_systems_are_fine() {
        check("\u{feff}# ours\r\na1\r\n\r\n  b-2  # second\n#c\nd_3", expect!["a1 b-2 d_3"]);
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        check(
            "a\nb/c\n\na # again\nd\n../x\nd\n",
            expect![[r#"
            4 wrong lines in the list of profiles; nothing was started
              profiles.txt:2: `b/c` is not a profile id: use 1 to 128 of A-Z a-z 0-9 _ -
              profiles.txt:4: profile a is on line 1 already
              profiles.txt:6: `../x` is not a profile id: use 1 to 128 of A-Z a-z 0-9 _ -
              profiles.txt:7: profile d is on line 5 already"#]],
        );
        check(
            "a b",
            expect![[r#"
            1 wrong line in the list of profiles; nothing was started
              profiles.txt:1: `a b` is not a profile id: use 1 to 128 of A-Z a-z 0-9 _ -"#]],
        );
    }

    #[test]
    fn an_empty_list_is_an_error() {
        check("", expect!["profiles.txt names no profile: write one id a line, `#` begins a comment"]);
        check(
            "# nothing\n\n",
            expect!["profiles.txt names no profile: write one id a line, `#` begins a comment"],
        );
    }
}
