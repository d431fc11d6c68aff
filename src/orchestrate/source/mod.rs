//! Where profiles come from. One source a file; each hands rows out in order, in bounded batches, so
//! that a hundred thousand of them cost no more memory than a few.
//!
//! Files are checked before their first row is taken: a typing error in line 900 is reported before
//! line 1 runs. Databases and servers are not: they may hold more than is wanted here, and give their
//! first rows long before the last. There a row that cannot be read is reported and left out.

use std::future::pending;
use std::time::Duration;

use futures::future::BoxFuture;
use thiserror::Error;
use tokio::sync::mpsc;

use crate::providers::ProviderError;
use regatta_core::source::profile_reference::ReferenceProblem;
use regatta_core::source::row::{DeclaredVariables, ProfileRow, RowProblem};

mod adspower;
mod file;
mod http;
mod postgres;
mod sql;
mod sqlite;

pub use self::adspower::AdsPowerSource;
pub use self::file::{FileSource, LineProblem, WrongLines};
pub use self::http::HttpSource;
pub use self::postgres::{PostgresAddress, PostgresSource};
pub use self::sql::problem as sql_problem;
pub use self::sqlite::SqliteSource;

/// Rows that travel together.
const BATCH: usize = 256;

pub trait Source: Send {
    /// For people: without user, password and parameters.
    fn name(&self) -> &str;

    /// Hands out every row there is now. May be called again, for those that came meanwhile.
    fn read<'a>(&'a mut self, rows: &'a mut Rows) -> BoxFuture<'a, Result<(), ReadError>>;

    /// Returns when the source says that there is something new; never, where it does not say.
    fn changed(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(pending())
    }
}

/// Why a source could not be read to its end. No message holds a credential.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The receiver is closed: no error of the source.
    #[error("no more profiles are taken")]
    Closed,
    #[error("cannot read the profiles from `{name}`: {source}")]
    File { name: String, source: std::io::Error },
    #[error("cannot open the database {name}: {source}")]
    Database { name: String, source: std::io::Error },
    #[error(transparent)]
    WrongLines(#[from] WrongLines),
    #[error("{name}: {problem}")]
    Columns { name: String, problem: RowProblem },
    #[error("{name} is not reachable: {problem}")]
    NotReachable { name: String, problem: String },
    #[error("{name} refuses the credentials: {problem}")]
    Credentials { name: String, problem: String, hint: &'static str },
    #[error("{name}: the query fails: {problem}")]
    Query { name: String, problem: String },
    #[error("{name} answers {status}")]
    Status { name: String, status: u16 },
    #[error("{name} asks to be left alone for {} s (429), again and again", after.as_secs())]
    TooManyRequests { name: String, after: Duration },
    #[error("page {page} of {name} is not what is expected: {problem}")]
    Page { name: String, page: usize, problem: String },
    #[error("AdsPower has no group `{0}`")]
    NoGroup(String),
    #[error("AdsPower has no tag `{name}`{}", of_those(known))]
    NoTag { name: String, known: Vec<String> },
    #[error(transparent)]
    Reference(#[from] ReferenceProblem),
    #[error(transparent)]
    AdsPower(#[from] ProviderError),
}

impl ReadError {
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::File { .. } => "write one profile id a line, or pipe them in: regatta orchestrate -",
            Self::Database { .. } => {
                "is this the file you meant? It stands where the shell stands, or in the folder"
            }
            Self::WrongLines(wrong) => wrong.hint()?,
            Self::Columns { problem, .. } => problem.hint()?,
            Self::NotReachable { .. } => "is it up, and are host and port right?",
            Self::Credentials { hint, .. } => hint,
            Self::Query { .. } => {
                "try it with the database's own client; its columns are profile_id, platform, priority, identity.FIELD and variables.NAME"
            }
            Self::Status { status: 404 | 410, .. } => "check the path of the address",
            Self::Status { .. } => "ask it with curl to see more",
            Self::TooManyRequests { .. } => "ask it less often, with a longer --follow",
            Self::Page { .. } => {
                "it must be a JSON array of ids or of objects with a `profile_id`; further pages are named by a header `Link: <…>; rel=\"next\"`"
            }
            Self::NoGroup(_) => "groups are named as AdsPower shows them",
            Self::NoTag { .. } => "tags are named as AdsPower shows them",
            Self::Reference(problem) => problem.hint(),
            // Chosen where it is shown, as for every error of a provider.
            Self::AdsPower(_) | Self::Closed => return None,
        };
        Some(hint.to_owned())
    }
}

fn of_those(known: &[String]) -> String {
    if known.is_empty() { ", nor any other".to_owned() } else { format!("; it has {}", known.join(", ")) }
}

/// Takes what a source hands out.
pub struct Rows {
    sender: mpsc::Sender<SourceItem>,
    batch: Vec<ProfileRow>,
    declared: DeclaredVariables,
}

#[derive(Debug)]
pub enum SourceItem {
    Rows(Vec<ProfileRow>),
    /// A row that cannot be read: `row 731`, and why.
    Rejected {
        place: String,
        problem: RowProblem,
    },
    /// The source has to be asked again.
    Retrying {
        problem: String,
        after: Duration,
    },
    /// All that there is now was handed out.
    PassEnded,
}

impl Rows {
    /// Refuses rows that set a variable beside the `declared` ones.
    pub fn new(sender: mpsc::Sender<SourceItem>, declared: DeclaredVariables) -> Self {
        Self { sender, batch: Vec::with_capacity(BATCH), declared }
    }

    pub const fn declared(&self) -> &DeclaredVariables {
        &self.declared
    }

    pub async fn push(&mut self, row: ProfileRow) -> Result<(), ReadError> {
        self.batch.push(row);
        if self.batch.len() < BATCH { Ok(()) } else { self.flush().await }
    }

    /// Sends the batch, though it is not full.
    pub async fn flush(&mut self) -> Result<(), ReadError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH));
        self.send(SourceItem::Rows(batch)).await
    }

    pub async fn take(
        &mut self,
        place: impl FnOnce() -> String,
        row: Result<ProfileRow, RowProblem>,
    ) -> Result<(), ReadError> {
        match row.and_then(|row| row.check_variables(&self.declared)) {
            Ok(row) => self.push(row).await,
            Err(problem) => self.send(SourceItem::Rejected { place: place(), problem }).await,
        }
    }

    pub async fn retrying(&mut self, problem: String, after: Duration) -> Result<(), ReadError> {
        self.send(SourceItem::Retrying { problem, after }).await
    }

    pub async fn end_pass(&mut self) -> Result<(), ReadError> {
        self.flush().await?;
        self.send(SourceItem::PassEnded).await
    }

    /// Returns when the receiver is closed.
    pub async fn closed(&self) {
        self.sender.closed().await;
    }

    async fn send(&mut self, passed: SourceItem) -> Result<(), ReadError> {
        self.sender.send(passed).await.map_err(|_| ReadError::Closed)
    }
}
