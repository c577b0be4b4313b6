//! What a provider says in a back-channel logout (OpenID Connect Back-Channel Logout 1.0 §2.6).

use super::error::Error;
use super::id_token::{Claims, LEEWAY_SECS};
use super::jwt::{UnverifiedToken, Verified};
use super::said::Token;
use super::{LogoutToken, Provider, issuer};
use crate::clock::Timestamp;
use serde_json::Value;
use std::time::Duration;

/// The member of `events` that makes a token a logout token (§2.4).
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// A logout token is sent at the time of the sign-out. Some providers try again for a while.
const LONGEST_AGE_SECS: u64 = 600;

/// As long as a token could be accepted: its age, and the leeway at both ends.
const MEMORY: Duration = Duration::from_secs(LONGEST_AGE_SECS + 2 * LEEWAY_SECS);

/// As a subject (OpenID Connect Core §2).
const LONGEST_NAME: usize = 255;

impl Provider {
    /// Verifies a logout token: signature, type, issuer, audience, times, event, no nonce, and that
    /// it was not accepted before. From then on it has been.
    ///
    /// # Errors
    ///
    /// One for every way in which it can be wrong.
    pub async fn logout_token(&self, text: &str) -> Result<LogoutToken, Error> {
        let metadata = self.metadata().await?;
        let kind = Token::Logout;
        let token = UnverifiedToken::parse(kind, text, &metadata.id_token_algorithms)?;
        let Verified { claims, key_issuer } = self.verify(&token, &metadata).await?;
        let claims = Claims {
            token: kind,
            claims: &claims,
        };
        let issuer = issuer::accepted(&self.config, claims)?;
        claims.check_issuer(&issuer)?;
        claims.check_audience(&self.config)?;
        claims.check_authorized_party(&self.config.client_id)?;
        self.check_key(&issuer, key_issuer.as_deref(), claims)?;
        let now = self.clock.now();
        check_times(claims, now)?;
        check_event(claims)?;
        let (subject, sid) = self.whose(claims)?;
        let id = named(claims, "jti")?;
        let id = claims.need("jti", id)?;
        if !self.seen.note(id, now, MEMORY) {
            return Err(Error::LogoutReplayed);
        }
        Ok(LogoutToken {
            issuer: issuer.pin().to_owned(),
            subject,
            sid,
            id: id.to_owned(),
        })
    }

    /// Lets a logout token be sent once more: it was right, and could not take effect.
    pub fn take_back(&self, token: &LogoutToken) {
        self.seen.forget(&token.id);
    }

    /// Whose sessions, by the names that sessions are known by: where people are pinned by another
    /// claim than `sub`, the token would have to carry that one.
    fn whose(&self, claims: Claims<'_>) -> Result<(Option<String>, Option<String>), Error> {
        let sub = named(claims, "sub")?;
        let sid = named(claims, "sid")?.map(str::to_owned);
        if sub.is_none() && sid.is_none() {
            return Err(Error::LogoutOfNobody);
        }
        let pinned_by = self.config.subject_claim.as_str();
        let subject = match pinned_by {
            "sub" => sub,
            other => claims.find(other).and_then(Value::as_str),
        };
        if subject.is_none() && sid.is_none() {
            return Err(Error::LogoutOfNobody);
        }
        Ok((subject.map(str::to_owned), sid))
    }
}

/// `iat` must be there and recent. `exp` is required by the specification since its final text, and
/// left out by providers from before; the age is bounded without it.
fn check_times(claims: Claims<'_>, now: Timestamp) -> Result<(), Error> {
    claims.check_issue(now)?;
    let issued = claims.date("iat")?.unwrap_or_default();
    let age_secs = now.as_secs().saturating_sub(issued);
    if age_secs > LONGEST_AGE_SECS + LEEWAY_SECS {
        return Err(Error::LogoutTooOld {
            age_secs,
            limit_secs: LONGEST_AGE_SECS,
        });
    }
    if claims.has("exp") {
        claims.check_expiry(now)?;
    }
    claims.check_start(now)
}

/// It says that it is a logout token, and does not look like an ID token.
fn check_event(claims: Claims<'_>) -> Result<(), Error> {
    let events = claims.need("events", claims.find("events"))?;
    let events = events
        .as_object()
        .ok_or_else(|| claims.wrong_type("events", "an object"))?;
    if !events.get(EVENT).is_some_and(Value::is_object) {
        return Err(Error::LogoutEventMissing);
    }
    // Also one that is null: the rule is that there is none.
    if claims.claims.contains_key("nonce") {
        return Err(Error::LogoutNonce);
    }
    Ok(())
}

/// A claim that names something: text, and not too much of it.
fn named<'a>(claims: Claims<'a>, claim: &'static str) -> Result<Option<&'a str>, Error> {
    match claims.text(claim)? {
        Some(text) if text.is_empty() || text.chars().count() > LONGEST_NAME => {
            Err(claims.wrong_type(claim, "a name of 1 to 255 characters"))
        }
        text => Ok(text),
    }
}
