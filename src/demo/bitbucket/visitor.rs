//! Who a request is from, in the stand-in's eyes, and what every answer says about it.

use super::refusal::Refusal;
use super::register::{Permission, Person, Register, TokenKind};
use super::{
    EMAIL_HEADER, GROUPS_HEADER, NAME_HEADER, Recognition, SESSION_COOKIE, Session, Shared,
    USER_HEADER, User, pages, rest,
};
use crate::demo::loopback::Peer;
use crate::random;
use crate::web::cookies;
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use minijinja::context;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How somebody is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KnownBy {
    Header,
    Password,
    /// An HTTP access token, in either scheme.
    Token,
    OAuth,
    LoginForm,
}

impl KnownBy {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Header => "the header X-Forwarded-User",
            Self::Password => "the password in Authorization",
            Self::Token => "the HTTP access token in Authorization",
            Self::OAuth => "the OAuth token in Authorization",
            Self::LoginForm => "Bitbucket's own login page",
        }
    }
}

/// Somebody, or nobody.
#[derive(Debug, Clone)]
pub(super) enum Visitor {
    Nobody,
    Known(User, KnownBy),
    /// Known and proven, but without `LICENSED_USER`, so not logged in.
    Unlicensed,
}

impl Visitor {
    pub(super) fn user(&self) -> Option<&User> {
        match self {
            Self::Nobody | Self::Unlicensed => None,
            Self::Known(user, _) => Some(user),
        }
    }
}

/// Credentials that are there and wrong.
struct Wrong;

/// Runs around every handler: recognizes, records, and puts Bitbucket's fields on the answer.
pub(super) async fn recognize(
    State(app): State<Arc<Shared>>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    let Some(Peer(peer)) = peer.filter(|peer| peer.0.ip().is_loopback()) else {
        return (StatusCode::FORBIDDEN, "Only from this machine.\n").into_response();
    };
    let path = request.uri().path();
    let path_is_rest = path.starts_with("/rest/");
    let judged = judge(&app, path, request.headers());
    let visitor = judged.as_ref().unwrap_or(&Visitor::Nobody).clone();
    let user = visitor.user().cloned();
    app.record(
        &request,
        peer,
        user.as_ref().map(|user| user.username.clone()),
    );
    let session = session(&app, request.headers(), &visitor);
    let base = pages::base(request.headers());
    let challenged = judged.is_err() || path_is_rest;
    request.extensions_mut().insert(visitor);

    let mut response = match judged {
        Ok(_) => next.run(request).await,
        Err(Wrong) => rest::wrong_credentials(),
    };
    let number = app.requests.fetch_add(1, Ordering::Relaxed);
    let mut fields = vec![
        (
            "x-arequestid",
            format!("@{}x{number}x0", short(&random::token())),
        ),
        ("vary", "X-AUSERNAME,Accept-Encoding".to_owned()),
    ];
    if let Some(user) = &user {
        fields.push(("x-ausername", user.username.clone()));
        fields.push(("x-auserid", user.id.to_string()));
    }
    if let Some((id, fresh)) = &session {
        fields.push(("x-asessionid", short(id)));
        // A handler that has something to say about cookies has the last word.
        if *fresh && !response.headers().contains_key(header::SET_COOKIE) {
            fields.push((
                "set-cookie",
                format!("{SESSION_COOKIE}={id}; Path=/; HttpOnly"),
            ));
        }
    }
    if challenged && response.status() == StatusCode::UNAUTHORIZED {
        let realm = utf8_percent_encode(&base, NON_ALPHANUMERIC);
        fields.push(("www-authenticate", format!("OAuth realm=\"{realm}\"")));
    }
    let headers = response.headers_mut();
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-cache, no-transform"));
    for (name, value) in fields {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    response
}

fn short(token: &str) -> String {
    token.chars().take(8).collect()
}

/// `Authorization` decides alone where it is, as a careful header plugin has it; then the header;
/// then the stand-in's own session, if its login page made it. A session that the header made is
/// nothing without the header.
fn judge(app: &Shared, path: &str, headers: &HeaderMap) -> Result<Visitor, Wrong> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        return credentials(app, path, value.to_str().unwrap_or_default());
    }
    if let Some(username) = text(headers, USER_HEADER).filter(|name| !name.is_empty()) {
        return Ok(believe(app, username, headers));
    }
    let session = cookies::all(headers, SESSION_COOKIE)
        .find_map(|id| app.sessions.look(id))
        .filter(|session| session.by_form);
    let Some(session) = session else {
        return Ok(Visitor::Nobody);
    };
    let mut register = app.register();
    let id = register.find(&session.username).map(|person| person.id);
    Ok(id.map_or(Visitor::Nobody, |id| {
        enter(app, &mut register, id, KnownBy::LoginForm)
    }))
}

/// What the header makes of a request.
fn believe(app: &Shared, username: String, headers: &HeaderMap) -> Visitor {
    let mut register = app.register();
    let id = register.find(&username).map(|person| person.id);
    let known = id.map(|id| enter(app, &mut register, id, KnownBy::Header));
    drop(register);
    if app.recognition == Recognition::Known {
        return known.unwrap_or(Visitor::Nobody);
    }
    let known = known.as_ref().and_then(Visitor::user);
    let groups = text(headers, GROUPS_HEADER).unwrap_or_default();
    let seen = User {
        id: 0,
        username: known.map_or(username, |known| known.username.clone()),
        name: text(headers, NAME_HEADER).unwrap_or_default(),
        email: text(headers, EMAIL_HEADER).unwrap_or_default(),
        groups: groups
            .split(',')
            .map(|group| group.trim().to_owned())
            .filter(|group| !group.is_empty())
            .collect(),
        // Somebody of whom nothing else is known may look around.
        level: known.map_or(Some(Permission::LicensedUser), |known| known.level),
    };
    let user = match known {
        Some(known) => User {
            id: known.id,
            ..seen
        },
        None => app.meet(seen),
    };
    Visitor::Known(user, KnownBy::Header)
}

/// Somebody who has proven who they are.
fn enter(app: &Shared, register: &mut Register, id: u64, by: KnownBy) -> Visitor {
    let level = register.level(id);
    let Some(person) = register.by_id(id) else {
        return Visitor::Nobody;
    };
    if level.is_none() {
        return Visitor::Unlicensed;
    }
    let user = User {
        id,
        username: person.username.clone(),
        name: person.name.clone(),
        email: person.email.clone(),
        groups: register
            .groups_of(id)
            .map(|group| group.name.clone())
            .collect(),
        level,
    };
    register.authenticated(id, app.clock.now());
    Visitor::Known(user, by)
}

fn credentials(app: &Shared, path: &str, value: &str) -> Result<Visitor, Wrong> {
    let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
    // Tokens count for REST and git alone (Bitbucket 8.9.22, 8.19.12, 9.3.2 and later).
    let takes_tokens = path.starts_with("/rest/") || path.starts_with("/scm/");
    let mut register = app.register();
    let token = |register: &Register, value: &str| {
        let (owner, kind) = register.bearer(value)?;
        let by = match kind {
            TokenKind::AccessToken => KnownBy::Token,
            TokenKind::OAuth => KnownBy::OAuth,
        };
        Some((owner, by))
    };
    if scheme.eq_ignore_ascii_case("bearer") {
        if !takes_tokens {
            return Ok(Visitor::Nobody);
        }
        let (owner, by) = token(&register, rest).ok_or(Wrong)?;
        return Ok(enter(app, &mut register, owner, by));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Ok(Visitor::Nobody);
    }
    let decoded = STANDARD.decode(rest.trim()).map_err(|_| Wrong)?;
    let decoded = String::from_utf8(decoded).map_err(|_| Wrong)?;
    let (name, password) = decoded.split_once(':').ok_or(Wrong)?;
    if let Some(id) = register.with_password(name, password).map(|known| known.id) {
        return Ok(enter(app, &mut register, id, KnownBy::Password));
    }
    // A token in the place of its owner's password is still a token.
    let named = register.find(name).map(|person: &Person| person.id);
    match token(&register, password).filter(|(owner, _)| takes_tokens && Some(*owner) == named) {
        Some((owner, by)) => Ok(enter(app, &mut register, owner, by)),
        None => Err(Wrong),
    }
}

/// The session of this request and whether it has just begun. Bitbucket keeps none for requests with
/// `Authorization`.
fn session(app: &Shared, headers: &HeaderMap, visitor: &Visitor) -> Option<(String, bool)> {
    let Visitor::Known(user, KnownBy::Header | KnownBy::LoginForm) = visitor else {
        return None;
    };
    let mine = cookies::all(headers, SESSION_COOKIE).find(|id| {
        let session = app.sessions.look(id);
        session.is_some_and(|session| session.username == user.username)
    });
    if let Some(id) = mine {
        return Some((id.to_owned(), false));
    }
    let session = Session {
        username: user.username.clone(),
        by_form: false,
    };
    Some((app.sessions.put(session), true))
}

/// A field as text, whatever its bytes are.
pub(super) fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).trim().to_owned())
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or(Self::Nobody))
    }
}

/// Somebody who is known; anybody else gets what Bitbucket answers them: REST calls 401, pages its
/// login page.
#[derive(Debug)]
pub(super) struct Member(pub(super) User, pub(super) KnownBy);

impl FromRequestParts<Arc<Shared>> for Member {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, app: &Arc<Shared>) -> Result<Self, Response> {
        let visitor = parts.extensions.get().unwrap_or(&Visitor::Nobody);
        let uri = &parts.uri;
        let is_rest = uri.path().starts_with("/rest/");
        match visitor {
            Visitor::Known(user, by) => return Ok(Self(user.clone(), *by)),
            Visitor::Unlicensed if is_rest => return Err(Refusal::NotLicensed.into_response()),
            // The status of this page is not published; the message is Bitbucket's in spirit.
            Visitor::Unlicensed => {
                let values = context! {
                    title => "You have no access to Bitbucket",
                    message => "Your account has no license. Ask an administrator of Bitbucket to put you into a group that has one.",
                    ..pages::frame(visitor, &parts.headers)
                };
                let status = StatusCode::UNAUTHORIZED;
                return Err(app.pages.show("sorry.html", status, None, values));
            }
            Visitor::Nobody if is_rest => return Err(Refusal::NotPermitted.into_response()),
            Visitor::Nobody => {}
        }
        let mut next = url::form_urlencoded::Serializer::new(String::new());
        next.append_pair(
            "next",
            uri.path_and_query().map_or("/", |target| target.as_str()),
        );
        Err(Redirect::to(&format!("/login?{}", next.finish())).into_response())
    }
}
