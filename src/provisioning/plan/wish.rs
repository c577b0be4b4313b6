//! What the rules of `[groups]` ask for, before it is known which groups exist and who administers.

use super::profile::read_only;
use super::words::{listed, quoted};
use super::{Account, Known};
use crate::config::{AssignDefault, GroupMode, Groups};
use crate::identity::GroupName;
use crate::mapping::Candidate;
use std::collections::{BTreeMap, BTreeSet};

/// Whether anything that a provider says could change the groups of this account; if not, nobody has
/// to ask for them.
pub(in crate::provisioning) fn may_change_groups(account: &Account, groups: &Groups) -> bool {
    let default = groups.assign_default_to == AssignDefault::All && !groups.default.is_empty();
    groups.update_existing && account.mutable_groups && (groups.mode != GroupMode::Off || default)
}

/// A group that the rules give, and why.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) group: GroupName,
    why: BTreeSet<String>,
}

impl Wanted {
    pub(super) fn reasons(&self) -> String {
        self.why.iter().cloned().collect::<Vec<_>>().join(", ")
    }
}

/// What the rules ask for, before it is known which groups exist and who administers.
#[derive(Debug, Default)]
pub(in crate::provisioning) struct Wish {
    /// Groups that the person is not in, by their keys.
    pub(super) add: BTreeMap<String, Wanted>,
    /// Groups that the person is in.
    pub(super) remove: Vec<GroupName>,
    /// What is not changed, and why.
    pub(super) others: Vec<String>,
}

impl Wish {
    /// The groups whose existence has to be known.
    pub(in crate::provisioning) fn added(&self) -> Vec<GroupName> {
        self.add.values().map(|want| want.group.clone()).collect()
    }

    /// The groups whose other administrators have to be known.
    pub(in crate::provisioning) fn removed(&self) -> &[GroupName] {
        &self.remove
    }

    /// Looks at `account` and `member_of` of what is known.
    pub(in crate::provisioning) fn of(
        candidate: &Candidate,
        known: &Known,
        groups: &Groups,
    ) -> Self {
        let mut wish = Self::default();
        if let Some(account) = &known.account {
            let obstacle = if !groups.update_existing {
                Some("groups.update_existing is false, and the person is not new".to_owned())
            } else if !account.mutable_groups {
                Some(read_only(account))
            } else {
                None
            };
            if let Some(obstacle) = obstacle {
                wish.others.push(format!("leave all groups: {obstacle}"));
                return wish;
            }
        }
        let wanted = wish.wanted(candidate, known.account.is_none(), groups);
        let mut left: BTreeMap<&str, Vec<&GroupName>> = BTreeMap::new();
        for group in sorted(&known.member_of) {
            if let Some(want) = wanted.get(&group.key()) {
                let shown = quoted(group.as_str());
                let line = format!("leave {shown}: {}", want.reasons());
                wish.others.push(line);
            } else if let Some(reason) = reason_to_leave(group, groups) {
                left.entry(reason).or_default().push(group);
            } else {
                wish.remove.push(group.clone());
            }
        }
        for (reason, names) in left {
            wish.others
                .push(format!("leave {}: {reason}", listed(&names)));
        }
        let member_of: BTreeSet<_> = known.member_of.iter().map(GroupName::key).collect();
        wish.add = wanted;
        wish.add.retain(|key, _| !member_of.contains(key));
        wish
    }

    /// The groups that the rules give, by key.
    fn wanted(
        &mut self,
        candidate: &Candidate,
        new: bool,
        groups: &Groups,
    ) -> BTreeMap<String, Wanted> {
        let mut wanted = BTreeMap::new();
        let mut excluded = BTreeMap::new();
        let mut want = |group: &GroupName, why: BTreeSet<String>| {
            if is_excluded(group, groups) {
                // Of several spellings always the same one, in whichever order they come.
                let shown = excluded.entry(group.key()).or_insert_with(|| group.clone());
                *shown = group.min(shown).clone();
                return;
            }
            let entry = wanted.entry(group.key()).or_insert_with(|| Wanted {
                group: group.clone(),
                why: BTreeSet::new(),
            });
            entry.why.extend(why);
            entry.group = group.min(&entry.group).clone();
        };
        if groups.mode == GroupMode::Off {
            if !candidate.mapped_groups.is_empty() {
                let line = "leave out the provider's groups: groups.mode is \"off\"".to_owned();
                self.others.push(line);
            }
        } else {
            for group in &candidate.mapped_groups {
                want(group, reasons_of(group, candidate, groups));
            }
        }
        let (given, rule) = match groups.assign_default_to {
            AssignDefault::All => (true, "all"),
            AssignDefault::New => (new, "new"),
            AssignDefault::None => (false, "none"),
        };
        if given {
            for group in &groups.default {
                want(group, BTreeSet::from(["a default group".to_owned()]));
            }
        } else if !groups.default.is_empty() {
            self.others.push(format!(
                "leave out the default groups: groups.assign_default_to is \"{rule}\""
            ));
        }
        if !excluded.is_empty() {
            let names: Vec<_> = excluded.values().collect();
            let line = format!("leave out {}: {EXCLUDED}", listed(&names));
            self.others.push(line);
        }
        wanted
    }
}

const EXCLUDED: &str = "groups.exclude names it";

/// Why a membership that nothing gives stays; none: it ends.
fn reason_to_leave(group: &GroupName, groups: &Groups) -> Option<&'static str> {
    let key = group.key();
    if is_excluded(group, groups) {
        return Some(EXCLUDED);
    }
    // Whoever was given it when they were new keeps it, so it cannot be told from one that stays.
    if groups.default.iter().any(|default| default.key() == key) {
        return Some("it is a default group");
    }
    match groups.mode {
        GroupMode::Off => Some("groups.mode is \"off\""),
        _ if groups.keep_existing => Some("groups.keep_existing is true"),
        GroupMode::Manual if !groups.map.iter().any(|(mapped, _)| mapped.key() == key) => {
            Some("groups.map does not name it")
        }
        GroupMode::Manual | GroupMode::OnTheFly => None,
    }
}

/// Which of the provider's groups give this one.
fn reasons_of(group: &GroupName, candidate: &Candidate, groups: &Groups) -> BTreeSet<String> {
    if groups.mode == GroupMode::OnTheFly {
        return BTreeSet::from(["the provider's group of this name".to_owned()]);
    }
    let key = group.key();
    let mapped: BTreeSet<_> = groups
        .map
        .iter()
        .filter(|(to, _)| to.key() == key)
        .flat_map(|(_, from)| from)
        .filter(|from| candidate.provider_groups.contains(from))
        .map(|from| format!("the provider's group {}", quoted(from)))
        .collect();
    if mapped.is_empty() {
        return BTreeSet::from(["groups.map".to_owned()]);
    }
    mapped
}

pub(super) fn is_excluded(group: &GroupName, groups: &Groups) -> bool {
    groups
        .exclude
        .iter()
        .any(|pattern| pattern.fits(group.as_str()))
}

/// Without case first, so that the order does not depend on spelling alone.
fn sorted(groups: &BTreeSet<GroupName>) -> Vec<&GroupName> {
    let mut sorted: Vec<_> = groups.iter().collect();
    sorted.sort_by_cached_key(|group| (group.key(), (*group).clone()));
    sorted
}
