//! The command line: raw arguments, settings resolved once, one file per command.

use std::ffi::OsString;
use std::io::{IsTerminal, Write as _};
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory as _, Parser};
use clap_complete::CompleteEnv;

use self::command_error::CommandError;
use self::command_line::{Cli, Command};
use self::settings::Settings;
use regatta_core::suggestion::nearest;

mod browser_args;
mod clean;
mod command_error;
mod command_line;
mod complete;
mod completions;
mod dashboard;
mod doctor;
mod global_args;
pub mod hint;
mod init;
mod load;
mod log;
mod logs;
mod name_value;
mod orchestrate;
mod outcomes;
mod play;
mod profile_actions;
mod quantity;
mod report;
mod reset;
mod resolve;
mod retention;
mod run;
mod runtime;
mod schema;
mod selectors;
mod sessions;
mod settings;
mod signals;
mod source;
mod status;
mod status_name;
mod unknown_names;
mod validate;
mod watch;

/// Returns the declaration of the whole command line, for the man pages.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Parses, calls, and turns the result into an exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let here = std::env::current_dir().ok();
    match CompleteEnv::with_factory(Cli::command)
        .var(complete::VARIABLE)
        .try_complete(arguments.clone(), here.as_deref())
    {
        Ok(false) => {}
        Ok(true) => return ExitCode::SUCCESS,
        Err(error) => {
            error.print().ok();
            return ExitCode::from(2);
        }
    }
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(mut error) => {
            suggest_nearest(&mut error);
            // Help and version are no errors: clap says which stream and which code.
            let code = if error.use_stderr() { 2 } else { 0 };
            error.print().ok();
            return ExitCode::from(code);
        }
    };
    let color = settings::wants_color(cli.global.color, std::io::stderr().is_terminal());
    match dispatch(cli) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            // On a full disk its own log may take no more: the exit code says the same.
            std::io::stderr().write_all(failure.render(color).as_bytes()).ok();
            ExitCode::from(failure.exit_code)
        }
    }
}

/// Of the commands that clap holds to be like the one that was given, only the nearest is meant: it names
/// `reset`, too, where `orchestrat` was written.
fn suggest_nearest(error: &mut clap::Error) {
    let given = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(given)) => given.clone(),
        _ => return,
    };
    if let Some(ContextValue::Strings(similar)) = error.get(ContextKind::SuggestedSubcommand)
        && let Some(nearest) = nearest(&given, similar.iter().map(String::as_str)).map(str::to_owned)
    {
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(vec![nearest]));
    }
}

fn dispatch(cli: Cli) -> Result<u8, CommandError> {
    let global = &cli.global;
    match cli.command {
        Command::Init(args) => init::init(args),
        Command::Schema(args) => schema::print(&args),
        Command::Completions(args) => completions::print(args),
        Command::Run(args) => run::run(global, args),
        Command::Play(args) => play::play(&Settings::resolve(global)?, args),
        Command::Orchestrate(args) => orchestrate::orchestrate(&Settings::resolve(global)?, global, args),
        Command::Status(args) => status::status(&Settings::resolve(global)?, args),
        Command::Watch(args) => watch::watch(&Settings::resolve(global)?, global, args),
        Command::Dashboard(args) => dashboard::dashboard(&Settings::resolve(global)?, global, args),
        Command::Report(args) => report::report(&Settings::resolve(global)?, args),
        Command::Logs(args) => logs::logs(&Settings::resolve(global)?, args),
        Command::Validate(args) => validate::validate(&Settings::resolve(global)?, args),
        Command::Reset(args) => reset::reset(&Settings::resolve(global)?, args),
        Command::Resolve(args) => resolve::resolve(&Settings::resolve(global)?, global, args),
        Command::Clean(args) => clean::clean(&Settings::resolve(global)?, args),
        Command::Selectors(args) => selectors::selectors(&Settings::resolve(global)?, args),
        Command::Sessions(args) => sessions::sessions(&Settings::resolve(global)?, args),
        Command::Doctor(args) => doctor::doctor(&Settings::resolve(global)?, args),
    }
}
