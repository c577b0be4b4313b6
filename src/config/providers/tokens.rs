//! Which ID tokens are accepted.

use crate::config::presets::Preset;
use crate::config::problems::{Mistake, mistake, quoted};
use crate::config::reader::{At, Read, Section};
use crate::config::values::Chosen;
use crate::config::{Algorithm, ClientAuth, Nonce};

pub(super) fn signing_algs(
    section: &Section<'_>,
    auth: Option<&ClientAuth>,
) -> Read<Vec<Algorithm>> {
    let written = section.get::<Vec<At<'_, Chosen<Algorithm>>>>("signing_algs")?;
    let spot = section.spot_of("signing_algs");
    if written.is_empty() {
        return Err(spot.problem(mistake(
            "is empty: no token could be accepted",
            "remove the line for the usual algorithms",
        )));
    }
    let mut algorithms = Vec::with_capacity(written.len());
    let mut failed = None;
    for algorithm in &written {
        let checked = algorithm.check(|Chosen(algorithm)| {
            if algorithms.contains(algorithm) {
                return Err(mistake(
                    "the algorithm stands there twice",
                    "remove one of the two",
                ));
            }
            match auth {
                Some(auth) if is_hmac(*algorithm) => allows_hmac(auth),
                _ => Ok(()),
            }
        });
        match checked {
            Ok(()) => algorithms.push(algorithm.value.0),
            Err(reported) => failed = Some(reported),
        }
    }
    if failed.is_none() && algorithms.iter().copied().any(is_hmac) {
        spot.warn("an HMAC algorithm lets everybody who knows the client secret make tokens");
    }
    failed.map_or(Ok(algorithms), Err)
}

pub(super) fn extra_audiences(
    section: &Section<'_>,
    preset: &Preset,
    client_id: Option<&str>,
) -> Read<Vec<String>> {
    if !section.says("extra_audiences") {
        let known = preset.extra_audiences.iter();
        return Ok(known.map(|&audience| audience.to_owned()).collect());
    }
    section.parse_each("extra_audiences", |text| match text {
        "" => Err(mistake("is empty", "remove it")),
        text if Some(text) == client_id => Err(mistake(
            format!("{} is the client_id, which is always there", quoted(text)),
            "remove it",
        )),
        text => Ok(text.to_owned()),
    })
}

/// Whether the nonce must come back. `pkce`: whether a stolen code is of no use without it.
pub(super) fn nonce(section: &Section<'_>, preset: &Preset, pkce: Option<bool>) -> Read<Nonce> {
    let written = section.find::<Chosen<Nonce>>("nonce")?;
    let nonce = written.map_or(preset.nonce, |Chosen(nonce)| nonce);
    if nonce == Nonce::Optional && pkce == Some(false) {
        // RFC 9700 §2.1.1: one of the two ties the code to this sign-in.
        return Err(section.spot_of("nonce").problem(mistake(
            "\"optional\" leaves nothing that ties a token to its sign-in: pkce is false",
            "set nonce = \"required\", or remove pkce = false",
        )));
    }
    Ok(nonce)
}

/// Whether this client can check an ID token that is signed with its secret (OpenID Connect Core
/// §10.1).
fn allows_hmac(auth: &ClientAuth) -> Result<(), Mistake> {
    /// RFC 7518 §3.2: as long as the hash, which is 32 bytes for HS256. Shorter ones are guessed
    /// from a single token.
    const MIN: usize = 32;
    match auth {
        ClientAuth::Basic(secret) | ClientAuth::Post(secret) if secret.expose().len() >= MIN => {
            Ok(())
        }
        ClientAuth::Basic(_) | ClientAuth::Post(_) => Err(mistake(
            format!("an HMAC algorithm needs a client_secret of at least {MIN} bytes"),
            "let the provider sign with RS256 or ES256, or give the client a longer secret",
        )),
        ClientAuth::PrivateKeyJwt { .. } | ClientAuth::AppleJwt { .. } | ClientAuth::None => {
            Err(mistake(
                "an HMAC algorithm needs a client_secret",
                "let the provider sign with RS256 or ES256",
            ))
        }
    }
}

/// Whether an algorithm signs with a shared secret.
const fn is_hmac(algorithm: Algorithm) -> bool {
    matches!(
        algorithm,
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512
    )
}
