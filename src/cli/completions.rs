//! `regatta completions SHELL`

use std::io::Write;

use clap::{Args, CommandFactory};

use super::args::Cli;
use super::failure::Failure;
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta completions bash > ~/.local/share/bash-completion/completions/regatta
  regatta completions fish > ~/.config/fish/completions/regatta.fish")]
pub struct CompletionsArgs {
    pub shell: clap_complete::Shell,
}

pub fn print(args: CompletionsArgs) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "regatta", &mut script);
    // Whoever reads it may have gone (`| head`).
    std::io::stdout().write_all(&script).ok();
    Ok(0)
}
