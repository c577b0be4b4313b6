//! Its pages.

use super::people::everybody;
use super::register::Permission;
use super::visitor::{Member, Visitor, text};
use super::{SESSION_COOKIE, Session, Shared, USER_HEADER, controls};
use crate::demo::loopback::Peer;
use crate::demo::page::initial;
use crate::web::{ReturnPath, cookies};
use axum::Form;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};
use minijinja::{Value, context};
use serde::Deserialize;
use std::sync::Arc;

/// Requests of the list on the dashboard.
const RECENT: usize = 12;
/// People and groups of the lists there.
const SHOWN: usize = 100;
/// Fields that only the gateway may write.
const IDENTITY: [&str; 4] = [
    USER_HEADER,
    super::EMAIL_HEADER,
    super::NAME_HEADER,
    super::GROUPS_HEADER,
];

/// The address that the browser used, as far as the request tells.
pub(super) fn base(headers: &HeaderMap) -> String {
    let scheme = text(headers, "x-forwarded-proto").filter(|scheme| scheme == "https");
    let host = text(headers, "host").unwrap_or_default();
    format!("{}://{host}", scheme.as_deref().unwrap_or("http"))
}

/// What every page shows.
pub(super) fn frame(visitor: &Visitor, headers: &HeaderMap) -> Value {
    let username = visitor.user().map(|user| user.username.as_str());
    context! {
        username => username.unwrap_or_default(),
        initial => initial(username.unwrap_or_default()),
        through_gateway => headers.contains_key("x-forwarded-for"),
        user_header => USER_HEADER,
    }
}

/// What reached it, as a table.
fn received(parts: &Parts) -> Value {
    let identity = |name: &str| IDENTITY.iter().any(|own| own.eq_ignore_ascii_case(name));
    let mut headers: Vec<_> = parts.headers.iter().collect();
    headers.sort_by_key(|(name, _)| !identity(name.as_str()));
    let headers: Vec<Value> = headers
        .into_iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            let identity = identity(name.as_str());
            context! { name => name.as_str(), value => value.as_ref(), identity }
        })
        .collect();
    let peer = parts.extensions.get().map(|Peer(peer)| peer.to_string());
    context! {
        method => parts.method.as_str(),
        uri => parts.uri.to_string(),
        peer => peer.unwrap_or_default(),
        headers,
    }
}

/// How to reach the repository.
fn git(app: &Shared, headers: &HeaderMap) -> Value {
    let base = base(headers);
    let (scheme, rest) = base.split_once("://").unwrap_or(("http", ""));
    let (user, password) = (app.username.as_str(), app.password.expose().as_str());
    context! {
        git => app.repository.is_some(),
        clone_url => format!("{scheme}://{user}:{password}@{rest}/scm/demo/hello.git"),
        git_user => user,
        git_password => password,
    }
}

/// Whom Bitbucket knows: this is no list for everybody in a real one.
fn people(app: &Shared) -> Value {
    let register = app.register();
    let groups: Vec<Value> = register
        .groups()
        .into_iter()
        .take(SHOWN)
        .map(|group| {
            context! {
                name => group.name.as_str(),
                permission => group.granted.map(Permission::as_str),
                members => group.members.len(),
            }
        })
        .collect();
    let everybody = everybody(&register);
    let users: Vec<Value> = everybody
        .iter()
        .take(SHOWN)
        .map(|user| {
            context! {
                username => user.username.as_str(),
                name => user.name.as_str(),
                email => user.email.as_str(),
                directory => user.directory.name(),
                active => user.active,
                groups => user.groups.clone(),
                permission => user.permission.map(Permission::as_str),
            }
        })
        .collect();
    context! { users, groups, more => everybody.len().saturating_sub(SHOWN) }
}

pub(super) async fn dashboard(
    State(app): State<Arc<Shared>>,
    Member(user, by): Member,
    parts: Parts,
) -> Response {
    let recent: Vec<Value> = app
        .received()
        .iter()
        .rev()
        .take(RECENT)
        .map(|request| {
            context! {
                line => format!("{} {}", request.method, request.uri),
                user => request.username.as_deref().unwrap_or_default(),
            }
        })
        .collect();
    let name = if user.name.is_empty() {
        &user.username
    } else {
        &user.name
    };
    let values = context! {
        name => name.as_str(),
        email => user.email.as_str(),
        groups => user.groups.clone(),
        known_by => by.as_str(),
        recent,
        people => people(&app),
        ..context! {
            ..git(&app, &parts.headers),
            ..controls::shown(&app),
            ..received(&parts),
            ..frame(&Visitor::Known(user.clone(), by), &parts.headers)
        }
    };
    app.pages
        .show("dashboard.html", StatusCode::OK, None, values)
}

pub(super) async fn repository(
    State(app): State<Arc<Shared>>,
    Member(user, by): Member,
    parts: Parts,
) -> Response {
    let commits = match &app.repository {
        Some(repository) => repository.commits().await,
        None => Ok(Vec::new()),
    };
    let commits: Vec<Value> = commits
        .unwrap_or_else(|error| {
            tracing::warn!(%error, "the demo cannot list its commits");
            Vec::new()
        })
        .into_iter()
        .map(|commit| {
            context! { id => commit.id, author => commit.author, subject => commit.subject }
        })
        .collect();
    let values = context! {
        commits,
        query => parts.uri.query().unwrap_or_default(),
        ..context! {
            ..git(&app, &parts.headers),
            ..frame(&Visitor::Known(user, by), &parts.headers)
        }
    };
    app.pages
        .show("repository.html", StatusCode::OK, None, values)
}

pub(super) async fn configuration(
    State(app): State<Arc<Shared>>,
    Member(user, by): Member,
    headers: HeaderMap,
) -> Response {
    let text = app
        .controls
        .as_ref()
        .map(|controls| controls.configuration.as_str());
    let values = context! {
        configuration => text.unwrap_or_default(),
        ..frame(&Visitor::Known(user, by), &headers)
    };
    app.pages
        .show("configuration.html", StatusCode::OK, None, values)
}

pub(super) async fn not_found(
    State(app): State<Arc<Shared>>,
    visitor: Visitor,
    headers: HeaderMap,
) -> Response {
    let values = context! {
        title => "Page not found",
        message => "Bitbucket has nothing at this address.",
        ..frame(&visitor, &headers)
    };
    app.pages
        .show("sorry.html", StatusCode::NOT_FOUND, None, values)
}

/// `?next=` of the login page.
#[derive(Debug, Deserialize)]
pub(super) struct Next {
    #[serde(default)]
    next: String,
}

pub(super) async fn login(
    State(app): State<Arc<Shared>>,
    visitor: Visitor,
    Query(Next { next }): Query<Next>,
    parts: Parts,
) -> Response {
    login_page(&app, &visitor, &next, &parts, false)
}

fn login_page(
    app: &Shared,
    visitor: &Visitor,
    next: &str,
    parts: &Parts,
    failed: bool,
) -> Response {
    let values = context! {
        next,
        failed,
        ..context! {
            ..controls::shown(app),
            ..received(parts),
            ..frame(visitor, &parts.headers)
        }
    };
    let status = if failed {
        StatusCode::UNAUTHORIZED
    } else {
        StatusCode::OK
    };
    app.pages.show("login.html", status, None, values)
}

/// The login form.
#[derive(Debug, Deserialize)]
pub(super) struct Credentials {
    j_username: String,
    j_password: String,
    #[serde(default)]
    next: String,
}

pub(super) async fn check_password(
    State(app): State<Arc<Shared>>,
    visitor: Visitor,
    parts: Parts,
    Form(form): Form<Credentials>,
) -> Response {
    let register = app.register();
    let known = register
        .with_password(&form.j_username, &form.j_password)
        .filter(|person| register.level(person.id).is_some())
        .map(|person| person.username.clone());
    drop(register);
    let Some(username) = known else {
        return login_page(&app, &visitor, &form.next, &parts, true);
    };
    let id = app.sessions.put(Session {
        username,
        by_form: true,
    });
    let cookie = format!("{SESSION_COOKIE}={id}; Path=/; HttpOnly");
    let next = ReturnPath::parse(&form.next);
    ([(header::SET_COOKIE, cookie)], Redirect::to(next.as_str())).into_response()
}

pub(super) async fn log_out(State(app): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    for id in cookies::all(&headers, SESSION_COOKIE) {
        app.sessions.take(id);
    }
    let mut response = Redirect::to("/login").into_response();
    if let Some(cookie) = cookies::expired(SESSION_COOKIE, "/", false) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}
