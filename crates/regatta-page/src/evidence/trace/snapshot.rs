//! Snapshots of a page.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

/// The page at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct PageSnapshot {
    /// Milliseconds since the epoch.
    pub at: f64,
    pub document: Option<DocumentSnapshot>,
    /// Base64, and whether it is a PNG or a JPEG.
    pub picture: Option<(String, PictureFormat)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PictureFormat {
    Png,
    Jpeg,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct DocumentSnapshot {
    /// The tab's main frame first.
    pub frames: Vec<FrameSnapshot>,
    /// The boxes of the elements that the step searched for, as far as they are there. CSS pixels of the tab's viewport.
    pub boxes: Vec<Rect>,
    pub width: f64,
    pub height: f64,
    pub cut: bool,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct FrameSnapshot {
    pub id: String,
    pub url: String,
    pub doctype: Option<String>,
    /// `[NAME, { attributes }, child…]`.
    pub html: Value,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
pub struct Rect {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

/// Why there is no picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoPicture {
    #[error("the page ran no script in time, and so its text fields could not be blurred")]
    NotBlurred,
    #[error("the page prevents blurring, so a text field would be readable in the picture")]
    Readable,
    #[error("the browser drew none in time")]
    NotDrawn,
}

impl PageSnapshot {
    pub fn size(&self) -> usize {
        fn of(value: &Value) -> usize {
            match value {
                Value::String(text) => text.len() + 24,
                Value::Array(items) => items.iter().map(of).sum::<usize>() + 24,
                Value::Object(fields) => fields.iter().map(|(name, value)| name.len() + 48 + of(value)).sum(),
                _ => 24,
            }
        }
        let frames = self.document.iter().flat_map(|document| &document.frames);
        frames.map(|frame| of(&frame.html)).sum::<usize>()
            + self.picture.as_ref().map_or(0, |(picture, _)| picture.len())
    }
}

impl PictureFormat {
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpeg",
        }
    }
}

pub fn decode_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}
