//! Which of the claims that are there could give a fact.

use crate::identity::{Domain, Email, Username};
use crate::mapping::{list, quoted};
use serde_json::{Map, Value};

/// Where providers keep usernames, best first.
const USERNAMES: &[&str] = &[
    "preferred_username",
    "username",
    "user_name",
    "login",
    "cognito:username",
    "samaccountname",
    "sam_account_name",
    "onpremisessamaccountname",
    "uid",
    "nickname",
    "upn",
    "unique_name",
    "name_id",
];

/// A text among the claims, and how `[providers.claims]` refers to it.
struct Text<'a> {
    reference: String,
    name: &'a str,
    text: &'a str,
}

/// Every text on the first two levels.
fn texts(claims: &Map<String, Value>) -> Vec<Text<'_>> {
    let top = claims.iter().filter_map(|(name, value)| {
        Some(Text {
            reference: reference(&[name]),
            name,
            text: value.as_str()?,
        })
    });
    let nested = claims.iter().flat_map(|(outer, value)| {
        let members = value.as_object().into_iter().flatten();
        members.filter_map(move |(name, value)| {
            Some(Text {
                reference: reference(&[outer, name]),
                name,
                text: value.as_str()?,
            })
        })
    });
    top.chain(nested).collect()
}

/// A dotted path, or a JSON pointer where a name has a dot or a slash in the wrong place.
fn reference(path: &[&str]) -> String {
    let plain = match path {
        [one] => !one.starts_with('/'),
        several => !several
            .iter()
            .any(|name| name.contains('.') || name.starts_with('/')),
    };
    if plain {
        return path.join(".");
    }
    path.iter()
        .map(|name| format!("/{}", name.replace('~', "~0").replace('/', "~1")))
        .collect()
}

/// A mapping, as TOML, that would give a username; `failing` is the one that does not. One that is made
/// of an address takes no domain but those that may sign in; `domains` is empty for all.
pub(super) fn username(
    claims: &Map<String, Value>,
    failing: &str,
    domains: &[Domain],
) -> Option<String> {
    let texts = texts(claims);
    let usable = |text: &&Text<'_>| text.reference != failing && Username::parse(text.text).is_ok();
    let known = |name: &str| {
        USERNAMES
            .iter()
            .position(|known| name.eq_ignore_ascii_case(known))
    };
    let best = texts
        .iter()
        .filter(usable)
        .filter_map(|text| Some((known(text.name)?, text)))
        .min_by_key(|(at, _)| *at);
    if let Some((_, text)) = best {
        return Some(quoted(&text.reference));
    }
    // The name before the "@" of the one domain that is seen here.
    let address = texts.iter().find_map(|text| {
        let address = Email::parse(text.text).ok()?;
        Username::parse(address.local_part()).ok()?;
        let allowed = domains.is_empty() || domains.iter().any(|domain| address.is_in(domain));
        let (_, domain) = text.text.split_once('@').filter(|_| allowed)?;
        Some((text, domain.to_ascii_lowercase()))
    });
    address.map(|(text, domain)| {
        format!(
            "{{ claim = {}, steps = [{{ local_part = {} }}] }}",
            quoted(&text.reference),
            list([domain.as_str()].into_iter())
        )
    })
}

/// A mapping, as TOML, that would give an address.
pub(super) fn email(claims: &Map<String, Value>, failing: &str) -> Option<String> {
    let texts = texts(claims);
    let named = |text: &&&Text<'_>| text.name.to_ascii_lowercase().contains("mail");
    let usable: Vec<&Text<'_>> = texts
        .iter()
        .filter(|text| text.reference != failing && Email::parse(text.text).is_ok())
        .collect();
    usable
        .iter()
        .find(named)
        .or_else(|| usable.first())
        .map(|text| quoted(&text.reference))
}

/// A claim that seems to say that the address is verified, as TOML.
pub(super) fn email_verified(claims: &Map<String, Value>, looked_at: &[String]) -> Option<String> {
    let says = |value: &Value| match value {
        Value::Bool(is) => *is,
        Value::String(text) => text == "true" || text == "1",
        other => other.as_u64() == Some(1),
    };
    claims
        .iter()
        .find(|(name, value)| {
            let lower = name.to_ascii_lowercase();
            let named = lower.contains("verified") || lower.ends_with("edov");
            named && says(value) && !looked_at.contains(name) && !lower.contains("phone")
        })
        .map(|(name, _)| quoted(&reference(&[name])))
}
