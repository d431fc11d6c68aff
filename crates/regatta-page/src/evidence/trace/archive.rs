//! A trace as a file: a zip of lines and pictures.

use std::io::{self, Cursor, Write as _};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::snapshot::decode_base64;
use super::sources::EvidenceSources;
use super::{format, har};

/// The bytes of a trace.zip.
pub fn write(story: &EvidenceSources<'_>) -> io::Result<Vec<u8>> {
    let lines = format::lines(story);
    let mask = story.mask.for_browser();
    let mut network = String::new();
    let began = story.recorder.clock.epoch;
    for exchange in story.exchanges.iter().filter(|exchange| exchange.wall_time * 1000.0 >= began) {
        let snapshot = har::entry(exchange, "page@1", &mask);
        let line = serde_json::json!({ "type": "resource-snapshot", "snapshot": snapshot });
        network.push_str(&line.to_string());
        network.push('\n');
    }
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let packed = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    let as_is = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, text) in [("trace.trace", &lines.text), ("trace.network", &network)] {
        zip.start_file(name, packed)?;
        zip.write_all(text.as_bytes())?;
    }
    for (name, picture) in &lines.pictures {
        if let Some(bytes) = decode_base64(picture) {
            zip.start_file(format!("resources/{name}"), as_is)?;
            zip.write_all(&bytes)?;
        }
    }
    Ok(zip.finish()?.into_inner())
}
