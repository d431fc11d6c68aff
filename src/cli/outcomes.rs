//! Where the outcomes of a fleet go: `--outcomes`, or `[outcomes]` of regatta.toml.

use std::path::Path;

use super::command_error::CommandError;
use super::settings::{SETTINGS_FILE, Settings};
use super::source::{found, read_failure, visible_password_error};
use crate::orchestrate::outcomes::SinkSpec;
use crate::orchestrate::source::PostgresAddress;
use regatta_core::source::spec::SourceSpec;
use regatta_core::source::statement::Statement;

pub fn sink(settings: &Settings, given: Option<&str>) -> Result<Option<SinkSpec>, CommandError> {
    let Some(text) = given.or(settings.outcomes.to.as_deref()) else { return Ok(None) };
    let no_place = || {
        CommandError::usage("outcomes cannot go there".to_owned()).hint(
            "write sqlite:FILE, postgres://USER@HOST/DATABASE or http(s)://…; a statement stands in regatta.toml"
                .to_owned(),
        )
    };
    let spec = SourceSpec::parse(text).map_err(|_| no_place())?;
    if given.is_some() && spec.has_password() {
        return Err(visible_password_error("--outcomes", "outcomes", "to"));
    }
    let credentials = &settings.outcomes.credentials;
    Ok(Some(match spec {
        SourceSpec::Sqlite { file, query: None } => {
            let file = found(settings, Path::new(&file));
            if let Err(error) = std::fs::File::open(&file) {
                return Err(CommandError::usage(format!(
                    "cannot open the database for outcomes, {}: {error}",
                    file.display()
                )));
            }
            SinkSpec::Sqlite { file, statement: statement(settings)? }
        }
        SourceSpec::Postgres { url, query: None } => {
            let address =
                PostgresAddress::new(&url, credentials.password()?).map_err(|error| read_failure(&error))?;
            SinkSpec::Postgres { address: Box::new(address), statement: statement(settings)? }
        }
        SourceSpec::Http { url } => SinkSpec::Http { url, token: credentials.token()?.cloned() },
        _ => return Err(no_place()),
    }))
}

fn statement(settings: &Settings) -> Result<Statement, CommandError> {
    let text = settings.outcomes.statement.as_deref().ok_or_else(|| {
        CommandError::usage("outcomes go to a database, and no statement says how").hint(format!(
            "write below [outcomes] in {SETTINGS_FILE}: statement = \"update profiles set status = :status where id = :profile_id\""
        ))
    })?;
    Statement::parse(text)
        .map_err(|error| CommandError::usage(error.to_string()).hint(error.hint().to_owned()))
}
