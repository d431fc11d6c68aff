//! Compares labels as a person does: the different words decide, except a number that only counts.

/// How one label differs from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelDifference {
    /// In case, blanks and punctuation at most.
    None,
    /// In a count or a price: `Cart (1)` and `Cart (2)`.
    Count,
    /// In a number that may identify something: `Address 1` and `Address 2`.
    Number,
    Words,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    /// Identifies something: an ordinal, a time, a size.
    Name(String),
    /// A count or an amount.
    Count,
}

impl LabelDifference {
    /// Whether they are the same to a person.
    pub fn is_alike(self) -> bool {
        matches!(self, Self::None | Self::Count)
    }
}

#[must_use]
pub fn compare(known: &str, seen: &str) -> LabelDifference {
    if known == seen {
        return LabelDifference::None;
    }
    let (a, b) = (tokens(known), tokens(seen));
    if !a.iter().chain(&b).any(|token| matches!(token, Token::Word(_) | Token::Name(_))) {
        let bare = |text: &str| text.split_whitespace().collect::<String>();
        return if bare(known) == bare(seen) { LabelDifference::None } else { LabelDifference::Words };
    }
    let is_number = |text: &str| text.chars().all(|c| !c.is_alphabetic()) && text.contains(char::is_numeric);
    let joined = |tokens: &[Token]| -> String {
        let words = tokens.iter().filter_map(|token| match token {
            Token::Word(word) => Some(word.as_str()),
            Token::Name(name) if !is_number(name) => Some(name.as_str()),
            _ => None,
        });
        words.collect()
    };
    let named = |tokens: &[Token]| -> Vec<String> {
        let names = tokens.iter().filter_map(|token| match token {
            Token::Name(name) if is_number(name) => Some(name.clone()),
            _ => None,
        });
        names.collect()
    };
    if joined(&a) != joined(&b) {
        return LabelDifference::Words;
    }
    if named(&a) != named(&b) {
        return if joined(&a).is_empty() { LabelDifference::Words } else { LabelDifference::Number };
    }
    let numbers = |text: &str| {
        let digits = text.split(|c: char| !c.is_numeric()).filter(|run| !run.is_empty());
        digits.map(str::to_owned).collect::<Vec<_>>()
    };
    if numbers(known) == numbers(seen) { LabelDifference::None } else { LabelDifference::Count }
}

/// Returns the words of a label in lower case.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    tokens(text)
        .into_iter()
        .filter_map(|token| match token {
            Token::Word(word) | Token::Name(word) => Some(word),
            Token::Count => None,
        })
        .collect()
}

/// Whether `part` is in `text`, beginning at the start of a word: `activate` is not in `Deactivate`.
#[must_use]
pub fn contains(text: &str, part: &str) -> bool {
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (text, part) = (squeezed(text), squeezed(part));
    text.match_indices(&part).any(|(at, _)| {
        let joins = |c: char| c.is_alphabetic() && c < '\u{2e80}';
        !(text[..at].chars().next_back().is_some_and(joins) && part.starts_with(joins))
    })
}

fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let at = |index: usize| chars.get(index).copied();
    let mut out = Vec::new();
    let mut from = 0;
    while from < chars.len() {
        let c = chars[from];
        if c.is_numeric() {
            let mut to = from + 1;
            // `1,250.50` is one number.
            while at(to).is_some_and(char::is_numeric)
                || matches!(at(to), Some('.' | ',' | '\u{a0}' | '’' | '\''))
                    && at(to + 1).is_some_and(char::is_numeric)
            {
                to += 1;
            }
            if at(to).is_some_and(char::is_alphabetic) || from > 0 && chars[from - 1].is_alphabetic() {
                // `3D`, `A4`: part of a word.
                let start = out.len();
                let mut word: String = match out.last() {
                    Some(Token::Word(before)) if from > 0 && chars[from - 1].is_alphabetic() => {
                        before.clone()
                    }
                    _ => String::new(),
                };
                let joined = !word.is_empty();
                while at(to).is_some_and(char::is_alphanumeric) {
                    to += 1;
                }
                word.extend(chars[from..to].iter().flat_map(|c| c.to_lowercase()));
                if joined {
                    out.truncate(start - 1);
                }
                out.push(Token::Name(word));
            } else if counts(&chars, from, to) {
                out.push(Token::Count);
            } else {
                out.push(Token::Name(chars[from..to].iter().collect()));
            }
            from = to;
        } else if c.is_alphanumeric() {
            let mut to = from + 1;
            while at(to).is_some_and(|c| c.is_alphanumeric() && !c.is_numeric() || is_mark(c)) {
                to += 1;
            }
            out.push(Token::Word(chars[from..to].iter().flat_map(|c| c.to_lowercase()).collect()));
            from = to;
        } else {
            // `C++`, `A−`: the sign is part of the name.
            let signs = matches!(c, '+' | '-' | '−' | '#');
            let behind = from > 0 && (chars[from - 1].is_alphanumeric() || matches!(chars[from - 1], '+'));
            if signs && behind && !at(from + 1).is_some_and(char::is_alphanumeric) {
                out.push(Token::Name(c.to_string()));
            }
            from += 1;
        }
    }
    out
}

/// Marks that combine with the letter before.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

const CURRENCIES: [&str; 16] =
    ["€", "$", "£", "¥", "₽", "₹", "zł", "kr", "eur", "usd", "gbp", "pln", "chf", "fr.", "sek", "円"];

/// Whether the number at `from..to` is a count or an amount and identifies nothing.
fn counts(chars: &[char], from: usize, to: usize) -> bool {
    let before: String = chars[..from].iter().collect::<String>().trim_end().to_lowercase();
    let after: String = chars[to..].iter().collect::<String>().trim_start().to_lowercase();
    let touching = |c: Option<&char>| matches!(c, Some(':' | '/' | '-' | '–' | '.' | '#'));
    // Times, dates, parts of longer numbers.
    if from > 0 && touching(chars.get(from - 1)) || matches!(chars.get(to), Some(':' | '/' | '-' | '–')) {
        return false;
    }
    if before.ends_with(['(', '[', '{']) && after.starts_with([')', ']', '}']) {
        return true;
    }
    if CURRENCIES.iter().any(|sign| {
        let code = |rest: &str| !rest.starts_with(char::is_alphabetic);
        let starts =
            after.strip_prefix(sign).is_some_and(|rest| !sign.ends_with(char::is_alphabetic) || code(rest));
        let ends = before.strip_suffix(sign).is_some_and(|rest| !rest.ends_with(char::is_alphabetic));
        starts || ends
    }) {
        return true;
    }
    after.starts_with('%') || before.ends_with('+')
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn the_different_words_decide() {
        let rows = [
            ("Save", "save…"),
            ("Log in", "Login"),
            ("E-mail *", "Email"),
            ("Cart (1)", "Cart (2)"),
            ("Cart", "Cart (12)"),
            ("Buy for $12.00", "Buy for $1,250.50"),
            ("12 €", "9,50 €"),
            ("3 new messages", "14 new messages"),
            ("Save 20%", "Save 30%"),
            ("Cart (1)", "Wishlist (1)"),
            ("Approve request", "Reject request"),
            ("Old password", "New password"),
            ("Send", "Send later"),
            ("Address 1", "Address 2"),
            ("Order 1001 details", "Order 1002 details"),
            ("9:30", "10:00"),
            ("2026-01-02", "2026-01-03"),
            ("3 pm", "4 pm"),
            ("2", "3"),
            ("Step 1 of 5", "Step 2 of 5"),
            ("A4", "A5"),
            ("A+", "A−"),
            ("C++", "C#"),
            ("+ Add", "Add"),
            ("‹", "›"),
            ("✏️", "🗑️"),
            ("×", "×"),
            ("保存する", "削除する"),
            ("", "Save"),
        ];
        let seen: String = rows.iter().map(|(a, b)| format!("{:?}: {a} | {b}\n", compare(a, b))).collect();
        expect![[r#"
            None: Save | save…
            None: Log in | Login
            None: E-mail * | Email
            Count: Cart (1) | Cart (2)
            Count: Cart | Cart (12)
            Count: Buy for $12.00 | Buy for $1,250.50
            Words: 12 € | 9,50 €
            Number: 3 new messages | 14 new messages
            Count: Save 20% | Save 30%
            Words: Cart (1) | Wishlist (1)
            Words: Approve request | Reject request
            Words: Old password | New password
            Words: Send | Send later
            Number: Address 1 | Address 2
            Number: Order 1001 details | Order 1002 details
            Words: 9:30 | 10:00
            Words: 2026-01-02 | 2026-01-03
            Number: 3 pm | 4 pm
            Words: 2 | 3
            Number: Step 1 of 5 | Step 2 of 5
            Words: A4 | A5
            Words: A+ | A−
            Words: C++ | C#
            None: + Add | Add
            Words: ‹ | ›
            Words: ✏️ | 🗑️
            None: × | ×
            Words: 保存する | 削除する
            Words:  | Save
        "#]]
        .assert_eq(&seen);
    }
}
