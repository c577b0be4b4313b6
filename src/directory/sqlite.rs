//! Pins in the state file.

use super::{Error, Pin, Pins, Subject, same};
use crate::clock::Timestamp;
use crate::identity::Username;
use crate::state::Database;
use async_trait::async_trait;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

/// The table `identities`.
#[derive(Debug)]
pub(super) struct SqlitePins(Database);

/// What the transaction found.
enum Found {
    Pinned,
    Renamed(Username),
    /// By a subject of this issuer.
    Taken(String),
}

impl SqlitePins {
    pub(super) fn new(database: Database) -> Self {
        Self(database)
    }
}

#[async_trait]
impl Pins for SqlitePins {
    async fn pin(
        &self,
        subject: &Subject,
        username: &Username,
        now: Timestamp,
    ) -> Result<(), Error> {
        let (subject, claimed) = (subject.clone(), username.clone());
        let found = self.0.ask(move |connection| {
            // Immediate: it holds the file from the first question on.
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let found = pin(&transaction, &subject, &claimed, now)?;
            transaction.commit()?;
            Ok(found)
        });
        match found.await? {
            Found::Pinned => Ok(()),
            Found::Renamed(pinned) => Err(Error::Renamed {
                pinned,
                claimed: username.clone(),
            }),
            Found::Taken(issuer) => Err(Error::Taken {
                username: username.clone(),
                issuer,
            }),
        }
    }

    #[cfg(test)]
    async fn find(&self, subject: &Subject) -> Result<Option<Pin>, Error> {
        let subject = subject.clone();
        Ok(self.0.ask(move |c| find(c, &subject)).await?)
    }
}

fn pin(
    connection: &Connection,
    subject: &Subject,
    username: &Username,
    now: Timestamp,
) -> rusqlite::Result<Found> {
    let now = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
    if let Some(pin) = find(connection, subject)? {
        if !same(&pin.username, username) {
            return Ok(Found::Renamed(pin.username));
        }
        connection
            .prepare_cached("UPDATE identities SET last_seen = ? WHERE issuer = ? AND subject = ?")?
            .execute(params![now, subject.issuer, subject.subject])?;
        return Ok(Found::Pinned);
    }
    // The column folds ASCII case.
    let owner = connection
        .prepare_cached("SELECT issuer FROM identities WHERE username = ?")?
        .query_row([username.as_str()], |row| row.get(0))
        .optional()?;
    if let Some(issuer) = owner {
        return Ok(Found::Taken(issuer));
    }
    connection
        .prepare_cached(
            "INSERT INTO identities (issuer, subject, username, first_seen, last_seen) \
             VALUES (?, ?, ?, ?, ?)",
        )?
        .execute(params![
            subject.issuer,
            subject.subject,
            username.as_str(),
            now,
            now
        ])?;
    Ok(Found::Pinned)
}

fn find(connection: &Connection, subject: &Subject) -> rusqlite::Result<Option<Pin>> {
    connection
        .prepare_cached(
            "SELECT username, first_seen, last_seen FROM identities \
             WHERE issuer = ? AND subject = ?",
        )?
        .query_row([&subject.issuer, &subject.subject], |row| {
            let username = Username::parse(row.get::<_, String>(0)?).map_err(|invalid| {
                rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(invalid))
            })?;
            Ok(Pin {
                username,
                first_seen: timestamp(row, 1)?,
                last_seen: timestamp(row, 2)?,
            })
        })
        .optional()
}

fn timestamp(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    let millis: i64 = row.get(column)?;
    Ok(Timestamp::from_millis(
        u64::try_from(millis).unwrap_or_default(),
    ))
}
