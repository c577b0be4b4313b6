//! Groups, and who is in them.

use super::{Directory, MAX_GROUPS, Permission, Register, same};
use crate::demo::bitbucket::refusal::Refusal;
use std::collections::BTreeSet;

const MAX_NAME: usize = 255;

/// A group.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) name: String,
    /// The global permission that it gives its members.
    pub(crate) granted: Option<Permission>,
    pub(crate) directory: Directory,
    /// People by id, so that nobody leaves it by being renamed.
    pub(crate) members: BTreeSet<u64>,
}

impl Register {
    /// All of them, by name.
    pub(crate) fn groups(&self) -> Vec<&Group> {
        let mut groups: Vec<_> = self.groups.iter().collect();
        groups.sort_by_key(|group| group.name.to_lowercase());
        groups
    }

    pub(crate) fn find_group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|group| same(&group.name, name))
    }

    pub(crate) fn group(&self, name: &str) -> Result<&Group, Refusal> {
        self.find_group(name)
            .ok_or_else(|| Refusal::NoSuchGroup(name.to_owned()))
    }

    pub(super) fn group_mut(&mut self, name: &str) -> Result<&mut Group, Refusal> {
        self.groups
            .iter_mut()
            .find(|group| same(&group.name, name))
            .ok_or_else(|| Refusal::NoSuchGroup(name.to_owned()))
    }

    /// The groups that somebody is in.
    pub(crate) fn groups_of(&self, id: u64) -> impl Iterator<Item = &Group> {
        self.groups
            .iter()
            .filter(move |group| group.members.contains(&id))
    }

    /// Makes a group, whoever looks after it.
    pub(crate) fn add_group(&mut self, name: &str, directory: Directory) -> Result<(), Refusal> {
        if name.trim().is_empty() || name.chars().count() > MAX_NAME {
            return Err(Refusal::invalid(
                "name",
                "The name of the group is blank or too long",
            ));
        }
        if self.find_group(name).is_some() {
            return Err(Refusal::GroupExists(name.to_owned()));
        }
        if self.groups.len() >= MAX_GROUPS {
            return Err(Refusal::Full);
        }
        self.groups.push(Group {
            name: name.to_owned(),
            granted: None,
            directory,
            members: BTreeSet::new(),
        });
        Ok(())
    }

    /// Makes a group as the call does.
    pub(crate) fn create_group(&mut self, name: &str) -> Result<(), Refusal> {
        if self.find_group(name).is_none() && self.read_only {
            return Err(Refusal::ReadOnlyDirectory(Directory::Internal.name()));
        }
        self.add_group(name, Directory::Internal)
    }

    /// Forgets a group as the call does.
    pub(crate) fn delete_group(&mut self, name: &str) -> Result<(), Refusal> {
        let directory = self.group(name)?.directory;
        if !self.writable(directory).groups {
            return Err(Refusal::ReadOnlyDirectory(directory.name()));
        }
        self.groups.retain(|group| !same(&group.name, name));
        Ok(())
    }

    /// Whether Bitbucket may say who is in a group.
    fn may_change(&self, username: &str, group: &str) -> Result<(), Refusal> {
        let places = [
            self.person(username)?.directory,
            self.group(group)?.directory,
        ];
        match places
            .into_iter()
            .find(|place| !self.writable(*place).groups)
        {
            Some(place) => Err(Refusal::ReadOnlyDirectory(place.name())),
            None => Ok(()),
        }
    }

    /// Puts somebody into a group as the call does; being in it already is no mistake.
    pub(crate) fn enter(&mut self, username: &str, group: &str) -> Result<(), Refusal> {
        self.may_change(username, group)?;
        self.join(username, group)
    }

    /// The same without asking who looks after them.
    pub(crate) fn join(&mut self, username: &str, group: &str) -> Result<(), Refusal> {
        let id = self.person(username)?.id;
        self.group_mut(group)?.members.insert(id);
        Ok(())
    }

    /// Takes somebody out of a group as the call does.
    pub(crate) fn leave(&mut self, username: &str, group: &str) -> Result<(), Refusal> {
        let id = self.person(username)?.id;
        if !self.group(group)?.members.contains(&id) {
            return Err(Refusal::NotAMember {
                user: username.to_owned(),
                group: group.to_owned(),
            });
        }
        self.may_change(username, group)?;
        self.group_mut(group)?.members.remove(&id);
        Ok(())
    }
}
