//! What this room hands out.

use crate::secret::Secret;
use serde_json::{Map, Value};
use std::fmt;

/// Facts about a person that the provider vouches for. Only this room makes one.
#[derive(Clone)]
pub struct VerifiedClaims {
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) claims: Map<String, Value>,
    pub(super) id_token: Option<Secret<String>>,
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

    /// The claims: those of the ID token, and those of userinfo that the ID token does not have.
    #[must_use]
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// The ID token as it came, for `id_token_hint`.
    #[must_use]
    pub fn id_token(&self) -> Option<&Secret<String>> {
        self.id_token.as_ref()
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
            id_token: None,
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
