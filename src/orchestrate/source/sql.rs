//! What the sources that are databases have in common: rows of text under named columns.

use serde_json::Value;

use super::ReadError;
use crate::domain::row::check_columns;

/// The columns of a query, checked once, and the number of the row that is being read.
pub struct Columns<'a> {
    source: &'a str,
    names: Option<Vec<String>>,
    /// Counts from 1.
    row: usize,
}

impl<'a> Columns<'a> {
    pub fn new(source: &'a str) -> Self {
        Self { source, names: None, row: 1 }
    }

    pub fn of(&mut self, names: impl FnOnce() -> Vec<String>) -> Result<&[String], ReadError> {
        if self.names.is_none() {
            let names = names();
            check_columns(names.iter().map(String::as_str)).map_err(|problem| ReadError::Columns {
                name: format!("the query of {}", self.source),
                problem,
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

pub fn text_value(text: Option<String>) -> Value {
    text.map_or(Value::Null, Value::String)
}

/// What the database says, without the words that say that it is a database.
pub fn problem(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        sqlx::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}
