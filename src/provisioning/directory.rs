//! The built-in directory as a target. Everything in it can be written, and it gives no permissions:
//! whoever it knows may sign in, and administrators are those of `admin.groups`.

use super::Error;
use super::plan::{Account, Place};
use super::target::{Administration, Made, Target};
use crate::directory::people::{Entry, People};
use crate::identity::{Email, GroupName, Username};
use async_trait::async_trait;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::time::Instant;

#[derive(Debug)]
pub(super) struct Directory {
    people: Arc<dyn People>,
    /// The keys of `admin.groups`.
    administrators: BTreeSet<String>,
}

impl Directory {
    pub(super) fn new(people: Arc<dyn People>, administrators: &[GroupName]) -> Self {
        Self {
            people,
            administrators: administrators.iter().map(GroupName::key).collect(),
        }
    }
}

fn account(entry: Entry) -> Account {
    Account {
        username: entry.username,
        display_name: entry.display_name,
        email: entry.email,
        active: entry.active,
        mutable_details: true,
        mutable_groups: true,
        directory: None,
    }
}

#[async_trait]
impl Target for Directory {
    fn place(&self) -> Place {
        Place::Directory
    }

    async fn by_username(&self, username: &Username, _: Instant) -> Result<Option<Account>, Error> {
        Ok(self.people.by_username(username).await?.map(account))
    }

    async fn by_email(&self, email: &Email, _: Instant) -> Result<Option<Account>, Error> {
        let mut found = self.people.by_email(email).await?;
        match found.len() {
            0 | 1 => Ok(found.pop().map(account)),
            count => Err(Error::Ambiguous {
                target: Place::Directory.name(),
                email: email.as_str().to_owned(),
                count,
            }),
        }
    }

    async fn member_of(
        &self,
        username: &Username,
        _: Instant,
    ) -> Result<BTreeSet<GroupName>, Error> {
        Ok(self.people.groups_of(username).await?)
    }

    async fn existing(
        &self,
        groups: &[GroupName],
        _: Instant,
    ) -> Result<BTreeSet<GroupName>, Error> {
        Ok(self.people.existing(groups).await?)
    }

    async fn administration(
        &self,
        username: &Username,
        groups: &[GroupName],
        _: Instant,
    ) -> Result<Administration, Error> {
        let mut found = Administration::default();
        for group in groups {
            if self.administrators.contains(&group.key()) {
                found.gives.insert(group.clone());
                if !self.people.has_others(group, username).await? {
                    found.last.insert(group.clone());
                }
            }
        }
        Ok(found)
    }

    async fn may_sign_in(
        &self,
        _: &Username,
        _: &BTreeSet<String>,
        _: Instant,
    ) -> Result<bool, Error> {
        Ok(true)
    }

    async fn create(
        &self,
        username: &Username,
        display_name: &str,
        email: &Email,
        _: Instant,
    ) -> Result<Made, Error> {
        let entry = Entry {
            username: username.clone(),
            display_name: display_name.to_owned(),
            email: email.as_str().to_owned(),
            active: true,
        };
        if self.people.create(entry.clone()).await? {
            Ok(Made::Now(account(entry)))
        } else {
            Ok(Made::Already)
        }
    }

    async fn update(
        &self,
        username: &Username,
        display_name: &str,
        email: &str,
        _: Instant,
    ) -> Result<(), Error> {
        let entry = Entry {
            username: username.clone(),
            display_name: display_name.to_owned(),
            email: email.to_owned(),
            // Whoever is not active was refused before.
            active: true,
        };
        Ok(self.people.update(entry).await?)
    }

    async fn create_group(&self, group: &GroupName, _: Instant) -> Result<(), Error> {
        self.people.create_group(group).await?;
        Ok(())
    }

    async fn add_to(
        &self,
        username: &Username,
        groups: &[GroupName],
        _: Instant,
    ) -> Result<(), Error> {
        Ok(self.people.add(username, groups).await?)
    }

    async fn remove_from(
        &self,
        username: &Username,
        group: &GroupName,
        _: Instant,
    ) -> Result<(), Error> {
        self.people.remove(username, group).await?;
        Ok(())
    }
}
