//! The provider's groups, and what they are here.
//!
//! The map finds the provider's names byte for byte: two groups of a provider may differ in case
//! alone. Bitbucket compares without case, so of two names here that differ only in it, the first
//! stays.

use super::email::{self, Said};
use super::find::{Absent, Document, Found, kind};
use super::{Candidate, Fact, GroupFate, Refused, Rules};
use crate::config::{AssignDefault, GroupMode, Groups};
use crate::identity::{GroupName, Invalid, Named};
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// More groups than this are a mistake of the mapping, and would not fit into a header.
const MOST_GROUPS: usize = 1000;

/// What became of groups.
pub(super) struct Grouped {
    pub(super) fact: Fact,
    /// As the provider names them.
    pub(super) provider: Vec<String>,
    /// Of those, in Bitbucket.
    pub(super) mapped: Vec<GroupName>,
    /// What the person has.
    pub(super) all: Vec<GroupName>,
    pub(super) fates: Vec<GroupFate>,
    pub(super) refused: Option<Refused>,
}

/// Finds and maps the groups.
pub(super) fn find(document: &Document<'_>, rules: Rules<'_>, said: Said) -> Grouped {
    let claims = &rules.provider.claims;
    let usable = |mapping: &crate::config::Mapping| {
        // Groups that are made of an address are only as good as the address.
        if email::is_address(mapping, rules) {
            let claim = mapping.from.to_string();
            email::trusted(&claim, said, rules).map_err(|refused| refused.to_string())
        } else {
            Ok(())
        }
    };
    let (mut fact, found) =
        document.resolve("groups", &claims.groups, Absent::EmptyButLists, usable);
    let separator = claims.groups_separator.as_deref().unwrap_or_default();
    let mut fates = Vec::new();
    let (provider, refused) = match &found {
        Some(found) => names(found, separator, &mut fact, &mut fates),
        None => (Vec::new(), None),
    };
    fact.value = Value::from(provider.as_slice());

    let mut kept = Kept::default();
    map(&provider, rules.groups, &mut kept, &mut fates);
    let mapped = match rules.groups.mode {
        GroupMode::Off => Vec::new(),
        GroupMode::Manual | GroupMode::OnTheFly => kept.groups.clone(),
    };
    defaults(rules.groups, &mut kept, &mut fates);
    Grouped {
        fact,
        provider,
        mapped,
        all: kept.groups,
        fates,
        refused,
    }
}

/// Maps a candidate's groups anew.
pub(super) fn again(mut candidate: Candidate, rules: &Groups) -> Candidate {
    let (mut kept, mut fates) = (Kept::default(), Vec::new());
    map(&candidate.provider_groups, rules, &mut kept, &mut fates);
    candidate.mapped_groups = match rules.mode {
        GroupMode::Off => Vec::new(),
        GroupMode::Manual | GroupMode::OnTheFly => kept.groups.clone(),
    };
    defaults(rules, &mut kept, &mut fates);
    candidate.person.groups = kept.groups;
    candidate
}

/// The provider's names without repeats, and what is none.
fn names(
    found: &Found<'_>,
    separator: &str,
    fact: &mut Fact,
    fates: &mut Vec<GroupFate>,
) -> (Vec<String>, Option<Refused>) {
    let one;
    let texts: Vec<&str> = match &found.value {
        Value::String(text) if !separator.is_empty() => {
            let pieces = text.split(separator).map(str::trim);
            pieces.filter(|piece| !piece.is_empty()).collect()
        }
        // Split only on request: the names of LDAP groups hold commas.
        Value::String(text) => vec![text],
        Value::Array(items) => {
            let others: HashSet<&str> = items
                .iter()
                .filter(|item| !item.is_string())
                .map(kind)
                .collect();
            let mut others: Vec<&str> = others.into_iter().collect();
            others.sort_unstable();
            fates.extend(others.into_iter().map(|kind| {
                GroupFate {
                    from: Some(format!("({kind})")),
                    to: Vec::new(),
                    why: "it is no text; the steps \"pick\" and \"keys\" take names out of objects"
                        .to_owned(),
                }
            }));
            items.iter().filter_map(Value::as_str).collect()
        }
        other => {
            one = kind(other);
            if let Some(tried) = fact.tried.last_mut() {
                tried.problem = Some(format!(
                    "it is {one} instead of a list or text; the step \"keys\" takes the names out of an object"
                ));
            }
            Vec::new()
        }
    };
    let mut seen = HashSet::new();
    let mut names = Vec::new();
    for text in texts {
        if !seen.insert(text) {
            continue;
        }
        if names.len() == MOST_GROUPS {
            let refused = Refused::TooManyGroups {
                claim: found.claim.clone(),
                most: MOST_GROUPS,
            };
            return (names, Some(refused));
        }
        names.push(text.to_owned());
    }
    (names, None)
}

/// Groups without two that differ only in case.
#[derive(Default)]
struct Kept {
    groups: Vec<GroupName>,
    /// The spelling that stays, by the lower case.
    spelled: HashMap<String, String>,
}

enum Given {
    New,
    /// It was there already, in this spelling.
    Again(String),
    /// `groups.exclude` has it, by this pattern.
    Excluded(String),
}

impl Kept {
    fn give(&mut self, group: &GroupName, rules: &Groups) -> Given {
        let name = group.as_str();
        if let Some(pattern) = rules.exclude.iter().find(|pattern| pattern.fits(name)) {
            return Given::Excluded(pattern.as_str().to_owned());
        }
        let lower = name.to_lowercase();
        if let Some(spelled) = self.spelled.get(&lower) {
            return Given::Again(spelled.clone());
        }
        self.spelled.insert(lower, name.to_owned());
        self.groups.push(group.clone());
        Given::New
    }
}

fn map(provider: &[String], rules: &Groups, kept: &mut Kept, fates: &mut Vec<GroupFate>) {
    let mut by_name: HashMap<&str, Vec<&GroupName>> = HashMap::new();
    for (group, names) in &rules.map {
        for name in names {
            by_name.entry(name).or_default().push(group);
        }
    }
    for name in provider {
        let fate = match rules.mode {
            GroupMode::Manual => match by_name.get(name.as_str()) {
                Some(groups) => give(name, groups, "groups.map", rules, kept),
                None => none(name, "groups.map does not name it".to_owned()),
            },
            GroupMode::Off | GroupMode::OnTheFly => match own_name(name) {
                Ok(group) if rules.mode == GroupMode::OnTheFly => {
                    give(name, &[&group], "its own name", rules, kept)
                }
                Ok(group) => give(
                    name,
                    &[&group],
                    "its own name, for the gateway's headers and rules alone: groups.mode is \"off\"",
                    rules,
                    kept,
                ),
                Err(invalid) => none(name, format!("it cannot be a group's name: it {invalid}")),
            },
        };
        fates.push(fate);
    }
}

fn none(name: &str, why: String) -> GroupFate {
    GroupFate {
        from: Some(name.to_owned()),
        to: Vec::new(),
        why,
    }
}

/// A name that can stand for itself. A character whose lower case is an ASCII letter (the Kelvin
/// sign is one) would make it another group wherever names are compared without case.
fn own_name(name: &str) -> Result<GroupName, Invalid> {
    let poses = |c: &char| !c.is_ascii() && c.to_lowercase().all(|lower| lower.is_ascii());
    match name.chars().find(poses) {
        Some(c) => Err(Invalid::Character(Named(c))),
        None => GroupName::parse(name),
    }
}

fn give(name: &str, groups: &[&GroupName], by: &str, rules: &Groups, kept: &mut Kept) -> GroupFate {
    let mut to = Vec::new();
    let mut why = vec![by.to_owned()];
    for group in groups {
        match kept.give(group, rules) {
            Given::New => to.push(group.as_str().to_owned()),
            Given::Again(spelled) => {
                if spelled != group.as_str() {
                    why.push(format!(
                        "\"{group}\" is the same as \"{spelled}\", which came first"
                    ));
                }
                to.push(spelled);
            }
            Given::Excluded(pattern) => {
                why.push(format!(
                    "groups.exclude takes \"{group}\" out (\"{pattern}\")"
                ));
            }
        }
    }
    GroupFate {
        from: Some(name.to_owned()),
        to,
        why: why.join("; "),
    }
}

/// The groups that everybody gets.
fn defaults(rules: &Groups, kept: &mut Kept, fates: &mut Vec<GroupFate>) {
    for group in &rules.default {
        let name = group.as_str().to_owned();
        let excluded = rules.exclude.iter().find(|one| one.fits(&name));
        let (to, why) = match (rules.assign_default_to, excluded) {
            (AssignDefault::None, _) => continue,
            (_, Some(pattern)) => (
                None,
                format!(
                    "groups.exclude takes \"{name}\" out (\"{}\")",
                    pattern.as_str()
                ),
            ),
            (AssignDefault::New, None) => (
                Some(name),
                "groups.default, when somebody is made".to_owned(),
            ),
            (AssignDefault::All, None) => match kept.give(group, rules) {
                Given::Again(spelled) => (
                    Some(spelled),
                    "groups.default; it is there already".to_owned(),
                ),
                Given::New | Given::Excluded(_) => (Some(name), "groups.default".to_owned()),
            },
        };
        fates.push(GroupFate {
            from: None,
            to: to.into_iter().collect(),
            why,
        });
    }
}
