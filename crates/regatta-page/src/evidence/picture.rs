//! Takes the pictures that a flow requests.

use std::path::Path;

use tokio::time::Instant;

use crate::attempt::StepAttempt;
use crate::error::ActionError;
use crate::evidence::trace::capture;
use crate::evidence::trace::snapshot::{NoPicture, PictureFormat, decode_base64};

impl StepAttempt<'_> {
    async fn picture(&self) -> Result<Vec<u8>, NoPicture> {
        let taken = capture::picture(self.page, PictureFormat::Png, self.deadline()).await?;
        decode_base64(&taken).ok_or(NoPicture::NotDrawn)
    }

    /// Writes a picture of the viewport with its text fields blurred. Creates `file` and its folder.
    pub async fn screenshot(&self, file: &Path) -> Result<(), ActionError> {
        let png = match self.picture().await {
            Ok(png) => png,
            Err(why) => {
                // A page that has ended is reported as such.
                self.page
                    .until(Instant::now(), |_| Some(()))
                    .await
                    .map_err(|error| self.wait_failed(error))?;
                let what = format!("no picture could be taken {}: {why}", self.within());
                return Err(ActionError::timed_out(what));
            }
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
