//! Randomness, from one place: the operating system's generator by way of aws-lc.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Fills `N` bytes that nobody can predict.
///
/// # Panics
///
/// If the operating system has no randomness to give. Nothing that this program does is safe
/// without it, so it stops rather than continue with something guessable.
#[must_use]
#[expect(
    clippy::expect_used,
    reason = "no randomness means no safe way to continue"
)]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    source()
        .fill(&mut bytes)
        .expect("the operating system gives randomness");
    bytes
}

/// The generator itself, for what makes keys and signatures.
#[must_use]
pub fn source() -> SystemRandom {
    SystemRandom::new()
}

/// 256 unpredictable bits as 43 characters of base64url: states, nonces, identifiers, passwords.
#[must_use]
pub fn token() -> String {
    URL_SAFE_NO_PAD.encode(bytes::<32>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_43_unreserved_characters_and_never_the_same() {
        let (a, b) = (token(), token());
        assert_eq!(a.len(), 43);
        assert!(
            a.bytes()
                .all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
        );
        assert_ne!(a, b);
    }
}
