//! Claims as they come in, source after source, and which source gave each.

use super::claims::{Renewal, Source, VerifiedClaims};
use crate::secret::Secret;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What is known about a person so far.
#[derive(Debug)]
pub(super) struct Gathered {
    claims: Map<String, Value>,
    sources: BTreeMap<String, Source>,
    lacks_userinfo: bool,
}

impl Gathered {
    /// What the first source says.
    pub(super) fn new(source: Source, claims: Map<String, Value>) -> Self {
        let sources = claims.keys().map(|name| (name.clone(), source)).collect();
        Self {
            claims,
            sources,
            lacks_userinfo: false,
        }
    }

    pub(super) fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// Notes that userinfo has failed.
    pub(super) fn without_userinfo(&mut self) {
        self.lacks_userinfo = true;
    }

    /// A claim as text, if it is.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name)?.as_str()
    }

    /// Adds what no earlier source has said. The earlier one wins.
    ///
    /// An e-mail address and its `email_verified` come from the same source: one of them alone would
    /// vouch for the other one's address.
    pub(super) fn add(&mut self, source: Source, others: Map<String, Value>) {
        let said = |claims: &Map<String, Value>| {
            claims
                .get("email")
                .filter(|value| !value.is_null())
                .cloned()
        };
        let (own, other) = (said(&self.claims), said(&others));
        let differs = own.is_some() && other.is_some() && own != other;
        if own.is_none() && other.is_some() {
            self.remove("email_verified");
        }
        for (name, value) in others {
            if differs && name == "email_verified" {
                continue;
            }
            match self.claims.get(&name) {
                Some(known) if !known.is_null() => {}
                _ => self.set(source, &name, value),
            }
        }
    }

    /// Puts this source's word in place of any other: of its own list it alone knows the truth.
    pub(super) fn set(&mut self, source: Source, name: &str, value: Value) {
        self.claims.insert(name.to_owned(), value);
        self.sources.insert(name.to_owned(), source);
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.claims.remove(name);
        self.sources.remove(name);
    }

    /// All of it, vouched for. Whoever calls this has verified it.
    pub(super) fn into_verified(
        self,
        issuer: &str,
        subject: String,
        id_token: Option<Secret<String>>,
        refresh: Option<Renewal>,
    ) -> VerifiedClaims {
        VerifiedClaims {
            issuer: issuer.to_owned(),
            subject,
            claims: self.claims,
            sources: self.sources,
            id_token,
            lacks_userinfo: self.lacks_userinfo,
            refresh,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// `from_userinfo`: the claims that userinfo gave in the end; all others are the ID token's.
    #[track_caller]
    fn check(id_token: Value, userinfo: Value, expected: Value, from_userinfo: &[&str]) {
        let object = |value: Value| value.as_object().unwrap().clone();
        let mut gathered = Gathered::new(Source::IdToken, object(id_token));
        gathered.add(Source::Userinfo, object(userinfo));
        let sources = object(expected.clone())
            .keys()
            .map(|name| {
                let source = if from_userinfo.contains(&name.as_str()) {
                    Source::Userinfo
                } else {
                    Source::IdToken
                };
                (name.clone(), source)
            })
            .collect();
        assert_eq!(Value::Object(gathered.claims), expected);
        assert_eq!(gathered.sources, sources);
    }

    #[test]
    fn the_id_token_wins_and_userinfo_adds() {
        check(
            json!({"name": "Ana", "phone_number": null}),
            json!({"name": "Eve", "phone_number": "1", "groups": ["dev"]}),
            json!({"name": "Ana", "phone_number": "1", "groups": ["dev"]}),
            &["phone_number", "groups"],
        );
    }

    #[test]
    fn email_verified_never_vouches_for_the_other_sources_address() {
        check(
            json!({"email": "a@example.com"}),
            json!({"email": "b@example.com", "email_verified": true}),
            json!({"email": "a@example.com"}),
            &[],
        );
        check(
            json!({"email_verified": true}),
            json!({"email": "b@example.com", "email_verified": false}),
            json!({"email": "b@example.com", "email_verified": false}),
            &["email", "email_verified"],
        );
        check(
            json!({"email_verified": true}),
            json!({"email": "b@example.com"}),
            json!({"email": "b@example.com"}),
            &["email"],
        );
        check(
            json!({"email": "a@example.com"}),
            json!({"email": "a@example.com", "email_verified": false}),
            json!({"email": "a@example.com", "email_verified": false}),
            &["email_verified"],
        );
    }
}
