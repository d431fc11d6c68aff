//! The keys of the US keyboard as a page sees them: `key`, `code`, key code, location and text.

/// In the form of `Input.dispatchKeyEvent`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub key: String,
    pub code: String,
    /// Windows virtual key code; 0 where the US keyboard has no such key.
    pub vk: i64,
    /// 0 standard, 1 left, 2 right, 3 numeric pad.
    pub location: i64,
    /// The text it types. `None` for keys that type nothing.
    pub text: Option<String>,
}

/// The bits of `modifiers` in the protocol.
pub const ALT: i64 = 1;
pub const CONTROL: i64 = 2;
pub const META: i64 = 4;
pub const SHIFT: i64 = 8;

/// Input methods write all other characters, not keys.
const FIRST_OF_INPUT_METHODS: char = '\u{2e80}';

/// name, code, key code, location. The name is the DOM's `key`.
const NAMED: &[(&str, &str, i64, i64)] = &[
    ("Enter", "Enter", 13, 0),
    ("Tab", "Tab", 9, 0),
    ("Backspace", "Backspace", 8, 0),
    ("Delete", "Delete", 46, 0),
    ("Escape", "Escape", 27, 0),
    ("Insert", "Insert", 45, 0),
    ("Home", "Home", 36, 0),
    ("End", "End", 35, 0),
    ("PageUp", "PageUp", 33, 0),
    ("PageDown", "PageDown", 34, 0),
    ("ArrowLeft", "ArrowLeft", 37, 0),
    ("ArrowUp", "ArrowUp", 38, 0),
    ("ArrowRight", "ArrowRight", 39, 0),
    ("ArrowDown", "ArrowDown", 40, 0),
    ("Shift", "ShiftLeft", 16, 1),
    ("Control", "ControlLeft", 17, 1),
    ("Alt", "AltLeft", 18, 1),
    ("Meta", "MetaLeft", 91, 1),
    ("AltGraph", "AltGraph", 225, 0),
    ("CapsLock", "CapsLock", 20, 0),
    ("NumLock", "NumLock", 144, 0),
    ("ScrollLock", "ScrollLock", 145, 0),
    ("Pause", "Pause", 19, 0),
    ("PrintScreen", "PrintScreen", 44, 0),
    ("ContextMenu", "ContextMenu", 93, 0),
    ("Clear", "Clear", 12, 0),
    ("Help", "Help", 47, 0),
    ("F1", "F1", 112, 0),
    ("F2", "F2", 113, 0),
    ("F3", "F3", 114, 0),
    ("F4", "F4", 115, 0),
    ("F5", "F5", 116, 0),
    ("F6", "F6", 117, 0),
    ("F7", "F7", 118, 0),
    ("F8", "F8", 119, 0),
    ("F9", "F9", 120, 0),
    ("F10", "F10", 121, 0),
    ("F11", "F11", 122, 0),
    ("F12", "F12", 123, 0),
    ("F13", "F13", 124, 0),
    ("F14", "F14", 125, 0),
    ("F15", "F15", 126, 0),
    ("F16", "F16", 127, 0),
    ("F17", "F17", 128, 0),
    ("F18", "F18", 129, 0),
    ("F19", "F19", 130, 0),
    ("F20", "F20", 131, 0),
    ("F21", "F21", 132, 0),
    ("F22", "F22", 133, 0),
    ("F23", "F23", 134, 0),
    ("F24", "F24", 135, 0),
    ("AudioVolumeMute", "AudioVolumeMute", 173, 0),
    ("AudioVolumeDown", "AudioVolumeDown", 174, 0),
    ("AudioVolumeUp", "AudioVolumeUp", 175, 0),
    ("MediaTrackNext", "MediaTrackNext", 176, 0),
    ("MediaTrackPrevious", "MediaTrackPrevious", 177, 0),
    ("MediaStop", "MediaStop", 178, 0),
    ("MediaPlayPause", "MediaPlayPause", 179, 0),
    ("LaunchMail", "LaunchMail", 180, 0),
    ("BrowserBack", "BrowserBack", 166, 0),
    ("BrowserForward", "BrowserForward", 167, 0),
    ("BrowserRefresh", "BrowserRefresh", 168, 0),
    ("BrowserStop", "BrowserStop", 169, 0),
    ("BrowserSearch", "BrowserSearch", 170, 0),
    ("BrowserFavorites", "BrowserFavorites", 171, 0),
    ("BrowserHome", "BrowserHome", 172, 0),
    ("Cancel", "Cancel", 3, 0),
    ("Convert", "Convert", 28, 0),
    ("NonConvert", "NonConvert", 29, 0),
    ("Accept", "Accept", 30, 0),
    ("ModeChange", "ModeChange", 31, 0),
    ("Select", "Select", 41, 0),
    ("Execute", "Execute", 43, 0),
    ("Standby", "Standby", 95, 0),
    ("Attn", "Attn", 246, 0),
    ("CrSel", "CrSel", 247, 0),
    ("ExSel", "ExSel", 248, 0),
    ("EraseEof", "EraseEof", 249, 0),
    ("Play", "Play", 250, 0),
    ("ZoomOut", "ZoomOut", 251, 0),
];

/// Other names of keys: their codes, as the Recorder may write them. Name, key, code, location.
const ALIASES: &[(&str, &str, &str, i64)] = &[
    ("ShiftLeft", "Shift", "ShiftLeft", 1),
    ("ShiftRight", "Shift", "ShiftRight", 2),
    ("ControlLeft", "Control", "ControlLeft", 1),
    ("ControlRight", "Control", "ControlRight", 2),
    ("AltLeft", "Alt", "AltLeft", 1),
    ("AltRight", "Alt", "AltRight", 2),
    ("MetaLeft", "Meta", "MetaLeft", 1),
    ("MetaRight", "Meta", "MetaRight", 2),
    ("NumpadEnter", "Enter", "NumpadEnter", 3),
    ("Esc", "Escape", "Escape", 0),
];

/// Code, character, key code; all on the numeric pad.
const NUMERIC_PAD: &[(&str, char, i64)] = &[
    ("NumpadMultiply", '*', 106),
    ("NumpadAdd", '+', 107),
    ("NumpadSubtract", '-', 109),
    ("NumpadDecimal", '.', 110),
    ("NumpadDivide", '/', 111),
    ("NumpadEqual", '=', 187),
];

/// The editing commands of Meta and a key on the keyboards that have Meta. A flow that was recorded there
/// plays them everywhere.
const COMMANDS: &[(&str, i64, &str)] = &[
    ("a", META, "selectAll"),
    ("c", META, "copy"),
    ("v", META, "paste"),
    ("x", META, "cut"),
    ("z", META, "undo"),
    ("z", META | SHIFT, "redo"),
    ("Backspace", META, "deleteToBeginningOfLine"),
    ("ArrowLeft", META, "moveToBeginningOfLine"),
    ("ArrowLeft", META | SHIFT, "moveToBeginningOfLineAndModifySelection"),
    ("ArrowRight", META, "moveToEndOfLine"),
    ("ArrowRight", META | SHIFT, "moveToEndOfLineAndModifySelection"),
    ("ArrowUp", META, "moveToBeginningOfDocument"),
    ("ArrowUp", META | SHIFT, "moveToBeginningOfDocumentAndModifySelection"),
    ("ArrowDown", META, "moveToEndOfDocument"),
    ("ArrowDown", META | SHIFT, "moveToEndOfDocumentAndModifySelection"),
];

/// Unshifted, shifted, code, key code. Letters and digits are computed.
const PUNCTUATION: &[(char, char, &str, i64)] = &[
    ('`', '~', "Backquote", 192),
    ('-', '_', "Minus", 189),
    ('=', '+', "Equal", 187),
    ('[', '{', "BracketLeft", 219),
    (']', '}', "BracketRight", 221),
    ('\\', '|', "Backslash", 220),
    (';', ':', "Semicolon", 186),
    ('\'', '"', "Quote", 222),
    (',', '<', "Comma", 188),
    ('.', '>', "Period", 190),
    ('/', '?', "Slash", 191),
    (' ', ' ', "Space", 32),
];

const SHIFTED_DIGITS: &str = ")!@#$%^&*(";

/// Returns the key with this DOM `key` or `code` (`Enter`, `a`, `KeyA`, `Space`).
pub fn key_named(name: &str) -> Option<Key> {
    let name = if name == "\n" || name == "\r" { "Enter" } else { name };
    let mut chars = name.chars();
    if let (Some(c), None) = (chars.next(), chars.next()) {
        return Some(printable(c));
    }
    if let Some((_, key, code, location)) = ALIASES.iter().find(|alias| alias.0 == name) {
        return key_named(key).map(|key| Key { code: (*code).to_owned(), location: *location, ..key });
    }
    if let Some(&(key, code, vk, location)) = NAMED.iter().find(|named| named.0 == name) {
        // Enter types the line break that submits a form.
        let text = (key == "Enter").then(|| "\r".to_owned());
        return Some(Key { key: key.to_owned(), code: code.to_owned(), vk, location, text });
    }
    if let Some(on_pad) = numeric_pad(name) {
        return Some(on_pad);
    }
    let by_code = PUNCTUATION.iter().find(|key| key.2 == name).map(|key| key.0).or_else(|| {
        let c = name.strip_prefix("Key").or_else(|| name.strip_prefix("Digit"))?;
        let mut chars = c.chars();
        let c = chars.next().filter(char::is_ascii_alphanumeric)?;
        chars.next().is_none().then(|| c.to_ascii_lowercase())
    });
    by_code.map(printable)
}

/// Returns the name of a key that differs from `name` only in case.
pub fn nearest_name(name: &str) -> Option<&'static str> {
    let mut names = NAMED.iter().map(|named| named.0).chain(ALIASES.iter().map(|alias| alias.0));
    names.find(|known| known.eq_ignore_ascii_case(name))
}

/// Returns the key that writes `c`, and the modifiers to hold. `None` where no key does, and for keys that
/// move the focus or submit a form.
pub fn key_for_char(c: char) -> Option<(Key, i64)> {
    if c.is_control() || c >= FIRST_OF_INPUT_METHODS {
        return None;
    }
    let shifted = c.is_ascii_uppercase()
        || SHIFTED_DIGITS.contains(c)
        || PUNCTUATION.iter().any(|key| key.1 == c && key.0 != c);
    Some((printable(c), if shifted { SHIFT } else { 0 }))
}

impl Key {
    /// Returns the editing command of the key with these modifiers, in addition to its events.
    pub fn command(&self, modifiers: i64) -> Option<&'static str> {
        let key = if self.key.len() == 1 { self.key.to_ascii_lowercase() } else { self.key.clone() };
        COMMANDS.iter().find(|command| command.0 == key && command.1 == modifiers).map(|command| command.2)
    }

    /// Returns the bit that the key sets while it is held.
    pub fn modifier(&self) -> i64 {
        match self.key.as_str() {
            "Alt" => ALT,
            "Control" => CONTROL,
            "Meta" => META,
            "Shift" => SHIFT,
            _ => 0,
        }
    }

    /// Whether the key writes a character of its own: it types into the page.
    pub fn is_printable(&self) -> bool {
        self.text.is_some() && self.key != "Enter"
    }

    /// Returns the key as it types with `modifiers`: shift makes letters upper case, and with control, alt or
    /// meta nothing is typed.
    pub fn with_modifiers(self, modifiers: i64) -> Self {
        if modifiers & (CONTROL | ALT | META) != 0 {
            return Self { text: None, ..self };
        }
        let changes = modifiers & SHIFT != 0 && self.is_printable() && self.location == 0;
        let shifted = self.key.chars().next().filter(|_| changes);
        match shifted.and_then(shift) {
            Some(c) => Self { key: c.to_string(), text: Some(c.to_string()), ..self },
            None => self,
        }
    }
}

fn printable(c: char) -> Key {
    let upper = c.to_ascii_uppercase();
    let (code, vk) = if c.is_ascii_alphabetic() {
        (format!("Key{upper}"), i64::from(u32::from(upper)))
    } else if let Some(digit) = c.to_digit(10).or_else(|| SHIFTED_DIGITS.find(c).map(|at| at as u32)) {
        (format!("Digit{digit}"), 48 + i64::from(digit))
    } else if let Some(key) = PUNCTUATION.iter().find(|key| key.0 == c || key.1 == c) {
        (key.2.to_owned(), key.3)
    } else {
        (String::new(), 0)
    };
    Key { key: c.to_string(), code, vk, location: 0, text: Some(c.to_string()) }
}

fn numeric_pad(code: &str) -> Option<Key> {
    let digit = code.strip_prefix("Numpad").and_then(|digit| match digit.as_bytes() {
        [digit @ b'0'..=b'9'] => Some((char::from(*digit), 96 + i64::from(digit - b'0'))),
        _ => None,
    });
    let (c, vk) = digit.or_else(|| NUMERIC_PAD.iter().find(|key| key.0 == code).map(|key| (key.1, key.2)))?;
    Some(Key { key: c.to_string(), code: code.to_owned(), vk, location: 3, text: Some(c.to_string()) })
}

fn shift(c: char) -> Option<char> {
    if c.is_ascii_lowercase() {
        return Some(c.to_ascii_uppercase());
    }
    match c.to_digit(10) {
        Some(digit) => SHIFTED_DIGITS.chars().nth(digit as usize),
        None => PUNCTUATION.iter().find(|key| key.0 == c).map(|key| key.1),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn line(name: &str, modifiers: i64) -> String {
        match key_named(name) {
            None => format!("{name}: unknown"),
            Some(key) => {
                let key = key.with_modifiers(modifiers);
                format!("{name}: {} {} {} {} {:?}", key.key, key.code, key.vk, key.location, key.text)
            }
        }
    }

    #[test]
    fn keys_are_found_by_name_character_and_code() {
        let seen: Vec<_> = [
            "Enter",
            "Tab",
            "a",
            "A",
            "7",
            "&",
            "/",
            "?",
            " ",
            "Space",
            "KeyQ",
            "Digit3",
            "Shift",
            "ShiftRight",
            "NumpadEnter",
            "F5",
            "é",
            "Hyper",
            "",
        ]
        .map(|name| line(name, 0))
        .to_vec();
        expect![[r#"
            Enter: Enter Enter 13 0 Some("\r")
            Tab: Tab Tab 9 0 None
            a: a KeyA 65 0 Some("a")
            A: A KeyA 65 0 Some("A")
            7: 7 Digit7 55 0 Some("7")
            &: & Digit7 55 0 Some("&")
            /: / Slash 191 0 Some("/")
            ?: ? Slash 191 0 Some("?")
             :   Space 32 0 Some(" ")
            Space:   Space 32 0 Some(" ")
            KeyQ: q KeyQ 81 0 Some("q")
            Digit3: 3 Digit3 51 0 Some("3")
            Shift: Shift ShiftLeft 16 1 None
            ShiftRight: Shift ShiftRight 16 2 None
            NumpadEnter: Enter NumpadEnter 13 3 Some("\r")
            F5: F5 F5 116 0 None
            é: é  0 0 Some("é")
            Hyper: unknown
            : unknown"#]]
        .assert_eq(&seen.join("\n"));
    }

    #[test]
    fn the_whole_keyboard_by_names_and_codes() {
        let unknown: Vec<_> =
            NAMED.iter().map(|key| key.0).filter(|name| key_named(name).is_none()).collect();
        assert_eq!(unknown, Vec::<&str>::new());
        let seen =
            ["F24", "Numpad7", "NumpadAdd", "Numpad12", "Standby", "AudioVolumeUp"].map(|name| line(name, 0));
        expect![[r#"
            F24: F24 F24 135 0 None
            Numpad7: 7 Numpad7 103 3 Some("7")
            NumpadAdd: + NumpadAdd 107 3 Some("+")
            Numpad12: unknown
            Standby: Standby Standby 95 0 None
            AudioVolumeUp: AudioVolumeUp AudioVolumeUp 175 0 None"#]]
        .assert_eq(&seen.join("\n"));
    }

    #[test]
    fn text_is_typed_by_the_keys_that_write_it() {
        let seen: Vec<_> = "aA1!\"ë€\n\t東👋"
            .chars()
            .map(|c| match key_for_char(c) {
                Some((key, modifiers)) => {
                    format!("{} {modifiers} {:?}", key.code.clone(), key.with_modifiers(modifiers).text)
                }
                None => format!("{c:?} by no key"),
            })
            .collect();
        expect![[r#"
            KeyA 0 Some("a")
            KeyA 8 Some("A")
            Digit1 0 Some("1")
            Digit1 8 Some("!")
            Quote 8 Some("\"")
             0 Some("ë")
             0 Some("€")
            '\n' by no key
            '\t' by no key
            '東' by no key
            '👋' by no key"#]]
        .assert_eq(&seen.join("\n"));
    }

    #[test]
    fn a_shortcut_of_the_mac_carries_its_editing_command() {
        let seen =
            [("a", META), ("A", META), ("z", META | SHIFT), ("ArrowLeft", META), ("a", CONTROL), ("b", META)]
                .map(|(name, modifiers)| {
                    format!("{name} {modifiers}: {:?}", key_named(name).unwrap().command(modifiers))
                });
        expect![[r#"
            a 4: Some("selectAll")
            A 4: Some("selectAll")
            z 12: Some("redo")
            ArrowLeft 4: Some("moveToBeginningOfLine")
            a 2: None
            b 4: None"#]]
        .assert_eq(&seen.join("\n"));
    }

    #[test]
    fn held_modifiers_change_what_is_typed() {
        let seen =
            [line("a", SHIFT), line("1", SHIFT), line("'", SHIFT), line("a", CONTROL), line("Tab", SHIFT)];
        expect![[r#"
            a: A KeyA 65 0 Some("A")
            1: ! Digit1 49 0 Some("!")
            ': " Quote 222 0 Some("\"")
            a: a KeyA 65 0 None
            Tab: Tab Tab 9 0 None"#]]
        .assert_eq(&seen.join("\n"));
    }
}
