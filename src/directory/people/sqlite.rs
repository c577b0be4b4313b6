//! People in the state file.

use super::{Entry, Error, MOST_OF_ONE_ADDRESS, People};
use crate::identity::{Email, GroupName, Username};
use crate::state::Database;
use async_trait::async_trait;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use std::collections::BTreeSet;

/// The tables `people`, `people_groups` and `memberships`.
#[derive(Debug)]
pub(super) struct SqlitePeople(Database);

impl SqlitePeople {
    pub(super) fn new(database: Database) -> Self {
        Self(database)
    }
}

#[async_trait]
impl People for SqlitePeople {
    async fn by_username(&self, username: &Username) -> Result<Option<Entry>, Error> {
        let username = username.clone();
        let found = self.0.ask(move |connection| {
            connection
                .prepare_cached(
                    "SELECT username, display_name, email, active FROM people WHERE username = ?",
                )?
                .query_row([username.as_str()], entry)
                .optional()
        });
        Ok(found.await?)
    }

    async fn by_email(&self, email: &Email) -> Result<Vec<Entry>, Error> {
        let email = email.clone();
        let found = self.0.ask(move |connection| {
            connection
                .prepare_cached(
                    "SELECT username, display_name, email, active FROM people WHERE email = ? \
                     ORDER BY username LIMIT ?",
                )?
                .query_map(params![email.as_str(), MOST_OF_ONE_ADDRESS], entry)?
                .collect()
        });
        Ok(found.await?)
    }

    async fn groups_of(&self, username: &Username) -> Result<BTreeSet<GroupName>, Error> {
        let username = username.clone();
        let found = self.0.ask(move |connection| {
            connection
                .prepare_cached(
                    "SELECT name FROM memberships JOIN people_groups ON key = group_key \
                     WHERE username = ?",
                )?
                .query_map([username.as_str()], |row| group(row, 0))?
                .collect()
        });
        Ok(found.await?)
    }

    async fn existing(&self, groups: &[GroupName]) -> Result<BTreeSet<GroupName>, Error> {
        let keys: Vec<_> = groups.iter().map(GroupName::key).collect();
        let found = self.0.ask(move |connection| {
            let mut find =
                connection.prepare_cached("SELECT name FROM people_groups WHERE key = ?")?;
            let mut found = BTreeSet::new();
            for key in keys {
                found.extend(find.query_row([key], |row| group(row, 0)).optional()?);
            }
            Ok(found)
        });
        Ok(found.await?)
    }

    async fn has_others(&self, group: &GroupName, than: &Username) -> Result<bool, Error> {
        let (key, than) = (group.key(), than.clone());
        let found = self.0.ask(move |connection| {
            connection
                .prepare_cached(
                    "SELECT 1 FROM memberships JOIN people USING (username) \
                     WHERE group_key = ? AND username <> ? AND active",
                )?
                .exists(params![key, than.as_str()])
        });
        Ok(found.await?)
    }

    async fn create(&self, entry: Entry) -> Result<bool, Error> {
        let made = self.0.ask(move |connection| {
            connection
                .prepare_cached("INSERT OR IGNORE INTO people VALUES (?, ?, ?, ?)")?
                .execute(params![
                    entry.username.as_str(),
                    entry.display_name,
                    entry.email,
                    entry.active
                ])
        });
        Ok(made.await? > 0)
    }

    async fn update(&self, entry: Entry) -> Result<(), Error> {
        let username = entry.username.clone();
        let changed = self.0.ask(move |connection| {
            connection
                .prepare_cached(
                    "UPDATE people SET display_name = ?, email = ?, active = ? WHERE username = ?",
                )?
                .execute(params![
                    entry.display_name,
                    entry.email,
                    entry.active,
                    entry.username.as_str()
                ])
        });
        match changed.await? {
            0 => Err(Error::NobodyOfThatName(username)),
            _ => Ok(()),
        }
    }

    async fn create_group(&self, group: &GroupName) -> Result<bool, Error> {
        let group = group.clone();
        let made = self.0.ask(move |connection| {
            connection
                .prepare_cached("INSERT OR IGNORE INTO people_groups VALUES (?, ?)")?
                .execute([&group.key(), group.as_str()])
        });
        Ok(made.await? > 0)
    }

    async fn add(&self, username: &Username, groups: &[GroupName]) -> Result<(), Error> {
        let (member, wanted) = (username.clone(), groups.to_vec());
        let added = self.0.ask(move |connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let added = add(&transaction, &member, &wanted)?;
            if matches!(added, Added::All) {
                transaction.commit()?;
            }
            Ok(added)
        });
        match added.await? {
            Added::All => Ok(()),
            Added::Nobody => Err(Error::NobodyOfThatName(username.clone())),
            Added::NoGroup(group) => Err(Error::NoSuchGroup(group)),
        }
    }

    async fn remove(&self, username: &Username, group: &GroupName) -> Result<bool, Error> {
        let (username, key) = (username.clone(), group.key());
        let removed = self.0.ask(move |connection| {
            connection
                .prepare_cached("DELETE FROM memberships WHERE username = ? AND group_key = ?")?
                .execute([username.as_str(), &key])
        });
        Ok(removed.await? > 0)
    }
}

/// What the transaction came to.
enum Added {
    All,
    Nobody,
    NoGroup(GroupName),
}

fn add(
    transaction: &Transaction<'_>,
    member: &Username,
    groups: &[GroupName],
) -> rusqlite::Result<Added> {
    if !exists(
        transaction,
        "SELECT 1 FROM people WHERE username = ?",
        member.as_str(),
    )? {
        return Ok(Added::Nobody);
    }
    for group in groups {
        let key = group.key();
        if !exists(
            transaction,
            "SELECT 1 FROM people_groups WHERE key = ?",
            &key,
        )? {
            return Ok(Added::NoGroup(group.clone()));
        }
        transaction
            .prepare_cached("INSERT OR IGNORE INTO memberships VALUES (?, ?)")?
            .execute([member.as_str(), &key])?;
    }
    Ok(Added::All)
}

fn exists(connection: &Connection, question: &str, about: &str) -> rusqlite::Result<bool> {
    connection.prepare_cached(question)?.exists([about])
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        username: Username::parse(row.get::<_, String>(0)?).map_err(|e| unreadable(0, e))?,
        display_name: row.get(1)?,
        email: row.get(2)?,
        active: row.get(3)?,
    })
}

fn group(row: &Row<'_>, column: usize) -> rusqlite::Result<GroupName> {
    GroupName::parse(row.get::<_, String>(column)?).map_err(|e| unreadable(column, e))
}

fn unreadable(column: usize, invalid: crate::identity::Invalid) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(invalid))
}
