//! Bitbucket's REST interface, as far as making people known needs it (`/rest/api/latest`, the same
//! paths since Bitbucket 4).
//!
//! What it is like, and what is easily done wrong: somebody is made with query parameters and an
//! answer without a body; an address is `emailAddress` when read and `email` when written; every
//! filter is a search for a part of several fields, so equality is checked here; 401 also means
//! "forbidden"; a 404 that does not name an exception is somebody else's, not "already gone".

mod answer;
mod groups;
mod http;
mod pages;
mod permissions;
mod users;

use self::http::{Ask, Http};
use super::Error;
use super::plan::{Account, Place};
use super::target::{Administration, Made, Target};
use crate::clock::Clock;
use crate::config::BitbucketAccess;
use crate::identity::{Email, GroupName, Username};
use async_trait::async_trait;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

/// What calls may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Name resolution, TCP and TLS.
    pub(super) connect: Duration,
    /// One call, its body included.
    pub(super) call: Duration,
    /// Bytes of a body.
    pub(super) body: usize,
    /// The first pause before something is tried again; each further one is twice as long.
    pub(super) step: Duration,
    /// How long nobody tries to connect after that failed.
    pub(super) rest: Duration,
    /// Entries of all pages together that are looked through.
    pub(super) entries: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            call: Duration::from_secs(10),
            body: 4 * 1024 * 1024,
            step: Duration::from_millis(200),
            rest: Duration::from_secs(5),
            entries: 10_000,
        }
    }
}

/// How often something is tried before it is an error.
const TRIES: u32 = 5;

/// Bitbucket, as its service account sees it.
#[derive(Debug)]
pub(super) struct Bitbucket {
    http: Http,
    limits: Limits,
}

impl Bitbucket {
    pub(super) fn new(
        access: &BitbucketAccess,
        limits: Limits,
        clock: Clock,
    ) -> Result<Self, Error> {
        Ok(Self {
            http: Http::new(access, limits, clock)?,
            limits,
        })
    }

    /// The pause after a number of tries, if there is still time for it.
    async fn pause(&self, tries: u32, until: Instant) -> bool {
        let pause = self.limits.step.saturating_mul(1 << tries.min(8));
        let fits = Instant::now() + pause < until;
        if fits {
            tokio::time::sleep(pause).await;
        }
        fits
    }

    /// Somebody who was made a moment ago may not be known everywhere for some seconds: what says
    /// "no such user" is tried again.
    async fn settled(&self, ask: &Ask, until: Instant) -> Result<(), Error> {
        for tries in 0..TRIES {
            match self.http.send(ask, until).await {
                Err(Error::Missing { said, .. })
                    if said.mentions(&["nosuchuser", "no such user"], &[])
                        && tries + 1 < TRIES
                        && self.pause(tries, until).await => {}
                answer => return answer.map(drop),
            }
        }
        // The last try returned.
        Err(Error::Timeout { call: ask.call })
    }
}

#[async_trait]
impl Target for Bitbucket {
    fn place(&self) -> Place {
        Place::Bitbucket
    }

    fn own_name(&self) -> Option<&str> {
        self.http.own_name()
    }

    async fn by_username(
        &self,
        username: &Username,
        until: Instant,
    ) -> Result<Option<Account>, Error> {
        self.user_by_name(username, until).await
    }

    async fn by_email(&self, email: &Email, until: Instant) -> Result<Option<Account>, Error> {
        self.user_by_email(email, until).await
    }

    async fn member_of(
        &self,
        username: &Username,
        until: Instant,
    ) -> Result<BTreeSet<GroupName>, Error> {
        self.groups_of_user(username, until).await
    }

    async fn existing(
        &self,
        groups: &[GroupName],
        until: Instant,
    ) -> Result<BTreeSet<GroupName>, Error> {
        self.groups_that_exist(groups, until).await
    }

    async fn administration(
        &self,
        username: &Username,
        groups: &[GroupName],
        until: Instant,
    ) -> Result<Administration, Error> {
        let giving = self.administrators_groups(until).await?;
        let mut found = Administration::default();
        for group in groups.iter().filter(|group| giving.contains(&group.key())) {
            found.gives.insert(group.clone());
            if !self.has_other_members(group, username, until).await? {
                found.last.insert(group.clone());
            }
        }
        Ok(found)
    }

    async fn may_sign_in(
        &self,
        username: &Username,
        groups: &BTreeSet<String>,
        until: Instant,
    ) -> Result<bool, Error> {
        Ok(self.any_is_licensed(groups, until).await?
            || self.user_is_licensed(username, until).await?)
    }

    async fn create(
        &self,
        username: &Username,
        display_name: &str,
        email: &Email,
        until: Instant,
    ) -> Result<Made, Error> {
        self.make_user(username, display_name, email, until).await
    }

    async fn update(
        &self,
        username: &Username,
        display_name: &str,
        email: &str,
        until: Instant,
    ) -> Result<(), Error> {
        self.change_user(username, display_name, email, until).await
    }

    async fn create_group(&self, group: &GroupName, until: Instant) -> Result<(), Error> {
        self.make_group(group, until).await
    }

    async fn add_to(
        &self,
        username: &Username,
        groups: &[GroupName],
        until: Instant,
    ) -> Result<(), Error> {
        self.add_user_to_groups(username, groups, until).await
    }

    async fn remove_from(
        &self,
        username: &Username,
        group: &GroupName,
        until: Instant,
    ) -> Result<(), Error> {
        self.remove_user_from_group(username, group, until).await
    }
}
