//! What makes a form the administrator's own: a token that only this session's pages hold.

use super::Console;
use crate::secret::Secret;
use crate::session::Live;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Separates this use of the session keys from every other.
const PURPOSE: &[u8] = b"portcullis console forms";

impl Console {
    /// The token of this session's forms. Nothing is kept for it: it is signed with a key derived
    /// from the first of `session.keys`.
    pub(super) fn token(&self, live: &Live) -> String {
        let key = self.config.session.keys.first();
        let tag = key.map(|key| hmac::sign(&derived(key), facts(live).as_bytes()));
        URL_SAFE_NO_PAD.encode(tag.as_ref().map(AsRef::as_ref).unwrap_or_default())
    }

    /// Whether a form has this session's token; like cookies, it outlives a rotation of the keys.
    pub(super) fn is_signed(&self, live: &Live, token: &str) -> bool {
        let Ok(token) = URL_SAFE_NO_PAD.decode(token) else {
            return false;
        };
        let facts = facts(live);
        let keys = self.config.session.keys.iter();
        keys.map(derived)
            .any(|key| hmac::verify(&key, facts.as_bytes(), &token).is_ok())
    }
}

fn derived(key: &Secret<[u8; 64]>) -> hmac::Key {
    let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.expose()), PURPOSE);
    hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref())
}

/// What tells sessions apart. Others may see it; without the key it is worth nothing.
fn facts(live: &Live) -> String {
    format!(
        "{}\n{}\n{}",
        live.handle(),
        live.signed_in_at().as_millis(),
        live.person().username
    )
}
