//! Who a request is from, in the stand-in's eyes, and what every answer says about it.

use super::{
    EMAIL_HEADER, GROUPS_HEADER, NAME_HEADER, SESSION_COOKIE, Session, Shared, USER_HEADER, User,
    rest,
};
use crate::demo::loopback::Peer;
use crate::random;
use crate::web::cookies;
use aws_lc_rs::constant_time;
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How somebody is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KnownBy {
    Header,
    Password,
    Token,
    LoginForm,
}

impl KnownBy {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Header => "the header X-Forwarded-User",
            Self::Password => "the password in Authorization",
            Self::Token => "the token in Authorization",
            Self::LoginForm => "Bitbucket's own login page",
        }
    }
}

/// Somebody, or nobody.
#[derive(Debug, Clone)]
pub(super) enum Visitor {
    Nobody,
    Known(User, KnownBy),
}

impl Visitor {
    pub(super) fn user(&self) -> Option<&User> {
        match self {
            Self::Nobody => None,
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
    let judged = judge(&app, path, request.headers());
    let visitor = judged.as_ref().unwrap_or(&Visitor::Nobody).clone();
    let user = visitor.user().cloned();
    app.record(
        &request,
        peer,
        user.as_ref().map(|user| user.username.clone()),
    );
    let session = session(&app, request.headers(), &visitor);
    let base = super::pages::base(request.headers());
    request.extensions_mut().insert(visitor);

    let mut response = match judged {
        Ok(_) => next.run(request).await,
        Err(Wrong) => rest::wrong_credentials(&base),
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
        let groups = text(headers, GROUPS_HEADER).unwrap_or_default();
        let seen = User {
            id: 0,
            name: text(headers, NAME_HEADER).unwrap_or_else(|| username.clone()),
            email: text(headers, EMAIL_HEADER).unwrap_or_default(),
            groups: groups
                .split(',')
                .map(|group| group.trim().to_owned())
                .filter(|group| !group.is_empty())
                .collect(),
            username,
        };
        return Ok(Visitor::Known(app.meet(seen), KnownBy::Header));
    }
    let session = cookies::all(headers, SESSION_COOKIE)
        .find_map(|id| app.sessions.look(id))
        .filter(|session| session.by_form);
    Ok(session.map_or(Visitor::Nobody, |session| {
        Visitor::Known(app.meet(named(&session.username)), KnownBy::LoginForm)
    }))
}

fn credentials(app: &Shared, path: &str, value: &str) -> Result<Visitor, Wrong> {
    let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
    let known = |by| Ok(Visitor::Known(app.meet(named(&app.username)), by));
    if scheme.eq_ignore_ascii_case("bearer") {
        // Tokens count for REST and git alone (Bitbucket 8.9.22, 8.19.12, 9.3.2 and later).
        if !path.starts_with("/rest/") && !path.starts_with("/scm/") {
            return Ok(Visitor::Nobody);
        }
        return if right(app, rest) {
            known(KnownBy::Token)
        } else {
            Err(Wrong)
        };
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Ok(Visitor::Nobody);
    }
    let decoded = STANDARD.decode(rest.trim()).map_err(|_| Wrong)?;
    let decoded = String::from_utf8(decoded).map_err(|_| Wrong)?;
    let (name, password) = decoded.split_once(':').ok_or(Wrong)?;
    match name.eq_ignore_ascii_case(&app.username) && right(app, password) {
        true => known(KnownBy::Password),
        false => Err(Wrong),
    }
}

/// Whether this is the password.
pub(super) fn right(app: &Shared, password: &str) -> bool {
    let known = app.password.expose().as_bytes();
    constant_time::verify_slices_are_equal(known, password.as_bytes()).is_ok()
}

/// Somebody of whom only the name is known.
fn named(username: &str) -> User {
    User {
        id: 0,
        username: username.to_owned(),
        name: String::new(),
        email: String::new(),
        groups: Vec::new(),
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

impl<S: Sync> FromRequestParts<S> for Member {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        if let Some(Visitor::Known(user, by)) = parts.extensions.get() {
            return Ok(Self(user.clone(), *by));
        }
        let uri = &parts.uri;
        if uri.path().starts_with("/rest/") {
            return Err(rest::not_permitted(&super::pages::base(&parts.headers)));
        }
        let mut next = url::form_urlencoded::Serializer::new(String::new());
        next.append_pair(
            "next",
            uri.path_and_query().map_or("/", |target| target.as_str()),
        );
        Err(Redirect::to(&format!("/login?{}", next.finish())).into_response())
    }
}
