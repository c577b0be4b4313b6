//! Signed tokens in compact form (RFC 7515), by the book of RFC 8725.
//!
//! A token becomes claims only through [`UnverifiedToken::verify`]. Where its keys may come from is
//! decided by the caller: `jku`, `jwk`, `x5u` and `x5c` in a token are never looked at.

use super::algorithm::{self, HmacFailure};
use super::error::Error;
use super::json;
use super::keys::{self, Failure, KeySet};
use super::said::{Token, printable};
use crate::config::Algorithm;
use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// A token that looks like one. Nothing in it is believed yet.
#[derive(Debug)]
pub(super) struct UnverifiedToken<'a> {
    token: Token,
    algorithm: Algorithm,
    key_id: Option<String>,
    signed: &'a [u8],
    signature: Vec<u8>,
    payload: Vec<u8>,
}

/// A token whose signature is good. What its claims say is not checked yet.
#[derive(Debug)]
pub(super) struct Verified {
    /// Its payload.
    pub(super) claims: Map<String, Value>,
    /// Whose tokens the key signs, if the key set says so.
    pub(super) key_issuer: Option<String>,
}

impl<'a> UnverifiedToken<'a> {
    /// Takes a token apart. `allowed` is what may have signed it: never what the token itself
    /// says (RFC 8725 §3.1).
    pub(super) fn parse(token: Token, text: &'a str, allowed: &[Algorithm]) -> Result<Self, Error> {
        let parts: Vec<&str> = text.splitn(7, '.').collect();
        let &[header, payload, signature] = parts.as_slice() else {
            return Err(match parts.len() {
                5 => Error::TokenEncrypted { token },
                found => Error::TokenParts { token, found },
            });
        };
        let signed_length = header.len() + 1 + payload.len();
        let decode = |part, text: &str| {
            // No padding, no whitespace, no stray bits: one spelling per token.
            URL_SAFE_NO_PAD
                .decode(text)
                .map_err(|_| Error::TokenEncoding { token, part })
        };
        let header = object(token, "header", &decode("header", header)?)?;
        let (algorithm, key_id) = read_header(token, &header, allowed)?;
        Ok(Self {
            token,
            algorithm,
            key_id,
            signed: text.as_bytes().get(..signed_length).unwrap_or_default(),
            signature: decode("signature", signature)?,
            payload: decode("payload", payload)?,
        })
    }

    /// What signed it, or so it says; one of those allowed.
    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Checks the signature with the provider's keys.
    pub(super) fn verify(&self, keys: &KeySet) -> Result<Verified, Error> {
        let token = self.token;
        let key_id = || keys::shown(self.key_id.as_deref());
        let key_issuer = keys
            .verify(
                self.algorithm,
                self.key_id.as_deref(),
                self.signed,
                &self.signature,
            )
            .map_err(|failure| match failure {
                Failure::UnknownKey => Error::UnknownKey {
                    token,
                    key_id: key_id(),
                },
                Failure::KeyMismatch => Error::KeyMismatch {
                    token,
                    key_id: key_id(),
                    algorithm: self.algorithm,
                },
                Failure::WeakKey(bits) => Error::WeakKey {
                    key_id: key_id(),
                    bits,
                },
                Failure::BadSignature => Error::BadSignature { token },
            })?;
        Ok(Verified {
            claims: self.claims()?,
            key_issuer: key_issuer.map(str::to_owned),
        })
    }

    /// Checks the signature with the client secret.
    pub(super) fn verify_hmac(&self, secret: &Secret<String>) -> Result<Verified, Error> {
        let secret = secret.expose().as_bytes();
        algorithm::verify_hmac(self.algorithm, secret, self.signed, &self.signature).map_err(
            |failure| match failure {
                HmacFailure::Weak => Error::WeakSecret {
                    algorithm: self.algorithm,
                },
                HmacFailure::Wrong => Error::BadSignature { token: self.token },
            },
        )?;
        Ok(Verified {
            claims: self.claims()?,
            key_issuer: None,
        })
    }

    fn claims(&self) -> Result<Map<String, Value>, Error> {
        object(self.token, "payload", &self.payload)
    }
}

/// The claims of an ID token that was verified once and kept since. For one of our own keeping only:
/// nothing is checked here.
pub(super) fn kept_claims(text: &str) -> Option<Map<String, Value>> {
    let payload = URL_SAFE_NO_PAD.decode(text.split('.').nth(1)?).ok()?;
    object(Token::Id, "payload", &payload).ok()
}

fn read_header(
    token: Token,
    header: &Map<String, Value>,
    allowed: &[Algorithm],
) -> Result<(Algorithm, Option<String>), Error> {
    if header.contains_key("enc") {
        return Err(Error::TokenEncrypted { token });
    }
    // No extension is known here, and an empty list is forbidden (RFC 7515 §4.1.11).
    if header.contains_key("crit") {
        return Err(Error::TokenCritical { token });
    }
    if header
        .get("cty")
        .and_then(Value::as_str)
        .is_some_and(|kind| kind.eq_ignore_ascii_case("jwt"))
    {
        return Err(Error::TokenNested { token });
    }
    // RFC 8725 §3.11: an access token or a logout token of the same issuer is no ID token.
    match header.get("typ") {
        None => {}
        Some(Value::String(kind)) if kind.eq_ignore_ascii_case("jwt") => {}
        // OpenID Connect Back-Channel Logout 1.0 §2.4 recommends it, and demands none.
        Some(Value::String(kind))
            if token == Token::Logout && kind.eq_ignore_ascii_case("logout+jwt") => {}
        Some(kind) => {
            return Err(Error::TokenType {
                token,
                found: kind.as_str().map_or_else(String::new, printable),
            });
        }
    }
    let name = header
        .get("alg")
        .and_then(Value::as_str)
        .ok_or(Error::AlgorithmMissing { token })?;
    if name.eq_ignore_ascii_case("none") {
        return Err(Error::AlgorithmNone { token });
    }
    let algorithm = algorithm::from_name(name)
        .filter(|algorithm| allowed.contains(algorithm))
        .ok_or_else(|| Error::AlgorithmNotAllowed {
            token,
            found: printable(name),
            allowed: algorithm::names(allowed),
        })?;
    let key_id = header.get("kid").and_then(Value::as_str).map(str::to_owned);
    Ok((algorithm, key_id))
}

fn object(token: Token, part: &'static str, text: &[u8]) -> Result<Map<String, Value>, Error> {
    match json::parse(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) | Err(json::Invalid::Syntax(_)) => Err(Error::TokenNotJson { token, part }),
        Err(json::Invalid::Duplicate(name)) => {
            Err(Error::TokenDuplicateMember { token, part, name })
        }
    }
}
