//! People: who there is, and what is known of them.

use super::{MAX_PEOPLE, Permission, Register, contains, same};
use crate::clock::Timestamp;
use crate::demo::bitbucket::refusal::Refusal;
use crate::secret::Secret;
use aws_lc_rs::constant_time;

/// The longest name that is taken.
const MAX_NAME: usize = 255;

/// Who looks after a person or a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Directory {
    /// Bitbucket itself.
    Internal,
    /// Somebody else, but Bitbucket may add its own groups: `mutableGroups` without
    /// `mutableDetails`.
    LocalGroups,
    /// Somebody else alone.
    ReadOnly,
}

impl Directory {
    /// All of them, in the order in which Bitbucket asks them.
    pub(crate) const ALL: [Self; 3] = [Self::Internal, Self::LocalGroups, Self::ReadOnly];

    /// `directoryName`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Internal => "Bitbucket Internal Directory",
            Self::LocalGroups => "Company LDAP with local groups",
            Self::ReadOnly => "Company LDAP",
        }
    }

    /// The `type` of a directory in the list of directories.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Internal => "Internal",
            Self::LocalGroups | Self::ReadOnly => "LDAP",
        }
    }
}

/// What Bitbucket may write about somebody: `mutableDetails` and `mutableGroups`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Writable {
    pub(crate) details: bool,
    pub(crate) groups: bool,
}

/// Somebody to make known.
#[derive(Debug, Clone)]
pub struct Account {
    /// The username.
    pub username: String,
    /// The display name.
    pub name: String,
    /// The e-mail address.
    pub email: String,
    /// The password; none: none works.
    pub password: Option<Secret<String>>,
    /// Where they live.
    pub directory: Directory,
    /// Whether their directory lets them in.
    pub active: bool,
}

impl Account {
    /// Somebody of Bitbucket's own directory, called what their username is, with an address of
    /// `example.com` and no password.
    #[must_use]
    pub fn new(username: &str) -> Self {
        Self {
            username: username.to_owned(),
            name: username.to_owned(),
            email: format!("{}@example.com", slug(username)),
            password: None,
            directory: Directory::Internal,
            active: true,
        }
    }
}

/// Somebody who is known.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) id: u64,
    pub(crate) username: String,
    /// What stands for them in addresses.
    pub(crate) slug: String,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) password: Option<Secret<String>>,
    pub(crate) directory: Directory,
    pub(crate) active: bool,
    /// Their own global permission, without what groups give.
    pub(crate) granted: Option<Permission>,
    pub(crate) authenticated: Option<Timestamp>,
    /// For so many calls more, nobody finds them.
    hidden: usize,
}

impl Person {
    /// Whether one of the three fields that a search looks at has this in it.
    pub(crate) fn matches(&self, filter: &str) -> bool {
        [&self.username, &self.name, &self.email]
            .into_iter()
            .any(|field| contains(field, filter))
    }
}

impl Register {
    /// Everybody, by username.
    pub(crate) fn people(&self) -> Vec<&Person> {
        let mut people: Vec<_> = self.people.iter().collect();
        people.sort_by_key(|person| person.username.to_lowercase());
        people
    }

    pub(crate) fn find(&self, username: &str) -> Option<&Person> {
        self.people
            .iter()
            .find(|person| same(&person.username, username))
    }

    pub(crate) fn by_id(&self, id: u64) -> Option<&Person> {
        self.people.iter().find(|person| person.id == id)
    }

    pub(crate) fn by_slug(&self, slug: &str) -> Option<&Person> {
        self.people.iter().find(|person| same(&person.slug, slug))
    }

    pub(crate) fn person(&self, username: &str) -> Result<&Person, Refusal> {
        self.find(username)
            .ok_or_else(|| Refusal::NoSuchUser(username.to_owned()))
    }

    fn person_mut(&mut self, username: &str) -> Result<&mut Person, Refusal> {
        self.people
            .iter_mut()
            .find(|person| same(&person.username, username))
            .ok_or_else(|| Refusal::NoSuchUser(username.to_owned()))
    }

    /// As calls about groups and permissions find people: those who are new may be missed for a
    /// while.
    pub(crate) fn appear(&mut self, username: &str) -> Result<(), Refusal> {
        let person = self.person_mut(username)?;
        if person.hidden > 0 {
            person.hidden -= 1;
            return Err(Refusal::NoSuchUser(username.to_owned()));
        }
        Ok(())
    }

    /// Makes somebody known, whoever looks after them.
    pub(crate) fn add(&mut self, account: Account) -> Result<(), Refusal> {
        let Account { username, .. } = &account;
        if username.trim().is_empty() || username.chars().count() > MAX_NAME {
            return Err(Refusal::invalid(
                "name",
                "The username is blank or too long",
            ));
        }
        if self.find(username).is_some() {
            return Err(Refusal::UserExists(username.clone()));
        }
        if self.people.len() >= MAX_PEOPLE {
            return Err(Refusal::Full);
        }
        let slug = self.free_slug(username);
        self.people.push(Person {
            id: self.next_id,
            slug,
            username: account.username,
            name: account.name,
            email: account.email,
            password: account.password,
            directory: account.directory,
            active: account.active,
            granted: None,
            authenticated: None,
            hidden: 0,
        });
        self.next_id += 1;
        Ok(())
    }

    /// Makes somebody known as the call does: in the first directory that Bitbucket may write.
    pub(crate) fn create(
        &mut self,
        account: Account,
        add_to_default_group: bool,
    ) -> Result<(), Refusal> {
        // A name that is taken is the better news where both are true.
        if self.find(&account.username).is_some() {
            return Err(Refusal::UserExists(account.username));
        }
        if self.read_only {
            return Err(Refusal::ReadOnlyDirectory(Directory::Internal.name()));
        }
        let username = account.username.clone();
        self.add(account)?;
        if add_to_default_group {
            let group = self.default_group.clone();
            self.join(&username, &group)?;
        }
        let hidden = self.hide_new;
        self.person_mut(&username)?.hidden = hidden;
        Ok(())
    }

    fn details_of(&mut self, username: &str) -> Result<&mut Person, Refusal> {
        let directory = self.person(username)?.directory;
        if !self.writable(directory).details {
            return Err(Refusal::ReadOnlyDirectory(directory.name()));
        }
        self.person_mut(username)
    }

    pub(crate) fn describe(
        &mut self,
        username: &str,
        name: &str,
        email: &str,
    ) -> Result<(), Refusal> {
        let person = self.details_of(username)?;
        person.name = name.to_owned();
        person.email = email.to_owned();
        Ok(())
    }

    /// The slug follows the name.
    pub(crate) fn rename(&mut self, username: &str, new: &str) -> Result<(), Refusal> {
        let id = self.details_of(username)?.id;
        if self.find(new).is_some_and(|person| person.id != id) {
            return Err(Refusal::UserExists(new.to_owned()));
        }
        let person = self.details_of(username)?;
        person.slug.clear();
        let slug = self.free_slug(new);
        let person = self.details_of(username)?;
        person.username = new.to_owned();
        person.slug = slug;
        Ok(())
    }

    pub(crate) fn set_password(
        &mut self,
        username: &str,
        password: Secret<String>,
    ) -> Result<(), Refusal> {
        self.details_of(username)?.password = Some(password);
        Ok(())
    }

    /// Forgets somebody, with their memberships, permission and tokens, as the call does.
    pub(crate) fn delete(&mut self, username: &str) -> Result<(), Refusal> {
        self.details_of(username)?;
        self.forget(username)
    }

    /// The same without asking who looks after them.
    pub(crate) fn forget(&mut self, username: &str) -> Result<(), Refusal> {
        let id = self.person(username)?.id;
        self.people.retain(|person| person.id != id);
        self.tokens.retain(|token| token.owner != id);
        for group in &mut self.groups {
            group.members.remove(&id);
        }
        Ok(())
    }

    /// Who has this name and this password.
    pub(crate) fn with_password(&self, username: &str, password: &str) -> Option<&Person> {
        let person = self.find(username)?;
        let right = same_secret(person.password.as_ref()?, password);
        right.then_some(person)
    }

    /// A slug that nobody has: the name in lower case, with `_` for what an address can't show, and
    /// a number where that is taken.
    fn free_slug(&self, username: &str) -> String {
        let plain = slug(username);
        let taken = |slug: &str| self.people.iter().any(|person| person.slug == slug);
        if !taken(&plain) {
            return plain;
        }
        // There are fewer people than numbers.
        (1..)
            .map(|number: u32| format!("{plain}{number}"))
            .find(|slug| !taken(slug))
            .unwrap_or(plain)
    }
}

fn slug(username: &str) -> String {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.-".contains(c);
    username
        .to_lowercase()
        .chars()
        .map(|c| if fits(c) { c } else { '_' })
        .collect()
}

pub(super) fn same_secret(known: &Secret<String>, said: &str) -> bool {
    let known = known.expose().as_bytes();
    constant_time::verify_slices_are_equal(known, said.as_bytes()).is_ok()
}
