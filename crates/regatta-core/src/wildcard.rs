//! Patterns in which `*` stands for any text.

/// Whether `text` matches `pattern`. Each `*` of the pattern stands for any characters or none, a `*`
/// included.
pub fn matches(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Returns a pattern that both texts match, with a `*` for what differs; whole words of letters and digits
/// are replaced. `None` where the texts have nothing in common.
pub fn common(one: &str, other: &str) -> Option<String> {
    let is_word = |c: char| c.is_alphanumeric();
    let same = |pairs: &mut dyn Iterator<Item = (char, char)>| -> usize {
        pairs.take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum()
    };
    let start = same(&mut one.chars().zip(other.chars()));
    // Counted in the rest, so that no character counts twice.
    let (one_left, other_left) = (&one[start..], &other[start..]);
    let end = same(&mut one_left.chars().rev().zip(other_left.chars().rev()));
    let ends_word = one_left.starts_with(is_word) || other_left.starts_with(is_word);
    let before = if ends_word { one[..start].trim_end_matches(is_word) } else { &one[..start] };
    let begins_word = [one, other].iter().any(|text| text[..text.len() - end].ends_with(is_word));
    let after = &one[one.len() - end..];
    let after = if begins_word { after.trim_start_matches(is_word) } else { after };
    (!before.is_empty() || !after.is_empty()).then(|| format!("{before}*{after}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (text, pattern, expected) in [
            ("http://x/orders/17", "http://x/orders/*", true),
            ("http://x/orders/", "http://x/orders/*", true),
            ("http://x/orders/17/paid", "http://x/orders/*/paid", true),
            ("http://x/orders/17/open", "http://x/orders/*/paid", false),
            ("http://x/a?b=1", "*/a*", true),
            ("abab", "a*ab", true),
            ("ab", "a*ab", false),
            ("aXbXc", "a*b*c", true),
            ("acb", "a*b*c", false),
            ("a*b", "a*b", true),
            ("", "*", true),
            ("", "", true),
            ("a", "", false),
            ("ab", "a", false),
        ] {
            assert_eq!(matches(text, pattern), expected, "{text} {pattern}");
        }
    }

    #[test]
    fn what_differs_becomes_a_star() {
        for (one, other, expected) in [
            ("http://x/orders/17", "http://x/orders/18", Some("http://x/orders/*")),
            ("http://x/orders/17/paid", "http://x/orders/1234/paid", Some("http://x/orders/*/paid")),
            ("http://x/?id=ab1", "http://x/?id=ab2&x=1", Some("http://x/?id=*")),
            ("http://x/a", "http://x/a?b", Some("http://x/a*")),
            ("Order 17 (paid)", "Order 18 (paid)", Some("Order * (paid)")),
            ("Cart", "Checkout", None),
            ("aa", "aaa", None),
        ] {
            assert_eq!(common(one, other).as_deref(), expected, "{one} {other}");
        }
    }

    proptest! {
        #[test]
        fn both_texts_fit_what_they_have_in_common(one in "[ab1/ é*-]{0,12}", other in "[ab1/ é*-]{0,12}") {
            if let Some(pattern) = common(&one, &other) {
                prop_assert!(matches(&one, &pattern) && matches(&other, &pattern), "{pattern}");
            }
        }
    }
}
