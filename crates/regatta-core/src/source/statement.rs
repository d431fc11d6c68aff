//! A SQL statement with named parameters, which a person writes to receive outcomes:
//! `update profiles set state = :status where id = :profile_id`.
//!
//! The names become the placeholders of the database. Quotes and comments hold no parameters, and `::type` is
//! none; values never become part of the text.

use thiserror::Error;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Text, and the parameter after it.
    pieces: Vec<(String, Parameter)>,
    rest: String,
}

/// The names that a statement may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    ProfileId,
    Status,
    Flag,
    Error,
    At,
    Key,
}

impl Parameter {
    const ALL: [(&'static str, Self); 6] = [
        ("profile_id", Self::ProfileId),
        ("status", Self::Status),
        ("flag", Self::Flag),
        ("error", Self::Error),
        ("at", Self::At),
        ("key", Self::Key),
    ];
}

/// How a database writes its n-th parameter, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placeholders {
    /// `$1`
    Postgres,
    /// `?1`
    Sqlite,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidStatement {
    #[error("the statement for outcomes has an unknown parameter `:{0}`")]
    Unknown(String),
    #[error("the statement for outcomes does not name `:profile_id`")]
    NoProfile,
    #[error("the statement for outcomes is not closed: {0} has no end")]
    Open(&'static str),
}

impl InvalidStatement {
    pub const fn hint(&self) -> &'static str {
        "parameters are :profile_id, :status, :flag, :error, :at and :key; all of them are text, so cast others: :at::timestamptz"
    }
}

impl Statement {
    pub fn parse(text: &str) -> Result<Self, InvalidStatement> {
        let mut pieces: Vec<(String, Parameter)> = Vec::new();
        let mut piece = String::new();
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            let quoted = quoted(rest, text[..at].chars().next_back())?;
            if quoted > 0 {
                piece.push_str(&rest[..quoted]);
                at += quoted;
                continue;
            }
            if rest.starts_with("::") {
                piece.push_str("::");
                at += 2;
                continue;
            }
            let name = rest.strip_prefix(':').map(name_of).filter(|name| !name.is_empty());
            if let Some(name) = name {
                let known = Parameter::ALL.iter().find(|(known, _)| *known == name);
                let (_, parameter) = known.ok_or_else(|| InvalidStatement::Unknown(name.to_owned()))?;
                pieces.push((std::mem::take(&mut piece), *parameter));
                at += 1 + name.len();
                continue;
            }
            let next = rest.chars().next().map_or(1, char::len_utf8);
            piece.push_str(&rest[..next]);
            at += next;
        }
        if pieces.iter().all(|(_, parameter)| *parameter != Parameter::ProfileId) {
            return Err(InvalidStatement::NoProfile);
        }
        Ok(Self { pieces, rest: piece })
    }

    /// Returns the text for the database. Values are bound in the order of [`Self::parameters`].
    pub fn text(&self, placeholders: Placeholders) -> String {
        let mut text = String::new();
        for (number, (piece, _)) in (1..).zip(&self.pieces) {
            text.push_str(piece);
            text.push(match placeholders {
                Placeholders::Postgres => '$',
                Placeholders::Sqlite => '?',
            });
            text.push_str(&i32::to_string(&number));
        }
        text + &self.rest
    }

    pub fn parameters(&self) -> impl Iterator<Item = Parameter> {
        self.pieces.iter().map(|(_, parameter)| *parameter)
    }
}

/// Returns the name after the colon; `a[1:2]` and `12:30` have none.
fn name_of(text: &str) -> &str {
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    if starts { &text[..end] } else { "" }
}

/// Returns the length in bytes of a quoted part or a comment at the start of `text`; 0 without one.
fn quoted(text: &str, before: Option<char>) -> Result<usize, InvalidStatement> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    match text.as_bytes() {
        // In an E'…' a backslash escapes.
        [b'E' | b'e', b'\'', ..] if !before.is_some_and(is_word) => {
            string(text, 2, '\'', true).ok_or(InvalidStatement::Open("a '…'"))
        }
        [b'\'', ..] => string(text, 1, '\'', false).ok_or(InvalidStatement::Open("a '…'")),
        [b'"', ..] => string(text, 1, '"', false).ok_or(InvalidStatement::Open("a \"…\"")),
        [b'-', b'-', ..] => Ok(text.find('\n').map_or(text.len(), |end| end + 1)),
        [b'/', b'*', ..] => comment(text).ok_or(InvalidStatement::Open("a comment")),
        // A word may contain dollar signs.
        [b'$', ..] if !before.is_some_and(is_word) => {
            let tag = &text[1..];
            let end = tag.find(|c: char| !is_word(c)).unwrap_or(tag.len());
            // `$1` is a parameter of Postgres, not a quote.
            if !tag[end..].starts_with('$') || tag.starts_with(|c: char| c.is_ascii_digit()) {
                return Ok(0);
            }
            let tag = &text[..end + 2];
            let close = text[tag.len()..].find(tag).ok_or(InvalidStatement::Open("a $…$"))?;
            Ok(close + tag.len() * 2)
        }
        _ => Ok(0),
    }
}

/// From the opening quote to the closing one; a doubled quote stands for one.
fn string(text: &str, opening: usize, quote: char, escapes: bool) -> Option<usize> {
    let mut chars = text[opening..].char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if escapes && c == '\\' {
            chars.next();
        } else if c == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return Some(opening + at + 1);
        }
    }
    None
}

/// Postgres allows nested comments.
fn comment(text: &str) -> Option<usize> {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => {
                (depth, at) = (depth - 1, at + 2);
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => at += 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&match Statement::parse(text) {
            Ok(statement) => {
                format!(
                    "{} {:?}",
                    statement.text(Placeholders::Postgres),
                    statement.parameters().collect::<Vec<_>>()
                )
            }
            Err(error) => error.to_string(),
        });
    }

    #[test]
    fn names_become_placeholders() {
        check(
            "update p set s=:status, f = :flag,at=:at::timestamptz where id=:profile_id and s<>:status",
            expect![
                "update p set s=$1, f = $2,at=$3::timestamptz where id=$4 and s<>$5 [Status, Flag, At, ProfileId, Status]"
            ],
        );
        let statement = Statement::parse("insert into o values (:profile_id, :error, :key)").unwrap();
        assert_eq!(statement.text(Placeholders::Sqlite), "insert into o values (?1, ?2, ?3)");
    }

    #[test]
    fn quotes_and_comments_hold_no_parameters() {
        check(
            "select ':status', 'it''s :at', :profile_id",
            expect!["select ':status', 'it''s :at', $1 [ProfileId]"],
        );
        check(r#"select ":at", "a"":b", :profile_id"#, expect![[r#"select ":at", "a"":b", $1 [ProfileId]"#]]);
        check(r"select E'a\':at', e'\\', :profile_id", expect![[r"select E'a\':at', e'\\', $1 [ProfileId]"]]);
        // Without the E a backslash does not escape.
        check(r"select 'a\', :profile_id", expect![[r"select 'a\', $1 [ProfileId]"]]);
        check("select nice':x', :profile_id", expect!["select nice':x', $1 [ProfileId]"]);
        check(
            "select $$ :at $$, $t$ :at $$ $t$, $1, :profile_id",
            expect!["select $$ :at $$, $t$ :at $$ $t$, $1, $1 [ProfileId]"],
        );
        check("select a$b$, :profile_id", expect!["select a$b$, $1 [ProfileId]"]);
        check(
            "-- :at\nselect /* :at /* :x */ :y */ :profile_id -- :z",
            expect![[r#"
            -- :at
            select /* :at /* :x */ :y */ $1 -- :z [ProfileId]"#]],
        );
        check(
            "select a[1:2], '12'::text, b:=1, :profile_id",
            expect!["select a[1:2], '12'::text, b:=1, $1 [ProfileId]"],
        );
        check("select 'grün:at', ü, :profile_id", expect!["select 'grün:at', ü, $1 [ProfileId]"]);
    }

    #[test]
    fn an_ambiguous_statement_is_refused() {
        check(
            "update p set s=:state where id=:profile_id",
            expect!["the statement for outcomes has an unknown parameter `:state`"],
        );
        check("update p set s=:status", expect!["the statement for outcomes does not name `:profile_id`"]);
        check(
            "update p set s='open :profile_id",
            expect!["the statement for outcomes is not closed: a '…' has no end"],
        );
        check("select \"a", expect!["the statement for outcomes is not closed: a \"…\" has no end"]);
        check("select /* /* */", expect!["the statement for outcomes is not closed: a comment has no end"]);
        check(
            "select $a$ :profile_id $b$",
            expect!["the statement for outcomes is not closed: a $…$ has no end"],
        );
    }
}
