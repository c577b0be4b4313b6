//! What has to change so that Bitbucket knows a person as the provider does: one pure function.
//!
//! The rules are those of `[users]` and `[groups]`. Two kinds of membership are never ended whatever
//! the rules say: one in an excluded or default group, and that of the last administrator.

mod profile;
mod wish;
mod words;

pub(super) use wish::{Wish, may_change_groups};
pub(super) use words::quoted;

use super::Error;
use crate::config::{GroupMode, Groups, MatchBy, Users};
use crate::identity::{Email, GroupName, Username};
use crate::mapping::Candidate;
use crate::telemetry::metrics::Provisioned;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use wish::is_excluded;

/// Where people are made known, for messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Place {
    /// Bitbucket itself.
    #[default]
    Bitbucket,
    /// The built-in directory.
    Directory,
}

impl Place {
    /// As messages call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bitbucket => "Bitbucket",
            Self::Directory => "the directory",
        }
    }
}

/// Somebody as the target knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The username, in the target's spelling.
    pub username: Username,
    /// The full name, as the target has it; may be empty, may hold anything.
    pub display_name: String,
    /// The e-mail address, as the target has it; may be empty, may be none.
    pub email: String,
    /// Whether they may sign in at all.
    pub active: bool,
    /// Whether name and address can be written (`mutableDetails`).
    pub mutable_details: bool,
    /// Whether memberships can be written (`mutableGroups`).
    pub mutable_groups: bool,
    /// The directory they live in, for messages.
    pub directory: Option<String>,
}

/// What the target says, as far as the plan needs it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Who says it.
    pub place: Place,
    /// The account; none: nobody yet.
    pub account: Option<Account>,
    /// The groups that the account is in, in the target's spelling.
    pub member_of: BTreeSet<GroupName>,
    /// Of the groups that the plan may add to: those that exist.
    pub existing: BTreeSet<GroupName>,
    /// Of the groups in `member_of`: those that give administration and have no other active member.
    pub last_administrator_of: BTreeSet<GroupName>,
}

/// What happens to the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum AccountChange {
    /// It stays as it is.
    Keep,
    /// It is made.
    Create {
        /// The username.
        username: Username,
        /// The full name; the username where none is known.
        display_name: String,
        /// The address, which Bitbucket demands.
        email: Email,
    },
    /// Name or address change.
    Update {
        /// The username.
        username: Username,
        /// The full name afterwards; empty: it has none.
        display_name: String,
        /// The address afterwards; empty: it has none.
        email: String,
    },
}

/// The changes, and the reason for each of them and for each that is not made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The account.
    pub account: AccountChange,
    /// Groups to make.
    pub create_groups: Vec<GroupName>,
    /// Groups to add the person to.
    pub add_to: Vec<GroupName>,
    /// Groups to take the person out of.
    pub remove_from: Vec<GroupName>,
    /// Every decision, in words, changes first: `add to "dev": the provider's group "engineering"`.
    pub decisions: Vec<String>,
}

impl Plan {
    /// Whether nothing has to change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes().is_empty()
    }

    /// The decisions that change something, in the order in which they are carried out.
    #[must_use]
    pub fn changes(&self) -> &[String] {
        let account = usize::from(self.account != AccountChange::Keep);
        let groups = self.create_groups.len() + self.add_to.len() + self.remove_from.len();
        // One line each, and first; see `plan`.
        self.decisions.get(..account + groups).unwrap_or_default()
    }

    /// What metrics and the audit log call a plan that was carried out.
    #[must_use]
    pub fn outcome(&self) -> Provisioned {
        match self.account {
            AccountChange::Create { .. } => Provisioned::Created,
            _ if self.is_empty() => Provisioned::Unchanged,
            _ => Provisioned::Updated,
        }
    }

    /// Adds something that a person should know, and that is no change.
    pub(super) fn warn(&mut self, what: &str) {
        self.decisions.push(format!("warning: {what}"));
    }
}

/// For a terminal: a line for each decision, `+` before those that change something. What others
/// wrote is escaped in it.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changes = self.changes().len();
        match changes {
            0 => writeln!(f, "nothing has to change")?,
            1 => writeln!(f, "1 change")?,
            _ => writeln!(f, "{changes} changes")?,
        }
        for (at, decision) in self.decisions.iter().enumerate() {
            let sign = if at < changes { '+' } else { ' ' };
            writeln!(f, "  {sign} {decision}")?;
        }
        Ok(())
    }
}

/// Decides what has to change.
///
/// # Errors
///
/// The refusal of somebody who may not be made: [`Error::Unknown`], [`Error::NoMappedGroup`],
/// [`Error::NoEmail`]. Somebody who has an account is never refused here.
pub fn plan(
    username: &Username,
    candidate: &Candidate,
    known: &Known,
    users: &Users,
    groups: &Groups,
) -> Result<Plan, Error> {
    let mut changes = Vec::new();
    let mut others = Vec::new();
    let account = match &known.account {
        Some(account) => profile::update(account, candidate, users, &mut changes, &mut others),
        None => create(username, candidate, known, users, groups, &mut changes)?,
    };
    let wish = Wish::of(candidate, known, groups);
    let existing: BTreeMap<_, _> = known.existing.iter().map(|g| (g.key(), g)).collect();

    let (mut create_groups, mut add_to, mut remove_from) = (Vec::new(), Vec::new(), Vec::new());
    let mut added = Vec::new();
    for (key, wanted) in wish.add {
        let group = match existing.get(&key) {
            Some(existing) => (*existing).clone(),
            None if groups.create_missing => {
                let shown = quoted(wanted.group.as_str());
                changes.push(format!(
                    "create the group {shown}: {} has none of that name, and \
                     groups.create_missing is true",
                    known.place.name()
                ));
                create_groups.push(wanted.group.clone());
                wanted.group.clone()
            }
            None => {
                others.push(format!(
                    "do not add to {} ({}): {} has no such group, and groups.create_missing is false",
                    quoted(wanted.group.as_str()),
                    wanted.reasons(),
                    known.place.name()
                ));
                continue;
            }
        };
        let shown = quoted(group.as_str());
        added.push(format!("add to {shown}: {}", wanted.reasons()));
        add_to.push(group);
    }
    changes.append(&mut added);
    for group in wish.remove {
        let shown = quoted(group.as_str());
        if contains(&known.last_administrator_of, &group) {
            others.push(format!(
                "do not remove from {shown}: the group gives administration, and nobody else who \
                 is active is in it"
            ));
        } else {
            changes.push(format!(
                "remove from {shown}: the provider does not name it, and groups.keep_existing is \
                 false"
            ));
            remove_from.push(group);
        }
    }
    others.extend(wish.others);
    changes.append(&mut others);
    Ok(Plan {
        account,
        create_groups,
        add_to,
        remove_from,
        decisions: changes,
    })
}

/// Whether somebody whom the target does not know may be made.
pub(super) fn creatable<'a>(
    candidate: &'a Candidate,
    place: Place,
    users: &Users,
    groups: &Groups,
) -> Result<&'a Email, Error> {
    let target = place.name();
    if !users.create {
        let fact = fact(candidate, users);
        return Err(Error::Unknown { target, fact });
    }
    let mapped = groups.mode != GroupMode::Off
        && candidate
            .mapped_groups
            .iter()
            .any(|group| !is_excluded(group, groups));
    if groups.require_mapped_group_to_create && !mapped {
        return Err(Error::NoMappedGroup);
    }
    candidate
        .person
        .email
        .as_ref()
        .ok_or_else(|| Error::NoEmail {
            target,
            username: candidate.person.username.clone(),
        })
}

/// What the person is looked for by: `the username "ana"`.
fn fact(candidate: &Candidate, users: &Users) -> String {
    match (users.match_by, &candidate.person.email) {
        (MatchBy::Email, Some(email)) => format!("the e-mail address \"{email}\""),
        _ => format!("the username \"{}\"", candidate.person.username),
    }
}

fn create(
    username: &Username,
    candidate: &Candidate,
    known: &Known,
    users: &Users,
    groups: &Groups,
    changes: &mut Vec<String>,
) -> Result<AccountChange, Error> {
    let email = creatable(candidate, known.place, users, groups)?.clone();
    let display_name = match &candidate.person.display_name {
        Some(name) => name.as_str(),
        None => username.as_str(),
    };
    changes.push(format!(
        "create \"{username}\" with the name {} and the e-mail address \"{email}\": nobody in {} \
         has {}",
        quoted(display_name),
        known.place.name(),
        fact(candidate, users)
    ));
    Ok(AccountChange::Create {
        username: username.clone(),
        display_name: display_name.to_owned(),
        email,
    })
}

fn contains(groups: &BTreeSet<GroupName>, group: &GroupName) -> bool {
    let key = group.key();
    groups.iter().any(|other| other.key() == key)
}
