//! `Name[role="button"]`, as the Recorder writes accessible names.

/// An exact name, an exact role, or both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AriaQuery {
    pub name: Option<String>,
    pub role: Option<String>,
}

impl AriaQuery {
    /// Attributes `[role="…"]` and `[name="…"]` anywhere in the text; the rest is the name. White
    /// space is folded, as browsers fold it in names.
    pub fn parse(text: &str) -> Self {
        let mut query = Self::default();
        let mut name = String::new();
        let mut rest = text;
        while let Some(open) = rest.find('[') {
            match attribute(&rest[open..]) {
                Some((key, value, length)) => {
                    name.push_str(&rest[..open]);
                    match key {
                        "role" => query.role = Some(value.to_owned()),
                        _ => query.name = Some(fold(value)),
                    }
                    rest = &rest[open + length..];
                }
                None => {
                    name.push_str(&rest[..=open]);
                    rest = &rest[open + 1..];
                }
            }
        }
        name.push_str(rest);
        let name = fold(&name);
        if !name.is_empty() {
            query.name = Some(name);
        }
        query
    }
}

/// `[role="button"]` at the start of `text`: key, value, length.
fn attribute(text: &str) -> Option<(&str, &str, usize)> {
    let inner = text.strip_prefix('[')?;
    let (key, after) = inner.split_once('=')?;
    let key = key.trim();
    let after = after.trim_start();
    let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (value, end) = after[1..].split_once(quote)?;
    let tail = end.trim_start().strip_prefix(']')?;
    matches!(key, "role" | "name").then(|| (key, value, text.len() - tail.len()))
}

fn fold(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_roles() {
        for (text, name, role) in [
            ("Sign up", Some("Sign up"), None),
            ("Sign up[role=\"button\"]", Some("Sign up"), Some("button")),
            ("[role='textbox']", None, Some("textbox")),
            ("[name=\"a  b\"][role=\"link\"]", Some("a b"), Some("link")),
            ("Price [net]", Some("Price [net]"), None),
            ("a[0]=\"x\"", Some("a[0]=\"x\""), None),
        ] {
            let expected = AriaQuery { name: name.map(str::to_owned), role: role.map(str::to_owned) };
            assert_eq!(AriaQuery::parse(text), expected, "{text}");
        }
    }
}
