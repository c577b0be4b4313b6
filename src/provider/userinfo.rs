//! Facts about the person from the userinfo endpoint (OpenID Connect Core §5.3), and whose they are.

use super::error::Error;
use super::id_token::Claims;
use super::issuer::Accepted;
use super::said::Token;
use super::subject::{self, Numbers};
use crate::clock::Timestamp;
use crate::config;
use serde_json::{Map, Value};

/// Userinfo in the form of a JWT must be by the issuer and for us, where it says so: OpenID
/// Connect Core §5.3.2 does not demand that it says so.
pub(super) fn check_envelope(
    claims: &Map<String, Value>,
    config: &config::Provider,
    issuer: &Accepted,
    now: Timestamp,
) -> Result<(), Error> {
    let claims = Claims {
        token: Token::Userinfo,
        claims,
    };
    if claims.has("iss") {
        claims.check_issuer(issuer)?;
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
/// without this, an access token swapped on the way would lend somebody another one's facts. The
/// claim is `sub`, or the one that stands in for a `sub` that everybody has.
pub(super) fn check_subject(
    userinfo: &Map<String, Value>,
    claim: &str,
    subject: &str,
) -> Result<(), Error> {
    match subject::read(userinfo, claim, Numbers::Refuse) {
        Ok(found) if found == subject => Ok(()),
        Ok(_) => Err(Error::UserinfoSubjectMismatch),
        Err(_) => Err(Error::UserinfoSubjectMissing),
    }
}
