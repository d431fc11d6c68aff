//! What a person needs to see why a step failed, without what they must not see.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::page::{CaptureScreenshotFormat, CaptureScreenshotParams};
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use super::Page;
use crate::domain::mask::Mask;

/// For everything together: a page that hangs leaves only what it said on the console.
const AT_MOST: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
struct Screenshot {
    /// Base64.
    data: String,
}

pub async fn gather(page: &Page, dir: &Path, mask: &Mask) -> Vec<PathBuf> {
    let deadline = Instant::now() + AT_MOST;
    let mut written = Vec::new();
    if let Err(error) = tokio::fs::create_dir_all(dir).await {
        tracing::warn!(%error, "cannot create the folder of the evidence");
        return written;
    }
    let mut files = Vec::new();
    if let Some(png) = screenshot(page, deadline).await {
        files.push(("screenshot.png", png));
    }
    if let Some(html) = html(page, deadline).await {
        files.push(("page.html", mask_html(&html, mask).into_bytes()));
    }
    let console = page.state.borrow().console();
    files.push(("console.txt", mask.apply(&console).into_bytes()));
    for (name, content) in files {
        let path = dir.join(name);
        match tokio::fs::write(&path, content).await {
            Ok(()) => written.push(path),
            Err(error) => tracing::warn!(%error, name, "cannot write evidence"),
        }
    }
    written
}

/// None rather than one in which the fields can be read.
async fn screenshot(page: &Page, deadline: Instant) -> Option<Vec<u8>> {
    let world = page.world(deadline).await.ok()?;
    let blurred = page.call(&world, "blur", &json!({ "on": true }), &[], deadline).await;
    if !matches!(blurred, Ok(Some(_))) {
        return None;
    }
    let capture = CaptureScreenshotParams {
        format: Some(CaptureScreenshotFormat::Png),
        ..CaptureScreenshotParams::default()
    };
    let taken = page.answer(page.session.send_as::<_, Screenshot>(capture), deadline).await;
    let _ = page.call(&world, "blur", &json!({ "on": false }), &[], deadline).await;
    decode_base64(&taken.ok()?.data)
}

async fn html(page: &Page, deadline: Instant) -> Option<String> {
    let world = page.world(deadline).await.ok()?;
    page.call(&world, "html", &json!({}), &[], deadline).await.ok()??.value
}

/// Masks values where they stand as they are, and where HTML writes them with entities.
fn mask_html(html: &str, mask: &Mask) -> String {
    let html = mask.apply(html);
    let mut out = String::with_capacity(html.len());
    let mut rest = html.as_str();
    while !rest.is_empty() {
        // Between one piece of markup and the next; a tag is a piece with its attributes in it.
        let end = rest
            .char_indices()
            .skip(1)
            .find(|(_, c)| matches!(c, '<' | '>'))
            .map_or(rest.len(), |(at, _)| at);
        let (piece, next) = rest.split_at(end);
        if piece.contains('&') {
            let decoded = decode_entities(piece);
            let masked = mask.apply(&decoded);
            out.push_str(if masked == decoded { piece } else { &masked });
        } else {
            out.push_str(piece);
        }
        rest = next;
    }
    out
}

fn decode_entities(text: &str) -> String {
    const ENTITIES: [(&str, &str); 6] = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&nbsp;", "\u{a0}"),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ];
    ENTITIES.iter().fold(text.to_owned(), |text, (entity, plain)| text.replace(entity, plain))
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0u32, 0);
    for byte in text.bytes().filter(|byte| *byte != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::session::Identity;

    #[test]
    fn values_are_masked_as_html_writes_them() {
        let mut identity = Identity::default();
        identity.set("password", "a<b&\"c");
        identity.set("email", "ann@practice.test");
        let mask = Mask::of(&identity);
        let html = "<p title=\"ann@practice.test\">Q &amp; A: a&lt;b&amp;\"c</p><i x=\"a&lt;b&amp;&quot;c\">";
        assert_eq!(
            mask_html(html, &mask),
            "<p title=\"‹identity.email›\">Q & A: ‹identity.password›</p><i x=\"‹identity.password›\">"
        );
    }

    #[test]
    fn base64() {
        for (text, bytes) in [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYg==", "foob")]
        {
            assert_eq!(decode_base64(text).unwrap(), bytes.as_bytes());
        }
        assert_eq!(decode_base64("+/+/"), Some(vec![0xfb, 0xff, 0xbf]));
        assert_eq!(decode_base64("Zm!v"), None);
    }
}
