//! `aria/Name[role="button"]`, as the Recorder writes it.

/// Both exact. At least one is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AriaSelector {
    pub name: Option<String>,
    pub role: Option<String>,
}

/// `text` without the `aria/` prefix. Attributes stand in brackets anywhere; what is left is the name,
/// with runs of blanks as one. A bracket that is no `[role=…]` or `[name=…]` belongs to the name, except
/// where it has the form of an attribute: that is an error, as in the reference runner.
pub fn parse(text: &str) -> Result<AriaSelector, String> {
    let mut parsed = AriaSelector { name: None, role: None };
    let mut left = String::new();
    let mut rest = text;
    while let Some(open) = rest.find('[') {
        let (before, from) = rest.split_at(open);
        left.push_str(before);
        match attribute(&from[1..]) {
            Some((key, value, after)) => {
                match key {
                    "role" => parsed.role = Some(value.to_owned()),
                    "name" => parsed.name = Some(collapse(value)),
                    other => return Err(format!("unknown aria attribute `{other}`: expected name or role")),
                }
                rest = after;
            }
            None => {
                left.push('[');
                rest = &from[1..];
            }
        }
    }
    left.push_str(rest);
    let left = collapse(&left);
    if !left.is_empty() {
        parsed.name = Some(left);
    }
    if parsed.name.is_none() && parsed.role.is_none() {
        return Err("the aria selector names neither a name nor a role".to_owned());
    }
    Ok(parsed)
}

/// `key="value"]…` or `key='value']…`, and what comes after the bracket. The value may hold brackets and
/// the other quote.
fn attribute(text: &str) -> Option<(&str, &str, &str)> {
    let (key, rest) = text.split_once('=')?;
    let key = key.trim();
    if key.is_empty() || !key.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-') {
        return None;
    }
    let rest = rest.trim_start();
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let rest = &rest[1..];
    let close = rest.find(quote)?;
    let after = rest[close + 1..].trim_start().strip_prefix(']')?;
    Some((key, &rest[..close], after))
}

fn collapse(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn names_and_roles() {
        let seen: Vec<_> = [
            "Sign up",
            "Sign  up\n[role=\"button\"]",
            "[role='link']",
            "[name=\"a [b] 'c'\"][role=\"textbox\"]",
            "Items [3]",
            "Items [3][role=\"heading\"]",
            "a=b",
            "x[level=\"2\"]",
            "[role=\"button]",
            " ",
            "",
        ]
        .map(|text| match parse(text) {
            Ok(AriaSelector { name, role }) => {
                format!("{text:?}: {} / {}", name.unwrap_or("-".into()), role.unwrap_or("-".into()))
            }
            Err(error) => format!("{text:?}: error: {error}"),
        })
        .to_vec();
        expect![[r#"
            "Sign up": Sign up / -
            "Sign  up\n[role=\"button\"]": Sign up / button
            "[role='link']": - / link
            "[name=\"a [b] 'c'\"][role=\"textbox\"]": a [b] 'c' / textbox
            "Items [3]": Items [3] / -
            "Items [3][role=\"heading\"]": Items [3] / heading
            "a=b": a=b / -
            "x[level=\"2\"]": error: unknown aria attribute `level`: expected name or role
            "[role=\"button]": [role="button] / -
            " ": error: the aria selector names neither a name nor a role
            "": error: the aria selector names neither a name nor a role"#]]
        .assert_eq(&seen.join("\n"));
    }
}
