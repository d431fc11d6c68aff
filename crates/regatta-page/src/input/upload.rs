//! Files into a file input, as if a person had chosen them in the dialog.
//!
//! The input may be hidden: sites put a button of their own before it, and no dialog can be driven.

use std::path::Path;

use chromiumoxide::cdp::browser_protocol::dom::SetFileInputFilesParams;
use chromiumoxide::cdp::js_protocol::runtime::RemoteObjectId;
use serde_json::{Value, json};

use crate::attempt::StepAttempt;
use crate::error::ActionError;
use crate::script::{Method, RemoteResult, handle_call};
use regatta_core::flow::Locator;

impl StepAttempt<'_> {
    /// Sets `files`, by their whole paths. The browser notifies the page by the input's own events.
    pub async fn upload(&mut self, locator: &Locator, files: &[String]) -> Result<(), ActionError> {
        let mut paths = Vec::new();
        for file in files {
            paths.push(readable(file).await?);
        }
        loop {
            let found = self.find(locator, &json!({ "enabled": true, "files": files.len() })).await?;
            self.check_origin(&found.point().origin)?;
            let Some(input) = self.held().await? else { continue };
            self.touch()?;
            let mut set = SetFileInputFilesParams::new(paths.clone());
            set.object_id = Some(input);
            let loader = self.loader();
            let sent = self.page.frame_session().send(set);
            self.taken(sent, &loader, "upload").await?;
            self.page.release_objects();
            self.remember(locator, &found);
            return Ok(());
        }
    }

    /// A handle of the element that was found. `None` where its document went away.
    async fn held(&self) -> Result<Option<RemoteObjectId>, ActionError> {
        let world = self.page.world(self.deadline()).await.map_err(|error| self.wait_failed(error))?;
        let call = handle_call(&world, Method::Input, &Value::Null, &[]);
        let called = self.page.in_world::<_, RemoteResult>(&world, call, self.deadline()).await;
        let called = called.map_err(|error| self.wait_failed(error))?;
        Ok(called.and_then(|called| called.result.object_id).map(RemoteObjectId::from))
    }
}

/// Checks a file before any input, and returns its path as the browser needs it: Chromium accepts a path that
/// does not exist, or one with `..` in it, and fails when the page reads the file.
async fn readable(file: &str) -> Result<String, ActionError> {
    let refused = |problem: String| {
        ActionError::refused(format!("the file `{file}` cannot be uploaded: {problem}"))
            .hint("files stand relative to the flow that names them")
    };
    let path = Path::new(file);
    let opened = tokio::fs::File::open(path).await.map_err(|error| refused(error.to_string()))?;
    let (true, Some(folder), Some(name)) =
        (opened.metadata().await.is_ok_and(|file| file.is_file()), path.parent(), path.file_name())
    else {
        return Err(refused("it is not a file".to_owned()));
    };
    // Only the folder is resolved: the page sees the file's own name, be it that of a link.
    let folder = tokio::fs::canonicalize(folder).await.map_err(|error| refused(error.to_string()))?;
    folder
        .join(name)
        .into_os_string()
        .into_string()
        .map_err(|_| refused("its path is not Unicode".to_owned()))
}
