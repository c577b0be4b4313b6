//! Sessions that survive the process, in the state file.

use super::super::Which;
use super::super::live::id_of;
use super::{Row, Store, Touch};
use crate::clock::{Clock, Timestamp};
use crate::state::{self, Database};
use async_trait::async_trait;
use rusqlite::types::Value;
use rusqlite::{ErrorCode, OptionalExtension, TransactionBehavior, params, params_from_iter};
use std::error::Error as _;
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result};

/// The table `sessions`.
#[derive(Debug, Clone)]
pub(in crate::session) struct SqliteStore {
    database: Database,
    clock: Clock,
}

impl SqliteStore {
    pub(in crate::session) fn new(database: Database, clock: Clock) -> Self {
        Self { database, clock }
    }
}

#[async_trait]
impl SessionStore for SqliteStore {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let row = Row::of(record)?;
        let inserted = self.database.ask(move |connection| {
            connection
                .prepare_cached(
                    "INSERT INTO sessions (id, expires_at, last_used, data) VALUES (?, ?, ?, ?)",
                )?
                .execute(params![
                    row.id.0.to_be_bytes(),
                    millis(row.expires_at),
                    millis(row.last_used),
                    row.data
                ])
        });
        match inserted.await {
            Ok(_) => Ok(()),
            Err(state::Error::Sqlite(error))
                if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) =>
            {
                Err(Error::Backend("the session is there already".to_owned()))
            }
            Err(error) => Err(backend(error)),
        }
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let row = Row::of(record)?;
        let updated = self.database.ask(move |connection| {
            connection
                .prepare_cached(
                    "UPDATE sessions SET expires_at = ?, last_used = ?, data = ? WHERE id = ?",
                )?
                .execute(params![
                    millis(row.expires_at),
                    millis(row.last_used),
                    row.data,
                    row.id.0.to_be_bytes()
                ])
        });
        updated.await.map(drop).map_err(backend)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let (id, now) = (*id, self.clock.now());
        let found = self.database.ask(move |connection| {
            connection
                .prepare_cached(
                    "SELECT expires_at, last_used, data FROM sessions \
                     WHERE id = ? AND expires_at > ?",
                )?
                .query_row(params![id.0.to_be_bytes(), millis(now)], |row| {
                    Ok(Row {
                        id,
                        expires_at: timestamp(row.get(0)?),
                        last_used: timestamp(row.get(1)?),
                        data: row.get(2)?,
                    })
                })
                .optional()
        });
        found.await.map_err(backend)?.map(Row::record).transpose()
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        let id = id.0.to_be_bytes();
        let deleted = self.database.ask(move |connection| {
            connection
                .prepare_cached("DELETE FROM sessions WHERE id = ?")?
                .execute([id])
        });
        deleted.await.map(drop).map_err(backend)
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn touch(&self, used: Vec<Touch>) -> Result<()> {
        if used.is_empty() {
            return Ok(());
        }
        let updated = self.database.ask(move |connection| {
            // One transaction, as each one waits for the disk.
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut update = transaction
                .prepare_cached("UPDATE sessions SET expires_at = ?, last_used = ? WHERE id = ?")?;
            for touch in used {
                update.execute(params![
                    millis(touch.expires_at),
                    millis(touch.last_used),
                    touch.id.0.to_be_bytes()
                ])?;
            }
            drop(update);
            transaction.commit()
        });
        updated.await.map_err(backend)
    }

    async fn delete_expired(&self, now: Timestamp) -> Result<()> {
        let deleted = self.database.ask(move |connection| {
            connection
                .prepare_cached("DELETE FROM sessions WHERE expires_at <= ?")?
                .execute([millis(now)])
        });
        deleted.await.map(drop).map_err(backend)
    }

    async fn find(&self, which: &Which, now: Timestamp, limit: u32) -> Result<Vec<Record>> {
        let (clause, mut values) = clause(which);
        values.extend([Value::from(millis(now)), Value::from(limit)]);
        let sql = format!(
            "SELECT {ROW} FROM sessions WHERE {clause} AND expires_at > ? \
             ORDER BY last_used DESC, id DESC LIMIT ?"
        );
        self.rows(sql, values).await
    }

    async fn remove(&self, which: &Which, until: Timestamp) -> Result<Vec<Record>> {
        let (clause, mut values) = clause(which);
        values.push(Value::from(millis(until)));
        // One statement is one transaction. What cannot be read goes with the others.
        let sql = format!(
            "DELETE FROM sessions WHERE {clause} AND ifnull(signed_in_at, 0) <= ? RETURNING {ROW}"
        );
        self.rows(sql, values).await
    }

    async fn count(&self) -> Result<usize> {
        let counted = self.database.ask(|connection| {
            connection
                .prepare_cached("SELECT COUNT(*) FROM sessions")?
                .query_row([], |row| row.get::<_, i64>(0))
        });
        let counted = counted.await.map_err(backend)?;
        Ok(usize::try_from(counted).unwrap_or_default())
    }

    async fn ready(&self) -> Result<()> {
        // Not only reading: on a file system that has become read-only nobody can sign in.
        let locked = self.database.ask(|connection| {
            connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?
                .rollback()
        });
        locked.await.map_err(backend)
    }
}

impl SqliteStore {
    async fn rows(&self, sql: String, values: Vec<Value>) -> Result<Vec<Record>> {
        let found = self.database.ask(move |connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map(params_from_iter(values), |row| {
                Ok(Row {
                    id: Id(i128::from_be_bytes(row.get(0)?)),
                    expires_at: timestamp(row.get(1)?),
                    last_used: timestamp(row.get(2)?),
                    data: row.get(3)?,
                })
            })?;
            rows.collect::<rusqlite::Result<Vec<Row>>>()
        });
        let rows = found.await.map_err(backend)?;
        // One that cannot be read is as good as gone, and does not hide the others.
        Ok(rows
            .into_iter()
            .filter_map(|row| row.record().ok())
            .collect())
    }
}

/// The columns of a [`Row`].
const ROW: &str = "id, expires_at, last_used, data";

/// What finds these sessions, by the indexed columns that are computed from the facts.
fn clause(which: &Which) -> (String, Vec<Value>) {
    match which {
        Which::All => ("TRUE".to_owned(), Vec::new()),
        // What is no handle names nothing: no id is empty.
        Which::Handle(handle) => ("id = ?".to_owned(), vec![bytes(handle)]),
        Which::Username(name) => (
            "username = ?".to_owned(),
            vec![name.as_str().to_owned().into()],
        ),
        Which::OthersOf { username, but } => (
            "username = ? AND id <> ?".to_owned(),
            vec![username.as_str().to_owned().into(), bytes(but)],
        ),
        Which::Subject {
            provider,
            issuer,
            subject,
            sid,
        } => {
            let (mut text, mut values) = ("provider = ?".to_owned(), vec![provider.clone().into()]);
            for (column, value) in [("issuer", issuer), ("subject", subject), ("sid", sid)] {
                if let Some(value) = value {
                    text.push_str(&format!(" AND {column} = ?"));
                    values.push(value.clone().into());
                }
            }
            (text, values)
        }
    }
}

fn bytes(handle: &str) -> Value {
    let id = id_of(handle).map(|id| id.0.to_be_bytes().to_vec());
    id.unwrap_or_default().into()
}

/// Sqlite's integers are signed.
fn millis(at: Timestamp) -> i64 {
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX)
}

fn timestamp(millis: i64) -> Timestamp {
    Timestamp::from_millis(u64::try_from(millis).unwrap_or_default())
}

/// The trait's error carries text alone, so the cause goes into it.
fn backend(error: state::Error) -> Error {
    Error::Backend(match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    })
}
