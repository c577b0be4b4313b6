//! A provider's public keys (RFC 7517), read leniently: a key that is not for us, or not
//! understood, is passed over, and the others count.

use super::algorithm::{self, PublicKey};
use super::error::Error;
use super::said::printable;
use crate::config::Algorithm;
use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};
use std::fmt;
use url::Url;

/// RFC 8725 §3.5, RFC 7518 §3.3.
const FEWEST_RSA_BITS: usize = 2048;

/// Keys are not what padding rules protect, and some providers pad them.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The keys of one issuer.
#[derive(Debug)]
pub(super) struct KeySet {
    /// Where they were fetched: keys of an address that metadata no longer names do not count.
    pub(super) source: Url,
    keys: Vec<Key>,
    /// What was passed over, and why.
    pub(super) flaws: Vec<(Option<String>, Flaw)>,
}

#[derive(Debug)]
struct Key {
    id: Option<String>,
    /// The one algorithm that the key is for, if it says so.
    algorithm: Option<Algorithm>,
    /// The one issuer that the key signs for, if it says so: Entra's have this member.
    issuer: Option<String>,
    public: PublicKey,
}

/// Why a key is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// For encryption, or not for verifying.
    OtherUse,
    /// A kind, curve or algorithm that is not supported here.
    Unsupported,
    /// RSA with this many bits.
    Weak(usize),
    /// Missing or impossible values.
    Malformed,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherUse => f.write_str("it is not for signatures"),
            Self::Unsupported => f.write_str("its kind is not supported"),
            Self::Weak(bits) => write!(f, "it has only {bits} bits"),
            Self::Malformed => f.write_str("its values are malformed"),
        }
    }
}

impl KeySet {
    /// Reads a JWKS document. One without any usable key is an error, so that it cannot replace
    /// good keys.
    pub(super) fn parse(document: &Map<String, Value>, source: Url) -> Result<Self, Error> {
        let listed = document
            .get("keys")
            .and_then(Value::as_array)
            .ok_or(Error::KeysMissing)?;
        let mut set = Self {
            source,
            keys: Vec::new(),
            flaws: Vec::new(),
        };
        for jwk in listed {
            let id = member(jwk, "kid").map(str::to_owned);
            match Key::parse(jwk, id.clone()) {
                Ok(key) => set.keys.push(key),
                Err(flaw) => set.flaws.push((id, flaw)),
            }
        }
        if set.keys.is_empty() {
            return Err(Error::NoUsableKey {
                found: listed.len(),
                reason: set
                    .flaws
                    .first()
                    .map_or_else(String::new, |(_, flaw)| format!(" ({flaw})")),
            });
        }
        Ok(set)
    }

    /// How many keys can verify something.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Checks a signature with every key that fits: the one that the token names, else those
    /// without a name, else, when the token names none, all. Returns for which issuer the key signs,
    /// if the key says so.
    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        key_id: Option<&str>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<Option<&str>, Failure> {
        let named = |key: &&Key| match (key_id, &key.id) {
            (Some(wanted), Some(id)) => wanted == id,
            _ => true,
        };
        let fits = |key: &&Key| {
            key.algorithm.is_none_or(|only| only == algorithm) && key.public.fits(algorithm)
        };
        let mut tried = false;
        for key in self.keys.iter().filter(named).filter(fits) {
            tried = true;
            if key.public.verifies(algorithm, message, signature) {
                return Ok(key.issuer.as_deref());
            }
        }
        if tried {
            return Err(Failure::BadSignature);
        }
        // Nothing fits. Why not?
        let is_named = |id: &Option<String>| key_id.is_some() && id.as_deref() == key_id;
        if self.keys.iter().any(|key| is_named(&key.id)) {
            return Err(Failure::KeyMismatch);
        }
        Err(self
            .flaws
            .iter()
            .find_map(|(id, flaw)| match flaw {
                Flaw::Weak(bits) if is_named(id) => Some(Failure::WeakKey(*bits)),
                _ => None,
            })
            .unwrap_or(Failure::UnknownKey))
    }
}

/// Why no key says that a signature is good.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// No key of that name, or none that fits.
    UnknownKey,
    /// The named key is for something else.
    KeyMismatch,
    /// The named key is too small.
    WeakKey(usize),
    /// No fitting key made this signature.
    BadSignature,
}

impl Key {
    fn parse(jwk: &Value, id: Option<String>) -> Result<Self, Flaw> {
        if member(jwk, "use").is_some_and(|purpose| purpose != "sig") {
            return Err(Flaw::OtherUse);
        }
        if let Some(operations) = jwk.get("key_ops").and_then(Value::as_array)
            && !operations.iter().any(|operation| operation == "verify")
        {
            return Err(Flaw::OtherUse);
        }
        let public = public_key(jwk)?;
        let algorithm = match member(jwk, "alg") {
            // An unknown algorithm, or one for another kind of key.
            Some(name) => Some(
                algorithm::from_name(name)
                    .filter(|algorithm| public.fits(*algorithm))
                    .ok_or(Flaw::Unsupported)?,
            ),
            None => None,
        };
        if !public.is_valid() {
            return Err(Flaw::Malformed);
        }
        Ok(Self {
            id,
            algorithm,
            issuer: member(jwk, "issuer").map(str::to_owned),
            public,
        })
    }
}

fn public_key(jwk: &Value) -> Result<PublicKey, Flaw> {
    let bytes = |name| {
        let text = member(jwk, name).ok_or(Flaw::Malformed)?;
        BASE64URL.decode(text).map_err(|_| Flaw::Malformed)
    };
    let point = |length: usize| {
        let mut point = vec![4];
        for name in ["x", "y"] {
            let coordinate = bytes(name)?;
            // Some encoders drop leading zeros (against RFC 7518 §6.2.1.2).
            let missing = length
                .checked_sub(coordinate.len())
                .ok_or(Flaw::Malformed)?;
            point.extend(std::iter::repeat_n(0, missing));
            point.extend(coordinate);
        }
        Ok(point)
    };
    match (member(jwk, "kty"), member(jwk, "crv")) {
        (Some("RSA"), _) => {
            let n = without_leading_zeros(bytes("n")?);
            let bits = n.first().map_or(0, |first| {
                n.len() * 8 - usize::try_from(first.leading_zeros()).unwrap_or(0)
            });
            if bits < FEWEST_RSA_BITS {
                return Err(Flaw::Weak(bits));
            }
            let e = without_leading_zeros(bytes("e")?);
            Ok(PublicKey::Rsa { n, e })
        }
        (Some("EC"), Some("P-256")) => Ok(PublicKey::P256(point(32)?)),
        (Some("EC"), Some("P-384")) => Ok(PublicKey::P384(point(48)?)),
        (Some("EC"), Some("P-521")) => Ok(PublicKey::P521(point(66)?)),
        (Some("OKP"), Some("Ed25519")) => Ok(PublicKey::Ed25519(bytes("x")?)),
        (Some(_), _) => Err(Flaw::Unsupported),
        (None, _) => Err(Flaw::Malformed),
    }
}

fn without_leading_zeros(bytes: Vec<u8>) -> Vec<u8> {
    bytes.into_iter().skip_while(|byte| *byte == 0).collect()
}

/// A member that is text; `kid` and the like are cut short where they are shown.
fn member<'a>(jwk: &'a Value, name: &str) -> Option<&'a str> {
    jwk.get(name)?.as_str()
}

/// A key's name for people.
pub(super) fn shown(key_id: Option<&str>) -> String {
    key_id.map_or_else(String::new, printable)
}
