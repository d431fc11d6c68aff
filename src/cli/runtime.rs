//! The async runtime of a command.

use super::command_error::CommandError;

/// One thread: a run waits for its browser and its files, and computes nothing.
pub fn block_on<T>(future: impl Future<Output = Result<T, CommandError>>) -> Result<T, CommandError> {
    runtime()?.block_on(future)
}

pub fn runtime() -> Result<tokio::runtime::Runtime, CommandError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandError::usage(format!("cannot start the async runtime: {error}")))
}
