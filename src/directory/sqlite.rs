//! Pins in the state file.

use super::{Claim, Error, Identity, Pins, Standing, Subject, Whom, confirmed, decide};
use crate::clock::Timestamp;
use crate::identity::{Email, Username};
use crate::state::Database;
use async_trait::async_trait;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

/// The columns, in the order in which [`identity`] reads them.
const COLUMNS: &str =
    "issuer, subject, provider, username, verified_email, first_seen, last_seen, facts";

/// The table `identities`.
#[derive(Debug)]
pub(super) struct SqlitePins(Database);

impl SqlitePins {
    pub(super) fn new(database: Database) -> Self {
        Self(database)
    }

    /// Immediate: it holds the file from the first question on.
    async fn transact<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let done = self.0.ask(move |connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        });
        Ok(done.await?)
    }
}

#[async_trait]
impl Pins for SqlitePins {
    async fn pin(&self, claim: Claim, now: Timestamp, write: bool) -> Result<Standing, Error> {
        self.transact(move |connection| {
            let own = find(connection, &claim.subject)?;
            // The column folds ASCII case.
            let owners = of(connection, &claim.username)?;
            let decision = decide(own.as_ref(), &owners, &claim);
            if write && decision.is_ok() {
                put(connection, &confirmed(own.as_ref(), claim, now))?;
            }
            Ok(decision)
        })
        .await?
    }

    async fn find(&self, subject: &Subject) -> Result<Option<Identity>, Error> {
        let subject = subject.clone();
        Ok(self.0.ask(move |c| find(c, &subject)).await?)
    }

    async fn list(&self, username: Option<&Username>, limit: u32) -> Result<Vec<Identity>, Error> {
        let username = username.cloned();
        let list = self.0.ask(move |connection| {
            let name = username.as_ref().map(Username::as_str);
            connection
                .prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM identities WHERE ?1 IS NULL OR username = ?1 \
                     ORDER BY username, issuer LIMIT ?2"
                ))?
                .query_map(params![name, limit], identity)?
                .collect()
        });
        Ok(list.await?)
    }

    async fn put(&self, identity: Identity) -> Result<Option<Username>, Error> {
        self.transact(move |connection| {
            let before = find(connection, &identity.subject)?;
            put(connection, &identity)?;
            Ok(before.map(|before| before.username))
        })
        .await
    }

    async fn forget(&self, who: Whom) -> Result<usize, Error> {
        self.transact(move |connection| match who {
            Whom::Username(name) => connection
                .prepare_cached("DELETE FROM identities WHERE username = ?")?
                .execute([name.as_str()]),
            Whom::Subject(subject) => connection
                .prepare_cached("DELETE FROM identities WHERE issuer = ? AND subject = ?")?
                .execute([subject.issuer, subject.subject]),
        })
        .await
    }
}

fn find(connection: &Connection, subject: &Subject) -> rusqlite::Result<Option<Identity>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM identities WHERE issuer = ? AND subject = ?"
        ))?
        .query_row([&subject.issuer, &subject.subject], identity)
        .optional()
}

fn of(connection: &Connection, username: &Username) -> rusqlite::Result<Vec<Identity>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM identities WHERE username = ? ORDER BY first_seen"
        ))?
        .query_map([username.as_str()], identity)?
        .collect()
}

fn put(connection: &Connection, identity: &Identity) -> rusqlite::Result<()> {
    connection
        .prepare_cached(&format!(
            "INSERT OR REPLACE INTO identities ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        ))?
        .execute(params![
            identity.subject.issuer,
            identity.subject.subject,
            identity.provider,
            identity.username.as_str(),
            identity.verified_email.as_ref().map(Email::as_str),
            stored(identity.first_seen),
            stored(identity.last_seen),
            identity.facts,
        ])?;
    Ok(())
}

fn identity(row: &Row<'_>) -> rusqlite::Result<Identity> {
    let username = Username::parse(row.get::<_, String>(3)?).map_err(|invalid| {
        rusqlite::Error::FromSqlConversionFailure(3, Type::Text, Box::new(invalid))
    })?;
    let email: Option<String> = row.get(4)?;
    Ok(Identity {
        subject: Subject {
            issuer: row.get(0)?,
            subject: row.get(1)?,
        },
        provider: row.get(2)?,
        username,
        // What no longer parses links nobody.
        verified_email: email.and_then(|email| Email::parse(&email).ok()),
        first_seen: timestamp(row, 5)?,
        last_seen: timestamp(row, 6)?,
        facts: row.get(7)?,
    })
}

fn stored(at: Timestamp) -> i64 {
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX)
}

fn timestamp(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    let millis: i64 = row.get(column)?;
    Ok(Timestamp::from_millis(
        u64::try_from(millis).unwrap_or_default(),
    ))
}
