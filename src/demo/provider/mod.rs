//! A development OpenID provider: a page with people on it instead of passwords, and the protocol
//! done properly behind it.
//!
//! Authorization code flow with PKCE S256 always, `iss` in every response (RFC 9207), response modes
//! `query` and `form_post`, RP-initiated logout. Whoever can reach it can be anybody, which is why
//! it listens on loopback and nowhere else.

mod authorize;
mod keys;
mod params;
mod sign_out;
mod token;

#[cfg(test)]
mod tests;

use super::loopback::{Bound, Loopback};
use super::page::{Pages, initial};
use super::shelf::Shelf;
use super::{Error, Person};
use crate::clock::{Clock, Timestamp};
use crate::secret::Secret;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use axum::{Router, response::NoContent};
use http::{HeaderName, HeaderValue, StatusCode, header};
use keys::Keys;
use minijinja::context;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use url::Url;

/// How long a code can be redeemed.
const CODE_LIFETIME: Duration = Duration::from_secs(60);
/// How long an access token opens userinfo.
const TOKEN_LIFETIME: Duration = Duration::from_secs(300);
/// How long the provider remembers who sits at a browser.
const SESSION_LIFETIME: Duration = Duration::from_secs(8 * 3600);
/// Codes, tokens and sessions at once, of each.
const CAPACITY: usize = 4096;
/// The largest form that is read.
const MAX_FORM: usize = 64 * 1024;

/// An application that may ask who somebody is.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its name in the protocol.
    pub id: String,
    /// What it proves itself with at the token endpoint.
    pub secret: Secret<String>,
    /// Where responses may go, compared byte for byte (RFC 9700 §4.1.3). After a sign-out any
    /// address of the same origins will do.
    pub redirect_uris: Vec<String>,
}

/// What a provider is started with.
#[derive(Debug)]
pub struct Setup {
    /// The applications. More can be added with [`Provider::register`].
    pub clients: Vec<Client>,
    /// Who can sign in.
    pub people: Vec<Person>,
    /// The time that tokens carry.
    pub clock: Clock,
}

/// A provider that runs. Clones are handles of the same.
#[derive(Debug, Clone)]
pub struct Provider {
    listener: Loopback,
    shared: Arc<Shared>,
}

/// What the handlers share.
#[derive(Debug)]
struct Shared {
    issuer: String,
    clients: Mutex<Vec<Client>>,
    people: Vec<Person>,
    keys: Keys,
    clock: Clock,
    codes: Shelf<Grant>,
    tokens: Shelf<Access>,
    sessions: Shelf<Session>,
    pages: Pages,
}

/// What a code stands for.
#[derive(Debug)]
struct Grant {
    client_id: String,
    redirect_uri: String,
    challenge: String,
    nonce: Option<String>,
    scope: Vec<String>,
    session: Session,
    sid: String,
}

/// What an access token stands for.
#[derive(Debug, Clone)]
struct Access {
    subject: String,
    scope: Vec<String>,
}

/// Somebody at a browser.
#[derive(Debug, Clone)]
struct Session {
    subject: String,
    since: Timestamp,
}

/// Starts a provider on a free port of 127.0.0.1. Its issuer is its address:
/// `http://127.0.0.1:PORT`.
///
/// # Errors
///
/// If no port can be had or no key can be made.
pub async fn start(setup: Setup) -> Result<Provider, Error> {
    start_on(Bound::exactly(0).await?, setup)
}

/// Starts a provider on a port that is bound already.
pub(super) fn start_on(bound: Bound, setup: Setup) -> Result<Provider, Error> {
    let clock = setup.clock;
    let shared = Arc::new(Shared {
        issuer: format!("http://{}", bound.addr()),
        clients: Mutex::new(setup.clients),
        people: setup.people,
        keys: Keys::generate()?,
        codes: Shelf::new(clock.clone(), CODE_LIFETIME, CAPACITY),
        tokens: Shelf::new(clock.clone(), TOKEN_LIFETIME, CAPACITY),
        sessions: Shelf::new(clock.clone(), SESSION_LIFETIME, CAPACITY),
        clock,
        pages: Pages::new()?,
    });
    let router = Router::new()
        .route("/", get(home))
        .route("/.well-known/openid-configuration", get(metadata))
        .route("/jwks", get(jwks))
        .route("/authorize", get(authorize::ask).post(authorize::decide))
        .route("/token", post(token::exchange))
        .route("/userinfo", get(token::userinfo).post(token::userinfo))
        .route("/end-session", get(sign_out::ask).post(sign_out::confirm))
        .route("/favicon.ico", get(|| async { NoContent }))
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .with_state(Arc::clone(&shared));
    Ok(Provider {
        listener: bound.serve(router),
        shared,
    })
}

impl Provider {
    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.listener.addr()
    }

    /// What its tokens name as `iss`, and where its discovery document stands below.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.shared.issuer
    }

    /// The switch: [`Loopback::stop`] is an outage, [`Loopback::start`] ends it.
    #[must_use]
    pub fn listener(&self) -> &Loopback {
        &self.listener
    }

    /// Adds an application, or replaces the one of the same id.
    pub fn register(&self, client: Client) {
        let mut clients = self.shared.clients();
        clients.retain(|known| known.id != client.id);
        clients.push(client);
    }

    /// Signs with a new key from now on and forgets the old one.
    ///
    /// # Errors
    ///
    /// If no key can be made.
    pub fn rotate_key(&self) -> Result<(), Error> {
        self.shared.keys.rotate()
    }
}

impl Shared {
    fn clients(&self) -> MutexGuard<'_, Vec<Client>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn client(&self, id: &str) -> Option<Client> {
        self.clients()
            .iter()
            .find(|client| client.id == id)
            .cloned()
    }

    fn person(&self, subject: &str) -> Option<&Person> {
        self.people.iter().find(|person| person.subject == subject)
    }

    /// A page with one thing to say.
    fn message(&self, status: StatusCode, title: &str, message: &str) -> Response {
        let values = context! { title, message };
        self.pages
            .show("provider-message.html", status, None, values)
    }
}

/// Hidden fields that carry parameters through a form.
fn fields(params: &[(String, String)]) -> Vec<minijinja::Value> {
    params
        .iter()
        .map(|(name, value)| context! { name => name.as_str(), value => value.as_str() })
        .collect()
}

/// What a page shows of somebody.
fn card(person: &Person, current: bool) -> minijinja::Value {
    context! {
        subject => person.subject.as_str(),
        initial => initial(person.text("name")),
        name => person.text("name"),
        username => person.text("preferred_username"),
        email => person.text("email"),
        unverified => person.claims.get("email_verified") == Some(&json!(false)),
        groups => person.groups().map(str::to_owned).collect::<Vec<_>>(),
        remark => person.remark.as_str(),
        current,
    }
}

/// A redirect that makes a `POST` a `GET` (RFC 9110 §15.4.4).
fn see_other(to: &Url) -> Response {
    let location = HeaderValue::from_str(to.as_str());
    match location {
        Ok(location) => (
            StatusCode::SEE_OTHER,
            [
                (header::LOCATION, location),
                (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            ],
        )
            .into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// JSON that nobody keeps (RFC 6749 §5.1).
fn private_json(status: StatusCode, body: serde_json::Value) -> Response {
    const NO_STORE: [(HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-store")];
    (status, NO_STORE, Json(body)).into_response()
}

async fn home(State(provider): State<Arc<Shared>>) -> Response {
    let people: Vec<_> = provider.people.iter().map(|p| card(p, false)).collect();
    let values = context! { people };
    provider
        .pages
        .show("provider-home.html", StatusCode::OK, None, values)
}

/// OpenID Connect Discovery 1.0 §3.
async fn metadata(State(provider): State<Arc<Shared>>) -> Json<serde_json::Value> {
    let at = |path: &str| format!("{}{path}", provider.issuer);
    Json(json!({
        "issuer": provider.issuer,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "userinfo_endpoint": at("/userinfo"),
        "jwks_uri": at("/jwks"),
        "end_session_endpoint": at("/end-session"),
        "authorization_response_iss_parameter_supported": true,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post"],
        "grant_types_supported": ["authorization_code"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "scopes_supported": ["openid", "profile", "email", "groups"],
        "claims_supported": [
            "sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "sid", "name",
            "given_name", "family_name", "preferred_username", "email", "email_verified", "groups",
        ],
        "prompt_values_supported": ["none", "login", "select_account"],
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
    }))
}

async fn jwks(State(provider): State<Arc<Shared>>) -> Json<serde_json::Value> {
    Json(provider.keys.public())
}
