//! Where outcomes are delivered: a statement of a database, or a server. Each outcome may come twice;
//! its key is the same then.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use futures::future::BoxFuture;
use reqwest::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use url::Url;

use crate::http;
use crate::orchestrate::source::{PostgresAddress, ReadError, sql_problem};
use regatta_core::source::outcome_document::OutcomeDocument;
use regatta_core::source::spec::without_credentials;
use regatta_core::source::statement::{Parameter, Placeholders, Statement};

const ANSWERS_WITHIN: Duration = Duration::from_secs(20);

/// A receiver of outcomes. `Debug` shows no credential.
#[derive(Clone)]
pub enum SinkSpec {
    Sqlite { file: PathBuf, statement: Statement },
    Postgres { address: Box<PostgresAddress>, statement: Statement },
    Http { url: Url, token: Option<SecretString> },
}

impl fmt::Debug for SinkSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match self {
            Self::Sqlite { file, .. } => file.display().to_string(),
            Self::Postgres { address, .. } => address.name.clone(),
            Self::Http { url, .. } => without_credentials(url),
        })
    }
}

/// Why an outcome stays.
#[derive(Debug)]
pub enum DeliveryError {
    /// Nothing can be delivered now; `after` is when the sink asks to be retried.
    SinkUnavailable { problem: String, after: Option<Duration> },
    /// This one is refused, others may be taken.
    Rejected { problem: String },
}

pub trait Sink: Send {
    fn deliver<'a>(&'a mut self, document: &'a OutcomeDocument) -> BoxFuture<'a, Result<(), DeliveryError>>;
}

impl SinkSpec {
    pub fn open(self) -> Box<dyn Sink> {
        match self {
            Self::Sqlite { file, statement } => {
                let text = statement.text(Placeholders::Sqlite);
                Box::new(SqliteSink { file, statement, text, connection: None })
            }
            Self::Postgres { address, statement } => {
                let text = statement.text(Placeholders::Postgres);
                Box::new(PostgresSink { address, statement, text, connection: None })
            }
            Self::Http { url, token } => {
                Box::new(HttpSink { name: without_credentials(&url), url, token, client: None })
            }
        }
    }
}

struct SqliteSink {
    file: PathBuf,
    statement: Statement,
    text: String,
    connection: Option<SqliteConnection>,
}

impl Sink for SqliteSink {
    fn deliver<'a>(&'a mut self, document: &'a OutcomeDocument) -> BoxFuture<'a, Result<(), DeliveryError>> {
        Box::pin(async move {
            let nothing = |error: sqlx::Error| DeliveryError::SinkUnavailable {
                problem: format!("{}: {}", self.file.display(), sql_problem(&error)),
                after: None,
            };
            if self.connection.is_none() {
                let options = SqliteConnectOptions::new().filename(&self.file).create_if_missing(false);
                let options = options.disable_statement_logging();
                self.connection = Some(options.connect().await.map_err(nothing)?);
            }
            let Some(connection) = &mut self.connection else { return Ok(()) };
            let mut query = sqlx::query(AssertSqlSafe(self.text.clone()));
            for parameter in self.statement.parameters() {
                query = query.bind(value(document, parameter));
            }
            let Err(error) = query.execute(connection).await else { return Ok(()) };
            // 19: a constraint does not hold, which is about this row alone.
            let code = error.as_database_error().and_then(|error| error.code()?.parse::<i32>().ok());
            if code.is_some_and(|code| code & 0xff == 19) {
                return Err(DeliveryError::Rejected {
                    problem: format!("{}: {}", self.file.display(), sql_problem(&error)),
                });
            }
            self.connection = None;
            Err(nothing(error))
        })
    }
}

struct PostgresSink {
    address: Box<PostgresAddress>,
    statement: Statement,
    text: String,
    connection: Option<PgConnection>,
}

impl Sink for PostgresSink {
    fn deliver<'a>(&'a mut self, document: &'a OutcomeDocument) -> BoxFuture<'a, Result<(), DeliveryError>> {
        Box::pin(async move {
            let nothing =
                |error: ReadError| DeliveryError::SinkUnavailable { problem: error.to_string(), after: None };
            if self.connection.is_none() {
                self.connection = Some(self.address.connect().await.map_err(nothing)?);
            }
            let Some(connection) = &mut self.connection else { return Ok(()) };
            let mut query = sqlx::query(AssertSqlSafe(self.text.clone())).persistent(false);
            for parameter in self.statement.parameters() {
                query = query.bind(value(document, parameter));
            }
            let executed = tokio::time::timeout(ANSWERS_WITHIN, query.execute(connection)).await;
            let error = match executed {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(error)) => error,
                Err(_) => {
                    self.connection = None;
                    let problem = format!("{}: no answer within {ANSWERS_WITHIN:?}", self.address.name);
                    return Err(DeliveryError::SinkUnavailable { problem, after: None });
                }
            };
            // Classes 22 and 23: a value, or a constraint; about this row alone.
            let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default();
            if code.starts_with("22") || code.starts_with("23") {
                return Err(DeliveryError::Rejected {
                    problem: format!("{}: {}", self.address.name, sql_problem(&error)),
                });
            }
            self.connection = None;
            Err(nothing(self.address.failed(&error)))
        })
    }
}

fn value(document: &OutcomeDocument, parameter: Parameter) -> Option<String> {
    match parameter {
        Parameter::ProfileId => Some(document.profile_id.to_string()),
        Parameter::Status => Some(document.status.to_string()),
        Parameter::Flag => document.flag.as_ref().map(ToString::to_string),
        // No database takes a zero in a text.
        Parameter::Error => document.error.as_ref().map(|error| error.replace('\0', "")),
        Parameter::At => Some(document.at.to_string()),
        Parameter::Key => Some(document.key.clone()),
    }
}

struct HttpSink {
    name: String,
    url: Url,
    token: Option<SecretString>,
    client: Option<reqwest::Client>,
}

impl Sink for HttpSink {
    fn deliver<'a>(&'a mut self, document: &'a OutcomeDocument) -> BoxFuture<'a, Result<(), DeliveryError>> {
        Box::pin(async move {
            let nothing = |problem: String, after| DeliveryError::SinkUnavailable {
                problem: format!("{}: {problem}", self.name),
                after,
            };
            if self.client.is_none() {
                let built = http::builder().timeout(ANSWERS_WITHIN).build();
                self.client = Some(built.map_err(|error| nothing(http::problem(error), None))?);
            }
            let Some(client) = &self.client else { return Ok(()) };
            let mut request =
                client.post(self.url.clone()).header("Idempotency-Key", &document.key).json(document);
            if let Some(token) = &self.token {
                request = request.bearer_auth(token.expose_secret());
            }
            let answer = request.send().await.map_err(|error| nothing(http::problem(error), None))?;
            let after = http::retry_after(answer.headers(), jiff::Timestamp::now());
            match answer.status() {
                status if status.is_success() => Ok(()),
                // What would be answered to every other one, too.
                status @ (StatusCode::UNAUTHORIZED
                | StatusCode::FORBIDDEN
                | StatusCode::NOT_FOUND
                | StatusCode::METHOD_NOT_ALLOWED
                | StatusCode::REQUEST_TIMEOUT
                | StatusCode::TOO_EARLY
                | StatusCode::TOO_MANY_REQUESTS) => {
                    Err(nothing(format!("it answers {}", status.as_u16()), after))
                }
                status if status.is_client_error() => Err(DeliveryError::Rejected {
                    problem: format!(
                        "{}: it answers {} to the outcome of {}",
                        self.name,
                        status.as_u16(),
                        document.profile_id
                    ),
                }),
                status => Err(nothing(format!("it answers {}", status.as_u16()), after)),
            }
        })
    }
}
