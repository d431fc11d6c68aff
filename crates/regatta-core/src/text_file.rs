//! Text files that a person wrote, as the editors of all systems save them.

use crate::diagnostic::FileDiagnostic;

/// The byte order mark with which some editors begin UTF-8 files; it is not part of the text.
const MARK: char = '\u{feff}';

/// The text of a file, without its byte order mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextFile {
    pub text: String,
    has_mark: bool,
}

impl TextFile {
    /// `name` is the file's name in errors.
    pub fn decode(name: &str, bytes: Vec<u8>) -> Result<Self, Box<FileDiagnostic>> {
        if let Some(text) = utf16(&bytes) {
            return Err(not_utf8(name, &text, 0, "it looks like UTF-16"));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(match text.strip_prefix(MARK) {
                Some(rest) => Self { text: rest.to_owned(), has_mark: true },
                None => Self { text, has_mark: false },
            }),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                Err(not_utf8(name, &text, at, "it looks like Latin-1 or Windows-1252"))
            }
        }
    }

    /// Returns the file's bytes with another text and the same byte order mark.
    pub fn encode(&self, text: &str) -> Vec<u8> {
        let mark = if self.has_mark { MARK.to_string() } else { String::new() };
        (mark + text).into_bytes()
    }
}

fn not_utf8(name: &str, text: &str, at: usize, guess: &str) -> Box<FileDiagnostic> {
    let error = FileDiagnostic::new(name, text, at..at + 1, format!("the file is not UTF-8: {guess}"));
    Box::new(error.help("save it as UTF-8 and try again"))
}

/// Decodes UTF-16, recognized by its mark or by the zero bytes of Latin letters.
fn utf16(bytes: &[u8]) -> Option<String> {
    let (is_little, bytes) = match bytes {
        [0xff, 0xfe, rest @ ..] => (true, rest),
        [0xfe, 0xff, rest @ ..] => (false, rest),
        [first, 0, second, 0, ..] if *first != 0 && *second != 0 => (true, bytes),
        [0, first, 0, second, ..] if *first != 0 && *second != 0 => (false, bytes),
        _ => return None,
    };
    let unit = |pair: &[u8; 2]| if is_little { u16::from_le_bytes(*pair) } else { u16::from_be_bytes(*pair) };
    let units: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(unit).collect();
    Some(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use miette::Diagnostic;

    use super::*;

    fn said(bytes: &[u8]) -> String {
        match TextFile::decode("f.json", bytes.to_vec()) {
            Ok(file) => format!("{:?} {:?}", file.text, file.encode("x")),
            Err(error) => format!("{}: {error}; {}", error.location(), Diagnostic::help(&*error).unwrap()),
        }
    }

    #[test]
    fn a_byte_order_mark_is_skipped_and_kept() {
        assert_eq!(said(b"\xef\xbb\xbf{}"), r#""{}" [239, 187, 191, 120]"#);
        assert_eq!(said("{ä}".as_bytes()), r#""{ä}" [120]"#);
        assert_eq!(said(b""), r#""" [120]"#);
    }

    #[test]
    fn other_encodings_are_refused_with_what_to_do() {
        let little: Vec<u8> = "{\n\"ä\"}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = "{\n\"ä\"}".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let utf16 = "f.json:1:1: the file is not UTF-8: it looks like UTF-16; save it as UTF-8 and try again";
        for bytes in [&little, &big] {
            assert_eq!(said(bytes), utf16);
        }
        assert_eq!(said(&[b"\xff\xfe".as_slice(), &little].concat()), utf16);
        assert_eq!(said(&[b"\xfe\xff".as_slice(), &big].concat()), utf16);
        let latin = "f.json:2:4: the file is not UTF-8: it looks like Latin-1 or Windows-1252; save it as UTF-8 and try again";
        assert_eq!(said(b"{\ncaf\xe9\"}"), latin);
    }
}
