//! The provider room against a fake provider. Where a test corresponds to a module of the OpenID
//! Foundation's conformance suite for relying parties, it has that module's name.

mod authorization_request;
mod authorization_response;
mod certificate_ends;
mod client_authentication;
mod discovery;
mod further;
mod id_token;
mod keys;
mod logout;
mod logout_token;
mod oauth2;
mod online_check;
mod outages;
mod real_answers;
mod renew;
mod tenants;
mod token_answer;
mod token_text;
mod userinfo;

#[path = "../../tests/it/support/provider.rs"]
mod fake;

use super::jwt::UnverifiedToken;
use super::*;
use crate::config::{
    Algorithm, Claims, ClientAuth, Endpoints, LogoutStyle, ResponseMode, Userinfo,
};
use crate::secret::Secret;
use fake::{Canned, FakeProvider, Key, LOGOUT_EVENT, Params, Script, ana};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;

const REDIRECT_URI: &str = "https://git.example.com/sso/callback/fake";

/// A fake provider, and the configuration that fits it.
struct World {
    fake: FakeProvider,
    config: config::Provider,
    clock: Clock,
    metrics: Metrics,
}

impl World {
    async fn new() -> Self {
        Self::of(FakeProvider::start().await)
    }

    fn of(fake: FakeProvider) -> Self {
        let config = config_for(&fake);
        Self {
            fake,
            config,
            clock: Clock::system(),
            metrics: Metrics::new(),
        }
    }

    /// The clock stands still from now on, on both sides.
    fn with_manual_clock(mut self) -> Self {
        self.clock = Clock::manual(Clock::system().now());
        self
    }

    fn advance(&self, by: Duration) {
        self.clock.advance(by);
        let now = self.clock.now().as_secs();
        self.fake.script(|script| script.now_secs = Some(now));
    }

    fn provider(&self) -> Arc<Provider> {
        self.with_limits(Limits::default())
    }

    fn with_limits(&self, limits: Limits) -> Arc<Provider> {
        Provider::with_limits(
            &self.config,
            Url::parse(REDIRECT_URI).unwrap(),
            self.clock.clone(),
            self.metrics.clone(),
            limits,
        )
        .unwrap()
    }

    /// One whole sign-in with a new [`Provider`].
    async fn sign_in(&self) -> Result<VerifiedClaims, Error> {
        sign_in(&self.provider(), &self.fake).await
    }
}

async fn sign_in(provider: &Provider, fake: &FakeProvider) -> Result<VerifiedClaims, Error> {
    let start = provider.start(Ask::default()).await?;
    let response = fake.authorize(&start.url);
    provider.finish(start.attempt, &response).await
}

/// A new world with this script and configuration.
async fn world(
    script: impl FnOnce(&mut Script),
    configure: impl FnOnce(&mut config::Provider),
) -> World {
    let mut world = World::new().await;
    world.fake.script(script);
    configure(&mut world.config);
    world
}

/// The sign-in is refused with this error code.
async fn refused(script: impl FnOnce(&mut Script), code: &str) {
    refused_with(script, |_| {}, code).await;
}

async fn refused_with(
    script: impl FnOnce(&mut Script),
    configure: impl FnOnce(&mut config::Provider),
    code: &str,
) {
    match world(script, configure).await.sign_in().await {
        Ok(claims) => panic!("accepted, instead of {code}: {claims:?}"),
        Err(error) => assert_eq!(error.code(), code, "{}", crate::telemetry::chain(&error)),
    }
}

/// The sign-in works, and this comes out.
async fn accepted(script: impl FnOnce(&mut Script)) -> VerifiedClaims {
    accepted_with(script, |_| {}).await
}

async fn accepted_with(
    script: impl FnOnce(&mut Script),
    configure: impl FnOnce(&mut config::Provider),
) -> VerifiedClaims {
    match world(script, configure).await.sign_in().await {
        Ok(claims) => claims,
        Err(error) => panic!("refused: {}", crate::telemetry::chain(&error)),
    }
}

fn config_for(fake: &FakeProvider) -> config::Provider {
    fake.script(|script| {
        config_of(
            fake.issuer(),
            script.client_id.clone(),
            &script.client_secret,
        )
    })
}

/// Everything asymmetric is allowed, userinfo is asked when it is there.
fn config_of(issuer: String, client_id: String, secret: &str) -> config::Provider {
    let discovery = format!(
        "{}/.well-known/openid-configuration",
        issuer.trim_end_matches('/')
    );
    config::Provider {
        id: "fake".to_owned(),
        preset: "oidc",
        name: "Fake".to_owned(),
        icon: None,
        protocol: Protocol::Oidc,
        discovery_url: Some(Url::parse(&discovery).unwrap()),
        issuer,
        endpoints: Endpoints::default(),
        client_id,
        client_auth: ClientAuth::Basic(Secret::new(secret.to_owned())),
        client_secret_expires_on: None,
        scopes: ["openid", "profile", "email"].map(str::to_owned).to_vec(),
        pkce: true,
        extra_params: BTreeMap::new(),
        // One authority loads faster than the machine's, and plain http needs none.
        ca_file: Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls/ca.pem")),
        logout: true,
        logout_style: LogoutStyle::Oidc,
        logout_returns: true,
        refresh: true,
        signing_algs: vec![
            Algorithm::RS256,
            Algorithm::RS384,
            Algorithm::RS512,
            Algorithm::PS256,
            Algorithm::PS384,
            Algorithm::PS512,
            Algorithm::ES256,
            Algorithm::ES384,
            Algorithm::ES512,
            Algorithm::EdDSA,
        ],
        response_mode: ResponseMode::Query,
        extra_audiences: Vec::new(),
        userinfo: Userinfo::Optional,
        subject_claim: "sub".to_owned(),
        insecure_http: false,
        issuer_aliases: Vec::new(),
        nonce: config::Nonce::Required,
        fetch: Vec::new(),
        graph_url: Url::parse("https://graph.microsoft.com").unwrap(),
        email_trust: config::EmailTrust::UnlessDenied,
        require: Vec::new(),
        tests: Vec::new(),
        claims: Claims {
            username: vec![config::Mapping::plain("preferred_username")],
            email: vec![config::Mapping::plain("email")],
            email_verified: vec![config::Mapping::plain("email_verified")],
            display_name: vec![config::Mapping::plain("name")],
            first_name: Vec::new(),
            last_name: Vec::new(),
            groups: Vec::new(),
            groups_separator: None,
        },
    }
}

/// Plain OAuth 2.0, like GitHub: endpoints by hand, a numeric `id`.
fn configure_oauth2(fake: &FakeProvider, config: &mut config::Provider) {
    config.protocol = Protocol::OAuth2;
    config.preset = "oauth2";
    config.discovery_url = None;
    config.endpoints = Endpoints {
        authorization: Some(fake.url("/authorize")),
        token: Some(fake.url("/token")),
        userinfo: Some(fake.url("/userinfo")),
        jwks_uri: None,
        end_session: None,
    };
    config.subject_claim = "id".to_owned();
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// The value of a parameter of an address.
fn query(url: &Url, name: &str) -> Option<String> {
    let mut found = url.query_pairs().filter(|(n, _)| n == name);
    let value = found.next().map(|(_, value)| value.into_owned());
    assert!(found.next().is_none(), "{name} twice in {url}");
    value
}

/// Axum's handlers hold these across their awaits.
#[test]
fn a_sign_in_can_move_between_threads() {
    fn is_send<T: Send>(_: &T) {}
    fn check(provider: &Provider, attempt: Attempt, response: &CallbackParams, url: &Url) {
        is_send(&provider.start(Ask::default()));
        is_send(&provider.finish(attempt, response));
        is_send(&provider.sign_out(None, url));
        is_send(&provider.logout_token(""));
        is_send(&provider.probe());
    }
    let _ = check;
}
