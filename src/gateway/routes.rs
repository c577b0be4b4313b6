//! The gateway's own addresses, all on one screen.

use super::gate::Gate;
use super::serve;
use crate::login::Arrival;
use crate::sanitize::CleanRequest;
use crate::session::{self, Visitor};
use crate::web::{Audience, Context, Problem, Response, fields};
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use std::time::Duration;

/// A form is never larger: credentials, or a provider's answer.
const MAX_FORM: usize = 64 * 1024;
/// And never slower.
const FORM_TIMEOUT: Duration = Duration::from_secs(15);

impl Gate {
    /// Whether a path, exactly as it was sent, is one of ours. Another spelling of it is not: it
    /// goes to policy like any other.
    pub(super) fn is_own(&self, path: &str) -> bool {
        let below = path.strip_prefix(self.pages.prefix());
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) || self.is_backdoor(path)
    }

    fn is_backdoor(&self, path: &str) -> bool {
        self.backdoor.enabled() && path == self.config.backdoor.path
    }
}

/// Answers one of our own addresses.
pub(super) async fn own(
    gate: &Gate,
    request: CleanRequest,
    mut headers: HeaderMap,
    visitor: Result<Visitor, session::Error>,
) -> Response {
    let (head, body, client, id) = request.into_parts();
    // HTTP/2 says the host in `:authority`; the clean head has it as `Host`.
    if let Some(host) = head.headers.get(header::HOST) {
        headers.insert(header::HOST, host.clone());
    }
    let context = Context {
        headers,
        client: client.ip,
        concealed: client.concealed,
        id,
    };
    let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
    let rest = path.strip_prefix(gate.pages.prefix()).unwrap_or_default();
    // HEAD is GET without the body, which the listener leaves out.
    let get = head.method == Method::GET || head.method == Method::HEAD;
    let post = head.method == Method::POST;

    let known = match visitor {
        Ok(visitor) => visitor,
        // Who wants to sign in needs no session yet. If the store is still gone at the end of
        // that, it ends in a page of its own.
        Err(_)
            if gate.is_backdoor(path)
                || rest.starts_with("/login")
                || rest.starts_with("/callback/") =>
        {
            Visitor::Stranger
        }
        Err(error) => {
            return serve::problem(
                gate,
                &serve::store_unavailable().because(&error),
                Audience::Person,
                &context,
            );
        }
    };
    let (c, v) = (&context, &known);
    if gate.is_backdoor(path) {
        return match (get, post) {
            (true, _) => gate.backdoor.page(c, query),
            (_, true) => match form(body).await {
                Ok(form) => gate.backdoor.attempt(c, v, &form).await,
                Err(problem) => {
                    gate.backdoor.unreadable(c);
                    let hidden = gate.backdoor.hidden(c);
                    hidden.unwrap_or_else(|| serve::problem(gate, &problem, Audience::Person, c))
                }
            },
            _ => {
                let hidden = gate.backdoor.hidden(c);
                hidden.unwrap_or_else(|| wrong_method(gate, c, "GET, HEAD, POST"))
            }
        };
    }
    let segments: Vec<&str> = rest.split('/').skip(1).collect();
    match segments.as_slice() {
        ["login"] if get => gate.login.login_page(c, v, query),
        ["icons", provider] if get => gate.login.icon(c, provider),
        ["countdown", file] if get => gate.login.countdown(c, file),
        ["start", provider] if get => gate.login.start(c, provider, query).await,
        ["test", provider] if get => gate.login.test(c, v, provider, query).await,
        ["callback", provider] if get => {
            let response = fields(query.as_bytes());
            gate.login
                .callback(c, v, provider, &response, Arrival::Query)
                .await
        }
        ["callback", provider] if post => match form(body).await {
            Ok(form) => {
                let response = fields(&form);
                gate.login
                    .callback(c, v, provider, &response, Arrival::Form)
                    .await
            }
            Err(problem) => serve::problem(gate, &problem, Audience::Person, c),
        },
        ["backchannel-logout", provider] if post => match form(body).await {
            Ok(form) => gate.login.back_channel(c, provider, &form).await,
            Err(problem) => unread(gate, &problem, c),
        },
        ["frontchannel-logout", provider] if get => {
            gate.login.front_channel(c, v, provider, query, b"").await
        }
        ["frontchannel-logout", provider] if post => match form(body).await {
            Ok(form) => gate.login.front_channel(c, v, provider, query, &form).await,
            Err(problem) => unread(gate, &problem, c),
        },
        // 200 or 400, and nothing else (OpenID Connect Back-Channel Logout 1.0 §2.8).
        ["backchannel-logout", _] => unread(gate, &other_method("POST"), c),
        ["frontchannel-logout", _] => wrong_method(gate, c, "GET, HEAD, POST"),
        ["admin", path @ ..] if get => gate.console.answer(c, v, path, query, None).await,
        ["admin", path @ ..] if post => match form(body).await {
            Ok(form) => gate.console.answer(c, v, path, query, Some(&form)).await,
            Err(problem) => serve::problem(gate, &problem, Audience::Person, c),
        },
        ["logout"] if get => gate.login.sign_out_page(c, v),
        ["logout"] if post => gate.login.sign_out(c, v).await,
        ["signed-out"] if get => gate.login.signed_out(c, v),
        ["account"] if get => gate.login.account(c, v).await,
        ["account"] if post => match form(body).await {
            Ok(form) => gate.login.end_own(c, v, &form).await,
            Err(problem) => serve::problem(gate, &problem, Audience::Person, c),
        },
        ["me"] if get => gate.login.me(c, v),
        ["jwks.json"] if get => jwks(gate, c),
        ["style.css"] if get => gate.pages.style(),
        ["icon.svg"] if get => gate.pages.icon(),
        ["custom.css"] if get => gate
            .pages
            .custom_style()
            .unwrap_or_else(|| not_found(gate, c)),
        ["logo"] if get => gate.pages.logo().unwrap_or_else(|| not_found(gate, c)),
        [
            "login" | "signed-out" | "me" | "jwks.json" | "style.css" | "icon.svg" | "custom.css"
            | "logo",
        ]
        | ["start" | "test" | "icons" | "countdown", _] => wrong_method(gate, c, "GET, HEAD"),
        ["logout" | "account"] | ["callback", _] | ["admin", ..] => {
            wrong_method(gate, c, "GET, HEAD, POST")
        }
        _ => not_found(gate, c),
    }
}

fn not_found(gate: &Gate, context: &Context) -> Response {
    let problem =
        Problem::told(StatusCode::NOT_FOUND, "not_found").action("action.back_to_start", "/");
    gate.pages.problem(&problem, Audience::Person, context)
}

fn jwks(gate: &Gate, context: &Context) -> Response {
    let Some(keys) = gate.upstream.jwks() else {
        let problem = Problem::told(StatusCode::NOT_FOUND, "no_assertion");
        return gate.pages.problem(&problem, Audience::Machine, context);
    };
    let mut response = Response::new(Body::from(keys.to_owned()));
    for (name, value) in [
        (header::CONTENT_TYPE, "application/jwk-set+json"),
        // Readers that keep the keys no longer than this follow a rotation without a gap.
        (header::CACHE_CONTROL, "public, max-age=300"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

fn wrong_method(gate: &Gate, context: &Context, allow: &'static str) -> Response {
    gate.pages
        .problem(&other_method(allow), Audience::Person, context)
}

fn other_method(allow: &'static str) -> Problem {
    Problem::told(StatusCode::METHOD_NOT_ALLOWED, "wrong_method")
        .header(header::ALLOW, HeaderValue::from_static(allow))
        .action("action.back_to_start", "/")
}

/// A provider's form that could not be read: its side wants to know that it did not work.
fn unread(gate: &Gate, problem: &Problem, context: &Context) -> Response {
    let mut problem = problem.clone();
    problem.status = StatusCode::BAD_REQUEST;
    serve::problem(gate, &problem, Audience::Machine, context)
}

/// A form's bytes: bounded in size and time.
async fn form(body: Body) -> Result<Bytes, Problem> {
    let whole = Limited::new(body, MAX_FORM).collect();
    match tokio::time::timeout(FORM_TIMEOUT, whole).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) => Err(
            Problem::told(StatusCode::PAYLOAD_TOO_LARGE, "form_unreadable")
                .detail(error.to_string()),
        ),
        Err(_) => Err(Problem::told(StatusCode::REQUEST_TIMEOUT, "form_slow")),
    }
    .map_err(|problem| problem.action("action.back_to_start", "/"))
}
