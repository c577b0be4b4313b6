//! Key material: what `generate-key` makes, and what a PEM file must hold.

use super::problems::{Mistake, mistake};
use super::reader::{At, Read, Section};
use super::secrets::{read_text, warn_if_open};
use super::{Algorithm, TlsFiles};
use crate::random;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::InconsistentKeys;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::path::PathBuf;

/// A new session key: 64 unpredictable bytes in hex, for `session.keys`.
#[must_use]
pub fn generate_key() -> String {
    use std::fmt::Write as _;
    random::bytes::<64>()
        .iter()
        .fold(String::new(), |mut hex, byte| {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

/// A new key for `identity.assertion_keys`: P-256, PKCS#8 (RFC 5958) in PEM (RFC 7468).
///
/// # Panics
///
/// If the operating system has no randomness to give, as [`random::bytes`].
#[must_use]
#[expect(
    clippy::expect_used,
    reason = "no randomness means no safe way to continue"
)]
pub fn generate_assertion_key() -> String {
    let random = crate::random::source();
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
        .expect("the operating system gives randomness");
    let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
    for (index, c) in STANDARD.encode(key.as_ref()).chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            pem.push('\n');
        }
        pem.push(c);
    }
    pem.push_str("\n-----END PRIVATE KEY-----\n");
    pem
}

/// 64 bytes in 128 hexadecimal digits.
pub(super) fn session_key(hex: &str) -> Result<[u8; 64], Mistake> {
    const REMEDY: &str = "make one with: portcullis generate-key";
    let digits: Vec<u8> = hex
        .trim()
        .chars()
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()
        .ok_or_else(|| mistake("the key is not hexadecimal", REMEDY))?;
    let mut key = [0; 64];
    if digits.len() != 2 * key.len() {
        let found = digits.len();
        return Err(mistake(
            format!("the key has {found} hexadecimal digits instead of 128"),
            REMEDY,
        ));
    }
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair.iter().fold(0, |byte, digit| byte << 4 | digit);
    }
    Ok(key)
}

/// The algorithm that a private key signs with: the usual one of its type.
pub(super) fn algorithm_of(pem: &str) -> Result<Algorithm, Mistake> {
    let remedy = "a PEM private key without a pass phrase: RSA of 2048 bits or more, P-256, P-384 \
                  or Ed25519";
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes())
        .map_err(|_| mistake("the secret is not a private key in PEM", remedy))?;
    let der = key.secret_der();
    let algorithm = match &key {
        PrivateKeyDer::Pkcs1(_) => rsa::KeyPair::from_der(der).ok().map(|_| Algorithm::RS256),
        PrivateKeyDer::Pkcs8(_) => {
            let p256 = || EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der);
            let p384 = || EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, der);
            if p256().is_ok() {
                Some(Algorithm::ES256)
            } else if p384().is_ok() {
                Some(Algorithm::ES384)
            } else if Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).is_ok() {
                Some(Algorithm::EdDSA)
            } else if rsa::KeyPair::from_pkcs8(der).is_ok() {
                Some(Algorithm::RS256)
            } else {
                None
            }
        }
        PrivateKeyDer::Sec1(_) => {
            return Err(mistake(
                "the private key is in SEC 1 form (\"BEGIN EC PRIVATE KEY\")",
                "convert it: openssl pkcs8 -topk8 -nocrypt -in old.pem -out new.pem",
            ));
        }
        _ => None,
    };
    algorithm.ok_or_else(|| mistake("the private key cannot be used", remedy))
}

/// A file of certificates in PEM.
pub(super) fn certificates(section: &Section<'_>, name: &'static str) -> Read<Option<PathBuf>> {
    pem_file(section, name, |pem| {
        let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
        all.is_ok_and(|all| !all.is_empty())
            .then_some(())
            .ok_or("holds no certificate in PEM")
    })
}

/// A file with one private key in PEM.
pub(super) fn private_key(section: &Section<'_>, name: &'static str) -> Read<Option<PathBuf>> {
    let path = pem_file(section, name, |pem| {
        PrivateKeyDer::from_pem_slice(pem.as_bytes())
            .map(drop)
            .map_err(|_| "holds no private key in PEM without a pass phrase")
    })?;
    if let Some(path) = &path {
        warn_if_open(path, &section.spot_of(name));
    }
    Ok(path)
}

/// Whether the key belongs to the certificate.
pub(super) fn fit(files: &TlsFiles) -> Result<(), Mistake> {
    let (chain, key) = (read_text(&files.cert_file)?, read_text(&files.key_file)?);
    let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).filter_map(Result::ok);
    let unusable = |_| {
        mistake(
            "the private key cannot be used",
            "RSA of 2048 bits or more, P-256, P-384, P-521 or Ed25519, without a pass phrase",
        )
    };
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
        .map_err(drop)
        .and_then(|key| any_supported_type(&key).map_err(drop))
        .map_err(unusable)?;
    match CertifiedKey::new(chain.collect(), key).keys_match() {
        // `Unknown`: a kind of key that cannot tell; the handshake will.
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(()),
        Err(rustls::Error::InconsistentKeys(_)) => Err(mistake(
            "the private key does not belong to the certificate",
            "name the key that the certificate was made for; the leaf comes first in its file",
        )),
        Err(_) => Err(mistake(
            "the first certificate cannot be read",
            "the certificate file holds the leaf first, then the ones that signed it",
        )),
    }
}

fn pem_file(
    section: &Section<'_>,
    name: &'static str,
    holds: impl FnOnce(&str) -> Result<(), &'static str>,
) -> Read<Option<PathBuf>> {
    let Some(written) = section.find::<At<'_, String>>(name)? else {
        return Ok(None);
    };
    let path = written.spot.reading().file(&written.value);
    written.check(|_| {
        holds(&read_text(&path)?).map_err(|what| {
            mistake(
                format!("\"{}\" {what}", path.display()),
                "name a file with \"-----BEGIN …\" lines; DER and PKCS#12 have to be converted",
            )
        })
    })?;
    Ok(Some(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_session_key_is_one() {
        let (a, b) = (generate_key(), generate_key());
        assert_eq!(a.len(), 128);
        assert_ne!(a, b);
        let key = session_key(&a).unwrap();
        assert_eq!(
            format!("{:02x}{:02x}", key[0], key[63]),
            format!("{}{}", &a[..2], &a[126..])
        );
    }

    #[test]
    fn a_generated_assertion_key_signs_with_es256() {
        let pem = generate_assertion_key();
        assert!(pem.lines().all(|line| line.len() <= 64));
        assert_eq!(algorithm_of(&pem).unwrap(), Algorithm::ES256);
        jsonwebtoken::EncodingKey::from_ec_pem(pem.as_bytes()).unwrap();
    }
}
