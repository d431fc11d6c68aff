//! The arguments that every command takes, and the headings of options. [`super::settings`] resolves them.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Debug, Args)]
#[command(next_help_heading = GLOBAL)]
pub struct GlobalArgs {
    /// The operator's folder: settings, workflow, flows, state, logs
    #[arg(short = 'C', long, value_name = "DIR", default_value = ".", global = true, value_hint = ValueHint::DirPath)]
    pub folder: PathBuf,
    /// Start browsers with a local Chromium or with AdsPower [default: `provider` in regatta.toml, else chromium]
    #[arg(long, value_enum, global = true)]
    pub provider: Option<ProviderName>,
    /// Address of AdsPower's Local API [default: `base_url` in regatta.toml, else http://127.0.0.1:50325]
    #[arg(long, value_name = "URL", env = "REGATTA_ADSPOWER_URL", hide_env_values = true, global = true, value_hint = ValueHint::Url)]
    pub adspower_url: Option<String>,
    /// Use colours; auto: on a terminal, unless NO_COLOR is set
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = ColorChoice::Auto, global = true)]
    pub color: ColorChoice,
}

// Headings of options, the same in every command.
pub const WHAT: &str = "What to do";
pub const WHICH: &str = "Which profiles";
pub const HOW_MANY: &str = "How many at once";
pub const HOW_LONG: &str = "How long";
pub const BROWSER: &str = "Browser";
pub const OUTPUT: &str = "Output";
const GLOBAL: &str = "Global options";

// The variants have no help texts: with one, clap prints the long form of all help.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProviderName {
    #[default]
    Chromium,
    Adspower,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    Auto,
    Always,
    Never,
}
