//! `regatta schema NAME`: the JSON Schema of a document, from the types that read and write it.

use std::io::Write;

use clap::{Args, ValueEnum};
use schemars::{Schema, schema_for};

use super::command_error::CommandError;
use super::settings;
use regatta_core::event::Event;
use regatta_core::session::Session;
use regatta_core::workflow;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta schema workflow > workflow.schema.json   for an editor that completes workflow.toml
  regatta schema session                           state/ID.json")]
pub struct SchemaArgs {
    /// The document; `event` is a line of logs/ID.events.jsonl, `settings` is regatta.toml
    #[arg(value_name = "NAME")]
    pub name: DocumentName,
}

// The variants have no help texts: with one, clap prints the long form of all help.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum DocumentName {
    Session,
    Event,
    Workflow,
    Settings,
}

pub fn print(args: &SchemaArgs) -> Result<u8, CommandError> {
    let schema: Schema = match args.name {
        DocumentName::Session => schema_for!(Session),
        DocumentName::Event => schema_for!(Event),
        DocumentName::Workflow => workflow::schema(),
        DocumentName::Settings => settings::schema(),
    };
    let text = serde_json::to_string_pretty(&schema)
        .map_err(|error| CommandError::usage(format!("cannot write the schema: {error}")))?;
    // A reader may have gone (`| head`).
    writeln!(std::io::stdout(), "{text}").ok();
    Ok(0)
}
