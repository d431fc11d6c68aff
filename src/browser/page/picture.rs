//! A picture of the page, taken because the flow says so.

use std::path::Path;

use tokio::time::Instant;

use super::attempt::Attempt;
use super::error::ActionError;
use super::evidence;
use super::trace::capture::{self, Picture};

impl Attempt<'_> {
    async fn picture(&self) -> Option<Vec<u8>> {
        let taken = capture::picture(self.page, Picture::Png, self.deadline()).await?;
        evidence::decode_base64(&taken)
    }

    /// As wide and as high as the view, with its text fields blurred. `file` and its folder are made.
    pub async fn screenshot(&self, file: &Path) -> Result<(), ActionError> {
        let Some(png) = self.picture().await else {
            // A page that has ended says so.
            self.page.until(Instant::now(), |_| Some(())).await.map_err(|halt| self.halted(halt))?;
            return Err(ActionError::timed_out(format!("no picture could be taken {}", self.within())));
        };
        let written = async {
            if let Some(folder) = file.parent() {
                tokio::fs::create_dir_all(folder).await?;
            }
            tokio::fs::write(file, png).await
        };
        written
            .await
            .map_err(|error| ActionError::refused(format!("cannot write `{}`: {error}", file.display())))
    }
}
