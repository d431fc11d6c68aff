//! Keeps identity values out of everything that people read: events, logs, errors.

use super::session::{Identity, Session, text_of};

/// Replaces every identity value in a text by the name of its field.
#[derive(Clone, Default)]
pub struct Mask {
    /// (value, replacement), longest value first, so that the longest of two that begin alike wins.
    values: Vec<(String, String)>,
}

impl Mask {
    /// Values of one or two characters are not masked: masking every `1` would hide nothing and make messages
    /// unreadable. A value is also recognized in its form-encoded form.
    pub fn for_identity(identity: &Identity) -> Self {
        let mut mask = Self::default();
        for (name, value) in identity.iter() {
            mask.put(&format!("identity.{name}"), &value);
        }
        mask.sort();
        mask
    }

    /// Masks superseded values as well.
    pub fn for_session(session: &Session) -> Self {
        let mut mask = Self::for_identity(&session.identity);
        for old in &session.superseded {
            if let Some(value) = text_of(&old.value) {
                mask.put(&format!("identity.{}", old.field), &value);
            }
        }
        mask.sort();
        mask
    }

    /// Returns the same mask for texts that a browser writes.
    pub const fn for_browser(&self) -> BrowserMask<'_> {
        BrowserMask(self)
    }

    /// Returns the replacement of the first value that contains this part.
    fn whole_of(&self, part: &str) -> Option<&str> {
        let is_part = |(value, _): &&(String, String)| value.contains(part);
        self.values.iter().find(is_part).map(|(_, replacement)| replacement.as_str())
    }

    /// Adds a value to mask, by the same rules.
    pub fn add(&mut self, name: &str, value: &str) {
        self.put(name, value);
        self.sort();
    }

    fn put(&mut self, name: &str, value: &str) {
        if value.chars().count() < 3 {
            return;
        }
        let replacement = format!("‹{name}›");
        let in_url: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
        for form in [in_url, value.to_owned()] {
            if !self.values.iter().any(|(known, _)| *known == form) {
                self.values.push((form, replacement.clone()));
            }
        }
    }

    fn sort(&mut self) {
        self.values.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.cmp(b)));
    }

    /// Masks a text that was cut: its end is removed where it may be the beginning of a value.
    pub fn apply_to_start(&self, text: &str) -> String {
        let is_begun = |tail: &str| self.values.iter().any(|(value, _)| value.starts_with(tail));
        let masked = self.apply(text);
        let tails = masked.char_indices().map(|(at, _)| at);
        let begun =
            tails.filter(|at| masked[*at..].chars().nth(2).is_some()).find(|at| is_begun(&masked[*at..]));
        masked[..begun.unwrap_or(masked.len())].to_owned()
    }

    /// Masks in one pass from left to right. A replacement is never masked again, nor by a second pass.
    pub fn apply(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let put_in = |(_, put_in): &&(String, String)| c == '‹' && rest.starts_with(put_in.as_str());
            if let Some((_, put_in)) = self.values.iter().find(put_in) {
                out.push_str(put_in);
                rest = &rest[put_in.len()..];
                continue;
            }
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

/// A mask that also recognizes values in the other forms that a browser gives them.
#[derive(Clone, Copy)]
pub struct BrowserMask<'a>(&'a Mask);

impl BrowserMask<'_> {
    /// Masks any text, including values that are percent-encoded in another way than forms do it.
    pub fn apply(&self, text: &str) -> String {
        let masked = self.0.apply(text);
        if !masked.contains('%') {
            return masked;
        }
        let decoded = percent_decoded(&masked);
        let hidden = self.0.apply(&decoded);
        if hidden == decoded { masked } else { hidden }
    }

    /// Masks the content of a form's field. It may be part of a value, since typing takes time.
    pub fn apply_to_field(&self, typed: &str) -> String {
        let masked = self.apply(typed);
        let whole = (masked == typed && typed.chars().count() >= 3).then(|| self.0.whole_of(typed));
        whole.flatten().map_or(masked, str::to_owned)
    }
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        let digits = more.get(..2).filter(|_| *first == b'%').and_then(|two| std::str::from_utf8(two).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &more[2..];
            }
            None => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
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
        let mask = Mask::for_identity(&identity);
        assert_eq!(
            mask.apply("no `text/ann@practice.test` for ann at /?m=ann%40practice.test, step 1"),
            "no `text/‹identity.email›` for ‹identity.user› at /?m=‹identity.email›, step 1"
        );
    }

    #[test]
    fn a_browser_mask_knows_values_as_browsers_write_them() {
        let mut identity = Identity::default();
        identity.set("name", "Ann Lee & Söhne");
        let mask = Mask::for_identity(&identity);
        let mask = mask.for_browser();
        assert_eq!(mask.apply("/x/Ann%20Lee%20%26%20S%c3%b6hne?q=%41"), "/x/‹identity.name›?q=A");
        assert_eq!(mask.apply("/x?n=Ann+Lee+%26+S%C3%B6hne&q=%41"), "/x?n=‹identity.name›&q=%41");
        assert_eq!(mask.apply("100 % %zz %"), "100 % %zz %");
        // Typed in part.
        assert_eq!(mask.apply_to_field("Ann Le"), "‹identity.name›");
        assert_eq!(
            (mask.apply_to_field("An"), mask.apply_to_field("Anna")),
            ("An".to_owned(), "Anna".to_owned())
        );
    }

    #[test]
    fn a_value_that_was_cut_is_hidden_too() {
        let mut mask = Mask::default();
        mask.add("variables.mail", "ann@practice.test");
        mask.add("variables.short", "x");
        assert_eq!(mask.apply_to_start("x: ann@practice.test, ann@pra"), "x: ‹variables.mail›, ");
        assert_eq!(mask.apply_to_start("x: an"), "x: an");
    }
}
