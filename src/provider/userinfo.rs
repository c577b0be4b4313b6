//! Facts about the person from the userinfo endpoint (OpenID Connect Core §5.3), and how they are
//! joined with those of the ID token.

use super::error::Error;
use super::id_token::Claims;
use super::said::Token;
use crate::clock::Timestamp;
use crate::config;
use serde_json::{Map, Value};

/// Userinfo in the form of a JWT must be by the issuer and for us, where it says so: OpenID
/// Connect Core §5.3.2 does not demand that it says so.
pub(super) fn check_envelope(
    claims: &Map<String, Value>,
    config: &config::Provider,
    now: Timestamp,
) -> Result<(), Error> {
    let claims = Claims {
        token: Token::Userinfo,
        claims,
    };
    if claims.has("iss") {
        claims.check_issuer(&config.issuer)?;
    }
    if claims.has("aud") {
        claims.check_audience(config)?;
    }
    if claims.has("exp") {
        claims.check_expiry(now)?;
    }
    claims.check_start(now)
}

/// Userinfo must be about the person whom the ID token is about (OpenID Connect Core §5.3.4):
/// without this, an access token swapped on the way would lend somebody another one's facts.
pub(super) fn check_subject(userinfo: &Map<String, Value>, subject: &str) -> Result<(), Error> {
    match userinfo.get("sub").and_then(Value::as_str) {
        None => Err(Error::UserinfoSubjectMissing),
        Some(found) if found == subject => Ok(()),
        Some(_) => Err(Error::UserinfoSubjectMismatch),
    }
}

/// Adds to the ID token's claims those that only userinfo has. The ID token wins.
///
/// An e-mail address and its `email_verified` come from the same source: one of them alone would
/// vouch for the other one's address.
pub(super) fn merge(claims: &mut Map<String, Value>, userinfo: Map<String, Value>) {
    let said = |claims: &Map<String, Value>, name: &str| {
        claims.get(name).filter(|value| !value.is_null()).cloned()
    };
    let (own, other) = (said(claims, "email"), said(&userinfo, "email"));
    let differs = own.is_some() && other.is_some() && own != other;
    if own.is_none() && other.is_some() {
        claims.remove("email_verified");
    }
    for (name, value) in userinfo {
        if differs && name == "email_verified" {
            continue;
        }
        match claims.get(&name) {
            Some(known) if !known.is_null() => {}
            _ => {
                claims.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(id_token: Value, userinfo: Value, expected: Value) {
        let mut claims = id_token.as_object().unwrap().clone();
        merge(&mut claims, userinfo.as_object().unwrap().clone());
        assert_eq!(Value::Object(claims), expected);
    }

    #[test]
    fn the_id_token_wins_and_userinfo_adds() {
        check(
            json!({"name": "Ana", "phone_number": null}),
            json!({"name": "Eve", "phone_number": "1", "groups": ["dev"]}),
            json!({"name": "Ana", "phone_number": "1", "groups": ["dev"]}),
        );
    }

    #[test]
    fn email_verified_never_vouches_for_the_other_sources_address() {
        check(
            json!({"email": "a@example.com"}),
            json!({"email": "b@example.com", "email_verified": true}),
            json!({"email": "a@example.com"}),
        );
        check(
            json!({"email_verified": true}),
            json!({"email": "b@example.com", "email_verified": false}),
            json!({"email": "b@example.com", "email_verified": false}),
        );
        check(
            json!({"email_verified": true}),
            json!({"email": "b@example.com"}),
            json!({"email": "b@example.com"}),
        );
        check(
            json!({"email": "a@example.com"}),
            json!({"email": "a@example.com", "email_verified": false}),
            json!({"email": "a@example.com", "email_verified": false}),
        );
    }
}
