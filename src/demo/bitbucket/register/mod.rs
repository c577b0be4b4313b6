//! Whom Bitbucket knows: people, groups, who is in which, and what that lets them do.
//!
//! One value behind one lock. A change is made on a copy that takes the original's place only when
//! nothing speaks against the whole, so a call that is refused has changed nothing.

mod groups;
mod people;
mod permissions;

pub(super) use groups::Group;
pub use people::{Account, Directory};
pub(super) use people::{Person, Writable};
pub use permissions::Permission;

use super::Setup;
use super::refusal::Refusal;
use crate::clock::Timestamp;
use crate::secret::Secret;

/// People that are remembered; more is 503.
const MAX_PEOPLE: usize = 2000;
/// Groups that are remembered.
const MAX_GROUPS: usize = 2000;
/// Tokens that are remembered.
const MAX_TOKENS: usize = 1000;

/// What a bearer token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// An HTTP access token, which administrative calls refuse.
    AccessToken,
    /// An OAuth 2.0 access token, which may do all that its person may.
    OAuth,
}

#[derive(Debug, Clone)]
struct Token {
    value: Secret<String>,
    owner: u64,
    kind: TokenKind,
}

/// Everything that is known.
#[derive(Debug, Clone)]
pub(super) struct Register {
    people: Vec<Person>,
    groups: Vec<Group>,
    tokens: Vec<Token>,
    next_id: u64,
    /// Where `addToDefaultGroup` adds to.
    default_group: String,
    /// Seats of the licence; none: as many as you like.
    limit: Option<usize>,
    /// Whether Bitbucket may not write into its own directory either.
    read_only: bool,
    /// For how many calls a person who is new can't be found by calls about groups and permissions.
    hide_new: usize,
}

impl Register {
    pub(super) fn new(setup: &Setup, first_id: u64) -> Self {
        let mut register = Self {
            people: Vec::new(),
            groups: Vec::new(),
            tokens: Vec::new(),
            next_id: first_id,
            default_group: setup.default_group.clone(),
            limit: None,
            read_only: false,
            hide_new: 0,
        };
        // A setup that says something twice has said it.
        for (name, permission) in &setup.groups {
            let _ = register.add_group(name, Directory::Internal);
            let _ = register.grant_to_group(name, *permission);
        }
        let known = Account {
            password: Some(setup.password.clone()),
            ..Account::new(&setup.username)
        };
        let (name, password) = &setup.administrator;
        let administrator = Account {
            password: Some(password.clone()),
            ..Account::new(name)
        };
        for account in [known, administrator] {
            let username = account.username.clone();
            let _ = register.add(account);
            let _ = register.join(&username, &setup.default_group);
        }
        let _ = register.grant_to_person(name, Some(Permission::Admin));
        let _ = register.add_token(
            &setup.username,
            setup.password.clone(),
            TokenKind::AccessToken,
        );
        register
    }

    /// Makes a change for somebody, whole or not at all: not when it needs more seats than the
    /// licence has, and not when it takes from whoever asks for it.
    pub(super) fn attempt<T>(
        &mut self,
        caller: u64,
        change: impl FnOnce(&mut Self) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let mut after = self.clone();
        let done = change(&mut after)?;
        if let Some(limit) = self.limit
            && after.seats() > limit.max(self.seats())
        {
            return Err(Refusal::LicenceFull(limit));
        }
        if after.level(caller) < self.level(caller) {
            return Err(Refusal::OwnLevel);
        }
        *self = after;
        Ok(done)
    }

    /// What somebody may, by themselves and by their groups. Nothing: they can't log in.
    pub(super) fn level(&self, id: u64) -> Option<Permission> {
        let person = self.people.iter().find(|person| person.id == id)?;
        let by_group = self.groups_of(id).filter_map(|group| group.granted).max();
        if person.active {
            person.granted.max(by_group)
        } else {
            None
        }
    }

    /// Seats of the licence that are taken.
    pub(super) fn seats(&self) -> usize {
        let taken = |person: &&Person| self.level(person.id).is_some();
        self.people.iter().filter(taken).count()
    }

    pub(super) fn limit(&self) -> Option<usize> {
        self.limit
    }

    pub(super) fn set_limit(&mut self, limit: Option<usize>) {
        self.limit = limit;
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.read_only
    }

    pub(super) fn set_read_only(&mut self, read_only: bool) {
        self.read_only = read_only;
    }

    pub(super) fn set_hide_new(&mut self, calls: usize) {
        self.hide_new = calls;
    }

    /// What Bitbucket may write into a directory.
    pub(super) fn writable(&self, directory: Directory) -> Writable {
        match directory {
            Directory::Internal => Writable {
                details: !self.read_only,
                groups: !self.read_only,
            },
            Directory::LocalGroups => Writable {
                details: false,
                groups: true,
            },
            Directory::ReadOnly => Writable {
                details: false,
                groups: false,
            },
        }
    }

    pub(super) fn add_token(
        &mut self,
        username: &str,
        value: Secret<String>,
        kind: TokenKind,
    ) -> Result<(), Refusal> {
        let owner = self.person(username)?.id;
        if self.tokens.len() >= MAX_TOKENS {
            return Err(Refusal::Full);
        }
        self.tokens.push(Token { value, owner, kind });
        Ok(())
    }

    /// Whose token this is, and of which kind.
    pub(super) fn bearer(&self, value: &str) -> Option<(u64, TokenKind)> {
        let token = self
            .tokens
            .iter()
            .find(|token| people::same_secret(&token.value, value))?;
        Some((token.owner, token.kind))
    }

    /// Notes that somebody has just proven who they are.
    pub(super) fn authenticated(&mut self, id: u64, now: Timestamp) {
        if let Some(person) = self.people.iter_mut().find(|person| person.id == id) {
            person.authenticated = Some(now);
        }
    }
}

/// Bitbucket compares names of people and groups without case.
pub(super) fn same(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

/// Filters are substrings, without case, and an empty one lets everything through.
pub(super) fn contains(field: &str, filter: &str) -> bool {
    field.to_lowercase().contains(&filter.to_lowercase())
}
