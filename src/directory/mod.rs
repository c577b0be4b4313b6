//! The people that the gateway knows: which `issuer` and `sub` each username belongs to.
//!
//! A username is what Bitbucket goes by, and a provider lets people change theirs. So the first
//! sign-in pins the username to the provider's unchanging name for the person; whoever else claims
//! it later is refused, as is the same person under another name. Only an administrator lets a
//! second subject have a name ([`Identities::relink`]), or a rule of the configuration that he wrote
//! ([`Claim::link_by`]). The emergency sign-in is not pinned, because it is no provider's.
//!
//! [`people`] is the built-in directory, for when no other one knows them.

mod memory;
pub mod people;
mod sqlite;

#[cfg(test)]
mod tests;

use crate::clock::{Clock, Timestamp};
use crate::config;
use crate::identity::{Email, Username};
use crate::state::{self, Database};
use async_trait::async_trait;
use memory::MemoryPins;
use serde::{Deserialize, Serialize};
use sqlite::SqlitePins;
use std::sync::Arc;

/// A person at a provider: `issuer` and subject, compared byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
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

/// Somebody who claims a username at a sign-in.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Who, for the provider.
    pub subject: Subject,
    /// The provider's id in the configuration.
    pub provider: String,
    /// The name.
    pub username: Username,
    /// The address, if the provider says explicitly that it is verified. Kept for later links.
    pub verified_email: Option<Email>,
    /// `users.link_providers` when `users.link_by_verified_email` is on and `provider` is one of
    /// them; else empty. A subject of another issuer that has the name and came by one of these
    /// with the same verified address is the same person.
    pub link_by: Vec<String>,
    /// What the sign-in knew about the person, as JSON, for `provision --dry-run`.
    pub facts: Option<String>,
}

/// What a pin says to a claim that it does not refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nobody had the name, and the subject none.
    New,
    /// As at the sign-ins before.
    Known,
    /// A subject of this issuer has the name, and is the same person by the configuration's rule.
    Linked {
        /// The other subject's issuer.
        issuer: String,
    },
}

/// A pin, for an administrator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The provider's side.
    #[serde(flatten)]
    pub subject: Subject,
    /// The provider's id at the last sign-in; empty for pins of earlier versions.
    pub provider: String,
    /// The name in Bitbucket.
    pub username: Username,
    /// The address at the last sign-in, if it was explicitly verified.
    pub verified_email: Option<Email>,
    /// The first sign-in, or when an administrator made the pin.
    #[serde(with = "millis")]
    pub first_seen: Timestamp,
    /// The last sign-in.
    #[serde(with = "millis")]
    pub last_seen: Timestamp,
    /// What the last sign-in knew about the person, as JSON.
    pub facts: Option<String>,
}

/// What a store of pins does, each in one step that nothing can get between.
#[async_trait]
trait Pins: std::fmt::Debug + Send + Sync {
    /// Decides about a claim, and writes the pin down if asked to. A confirmed pin keeps the
    /// spelling of the first sign-in.
    async fn pin(&self, claim: Claim, now: Timestamp, write: bool) -> Result<Standing, Error>;
    /// Reads one pin.
    async fn find(&self, subject: &Subject) -> Result<Option<Identity>, Error>;
    /// Pins by username, or all of them, at most `limit`, in the order of usernames.
    async fn list(&self, username: Option<&Username>, limit: u32) -> Result<Vec<Identity>, Error>;
    /// Writes a pin over whatever was there. Answers what was.
    async fn put(&self, identity: Identity) -> Result<Option<Username>, Error>;
    /// Takes pins away: those of a username, or one subject's. Answers how many.
    async fn forget(&self, who: Whom) -> Result<usize, Error>;
}

/// Whose pins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whom {
    /// Every subject's that has this name.
    Username(Username),
    /// This one's.
    Subject(Subject),
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
    pub async fn pin(&self, claim: Claim) -> Result<Standing, Error> {
        self.pins.pin(claim, self.clock.now(), true).await
    }

    /// What [`Identities::pin`] would answer, without writing anything down.
    ///
    /// # Errors
    ///
    /// Those of [`Identities::pin`].
    pub async fn standing(&self, claim: Claim) -> Result<Standing, Error> {
        self.pins.pin(claim, self.clock.now(), false).await
    }

    /// The pin of a subject.
    ///
    /// # Errors
    ///
    /// If the store cannot be used.
    pub async fn find(&self, subject: &Subject) -> Result<Option<Identity>, Error> {
        self.pins.find(subject).await
    }

    /// The pins of a username, or of everybody, in the order of usernames; at most `limit`.
    ///
    /// # Errors
    ///
    /// If the store cannot be used.
    pub async fn list(
        &self,
        username: Option<&Username>,
        limit: u32,
    ) -> Result<Vec<Identity>, Error> {
        self.pins.list(username, limit).await
    }

    /// Gives a subject a username, whoever else has it, and whatever the subject had: an
    /// administrator's word. Answers the name that the subject had.
    ///
    /// # Errors
    ///
    /// If the store cannot be used.
    pub async fn relink(
        &self,
        subject: &Subject,
        provider: &str,
        username: &Username,
    ) -> Result<Option<Username>, Error> {
        let now = self.clock.now();
        let before = self.pins.find(subject).await?;
        let identity = Identity {
            subject: subject.clone(),
            provider: provider.to_owned(),
            username: username.clone(),
            // An address that was verified for the other name vouches for nobody's.
            verified_email: None,
            first_seen: before.as_ref().map_or(now, |before| before.first_seen),
            last_seen: before.map_or(now, |before| before.last_seen),
            facts: None,
        };
        self.pins.put(identity).await
    }

    /// Forgets pins: the next sign-in pins anew. Answers how many there were.
    ///
    /// # Errors
    ///
    /// If the store cannot be used.
    pub async fn forget(&self, who: Whom) -> Result<usize, Error> {
        self.pins.forget(who).await
    }
}

/// The one decision about a claim: `own` is the subject's pin, `owners` are all pins of the name.
fn decide(own: Option<&Identity>, owners: &[Identity], claim: &Claim) -> Result<Standing, Error> {
    if let Some(own) = own {
        return if same(&own.username, &claim.username) {
            Ok(Standing::Known)
        } else {
            Err(Error::Renamed {
                pinned: own.username.clone(),
                claimed: claim.username.clone(),
            })
        };
    }
    let Some(owner) = owners.first() else {
        return Ok(Standing::New);
    };
    // A second subject of the same issuer is another account there, whatever its address: an
    // address is given to somebody else when its owner has left.
    let same_issuer = owners
        .iter()
        .any(|owner| owner.subject.issuer == claim.subject.issuer);
    let by_address = owners.iter().find(|owner| {
        claim.verified_email.is_some()
            && owner.verified_email == claim.verified_email
            && claim.link_by.contains(&owner.provider)
    });
    match by_address {
        Some(owner) if !same_issuer => Ok(Standing::Linked {
            issuer: owner.subject.issuer.clone(),
        }),
        _ => Err(Error::Taken {
            username: claim.username.clone(),
            issuer: owner.subject.issuer.clone(),
        }),
    }
}

/// The pin that a claim leaves behind: the first spelling and time stay.
fn confirmed(before: Option<&Identity>, claim: Claim, now: Timestamp) -> Identity {
    Identity {
        username: before.map_or(claim.username, |before| before.username.clone()),
        first_seen: before.map_or(now, |before| before.first_seen),
        last_seen: now,
        subject: claim.subject,
        provider: claim.provider,
        verified_email: claim.verified_email,
        facts: claim.facts,
    }
}

/// Whether two usernames are one for Bitbucket. They are ASCII.
fn same(one: &Username, other: &Username) -> bool {
    one.as_str().eq_ignore_ascii_case(other.as_str())
}

/// Milliseconds since 1970.
mod millis {
    use crate::clock::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
    pub(super) fn serialize<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(at.as_millis())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        u64::deserialize(from).map(Timestamp::from_millis)
    }
}
