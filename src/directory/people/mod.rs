//! The built-in directory: people, groups, and who is in which, for when no other directory knows
//! them. Usernames are compared without ASCII case, groups by [`GroupName::key`], addresses without
//! ASCII case, all as Bitbucket does.

mod memory;
mod sqlite;

#[cfg(test)]
mod tests;

use crate::config;
use crate::identity::{Email, GroupName, Username};
use crate::state::{self, Database};
use async_trait::async_trait;
use memory::MemoryPeople;
use sqlite::SqlitePeople;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Why the directory could not be asked, or would not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody has this username.
    #[error("nobody in the directory has the username \"{0}\"")]
    NobodyOfThatName(Username),
    /// No group has this name.
    #[error("there is no group \"{0}\" in the directory")]
    NoSuchGroup(GroupName),
    /// The state file failed.
    #[error("the store of people cannot be used")]
    Store(#[from] state::Error),
}

/// Somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The username, in the spelling of its making.
    pub username: Username,
    /// The full name.
    pub display_name: String,
    /// The e-mail address; empty: none.
    pub email: String,
    /// Whether they may sign in.
    pub active: bool,
}

/// How many people of one address are told apart; more are as bad as two.
const MOST_OF_ONE_ADDRESS: u8 = 10;

/// Who is known, and in which groups. Each call is one step that nothing can get between.
#[async_trait]
pub trait People: std::fmt::Debug + Send + Sync {
    /// Somebody by username.
    async fn by_username(&self, username: &Username) -> Result<Option<Entry>, Error>;
    /// Everybody with an address, ten at most.
    async fn by_email(&self, email: &Email) -> Result<Vec<Entry>, Error>;
    /// The groups of somebody; none for whoever is not known.
    async fn groups_of(&self, username: &Username) -> Result<BTreeSet<GroupName>, Error>;
    /// Those of the groups that exist, in their own spelling.
    async fn existing(&self, groups: &[GroupName]) -> Result<BTreeSet<GroupName>, Error>;
    /// Whether somebody else who is active is in a group.
    async fn has_others(&self, group: &GroupName, than: &Username) -> Result<bool, Error>;
    /// Makes somebody; `false`: the username is taken, and nothing changed.
    async fn create(&self, entry: Entry) -> Result<bool, Error>;
    /// Changes what is known of somebody, all but the username.
    async fn update(&self, entry: Entry) -> Result<(), Error>;
    /// Makes a group; `false`: it was there.
    async fn create_group(&self, group: &GroupName) -> Result<bool, Error>;
    /// Adds somebody to groups, to all or none of them.
    async fn add(&self, username: &Username, groups: &[GroupName]) -> Result<(), Error>;
    /// Takes somebody out of a group; `false`: they were not in it.
    async fn remove(&self, username: &Username, group: &GroupName) -> Result<bool, Error>;
}

/// Opens the store that the sessions use too.
///
/// # Errors
///
/// If it cannot be opened.
pub async fn open(store: &config::Store) -> Result<Arc<dyn People>, Error> {
    Ok(match store {
        config::Store::Memory => Arc::new(MemoryPeople::default()),
        config::Store::Sqlite(path) => Arc::new(SqlitePeople::new(Database::open(path).await?)),
    })
}
