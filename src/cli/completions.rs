//! `regatta completions SHELL`

use std::io::Write;

use clap::{Args, CommandFactory, ValueEnum};

use super::args::Cli;
use super::failure::Failure;
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta completions bash > ~/.local/share/bash-completion/completions/regatta
  regatta completions fish > ~/.config/fish/completions/regatta.fish")]
pub struct CompletionsArgs {
    /// The shell: bash, zsh, fish, powershell or elvish
    #[arg(value_name = "SHELL", value_parser = parse_shell)]
    pub shell: clap_complete::Shell,
}

/// Without a guess: `zsh` is the nearest of `tcsh`, and of no use there.
fn parse_shell(text: &str) -> Result<clap_complete::Shell, String> {
    <clap_complete::Shell as ValueEnum>::from_str(text, true)
        .map_err(|_| "there are completions for bash, zsh, fish, powershell and elvish".to_owned())
}

pub fn print(args: CompletionsArgs) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "regatta", &mut script);
    // Whoever reads it may have gone (`| head`).
    std::io::stdout().write_all(&script).ok();
    Ok(0)
}
