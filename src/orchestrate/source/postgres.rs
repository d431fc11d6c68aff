//! Profiles that a query of a Postgres database names.
//!
//! The query is sent as it is and every value comes back as Postgres writes it, so columns may have any
//! type, and a statement that claims rows (`update … returning …`) is a query too.

use std::time::Duration;

use futures::TryStreamExt as _;
use futures::future::BoxFuture;
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgListener, PgValueRef};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use tokio::time::timeout;
use url::Url;

use super::sql::Columns;
use super::{ReadError, Rows, Source};
use regatta_core::source::spec::without_credentials;

const CONNECTS_WITHIN: Duration = Duration::from_secs(15);

/// Where a Postgres database is, and who asks.
#[derive(Clone)]
pub struct PostgresAddress {
    /// Without a credential.
    pub name: String,
    options: PgConnectOptions,
}

impl PostgresAddress {
    /// `PGPASSWORD` and `~/.pgpass` are heeded where there is no other password.
    pub fn new(url: &Url, password: Option<&SecretString>) -> Result<Self, ReadError> {
        let name = without_credentials(url);
        let options = PgConnectOptions::from_url(url).map_err(|_| ReadError::Query {
            name: name.clone(),
            problem: "its address is not valid".to_owned(),
        })?;
        let options = match password {
            Some(password) => options.password(password.expose_secret()),
            None => options,
        };
        let options = options.application_name("regatta").statement_cache_capacity(0);
        Ok(Self { name, options: options.disable_statement_logging() })
    }

    pub async fn connect(&self) -> Result<PgConnection, ReadError> {
        match timeout(CONNECTS_WITHIN, self.options.connect()).await {
            Ok(connected) => connected.map_err(|error| self.failed(&error)),
            Err(_) => Err(ReadError::NotReachable {
                name: self.name.clone(),
                problem: format!("no answer within {CONNECTS_WITHIN:?}"),
            }),
        }
    }

    pub fn failed(&self, error: &sqlx::Error) -> ReadError {
        let (name, problem) = (self.name.clone(), super::sql::problem(error));
        match error {
            // Class 28: invalid authorization.
            sqlx::Error::Database(refused) if refused.code().is_some_and(|code| code.starts_with("28")) => {
                ReadError::Credentials {
                    name,
                    problem,
                    hint: "name the variable that holds the password: password_env in regatta.toml",
                }
            }
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Configuration(_) => {
                ReadError::NotReachable { name, problem }
            }
            _ => ReadError::Query { name, problem },
        }
    }
}

pub struct PostgresSource {
    address: PostgresAddress,
    query: String,
    /// The channel on which something new is announced.
    channel: Option<String>,
    listener: Option<PgListener>,
}

impl PostgresSource {
    pub fn new(address: PostgresAddress, query: String, channel: Option<String>) -> Self {
        Self { address, query, channel, listener: None }
    }

    /// Listens before it reads: what comes in between is announced, too.
    async fn listen(&mut self) -> Result<(), ReadError> {
        let Some(channel) = self.channel.as_ref().filter(|_| self.listener.is_none()) else { return Ok(()) };
        let pool = sqlx::postgres::PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(CONNECTS_WITHIN)
            .connect_lazy_with(self.address.options.clone());
        let listen = async {
            let mut listener = PgListener::connect_with(&pool).await?;
            listener.listen(channel).await?;
            Ok(listener)
        };
        self.listener = Some(listen.await.map_err(|error| self.address.failed(&error))?);
        Ok(())
    }
}

impl Source for PostgresSource {
    fn name(&self) -> &str {
        &self.address.name
    }

    fn read<'a>(&'a mut self, rows: &'a mut Rows) -> BoxFuture<'a, Result<(), ReadError>> {
        Box::pin(async move {
            self.listen().await?;
            let address = &self.address;
            let mut connection = address.connect().await?;
            let query = sqlx::raw_sql(AssertSqlSafe(self.query.clone()));
            let mut found = query.fetch(&mut connection);
            let mut columns = Columns::new(&address.name, rows.declared().clone());
            while let Some(row) = found.try_next().await.map_err(|error| address.failed(&error))? {
                let parsed = columns.parse(&row, text_of, |error| address.failed(error))?;
                rows.take(|| columns.place(), parsed).await?;
                columns.count();
            }
            drop(found);
            rows.flush().await?;
            let _ = connection.close().await;
            Ok(())
        })
    }

    fn changed(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let Some(listener) = &mut self.listener else { return std::future::pending().await };
            if listener.recv().await.is_err() {
                // Listened anew with the next reading, which comes by the clock.
                self.listener = None;
                std::future::pending().await
            }
        })
    }
}

/// The text of the simple protocol, for a value of any type.
fn text_of(value: PgValueRef<'_>) -> Result<String, BoxDynError> {
    Ok(value.as_str()?.to_owned())
}
