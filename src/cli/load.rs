//! Reads what a run follows, and builds the provider the settings name.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::args::ProviderName;
use super::failure::Failure;
use super::settings::{AdsPowerApi, Settings, variables};
use crate::browser::adspower::{AdsPower, AdsPowerSettings, ApiVersion};
use crate::browser::chromium::{Chromium, ChromiumSettings};
use crate::browser::provider::{OnPacerWait, Provider};
use crate::domain::flow;
use crate::domain::plan::Plan;
use crate::domain::source::SourceError;
use crate::domain::workflow;
use crate::store::filesystem;

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

/// The folders a run needs. Says so where they lie on another machine: it may well work, and may not.
pub fn create_folders(settings: &Settings) -> Result<(), Failure> {
    settings.layout.create_folders()?;
    if let Some(kind) = filesystem::network(settings.layout.state()) {
        tracing::warn!(
            "{} lies on {kind}: if its locks do not hold, a profile may be run twice; put the folder on a local disk",
            settings.layout.state().display()
        );
    }
    Ok(())
}

pub fn provider(settings: &Settings, observer: Option<OnPacerWait>) -> Result<Arc<dyn Provider>, Failure> {
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
                args: settings.chromium.arguments.clone(),
                start_timeout: settings.chromium.start_timeout(),
            },
        ))),
        ProviderName::Adspower => Ok(Arc::new(adspower(settings, observer))),
    }
}

/// The address of a Local API as it is installed.
pub const ADSPOWER_URL: &str = "http://127.0.0.1:50325";
/// AdsPower counts the calls as they arrive, and allows one a second. A call may be on its way longer
/// than the one after it: the quarter between them is for that.
const ADSPOWER_CALLS_PER_SECOND: f64 = 0.8;
/// Of the application, which takes tens of seconds.
const ADSPOWER_RESTART: Duration = Duration::from_secs(30);

pub fn adspower(settings: &Settings, observer: Option<OnPacerWait>) -> AdsPower {
    let file = &settings.adspower;
    let api = AdsPowerSettings {
        base_url: file.base_url.clone().unwrap_or_else(|| ADSPOWER_URL.to_owned()),
        api: match file.api {
            AdsPowerApi::V1 => ApiVersion::V1,
            AdsPowerApi::V2 => ApiVersion::V2,
        },
        key: settings.adspower_key.clone().map(Into::into),
        calls_per_second: file.calls_per_second.unwrap_or(ADSPOWER_CALLS_PER_SECOND),
        start_timeout: file.start_timeout(),
        restart_timeout: ADSPOWER_RESTART,
        launch_args: file.launch_arguments.clone(),
    };
    AdsPower::new(settings.layout.clone(), api, observer)
}
