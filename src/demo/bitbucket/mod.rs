//! A stand-in for Bitbucket: it believes the identity header as the real one does with a plugin, and
//! shows what reached it.
//!
//! Its addresses, status codes, header fields and cookies are Bitbucket's as far as a gateway in
//! front of it can notice. It believes the header from anybody who reaches it, so it listens on
//! loopback, and refuses a request that did not come over a loopback connection.

mod cgi;
mod live;
mod pages;
mod rest;
mod scm;
#[cfg(test)]
mod tests;
mod visitor;

pub use scm::Repository;

use super::Error;
use super::loopback::{Bound, Loopback};
use super::page::Pages;
use super::provider::Provider;
use super::shelf::Shelf;
use crate::clock::Clock;
use crate::secret::Secret;
use axum::extract::{DefaultBodyLimit, Request};
use axum::handler::Handler;
use axum::response::NoContent;
use axum::routing::{any, get, post};
use axum::{Router, middleware};
use http::{HeaderMap, Method, Uri};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The header that says who somebody is.
pub const USER_HEADER: &str = "X-Forwarded-User";
/// The header with their e-mail address.
pub const EMAIL_HEADER: &str = "X-Forwarded-Email";
/// The header with their full name.
pub const NAME_HEADER: &str = "X-Forwarded-Name";
/// The header with their groups, comma-separated.
pub const GROUPS_HEADER: &str = "X-Forwarded-Groups";
/// The cookie of its own session.
pub const SESSION_COOKIE: &str = "BITBUCKETSESSIONID";

/// Bitbucket's default, `server.session.timeout`.
const SESSION_LIFETIME: Duration = Duration::from_secs(1800);
const MAX_SESSIONS: usize = 4096;
const MAX_USERS: usize = 1000;
/// Requests that are remembered.
const MAX_RECEIVED: usize = 64;
/// The largest form that is read. Git and the receiving REST call have no limit.
const MAX_FORM: usize = 64 * 1024;

/// What a stand-in is started with.
#[derive(Debug)]
pub struct Setup {
    /// Who can sign in with a password: on its own login page, and with Basic authentication.
    pub username: String,
    /// The password, which works as a token too, by itself, in `Authorization: Bearer`.
    pub password: Secret<String>,
    /// What is served under `/scm/`; none: 501.
    pub repository: Option<Repository>,
    /// What the dashboard controls and shows of the rest of the demo.
    pub controls: Option<Controls>,
    /// The time by which sessions end.
    pub clock: Clock,
}

impl Setup {
    /// Without git and controls, with a random password for `ana`.
    #[must_use]
    pub fn plain(clock: Clock) -> Self {
        Self {
            username: "ana".to_owned(),
            password: Secret::new(crate::random::token()),
            repository: None,
            controls: None,
            clock,
        }
    }
}

/// The rest of the demo, as far as the dashboard reaches it.
#[derive(Debug)]
pub struct Controls {
    /// The provider that its button stops and starts.
    pub provider: Provider,
    /// The address of the emergency sign-in.
    pub backdoor_url: String,
    /// The gateway's configuration, without its secrets.
    pub configuration: String,
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Received {
    /// The method.
    pub method: Method,
    /// The target as it was sent.
    pub uri: Uri,
    /// Every field, repeats in order.
    pub headers: HeaderMap,
    /// Who sent it.
    pub peer: SocketAddr,
    /// Who it was taken to be.
    pub username: Option<String>,
}

/// A stand-in that runs. Clones are handles of the same.
#[derive(Debug, Clone)]
pub struct Bitbucket {
    listener: Loopback,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    username: String,
    password: Secret<String>,
    repository: Option<Repository>,
    controls: Option<Controls>,
    sessions: Shelf<Session>,
    users: Mutex<Vec<User>>,
    received: Mutex<VecDeque<Received>>,
    requests: AtomicU64,
    pages: Pages,
}

/// Bitbucket's own session.
#[derive(Debug, Clone)]
struct Session {
    username: String,
    /// Made by its login form, so it is worth something without the header.
    by_form: bool,
}

/// Somebody whom the stand-in has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
struct User {
    id: usize,
    username: String,
    name: String,
    email: String,
    groups: Vec<String>,
}

/// Starts a stand-in on a free port of 127.0.0.1.
///
/// # Errors
///
/// If no port can be had.
pub async fn start(setup: Setup) -> Result<Bitbucket, Error> {
    start_on(Bound::exactly(0).await?, setup)
}

/// Starts a stand-in on a port that is bound already.
pub(super) fn start_on(bound: Bound, setup: Setup) -> Result<Bitbucket, Error> {
    let shared = Arc::new(Shared {
        username: setup.username,
        password: setup.password,
        repository: setup.repository,
        controls: setup.controls,
        sessions: Shelf::new(setup.clock, SESSION_LIFETIME, MAX_SESSIONS),
        users: Mutex::default(),
        received: Mutex::default(),
        requests: AtomicU64::new(0),
        pages: Pages::new()?,
    });
    let listener = bound.serve(router(&shared));
    Ok(Bitbucket { listener, shared })
}

fn router(shared: &Arc<Shared>) -> Router {
    let unlimited = DefaultBodyLimit::disable;
    Router::new()
        .route("/", get(pages::dashboard))
        .route("/dashboard", get(pages::dashboard))
        .route("/projects", get(pages::repository))
        .route("/projects/DEMO", get(pages::repository))
        .route("/projects/DEMO/repos/hello", get(pages::repository))
        .route(
            "/projects/DEMO/repos/hello/{*below}",
            get(pages::repository),
        )
        .route("/configuration", get(pages::configuration))
        .route("/demo/provider", post(pages::switch))
        .route("/login", get(pages::login))
        .route("/j_atl_security_check", post(pages::check_password))
        .route("/j_atl_security_logout", any(pages::log_out))
        .route("/live", get(live::page))
        .route("/stream", get(live::stream))
        .route("/events", get(live::events))
        .route("/echo", any(live::echo))
        .route("/status", get(rest::status))
        .route("/plugins/servlet/applinks/whoami", get(rest::whoami))
        .merge(rest::api("/rest/api/1.0"))
        .merge(rest::api("/rest/api/latest"))
        .route("/rest/demo/1.0/send", get(rest::send))
        .route(
            "/rest/demo/1.0/receive",
            any(rest::receive.layer(unlimited())),
        )
        .route("/rest/{*unknown}", any(rest::unknown))
        .route(
            "/scm/{project}/{repository}/{*path}",
            any(scm::serve.layer(unlimited())),
        )
        .route("/favicon.ico", get(|| async { NoContent }))
        .fallback(pages::not_found)
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .layer(middleware::from_fn_with_state(
            Arc::clone(shared),
            visitor::recognize,
        ))
        .with_state(Arc::clone(shared))
}

impl Bitbucket {
    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.listener.addr()
    }

    /// The switch: [`Loopback::stop`] is an outage, [`Loopback::start`] ends it.
    #[must_use]
    pub fn listener(&self) -> &Loopback {
        &self.listener
    }

    /// The requests that reached it, the oldest first; at most the last 64.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.shared.received().iter().cloned().collect()
    }

    /// Whether this value of [`SESSION_COOKIE`] is a session that has not ended.
    #[must_use]
    pub fn has_session(&self, cookie: &str) -> bool {
        self.shared.sessions.look(cookie).is_some()
    }
}

impl Shared {
    fn received(&self) -> MutexGuard<'_, VecDeque<Received>> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn users(&self) -> MutexGuard<'_, Vec<User>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, request: &Request, peer: SocketAddr, username: Option<String>) {
        let mut received = self.received();
        if received.len() >= MAX_RECEIVED {
            received.pop_front();
        }
        received.push_back(Received {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: request.headers().clone(),
            peer,
            username,
        });
    }

    /// Makes somebody known, or remembers what is new about them. Bitbucket compares names without
    /// case.
    fn meet(&self, seen: User) -> User {
        let mut users = self.users();
        let same = |user: &&mut User| user.username.eq_ignore_ascii_case(&seen.username);
        if let Some(user) = users.iter_mut().find(same) {
            if !seen.name.is_empty() {
                *user = User {
                    id: user.id,
                    ..seen
                };
            }
            return user.clone();
        }
        let user = User {
            id: users.len() + 1,
            ..seen
        };
        if users.len() < MAX_USERS {
            users.push(user.clone());
        }
        user
    }
}
