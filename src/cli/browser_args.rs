//! The arguments of commands that start runs, and how they are passed on to a run.

use std::ffi::OsString;

use clap::Args;

use super::complete;
use super::global_args::{BROWSER, GlobalArgs, OUTPUT, ProviderName, WHAT};
use super::name_value::parse_assignment;

#[derive(Debug, Clone, Default, Args)]
pub struct BrowserArgs {
    /// Set a variable that the workflow declares; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_assignment, help_heading = WHAT, add = complete::variables())]
    pub set: Vec<(String, String)>,
    /// Show the browser's window
    #[arg(long, help_heading = BROWSER)]
    pub headed: bool,
    /// Send an OpenTelemetry trace of each run; a set OTEL_EXPORTER_OTLP_ENDPOINT does the same
    #[arg(long, help_heading = OUTPUT)]
    pub otlp: bool,
}

/// Returns the arguments of a run with the same folder, provider and variables; the profile's id follows them.
pub fn run_arguments(global: &GlobalArgs, browser: &BrowserArgs) -> Vec<OsString> {
    let mut arguments: Vec<OsString> =
        vec!["--folder".into(), global.folder.clone().into(), "--color=never".into()];
    if let Some(provider) = global.provider {
        let name = match provider {
            ProviderName::Chromium => "--provider=chromium",
            ProviderName::Adspower => "--provider=adspower",
        };
        arguments.push(name.into());
    }
    if let Some(url) = &global.adspower_url {
        arguments.extend(["--adspower-url".into(), url.into()]);
    }
    arguments.push("run".into());
    if browser.headed {
        arguments.push("--headed".into());
    }
    if browser.otlp {
        arguments.push("--otlp".into());
    }
    for (name, value) in &browser.set {
        arguments.extend(["--set".into(), format!("{name}={value}").into()]);
    }
    arguments
}
