//! Keys by the names the Recorder writes (`KeyboardEvent.key`): code, key code and text.

use chromiumoxide::cdp::browser_protocol::input::{DispatchKeyEventParams, DispatchKeyEventType};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub key: String,
    pub code: String,
    pub key_code: i64,
    /// What the key types; empty where it types nothing.
    pub text: String,
    pub location: i64,
}

/// Name, code, Windows key code, text, location.
const NAMED: [(&str, &str, i64, &str, i64); 47] = [
    ("Enter", "Enter", 13, "\r", 0),
    ("Tab", "Tab", 9, "", 0),
    ("Escape", "Escape", 27, "", 0),
    ("Backspace", "Backspace", 8, "", 0),
    ("Delete", "Delete", 46, "", 0),
    ("Insert", "Insert", 45, "", 0),
    ("Home", "Home", 36, "", 0),
    ("End", "End", 35, "", 0),
    ("PageUp", "PageUp", 33, "", 0),
    ("PageDown", "PageDown", 34, "", 0),
    ("ArrowLeft", "ArrowLeft", 37, "", 0),
    ("ArrowUp", "ArrowUp", 38, "", 0),
    ("ArrowRight", "ArrowRight", 39, "", 0),
    ("ArrowDown", "ArrowDown", 40, "", 0),
    ("Shift", "ShiftLeft", 16, "", 1),
    ("Control", "ControlLeft", 17, "", 1),
    ("Alt", "AltLeft", 18, "", 1),
    ("AltGraph", "AltRight", 18, "", 2),
    ("Meta", "MetaLeft", 91, "", 1),
    ("CapsLock", "CapsLock", 20, "", 0),
    ("NumLock", "NumLock", 144, "", 0),
    ("ScrollLock", "ScrollLock", 145, "", 0),
    ("Pause", "Pause", 19, "", 0),
    ("PrintScreen", "PrintScreen", 44, "", 0),
    ("ContextMenu", "ContextMenu", 93, "", 0),
    ("F1", "F1", 112, "", 0),
    ("F2", "F2", 113, "", 0),
    ("F3", "F3", 114, "", 0),
    ("F4", "F4", 115, "", 0),
    ("F5", "F5", 116, "", 0),
    ("F6", "F6", 117, "", 0),
    ("F7", "F7", 118, "", 0),
    ("F8", "F8", 119, "", 0),
    ("F9", "F9", 120, "", 0),
    ("F10", "F10", 121, "", 0),
    ("F11", "F11", 122, "", 0),
    ("F12", "F12", 123, "", 0),
    ("Clear", "NumLock", 12, "", 0),
    ("Help", "Help", 47, "", 0),
    ("MediaPlayPause", "MediaPlayPause", 179, "", 0),
    ("MediaStop", "MediaStop", 178, "", 0),
    ("MediaTrackNext", "MediaTrackNext", 176, "", 0),
    ("MediaTrackPrevious", "MediaTrackPrevious", 177, "", 0),
    ("AudioVolumeMute", "VolumeMute", 173, "", 0),
    ("AudioVolumeDown", "VolumeDown", 174, "", 0),
    ("AudioVolumeUp", "VolumeUp", 175, "", 0),
    (" ", "Space", 32, " ", 0),
];

/// Characters of a US keyboard that are neither letters nor digits: plain, shifted, code, key code.
const MARKS: [(char, char, &str, i64); 11] = [
    ('-', '_', "Minus", 189),
    ('=', '+', "Equal", 187),
    ('[', '{', "BracketLeft", 219),
    (']', '}', "BracketRight", 221),
    ('\\', '|', "Backslash", 220),
    (';', ':', "Semicolon", 186),
    ('\'', '"', "Quote", 222),
    ('`', '~', "Backquote", 192),
    (',', '<', "Comma", 188),
    ('.', '>', "Period", 190),
    ('/', '?', "Slash", 191),
];

const SHIFTED_DIGITS: &str = ")!@#$%^&*(";

impl Key {
    /// `None` for a name that is no key.
    pub fn named(name: &str) -> Option<Self> {
        let name = match name {
            "Space" => " ",
            "Esc" => "Escape",
            other => other,
        };
        if let Some((key, code, key_code, text, location)) = NAMED.iter().find(|(key, ..)| *key == name) {
            return Some(Self {
                key: (*key).to_owned(),
                code: (*code).to_owned(),
                key_code: *key_code,
                text: (*text).to_owned(),
                location: *location,
            });
        }
        let mut characters = name.chars();
        let (Some(c), None) = (characters.next(), characters.next()) else { return None };
        let (code, key_code) = if c.is_ascii_alphabetic() {
            let upper = c.to_ascii_uppercase();
            (format!("Key{upper}"), i64::from(u32::from(upper)))
        } else if c.is_ascii_digit() {
            (format!("Digit{c}"), i64::from(u32::from(c)))
        } else if let Some(digit) = SHIFTED_DIGITS.find(c) {
            (format!("Digit{digit}"), 48 + digit as i64)
        } else if let Some((.., code, key_code)) =
            MARKS.iter().find(|(plain, shifted, ..)| *plain == c || *shifted == c)
        {
            ((*code).to_owned(), *key_code)
        } else {
            // A character no US keyboard has: it types itself.
            (String::new(), 0)
        };
        Some(Self { key: c.to_string(), code, key_code, text: c.to_string(), location: 0 })
    }

    /// The protocol's bit of a modifier; 0 for all other keys.
    pub fn modifier(&self) -> i64 {
        match self.key.as_str() {
            "Alt" => 1,
            "Control" => 2,
            "Meta" => 4,
            "Shift" => 8,
            _ => 0,
        }
    }

    pub fn event(&self, down: bool, modifiers: i64) -> DispatchKeyEventParams {
        // A shortcut types nothing: with Control, Alt or Meta held there is no text.
        let text = if down && modifiers & 0b0111 == 0 { self.text.as_str() } else { "" };
        let kind = match (down, text.is_empty()) {
            (true, false) => DispatchKeyEventType::KeyDown,
            (true, true) => DispatchKeyEventType::RawKeyDown,
            (false, _) => DispatchKeyEventType::KeyUp,
        };
        let mut event = DispatchKeyEventParams::new(kind);
        event.modifiers = Some(modifiers);
        event.key = Some(self.key.clone());
        event.code = Some(self.code.clone());
        event.windows_virtual_key_code = Some(self.key_code);
        event.location = Some(self.location);
        if !text.is_empty() {
            event.text = Some(text.to_owned());
            event.unmodified_text = Some(text.to_owned());
        }
        event
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_by_name_and_by_character() {
        for (name, code, key_code, text) in [
            ("Enter", "Enter", 13, "\r"),
            ("a", "KeyA", 65, "a"),
            ("Z", "KeyZ", 90, "Z"),
            ("5", "Digit5", 53, "5"),
            ("%", "Digit5", 53, "%"),
            ("?", "Slash", 191, "?"),
            ("Space", "Space", 32, " "),
            ("é", "", 0, "é"),
            ("Shift", "ShiftLeft", 16, ""),
        ] {
            let key = Key::named(name).unwrap();
            assert_eq!(
                (key.code.as_str(), key.key_code, key.text.as_str()),
                (code, key_code, text),
                "{name}"
            );
        }
        assert_eq!(Key::named("Entr"), None);
    }

    #[test]
    fn a_shortcut_types_nothing() {
        let key = Key::named("a").unwrap();
        assert_eq!(key.event(true, 0).text.as_deref(), Some("a"));
        assert_eq!(key.event(true, 2).text, None);
        assert_eq!(key.event(true, 8).text.as_deref(), Some("a"));
    }
}
