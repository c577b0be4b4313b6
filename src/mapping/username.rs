//! The username of `providers.claims.username`.

use super::email::{self, Address, Said};
use super::find::{self, Absent, Document, Found, kind};
use super::{Fact, Refused, Rules, steps};
use crate::config::{Reference, UsernameCase};
use crate::identity::Username;
use serde_json::Value;

/// A username, and what is against it.
#[derive(Debug)]
pub(super) struct Name {
    pub(super) username: Option<Username>,
    pub(super) refusals: Vec<Refused>,
}

/// Finds the username. An address that is the username decides more than any other, so it has to be
/// one that may be trusted.
pub(super) fn find(
    document: &Document<'_>,
    rules: Rules<'_>,
    address: &Result<Option<Address>, Refused>,
    said: impl Fn(&Fact) -> Said,
) -> (Fact, Name) {
    let mappings = &rules.provider.claims.username;
    let (mut fact, found) = document.resolve("username", mappings, Absent::Empty, |_| Ok(()));
    let mut name = Name {
        username: None,
        refusals: Vec::new(),
    };
    match &found {
        None => name.refusals.push(Refused::NoUsername {
            tried: find::tried(mappings),
        }),
        Some(found) => {
            if is_address(found, address, rules)
                && let Err(refused) = email::trusted(&found.claim, said(&fact), rules)
            {
                name.refusals.push(refused);
            }
            match read(found, rules.users.username_case) {
                Ok(username) => name.username = Some(username),
                Err(refused) => name.refusals.push(refused),
            }
        }
    }
    fact.value = match &name.username {
        Some(username) => Value::from(username.as_str()),
        None => Value::Null,
    };
    if let (Some(_), Some(refused), Some(last)) =
        (&found, name.refusals.first(), fact.tried.last_mut())
    {
        last.problem = Some(refused.to_string());
    }
    (fact, name)
}

/// By the names in the mapping; of an expression, which can reach a value without naming it, by the
/// value as well.
fn is_address(
    found: &Found<'_>,
    address: &Result<Option<Address>, Refused>,
    rules: Rules<'_>,
) -> bool {
    if email::is_address(found.mapping, rules) {
        return true;
    }
    let (Reference::JmesPath(_), Ok(Some(address))) = (&found.mapping.from, address) else {
        return false;
    };
    let value = match &found.value {
        Value::Array(items) => items.first().unwrap_or(&Value::Null),
        other => other,
    };
    value.as_str().is_some_and(|text| {
        text.eq_ignore_ascii_case(address.email.as_str())
            || text.eq_ignore_ascii_case(address.email.local_part())
    })
}

fn read(found: &Found<'_>, case: UsernameCase) -> Result<Username, Refused> {
    let claim = &found.claim;
    let wrong = |found| Refused::UsernameType {
        claim: claim.clone(),
        found,
    };
    match &found.value {
        Value::Array(items) => match items.as_slice() {
            [Value::String(text)] => spelled(claim, text, case),
            [one] => Err(wrong(kind(one))),
            several => Err(Refused::AmbiguousUsername {
                claim: claim.clone(),
                count: several.len(),
            }),
        },
        value => match (steps::text(value), value) {
            // GitHub's ids are numbers. A fraction, or a number too large to be exact, is another
            // person's as easily.
            (Some(text), _) => spelled(claim, &text, case),
            (None, Value::Number(_)) => Err(wrong("a number that is not an exact integer")),
            (None, other) => Err(wrong(kind(other))),
        },
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
