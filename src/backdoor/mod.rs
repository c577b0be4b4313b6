//! The way in when the provider is down: off by default, narrow, loud in the audit log.
//!
//! It needs no provider, no DNS and no Bitbucket. It needs a clock only for one-time codes and the
//! lengths of delays and sessions: with a clock that is wrong, an account without `totp_secret`
//! still comes in. It does need the session store.
//!
//! An attempt passes the checks in this order, and whatever ends it is exactly one audit event:
//! network, own page, form, rate limit, password and code, session.

mod attempts;
mod code;
mod guard;
mod password;
mod spent;

pub use attempts::Attempts;
pub use password::hash_password;

use crate::clock::Clock;
use crate::config::Config;
use crate::identity::{Person, Username};
use crate::secret::Secret;
use crate::session::{How, Sessions, SignedIn, Visitor};
use crate::state;
use crate::telemetry::Metrics;
use crate::telemetry::audit::{Audit, Event};
use crate::web::{
    Audience, Context, FormTargets, Length, Pages, Problem, Response, ReturnPath, fields, first,
    see_other,
};
use guard::{Denied, Guard, MAX_NAME, Typed};
use http::{HeaderValue, StatusCode, header};
use minijinja::{Value, context};
use std::sync::Arc;
use std::time::Duration;

/// What of a typed name is written down.
const LOGGED_NAME: usize = 64;

/// Why the configured accounts cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A hash that cannot be read.
    #[error("the password hash of \"{username}\" is not a PHC string")]
    PasswordHash {
        /// The account.
        username: Username,
        /// What is wrong with it.
        source: argon2::password_hash::phc::Error,
    },
    /// A hash of another kind, or without salt or output.
    #[error("the password hash of \"{username}\" is not a whole argon2id hash")]
    NotArgon2id {
        /// The account.
        username: Username,
    },
    /// A secret that is no base32, or too short.
    #[error("the one-time code secret of \"{username}\" is not base32 of at least 80 bits")]
    CodeSecret {
        /// The account.
        username: Username,
    },
    /// The used codes cannot be kept.
    #[error("the store of used one-time codes cannot be opened")]
    Store(#[source] state::Error),
    /// Nothing was given to hash.
    #[error("the password is empty")]
    EmptyPassword,
    /// The machine could not hash.
    #[error("the password could not be hashed")]
    Hash(#[source] argon2::password_hash::Error),
}

/// What the emergency sign-in works with.
#[derive(Debug)]
pub struct Parts {
    /// Where sessions begin.
    pub sessions: Sessions,
    /// The gateway's pages.
    pub pages: Arc<Pages>,
    /// Who has failed how often; lives through a reload.
    pub attempts: Attempts,
    /// The audit log.
    pub audit: Audit,
    /// The numbers.
    pub metrics: Metrics,
    /// The time.
    pub clock: Clock,
    /// `Set-Cookie` values that remove what an earlier person left in the browser.
    pub leftovers: Vec<HeaderValue>,
}

/// The emergency sign-in of one configuration.
#[derive(Debug)]
pub struct Backdoor {
    parts: Parts,
    enabled: bool,
    path: String,
    max_age: Duration,
    guard: Guard,
}

impl Backdoor {
    /// The accounts and networks of this configuration.
    ///
    /// # Errors
    ///
    /// If a password hash or a code's secret cannot be used.
    pub fn new(config: &Config, parts: Parts) -> Result<Self, Error> {
        let backdoor = &config.backdoor;
        let public = &config.server.public_url;
        let (attempts, clock) = (parts.attempts.clone(), parts.clock.clone());
        Ok(Self {
            enabled: backdoor.enabled,
            path: backdoor.path.clone(),
            max_age: backdoor.max_age,
            guard: Guard::new(backdoor, public, attempts, clock)?,
            parts,
        })
    }

    /// Whether it is there at all. When not, its address is the upstream's like any other.
    #[must_use]
    pub const fn enabled(&self) -> bool {
        self.enabled
    }

    /// `GET {backdoor.path}?next=`: the form.
    #[must_use]
    pub fn page(&self, context: &Context, query: &str) -> Response {
        if !self.guard.is_allowed(context) {
            return self.nothing_here(context);
        }
        let query = fields(query.as_bytes());
        let next = self.next(first(&query, "next"));
        self.form(context, StatusCode::OK, None, "", &next)
    }

    /// `POST {backdoor.path}`: an attempt.
    pub async fn attempt(&self, context: &Context, visitor: &Visitor, form: &[u8]) -> Response {
        let form = fields(form);
        let typed = Typed {
            username: first(&form, "username")
                .unwrap_or_default()
                .trim()
                .to_owned(),
            password: Secret::new(first(&form, "password").unwrap_or_default().to_owned()),
            code: first(&form, "code").unwrap_or_default().trim().to_owned(),
        };
        let next = self.next(first(&form, "next"));
        let mut record = Record::of(
            &self.parts.audit,
            &self.parts.metrics,
            context,
            &typed.username,
        );
        let result = match self.guard.check(context, &typed).await {
            Ok(username) => self.admit(context, visitor, username).await,
            Err(denied) => Err(denied),
        };
        record.outcome = match &result {
            Ok(_) => "admitted",
            Err(denied) => denied.code(),
        };
        drop(record);
        match result {
            Ok(cookie) => {
                let mut response = see_other(next.as_str());
                for value in std::iter::once(&cookie).chain(&self.parts.leftovers) {
                    response
                        .headers_mut()
                        .append(header::SET_COOKIE, value.clone());
                }
                response
            }
            Err(denied) => self.deny(context, denied, &typed.username, &next),
        }
    }

    /// An attempt whose form could not be read: an audit event like any other.
    pub fn unreadable(&self, context: &Context) {
        let denied = match self.guard.is_allowed(context) {
            true => Denied::Malformed,
            false => Denied::Network,
        };
        let mut record = Record::of(&self.parts.audit, &self.parts.metrics, context, "");
        record.outcome = denied.code();
    }

    /// The answer to everybody outside of the allowed networks, whatever they ask for; nothing to
    /// those inside.
    #[must_use]
    pub fn hidden(&self, context: &Context) -> Option<Response> {
        (!self.guard.is_allowed(context)).then(|| self.nothing_here(context))
    }

    async fn admit(
        &self,
        context: &Context,
        visitor: &Visitor,
        username: Username,
    ) -> Result<HeaderValue, Denied> {
        let signed_in = SignedIn {
            person: Person {
                username,
                email: None,
                display_name: None,
                groups: Vec::new(),
            },
            how: How::Backdoor,
            id_token: None,
            remember: false,
            max_age: Some(self.max_age),
            sid: None,
            upkeep: None,
            client: Some(context.client),
            browser: context.browser(),
        };
        match self.parts.sessions.begin(visitor, signed_in).await {
            Ok((cookie, _)) => Ok(cookie),
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, "the emergency sign-in could not begin a session");
                Err(Denied::StoreFailed)
            }
        }
    }

    fn deny(
        &self,
        context: &Context,
        denied: Denied,
        username: &str,
        next: &ReturnPath,
    ) -> Response {
        let (status, message) = match denied {
            Denied::Network => return self.nothing_here(context),
            Denied::CrossSite => (StatusCode::FORBIDDEN, "page.backdoor.cross_site"),
            Denied::Malformed => (StatusCode::BAD_REQUEST, "page.backdoor.malformed"),
            Denied::RateLimited(_) => (StatusCode::TOO_MANY_REQUESTS, "page.backdoor.rate_limited"),
            Denied::Busy => (StatusCode::SERVICE_UNAVAILABLE, "page.backdoor.busy"),
            Denied::WrongCredentials => (StatusCode::FORBIDDEN, "page.backdoor.wrong_credentials"),
            Denied::StoreFailed => (
                StatusCode::SERVICE_UNAVAILABLE,
                "page.backdoor.store_failed",
            ),
        };
        let name: String = username.chars().take(MAX_NAME).collect();
        let length = match denied {
            Denied::RateLimited(wait) => Some(Length::waiting(wait)),
            _ => None,
        };
        let mut response = self.form(context, status, Some((message, length)), &name, next);
        if let Denied::RateLimited(wait) = denied {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, seconds(wait).into());
        }
        response
    }

    fn form(
        &self,
        context: &Context,
        status: StatusCode,
        message: Option<(&str, Option<Length>)>,
        username: &str,
        next: &ReturnPath,
    ) -> Response {
        let (message, length) = message.unzip();
        let length = length.flatten();
        self.parts.pages.render(
            context,
            "backdoor.html",
            status,
            FormTargets::Gateway,
            context! {
                message,
                length => length.map(Value::from),
                action => self.path.as_str(),
                next => next.as_str(),
                username,
                asks_code => self.guard.asks_code(),
            },
        )
    }

    /// The answer outside of the allowed networks. It does not say what is here.
    fn nothing_here(&self, context: &Context) -> Response {
        if context.concealed {
            tracing::warn!(request.id = context.id.as_str(), client = %context.client, "the emergency sign-in was asked for through a proxy that is not in server.trusted_proxies, or does not say for whom");
        } else {
            tracing::warn!(request.id = context.id.as_str(), client = %context.client, "the emergency sign-in was asked for from outside of backdoor.allowed_networks");
        }
        let problem = Problem::told(StatusCode::NOT_FOUND, "nothing_here")
            .with_code("not_found")
            .action("action.continue", "/");
        self.parts
            .pages
            .problem(&problem, Audience::Person, context)
    }

    fn next(&self, text: Option<&str>) -> ReturnPath {
        text.map_or_else(ReturnPath::root, ReturnPath::parse)
            .outside(&self.path)
            .outside(self.parts.pages.prefix())
    }
}

/// Writes what became of an attempt when it is dropped: exactly once, also when the client goes away
/// while the password is computed.
struct Record<'a> {
    audit: &'a Audit,
    metrics: &'a Metrics,
    context: &'a Context,
    username: String,
    outcome: &'static str,
}

impl<'a> Record<'a> {
    fn of(audit: &'a Audit, metrics: &'a Metrics, context: &'a Context, username: &str) -> Self {
        Self {
            audit,
            metrics,
            context,
            username: username.chars().take(LOGGED_NAME).collect(),
            outcome: "abandoned",
        }
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        tracing::warn!(request.id = self.context.id.as_str(), client = %self.context.client, outcome = self.outcome, user.name = ?self.username, "the emergency sign-in was tried");
        self.metrics.sign_in("backdoor", self.outcome);
        self.audit.record(
            &self.context.origin(),
            Event::Backdoor {
                outcome: self.outcome.to_owned(),
                username: std::mem::take(&mut self.username),
            },
        );
    }
}

/// Whole seconds, rounded up: waiting that long is enough.
fn seconds(wait: Duration) -> u64 {
    wait.as_millis()
        .div_ceil(1000)
        .try_into()
        .unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::RequestId;
    use http::HeaderMap;

    #[track_caller]
    fn check(outcome: Option<&'static str>, typed: &str, want: (&str, &str)) {
        let (audit, metrics) = (Audit::new(Clock::system()), Metrics::new());
        let context = Context {
            headers: HeaderMap::new(),
            client: [10, 0, 0, 1].into(),
            concealed: false,
            id: RequestId::fresh(),
        };
        let mut record = Record::of(&audit, &metrics, &context, typed);
        if let Some(outcome) = outcome {
            record.outcome = outcome;
        }
        drop(record);
        let entries = audit.recent();
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].client, Some(context.client));
        assert_eq!(entries[0].request_id.as_deref(), Some(context.id.as_str()));
        let event = Event::Backdoor {
            outcome: want.0.into(),
            username: want.1.into(),
        };
        assert_eq!(entries[0].event, event);
    }

    #[test]
    fn every_attempt_is_one_audit_event() {
        check(Some("admitted"), "admin", ("admitted", "admin"));
        let long = "ä".repeat(999);
        let cut = "ä".repeat(LOGGED_NAME);
        check(Some("rate_limited"), &long, ("rate_limited", &cut));
    }

    #[test]
    fn going_away_in_the_middle_leaves_a_trace() {
        check(None, "admin", ("abandoned", "admin"));
    }

    #[test]
    fn a_wait_is_never_too_short() {
        for (millis, secs) in [(1, 1), (1_001, 2), (90_000, 90), (90_001, 91)] {
            assert_eq!(seconds(Duration::from_millis(millis)), secs);
        }
    }
}
