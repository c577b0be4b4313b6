//! Signature algorithms: their names, their digests, and how a signature is checked.

use crate::config::Algorithm;
use aws_lc_rs::{digest, hmac, signature};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The registered name (RFC 7518 §3.1, RFC 8037 §3.1).
pub(super) fn name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::RS256 => "RS256",
        Algorithm::RS384 => "RS384",
        Algorithm::RS512 => "RS512",
        Algorithm::PS256 => "PS256",
        Algorithm::PS384 => "PS384",
        Algorithm::PS512 => "PS512",
        Algorithm::ES256 => "ES256",
        Algorithm::ES384 => "ES384",
        Algorithm::ES512 => "ES512",
        Algorithm::EdDSA => "EdDSA",
        Algorithm::HS256 => "HS256",
        Algorithm::HS384 => "HS384",
        Algorithm::HS512 => "HS512",
    }
}

/// The algorithm of this name. RFC 9864 calls EdDSA over Curve25519 "Ed25519".
pub(super) fn from_name(name: &str) -> Option<Algorithm> {
    Some(match name {
        "RS256" => Algorithm::RS256,
        "RS384" => Algorithm::RS384,
        "RS512" => Algorithm::RS512,
        "PS256" => Algorithm::PS256,
        "PS384" => Algorithm::PS384,
        "PS512" => Algorithm::PS512,
        "ES256" => Algorithm::ES256,
        "ES384" => Algorithm::ES384,
        "ES512" => Algorithm::ES512,
        "EdDSA" | "Ed25519" => Algorithm::EdDSA,
        "HS256" => Algorithm::HS256,
        "HS384" => Algorithm::HS384,
        "HS512" => Algorithm::HS512,
        _ => return None,
    })
}

/// Whether the key is the client secret.
pub(super) fn is_hmac(algorithm: Algorithm) -> bool {
    matches!(
        algorithm,
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512
    )
}

/// Base64url of the left half of the algorithm's digest over a text: `at_hash` and `c_hash`
/// (OpenID Connect Core §3.1.3.6). Ed25519 works with SHA-512.
pub(super) fn half_hash(algorithm: Algorithm, text: &str) -> String {
    let digest = digest::digest(
        match algorithm {
            Algorithm::RS256 | Algorithm::PS256 | Algorithm::ES256 | Algorithm::HS256 => {
                &digest::SHA256
            }
            Algorithm::RS384 | Algorithm::PS384 | Algorithm::ES384 | Algorithm::HS384 => {
                &digest::SHA384
            }
            Algorithm::RS512
            | Algorithm::PS512
            | Algorithm::ES512
            | Algorithm::HS512
            | Algorithm::EdDSA => &digest::SHA512,
        },
        text.as_bytes(),
    );
    let half = digest.as_ref().len() / 2;
    URL_SAFE_NO_PAD.encode(digest.as_ref().get(..half).unwrap_or_default())
}

/// The names of several algorithms, for people.
pub(super) fn names(algorithms: &[Algorithm]) -> String {
    let names: Vec<_> = algorithms.iter().copied().map(name).collect();
    names.join(", ")
}

/// A public key of one of the kinds that can verify something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PublicKey {
    /// Modulus and exponent, big-endian, without leading zeros.
    Rsa {
        /// The modulus.
        n: Vec<u8>,
        /// The exponent.
        e: Vec<u8>,
    },
    /// An uncompressed point on P-256.
    P256(Vec<u8>),
    /// An uncompressed point on P-384.
    P384(Vec<u8>),
    /// An uncompressed point on P-521.
    P521(Vec<u8>),
    /// An Ed25519 key.
    Ed25519(Vec<u8>),
}

impl PublicKey {
    /// Whether signatures of this algorithm are made with such a key (RFC 8725 §3.1).
    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{ES256, ES384, ES512, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
        matches!(
            (self, algorithm),
            (
                Self::Rsa { .. },
                RS256 | RS384 | RS512 | PS256 | PS384 | PS512
            ) | (Self::P256(_), ES256)
                | (Self::P384(_), ES384)
                | (Self::P521(_), ES512)
                | (Self::Ed25519(_), EdDSA)
        )
    }

    /// Whether the key is a point on its curve, or an RSA key that the library takes.
    pub(super) fn is_valid(&self) -> bool {
        use signature::ParsedPublicKey as Parsed;
        match self {
            Self::Rsa { n, e } => signature::RsaPublicKeyComponents { n, e }
                .to_parsed_public_key(&signature::RSA_PKCS1_2048_8192_SHA256)
                .is_ok(),
            Self::P256(point) => Parsed::new(&signature::ECDSA_P256_SHA256_FIXED, point).is_ok(),
            Self::P384(point) => Parsed::new(&signature::ECDSA_P384_SHA384_FIXED, point).is_ok(),
            Self::P521(point) => Parsed::new(&signature::ECDSA_P521_SHA512_FIXED, point).is_ok(),
            Self::Ed25519(key) => Parsed::new(&signature::ED25519, key).is_ok(),
        }
    }

    /// Whether the signature over the message is by this key with this algorithm.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], sig: &[u8]) -> bool {
        let rsa = |parameters: &'static signature::RsaParameters| match self {
            Self::Rsa { n, e } => signature::RsaPublicKeyComponents { n, e }
                .verify(parameters, message, sig)
                .is_ok(),
            _ => false,
        };
        let other = |verifier: &'static dyn signature::VerificationAlgorithm| match self {
            Self::Rsa { .. } => false,
            Self::P256(key) | Self::P384(key) | Self::P521(key) | Self::Ed25519(key) => {
                signature::UnparsedPublicKey::new(verifier, key)
                    .verify(message, sig)
                    .is_ok()
            }
        };
        self.fits(algorithm)
            && match algorithm {
                Algorithm::RS256 => rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
                Algorithm::RS384 => rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
                Algorithm::RS512 => rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
                Algorithm::PS256 => rsa(&signature::RSA_PSS_2048_8192_SHA256),
                Algorithm::PS384 => rsa(&signature::RSA_PSS_2048_8192_SHA384),
                Algorithm::PS512 => rsa(&signature::RSA_PSS_2048_8192_SHA512),
                Algorithm::ES256 => other(&signature::ECDSA_P256_SHA256_FIXED),
                Algorithm::ES384 => other(&signature::ECDSA_P384_SHA384_FIXED),
                Algorithm::ES512 => other(&signature::ECDSA_P521_SHA512_FIXED),
                Algorithm::EdDSA => other(&signature::ED25519),
                Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => false,
            }
    }
}

/// Why a client secret cannot check an HMAC.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HmacFailure {
    /// The secret is shorter than the digest (RFC 7518 §3.2).
    Weak,
    /// The signature is wrong, or the algorithm is no HMAC.
    Wrong,
}

/// Checks an HMAC with the client secret, in constant time.
pub(super) fn verify_hmac(
    algorithm: Algorithm,
    secret: &[u8],
    message: &[u8],
    sig: &[u8],
) -> Result<(), HmacFailure> {
    let (kind, shortest) = match algorithm {
        Algorithm::HS256 => (hmac::HMAC_SHA256, 32),
        Algorithm::HS384 => (hmac::HMAC_SHA384, 48),
        Algorithm::HS512 => (hmac::HMAC_SHA512, 64),
        _ => return Err(HmacFailure::Wrong),
    };
    if secret.len() < shortest {
        return Err(HmacFailure::Weak);
    }
    hmac::verify(&hmac::Key::new(kind, secret), message, sig).map_err(|_| HmacFailure::Wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_half_hash_is_that_of_the_specification() {
        // OpenID Connect Core, appendices A.3 and A.4: the access token, its at_hash, and a code.
        assert_eq!(
            half_hash(
                Algorithm::RS256,
                "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"
            ),
            "77QmUPtjPfzWtF2AnpK9RQ"
        );
        assert_eq!(
            half_hash(
                Algorithm::RS256,
                "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk"
            ),
            "LDktKdoQak3Pk0cnXxCltA"
        );
    }

    #[test]
    fn a_short_secret_is_refused_before_it_is_used() {
        for (algorithm, shortest) in [
            (Algorithm::HS256, 32),
            (Algorithm::HS384, 48),
            (Algorithm::HS512, 64),
        ] {
            let short = vec![b'x'; shortest - 1];
            assert_eq!(
                verify_hmac(algorithm, &short, b"", b""),
                Err(HmacFailure::Weak)
            );
            let long = vec![b'x'; shortest];
            assert_eq!(
                verify_hmac(algorithm, &long, b"", b""),
                Err(HmacFailure::Wrong)
            );
        }
    }
}
