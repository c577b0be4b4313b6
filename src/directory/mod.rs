//! The people that the gateway knows: which `issuer` and `sub` each username belongs to.
//!
//! A username is what Bitbucket goes by, and a provider lets people change theirs. So the first
//! sign-in pins the username to the provider's unchanging name for the person; whoever else claims
//! it later is refused, as is the same person under another name. There is no merging here, and no
//! way around: the emergency sign-in is not pinned, because it is no provider's.

mod memory;
mod sqlite;

#[cfg(test)]
mod tests;

use crate::clock::{Clock, Timestamp};
use crate::config;
use crate::identity::Username;
use crate::state::{self, Database};
use async_trait::async_trait;
use memory::MemoryPins;
use sqlite::SqlitePins;
use std::sync::Arc;

/// A person at a provider: `issuer` and subject, compared byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Subject {
    /// The provider's issuer.
    pub issuer: String,
    /// The provider's unchanging name for the person.
    pub subject: String,
}

/// Why a pin was refused, or could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another subject has this username (compared without case).
    #[error("the username \"{username}\" belongs to another subject of \"{issuer}\"")]
    Taken {
        /// The username.
        username: Username,
        /// The issuer of the one who has it.
        issuer: String,
    },
    /// This subject has another username.
    #[error("this subject is pinned to \"{pinned}\" and now claims \"{claimed}\"")]
    Renamed {
        /// The username of the first sign-in.
        pinned: Username,
        /// The one claimed now.
        claimed: Username,
    },
    /// The state file failed.
    #[error("the identity store cannot be used")]
    Store(#[from] state::Error),
}

/// What is known of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pin {
    username: Username,
    first_seen: Timestamp,
    last_seen: Timestamp,
}

/// What a store of pins does, in one step that nothing can get between.
#[async_trait]
trait Pins: std::fmt::Debug + Send + Sync {
    /// Pins or confirms. A confirmed pin keeps the spelling of the first sign-in.
    async fn pin(
        &self,
        subject: &Subject,
        username: &Username,
        now: Timestamp,
    ) -> Result<(), Error>;
    /// Reads a pin.
    #[cfg(test)]
    async fn find(&self, subject: &Subject) -> Result<Option<Pin>, Error>;
}

/// The pins of `issuer` + `sub` to usernames. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Identities {
    pins: Arc<dyn Pins>,
    clock: Clock,
}

impl Identities {
    /// Opens the store that the sessions use too.
    ///
    /// # Errors
    ///
    /// If it cannot be opened.
    pub async fn open(store: &config::Store, clock: Clock) -> Result<Self, Error> {
        let pins: Arc<dyn Pins> = match store {
            config::Store::Memory => Arc::new(MemoryPins::default()),
            config::Store::Sqlite(path) => Arc::new(SqlitePins::new(Database::open(path).await?)),
        };
        Ok(Self { pins, clock })
    }

    /// Binds a subject to a username at the first sign-in and confirms it at each later one, in one
    /// atomic step. Usernames are compared without case, as Bitbucket does.
    ///
    /// # Errors
    ///
    /// [`Error::Taken`] and [`Error::Renamed`] are refusals, the rest are failures.
    pub async fn pin(&self, subject: &Subject, username: &Username) -> Result<(), Error> {
        self.pins.pin(subject, username, self.clock.now()).await
    }
}

/// Whether two usernames are one for Bitbucket. They are ASCII.
fn same(one: &Username, other: &Username) -> bool {
    one.as_str().eq_ignore_ascii_case(other.as_str())
}
