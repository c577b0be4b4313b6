//! The handle by which tests and the demo say and see whom Bitbucket knows.

use super::refusal::Refusal;
use super::register::{Account, Directory, Permission, Register, TokenKind};
use super::{Bitbucket, Shared};
use crate::clock::Timestamp;
use crate::random;
use crate::secret::Secret;
use std::sync::Arc;

/// People, groups, memberships and permissions. What is said here needs nobody's permission and is
/// no REST call.
#[derive(Debug, Clone)]
pub struct People(Arc<Shared>);

/// What is known of somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Details {
    /// Stays the same when the name changes.
    pub id: u64,
    /// The username, spelled as it was created.
    pub username: String,
    /// What stands for it in addresses.
    pub slug: String,
    /// The display name.
    pub name: String,
    /// The e-mail address.
    pub email: String,
    /// Whether a password is set.
    pub has_password: bool,
    /// Where they live.
    pub directory: Directory,
    /// Whether their directory lets them in.
    pub active: bool,
    /// Their groups, by name.
    pub groups: Vec<String>,
    /// The global permission that they were given themselves.
    pub granted: Option<Permission>,
    /// The highest that they have; none: they can't log in.
    pub permission: Option<Permission>,
    /// When they were last there.
    pub last_authentication: Option<Timestamp>,
}

impl Bitbucket {
    /// Whom it knows.
    #[must_use]
    pub fn people(&self) -> People {
        People(Arc::clone(&self.shared))
    }

    /// Whether Bitbucket may not write into its own directory: nobody can be created or changed, no
    /// group either.
    pub fn set_read_only_directory(&self, read_only: bool) {
        self.shared.register().set_read_only(read_only);
    }

    /// How many people the licence lets in; none: any number.
    pub fn set_licence_limit(&self, limit: Option<usize>) {
        self.shared.register().set_limit(limit);
    }

    /// Whoever is created from now on is not found by the next `calls` calls that put them into a
    /// group or give them a permission, as it happens for some seconds with the real one.
    pub fn hide_new_users(&self, calls: usize) {
        self.shared.register().set_hide_new(calls);
    }
}

impl People {
    /// Makes somebody known, in whichever directory, licence or not.
    ///
    /// # Errors
    ///
    /// If the name is taken or no name, or there is no room.
    pub fn add_user(&self, account: Account) -> Result<(), Refusal> {
        self.0.register().add(account)
    }

    /// Forgets somebody.
    ///
    /// # Errors
    ///
    /// If nobody is called that.
    pub fn remove_user(&self, username: &str) -> Result<(), Refusal> {
        self.0.register().forget(username)
    }

    /// Makes a group of Bitbucket's own directory.
    ///
    /// # Errors
    ///
    /// If the name is taken or no name, or there is no room.
    pub fn add_group(&self, name: &str) -> Result<(), Refusal> {
        self.add_group_of(name, Directory::Internal)
    }

    /// Makes a group of any directory. Nobody can be put into one that is read-only.
    ///
    /// # Errors
    ///
    /// As for [`Self::add_group`].
    pub fn add_group_of(&self, name: &str, directory: Directory) -> Result<(), Refusal> {
        self.0.register().add_group(name, directory)
    }

    /// Puts somebody into a group, whoever looks after the two.
    ///
    /// # Errors
    ///
    /// If there is no such person or group.
    pub fn join(&self, username: &str, group: &str) -> Result<(), Refusal> {
        self.0.register().join(username, group)
    }

    /// Gives somebody a global permission in place of the one they have; none: takes it.
    ///
    /// # Errors
    ///
    /// If nobody is called that.
    pub fn grant_user(
        &self,
        username: &str,
        permission: Option<Permission>,
    ) -> Result<(), Refusal> {
        self.0.register().grant_to_person(username, permission)
    }

    /// The same for a group.
    ///
    /// # Errors
    ///
    /// If no group is called that.
    pub fn grant_group(&self, name: &str, permission: Option<Permission>) -> Result<(), Refusal> {
        self.0.register().grant_to_group(name, permission)
    }

    /// A new bearer token of somebody.
    ///
    /// # Errors
    ///
    /// If nobody is called that, or there is no room.
    pub fn issue_token(&self, username: &str, kind: TokenKind) -> Result<Secret<String>, Refusal> {
        let value = Secret::new(random::token());
        self.0.register().add_token(username, value.clone(), kind)?;
        Ok(value)
    }

    /// What is known of somebody, found without case.
    #[must_use]
    pub fn user(&self, username: &str) -> Option<Details> {
        let register = self.0.register();
        let id = register.find(username)?.id;
        details(&register, id)
    }

    /// Everybody, by username.
    #[must_use]
    pub fn users(&self) -> Vec<Details> {
        everybody(&self.0.register())
    }

    /// Every group, by name.
    #[must_use]
    pub fn groups(&self) -> Vec<String> {
        let register = self.0.register();
        let groups = register.groups().into_iter();
        groups.map(|group| group.name.clone()).collect()
    }

    /// The groups of somebody, by name; none of nobody.
    #[must_use]
    pub fn groups_of(&self, username: &str) -> Vec<String> {
        self.user(username)
            .map(|user| user.groups)
            .unwrap_or_default()
    }

    /// The people of a group, by username; none of no group.
    #[must_use]
    pub fn members(&self, group: &str) -> Vec<String> {
        let register = self.0.register();
        let Some(group) = register.find_group(group) else {
            return Vec::new();
        };
        let people = register.people().into_iter();
        people
            .filter(|person| group.members.contains(&person.id))
            .map(|person| person.username.clone())
            .collect()
    }

    /// Whether this is somebody's password.
    #[must_use]
    pub fn has_password(&self, username: &str, password: &str) -> bool {
        self.0
            .register()
            .with_password(username, password)
            .is_some()
    }
}

/// Everybody, by username.
pub(super) fn everybody(register: &Register) -> Vec<Details> {
    let people = register.people().into_iter();
    people
        .filter_map(|person| details(register, person.id))
        .collect()
}

fn details(register: &Register, id: u64) -> Option<Details> {
    let person = register.by_id(id)?;
    let mut groups: Vec<_> = register
        .groups_of(id)
        .map(|group| group.name.clone())
        .collect();
    groups.sort_by_key(|name| name.to_lowercase());
    Some(Details {
        id,
        username: person.username.clone(),
        slug: person.slug.clone(),
        name: person.name.clone(),
        email: person.email.clone(),
        has_password: person.password.is_some(),
        directory: person.directory,
        active: person.active,
        groups,
        granted: person.granted,
        permission: register.level(id),
        last_authentication: person.authenticated,
    })
}
