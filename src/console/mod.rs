//! The administrator's console: what the gateway is doing, and the few things that are done about it
//! at night.
//!
//! Plain pages below `{prefix}/admin/`, for members of `admin.groups` and for backdoor sessions. Who
//! may come in is asked anew at every request. A `GET` changes nothing; every action is a `POST` from
//! a confirmation page of ours, carries a token of the very session, and is in the audit log with the
//! name of whoever did it.
//!
//! What must never happen here: that a secret of the configuration, a provider's token or a session's
//! cookie gets into a page; that a page grows without bound; that opening one again and again asks
//! providers or Bitbucket each time.

mod around;
mod chart;
mod confirm;
mod findings;
mod forms;
mod identities;
mod notice;
mod overview;
mod probes;
mod sessions;
mod sign_ins;
mod testing;
#[cfg(test)]
mod tests;

pub use around::{Knock, around};

use crate::clock::{Clock, Timestamp};
use crate::config::Config;
use crate::directory::Identities;
use crate::forward::Upstream;
use crate::login::Tickets;
use crate::mapping::visible;
use crate::provider::Provider;
use crate::session::{Live, Sessions, Visitor};
use crate::telemetry::audit::{Audit, Event, rfc3339};
use crate::telemetry::{Metrics, Trail};
use crate::web::{
    Audience, Context, FormTargets, Pages, Problem, Response, ReturnPath, fields, first, see_other,
};
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use minijinja::context;
use notice::Notices;
use probes::Probes;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// The console's own style sheet.
const STYLE: &str = include_str!("style.css");
/// Rows of a page.
const ROWS: usize = 50;
/// A name, an address or a search, in characters.
const MOST_SHOWN: usize = 1024;

/// What the console shows and works with.
#[derive(Debug)]
pub struct Parts {
    /// In the order of the file.
    pub providers: Vec<Arc<Provider>>,
    /// Who is signed in.
    pub sessions: Sessions,
    /// Who has which username.
    pub identities: Identities,
    /// One-time addresses of the test page.
    pub tickets: Tickets,
    /// What stands behind the gateway.
    pub upstream: Arc<Upstream>,
    /// The gateway's pages.
    pub pages: Arc<Pages>,
    /// The audit log.
    pub audit: Audit,
    /// The steps of the last sign-ins.
    pub trail: Trail,
    /// The numbers.
    pub metrics: Metrics,
    /// The time.
    pub clock: Clock,
    /// The life of the process.
    pub life: Arc<Life>,
    /// Where the configuration in force was read from: the file first, if it was one.
    pub files: Vec<PathBuf>,
}

/// What the console tells about the process; outlives a reload.
#[derive(Debug)]
pub struct Life {
    /// Since when it runs.
    pub started: Timestamp,
    /// The last refused reload: when, and why.
    pub refused: Mutex<Option<(Timestamp, Vec<String>)>>,
}

impl Life {
    /// It begins now.
    #[must_use]
    pub fn new(clock: &Clock) -> Self {
        Self {
            started: clock.now(),
            refused: Mutex::default(),
        }
    }
}

/// The console of one configuration.
#[derive(Debug)]
pub struct Console {
    parts: Parts,
    config: Arc<Config>,
    loaded: Timestamp,
    probes: Probes,
    notices: Notices,
}

/// A request to the console.
struct Asked<'a> {
    context: &'a Context,
    /// Whose session it is: an administrator's.
    live: &'a Live,
    query: Vec<(String, String)>,
}

impl Asked<'_> {
    fn query(&self, name: &str) -> Option<&str> {
        first(&self.query, name).filter(|text| !text.is_empty())
    }

    /// The page of a long list, from 1.
    fn page(&self) -> usize {
        let page = self.query("page").and_then(|text| text.parse().ok());
        page.unwrap_or(1).max(1)
    }
}

impl Console {
    /// The console of this configuration, which takes effect now.
    #[must_use]
    pub fn new(config: &Arc<Config>, parts: Parts) -> Self {
        Self {
            config: Arc::clone(config),
            loaded: parts.clock.now(),
            probes: Probes::default(),
            notices: Notices::default(),
            parts,
        }
    }

    /// Answers a request below `{prefix}/admin`. `path` is what follows, piece by piece; `form` is
    /// the body of a `POST`.
    pub async fn answer(
        &self,
        context: &Context,
        visitor: &Visitor,
        path: &[&str],
        query: &str,
        form: Option<&Bytes>,
    ) -> Response {
        if let (["style.css"], None) = (path, form) {
            return style();
        }
        let Some(live) = visitor.administrator(&self.config) else {
            return self.not_for_you(context, visitor, path, query, form.is_some());
        };
        // A form may come slowly, and its session may have been ended meanwhile.
        if live.has_ended() {
            return self.not_for_you(context, &Visitor::Stranger, path, query, form.is_some());
        }
        if is_script(context) {
            return self.refuse(context, live, "console_script");
        }
        let asked = Asked {
            context,
            live,
            query: fields(query.as_bytes()),
        };
        let Some(form) = form else {
            return self.open(&asked, path).await;
        };
        let form = fields(form);
        if !context.from_own_page(&self.config.server.public_url)
            || !self.is_signed(live, first(&form, "token").unwrap_or_default())
        {
            return self.refuse(context, live, "console_forged");
        }
        match path {
            ["sessions", "revoke"] => self.revoke(&asked, &form).await,
            ["identities", "forget"] => self.forget(&asked, &form).await,
            ["identities", "relink"] => self.relink(&asked, &form).await,
            ["tests", "address"] => self.issue(&asked, &form),
            _ => self.nothing_here(context),
        }
    }

    /// A `GET`: nothing in here changes anything.
    async fn open(&self, asked: &Asked<'_>, path: &[&str]) -> Response {
        match path {
            [] => see_other(&self.address("/")),
            [""] => self.overview(asked).await,
            ["configuration"] => self.configuration(asked),
            ["sessions"] => self.sessions(asked).await,
            ["sessions", "revoke"] => self.confirm_revoke(asked).await,
            ["sign-ins"] => self.sign_ins(asked),
            ["sign-ins", id] => self.reasons(asked, id),
            ["identities"] => self.identities(asked).await,
            ["identities", "forget"] => self.confirm_forget(asked).await,
            ["identities", "relink"] => self.confirm_relink(asked).await,
            ["tests"] => self.tests(asked),
            ["tests", "address"] => self.confirm_issue(asked),
            _ => self.nothing_here(asked.context),
        }
    }

    /// Somebody who is no administrator: strangers sign in and come back, the others read why not.
    fn not_for_you(
        &self,
        context: &Context,
        visitor: &Visitor,
        path: &[&str],
        query: &str,
        posted: bool,
    ) -> Response {
        if let Visitor::Known(live) = visitor {
            return self.refuse(context, live, "console_not_allowed");
        }
        // A form is gone with the session that it belonged to.
        let next = match (posted, query) {
            (true, _) => self.address("/"),
            (false, "") => self.address(&format!("/{}", path.join("/"))),
            (false, query) => self.address(&format!("/{}?{query}", path.join("/"))),
        };
        let next = ReturnPath::parse(&next);
        let backdoor = &self.config.backdoor;
        let sign_in = match self.config.sign_in.enabled || !backdoor.enabled {
            true => format!("{}/login", self.parts.pages.prefix()),
            false => backdoor.path.clone(),
        };
        see_other(&format!("{sign_in}?next={}", next.encoded()))
    }

    /// Answers 403, and writes to the audit log who tried.
    fn refuse(&self, context: &Context, live: &Live, code: &'static str) -> Response {
        self.parts.audit.record(
            &context.origin(),
            Event::Refusal {
                reason: code.to_owned(),
                detail: "the administrator's console".to_owned(),
                provider: Some(live.how().provider().to_owned()),
                username: Some(live.person().username.to_string()),
            },
        );
        let way = match live.is_administrator(&self.config) {
            true => ("action.back_to_console", self.address("/")),
            false => ("action.back_to_start", "/".to_owned()),
        };
        let problem = Problem::told(StatusCode::FORBIDDEN, code).action(way.0, way.1);
        self.problem(context, &problem)
    }

    fn nothing_here(&self, context: &Context) -> Response {
        let problem = Problem::told(StatusCode::NOT_FOUND, "console_not_found")
            .action("action.back_to_console", self.address("/"));
        self.problem(context, &problem)
    }

    /// A store that does not answer.
    fn unavailable(&self, context: &Context, error: &dyn std::error::Error) -> Response {
        let problem = Problem::told(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable")
            .because(error)
            .action("action.back_to_console", self.address("/"));
        let detail = problem.detail.as_deref().unwrap_or_default();
        tracing::error!(
            request.id = context.id.as_str(),
            detail,
            "a page of the console failed"
        );
        self.problem(context, &problem)
    }

    fn problem(&self, context: &Context, problem: &Problem) -> Response {
        self.parts.pages.problem(problem, Audience::Person, context)
    }

    /// Renders a page of the console. `section` is the entry of the menu that it belongs to.
    fn page(
        &self,
        asked: &Asked<'_>,
        template: &'static str,
        section: &'static str,
        page: &Value,
    ) -> Response {
        let person = asked.live.person();
        let notice = self
            .notices
            .of(&asked.live.handle(), self.parts.clock.now());
        let mut response = self.parts.pages.render(
            asked.context,
            template,
            StatusCode::OK,
            FormTargets::Gateway,
            context! {
                section,
                page => minijinja::value::Serde(page),
                notice => minijinja::value::Serde(&notice),
                who => person.username.as_str(),
                token => self.token(asked.live),
            },
        );
        // A script of another page of our origin could open the console in a window and read it
        // there. With this it gets no hold of the window (HTML standard, 7.1.3).
        response.headers_mut().insert(
            "cross-origin-opener-policy",
            HeaderValue::from_static("noopener-allow-popups"),
        );
        response
    }

    /// One of the console's addresses.
    fn address(&self, path: &str) -> String {
        format!("{}/admin{path}", self.parts.pages.prefix())
    }

    /// Writes to the audit log what an administrator wanted, and a store did not do.
    fn not_ordered(
        &self,
        asked: &Asked<'_>,
        order: &str,
        detail: &str,
        error: &dyn std::error::Error,
    ) {
        let why = crate::telemetry::chain(error);
        self.ordered(asked, order, &format!("{detail}; it failed: {why}"));
    }

    /// Writes to the audit log what an administrator did.
    fn ordered(&self, asked: &Asked<'_>, order: &str, detail: &str) {
        let person = asked.live.person();
        let by = person.username.as_str();
        let how = asked.live.how().provider();
        let detail = format!("by \"{by}\" ({how}): {detail}");
        tracing::warn!(
            request.id = asked.context.id.as_str(),
            user.name = by,
            order,
            ?detail,
            "an administrator did something in the console"
        );
        let event = Event::Order {
            order: order.to_owned(),
            detail,
        };
        self.parts.audit.record(&asked.context.origin(), event);
    }
}

/// Whether a script asks, and not a person who goes somewhere. Bitbucket's pages share our origin,
/// and with it what its apps bring along; none of that reads the console by the way. Where the
/// browser sends no such fields (plain http), the rest still holds.
fn is_script(context: &Context) -> bool {
    let is_other = |name: &str, wanted: &str| {
        let values = context.headers.get_all(name);
        values
            .iter()
            .any(|value| value.as_bytes() != wanted.as_bytes())
    };
    is_other("sec-fetch-mode", "navigate") || is_other("sec-fetch-dest", "document")
}

/// A value of a query.
fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// What somebody typed or is called, as a page shows it: cut, and without what cannot be seen.
fn plain(text: &str) -> String {
    visible(text).chars().take(MOST_SHOWN).collect()
}

/// A moment as a row shows it: UTC, to the second.
fn moment(at: Timestamp) -> String {
    let text = rfc3339(at);
    match text.split_once('.') {
        Some((seconds, _)) => format!("{} UTC", seconds.replace('T', " ")),
        None => text,
    }
}

/// The rows of one page, and what leads to the others: the page, and the address of the one before
/// and the one after.
fn paged<T>(rows: Vec<T>, page: usize) -> (Vec<T>, Option<usize>, Option<usize>) {
    let pages = rows.len().div_ceil(ROWS).max(1);
    let page = page.min(pages);
    let shown = rows
        .into_iter()
        .skip((page - 1) * ROWS)
        .take(ROWS)
        .collect();
    let before = (page > 1).then(|| page - 1);
    (shown, before, (page < pages).then(|| page + 1))
}

fn style() -> Response {
    let mut response = Response::new(Body::from(STYLE));
    for (name, value) in [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=300"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}
