//! The e-mail address, and how far it may be trusted.

use super::find::{Absent, Document, Found, kind};
use super::{Fact, Refusals, Refused, Rules, Tried, expression, find};
use crate::config::{EmailTrust, Mapping, MatchBy, Reference, Step};
use crate::identity::Email;
use serde_json::Value;
use std::collections::BTreeSet;

/// What the provider says about the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// That it is verified.
    Verified,
    /// Anything else.
    Denied,
    /// Nothing.
    Nothing,
}

/// An address, and where it was found.
#[derive(Debug, Clone)]
pub(super) struct Address {
    pub(super) claim: String,
    pub(super) email: Email,
}

/// Whether the address is verified. Truth has the four spellings that are seen (Cognito, Apple and
/// LinkedIn send text), and no others.
pub(super) fn said(document: &Document<'_>, rules: Rules<'_>) -> (Fact, Said) {
    let mappings = &rules.provider.claims.email_verified;
    let (mut fact, found) = document.resolve("email_verified", mappings, Absent::Null, |_| Ok(()));
    let is_true = |value: &Value| match value {
        Value::Bool(is) => *is,
        Value::String(text) => text == "true" || text == "1",
        Value::Number(number) => number.as_u64() == Some(1),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    };
    let said = match found {
        Some(found) if is_true(&found.value) => Said::Verified,
        Some(_) => Said::Denied,
        // Something was there, and the steps made nothing of it: that is no yes.
        None if fact.tried.iter().any(|tried| !tried.found.is_null()) => Said::Denied,
        None => Said::Nothing,
    };
    fact.value = match said {
        Said::Verified => Value::Bool(true),
        Said::Denied => Value::Bool(false),
        Said::Nothing => Value::Null,
    };
    (fact, said)
}

/// What is said about the address that a fact was made of. `email_verified` is about the claim
/// `email` (OpenID Connect Core §5.1), so its yes is none about another address: people may type
/// whatever they like into another field.
pub(super) fn about(said: Said, verified: &Fact, document: &Document<'_>, fact: &Fact) -> Said {
    let is_standard = |tried: &Tried| tried.path == ["email_verified"];
    let (Said::Verified, Some(_), Some(email)) = (
        said,
        verified.tried.last().filter(|last| is_standard(last)),
        document.claims().get("email").filter(|it| !it.is_null()),
    ) else {
        return said;
    };
    let is_it = |value: &Value| value == email || same(first(value), first(email));
    let of_email = fact.tried.last().is_some_and(|tried| {
        is_it(&tried.found) || tried.steps.iter().any(|step| is_it(&step.value))
    });
    if of_email { said } else { Said::Nothing }
}

fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::String(one), Value::String(other)) => one.trim().eq_ignore_ascii_case(other.trim()),
        _ => false,
    }
}

fn first(value: &Value) -> &Value {
    match value {
        Value::Array(items) => items.first().unwrap_or(&Value::Null),
        other => other,
    }
}

/// A text, or the first one of a list (as Azure AD B2C sends `emails`).
pub(super) fn find(
    document: &Document<'_>,
    rules: Rules<'_>,
) -> (Fact, Result<Option<Address>, Refused>) {
    let mappings = &rules.provider.claims.email;
    let (mut fact, found) = document.resolve("email", mappings, Absent::Empty, |_| Ok(()));
    let address = found.map(read).transpose();
    fact.value = match &address {
        Ok(Some(address)) => Value::from(address.email.as_str()),
        _ => Value::Null,
    };
    if let (Err(refused), Some(last)) = (&address, fact.tried.last_mut()) {
        last.problem = Some(refused.to_string());
    }
    (fact, address)
}

fn read(found: Found<'_>) -> Result<Address, Refused> {
    let value = match &found.value {
        Value::Array(items) => items.first().unwrap_or(&Value::Null),
        other => other,
    };
    let Value::String(text) = value else {
        return Err(Refused::EmailType {
            claim: found.claim,
            found: kind(value),
        });
    };
    match Email::parse(text) {
        Ok(email) => Ok(Address {
            claim: found.claim,
            email,
        }),
        Err(reason) => Err(Refused::InvalidEmail {
            claim: found.claim,
            reason,
        }),
    }
}

/// The address that the person gets. Where it decides something it is there, verified as far as asked
/// for, and in an allowed domain; elsewhere it is none rather than a doubtful one.
pub(super) fn decide(
    address: &Result<Option<Address>, Refused>,
    said: Said,
    rules: Rules<'_>,
    refusals: &mut Refusals,
) -> Option<Email> {
    let users = rules.users;
    let rule = match users.match_by {
        MatchBy::Email => Some("users.match_by = \"email\""),
        MatchBy::Username if users.allowed_domains.is_empty() => None,
        MatchBy::Username => Some("users.allowed_domains"),
    };
    let found = match (address, rule) {
        (Ok(Some(found)), _) => found,
        (Ok(None), Some(rule)) => {
            refusals.add(Refused::NoEmail {
                tried: find::tried(&rules.provider.claims.email),
                rule,
            });
            return None;
        }
        (Err(refused), Some(_)) => {
            refusals.add(refused.clone());
            return None;
        }
        (Ok(None) | Err(_), None) => return None,
    };
    if rule.is_some()
        && let Err(refused) = trusted(&found.claim, said, rules)
    {
        refusals.add(refused);
    }
    let allowed = &users.allowed_domains;
    if !allowed.is_empty() && !allowed.iter().any(|domain| found.email.is_in(domain)) {
        let domain = found.email.as_str().split_once('@');
        refusals.add(Refused::DomainNotAllowed {
            claim: found.claim.clone(),
            domain: domain
                .map(|(_, domain)| domain.to_owned())
                .unwrap_or_default(),
        });
    }
    // Where nobody vouches for the address, it is not passed on either.
    let denied = users.require_verified_email && said == Said::Denied;
    (!denied).then(|| found.email.clone())
}

/// Whether an address may decide something. Saying nothing is fine unless the provider is known to
/// hand out addresses that it never looked at: many have verified addresses only.
pub(super) fn trusted(claim: &str, said: Said, rules: Rules<'_>) -> Result<(), Refused> {
    let claim = claim.to_owned();
    let by = || find::tried(&rules.provider.claims.email_verified);
    match (said, rules.provider.email_trust) {
        _ if !rules.users.require_verified_email => Ok(()),
        (Said::Verified, _) | (Said::Nothing, EmailTrust::UnlessDenied) => Ok(()),
        (Said::Denied, _) => Err(Refused::UnverifiedEmail { claim, by: by() }),
        (Said::Nothing, EmailTrust::Verified) => Err(Refused::UnconfirmedEmail { claim, by: by() }),
    }
}

/// Whether what a mapping comes to is the address, or made of it.
pub(super) fn is_address(mapping: &Mapping, rules: Rules<'_>) -> bool {
    let local_part = |step: &Step| matches!(step, Step::LocalPart(_));
    if mapping.steps.iter().any(local_part) {
        return true;
    }
    let mut addresses = BTreeSet::from(["email".to_owned(), "emails".to_owned()]);
    for email in &rules.provider.claims.email {
        addresses.extend(match picked(email) {
            Some(name) => BTreeSet::from([name.to_owned()]),
            None => ends(&email.from),
        });
    }
    let mut names = ends(&mapping.from);
    names.extend(picked(mapping).map(str::to_owned));
    !addresses.is_disjoint(&names)
}

/// The member that the steps end at.
fn picked(mapping: &Mapping) -> Option<&str> {
    mapping.steps.iter().rev().find_map(|step| match step {
        Step::Pick(name) => Some(name.as_str()),
        _ => None,
    })
}

/// The names under which a reference ends: of a path the last one that is no index, and the whole,
/// which may be the claim's name.
fn ends(reference: &Reference) -> BTreeSet<String> {
    fn last<'a>(mut backwards: impl Iterator<Item = &'a str>) -> &'a str {
        let is_index = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
        backwards.find(|name| !is_index(name)).unwrap_or_default()
    }
    match reference {
        Reference::Claim(text) => BTreeSet::from([text.clone(), last(text.rsplit('.')).to_owned()]),
        Reference::Pointer(text) => BTreeSet::from([find::unescaped(last(text.rsplit('/')))]),
        Reference::JmesPath(expression) => expression::ends(expression.compiled().as_ast()),
    }
}
