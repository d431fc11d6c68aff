//! The command line as a whole: every command, and the help that teaches them. The arguments of one
//! command are declared with the command.

use clap::{Parser, Subcommand};

use super::clean::CleanArgs;
use super::completions::CompletionsArgs;
use super::dashboard::DashboardArgs;
use super::doctor::DoctorArgs;
use super::global_args::GlobalArgs;
use super::init::InitArgs;
use super::logs::LogsArgs;
use super::orchestrate::OrchestrateArgs;
use super::play::PlayArgs;
use super::report::ReportArgs;
use super::reset::ResetArgs;
use super::resolve::ResolveArgs;
use super::run::RunArgs;
use super::schema::SchemaArgs;
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
    /// Print the JSON Schema of a document
    Schema(SchemaArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
}
