//! `regatta completions SHELL`

use clap::CommandFactory;

use super::args::{Cli, CompletionsArgs};
use super::failure::Failure;

pub fn print(args: CompletionsArgs) -> Result<u8, Failure> {
    clap_complete::generate(args.shell, &mut Cli::command(), "regatta", &mut std::io::stdout());
    Ok(0)
}
