//! What this room hands out.

use crate::secret::Secret;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;

/// Where a claim came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The ID token.
    IdToken,
    /// The userinfo address.
    Userinfo,
    /// Salesforce's identity address.
    Identity,
    /// GitHub's `/user/emails`.
    Emails,
    /// GitHub's `/user/orgs`.
    Organizations,
    /// GitHub's `/user/teams`.
    Teams,
    /// Discord's `/users/@me/guilds`.
    Guilds,
    /// Microsoft Graph.
    Graph,
}

impl Source {
    /// In words, for a person.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::IdToken => "ID token",
            Self::Userinfo => "userinfo",
            Self::Identity => "identity address",
            Self::Emails => "e-mail addresses",
            Self::Organizations => "organizations",
            Self::Teams => "teams",
            Self::Guilds => "guilds",
            Self::Graph => "Microsoft Graph",
        }
    }
}

/// Facts about a person that the provider vouches for. Only this room makes one.
#[derive(Clone)]
pub struct VerifiedClaims {
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) claims: Map<String, Value>,
    pub(super) sources: BTreeMap<String, Source>,
    pub(super) id_token: Option<Secret<String>>,
    pub(super) refresh: Option<Renewal>,
    pub(super) lacks_userinfo: bool,
}

/// What looks at the claims again later (RFC 6749 §6).
#[derive(Debug, Clone)]
pub struct Renewal {
    /// The refresh token. Works once where the provider rotates them.
    pub token: Secret<String>,
    /// How long the access token is good, if the provider says so.
    pub expires_in: Option<std::time::Duration>,
}

/// Why a session has to end, by the provider's word (OpenID Connect Back-Channel Logout 1.0 §2.4), once
/// everything about the token is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoutToken {
    /// The issuer, as pins have it.
    pub issuer: String,
    /// Whose sessions, if the token says so.
    pub subject: Option<String>,
    /// Which session at the provider, if the token says so. At least one of the two is there.
    pub sid: Option<String>,
    /// The token's own name (`jti`), for [`Provider::take_back`](super::Provider::take_back).
    pub id: String,
}

/// What is known of a session from its sign-in, for looking again.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The issuer, as pins have it.
    pub issuer: &'a str,
    /// The unchanging identifier, as pins have it.
    pub subject: &'a str,
    /// The ID token of the sign-in, if there was one.
    pub id_token: Option<&'a Secret<String>>,
}

impl VerifiedClaims {
    /// The issuer: half of the person's pin.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The unchanging identifier: the other half.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The claims: those of the ID token, those of userinfo that the ID token does not have, and what
    /// further calls told. For plain OAuth 2.0, userinfo's and those of further calls.
    #[must_use]
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// Which source gave each claim, by the claim's name: one for each of [`claims`](Self::claims).
    #[must_use]
    pub fn sources(&self) -> &BTreeMap<String, Source> {
        &self.sources
    }

    /// Whether userinfo failed and the configuration does without (`userinfo = "optional"`): a claim
    /// that is not there may be there the next time.
    #[must_use]
    pub fn lacks_userinfo(&self) -> bool {
        self.lacks_userinfo
    }

    /// The ID token as it came, for `id_token_hint`.
    #[must_use]
    pub fn id_token(&self) -> Option<&Secret<String>> {
        self.id_token.as_ref()
    }

    /// What looks at the claims again later, if the provider gave something for it.
    #[must_use]
    pub fn renewal(&self) -> Option<&Renewal> {
        self.refresh.as_ref()
    }

    /// The provider's name for its session (`sid`), for its logout channels: the ID token's (OpenID
    /// Connect Front-Channel Logout 1.0 §3). Elsewhere the same word may mean anything, such as
    /// Windows' name for an account, and whoever knows this one can end the session.
    #[must_use]
    pub fn sid(&self) -> Option<&str> {
        match self.sources.get("sid") {
            Some(Source::IdToken) => self.claims.get("sid").and_then(Value::as_str),
            _ => None,
        }
    }

    /// Claims that nobody verified, for other rooms' tests.
    ///
    /// # Panics
    ///
    /// If `claims` is not a JSON object.
    #[cfg(test)]
    #[must_use]
    pub fn for_tests(issuer: &str, subject: &str, claims: Value) -> Self {
        let Value::Object(claims) = claims else {
            panic!("claims are a JSON object");
        };
        Self {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            claims,
            sources: BTreeMap::new(),
            id_token: None,
            refresh: None,
            lacks_userinfo: false,
        }
    }
}

/// Names of claims, not values: they are about a person and do not belong into a log.
impl fmt::Debug for VerifiedClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedClaims")
            .field("issuer", &self.issuer)
            .field("claims", &self.claims.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(source: Source, want: Option<&str>) {
        let mut claims = VerifiedClaims::for_tests("https://idp", "1", json!({ "sid": "s-1" }));
        claims.sources.insert("sid".to_owned(), source);
        assert_eq!(claims.sid(), want, "{source:?}");
    }

    #[test]
    fn what_userinfo_calls_sid_names_no_session_that_anybody_could_end() {
        check(Source::IdToken, Some("s-1"));
        check(Source::Userinfo, None);
        check(Source::Identity, None);
    }
}
