//! Session identifiers, and the signatures that make cookies of them.

use crate::random;
use crate::secret::Secret;
use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;
use tower_sessions::session::Id;

/// What the derived keys are for. The final octet is the counter of RFC 5869 §2.3, which makes the
/// derivation below HKDF-Expand of one block.
const PURPOSE: &[u8] = b"portcullis session cookie\x01";
/// 128 bits in base64url.
const ID_CHARS: usize = 22;

/// 128 bits that nobody can guess. Whoever knows them and a signature is the person, so they do not
/// print themselves.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SessionId([u8; 16]);

impl SessionId {
    pub(super) fn random() -> Self {
        Self(random::bytes())
    }

    /// The name under which the store keeps the session. It is a digest, so that whoever reads the
    /// store learns no cookie.
    pub(super) fn stored(&self) -> Id {
        let digest = digest::digest(&digest::SHA256, &self.0);
        let half = digest.as_ref().first_chunk().copied().unwrap_or_default();
        Id(i128::from_be_bytes(half))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// The keys of `session.keys`: the first signs, all verify.
#[derive(Debug)]
pub(super) struct KeyRing {
    first: hmac::Key,
    others: Vec<hmac::Key>,
}

impl KeyRing {
    /// Derives this room's own keys, so that nothing else that is signed with the same
    /// configuration can pass for a session cookie.
    pub(super) fn new(keys: &[Secret<[u8; 64]>]) -> Self {
        let mut keys = keys.iter().map(|key| derive(key.expose()));
        Self {
            // The configuration has at least one. If not, a key that nobody knows is the safe one.
            first: keys.next().unwrap_or_else(|| derive(&random::bytes())),
            others: keys.collect(),
        }
    }

    /// The cookie's value: the identifier, a dot, HMAC-SHA256 over the identifier's bytes.
    pub(super) fn sign(&self, id: SessionId) -> String {
        let signature = hmac::sign(&self.first, &id.0);
        let mut value = URL_SAFE_NO_PAD.encode(id.0);
        value.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut value);
        value
    }

    /// The identifier, if one of the keys has signed it.
    pub(super) fn verify(&self, value: &str) -> Option<SessionId> {
        let (id, signature) = value.split_at_checked(ID_CHARS)?;
        let id: [u8; 16] = decode(id)?;
        let signature: [u8; 32] = decode(signature.strip_prefix('.')?)?;
        std::iter::once(&self.first)
            .chain(&self.others)
            .any(|key| hmac::verify(key, &id, &signature).is_ok())
            .then_some(SessionId(id))
    }
}

fn derive(key: &[u8; 64]) -> hmac::Key {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, PURPOSE).as_ref())
}

/// Exactly `N` bytes, in the one spelling that they have.
fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    // Longer text than `N` bytes have does not fit and is an error.
    let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
    (length == N).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ring(keys: &[u8]) -> KeyRing {
        let keys: Vec<_> = keys.iter().map(|key| Secret::new([*key; 64])).collect();
        KeyRing::new(&keys)
    }

    #[test]
    fn the_first_key_signs_and_all_verify() {
        let id = SessionId::random();
        let old = ring(&[1]).sign(id);
        assert_eq!(ring(&[2, 1]).verify(&old), Some(id));
        assert_eq!(ring(&[2]).verify(&old), None);
        let new = ring(&[2, 1]).sign(id);
        assert_eq!(ring(&[2]).verify(&new), Some(id));
        assert_eq!(ring(&[1]).verify(&new), None);
    }

    #[test]
    fn the_configured_key_itself_signs_nothing() {
        let id = SessionId::random();
        let raw = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &[1; 64]), &id.0);
        let value = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(id.0),
            URL_SAFE_NO_PAD.encode(raw)
        );
        assert_eq!(ring(&[1]).verify(&value), None);
    }

    #[test]
    fn without_keys_nothing_can_be_forged() {
        let id = SessionId::random();
        assert_eq!(ring(&[]).verify(&ring(&[]).sign(id)), None);
    }

    #[test]
    fn a_cookie_has_one_spelling() {
        let ring = ring(&[1]);
        let value = ring.sign(SessionId::random());
        assert_eq!(value.len(), 22 + 1 + 43);
        for at in 0..value.len() {
            for with in ["A", "B", "_", ".", "=", "+", "é", ""] {
                let mut other = value.clone();
                other.replace_range(at..=at, with);
                if other != value {
                    assert_eq!(ring.verify(&other), None, "{other}");
                }
            }
        }
        for other in [
            format!("{value}="),
            format!("{value}A"),
            format!("{value}.{value}"),
            format!("\"{value}\""),
            value.replace('.', ""),
        ] {
            assert_eq!(ring.verify(&other), None, "{other}");
        }
    }

    #[test]
    fn the_store_does_not_learn_the_cookie() {
        let id = SessionId::random();
        assert_ne!(id.stored().0.to_be_bytes(), id.0);
        assert_eq!(format!("{id:?}"), "[secret]");
    }

    proptest! {
        #[test]
        fn no_cookie_panics_and_none_is_guessed(value in "\\PC{0,80}|[A-Za-z0-9_-]{22}\\.[A-Za-z0-9_-]{43}") {
            prop_assert_eq!(ring(&[1, 2]).verify(&value), None);
        }
    }
}
