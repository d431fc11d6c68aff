//! A picture of the page, taken because the flow says so.

use std::path::Path;

use tokio::time::Instant;

use super::attempt::Attempt;
use super::error::ActionError;
use super::evidence::decode_base64;
use super::trace::capture::{self, Picture};

impl Attempt<'_> {
    /// As wide and as high as the view, with its text fields blurred. `file` and its folder are made.
    pub async fn screenshot(&self, file: &Path) -> Result<(), ActionError> {
        let picture = capture::picture(self.page, Picture::Png, self.deadline).await;
        let Some(png) = picture.as_deref().and_then(decode_base64) else {
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
