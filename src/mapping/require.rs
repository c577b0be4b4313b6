//! What must hold whoever it is: `[providers.require]`, and an account that is not switched off.

use super::find::{Absent, claim};
use super::written::quoted;
use super::{Refused, steps};
use crate::config::Requirement;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// An account that the provider itself calls inactive (Salesforce says so in userinfo).
pub(super) fn is_inactive(claims: &Map<String, Value>) -> bool {
    match claims.get("active") {
        Some(Value::Bool(active)) => !active,
        Some(Value::String(text)) => text == "false",
        _ => false,
    }
}

/// The requirements that do not hold.
pub(super) fn unmet(claims: &Map<String, Value>, requirements: &[Requirement]) -> Vec<Refused> {
    requirements
        .iter()
        .filter_map(|requirement| {
            let found = match claim(claims, &requirement.claim, Absent::Null) {
                None | Some((_, Value::Null)) => "is not there",
                Some((_, value)) if holds(value, &requirement.any_of) => return None,
                Some(_) => "holds something else",
            };
            let wanted: Vec<String> = requirement.any_of.iter().map(|one| quoted(one)).collect();
            Some(Refused::RequiredClaim {
                claim: requirement.claim.clone(),
                wanted: wanted.join(" or "),
                found,
            })
        })
        .collect()
}

/// Whether a value, or any element of a list, is one of these, byte for byte.
fn holds(value: &Value, any_of: &[String]) -> bool {
    let is = |value: &Value| {
        let text = match value {
            Value::Bool(is) => Some(Cow::Borrowed(if *is { "true" } else { "false" })),
            other => steps::text(other),
        };
        text.is_some_and(|text| any_of.iter().any(|one| *one == text))
    };
    match value {
        Value::Array(items) => items.iter().any(is),
        other => is(other),
    }
}
