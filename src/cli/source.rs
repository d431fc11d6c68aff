//! Where the profiles of a fleet come from: `--source`, or `[source]` of regatta.toml.

use std::io;
use std::path::{Path, PathBuf};

use super::command_error::CommandError;
use super::runtime::block_on;
use super::settings::{SETTINGS_FILE, Settings};
use super::{hint, load};
use crate::orchestrate::IntakeError;
use crate::orchestrate::source::{
    AdsPowerSource, FileSource, HttpSource, PostgresAddress, PostgresSource, ReadError, Source, SqliteSource,
};
use crate::providers::adspower::ResolvedReferences;
use regatta_core::error_chain::with_cause;
use regatta_core::id::ProfileId;
use regatta_core::source::row::DeclaredVariables;
use regatta_core::source::spec::{Format, SourceLocation, SourceSpec};
const USUAL: &str = "profiles.txt";

/// Opens the source that `given` names, else the one of the settings. A file is checked as a whole here,
/// before anything starts.
pub fn open(
    settings: &Settings,
    given: Option<&str>,
    declared: &DeclaredVariables,
) -> Result<Box<dyn Source>, CommandError> {
    let text = given.or(settings.source.from.as_deref()).unwrap_or(USUAL);
    let spec = SourceSpec::parse(text)
        .map_err(|error| CommandError::usage(error.to_string()).hint(error.hint().to_owned()))?;
    if given.is_some() && spec.has_password() {
        return Err(visible_password_error("--source", "source", "from"));
    }
    Ok(match spec {
        SourceSpec::File { place, format } => Box::new(file(settings, &place, format, declared)?),
        SourceSpec::Sqlite { file, query } => {
            let query = query_of(settings, query)?;
            Box::new(SqliteSource::new(&found(settings, Path::new(&file)), query))
        }
        SourceSpec::Postgres { url, query } => {
            let query = query_of(settings, query)?;
            let address = PostgresAddress::new(&url, settings.source.credentials.password()?)
                .map_err(|error| read_failure(&error))?;
            Box::new(PostgresSource::new(address, query, settings.source.listen.clone()))
        }
        SourceSpec::Http { url } => {
            Box::new(HttpSource::new(url, settings.source.credentials.token()?.cloned()))
        }
        SourceSpec::AdsPower(selection) => {
            Box::new(AdsPowerSource::new(load::adspower(settings, None)?, selection))
        }
    })
}

fn query_of(settings: &Settings, given: Option<String>) -> Result<String, CommandError> {
    given.or_else(|| settings.source.query.clone()).ok_or_else(|| {
        CommandError::usage("the source is a database, and no query says which profiles").hint(format!(
            "end it with ?query=select id from profiles, or write query = \"…\" below [source] in {SETTINGS_FILE}"
        ))
    })
}

/// Everybody on the machine can read the arguments of a process.
pub fn visible_password_error(option: &str, section: &str, key: &str) -> CommandError {
    CommandError::usage(format!("the address of {option} holds a password, and everybody here can see it (`ps`)")).hint(
        format!("leave it out and name the variable that holds it, [{section}] password_env in {SETTINGS_FILE}; or write the address there as `{key}`"),
    )
}

fn file(
    settings: &Settings,
    place: &SourceLocation,
    format: Format,
    declared: &DeclaredVariables,
) -> Result<FileSource, CommandError> {
    let declared = declared.clone();
    let source = match place {
        SourceLocation::StandardInput => {
            FileSource::of_input("standard input", io::stdin().lock(), format, declared)
        }
        SourceLocation::Path(path) => Ok(FileSource::at(&found(settings, Path::new(path)), format, declared)),
    };
    let source = source.map_err(|error| read_failure(&error))?;
    let references = source.references().map_err(|error| read_failure(&error))?;
    let resolved = if references.is_empty() {
        ResolvedReferences::new()
    } else {
        // The pacer's files are in these folders.
        load::create_folders(settings)?;
        let adspower = load::adspower(settings, None)?;
        block_on(async {
            let resolved = adspower.resolve(&references).await;
            resolved.map_err(|error| CommandError::usage(with_cause(&error)).hint(hint::of_provider(&error)))
        })?
    };
    source.checked(resolved).map_err(|error| read_failure(&error))
}

/// Profiles that the folder's usual source names, where that is a file that can be read.
pub fn listed(settings: &Settings) -> Vec<ProfileId> {
    let text = settings.source.from.as_deref().unwrap_or(USUAL);
    match SourceSpec::parse(text) {
        Ok(SourceSpec::File { place: SourceLocation::Path(path), format }) => {
            FileSource::ids(&found(settings, Path::new(&path)), format)
        }
        _ => Vec::new(),
    }
}

/// A path stands as the shell gave it, or else in the folder.
pub fn found(settings: &Settings, path: &Path) -> PathBuf {
    if path.exists() { path.to_owned() } else { settings.layout.root().join(path) }
}

/// `started`: some of its profiles were run.
pub fn failure(problem: &IntakeError, started: bool) -> CommandError {
    match problem {
        IntakeError::Read(error) => {
            let failure = read_failure(error);
            if started {
                failure.context("the profiles that came before were run; those that follow are missing")
            } else {
                failure
            }
        }
        other => CommandError::usage(regatta_core::error_chain::with_cause(other)),
    }
}

pub fn read_failure(error: &ReadError) -> CommandError {
    CommandError::usage(error.to_string()).hint(hint::of_source(error))
}
