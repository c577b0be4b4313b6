//! The signed identity assertion: a JWT (RFC 7519) that lives for a minute.
//!
//! It says the same as the identity headers, in a way that the upstream can check: `iss` is the
//! gateway's public origin, `aud` the upstream, `sub` the username. The first key signs and all are
//! published, so a new key is listed second, is known to the upstream by the time it becomes the
//! first, and the old one stays listed for the minute that its last assertions live.

use super::Error;
use crate::clock::Timestamp;
use crate::config;
use crate::identity::Person;
use crate::session::CachedAssertion;
use arc_swap::ArcSwapOption;
use aws_lc_rs::digest;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderName, HeaderValue};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

/// How long an assertion is valid.
const LIFETIME: Duration = Duration::from_secs(60);

/// How much of that must be left when it is sent.
const RESERVE: Duration = Duration::from_secs(20);

/// Signs assertions.
#[derive(Debug)]
pub(super) struct Signer {
    header: HeaderName,
    issuer: String,
    audience: String,
    key: Key,
    jwks: String,
    /// Tells assertions of other keys or settings apart.
    fingerprint: u64,
}

#[derive(Debug)]
struct Key {
    pair: Pair,
    /// The JOSE header, encoded.
    head: String,
    /// The public half.
    jwk: Value,
}

enum Pair {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

impl Signer {
    pub(super) fn new(config: &config::Assertion, issuer: &str) -> Result<Self, Error> {
        let mut keys = config
            .keys
            .iter()
            .enumerate()
            .map(|(index, key)| Key::read(key.expose(), index + 1))
            .collect::<Result<Vec<_>, _>>()?
            .into_iter();
        let key = keys.next().ok_or(Error::AssertionKeyFormat { number: 1 })?;
        let published: Vec<Value> = std::iter::once(key.jwk.clone())
            .chain(keys.map(|key| key.jwk))
            .collect();
        let mut hasher = DefaultHasher::new();
        (&key.head, issuer, &config.audience).hash(&mut hasher);
        Ok(Self {
            header: config.header.clone(),
            issuer: issuer.to_owned(),
            audience: config.audience.clone(),
            jwks: json!({ "keys": published }).to_string(),
            fingerprint: hasher.finish(),
            key,
        })
    }

    pub(super) fn header(&self) -> &HeaderName {
        &self.header
    }

    /// The public keys as a JWK Set (RFC 7517 §5).
    pub(super) fn jwks(&self) -> &str {
        &self.jwks
    }

    /// The assertion for a person: the one from `cache` while it is fresh, or a new one.
    pub(super) fn assert(
        &self,
        person: &Person,
        cache: &ArcSwapOption<CachedAssertion>,
        now: Timestamp,
    ) -> Result<HeaderValue, Error> {
        if let Some(cached) = &*cache.load()
            && cached.made_with == self.fingerprint
            && now < cached.fresh_until
        {
            return Ok(cached.value.clone());
        }
        let value = self.sign(person, now)?;
        cache.store(Some(Arc::new(CachedAssertion {
            value: value.clone(),
            fresh_until: now.plus(LIFETIME.saturating_sub(RESERVE)),
            made_with: self.fingerprint,
        })));
        Ok(value)
    }

    fn sign(&self, person: &Person, now: Timestamp) -> Result<HeaderValue, Error> {
        let mut claims = json!({
            "iss": self.issuer,
            "aud": self.audience,
            "sub": person.username.as_str(),
            "iat": now.as_secs(),
            "exp": now.plus(LIFETIME).as_secs(),
            "groups": person.groups,
        });
        if let Some(claims) = claims.as_object_mut() {
            if let Some(email) = &person.email {
                claims.insert("email".to_owned(), email.as_str().into());
            }
            if let Some(name) = &person.display_name {
                claims.insert("name".to_owned(), name.as_str().into());
            }
        }
        let mut token = self.key.head.clone();
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims.to_string(), &mut token);
        let signature = self.key.pair.sign(token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        HeaderValue::try_from(token).map_err(|_| Error::Sign)
    }
}

impl Key {
    fn read(pem: &str, number: usize) -> Result<Self, Error> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| Error::AssertionKeyFormat { number })?;
        let der = der.secret_pkcs8_der();
        let (pair, algorithm, public) =
            if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der) {
                // An uncompressed point: 4, then x and y (SEC 1 §2.3.3).
                let point = pair.public_key().as_ref();
                let (Some(x), Some(y)) = (point.get(1..33), point.get(33..65)) else {
                    return Err(Error::AssertionKeyKind { number });
                };
                let public = json!({ "crv": "P-256", "kty": "EC", "x": b64(x), "y": b64(y) });
                (Pair::P256(pair), "ES256", public)
            } else if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
                let x = b64(pair.public_key().as_ref());
                let public = json!({ "crv": "Ed25519", "kty": "OKP", "x": x });
                (Pair::Ed25519(pair), "EdDSA", public)
            } else {
                return Err(Error::AssertionKeyKind { number });
            };
        // The thumbprint is over the required members in alphabetical order without white space
        // (RFC 7638 §3), which is how this map is kept and written.
        let thumbprint = digest::digest(&digest::SHA256, public.to_string().as_bytes());
        let kid = b64(thumbprint.as_ref());
        let mut jwk = public;
        if let Some(jwk) = jwk.as_object_mut() {
            jwk.insert("alg".to_owned(), algorithm.into());
            jwk.insert("kid".to_owned(), kid.clone().into());
            jwk.insert("use".to_owned(), "sig".into());
        }
        let head = b64(json!({ "alg": algorithm, "kid": kid, "typ": "JWT" })
            .to_string()
            .as_bytes());
        Ok(Self { pair, head, jwk })
    }
}

impl Pair {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        match self {
            Self::P256(pair) => pair
                .sign(&crate::random::source(), message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| Error::Sign),
            Self::Ed25519(pair) => pair
                .try_sign(message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| Error::Sign),
        }
    }
}

fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Email, GroupName, Username};
    use crate::secret::Secret;
    use jsonwebtoken::jwk::JwkSet;
    use jsonwebtoken::{Algorithm, DecodingKey, Validation};

    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    fn p256() -> String {
        rcgen::KeyPair::generate().unwrap().serialize_pem()
    }

    fn ed25519() -> String {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        key.serialize_pem()
    }

    fn signer(keys: &[&String]) -> Result<Signer, Error> {
        let config = config::Assertion {
            header: HeaderName::from_static("x-assertion"),
            audience: "http://bitbucket:7990".to_owned(),
            keys: keys.iter().map(|key| Secret::new((*key).clone())).collect(),
        };
        Signer::new(&config, "https://git.example.com")
    }

    fn ana() -> Person {
        Person {
            username: Username::parse("ana").unwrap(),
            email: Some(Email::parse("ana@example.com").unwrap()),
            display_name: None,
            groups: vec![GroupName::parse("stash-users").unwrap()],
        }
    }

    /// What an upstream does: finds the key by its id and checks.
    fn verified(token: &HeaderValue, jwks: &str) -> Value {
        let token = token.to_str().unwrap();
        let head = jsonwebtoken::decode_header(token).unwrap();
        let jwks: JwkSet = serde_json::from_str(jwks).unwrap();
        let jwk = jwks.find(&head.kid.unwrap()).unwrap();
        let mut validation = Validation::new(head.alg);
        validation.set_audience(&["http://bitbucket:7990"]);
        validation.set_issuer(&["https://git.example.com"]);
        validation.validate_exp = false; // The clock stands still in 2023.
        let key = DecodingKey::from_jwk(jwk).unwrap();
        jsonwebtoken::decode::<Value>(token, &key, &validation)
            .unwrap()
            .claims
    }

    #[test]
    fn an_upstream_can_check_it_with_the_published_keys() {
        for (key, algorithm) in [(p256(), Algorithm::ES256), (ed25519(), Algorithm::EdDSA)] {
            let signer = signer(&[&key]).unwrap();
            let token = signer.assert(&ana(), &ArcSwapOption::empty(), NOW).unwrap();
            let head = jsonwebtoken::decode_header(token.to_str().unwrap()).unwrap();
            assert_eq!(head.alg, algorithm);
            let expected = json!({
                "iss": "https://git.example.com",
                "aud": "http://bitbucket:7990",
                "sub": "ana",
                "email": "ana@example.com",
                "groups": ["stash-users"],
                "iat": 1_700_000_000,
                "exp": 1_700_000_060,
            });
            assert_eq!(verified(&token, signer.jwks()), expected);
        }
    }

    #[test]
    fn only_public_halves_are_published_under_their_thumbprints() {
        let signer = signer(&[&p256(), &ed25519()]).unwrap();
        let shown: Value = serde_json::from_str(signer.jwks()).unwrap();
        let keys = shown["keys"].as_array().unwrap();
        assert_eq!(keys.len(), 2);
        for key in keys {
            assert!(key.get("d").is_none());
            assert_eq!(key["use"], "sig");
            let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(key.clone()).unwrap();
            let thumbprint = jwk.thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256);
            assert_eq!(key["kid"], thumbprint.unwrap());
        }
    }

    #[test]
    fn a_key_is_known_before_it_signs_and_after() {
        let (old, new) = (p256(), p256());
        let before = signer(&[&old, &new]).unwrap();
        let after = signer(&[&new, &old]).unwrap();
        let cache = ArcSwapOption::empty();
        let last_old = before.assert(&ana(), &cache, NOW).unwrap();
        let first_new = after.assert(&ana(), &cache, NOW).unwrap();
        assert_ne!(last_old, first_new, "the cached one is of another key");
        verified(&first_new, before.jwks());
        verified(&last_old, after.jwks());
    }

    #[test]
    fn it_is_signed_again_when_less_than_twenty_seconds_are_left() {
        let signer = signer(&[&p256()]).unwrap();
        let cache = ArcSwapOption::empty();
        let at = |secs| {
            let now = NOW.plus(Duration::from_secs(secs));
            signer.assert(&ana(), &cache, now).unwrap()
        };
        let first = at(0);
        assert_eq!(at(39), first);
        let second = at(40);
        assert_ne!(second, first);
        assert_eq!(at(79), second);
    }

    #[test]
    fn keys_that_cannot_sign_stop_the_start() {
        let good = p256();
        let p384 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384)
            .unwrap()
            .serialize_pem();
        for (keys, text) in [
            (
                vec![],
                "key 1 of identity.assertion_keys is not a private key",
            ),
            (
                vec![&good, &p384],
                "key 2 of identity.assertion_keys is neither P-256 nor Ed25519",
            ),
        ] {
            let error = signer(&keys).unwrap_err().to_string();
            assert!(error.starts_with(text), "{error}");
            assert!(!error.contains("PRIVATE"), "{error}");
        }
        let nonsense = "nonsense".to_owned();
        assert!(matches!(
            signer(&[&nonsense]),
            Err(Error::AssertionKeyFormat { number: 1 })
        ));
    }
}
