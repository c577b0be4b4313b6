//! The key that signs ID tokens: P-256, made at the start, never written down.

use crate::demo::Error;
use crate::random;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde_json::{Map, Value, json};
use std::sync::{Arc, Mutex, PoisonError};

/// The key in force.
#[derive(Debug)]
pub(super) struct Keys(Mutex<Arc<Key>>);

struct Key {
    id: String,
    signing: EncodingKey,
    x: String,
    y: String,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Keys {
    pub(super) fn generate() -> Result<Self, Error> {
        Ok(Self(Mutex::new(Arc::new(Key::generate()?))))
    }

    pub(super) fn rotate(&self) -> Result<(), Error> {
        let fresh = Arc::new(Key::generate()?);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// The public half as a JWK Set (RFC 7517 §5).
    pub(super) fn public(&self) -> Value {
        let key = self.current();
        json!({ "keys": [{
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig",
            "kid": key.id, "x": key.x, "y": key.y,
        }] })
    }

    /// Signs claims as a JWT.
    pub(super) fn sign(&self, claims: &Value) -> Result<String, jsonwebtoken::errors::Error> {
        let key = self.current();
        let header = Header {
            kid: Some(key.id.clone()),
            ..Header::new(Algorithm::ES256)
        };
        jsonwebtoken::encode(&header, claims, &key.signing)
    }

    /// The claims of an ID token that this key signed for this issuer, expired or not: that is what
    /// a logout's hint is (OpenID Connect RP-Initiated Logout 1.0 §4).
    pub(super) fn read_hint(&self, token: &str, issuer: &str) -> Option<Map<String, Value>> {
        let key = self.current();
        let public = DecodingKey::from_ec_components(&key.x, &key.y).ok()?;
        let mut rules = Validation::new(Algorithm::ES256);
        rules.set_issuer(&[issuer]);
        rules.validate_exp = false;
        rules.validate_aud = false;
        let token = jsonwebtoken::decode(token, &public, &rules).ok()?;
        Some(token.claims)
    }

    fn current(&self) -> Arc<Key> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Key {
    fn generate() -> Result<Self, Error> {
        let scheme = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let private = EcdsaKeyPair::generate_pkcs8(scheme, &crate::random::source())?;
        let pair = EcdsaKeyPair::from_pkcs8(scheme, private.as_ref())
            .map_err(|_| aws_lc_rs::error::Unspecified)?;
        // An uncompressed point: 4, then 32 bytes of each coordinate (SEC 1 §2.3.3).
        let point = pair.public_key().as_ref();
        let (x, y) = point
            .split_first()
            .and_then(|(_, coordinates)| coordinates.split_at_checked(32))
            .ok_or(aws_lc_rs::error::Unspecified)?;
        Ok(Self {
            id: random::token().chars().take(8).collect(),
            signing: EncodingKey::from_ec_der(private.as_ref()),
            x: URL_SAFE_NO_PAD.encode(x),
            y: URL_SAFE_NO_PAD.encode(y),
        })
    }
}
