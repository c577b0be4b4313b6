//! Speaks OpenID Connect and plain OAuth 2.0 and returns [`VerifiedClaims`].
//!
//! The only room that names protocol-library types. A sign-in goes through it like this:
//!
//! 1. [`Provider::start`] makes state, nonce and PKCE verifier, and the address of the provider's
//!    own page (`authorize`). Discovery happens here at the latest (`publications`, `metadata`,
//!    `cache`).
//! 2. The browser comes back, and [`Provider::finish`] reads what it brought (`response`) and, step
//!    by step (`finish`), redeems the code (`token`, `client_auth`), takes the ID token apart
//!    (`jwt`), checks its signature (`keys`, `algorithm`) and its claims (`id_token`, `issuer`),
//!    asks userinfo (`userinfo`), and settles who it is (`subject`).
//! 3. What is known so far (`gathered`) may be completed by further calls (`further`): Salesforce's
//!    identity address (`salesforce`), lists of GitHub and Discord (`github`, `discord`, `pages`),
//!    and Entra's groups where they are too many for a token (`graph`).
//!
//! Later, the claims may be looked at again with a refresh token (`renew`), the browser is sent away
//! to sign out at the provider too (`sign_out`), and the provider tells of sign-outs elsewhere
//! (`logout_token`, `seen`). When its certificates end is learnt on the way (`certificates`).
//!
//! The envelope is checked strictly, and what is inside is taken as real providers write it: typed
//! structures of claims break on several of them. What must never happen here: a token that
//! chooses its own algorithm or key, a check that is skipped because something is missing, a
//! redirect that is followed, a secret in an error.

mod algorithm;
mod authorize;
mod blame;
mod cache;
mod certificates;
mod claims;
mod client_auth;
mod discord;
mod error;
mod fetch;
mod finish;
mod further;
mod gathered;
mod github;
mod graph;
mod id_token;
mod issuer;
mod json;
mod jwt;
mod keys;
mod logout_token;
mod metadata;
mod pages;
mod probe;
mod publications;
mod remedy;
mod renew;
mod response;
mod said;
mod salesforce;
mod seen;
mod sentence;
mod sign_out;
mod subject;
#[cfg(test)]
mod tests;
mod token;
mod userinfo;

pub use authorize::{Ask, Attempt, Start};
pub use blame::Blame;
pub use certificates::Certificate;
pub use claims::{Known, LogoutToken, Renewal, Source, VerifiedClaims};
pub use error::Error;
pub use probe::Finding;
pub use renew::Renewed;
pub use said::{Call, Said, Token};
pub use sentence::Sentence;
pub use sign_out::Farewell;

use crate::clock::{Clock, Timestamp};
use crate::config::{self, Protocol};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::Phase;
use cache::Cached;
use certificates::Certificates;
use client_auth::Proof;
use fetch::{Http, Limits};
use keys::KeySet;
use metadata::Metadata;
use response::Response;
use seen::Seen;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

/// Metadata changes rarely, and a change that matters comes with an announcement.
const METADATA_MAX_AGE: Duration = Duration::from_secs(24 * 3600);
/// A withdrawn key must stop counting soon; a new one is fetched when it is met.
const KEYS_MAX_AGE: Duration = Duration::from_secs(3600);

/// What came back in the query or the form: names and values, decoded once, in order, repeats kept.
pub type CallbackParams = Vec<(String, String)>;

/// One configured provider: its discovery document, its keys, its calls. Built once; survives a
/// reload that does not change it.
pub struct Provider {
    config: config::Provider,
    redirect_uri: Url,
    clock: Clock,
    metrics: Metrics,
    http: Http,
    proof: Proof,
    metadata: Cached<Metadata>,
    keys: Cached<KeySet>,
    /// Logout tokens that were accepted.
    seen: Seen,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider")
            .field("id", &self.config.id)
            .field("issuer", &self.config.issuer)
            .finish_non_exhaustive()
    }
}

/// How a provider is doing, for readiness and the console.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// When its metadata or keys were last fetched.
    pub last_success: Option<Timestamp>,
    /// When that last failed, and why.
    pub last_error: Option<(Timestamp, String)>,
    /// The first of its certificates to end, as far as connections have shown them.
    pub certificate: Option<Certificate>,
}

impl Provider {
    /// A provider that nothing has been fetched from yet. `redirect_uri` is where the browser comes
    /// back to, exactly as registered.
    ///
    /// # Errors
    ///
    /// If a CA file or private key cannot be used.
    pub fn new(
        config: &config::Provider,
        redirect_uri: Url,
        clock: Clock,
        metrics: Metrics,
    ) -> Result<Arc<Self>, Error> {
        Self::with_limits(config, redirect_uri, clock, metrics, Limits::default())
    }

    fn with_limits(
        config: &config::Provider,
        redirect_uri: Url,
        clock: Clock,
        metrics: Metrics,
        limits: Limits,
    ) -> Result<Arc<Self>, Error> {
        let provider = config.id.as_str();
        if config.insecure_http {
            tracing::warn!(
                provider.id = provider,
                "insecure_http is set: this provider may be spoken to without TLS"
            );
        }
        if !config.pkce {
            tracing::warn!(
                provider.id = provider,
                "PKCE is off for this provider: a stolen code is protected by the nonce alone"
            );
        }
        if config.protocol == Protocol::Oidc && config.nonce == config::Nonce::Optional {
            tracing::warn!(
                provider.id = provider,
                "the nonce may be missing from this provider's tokens: a stolen code is protected \
                 by PKCE alone"
            );
        }
        let certificates = Certificates::new(provider, clock.clone(), metrics.clone());
        Ok(Arc::new(Self {
            http: Http::new(config.ca_file.as_deref(), limits, certificates)?,
            proof: Proof::new(&config.client_auth)?,
            metadata: Cached::new(METADATA_MAX_AGE, clock.clone()),
            keys: Cached::new(KEYS_MAX_AGE, clock.clone()),
            seen: Seen::default(),
            config: config.clone(),
            redirect_uri,
            clock,
            metrics,
        }))
    }

    /// Its configuration.
    #[must_use]
    pub fn config(&self) -> &config::Provider {
        &self.config
    }

    /// Begins a sign-in: the address to send the browser to, and what the callback will need.
    ///
    /// # Errors
    ///
    /// If the provider's metadata cannot be had.
    pub async fn start(&self, ask: Ask<'_>) -> Result<Start, Error> {
        let metadata = self.metadata().await?;
        Ok(authorize::start(
            &self.config,
            &metadata,
            &self.redirect_uri,
            ask,
        ))
    }

    /// Finishes a sign-in: checks the response, redeems the code, verifies everything.
    ///
    /// # Errors
    ///
    /// One for every way in which a response, a token or userinfo can be wrong.
    pub async fn finish(
        &self,
        attempt: Attempt,
        response: &CallbackParams,
    ) -> Result<VerifiedClaims, Error> {
        let response = Response::read(response)?;
        response.check_state(&attempt)?;
        let metadata = self.metadata().await?;
        let granted = response.granted(&self.config, metadata.promises_response_issuer)?;
        let tokens = self.exchange(&metadata, &attempt, granted.code).await?;
        match self.config.protocol {
            Protocol::Oidc => self.finish_oidc(&metadata, &attempt, granted, tokens).await,
            Protocol::OAuth2 => self.finish_oauth2(&metadata, granted, tokens).await,
        }
    }

    /// How it is doing.
    #[must_use]
    pub fn status(&self) -> Status {
        let last_error = [self.metadata.last_error(), self.keys.last_error()]
            .into_iter()
            .flatten()
            .max_by_key(|(at, _)| *at);
        Status {
            last_success: self
                .metadata
                .peek()
                .map(|entry| entry.at)
                .max(self.keys.peek().map(|entry| entry.at)),
            last_error: last_error.map(|(at, error)| (at, crate::telemetry::chain(&error))),
            certificate: self.http.certificates().first_to_end(),
        }
    }

    async fn timed<T>(&self, phase: Phase, call: impl Future<Output = T>) -> T {
        let begun = Instant::now();
        let answer = call.await;
        self.metrics.phase(phase, begun.elapsed());
        answer
    }
}
