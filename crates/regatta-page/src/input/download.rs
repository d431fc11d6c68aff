//! Waits for downloads at the end of a flow, and gives them the names that the site suggests.

use std::path::{Path, PathBuf};

use crate::attempt::StepAttempt;
use crate::input::aftermath::ARRIVAL;
use crate::page::{NoInputGate, Page};
use crate::state::step_target::StepTarget;
use crate::state::{Download, DownloadProgress, PageState};

/// A file that a flow has downloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownloadedFile {
    pub path: PathBuf,
    pub bytes: u64,
}

impl Page {
    /// Called when a flow has reached its end. Waits for the consequences of the last input, which may be a
    /// download, then for downloads. The caller bounds the latter.
    pub async fn finish(&mut self) -> Vec<DownloadedFile> {
        let finished = StepAttempt::new(self, "", "", ARRIVAL, &mut NoInputGate).await_aftermath().await;
        self.unanswered = finished.err();
        let Some(folder) = self.downloads.clone() else { return Vec::new() };
        let mut states = self.state.subscribe();
        let is_over = |state: &PageState| {
            state.is_gone
                || state.downloads.iter().all(|download| download.progress != DownloadProgress::UnderWay)
        };
        let _ = states.wait_for(is_over).await;
        let mut ended = Vec::new();
        self.state.send_modify(|state| ended = std::mem::take(&mut state.downloads));
        self.step_target = StepTarget::default();
        ended.into_iter().filter_map(|download| keep(&folder, download)).collect()
    }
}

/// Renames a download to the name that the site suggests, with a number where that is taken.
fn keep(folder: &Path, download: Download) -> Option<DownloadedFile> {
    if download.progress != DownloadProgress::Done {
        tracing::warn!(name = download.name, "a download did not end");
        return None;
    }
    let from = folder.join(&download.id);
    let name = file_name(&download.name);
    let to = (1..).map(|n| folder.join(numbered(&name, n))).find(|path| !path.exists())?;
    match std::fs::rename(&from, &to) {
        Ok(()) => Some(DownloadedFile { path: to, bytes: download.bytes }),
        Err(error) => {
            tracing::warn!(%error, "a download keeps the name the browser gave it");
            Some(DownloadedFile { path: from, bytes: download.bytes })
        }
    }
}

/// A name in this folder, for any name that the site suggests.
fn file_name(suggested: &str) -> String {
    let last = suggested.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = last.chars().filter(|c| !c.is_control()).take(120).collect();
    match name.trim_matches(['.', ' ']) {
        "" => "download".to_owned(),
        name => name.to_owned(),
    }
}

/// `report.pdf`, `report-2.pdf`, …
fn numbered(name: &str, n: u32) -> String {
    match (n, name.rsplit_once('.')) {
        (1, _) => name.to_owned(),
        (n, Some((stem, extension))) if !stem.is_empty() => format!("{stem}-{n}.{extension}"),
        (n, _) => format!("{name}-{n}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_in_its_folder() {
        for (suggested, name) in [
            ("report.pdf", "report.pdf"),
            ("../../etc/passwd", "passwd"),
            ("C:\\x\\y.csv", "y.csv"),
            ("..", "download"),
            ("", "download"),
            (".bashrc", "bashrc"),
            ("a\nb", "ab"),
        ] {
            assert_eq!(file_name(suggested), name, "{suggested}");
        }
    }

    #[test]
    fn a_taken_name_is_numbered() {
        assert_eq!(["a.tar.gz", "a"].map(|name| numbered(name, 2)), ["a.tar-2.gz", "a-2"]);
        assert_eq!(numbered("a.pdf", 1), "a.pdf");
    }
}
