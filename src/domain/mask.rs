//! Keeps identity values out of everything that is written for people: events, logs, errors.

use super::session::Identity;

/// Replaces every identity value in a text by the name of its field.
#[derive(Clone, Default)]
pub struct Mask {
    /// (value, replacement), longest value first so that the longest wins where two begin.
    values: Vec<(String, String)>,
}

impl Mask {
    /// Values of one or two characters are left alone: hiding every `1` hides nothing and makes
    /// messages unreadable. A value is also known in the form it takes inside a URL.
    pub fn of(identity: &Identity) -> Self {
        let mut values = Vec::new();
        for (name, value) in identity.iter().filter(|(_, value)| value.chars().count() >= 3) {
            let replacement = format!("‹identity.{name}›");
            let in_url: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
            if in_url != *value {
                values.push((in_url, replacement.clone()));
            }
            values.push((value.into_owned(), replacement));
        }
        values.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.cmp(b)));
        Self { values }
    }

    /// One pass from left to right: what was put in is never looked at again.
    pub fn apply(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            match self.values.iter().find(|(value, _)| rest.starts_with(value.as_str())) {
                Some((value, replacement)) => {
                    out.push_str(replacement);
                    rest = &rest[value.len()..];
                }
                None => {
                    out.push(c);
                    rest = &rest[c.len_utf8()..];
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_the_names_of_their_fields() {
        let mut identity = Identity::default();
        identity.set("email", "ann@practice.test");
        identity.set("user", "ann");
        identity.set("word", "identity");
        identity.set("pin", "1");
        let mask = Mask::of(&identity);
        assert_eq!(
            mask.apply("no `text/ann@practice.test` for ann at /?m=ann%40practice.test, step 1"),
            "no `text/‹identity.email›` for ‹identity.user› at /?m=‹identity.email›, step 1"
        );
    }
}
