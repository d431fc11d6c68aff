use std::process::ExitCode;

fn main() -> ExitCode {
    regatta::cli::main(std::env::args_os())
}
