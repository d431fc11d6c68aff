//! The raw arguments that commands share, and the help that teaches them. Those of one command stand with
//! the command. Resolved once, in [`super::settings`].

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

use super::clean::CleanArgs;
use super::complete;
use super::completions::CompletionsArgs;
use super::dashboard::DashboardArgs;
use super::doctor::DoctorArgs;
use super::init::InitArgs;
use super::logs::LogsArgs;
use super::name_value::parse_assignment;
use super::orchestrate::OrchestrateArgs;
use super::play::PlayArgs;
use super::report::ReportArgs;
use super::reset::ResetArgs;
use super::resolve::ResolveArgs;
use super::run::RunArgs;
use super::selectors::SelectorsArgs;
use super::sessions::SessionsArgs;
use super::status::StatusArgs;
use super::validate::ValidateArgs;
use super::watch::WatchArgs;

/// Drive many browser profiles through the same ordered steps, and lose nothing when anything dies.
#[derive(Debug, Parser)]
#[command(
    name = "regatta",
    version,
    propagate_version = true,
    max_term_width = 100,
    after_help = "\
Start here:
  regatta init onboarding          a commented folder that runs
  regatta doctor                   checks everything that a run needs
  regatta play flows/signup.json   one flow on its own, while you write it
  regatta run k18imh7u --headed    one profile, to watch and debug
  regatta orchestrate --max 5 profiles.txt

Exit codes of `run`:
  0 completed
  1 a step failed
  2 wrong usage, settings or workflow
  3 needs a person
  4 another run holds the profile
  5 no browser
  6 session document damaged
  7 stopped"
)]
pub struct Cli {
    #[command(flatten)]
    pub global: GlobalArgs,
    #[command(subcommand)]
    pub command: Command,
}

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

// Without a text each: with one, clap prints the long form of all help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProviderName {
    Chromium,
    Adspower,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Drive one profile through its open steps
    Run(RunArgs),
    /// Play one flow on its own, while you write it
    Play(PlayArgs),
    /// Drive a fleet: one isolated `run` process per profile
    Orchestrate(OrchestrateArgs),
    /// Show where every profile stands
    Status(StatusArgs),
    /// Show what a profile's runs wrote
    Logs(LogsArgs),
    /// Watch the folder full-screen, with keys to act
    Watch(WatchArgs),
    /// Serve a live page of the folder, on this machine
    Dashboard(DashboardArgs),
    /// Write what the profiles did as a web page, JUnit XML, CSV and JSON
    Report(ReportArgs),
    /// Make a commented folder that runs
    Init(InitArgs),
    /// Check settings, workflow and flows without starting anything
    Validate(ValidateArgs),
    /// Forget that steps are done, so that they run again
    Reset(ResetArgs),
    /// Answer for a profile that needs a person
    Resolve(ResolveArgs),
    /// End what dead runs left running, and remove what is old
    Clean(CleanArgs),
    /// Check everything that a run needs, and name the remedy for each problem
    Doctor(DoctorArgs),
    /// Show, accept and forget what runs have learnt about selectors
    Selectors(SelectorsArgs),
    /// Export and import sessions
    Sessions(SessionsArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
}

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
