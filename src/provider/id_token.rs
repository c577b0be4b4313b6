//! What an ID token must say (OpenID Connect Core §3.1.3.7), once its signature is good.

use super::error::Error;
use super::said::{Token, printable};
use super::{algorithm, authorize::Attempt, issuer::Accepted};
use crate::clock::Timestamp;
use crate::config::{self, Algorithm, Nonce};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use serde_json::{Map, Value};

/// Clocks differ; Salesforce's tokens live for two minutes, so this must stay small.
pub(super) const LEEWAY_SECS: u64 = 60;

/// What an ID token is compared with.
pub(super) struct Expected<'a> {
    pub(super) config: &'a config::Provider,
    pub(super) issuer: &'a Accepted,
    pub(super) attempt: &'a Attempt,
    pub(super) code: &'a str,
    pub(super) access_token: &'a str,
    pub(super) now: Timestamp,
}

/// Checks every claim that protects something. The others are the mapping's business.
pub(super) fn check(
    claims: &Map<String, Value>,
    signed_with: Algorithm,
    expected: &Expected<'_>,
) -> Result<(), Error> {
    let &Expected {
        config,
        issuer,
        attempt,
        code,
        access_token,
        now,
    } = expected;
    let claims = Claims {
        token: Token::Id,
        claims,
    };
    claims.check_envelope(config, issuer, now)?;
    claims.check_nonce(attempt.nonce(), config.nonce)?;
    claims.check_authentication(attempt.max_age_secs(), now)?;
    claims.check_access_token(signed_with, access_token)?;
    claims.check_hash("c_hash", signed_with, code, || Error::CodeHashMismatch)
}

/// What the ID token of a refresh is compared with.
pub(super) struct Renewed<'a> {
    pub(super) config: &'a config::Provider,
    pub(super) issuer: &'a Accepted,
    pub(super) access_token: &'a str,
    pub(super) now: Timestamp,
    /// The claims of the ID token of the sign-in, as far as they are still known.
    pub(super) before: Option<&'a Map<String, Value>>,
}

/// Checks the ID token that came with a refresh (OpenID Connect Core §12.2): everything that holds
/// for the first one, no nonce needed, and the same sign-in of the same person.
pub(super) fn check_renewed(
    claims: &Map<String, Value>,
    signed_with: Algorithm,
    expected: &Renewed<'_>,
) -> Result<(), Error> {
    let claims = Claims {
        token: Token::Id,
        claims,
    };
    claims.check_envelope(expected.config, expected.issuer, expected.now)?;
    claims.check_access_token(signed_with, expected.access_token)?;
    let Some(before) = expected.before else {
        return Ok(());
    };
    let before = Claims {
        token: Token::Id,
        claims: before,
    };
    // The audience is compared with the configuration, which says the same as then.
    for claim in ["iss", "sub", "auth_time", "nonce"] {
        let must_be_there = matches!(claim, "iss" | "sub");
        let (was, is) = (before.find(claim), claims.find(claim));
        let changed = was.is_some() && is.is_some() && was != is;
        if changed || (must_be_there && is.is_none()) {
            return Err(Error::ClaimChanged { claim });
        }
    }
    // A token from before the sign-in is somebody's copy, whatever it says.
    let (was, is) = (before.date("iat")?, claims.date("iat")?);
    if is
        .zip(was)
        .is_some_and(|(is, was)| is.saturating_add(LEEWAY_SECS) < was)
    {
        return Err(Error::ClaimChanged { claim: "iat" });
    }
    Ok(())
}

/// The claims of a token whose signature is good. `null` is the same as absent: several providers
/// write every claim that they know.
#[derive(Clone, Copy)]
pub(super) struct Claims<'a> {
    /// Which token, for the errors.
    pub(super) token: Token,
    /// Its payload.
    pub(super) claims: &'a Map<String, Value>,
}

impl<'a> Claims<'a> {
    fn check_envelope(
        &self,
        config: &config::Provider,
        issuer: &Accepted,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.check_issuer(issuer)?;
        self.check_audience(config)?;
        self.check_authorized_party(&config.client_id)?;
        self.check_expiry(now)?;
        self.check_issue(now)?;
        self.check_start(now)
    }

    fn check_access_token(&self, signed_with: Algorithm, access_token: &str) -> Result<(), Error> {
        self.check_hash("at_hash", signed_with, access_token, || {
            Error::AccessTokenHashMismatch
        })
    }

    pub(super) fn find(&self, claim: &str) -> Option<&'a Value> {
        self.claims.get(claim).filter(|value| !value.is_null())
    }

    pub(super) fn wrong_type(&self, claim: &'static str, expected: &'static str) -> Error {
        Error::ClaimType {
            token: self.token,
            claim,
            expected,
        }
    }

    /// What was found of a claim that must be there.
    pub(super) fn need<T>(&self, claim: &'static str, found: Option<T>) -> Result<T, Error> {
        found.ok_or(Error::ClaimMissing {
            token: self.token,
            claim,
        })
    }

    pub(super) fn text(&self, claim: &'static str) -> Result<Option<&'a str>, Error> {
        self.find(claim)
            .map(|value| {
                value
                    .as_str()
                    .ok_or_else(|| self.wrong_type(claim, "a string"))
            })
            .transpose()
    }

    /// A NumericDate (RFC 7519 §2): whole seconds, or with a fraction.
    pub(super) fn date(&self, claim: &'static str) -> Result<Option<u64>, Error> {
        self.find(claim)
            .map(|value| {
                value
                    .as_u64()
                    .or_else(|| whole_seconds(value.as_f64()?))
                    .ok_or_else(|| self.wrong_type(claim, "a number of seconds since 1970"))
            })
            .transpose()
    }

    pub(super) fn has(&self, claim: &str) -> bool {
        self.find(claim).is_some()
    }

    /// Byte for byte: a trailing slash is another issuer.
    pub(super) fn check_issuer(&self, accepted: &Accepted) -> Result<(), Error> {
        let found = self.need("iss", self.text("iss")?)?;
        if accepted.has(found) {
            Ok(())
        } else {
            Err(Error::IssuerMismatch {
                token: self.token,
                expected: accepted.pin().to_owned(),
                found: printable(found),
            })
        }
    }

    /// We must be among the audiences, and nobody else whom the configuration does not list.
    pub(super) fn check_audience(&self, config: &config::Provider) -> Result<(), Error> {
        let wrong = || self.wrong_type("aud", "a string or a list of strings");
        let audience: Vec<&str> = match self.need("aud", self.find("aud"))? {
            Value::String(one) => vec![one],
            Value::Array(several) => several
                .iter()
                .map(Value::as_str)
                .collect::<Option<_>>()
                .ok_or_else(wrong)?,
            _ => return Err(wrong()),
        };
        if !audience.contains(&config.client_id.as_str()) {
            return Err(Error::AudienceMismatch { token: self.token });
        }
        match audience.iter().find(|other| {
            **other != config.client_id
                && !config
                    .extra_audiences
                    .iter()
                    .any(|ok| ok == *other || ok == "*")
        }) {
            None => Ok(()),
            Some(stranger) => Err(Error::AudienceUntrusted {
                token: self.token,
                found: printable(stranger),
            }),
        }
    }

    pub(super) fn check_authorized_party(&self, client_id: &str) -> Result<(), Error> {
        match self.text("azp")? {
            Some(found) if found != client_id => Err(Error::AuthorizedPartyMismatch {
                token: self.token,
                found: printable(found),
            }),
            _ => Ok(()),
        }
    }

    pub(super) fn check_expiry(&self, now: Timestamp) -> Result<(), Error> {
        let expiry = self.need("exp", self.date("exp")?)?;
        if expiry.saturating_add(LEEWAY_SECS) > now.as_secs() {
            Ok(())
        } else {
            Err(Error::Expired {
                token: self.token,
                ago_secs: now.as_secs().saturating_sub(expiry),
            })
        }
    }

    pub(super) fn check_issue(&self, now: Timestamp) -> Result<(), Error> {
        let issued = self.need("iat", self.date("iat")?)?;
        match issued.saturating_sub(now.as_secs()) {
            0..=LEEWAY_SECS => Ok(()),
            ahead_secs => Err(Error::IssuedInFuture {
                token: self.token,
                ahead_secs,
            }),
        }
    }

    pub(super) fn check_start(&self, now: Timestamp) -> Result<(), Error> {
        let start = self.date("nbf")?.unwrap_or(0);
        match start.saturating_sub(now.as_secs()) {
            0..=LEEWAY_SECS => Ok(()),
            ahead_secs => Err(Error::NotYetValid {
                token: self.token,
                ahead_secs,
            }),
        }
    }

    /// It may be missing only where the configuration says so. Another one is wrong everywhere.
    fn check_nonce(&self, expected: &str, nonce: Nonce) -> Result<(), Error> {
        let found = match self.text("nonce")? {
            Some(found) => found,
            None if nonce == Nonce::Optional => return Ok(()),
            None => return Err(Error::NonceMissing),
        };
        verify_slices_are_equal(found.as_bytes(), expected.as_bytes())
            .map_err(|_| Error::NonceMismatch)
    }

    /// Only when `max_age` was asked for (OpenID Connect Core §3.1.2.1).
    fn check_authentication(&self, max_age: Option<u64>, now: Timestamp) -> Result<(), Error> {
        let Some(max_age_secs) = max_age else {
            return Ok(());
        };
        let authenticated = self.need("auth_time", self.date("auth_time")?)?;
        let age_secs = now.as_secs().saturating_sub(authenticated);
        if age_secs > max_age_secs.saturating_add(LEEWAY_SECS) {
            return Err(Error::AuthenticationTooOld {
                age_secs,
                max_age_secs,
            });
        }
        Ok(())
    }

    /// Not required in the code flow, but wrong is wrong.
    fn check_hash(
        &self,
        claim: &'static str,
        signed_with: Algorithm,
        over: &str,
        mismatch: impl Fn() -> Error,
    ) -> Result<(), Error> {
        match self.text(claim)? {
            None => Ok(()),
            Some(found) => {
                let expected = algorithm::half_hash(signed_with, over);
                verify_slices_are_equal(found.as_bytes(), expected.as_bytes())
                    .map_err(|_| mismatch())
            }
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked, and a fraction of a second does not matter"
)]
fn whole_seconds(seconds: f64) -> Option<u64> {
    // Beyond 2^53 a float does not hold seconds exactly; no date of this universe is there.
    (0.0..9.0e15)
        .contains(&seconds)
        .then_some(seconds.floor() as u64)
}
