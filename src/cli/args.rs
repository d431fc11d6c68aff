//! The raw arguments that commands share, and the help that teaches them. Those of one command stand with
//! the command. Resolved once, in [`super::settings`].

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::assignment::parse_assignment;
use super::clean::CleanArgs;
use super::completions::CompletionsArgs;
use super::dashboard::DashboardArgs;
use super::doctor::DoctorArgs;
use super::init::InitArgs;
use super::logs::LogsArgs;
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
    after_help = "\
Start here:
  regatta init onboarding          a commented folder that runs
  regatta doctor                   is everything there that a run needs?
  regatta play flows/signup.json   one flow by itself, while you write it
  regatta run k18imh7u --headed    one profile, to watch and debug
  regatta orchestrate --max 5 profiles.txt

Exit codes of `run`:
  0 completed   1 a step failed   2 wrong usage, settings or workflow   3 needs a person
  4 another run holds the profile   5 no browser   6 session document damaged   7 stopped"
)]
pub struct Cli {
    #[command(flatten)]
    pub global: GlobalArgs,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Args)]
pub struct GlobalArgs {
    /// The operator's folder: settings, workflow, flows, state, logs
    #[arg(short = 'C', long, value_name = "DIR", default_value = ".", global = true)]
    pub folder: PathBuf,
    /// Who starts the browsers; overrides regatta.toml
    #[arg(long, value_enum, global = true)]
    pub provider: Option<ProviderName>,
    /// Where AdsPower's Local API answers; overrides regatta.toml
    #[arg(long, value_name = "URL", env = "REGATTA_ADSPOWER_URL", global = true)]
    pub adspower_url: Option<String>,
    /// Colours: auto means on a terminal without NO_COLOR
    #[arg(long, value_enum, default_value_t = ColorChoice::Auto, global = true)]
    pub color: ColorChoice,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProviderName {
    /// A local Chromium, one user-data folder per profile
    Chromium,
    /// AdsPower's Local API
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
    /// Play one flow by itself, while you write it
    Play(PlayArgs),
    /// Drive a fleet: one isolated `run` process per profile
    Orchestrate(OrchestrateArgs),
    /// Show where every profile stands
    Status(StatusArgs),
    /// Show what a profile's runs wrote
    Logs(LogsArgs),
    /// Watch the folder full-screen, with keys to act
    Watch(WatchArgs),
    /// Serve a page that shows the folder live, on this machine
    Dashboard(DashboardArgs),
    /// Write what the profiles did as a page, JUnit XML, CSV and JSON
    Report(ReportArgs),
    /// Make a commented folder that runs
    Init(InitArgs),
    /// Check settings, workflow and flows without starting anything
    Validate(ValidateArgs),
    /// Forget that steps were done, so that they run again
    Reset(ResetArgs),
    /// Answer for a profile that needs a person
    Resolve(ResolveArgs),
    /// End what dead runs of this folder left running
    Clean(CleanArgs),
    /// Look for everything a run needs, each finding with its remedy
    Doctor(DoctorArgs),
    /// Show, accept and forget what runs have learnt of the selectors
    Selectors(SelectorsArgs),
    /// Move sessions in and out of the folder
    Sessions(SessionsArgs),
    /// Print a completion script
    Completions(CompletionsArgs),
}

#[derive(Debug, Clone, Args)]
pub struct BrowserArgs {
    /// Show the browser's window
    #[arg(long)]
    pub headed: bool,
    /// Set a variable of the workflow; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_assignment)]
    pub set: Vec<(String, String)>,
    /// Send a trace of each run over OTLP; a set OTEL_EXPORTER_OTLP_ENDPOINT does the same
    #[arg(long)]
    pub otlp: bool,
}
