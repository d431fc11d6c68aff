//! What the sources that are databases have in common: rows of text under named columns.

use serde_json::Value;
use sqlx::error::BoxDynError;
use sqlx::{Column as _, ColumnIndex, Database, Row, ValueRef as _};

use super::ReadError;
use regatta_core::source::row::{DeclaredVariables, ProfileRow, RowProblem, check_columns};

/// The columns of a query, checked once, and the number of the row that is being read.
pub struct Columns<'a> {
    source: &'a str,
    declared: DeclaredVariables,
    names: Option<Vec<String>>,
    /// Counts from 1.
    row: usize,
}

impl<'a> Columns<'a> {
    pub fn new(source: &'a str, declared: DeclaredVariables) -> Self {
        Self { source, declared, names: None, row: 1 }
    }

    /// `text_of` gives a value that is there as the database writes it, `failed` what to say of a value
    /// that it cannot. A row that can be read may still be none of a profile.
    pub fn parse<R: Row>(
        &mut self,
        row: &R,
        text_of: impl Fn(<R::Database as Database>::ValueRef<'_>) -> Result<String, BoxDynError>,
        failed: impl Fn(&sqlx::Error) -> ReadError,
    ) -> Result<Result<ProfileRow, RowProblem>, ReadError>
    where
        usize: ColumnIndex<R>,
    {
        let names = self.of(|| row.columns().iter().map(|column| column.name().to_owned()).collect())?;
        let mut values = Vec::with_capacity(names.len());
        for (index, name) in names.iter().enumerate() {
            let value = row.try_get_raw(index).map_err(|error| failed(&error))?;
            let text = (!value.is_null()).then(|| text_of(value)).transpose();
            let text = text.map_err(|error| failed(&sqlx::Error::Decode(error)))?;
            values.push((name.as_str(), text.map_or(Value::Null, Value::String)));
        }
        Ok(ProfileRow::from_columns(values))
    }

    fn of(&mut self, names: impl FnOnce() -> Vec<String>) -> Result<&[String], ReadError> {
        if self.names.is_none() {
            let names = names();
            check_columns(names.iter().map(String::as_str), &self.declared).map_err(|problem| {
                ReadError::Columns { name: format!("the query of {}", self.source), problem }
            })?;
            self.names = Some(names);
        }
        Ok(self.names.as_deref().unwrap_or_default())
    }

    /// Where the row stands, for people.
    pub fn place(&self) -> String {
        format!("row {} of {}", self.row, self.source)
    }

    pub const fn count(&mut self) {
        self.row += 1;
    }
}

/// Returns the database's message without sqlx's prefix.
pub fn problem(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        sqlx::Error::Io(error) => error.to_string(),
        sqlx::Error::Protocol(problem) => problem.clone(),
        other => other.to_string(),
    }
}
