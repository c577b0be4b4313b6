//! A stand-in for Bitbucket: it believes the identity header as the real one does with a plugin,
//! knows people and groups as the real one's REST calls say them, and shows what reached it.
//!
//! Its addresses, status codes, header fields and cookies are Bitbucket's as far as a gateway in
//! front of it can notice. It believes the header from anybody who reaches it, so it listens on
//! loopback, and refuses a request that did not come over a loopback connection.
//!
//! For tests of a client, [`Bitbucket::people`] says and shows whom it knows,
//! [`Bitbucket::calls`] what it was asked to do about them, and the methods beside these make it
//! slow, read-only, full or broken.

mod admin;
mod behaviour;
mod calls;
mod cgi;
mod controls;
mod faults;
mod input;
mod live;
mod pages;
mod paging;
mod people;
mod refusal;
mod register;
mod rest;
mod scm;
#[cfg(test)]
mod tests;
mod visitor;

pub use behaviour::Hold;
pub use calls::Call;
pub use faults::Fault;
pub use people::{Details, People};
pub use refusal::Refusal;
pub use register::{Account, Directory, Permission, TokenKind};
pub use scm::Repository;

use self::behaviour::Behaviour;
use self::register::Register;
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
/// People who are known by the header alone; their ids come before everybody else's.
const MAX_GUESTS: usize = 1000;
const FIRST_ID: u64 = 1001;
/// Requests that are remembered.
const MAX_RECEIVED: usize = 64;
/// The largest form that is read. Git and the receiving REST call have no limit.
const MAX_FORM: usize = 64 * 1024;

/// What a stand-in is started with.
#[derive(Debug)]
pub struct Setup {
    /// Who can sign in with a password: on its own login page, and with Basic authentication.
    pub username: String,
    /// The password, which works as an HTTP access token too, by itself, in
    /// `Authorization: Bearer`.
    pub password: Secret<String>,
    /// Username and password of somebody with `ADMIN`, for REST calls with Basic authentication.
    pub administrator: (String, Secret<String>),
    /// Groups that are there, with the global permission of each.
    pub groups: Vec<(String, Option<Permission>)>,
    /// Where `addToDefaultGroup` adds to, and where the two people above are.
    pub default_group: String,
    /// Whom the header signs in.
    pub recognition: Recognition,
    /// What is served under `/scm/`; none: 501.
    pub repository: Option<Repository>,
    /// What the dashboard controls and shows of the rest of the demo.
    pub controls: Option<Controls>,
    /// The time by which sessions end.
    pub clock: Clock,
}

impl Setup {
    /// Without git and controls, with random passwords for `ana` and the administrator
    /// `portcullis`. There are the groups `stash-users` with `LICENSED_USER`, the default one,
    /// `bitbucket-admins` with `ADMIN` and `bitbucket-sysadmins` with `SYS_ADMIN`. The header signs
    /// anybody in.
    #[must_use]
    pub fn plain(clock: Clock) -> Self {
        let group = |name: &str, permission| (name.to_owned(), Some(permission));
        Self {
            username: "ana".to_owned(),
            password: Secret::new(crate::random::token()),
            administrator: ("portcullis".to_owned(), Secret::new(crate::random::token())),
            groups: vec![
                group("stash-users", Permission::LicensedUser),
                group("bitbucket-admins", Permission::Admin),
                group("bitbucket-sysadmins", Permission::SysAdmin),
            ],
            default_group: "stash-users".to_owned(),
            recognition: Recognition::Anybody,
            repository: None,
            controls: None,
            clock,
        }
    }
}

/// Whom the identity header signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recognition {
    /// Whoever it names: their name, address and groups are what the other headers say.
    Anybody,
    /// As Bitbucket with a plugin that looks people up: who is unknown stays nobody, and who has no
    /// `LICENSED_USER` is told so. The other headers count for nothing.
    Known,
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
    recognition: Recognition,
    clock: Clock,
    sessions: Shelf<Session>,
    register: Mutex<Register>,
    /// People whom only the header has ever named.
    guests: Mutex<Vec<User>>,
    behaviour: Behaviour,
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

/// Somebody, as the request that they make shows them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct User {
    id: u64,
    username: String,
    name: String,
    email: String,
    groups: Vec<String>,
    level: Option<Permission>,
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
    let register = Register::new(&setup, FIRST_ID);
    let shared = Arc::new(Shared {
        username: setup.username,
        password: setup.password,
        repository: setup.repository,
        controls: setup.controls,
        recognition: setup.recognition,
        sessions: Shelf::new(setup.clock.clone(), SESSION_LIFETIME, MAX_SESSIONS),
        clock: setup.clock,
        register: Mutex::new(register),
        guests: Mutex::default(),
        behaviour: Behaviour::new(),
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
        .route("/demo/provider", post(controls::provider))
        .route("/demo/bitbucket", post(controls::bitbucket))
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
        .layer(middleware::from_fn_with_state(
            Arc::clone(shared),
            behaviour::behave,
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

    fn register(&self) -> MutexGuard<'_, Register> {
        self.register.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn guests(&self) -> MutexGuard<'_, Vec<User>> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Remembers somebody whom only the header names, and what is new about them.
    fn meet(&self, seen: User) -> User {
        let mut guests = self.guests();
        let found = guests
            .iter_mut()
            .find(|guest| register::same(&guest.username, &seen.username));
        if let Some(guest) = found {
            *guest = User {
                id: guest.id,
                ..seen
            };
            return guest.clone();
        }
        let guest = User {
            id: guests.len() as u64 + 1,
            ..seen
        };
        if guests.len() < MAX_GUESTS {
            guests.push(guest.clone());
        }
        guest
    }

    /// Somebody whom only the header has named.
    fn guest(&self, username: &str) -> Option<User> {
        let guests = self.guests();
        let found = guests
            .iter()
            .find(|guest| register::same(&guest.username, username));
        found.cloned()
    }
}
