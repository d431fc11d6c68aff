//! Profiles that a query of a SQLite file names.

use std::path::{Path, PathBuf};

use futures::TryStreamExt as _;
use futures::future::BoxFuture;
use sqlx::error::BoxDynError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteValueRef};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Sqlite};

use super::sql::Columns;
use super::{ReadError, Rows, Source};

pub struct SqliteSource {
    name: String,
    file: PathBuf,
    query: String,
}

impl SqliteSource {
    pub fn new(file: &Path, query: String) -> Self {
        Self { name: file.display().to_string(), file: file.to_owned(), query }
    }

    async fn connect(&self) -> Result<SqliteConnection, ReadError> {
        // SQLite has one message for all that can be wrong with a file.
        std::fs::File::open(&self.file)
            .map_err(|source| ReadError::Database { name: self.name.clone(), source })?;
        let options = SqliteConnectOptions::new().filename(&self.file).create_if_missing(false);
        let options = options.disable_statement_logging();
        options.connect().await.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &sqlx::Error) -> ReadError {
        ReadError::Query { name: self.name.clone(), problem: super::sql::problem(error) }
    }
}

impl Source for SqliteSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn read<'a>(&'a mut self, rows: &'a mut Rows) -> BoxFuture<'a, Result<(), ReadError>> {
        Box::pin(async move {
            let mut connection = self.connect().await?;
            let query = sqlx::raw_sql(AssertSqlSafe(self.query.clone()));
            let mut found = query.fetch(&mut connection);
            let mut columns = Columns::new(&self.name, rows.declared().clone());
            while let Some(row) = found.try_next().await.map_err(|error| self.failed(&error))? {
                let parsed = columns.parse(&row, text_of, |error| self.failed(error))?;
                rows.take(|| columns.place(), parsed).await?;
                columns.count();
            }
            drop(found);
            rows.flush().await?;
            let _ = connection.close().await;
            Ok(())
        })
    }
}

/// SQLite's text for a value of any type.
fn text_of(value: SqliteValueRef<'_>) -> Result<String, BoxDynError> {
    Ok(<&str as sqlx::Decode<Sqlite>>::decode(value)?.to_owned())
}
