//! How the gateway proves who it is at the token endpoint (RFC 6749 §2.3, RFC 7523 §2.2).

use super::algorithm;
use super::error::Error;
use crate::clock::Timestamp;
use crate::config::{Algorithm, ClientAuth};
use crate::random;
use crate::secret::Secret;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, RsaEncoding, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::HeaderValue;
use rustls::pki_types::{PrivateKeyDer, pem::PemObject};
use serde_json::json;
use url::form_urlencoded;

/// How long an assertion may be used. It is made for one call.
const ASSERTION_LIFETIME_SECS: u64 = 60;

/// Apple takes secrets of up to six months, and this one is used at once.
const APPLE_LIFETIME_SECS: u64 = 300;
const APPLE_AUDIENCE: &str = "https://appleid.apple.com";

/// RFC 8725 §3.5.
const FEWEST_RSA_BYTES: usize = 2048 / 8;

/// The proof, ready to be made.
pub(super) enum Proof {
    Basic(Secret<String>),
    Post(Secret<String>),
    Assertion(Box<Signer>),
    Apple {
        signer: Box<Signer>,
        team_id: String,
    },
    None,
}

/// What goes into the request besides the grant.
pub(super) struct Credentials {
    /// For `Authorization`.
    pub(super) header: Option<HeaderValue>,
    /// For the form.
    pub(super) fields: Vec<(&'static str, String)>,
}

impl Proof {
    /// # Errors
    ///
    /// If the private key is not one, or does not fit its algorithm.
    pub(super) fn new(config: &ClientAuth) -> Result<Self, Error> {
        Ok(match config {
            ClientAuth::Basic(secret) => Self::Basic(secret.clone()),
            ClientAuth::Post(secret) => Self::Post(secret.clone()),
            ClientAuth::None => Self::None,
            ClientAuth::PrivateKeyJwt {
                key,
                key_id,
                algorithm,
            } => Self::Assertion(Signer::new(key, key_id.clone(), *algorithm)?),
            ClientAuth::AppleJwt {
                key,
                key_id,
                team_id,
            } => Self::Apple {
                signer: Signer::new(key, Some(key_id.clone()), Algorithm::ES256)?,
                team_id: team_id.clone(),
            },
        })
    }

    /// The name that OpenID Connect Core §9 gives this method.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Basic(_) => "client_secret_basic",
            // To the provider, Apple's secret is one like any other.
            Self::Post(_) | Self::Apple { .. } => "client_secret_post",
            Self::Assertion(_) => "private_key_jwt",
            Self::None => "none",
        }
    }

    /// The credentials for one call of the token endpoint at `audience`.
    pub(super) fn credentials(
        &self,
        client_id: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<Credentials, Error> {
        let identified = || vec![("client_id", client_id.to_owned())];
        Ok(match self {
            Self::Basic(secret) => Credentials {
                header: Some(basic(client_id, secret)),
                fields: Vec::new(),
            },
            Self::Post(secret) => {
                let mut fields = identified();
                fields.push(("client_secret", secret.expose().clone()));
                Credentials {
                    header: None,
                    fields,
                }
            }
            Self::Assertion(signer) => {
                let mut fields = identified();
                fields.push((
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned(),
                ));
                fields.push((
                    "client_assertion",
                    signer.assertion(client_id, audience, now)?,
                ));
                Credentials {
                    header: None,
                    fields,
                }
            }
            Self::Apple { signer, team_id } => {
                let mut fields = identified();
                fields.push(("client_secret", signer.apple(client_id, team_id, now)?));
                Credentials {
                    header: None,
                    fields,
                }
            }
            Self::None => Credentials {
                header: None,
                fields: identified(),
            },
        })
    }
}

/// Both halves are form-encoded before they are joined (RFC 6749 §2.3.1), so a colon in an
/// identifier stays apart from the colon between them.
fn basic(client_id: &str, secret: &Secret<String>) -> HeaderValue {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(client_id), encode(secret.expose()));
    let text = format!("Basic {}", STANDARD.encode(pair));
    // Base64 is always a valid value; an empty one would only be refused by the provider.
    let mut value =
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("Basic"));
    value.set_sensitive(true);
    value
}

/// Signs assertions about who we are.
pub(super) struct Signer {
    key: SigningKey,
    key_id: Option<String>,
    algorithm: Algorithm,
}

enum SigningKey {
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Signer {
    fn new(
        key: &Secret<String>,
        key_id: Option<String>,
        algorithm: Algorithm,
    ) -> Result<Box<Self>, Error> {
        Ok(Box::new(Self {
            key: SigningKey::parse(key, algorithm).ok_or(Error::ClientKey { algorithm })?,
            key_id,
            algorithm,
        }))
    }

    /// RFC 7523 §3: a token about ourselves, for the token endpoint, used once.
    fn assertion(&self, client_id: &str, audience: &str, now: Timestamp) -> Result<String, Error> {
        self.token(&json!({
            "iss": client_id,
            "sub": client_id,
            "aud": audience,
            "jti": random::token(),
            "iat": now.as_secs(),
            "exp": now.as_secs().saturating_add(ASSERTION_LIFETIME_SECS),
        }))
    }

    /// What Apple takes for a client secret: the team says that it is this client.
    fn apple(&self, client_id: &str, team_id: &str, now: Timestamp) -> Result<String, Error> {
        self.token(&json!({
            "iss": team_id,
            "sub": client_id,
            "aud": APPLE_AUDIENCE,
            "iat": now.as_secs(),
            "exp": now.as_secs().saturating_add(APPLE_LIFETIME_SECS),
        }))
    }

    fn token(&self, claims: &serde_json::Value) -> Result<String, Error> {
        let mut header = json!({ "alg": algorithm::name(self.algorithm), "typ": "JWT" });
        if let (Some(id), Some(header)) = (&self.key_id, header.as_object_mut()) {
            header.insert("kid".to_owned(), json!(id));
        }
        let mut text = URL_SAFE_NO_PAD.encode(header.to_string());
        text.push('.');
        text.push_str(&URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = self.key.sign(text.as_bytes()).ok_or(Error::ClientKey {
            algorithm: self.algorithm,
        })?;
        text.push('.');
        text.push_str(&URL_SAFE_NO_PAD.encode(signature));
        Ok(text)
    }
}

impl SigningKey {
    /// PKCS#8, PKCS#1 for RSA, or SEC1 for elliptic curves.
    fn parse(pem: &Secret<String>, algorithm: Algorithm) -> Option<Self> {
        let der = PrivateKeyDer::from_pem_slice(pem.expose().as_bytes()).ok()?;
        let rsa = |encoding: &'static dyn RsaEncoding| {
            let pair = match &der {
                PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
                PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
                _ => return None,
            }
            .ok()?;
            (pair.public_modulus_len() >= FEWEST_RSA_BYTES).then_some(Self::Rsa(pair, encoding))
        };
        let ec = |kind: &'static signature::EcdsaSigningAlgorithm| {
            match &der {
                PrivateKeyDer::Pkcs8(key) => EcdsaKeyPair::from_pkcs8(kind, key.secret_pkcs8_der()),
                PrivateKeyDer::Sec1(key) => {
                    EcdsaKeyPair::from_private_key_der(kind, key.secret_sec1_der())
                }
                _ => return None,
            }
            .ok()
            .map(Self::Ec)
        };
        match algorithm {
            Algorithm::RS256 => rsa(&signature::RSA_PKCS1_SHA256),
            Algorithm::RS384 => rsa(&signature::RSA_PKCS1_SHA384),
            Algorithm::RS512 => rsa(&signature::RSA_PKCS1_SHA512),
            Algorithm::PS256 => rsa(&signature::RSA_PSS_SHA256),
            Algorithm::PS384 => rsa(&signature::RSA_PSS_SHA384),
            Algorithm::PS512 => rsa(&signature::RSA_PSS_SHA512),
            Algorithm::ES256 => ec(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::ES384 => ec(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
            Algorithm::ES512 => ec(&signature::ECDSA_P521_SHA512_FIXED_SIGNING),
            Algorithm::EdDSA => match &der {
                PrivateKeyDer::Pkcs8(key) => {
                    Ed25519KeyPair::from_pkcs8_maybe_unchecked(key.secret_pkcs8_der())
                        .ok()
                        .map(Self::Ed)
                }
                _ => None,
            },
            Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => None,
        }
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = crate::random::source();
        match self {
            Self::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature)
                    .ok()?;
                Some(signature)
            }
            Self::Ec(pair) => Some(pair.sign(&random, message).ok()?.as_ref().to_vec()),
            Self::Ed(pair) => Some(pair.sign(message).as_ref().to_vec()),
        }
    }
}
