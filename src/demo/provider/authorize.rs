//! The authorization endpoint: checks what the application asks, shows the people, sends the
//! browser back.

use super::params::{Params, Repeated};
use super::{Client, Grant, SESSION_LIFETIME, Session, Shared, card, fields, see_other};
use crate::web::cookies;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use minijinja::context;
use std::sync::Arc;
use url::Url;

/// Remembers who sits at the browser. Its path keeps it from the other ports of 127.0.0.1, which
/// share cookies with this one (RFC 6265 §8.5).
const COOKIE: &str = "demo_provider";
const COOKIE_PATH: &str = "/authorize";
/// What the page itself adds to the parameters of the application.
const DECISION: [&str; 2] = ["person", "deny"];
/// base64url of a SHA-256 digest (RFC 7636 §4.2).
const CHALLENGE_CHARS: usize = 43;

/// A request that may be answered by redirect.
#[derive(Debug)]
struct Authorization {
    back: Back,
    client: Client,
    redirect_uri: String,
    challenge: String,
    nonce: Option<String>,
    scope: Vec<String>,
    silent: bool,
    login_hint: Option<String>,
}

/// How the browser goes back.
#[derive(Debug)]
struct Back {
    url: Url,
    state: Option<String>,
    by_form: bool,
}

/// Why a request is not answered with the page.
#[derive(Debug)]
enum Wrong {
    /// Nobody to go back to can be trusted: a page (RFC 6749 §4.1.2.1).
    Here(&'static str),
    /// The application learns of it.
    There(Box<Back>, &'static str, &'static str),
}

pub(super) async fn ask(
    State(provider): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let params = Params::read(query.unwrap_or_default().as_bytes());
    let request = match read(&provider, &params) {
        Ok(request) => request,
        Err(wrong) => return refuse(&provider, wrong),
    };
    page(&provider, request, &params, &headers)
}

pub(super) async fn decide(
    State(provider): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let params = Params::read(&body);
    let request = match read(&provider, &params) {
        Ok(request) => request,
        Err(wrong) => return refuse(&provider, wrong),
    };
    if let Ok(Some(_)) = params.one("deny") {
        let wrong = Wrong::There(
            Box::new(request.back),
            "access_denied",
            "the person refused",
        );
        return refuse(&provider, wrong);
    }
    let chosen = params.one("person").ok().flatten();
    match chosen.and_then(|subject| provider.person(subject)) {
        Some(person) => {
            let session = Session {
                subject: person.subject.clone(),
                since: provider.clock.now(),
            };
            let sid = provider.sessions.put(session.clone());
            let cookie = format!(
                "{COOKIE}={sid}; Path={COOKIE_PATH}; Max-Age={}; HttpOnly; SameSite=Lax",
                SESSION_LIFETIME.as_secs()
            );
            let mut response = grant(&provider, request, session, sid);
            // A token of the shelf is base64url, so this always is a header value.
            if let Ok(cookie) = HeaderValue::from_str(&cookie) {
                response.headers_mut().insert(header::SET_COOKIE, cookie);
            }
            response
        }
        // OpenID Connect Core 1.0 §3.1.2.1 lets the request itself come by POST as well.
        None => page(&provider, request, &params, &headers),
    }
}

/// Checks everything that does not depend on the person.
fn read(provider: &Shared, params: &Params) -> Result<Authorization, Wrong> {
    let here = |_: Repeated| Wrong::Here("A parameter of the request came twice.");
    let client = params.one("client_id").map_err(here)?;
    let client = client
        .and_then(|id| provider.client(id))
        .ok_or(Wrong::Here("This application is not registered here."))?;
    let redirect_uri = params.one("redirect_uri").map_err(here)?;
    let (url, redirect_uri) = redirect_uri
        .filter(|uri| client.redirect_uris.iter().any(|known| known == uri))
        .and_then(|uri| Some((Url::parse(uri).ok()?, uri.to_owned())))
        .ok_or(Wrong::Here(
            "The address to return to (redirect_uri) is not registered for this application.",
        ))?;

    // From here on the application can be told.
    let mode = params.one("response_mode");
    let back = Back {
        url,
        state: params.one("state").ok().flatten().map(str::to_owned),
        by_form: mode == Ok(Some("form_post")),
    };
    let checked = || {
        let twice = |_: Repeated| ("invalid_request", "a parameter came twice");
        let one = |name| params.one(name).map_err(twice);
        one("state")?;
        if !matches!(one("response_mode")?, None | Some("query" | "form_post")) {
            return Err(("invalid_request", "response_mode is query or form_post"));
        }
        if one("response_type")? != Some("code") {
            return Err(("unsupported_response_type", "response_type is code"));
        }
        if one("request")?.is_some() {
            return Err(("request_not_supported", "request objects are not supported"));
        }
        if one("request_uri")?.is_some() {
            return Err((
                "request_uri_not_supported",
                "request objects are not supported",
            ));
        }
        let scope: Vec<String> = one("scope")?
            .unwrap_or_default()
            .split(' ')
            .map(str::to_owned)
            .collect();
        if !scope.iter().any(|scope| scope == "openid") {
            return Err(("invalid_scope", "scope contains openid"));
        }
        let challenge = one("code_challenge")?.unwrap_or_default().to_owned();
        let s256 = one("code_challenge_method")? == Some("S256");
        if !s256 || challenge.len() != CHALLENGE_CHARS {
            return Err(("invalid_request", "PKCE with S256 is required"));
        }
        let nonce = one("nonce")?.map(str::to_owned);
        let silent = one("prompt")? == Some("none");
        let login_hint = one("login_hint")?.map(str::to_owned);
        Ok((challenge, nonce, scope, silent, login_hint))
    };
    match checked() {
        Ok((challenge, nonce, scope, silent, login_hint)) => Ok(Authorization {
            back,
            client,
            redirect_uri,
            challenge,
            nonce,
            scope,
            silent,
            login_hint,
        }),
        Err((error, description)) => Err(Wrong::There(Box::new(back), error, description)),
    }
}

/// The people as buttons, or, when the application wants no page, an answer at once.
fn page(
    provider: &Shared,
    request: Authorization,
    params: &Params,
    headers: &HeaderMap,
) -> Response {
    let known = cookies::all(headers, COOKIE)
        .find_map(|sid| Some((provider.sessions.look(sid)?, sid.to_owned())));
    if request.silent {
        return silently(provider, request, known);
    }
    let current = known.as_ref().map(|(session, _)| session.subject.as_str());
    let hinted = |person: &crate::demo::Person| {
        request.login_hint.as_deref().is_some_and(|hint| {
            ["email", "preferred_username"]
                .iter()
                .any(|claim| person.text(claim).eq_ignore_ascii_case(hint))
        })
    };
    let mut people: Vec<_> = provider.people.iter().collect();
    people.sort_by_key(|person| !hinted(person));
    let people: Vec<_> = people
        .into_iter()
        .map(|person| card(person, current == Some(person.subject.as_str())))
        .collect();
    let values = context! {
        client => request.client.id.as_str(),
        scope => request.scope.join(" "),
        fields => fields(&params.without(&DECISION)),
        people,
    };
    let target = Some(&request.back.url);
    provider
        .pages
        .show("choose.html", StatusCode::OK, target, values)
}

/// `prompt=none`: who is known already, or nobody (OpenID Connect Core 1.0 §3.1.2.6).
fn silently(
    provider: &Shared,
    request: Authorization,
    known: Option<(Session, String)>,
) -> Response {
    match known {
        Some((session, sid)) => grant(provider, request, session, sid),
        None => {
            let wrong = Wrong::There(
                Box::new(request.back),
                "login_required",
                "nobody is signed in here",
            );
            refuse(provider, wrong)
        }
    }
}

fn grant(provider: &Shared, request: Authorization, session: Session, sid: String) -> Response {
    let code = provider.codes.put(Grant {
        client_id: request.client.id,
        redirect_uri: request.redirect_uri,
        challenge: request.challenge,
        nonce: request.nonce,
        scope: request.scope,
        session,
        sid,
    });
    send_back(provider, request.back, &[("code", &code)])
}

fn refuse(provider: &Shared, wrong: Wrong) -> Response {
    match wrong {
        Wrong::Here(message) => provider.message(
            StatusCode::BAD_REQUEST,
            "This sign-in cannot begin",
            message,
        ),
        Wrong::There(back, error, description) => send_back(
            provider,
            *back,
            &[("error", error), ("error_description", description)],
        ),
    }
}

/// Answers the application, with `state` and `iss` (RFC 9207 §2) in every case.
fn send_back(provider: &Shared, mut back: Back, answer: &[(&str, &str)]) -> Response {
    let state = back.state.as_deref().map(|state| ("state", state));
    let issuer = ("iss", provider.issuer.as_str());
    let answer = answer.iter().copied().chain(state).chain([issuer]);
    if back.by_form {
        let owned: Vec<_> = answer.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let values = context! { action => back.url.as_str(), fields => fields(&owned) };
        let pages = &provider.pages;
        return pages.show("form-post.html", StatusCode::OK, Some(&back.url), values);
    }
    back.url.query_pairs_mut().extend_pairs(answer);
    see_other(&back.url)
}

/// Makes the browser forget who sits at it.
pub(super) fn forget(response: &mut Response) {
    if let Some(cookie) = cookies::expired(COOKIE, COOKIE_PATH, false) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
}
