//! Claims to a [`Person`], by configured rules; pure.
//!
//! Who somebody is decides what they may do, so nothing is guessed here: a fact that decides
//! something and cannot be read in exactly one way refuses the sign-in, and the refusal names the
//! claim and the rule. Facts that decide nothing are dropped when they are unusable.

mod facts;
mod find;

#[cfg(test)]
mod tests;

use crate::config::{Claims, MatchBy, Users};
use crate::identity::{Invalid, Person};
use crate::provider::VerifiedClaims;
use serde_json::{Map, Value};

/// Why claims do not become a person. Messages name the claim and the rule, never a whole token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No claim has a username.
    #[error("there is no username in the claims {tried}")]
    NoUsername {
        /// The claims of `providers.claims.username`, quoted.
        tried: String,
    },
    /// The username is an object, a fraction, or something else that is no text.
    #[error("the claim \"{claim}\" holds {found} instead of a username")]
    UsernameType {
        /// Where it was found.
        claim: String,
        /// What it is.
        found: &'static str,
    },
    /// Several usernames.
    #[error("the claim \"{claim}\" holds {count} usernames, and which one is meant is not known")]
    AmbiguousUsername {
        /// Where they were found.
        claim: String,
        /// How many.
        count: usize,
    },
    /// Not a username for Bitbucket or a header.
    #[error("the username in the claim \"{claim}\" {reason}")]
    InvalidUsername {
        /// Where it was found.
        claim: String,
        /// The rule.
        reason: Invalid,
    },
    /// No claim has an e-mail address, and one is needed.
    #[error("there is no e-mail address in the claims {tried}, and {rule} needs one")]
    NoEmail {
        /// The claims of `providers.claims.email`, quoted.
        tried: String,
        /// The rule that needs one.
        rule: &'static str,
    },
    /// The e-mail address is no text, and one is needed.
    #[error("the claim \"{claim}\" holds {found} instead of an e-mail address")]
    EmailType {
        /// Where it was found.
        claim: String,
        /// What it is.
        found: &'static str,
    },
    /// Not an e-mail address, and one is needed.
    #[error("the e-mail address in the claim \"{claim}\" {reason}")]
    InvalidEmail {
        /// Where it was found.
        claim: String,
        /// The rule.
        reason: Invalid,
    },
    /// The provider says that it has not verified the address.
    #[error(
        "the e-mail address in the claim \"{claim}\" is not verified (\"email_verified\"), and \
         users.require_verified_email asks for that"
    )]
    UnverifiedEmail {
        /// Where the address was found.
        claim: String,
    },
    /// The address is in another domain.
    #[error(
        "the e-mail address in the claim \"{claim}\" is in the domain \"{domain}\", which is not in \
         users.allowed_domains"
    )]
    DomainNotAllowed {
        /// Where it was found.
        claim: String,
        /// Its domain.
        domain: String,
    },
    /// The provider says that the account is switched off there.
    #[error("the claim \"active\" says that the account is not active")]
    Inactive,
    /// More groups than anybody has.
    #[error("the claim \"{claim}\" holds more than {most} groups")]
    TooManyGroups {
        /// Where they were found.
        claim: String,
        /// The limit.
        most: usize,
    },
}

impl Refused {
    /// A short, stable name for logs, metrics and pages.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoUsername { .. } => "no_username",
            Self::UsernameType { .. } => "username_type",
            Self::AmbiguousUsername { .. } => "ambiguous_username",
            Self::InvalidUsername { .. } => "invalid_username",
            Self::NoEmail { .. } => "no_email",
            Self::EmailType { .. } => "email_type",
            Self::InvalidEmail { .. } => "invalid_email",
            Self::UnverifiedEmail { .. } => "unverified_email",
            Self::DomainNotAllowed { .. } => "domain_not_allowed",
            Self::Inactive => "inactive_account",
            Self::TooManyGroups { .. } => "too_many_groups",
        }
    }
}

/// Decides who these claims are.
///
/// # Errors
///
/// The rule that refuses, with the claim it looked at.
pub fn person(claims: &VerifiedClaims, rules: &Claims, users: &Users) -> Result<Person, Refused> {
    person_from(claims.claims(), rules, users)
}

/// Decides who these claims would be, verified or not: for trying rules out. A sign-in goes through
/// [`person`].
///
/// # Errors
///
/// The rule that refuses, with the claim it looked at.
pub fn person_from(
    claims: &Map<String, Value>,
    rules: &Claims,
    users: &Users,
) -> Result<Person, Refused> {
    if facts::is_inactive(claims) {
        return Err(Refused::Inactive);
    }
    let email = facts::email(claims, rules, users)?;
    let username = match (users.match_by, &email) {
        (MatchBy::Username, _) => facts::username(claims, rules, users)?,
        (MatchBy::Email, Some((claim, email))) => {
            facts::spelled(claim, email.as_str(), users.username_case)?
        }
        (MatchBy::Email, None) => return Err(facts::no_email(rules, facts::MATCH_BY_EMAIL)),
    };
    Ok(Person {
        username,
        email: email.map(|(_, email)| email),
        display_name: facts::display_name(claims, rules),
        groups: facts::groups(claims, rules)?,
    })
}
