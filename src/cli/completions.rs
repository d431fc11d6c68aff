//! `regatta completions SHELL`: a script that asks this program for what fits, by [`super::complete`].

use std::io::Write;

use clap::Args;
use clap_complete::env::Shells;

use super::command_error::CommandError;
use super::complete::VARIABLE;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta completions bash > ~/.local/share/bash-completion/completions/regatta
  regatta completions zsh > ~/.zfunc/_regatta
  regatta completions fish > ~/.config/fish/completions/regatta.fish
  regatta completions powershell >> $PROFILE

Completes commands and options, and from the operator's folder profiles, steps, statuses, sources, flows \
and variables. Print it again after an update of regatta.")]
pub struct CompletionsArgs {
    /// The shell: bash, zsh, fish, powershell or elvish
    #[arg(value_name = "SHELL", value_parser = parse_shell)]
    pub shell: String,
}

/// Without a guess: `zsh` is the nearest of `tcsh`, and of no use there.
fn parse_shell(text: &str) -> Result<String, String> {
    match Shells::builtins().completer(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err("there are completions for bash, zsh, fish, powershell and elvish".to_owned()),
    }
}

pub fn print(args: CompletionsArgs) -> Result<u8, CommandError> {
    let shells = Shells::builtins();
    let mut script = Vec::new();
    if let Some(shell) = shells.completer(&args.shell) {
        shell
            .write_registration(VARIABLE, "regatta", "regatta", "regatta", &mut script)
            .map_err(|error| CommandError::usage(format!("cannot write the script: {error}")))?;
    }
    // A reader may have gone (`| head`).
    std::io::stdout().write_all(&script).ok();
    Ok(0)
}
