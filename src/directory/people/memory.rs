//! People who are gone with the process.

use super::{Entry, Error, MOST_OF_ONE_ADDRESS, People};
use crate::identity::{Email, GroupName, Username};
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
pub(super) struct MemoryPeople(Mutex<Tables>);

/// Usernames are in lower case here, groups are their keys.
#[derive(Debug, Default)]
struct Tables {
    people: BTreeMap<String, Entry>,
    groups: BTreeMap<String, GroupName>,
    memberships: BTreeSet<(String, String)>,
}

impl MemoryPeople {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lower(username: &Username) -> String {
    username.as_str().to_ascii_lowercase()
}

#[async_trait]
impl People for MemoryPeople {
    async fn by_username(&self, username: &Username) -> Result<Option<Entry>, Error> {
        Ok(self.tables().people.get(&lower(username)).cloned())
    }

    async fn by_email(&self, email: &Email) -> Result<Vec<Entry>, Error> {
        let tables = self.tables();
        let fits = |entry: &&Entry| entry.email.eq_ignore_ascii_case(email.as_str());
        let found = tables.people.values().filter(fits);
        Ok(found.take(MOST_OF_ONE_ADDRESS.into()).cloned().collect())
    }

    async fn groups_of(&self, username: &Username) -> Result<BTreeSet<GroupName>, Error> {
        let (tables, username) = (self.tables(), lower(username));
        Ok(tables
            .memberships
            .iter()
            .filter(|(member, _)| *member == username)
            .filter_map(|(_, group)| tables.groups.get(group).cloned())
            .collect())
    }

    async fn existing(&self, groups: &[GroupName]) -> Result<BTreeSet<GroupName>, Error> {
        let tables = self.tables();
        let found = groups.iter().filter_map(|g| tables.groups.get(&g.key()));
        Ok(found.cloned().collect())
    }

    async fn has_others(&self, group: &GroupName, than: &Username) -> Result<bool, Error> {
        let (tables, than, group) = (self.tables(), lower(than), group.key());
        Ok(tables.memberships.iter().any(|(member, of)| {
            *of == group
                && *member != than
                && tables.people.get(member).is_some_and(|entry| entry.active)
        }))
    }

    async fn create(&self, entry: Entry) -> Result<bool, Error> {
        let mut tables = self.tables();
        let key = lower(&entry.username);
        if tables.people.contains_key(&key) {
            return Ok(false);
        }
        tables.people.insert(key, entry);
        Ok(true)
    }

    async fn update(&self, entry: Entry) -> Result<(), Error> {
        match self.tables().people.get_mut(&lower(&entry.username)) {
            Some(known) => {
                let username = known.username.clone();
                *known = Entry { username, ..entry };
                Ok(())
            }
            None => Err(Error::NobodyOfThatName(entry.username)),
        }
    }

    async fn create_group(&self, group: &GroupName) -> Result<bool, Error> {
        let mut tables = self.tables();
        if tables.groups.contains_key(&group.key()) {
            return Ok(false);
        }
        tables.groups.insert(group.key(), group.clone());
        Ok(true)
    }

    async fn add(&self, username: &Username, groups: &[GroupName]) -> Result<(), Error> {
        let mut tables = self.tables();
        let member = lower(username);
        if !tables.people.contains_key(&member) {
            return Err(Error::NobodyOfThatName(username.clone()));
        }
        if let Some(missing) = groups
            .iter()
            .find(|g| !tables.groups.contains_key(&g.key()))
        {
            return Err(Error::NoSuchGroup(missing.clone()));
        }
        for group in groups {
            tables.memberships.insert((member.clone(), group.key()));
        }
        Ok(())
    }

    async fn remove(&self, username: &Username, group: &GroupName) -> Result<bool, Error> {
        let membership = (lower(username), group.key());
        Ok(self.tables().memberships.remove(&membership))
    }
}
