//! What somewhere that people are made known has to be able to do: Bitbucket, or the directory.

use super::Error;
use super::plan::{Account, Place};
use crate::identity::{Email, GroupName, Username};
use async_trait::async_trait;
use std::collections::BTreeSet;
use tokio::time::Instant;

/// What became of the making of somebody.
#[derive(Debug)]
pub(super) enum Made {
    /// This account.
    Now(Account),
    /// Somebody else has taken the username a moment ago.
    Already,
}

/// Of some groups: which give administration, and which of these have nobody else who is active.
#[derive(Debug, Default)]
pub(super) struct Administration {
    pub(super) gives: BTreeSet<GroupName>,
    pub(super) last: BTreeSet<GroupName>,
}

/// A place where people are made known. Every call gives up at `until` at the latest.
#[async_trait]
pub(super) trait Target: std::fmt::Debug + Send + Sync {
    fn place(&self) -> Place;

    /// The username of the account that this program itself uses there, if there is one and it is
    /// known.
    fn own_name(&self) -> Option<&str> {
        None
    }

    /// The account of this username, compared without case.
    async fn by_username(
        &self,
        username: &Username,
        until: Instant,
    ) -> Result<Option<Account>, Error>;

    /// The account of this address, compared without case; several are [`Error::Ambiguous`].
    async fn by_email(&self, email: &Email, until: Instant) -> Result<Option<Account>, Error>;

    /// The groups of somebody who exists.
    async fn member_of(
        &self,
        username: &Username,
        until: Instant,
    ) -> Result<BTreeSet<GroupName>, Error>;

    /// Those of the groups that exist, in the target's spelling.
    async fn existing(
        &self,
        groups: &[GroupName],
        until: Instant,
    ) -> Result<BTreeSet<GroupName>, Error>;

    /// What would be lost if somebody left these groups, of which they are a member.
    async fn administration(
        &self,
        username: &Username,
        groups: &[GroupName],
        until: Instant,
    ) -> Result<Administration, Error>;

    /// Whether somebody who is in these groups may sign in to Bitbucket at all.
    async fn may_sign_in(
        &self,
        username: &Username,
        groups: &BTreeSet<String>,
        until: Instant,
    ) -> Result<bool, Error>;

    async fn create(
        &self,
        username: &Username,
        display_name: &str,
        email: &Email,
        until: Instant,
    ) -> Result<Made, Error>;

    async fn update(
        &self,
        username: &Username,
        display_name: &str,
        email: &str,
        until: Instant,
    ) -> Result<(), Error>;

    /// Makes a group; one that is there already is fine.
    async fn create_group(&self, group: &GroupName, until: Instant) -> Result<(), Error>;

    async fn add_to(
        &self,
        username: &Username,
        groups: &[GroupName],
        until: Instant,
    ) -> Result<(), Error>;

    /// Takes somebody out of a group; one that they are not in any more is fine.
    async fn remove_from(
        &self,
        username: &Username,
        group: &GroupName,
        until: Instant,
    ) -> Result<(), Error>;
}
