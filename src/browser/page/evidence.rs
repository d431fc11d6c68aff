//! What is kept of a page when a step failed. Best effort: whatever can be had.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::page::CaptureScreenshotParams;
use chromiumoxide::cdp::js_protocol::runtime::EvaluateParams;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Page;
use crate::domain::mask::Mask;

/// A page that hangs gives no evidence, and must not hold up the run.
const AT_MOST: Duration = Duration::from_secs(5);

impl Page {
    /// `screenshot.png`, `page.html` and `console.txt` in `folder`, which is created. Identity
    /// values are masked; what is typed into fields does not show in the screenshot.
    pub async fn evidence(&mut self, folder: &Path, mask: &Mask) -> Vec<PathBuf> {
        if std::fs::create_dir_all(folder).is_err() {
            return Vec::new();
        }
        let console: Vec<_> = self.state.borrow().console.iter().cloned().collect();
        let console = format!("{}\n{}\n", self.state.borrow().url, console.join("\n"));
        let mut files = vec![(folder.join("console.txt"), mask.apply(&console).into_bytes())];
        if let Ok(Some(html)) = tokio::time::timeout(AT_MOST, self.html()).await {
            files.push((folder.join("page.html"), mask.apply(&html).into_bytes()));
        }
        if let Ok(Some(image)) = tokio::time::timeout(AT_MOST, self.screenshot()).await {
            files.push((folder.join("screenshot.png"), image));
        }
        files
            .into_iter()
            .filter(|(path, bytes)| std::fs::write(path, bytes).is_ok())
            .map(|(path, _)| path)
            .collect()
    }

    async fn html(&mut self) -> Option<String> {
        let answer =
            self.session.send(EvaluateParams::new("document.documentElement.outerHTML")).await.ok()?;
        match answer.result.value? {
            Value::String(html) => Some(html),
            _ => None,
        }
    }

    async fn screenshot(&mut self) -> Option<Vec<u8>> {
        let deadline = Instant::now() + AT_MOST;
        self.script::<Value>("cloak", deadline, |_| json!([true])).await.ok()?;
        let image = self.session.send(CaptureScreenshotParams::default()).await;
        self.script::<Value>("cloak", deadline, |_| json!([false])).await.ok();
        base64_decode(image.ok()?.data.as_ref())
    }
}

fn base64_decode(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}
