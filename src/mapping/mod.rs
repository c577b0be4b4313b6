//! Claims to a [`Person`], by configured rules; pure.
//!
//! Who somebody is decides what they may do, so nothing is guessed here: a fact that decides
//! something and cannot be read in exactly one way refuses the sign-in, and the refusal names the
//! claim and the rule. Facts that decide nothing are dropped when they are unusable.

mod email;
mod expression;
mod facts;
mod find;
mod groups;
mod refused;
mod require;
mod steps;
mod username;
mod written;

#[cfg(test)]
mod tests;

pub use refused::Refused;
pub use written::{key, list, quoted, visible, visible_json};

use crate::config::{self, MatchBy};
use crate::identity::{Email, GroupName, Person, Username};
use crate::provider::VerifiedClaims;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The configuration that decides who claims become.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// `[[providers]]`: its `claims`, `require`, `email_trust`.
    pub provider: &'a config::Provider,
    /// `[users]`
    pub users: &'a config::Users,
    /// `[groups]`
    pub groups: &'a config::Groups,
}

impl<'a> Rules<'a> {
    /// The rules of one provider in a configuration.
    #[must_use]
    pub fn of(config: &'a config::Config, provider: &'a config::Provider) -> Self {
        Self {
            provider,
            users: &config.users,
            groups: &config.groups,
        }
    }
}

/// Who claims become, as far as claims alone can say; Bitbucket and the pin still have a word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The person. With `users.match_by = "email"` the username is the address; where Bitbucket
    /// knows somebody of that address, theirs takes its place. The groups are after the map, with
    /// the default groups that everybody gets.
    pub person: Person,
    /// The username of `providers.claims.username`, if there is a usable one: with
    /// `match_by = "email"`, a person who is made in Bitbucket gets it.
    pub claimed_username: Option<Username>,
    /// The address, when the provider says explicitly that it is verified.
    pub verified_email: Option<Email>,
    /// The groups as the provider names them.
    pub provider_groups: Vec<String>,
    /// Groups that the provider's groups give in Bitbucket (by the map or under their own names),
    /// without the default ones.
    pub mapped_groups: Vec<GroupName>,
}

/// Everything that [`examine`] found, step by step, for whoever wants to understand it.
#[derive(Debug, Clone, Serialize)]
pub struct Examined {
    /// Each fact: username, email, email_verified, display_name, first_name, last_name, groups.
    pub facts: Vec<Fact>,
    /// What became of each of the provider's groups, and why.
    pub groups: Vec<GroupFate>,
    /// The rules that refuse, in the order in which they are asked; the first is the one that a
    /// sign-in reports.
    #[serde(skip)]
    pub refusals: Vec<Refused>,
    /// Who it is, if nothing refuses.
    #[serde(skip)]
    pub candidate: Option<Candidate>,
}

/// How one fact was looked for.
#[derive(Debug, Clone, Serialize)]
pub struct Fact {
    /// `username`, `email`, …: the key of `[providers.claims]`.
    pub name: &'static str,
    /// The mappings that were tried, in order; the last is the one that came to something, if any
    /// did.
    pub tried: Vec<Tried>,
    /// What came out, as text or list; `null`: nothing.
    pub value: Value,
}

/// One mapping that was tried.
#[derive(Debug, Clone, Serialize)]
pub struct Tried {
    /// As it is written in the configuration.
    pub mapping: String,
    /// The claim that it looked at (the first name of a path), for naming the source; none for an
    /// expression.
    pub claim: Option<String>,
    /// The same in full, name by name; empty: not there, or an expression.
    #[serde(skip)]
    pub path: Vec<String>,
    /// What was there; `null`: nothing.
    pub found: Value,
    /// Each step with what it left.
    pub steps: Vec<StepTaken>,
    /// Why it came to nothing, if it did.
    pub problem: Option<String>,
}

/// One step of a mapping.
#[derive(Debug, Clone, Serialize)]
pub struct StepTaken {
    /// As it is written in the configuration.
    pub step: String,
    /// What it left.
    pub value: Value,
}

/// What became of one group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupFate {
    /// The provider's name for it; none for a default group.
    pub from: Option<String>,
    /// The groups that it becomes; empty: none.
    pub to: Vec<String>,
    /// Why, in words.
    pub why: String,
}

/// Decides who these claims are, and keeps every step of it. Pure: the same claims and rules come to
/// the same, verified or not; a sign-in goes through [`candidate`].
#[must_use]
pub fn examine(claims: &Map<String, Value>, rules: Rules<'_>) -> Examined {
    let document = find::Document::new(claims);
    let mut refusals = Refusals::default();
    if require::is_inactive(claims) {
        refusals.add(Refused::Inactive);
    }
    for refused in require::unmet(claims, &rules.provider.require) {
        refusals.add(refused);
    }

    let (verified_fact, said) = email::said(&document, rules);
    let (email_fact, address) = email::find(&document, rules);
    let said_of_email = email::about(said, &verified_fact, &document, &email_fact);
    let email = email::decide(&address, said_of_email, rules, &mut refusals);
    let said_of = |fact: &Fact| email::about(said, &verified_fact, &document, fact);
    let (username_fact, name) = username::find(&document, rules, &address, said_of);
    let username = match (rules.users.match_by, &address) {
        (MatchBy::Username, _) => {
            for refused in &name.refusals {
                refusals.add(refused.clone());
            }
            name.username.clone()
        }
        (MatchBy::Email, Ok(Some(found))) => {
            match username::spelled(
                &found.claim,
                found.email.as_str(),
                rules.users.username_case,
            ) {
                Ok(username) => Some(username),
                Err(refused) => {
                    refusals.add(refused);
                    None
                }
            }
        }
        // `email::decide` has refused.
        (MatchBy::Email, _) => None,
    };
    let (name_facts, display_name) = facts::names(&document, rules);
    let grouped = groups::find(&document, rules, said);
    if let Some(refused) = grouped.refused {
        refusals.add(refused);
    }

    let verified_email = email
        .clone()
        .filter(|_| said_of_email == email::Said::Verified);
    let candidate = username
        .filter(|_| refusals.0.is_empty())
        .map(|username| Candidate {
            person: Person {
                username,
                email,
                display_name,
                groups: grouped.all,
            },
            claimed_username: name.username.filter(|_| name.refusals.is_empty()),
            verified_email,
            provider_groups: grouped.provider,
            mapped_groups: grouped.mapped,
        });
    let mut facts = vec![username_fact, email_fact, verified_fact];
    facts.extend(name_facts);
    facts.push(grouped.fact);
    Examined {
        facts,
        groups: grouped.fates,
        refusals: refusals.0,
        candidate,
    }
}

/// Whether a source that has said nothing could have changed the groups: it could, unless the first
/// mapping for them came to something.
#[must_use]
pub fn groups_are_certain(claims: &VerifiedClaims, rules: Rules<'_>) -> bool {
    let examined = examine(claims.claims(), rules);
    let mut facts = examined.facts.iter();
    facts
        .find(|fact| fact.name == "groups")
        .is_some_and(|fact| match fact.tried.as_slice() {
            [] => true,
            [first] => first.problem.is_none(),
            _ => false,
        })
}

/// The same candidate under other rules for groups: from what the provider said at the time.
#[must_use]
pub fn regrouped(candidate: Candidate, groups: &config::Groups) -> Candidate {
    groups::again(candidate, groups)
}

/// Decides who these claims are.
///
/// # Errors
///
/// The first rule that refuses, with the claim it looked at.
pub fn candidate(claims: &VerifiedClaims, rules: Rules<'_>) -> Result<Candidate, Refused> {
    let examined = examine(claims.claims(), rules);
    match (examined.candidate, examined.refusals.into_iter().next()) {
        (Some(candidate), None) => Ok(candidate),
        (_, Some(refused)) => Err(refused),
        // Never: where there is nobody, something has refused.
        (None, None) => Err(Refused::NoUsername {
            tried: find::tried(&rules.provider.claims.username),
        }),
    }
}

/// Refusals in order, each once: two rules can ask for the same.
#[derive(Debug, Default)]
struct Refusals(Vec<Refused>);

impl Refusals {
    fn add(&mut self, refused: Refused) {
        if !self.0.contains(&refused) {
            self.0.push(refused);
        }
    }
}
