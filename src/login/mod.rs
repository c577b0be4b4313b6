//! The sign-in, a file per step, and the sign-out.
//!
//! The way of a person: [`Login::login_page`] → [`Login::start`] → the provider's own page →
//! [`Login::callback`], which spends the stored state first and redeems the code after → claims,
//! person, pin, session. Each handler takes a request's [`Context`] and answers a response; whatever
//! goes wrong ends in a page with a way forward, never in a loop and never in a bare error.
//!
//! Afterwards, `upkeep` sees to it that a session follows its provider, and three ways lead out:
//! `sign_out` for the person, `back_channel` and `front_channel` for the provider.
//!
//! This room must never hand a provider's token to a browser, and never sign in by itself after a
//! sign-out.

mod account;
mod agent;
mod back_channel;
mod browsers;
mod callback;
mod finish;
mod front_channel;
mod habits;
mod icons;
mod page;
mod sign_out;
mod start;
mod test;
mod tickets;
mod told;
mod upkeep;
mod words;

pub use browsers::{Browsers, Lost, Pending, Purpose};
pub use callback::Arrival;
pub use tickets::Tickets;
pub use upkeep::Flights;

use crate::clock::Clock;
use crate::config::{self, Config, Kind};
use crate::directory::Identities;
use crate::forward::Upstream;
use crate::provider::Provider;
use crate::provisioning::Provisioner;
use crate::session::Sessions;
use crate::telemetry::audit::{Audit, Event};
use crate::telemetry::{Metrics, Trail};
use crate::web::{Audience, Context, Pages, Problem, Response, ReturnPath, cookies};
use http::{HeaderValue, StatusCode, header};
use std::sync::Arc;
use std::time::Duration;
use upkeep::Keeper;

/// What the sign-in works with. [`Browsers`], [`Sessions`], [`Identities`] and unchanged providers
/// live through a reload; the rest is built anew.
#[derive(Debug)]
pub struct Parts {
    /// In the order of the file.
    pub providers: Vec<Arc<Provider>>,
    /// Where sessions begin and end.
    pub sessions: Sessions,
    /// Who has which username.
    pub identities: Identities,
    /// Makes people known, where the configuration says so.
    pub provisioner: Option<Provisioner>,
    /// One-time addresses of the test page.
    pub tickets: Tickets,
    /// For ending Bitbucket's own session at sign-out.
    pub upstream: Arc<Upstream>,
    /// The gateway's pages.
    pub pages: Arc<Pages>,
    /// Sign-ins under way.
    pub browsers: Browsers,
    /// Sessions whose provider is being asked.
    pub flights: Flights,
    /// The audit log.
    pub audit: Audit,
    /// The steps of the last sign-ins.
    pub trail: Trail,
    /// The numbers.
    pub metrics: Metrics,
    /// The time.
    pub clock: Clock,
}

/// The sign-in and the sign-out of one configuration.
#[derive(Debug)]
pub struct Login {
    parts: Parts,
    /// Shared with the tasks that ask providers.
    keeper: Arc<Keeper>,
    config: Arc<Config>,
    /// How long a remembered session lasts, if that is offered.
    remember: Option<Duration>,
    /// The cookie that binds a pending sign-in to its browser.
    cookie: String,
    /// `Set-Cookie` values that remove Bitbucket's session from a browser.
    leftovers: Vec<HeaderValue>,
    /// What stands behind the gateway, in sentences.
    product: &'static str,
}

/// `Set-Cookie` values that remove the upstream's own session from a browser, so that nobody
/// inherits what another person left there. Empty for a generic upstream, whose cookies are its own
/// business.
#[must_use]
pub fn leftovers(upstream: &config::Upstream, public: &config::Origin) -> Vec<HeaderValue> {
    if upstream.kind == Kind::Generic {
        return Vec::new();
    }
    // Tomcat sets its cookie for the context path.
    let path = match upstream.context_path.as_str() {
        "" => "/",
        path => path,
    };
    // `JSESSIONID` is the name in old and customized installations.
    ["BITBUCKETSESSIONID", "JSESSIONID"]
        .iter()
        .filter_map(|name| cookies::expired(name, path, public.https))
        .collect()
}

impl Login {
    /// The sign-in of this configuration.
    #[must_use]
    pub fn new(config: &Arc<Config>, parts: Parts) -> Self {
        let keeper = Keeper {
            config: Arc::clone(config),
            providers: parts.providers.clone(),
            sessions: parts.sessions.clone(),
            identities: parts.identities.clone(),
            provisioner: parts.provisioner.clone(),
            audit: parts.audit.clone(),
            clock: parts.clock.clone(),
            flights: parts.flights.clone(),
        };
        Self {
            keeper: Arc::new(keeper),
            config: Arc::clone(config),
            remember: config
                .session
                .remember_me
                .then_some(config.session.remember_me_max_age),
            cookie: cookies::sign_in_cookie_name(&config.session.cookie_name),
            leftovers: leftovers(&config.upstream, &config.server.public_url),
            product: match config.upstream.kind {
                Kind::Bitbucket => "Bitbucket",
                Kind::Generic => "the application",
            },
            parts,
        }
    }

    fn provider(&self, id: &str) -> Option<&Arc<Provider>> {
        self.parts
            .providers
            .iter()
            .find(|provider| provider.config().id == id)
    }

    fn unknown_provider(&self, context: &Context, id: &str) -> Response {
        let problem = words::unknown_provider(id)
            .action("action.sign_in", self.sign_in_address(&ReturnPath::root()));
        self.refuse(context, None, None, &problem)
    }

    /// One of our own addresses, as browsers see it on our origin.
    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.config.server.prefix)
    }

    /// The sign-in page that leads to `next`, and waits for a choice: everything in this room that
    /// leads there comes after something went wrong.
    fn sign_in_address(&self, next: &ReturnPath) -> String {
        self.address(&format!("/login?choose=1&next={}", next.encoded()))
    }

    /// Reads a `next` value. Our own pages are no place to return to (that would be a sign-in which
    /// ends in a sign-in), but for the one that shows a person's sessions.
    fn next(&self, text: Option<&str>) -> ReturnPath {
        let next = text.map_or_else(ReturnPath::root, ReturnPath::parse);
        if next.as_str() == self.address("/account") {
            return next;
        }
        next.outside(&self.config.server.prefix)
    }

    /// The values of the sign-in cookie that the browser sent.
    fn cookies<'a>(&'a self, context: &'a Context) -> impl Iterator<Item = &'a str> {
        cookies::all(&context.headers, &self.cookie)
    }

    /// Answers a refused sign-in: the page for the person, and the reason once in the log, once in
    /// the audit log, and counted.
    fn refuse(
        &self,
        context: &Context,
        provider: Option<&str>,
        username: Option<String>,
        problem: &Problem,
    ) -> Response {
        let detail = problem.detail.as_deref().unwrap_or_default();
        let (id, status) = (context.id.as_str(), problem.status.as_u16());
        // Debug output of the texts: what a provider or a browser chose cannot break a log line.
        if problem.status == StatusCode::SERVICE_UNAVAILABLE {
            tracing::error!(
                request.id = id,
                http.status = status,
                code = problem.code,
                provider,
                user.name = username.as_deref(),
                ?detail,
                "a sign-in failed"
            );
        } else {
            tracing::warn!(
                request.id = id,
                http.status = status,
                code = problem.code,
                provider,
                user.name = username.as_deref(),
                ?detail,
                "a sign-in was refused"
            );
        }
        self.tell_refusal(context, provider, username.as_deref(), problem);
        self.parts.audit.record(
            &context.origin(),
            Event::Refusal {
                reason: problem.code.to_owned(),
                detail: detail.to_owned(),
                // Only ids of the configuration: what stands in an address is anything.
                provider: provider.map(str::to_owned),
                username,
            },
        );
        if let Some(provider) = provider {
            self.parts.metrics.sign_in(provider, problem.code);
        }
        self.show(context, problem)
    }

    fn show(&self, context: &Context, problem: &Problem) -> Response {
        self.parts.pages.problem(problem, Audience::Person, context)
    }
}

fn set_cookies<'a>(response: &mut Response, values: impl IntoIterator<Item = &'a HeaderValue>) {
    for value in values {
        response
            .headers_mut()
            .append(header::SET_COOKIE, value.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use url::Url;

    fn origin(text: &str, https: bool) -> config::Origin {
        config::Origin {
            url: Url::parse(text).unwrap(),
            text: text.into(),
            https,
            authority: text.split_once("://").unwrap().1.into(),
        }
    }

    #[track_caller]
    fn check(kind: Kind, context_path: &str, https: bool, want: &[&str]) {
        let upstream = config::Upstream {
            url: origin("http://bitbucket:7990", false),
            kind,
            context_path: context_path.into(),
            connect_timeout: Duration::from_secs(5),
            head_timeout: Duration::from_secs(120),
            idle_timeout: Duration::from_secs(300),
            ca_file: None,
            client_tls: None,
        };
        let public = origin("https://git.example.com", https);
        assert_eq!(leftovers(&upstream, &public), want);
    }

    #[test]
    fn nobody_inherits_bitbuckets_session_of_somebody_else() {
        check(
            Kind::Bitbucket,
            "",
            false,
            &[
                "BITBUCKETSESSIONID=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax",
                "JSESSIONID=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax",
            ],
        );
        check(
            Kind::Bitbucket,
            "/bitbucket",
            true,
            &[
                "BITBUCKETSESSIONID=; Path=/bitbucket; Max-Age=0; HttpOnly; SameSite=Lax; Secure",
                "JSESSIONID=; Path=/bitbucket; Max-Age=0; HttpOnly; SameSite=Lax; Secure",
            ],
        );
    }

    #[test]
    fn a_generic_upstreams_cookies_are_its_own_business() {
        check(Kind::Generic, "", true, &[]);
    }
}
