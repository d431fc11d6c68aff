//! Reads what a run follows, and builds the provider the settings name.

use std::path::Path;
use std::sync::Arc;

use super::args::ProviderName;
use super::failure::Failure;
use super::settings::{Settings, variables};
use crate::browser::chromium::{Chromium, ChromiumSettings};
use crate::browser::provider::{PacerObserver, Provider};
use crate::domain::flow;
use crate::domain::plan::Plan;
use crate::domain::source::SourceError;
use crate::domain::workflow;

/// The plan, with `--set` laid over its variables. Flows stand relative to the workflow.
pub fn plan(settings: &Settings, assignments: &[(String, String)]) -> Result<Plan, Failure> {
    let path = &settings.workflow;
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::usage(format!("cannot read the workflow `{}`: {error}", path.display()))
            .hint("`regatta init DIR` makes a folder that runs; -C DIR works in another folder".to_owned())
    })?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let workflow = workflow::parse(&name, &text)?;
    let plan = Plan::assemble(&name, &text, workflow, &variables(assignments), |flow_name| {
        let path = folder.join(&flow_name.value);
        let flow_text = std::fs::read_to_string(&path).map_err(|error| {
            let problem = format!("cannot read the flow `{}`: {error}", path.display());
            Box::new(
                SourceError::new(&name, &text, flow_name.at.clone(), problem)
                    .help("flows stand relative to the workflow file"),
            )
        })?;
        flow::parse(&flow_name.value, &flow_text)
    })?;
    Ok(plan)
}

pub fn provider(settings: &Settings, observer: Option<PacerObserver>) -> Result<Arc<dyn Provider>, Failure> {
    match settings.provider {
        ProviderName::Chromium => Ok(Arc::new(Chromium::new(
            settings.layout.clone(),
            ChromiumSettings {
                executable: settings
                    .chrome_override
                    .clone()
                    .map(Into::into)
                    .or_else(|| settings.chromium.executable.clone()),
                search_path: settings.path.clone(),
                arguments: settings.chromium.arguments.clone(),
                start_timeout: settings.chromium.start_timeout(),
            },
        ))),
        ProviderName::Adspower => Err(Failure::usage("todo")),
    }
}
