//! The way out: the address that the browser is sent to (OpenID Connect Core §3.1.2.1, RFC 7636).

use super::metadata::Metadata;
use crate::config::{self, Protocol, ResponseMode};
use crate::random;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use openidconnect::{CsrfToken, Nonce, PkceCodeChallenge, PkceCodeVerifier};
use url::Url;

/// Parameters that `extra_params` cannot replace: they are what protects a sign-in.
const OURS: [&str; 13] = [
    "client_id",
    "client_secret",
    "code_challenge",
    "code_challenge_method",
    "login_hint",
    "nonce",
    "redirect_uri",
    "request",
    "request_uri",
    "response_mode",
    "response_type",
    "scope",
    "state",
];

/// What the callback needs to know about a sign-in that was begun. Works once: finishing consumes it.
///
/// It cannot be cloned, and its `Debug` shows none of its values.
#[derive(Debug)]
pub struct Attempt {
    state: CsrfToken,
    nonce: Nonce,
    verifier: Option<PkceCodeVerifier>,
    max_age_secs: Option<u64>,
}

/// How a sign-in is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ask<'a> {
    /// Who probably wants to sign in.
    pub login_hint: Option<&'a str>,
    /// Ask the person to authenticate anew (`prompt=login`, OpenID Connect Core §3.1.2.1). It is a
    /// request, for the sake of whoever wants to try another account; nothing relies on it. With
    /// `max_age=0` the answer could be checked, but `auth_time` would have to come back then, and
    /// several providers leave it out: people would be refused for a courtesy. Plain OAuth 2.0 has
    /// no such request.
    pub fresh: bool,
}

/// A sign-in that was begun.
#[derive(Debug)]
pub struct Start {
    /// Where the browser goes.
    pub url: Url,
    /// What the callback needs.
    pub attempt: Attempt,
}

impl Attempt {
    /// The `state` that the response must carry: the key under which the attempt is remembered.
    #[must_use]
    pub fn state(&self) -> &str {
        self.state.secret()
    }

    pub(super) fn has_state(&self, found: &str) -> bool {
        verify_slices_are_equal(found.as_bytes(), self.state.secret().as_bytes()).is_ok()
    }

    pub(super) fn nonce(&self) -> &str {
        self.nonce.secret()
    }

    pub(super) fn verifier(&self) -> Option<&str> {
        self.verifier
            .as_ref()
            .map(|verifier| verifier.secret().as_str())
    }

    pub(super) fn max_age_secs(&self) -> Option<u64> {
        self.max_age_secs
    }
}

/// Begins a sign-in. State, nonce and verifier are fresh, 256 bits each.
pub(super) fn start(
    config: &config::Provider,
    metadata: &Metadata,
    redirect_uri: &Url,
    ask: Ask<'_>,
) -> Start {
    let attempt = Attempt {
        state: CsrfToken::new(random::token()),
        nonce: Nonce::new(random::token()),
        verifier: config.pkce.then(|| PkceCodeVerifier::new(random::token())),
        max_age_secs: config
            .extra_params
            .get("max_age")
            .and_then(|seconds| seconds.parse().ok()),
    };
    let mut url = metadata.authorization.clone();
    // The endpoint may have a query of its own (RFC 6749 §3.1), which stays.
    let mut query = url.query_pairs_mut();
    query
        .append_pair("response_type", "code")
        .append_pair("client_id", &config.client_id)
        .append_pair("redirect_uri", redirect_uri.as_str())
        .append_pair("state", attempt.state());
    if !config.scopes.is_empty() {
        query.append_pair("scope", &config.scopes.join(" "));
    }
    if config.protocol == Protocol::Oidc {
        query.append_pair("nonce", attempt.nonce());
    }
    if let Some(verifier) = &attempt.verifier {
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(verifier);
        query
            .append_pair("code_challenge", challenge.as_str())
            .append_pair("code_challenge_method", challenge.method());
    }
    // `query` is the default; several providers refuse to be told so.
    if config.response_mode == ResponseMode::FormPost {
        query.append_pair("response_mode", "form_post");
    }
    if let Some(hint) = ask.login_hint.filter(|hint| !hint.is_empty()) {
        query.append_pair("login_hint", hint);
    }
    if ask.fresh && config.protocol == Protocol::Oidc {
        query.append_pair("prompt", "login");
    }
    for (name, value) in &config.extra_params {
        let replaced = ask.fresh && name == "prompt";
        if !OURS.contains(&name.as_str()) && !replaced {
            query.append_pair(name, value);
        }
    }
    drop(query);
    Start { url, attempt }
}
