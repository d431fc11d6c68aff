//! Writes what a person needs to see why a step failed, with secret values masked.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use self::trace::archive;
use self::trace::capture;
use self::trace::snapshot::{PageSnapshot, PictureFormat, decode_base64};
use self::trace::sources::EvidenceSources;
use crate::page::Page;
use crate::script::methods::HtmlReply;
use regatta_core::evidence::{Incident, TraceMode};
use regatta_core::mask::Mask;

mod index;
pub(crate) mod picture;
pub(crate) mod trace;

/// The time for everything together: a page that hangs leaves only its console.
const AT_MOST: Duration = Duration::from_secs(5);

const AT_LEAST: Duration = Duration::from_secs(1);

pub async fn gather(page: &Page, dir: &Path, incident: &Incident, mask: &Mask) -> Vec<PathBuf> {
    let deadline = Instant::now() + AT_MOST;
    if !make(dir).await {
        return Vec::new();
    }
    let chains = page.trace.last().map(|act| act.chains.clone()).unwrap_or_default();
    // The picture says most; the rest has what is left of the time, and a second at least.
    let picture = capture::picture(page, PictureFormat::Png, deadline).await;
    let deadline = deadline.max(Instant::now() + AT_LEAST);
    let document = capture::document(page, &chains, deadline).await;
    let html = tokio::time::timeout_at(deadline, html(page, deadline)).await.ok().flatten();
    let no_picture = picture.as_ref().err().copied();
    let view = PageSnapshot {
        at: page.trace.now(),
        document,
        picture: picture.ok().map(|picture| (picture, PictureFormat::Png)),
    };
    let mut files = Vec::new();
    {
        let state = page.state.borrow();
        let exchanges = state.network.exchanges();
        let story = EvidenceSources {
            recorder: &page.trace,
            exchanges: &exchanges,
            console: state.console(),
            incident: Some(incident),
            failed: Some(&view),
            mask,
        };
        files.push(("index.html", index::write(&story, incident, &view, no_picture).into_bytes()));
        if let Some(png) = view.picture.as_ref().and_then(|(picture, _)| decode_base64(picture)) {
            files.push(("screenshot.png", png));
        }
        if let Some(html) = html {
            files.push(("page.html", mask_html(&html, mask).into_bytes()));
        }
        let console: String = state.console().iter().map(|said| format!("{}\n", said.line)).collect();
        files.push(("console.txt", mask.apply(&console).into_bytes()));
        if page.trace.mode() != TraceMode::Off {
            files.extend(zipped(&story));
        }
    }
    let mut written = Vec::new();
    for (name, content) in files {
        written.extend(keep(dir, name, content).await);
    }
    written
}

/// Writes the trace of a successful attempt.
pub async fn keep_trace(page: &Page, dir: &Path, mask: &Mask) -> Option<PathBuf> {
    if !make(dir).await {
        return None;
    }
    let (name, content) = {
        let state = page.state.borrow();
        let exchanges = state.network.exchanges();
        let story = EvidenceSources {
            recorder: &page.trace,
            exchanges: &exchanges,
            console: state.console(),
            incident: None,
            failed: None,
            mask,
        };
        zipped(&story)?
    };
    keep(dir, name, content).await
}

fn zipped(story: &EvidenceSources<'_>) -> Option<(&'static str, Vec<u8>)> {
    match archive::write(story) {
        Ok(zip) => Some(("trace.zip", zip)),
        Err(error) => {
            tracing::warn!(%error, "cannot make the trace");
            None
        }
    }
}

async fn make(dir: &Path) -> bool {
    let made = tokio::fs::create_dir_all(dir).await;
    if let Err(error) = &made {
        tracing::warn!(%error, "cannot create the folder of the evidence");
    }
    made.is_ok()
}

async fn keep(dir: &Path, name: &str, content: Vec<u8>) -> Option<PathBuf> {
    let path = dir.join(name);
    match tokio::fs::write(&path, content).await {
        Ok(()) => Some(path),
        Err(error) => {
            tracing::warn!(%error, name, "cannot write evidence");
            None
        }
    }
}

async fn html(page: &Page, deadline: Instant) -> Option<String> {
    let world = page.world(deadline).await.ok()?;
    let reply = page.call::<HtmlReply>(&world, &json!({}), &[], deadline).await.ok()??;
    Some(reply.value)
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

#[cfg(test)]
mod tests {
    use super::*;
    use regatta_core::session::Identity;

    #[test]
    fn values_are_masked_as_html_writes_them() {
        let mut identity = Identity::default();
        identity.set("password", "a<b&\"c");
        identity.set("email", "ann@practice.test");
        let mask = Mask::for_identity(&identity);
        let html = "<p title=\"ann@practice.test\">Q &amp; A: a&lt;b&amp;\"c</p><i x=\"a&lt;b&amp;&quot;c\">";
        assert_eq!(
            mask_html(html, &mask),
            "<p title=\"‹identity.email›\">Q & A: ‹identity.password›</p><i x=\"‹identity.password›\">"
        );
    }
}
