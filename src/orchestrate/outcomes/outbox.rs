//! Outcomes that are to be delivered, and how far the events of each profile were read for them.
//!
//! Both change in one transaction of a SQLite file, so an outcome is put in once, even across a crash:
//! an event file that was not read to its end is read on from where it was. One writer: the orchestrator
//! that holds the folder.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};

use regatta_core::id::ProfileId;
use regatta_core::session::Status;
use regatta_core::source::outcome_document::OutcomeDocument;

const VERSION: i64 = 1;

const SCHEMA: &str = "
    create table outcomes (
        id integer primary key autoincrement,
        key text not null unique,
        profile text not null,
        document text not null,
        attempts integer not null default 0,
        due integer not null default 0
    );
    create index outcomes_by_profile on outcomes (profile, id);
    create table cursors (
        profile text primary key,
        read integer not null,
        status text,
        error text
    ) without rowid;
    pragma user_version = 1;";

/// One end of the outbox; the other is another connection.
#[derive(Debug)]
pub struct Outbox(SqliteConnection);

/// How far a profile's events were read, and its last outcome, steps left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Bytes of its events.
    pub read: u64,
    pub status: Option<String>,
    pub error: Option<String>,
}

#[derive(Debug)]
pub struct QueuedOutcome {
    pub id: i64,
    pub document: OutcomeDocument,
    pub attempts: i64,
}

impl Outbox {
    pub async fn open(path: &Path) -> Result<Self, sqlx::Error> {
        // Readable by its owner only, as sessions are.
        let mut file = std::fs::OpenOptions::new();
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
        file.append(true).create(true).open(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .disable_statement_logging();
        let mut connection = options.connect().await?;
        let version: i64 = sqlx::query("pragma user_version").fetch_one(&mut connection).await?.try_get(0)?;
        match version {
            0 => {
                sqlx::raw_sql(SCHEMA).execute(&mut connection).await?;
            }
            VERSION => {}
            newer => {
                let problem =
                    format!("it was written by a newer regatta (version {newer}, this one knows {VERSION})");
                return Err(sqlx::Error::Protocol(problem));
            }
        }
        Ok(Self(connection))
    }

    pub async fn cursor(&mut self, profile: &ProfileId) -> Result<Cursor, sqlx::Error> {
        let query =
            sqlx::query("select read, status, error from cursors where profile = ?1").bind(profile.as_str());
        let Some(row) = query.fetch_optional(&mut self.0).await? else { return Ok(Cursor::default()) };
        let read: i64 = row.try_get(0)?;
        Ok(Cursor { read: u64::try_from(read).unwrap_or(0), status: row.try_get(1)?, error: row.try_get(2)? })
    }

    /// Puts outcomes in and moves the cursor, or neither.
    pub async fn put(
        &mut self,
        profile: &ProfileId,
        documents: &[OutcomeDocument],
        cursor: &Cursor,
    ) -> Result<(), sqlx::Error> {
        let mut transaction = self.0.begin().await?;
        for document in documents {
            sqlx::query("insert into outcomes (key, profile, document) values (?1, ?2, ?3) on conflict (key) do nothing")
                .bind(&document.key)
                .bind(profile.as_str())
                .bind(serde_json::to_string(document).unwrap_or_default())
                .execute(&mut *transaction)
                .await?;
        }
        sqlx::query("insert or replace into cursors (profile, read, status, error) values (?1, ?2, ?3, ?4)")
            .bind(profile.as_str())
            .bind(i64::try_from(cursor.read).unwrap_or(i64::MAX))
            .bind(&cursor.status)
            .bind(&cursor.error)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }

    /// Those that may be delivered at `now` (seconds), the oldest of each profile: a later outcome of a
    /// profile never overtakes an earlier one.
    pub async fn due(&mut self, now: i64, most: i64) -> Result<Vec<QueuedOutcome>, sqlx::Error> {
        let query = sqlx::query(
            "select id, document, attempts from outcomes as one
             where due <= ?1 and not exists (select 1 from outcomes where profile = one.profile and id < one.id)
             order by id limit ?2",
        );
        let rows = query.bind(now).bind(most).fetch_all(&mut self.0).await?;
        let waiting = |row: sqlx::sqlite::SqliteRow| {
            let text: String = row.try_get(1)?;
            let document = serde_json::from_str(&text).map_err(|error| sqlx::Error::Decode(error.into()))?;
            Ok(QueuedOutcome { id: row.try_get(0)?, document, attempts: row.try_get(2)? })
        };
        rows.into_iter().map(waiting).collect()
    }

    /// When the next one is due that is not yet, in seconds.
    pub async fn next_due(&mut self) -> Result<Option<i64>, sqlx::Error> {
        sqlx::query("select min(due) from outcomes").fetch_one(&mut self.0).await?.try_get(0)
    }

    pub async fn delivered(&mut self, id: i64) -> Result<(), sqlx::Error> {
        sqlx::query("delete from outcomes where id = ?1").bind(id).execute(&mut self.0).await.map(drop)
    }

    pub async fn postpone(&mut self, id: i64, due: i64) -> Result<(), sqlx::Error> {
        let query = sqlx::query("update outcomes set attempts = attempts + 1, due = ?2 where id = ?1");
        query.bind(id).bind(due).execute(&mut self.0).await.map(drop)
    }

    /// A new start tries everything at once.
    pub async fn make_due(&mut self) -> Result<(), sqlx::Error> {
        sqlx::query("update outcomes set due = 0 where due > 0").execute(&mut self.0).await.map(drop)
    }

    pub async fn waiting(&mut self) -> Result<u64, sqlx::Error> {
        let count: i64 =
            sqlx::query("select count(*) from outcomes").fetch_one(&mut self.0).await?.try_get(0)?;
        Ok(u64::try_from(count).unwrap_or(0))
    }
}

impl Cursor {
    /// Records the last of the outcomes, which are in order.
    pub fn advance(&mut self, documents: &[OutcomeDocument]) {
        if let Some(last) = documents.iter().rev().find(|document| document.status != Status::Processing) {
            self.status = Some(last.status.to_string());
            self.error.clone_from(&last.error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(profile: &str, number: u32) -> OutcomeDocument {
        OutcomeDocument {
            v: 1,
            key: format!("{profile}:{number}"),
            profile_id: profile.parse().unwrap(),
            status: Status::Completed,
            flag: None,
            error: None,
            at: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    async fn keys(outbox: &mut Outbox, now: i64) -> Vec<String> {
        outbox.due(now, 10).await.unwrap().into_iter().map(|waiting| waiting.document.key).collect()
    }

    #[tokio::test]
    async fn outcomes_of_a_profile_go_in_order_and_one_that_is_refused_holds_up_its_own_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox.db");
        let mut outbox = Outbox::open(&path).await.unwrap();
        let (a, b) = ("a".parse().unwrap(), "b".parse().unwrap());
        let cursor = Cursor { read: 7, status: Some("COMPLETED".to_owned()), error: None };
        outbox.put(&a, &[outcome("a", 1), outcome("a", 2)], &cursor).await.unwrap();
        outbox.put(&b, &[outcome("b", 1)], &Cursor::default()).await.unwrap();
        // Put in again it is the same.
        outbox.put(&a, &[outcome("a", 1)], &cursor).await.unwrap();
        assert_eq!(keys(&mut outbox, 0).await, ["a:1", "b:1"]);
        let first = outbox_id(&mut outbox, "a:1").await;
        outbox.postpone(first, 60).await.unwrap();
        assert_eq!(keys(&mut outbox, 59).await, ["b:1"]);
        assert_eq!(outbox.next_due().await.unwrap(), Some(0));
        assert_eq!(keys(&mut outbox, 60).await, ["a:1", "b:1"]);

        // Another process finds all of it, and tries it at once.
        drop(outbox);
        let mut outbox = Outbox::open(&path).await.unwrap();
        assert_eq!(outbox.cursor(&a).await.unwrap(), cursor);
        outbox.make_due().await.unwrap();
        let first = outbox_id(&mut outbox, "a:1").await;
        outbox.delivered(first).await.unwrap();
        // In the order in which they were put in.
        assert_eq!(keys(&mut outbox, 0).await, ["a:2", "b:1"]);
        assert_eq!(outbox.waiting().await.unwrap(), 2);
    }

    async fn outbox_id(outbox: &mut Outbox, key: &str) -> i64 {
        sqlx::query("select id from outcomes where key = ?1")
            .bind(key)
            .fetch_one(&mut outbox.0)
            .await
            .unwrap()
            .get(0)
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn it_is_private_and_a_newer_one_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox.db");
        let mut outbox = Outbox::open(&path).await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        sqlx::raw_sql("pragma user_version = 9").execute(&mut outbox.0).await.unwrap();
        drop(outbox);
        let error = Outbox::open(&path).await.unwrap_err();
        assert!(error.to_string().contains("newer regatta (version 9"), "{error}");
    }
}
