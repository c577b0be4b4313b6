//! One function per fact.

use super::Refused;
use super::find::{first, kind, quoted};
use crate::config::{Claims, MatchBy, UsernameCase, Users};
use crate::identity::{DisplayName, Email, GroupName, Username};
use serde_json::{Map, Value};
use std::collections::HashSet;

/// More groups than this are a mistake of the mapping, and would not fit into a header.
const MOST_GROUPS: usize = 1000;

/// The rule that makes a username of the e-mail address.
pub(super) const MATCH_BY_EMAIL: &str = "users.match_by = \"email\"";

type Document = Map<String, Value>;

/// The username of `providers.claims.username`.
pub(super) fn username(
    claims: &Document,
    rules: &Claims,
    users: &Users,
) -> Result<Username, Refused> {
    let Some((claim, value)) = first(claims, &rules.username, false) else {
        return Err(Refused::NoUsername {
            tried: quoted(&rules.username),
        });
    };
    // An address that is the username decides more than any other.
    let is_email = claim == "email" || rules.email.iter().any(|email| email == claim);
    if is_email && users.require_verified_email && is_unverified(claims) {
        return Err(Refused::UnverifiedEmail {
            claim: claim.to_owned(),
        });
    }
    let wrong = |found| Refused::UsernameType {
        claim: claim.to_owned(),
        found,
    };
    match value {
        Value::String(text) => spelled(claim, text, users.username_case),
        // GitHub's ids are numbers. A fraction, or a number too large to be exact, is another
        // person's as easily.
        Value::Number(number) if number.is_i64() || number.is_u64() => {
            spelled(claim, &number.to_string(), users.username_case)
        }
        Value::Number(_) => Err(wrong("a number that is not an exact integer")),
        Value::Array(items) => match items.as_slice() {
            [Value::String(text)] => spelled(claim, text, users.username_case),
            [one] => Err(wrong(kind(one))),
            several => Err(Refused::AmbiguousUsername {
                claim: claim.to_owned(),
                count: several.len(),
            }),
        },
        other => Err(wrong(kind(other))),
    }
}

/// A username in the configured case.
pub(super) fn spelled(claim: &str, text: &str, case: UsernameCase) -> Result<Username, Refused> {
    let parsed = match case {
        // A username is ASCII, or is refused.
        UsernameCase::Lower => Username::parse(text.to_ascii_lowercase()),
        UsernameCase::Keep => Username::parse(text),
    };
    parsed.map_err(|reason| Refused::InvalidUsername {
        claim: claim.to_owned(),
        reason,
    })
}

/// The e-mail address and the claim it came from. Where it decides something it is there, verified
/// as far as asked for, and in an allowed domain; elsewhere it is none rather than a doubtful one.
pub(super) fn email<'a>(
    claims: &'a Document,
    rules: &'a Claims,
    users: &Users,
) -> Result<Option<(&'a str, Email)>, Refused> {
    let rule = match users.match_by {
        MatchBy::Email => Some(MATCH_BY_EMAIL),
        MatchBy::Username if users.allowed_domains.is_empty() => None,
        MatchBy::Username => Some("users.allowed_domains"),
    };
    let (claim, email) = match (read_email(claims, &rules.email), rule) {
        (Ok(Some(found)), _) => found,
        (Ok(None), Some(rule)) => return Err(no_email(rules, rule)),
        (Err(refused), Some(_)) => return Err(refused),
        (Ok(None) | Err(_), None) => return Ok(None),
    };
    if users.require_verified_email && is_unverified(claims) {
        // Nobody vouches for the address, so it is not passed on either.
        return match rule {
            Some(_) => Err(Refused::UnverifiedEmail {
                claim: claim.to_owned(),
            }),
            None => Ok(None),
        };
    }
    let allowed = &users.allowed_domains;
    if !allowed.is_empty() && !allowed.iter().any(|domain| email.is_in(domain)) {
        let domain = email.as_str().split_once('@').map(|(_, domain)| domain);
        return Err(Refused::DomainNotAllowed {
            claim: claim.to_owned(),
            domain: domain.unwrap_or_default().to_owned(),
        });
    }
    Ok(Some((claim, email)))
}

/// An account that the provider itself calls inactive (Salesforce says so in userinfo).
pub(super) fn is_inactive(claims: &Document) -> bool {
    match claims.get("active") {
        Some(Value::Bool(active)) => !active,
        Some(Value::String(text)) => text == "false",
        _ => false,
    }
}

pub(super) fn no_email(rules: &Claims, rule: &'static str) -> Refused {
    Refused::NoEmail {
        tried: quoted(&rules.email),
        rule,
    }
}

/// A text, or the first one of a list (as Azure AD B2C sends `emails`).
fn read_email<'a>(
    claims: &'a Document,
    references: &'a [String],
) -> Result<Option<(&'a str, Email)>, Refused> {
    let Some((claim, value)) = first(claims, references, false) else {
        return Ok(None);
    };
    let value = match value {
        Value::Array(items) => items.first().unwrap_or(&Value::Null),
        other => other,
    };
    let Value::String(text) = value else {
        return Err(Refused::EmailType {
            claim: claim.to_owned(),
            found: kind(value),
        });
    };
    match Email::parse(text) {
        Ok(email) => Ok(Some((claim, email))),
        Err(reason) => Err(Refused::InvalidEmail {
            claim: claim.to_owned(),
            reason,
        }),
    }
}

/// Whether the provider says anything but that the address is verified. Saying nothing is fine:
/// many providers have verified addresses only. Truth has the four spellings that are seen
/// (Cognito, Apple and LinkedIn send text), and no others.
fn is_unverified(claims: &Document) -> bool {
    match claims.get("email_verified") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(verified)) => !verified,
        Some(Value::String(text)) => text != "true" && text != "1",
        Some(Value::Number(number)) => number.as_u64() != Some(1),
        Some(Value::Array(_) | Value::Object(_)) => true,
    }
}

/// The full name, or what there is of first and last name. It decides nothing.
pub(super) fn display_name(claims: &Document, rules: &Claims) -> Option<DisplayName> {
    let text = |references| match first(claims, references, false) {
        Some((_, Value::String(text))) => text.trim(),
        _ => "",
    };
    let whole = text(&rules.display_name);
    let parts = format!("{} {}", text(&rules.first_name), text(&rules.last_name));
    [whole, parts.trim()]
        .into_iter()
        .find_map(|name| DisplayName::parse(name).ok())
}

/// The groups, without repeats. What cannot be a group's name is not one.
pub(super) fn groups(claims: &Document, rules: &Claims) -> Result<Vec<GroupName>, Refused> {
    // An empty list says that there are none, whatever further claims hold.
    let Some((claim, value)) = first(claims, &rules.groups, true) else {
        return Ok(Vec::new());
    };
    let names: Vec<&str> = match (value, rules.groups_separator.as_deref()) {
        (Value::String(text), Some(separator)) if !separator.is_empty() => {
            text.split(separator).map(str::trim).collect()
        }
        // Split only on request: the names of LDAP groups hold commas.
        (Value::String(text), _) => vec![text],
        (Value::Array(items), _) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let mut seen = HashSet::new();
    let mut groups = Vec::new();
    for name in names {
        if let Ok(group) = GroupName::parse(name)
            && seen.insert(name)
        {
            groups.push(group);
        }
        if groups.len() > MOST_GROUPS {
            return Err(Refused::TooManyGroups {
                claim: claim.to_owned(),
                most: MOST_GROUPS,
            });
        }
    }
    Ok(groups)
}
