//! `regatta completions SHELL`

use std::io::Write;

use clap::CommandFactory;

use super::args::{Cli, CompletionsArgs};
use super::failure::Failure;

pub fn print(args: CompletionsArgs) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "regatta", &mut script);
    // Whoever reads it may have gone (`| head`).
    std::io::stdout().write_all(&script).ok();
    Ok(0)
}
