//! A small Bitbucket: people, groups, memberships and global permissions behind the addresses that
//! the client uses, a log of what was asked, and answers that a test puts in the way.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// An answer in the way of the usual one.
#[derive(Debug, Clone)]
pub(super) enum Canned {
    /// A status, header fields, and a body.
    Text(u16, Vec<(&'static str, String)>, String),
    /// Nothing comes.
    Silence,
    /// A body without end.
    Endless,
    /// The connection is cut in the middle of a body.
    Cut,
    /// The usual answer, after [`Fake::go_on`].
    Held,
}

impl Canned {
    pub(super) fn json(status: u16, body: Value) -> Self {
        let kind = ("content-type", "application/json".to_owned());
        Self::Text(status, vec![kind], body.to_string())
    }

    /// As Bitbucket reports errors.
    pub(super) fn error(status: u16, exception: &str, message: &str) -> Self {
        let exception = format!("com.atlassian.bitbucket.{exception}");
        let error = json!({ "context": null, "message": message, "exceptionName": exception });
        Self::json(status, json!({ "errors": [error] }))
    }

    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Self::Text(_, fields, _) = &mut self {
            fields.push((name, value.to_owned()));
        }
        self
    }
}

/// What was asked.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) method: Method,
    /// Below `/rest/api/latest`.
    pub(super) path: String,
    pub(super) query: BTreeMap<String, String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

#[derive(Debug, Default)]
pub(super) struct Town {
    pub(super) users: Vec<Value>,
    pub(super) groups: Vec<String>,
    /// Username and group.
    pub(super) members: BTreeSet<(String, String)>,
    /// Global permissions by group and by username.
    pub(super) group_permissions: BTreeMap<String, String>,
    pub(super) user_permissions: BTreeMap<String, String>,
    /// The size of pages; 0: what the client asks for.
    pub(super) page: usize,
    pub(super) log: Vec<Seen>,
    /// By `METHOD /path`; each is used once.
    pub(super) canned: BTreeMap<String, VecDeque<Canned>>,
    pub(super) context_path: &'static str,
}

#[derive(Debug)]
pub(super) struct Fake {
    pub(super) address: SocketAddr,
    town: Arc<Mutex<Town>>,
    go_on: Arc<Notify>,
    arrived: Arc<Notify>,
    server: JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[derive(Clone)]
struct Hall {
    town: Arc<Mutex<Town>>,
    go_on: Arc<Notify>,
    arrived: Arc<Notify>,
}

impl Fake {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let hall = Hall {
            town: Arc::default(),
            go_on: Arc::default(),
            arrived: Arc::default(),
        };
        let router = Router::new().fallback(answer).with_state(hall.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            town: hall.town,
            go_on: hall.go_on,
            arrived: hall.arrived,
            server,
        }
    }

    pub(super) fn town(&self) -> MutexGuard<'_, Town> {
        self.town.lock().unwrap()
    }

    pub(super) fn user(&self, username: &str) {
        self.town().users.push(user(username));
    }

    /// Puts answers in the way of `METHOD /path`, one after the other.
    pub(super) fn can(&self, what: &str, answers: impl IntoIterator<Item = Canned>) {
        let mut town = self.town();
        let queue = town.canned.entry(what.to_owned()).or_default();
        queue.extend(answers);
    }

    /// `METHOD /path` of everything that was asked.
    pub(super) fn asked(&self) -> Vec<String> {
        let town = self.town();
        let line = |seen: &Seen| format!("{} {}", seen.method, seen.path);
        town.log.iter().map(line).collect()
    }

    pub(super) fn writes(&self) -> Vec<String> {
        let mut asked = self.asked();
        asked.retain(|line| !line.starts_with("GET"));
        asked
    }

    /// The last of `METHOD /path`.
    #[track_caller]
    pub(super) fn last(&self, what: &str) -> Seen {
        let town = self.town();
        let fits = |seen: &&Seen| format!("{} {}", seen.method, seen.path) == what;
        town.log.iter().rfind(fits).unwrap().clone()
    }

    pub(super) fn go_on(&self) {
        self.go_on.notify_one();
    }

    /// Waits until a held call has arrived.
    pub(super) async fn arrived(&self) {
        self.arrived.notified().await;
    }
}

/// A person as Bitbucket's administration shows one.
pub(super) fn user(username: &str) -> Value {
    json!({
        "name": username, "slug": username, "displayName": format!("The {username}"),
        "emailAddress": format!("{}@example.com", username.to_lowercase()), "active": true,
        "type": "NORMAL", "directoryName": "Bitbucket Internal Directory", "deletable": true,
        "mutableDetails": true, "mutableGroups": true,
    })
}

async fn answer(State(hall): State<Hall>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let query = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
        .into_owned()
        .collect();
    let (seen, canned) = {
        let mut town = hall.town.lock().unwrap();
        let base = format!("{}/rest/api/latest", town.context_path);
        let Some(path) = parts.uri.path().strip_prefix(&base) else {
            return (StatusCode::NOT_FOUND, "<html>nothing here</html>").into_response();
        };
        let seen = Seen {
            method: parts.method,
            path: path.to_owned(),
            query,
            headers: parts.headers,
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        };
        let what = format!("{} {}", seen.method, seen.path);
        town.log.push(seen.clone());
        let canned = town.canned.get_mut(&what).and_then(VecDeque::pop_front);
        (seen, canned)
    };
    match canned {
        None => {}
        Some(Canned::Held) => {
            hall.arrived.notify_one();
            hall.go_on.notified().await;
        }
        Some(Canned::Text(status, fields, text)) => {
            let mut response = (StatusCode::from_u16(status).unwrap(), text).into_response();
            response.headers_mut().remove("content-type");
            for (name, value) in fields {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            return response;
        }
        Some(Canned::Silence) => {
            hall.arrived.notify_one();
            return std::future::pending().await;
        }
        Some(Canned::Endless) => {
            let piece = || Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 64 * 1024]));
            return Body::from_stream(stream::repeat_with(piece)).into_response();
        }
        Some(Canned::Cut) => {
            let pieces = [
                Ok(Bytes::from_static(b"{\"values\":[")),
                Err(std::io::Error::other("cut")),
            ];
            return Body::from_stream(stream::iter(pieces)).into_response();
        }
    }
    let mut town = hall.town.lock().unwrap();
    let mut response = usual(&mut town, &seen);
    let own = http::HeaderValue::from_static("svc");
    response.headers_mut().insert("x-ausername", own);
    response
}

fn refusal(status: u16, exception: &str, message: &str) -> Response {
    let error = json!({
        "context": null, "message": message,
        "exceptionName": format!("com.atlassian.bitbucket.{exception}"),
    });
    let status = StatusCode::from_u16(status).unwrap();
    (status, axum::Json(json!({ "errors": [error] }))).into_response()
}

fn usual(town: &mut Town, seen: &Seen) -> Response {
    let asked = |name: &str| seen.query.get(name).cloned().unwrap_or_default();
    let said = |name: &str| seen.body[name].as_str().unwrap_or_default().to_owned();
    let same = |one: &str, other: &str| one.to_lowercase() == other.to_lowercase();
    let has = |text: &Value, part: &str| {
        let text = text.as_str().unwrap_or_default().to_lowercase();
        text.contains(&part.to_lowercase())
    };
    let ok = || StatusCode::OK.into_response();
    match (seen.method.as_str(), seen.path.as_str()) {
        ("GET", "/admin/users") => {
            let part = asked("filter");
            let fields = ["name", "displayName", "emailAddress"];
            let fits = |user: &&Value| fields.iter().any(|field| has(&user[field], &part));
            page(
                town,
                seen,
                town.users.iter().filter(fits).cloned().collect(),
            )
        }
        ("POST", "/admin/users") => {
            let name = asked("name");
            if town
                .users
                .iter()
                .any(|user| same(user["name"].as_str().unwrap(), &name))
            {
                return refusal(409, "IntegrityException", "This username is already in use");
            }
            let mut made = user(&name);
            made["displayName"] = asked("displayName").into();
            made["emailAddress"] = asked("emailAddress").into();
            town.users.push(made);
            StatusCode::NO_CONTENT.into_response()
        }
        ("PUT", "/admin/users/credentials") => StatusCode::NO_CONTENT.into_response(),
        ("PUT", "/admin/users") => {
            let name = said("name");
            for user in &mut town.users {
                if user["name"] == name.as_str() {
                    for (from, to) in [("displayName", "displayName"), ("email", "emailAddress")] {
                        if let Some(value) = seen.body.get(from) {
                            user[to] = value.clone();
                        }
                    }
                    return axum::Json(user.clone()).into_response();
                }
            }
            refusal(404, "user.NoSuchUserException", "No such user")
        }
        ("GET", "/admin/users/more-members") => {
            let context = asked("context");
            let of = town.members.iter().filter(|(user, _)| same(user, &context));
            let groups = of.map(|(_, group)| json!({ "name": group, "deletable": true }));
            page(town, seen, groups.collect())
        }
        ("GET", "/admin/groups") => {
            let part = asked("filter");
            let groups = town
                .groups
                .iter()
                .map(|group| json!({ "name": group, "deletable": true }));
            let groups = groups.filter(|group| has(&group["name"], &part)).collect();
            page(town, seen, groups)
        }
        ("POST", "/admin/groups") => {
            let name = asked("name");
            if town.groups.iter().any(|group| same(group, &name)) {
                return refusal(409, "IntegrityException", "This group exists");
            }
            town.groups.push(name.clone());
            axum::Json(json!({ "name": name, "deletable": true })).into_response()
        }
        ("GET", "/admin/groups/more-members") => {
            let context = asked("context");
            let of = town
                .members
                .iter()
                .filter(|(_, group)| same(group, &context));
            let names: BTreeSet<_> = of.map(|(user, _)| user.clone()).collect();
            let fits = |user: &&Value| names.contains(user["name"].as_str().unwrap());
            page(
                town,
                seen,
                town.users.iter().filter(fits).cloned().collect(),
            )
        }
        ("POST", "/admin/users/add-groups") => {
            let name = said("user");
            if !town.users.iter().any(|user| user["name"] == name.as_str()) {
                return refusal(404, "user.NoSuchUserException", "No such user");
            }
            for group in seen.body["groups"].as_array().unwrap() {
                let group = group.as_str().unwrap();
                if !town.groups.iter().any(|known| known == group) {
                    return refusal(404, "user.NoSuchGroupException", "No such group");
                }
                town.members.insert((name.clone(), group.to_owned()));
            }
            ok()
        }
        ("POST", "/admin/users/remove-group") => {
            if town.members.remove(&(said("context"), said("itemName"))) {
                ok()
            } else {
                refusal(404, "user.NoSuchUserException", "Not a member")
            }
        }
        ("GET", "/admin/permissions/groups") => {
            let entry = |(name, permission): (&String, &String)| json!({ "group": { "name": name }, "permission": permission });
            page(
                town,
                seen,
                town.group_permissions.iter().map(entry).collect(),
            )
        }
        ("GET", "/admin/permissions/users") => {
            let part = asked("filter");
            let entry = |(name, permission): (&String, &String)| json!({ "user": { "name": name }, "permission": permission });
            let all = town.user_permissions.iter().map(entry);
            page(
                town,
                seen,
                all.filter(|e| has(&e["user"]["name"], &part)).collect(),
            )
        }
        _ => (StatusCode::NOT_FOUND, "<html>nothing here</html>").into_response(),
    }
}

/// A page of these; the numbers of further pages skip one, as Bitbucket's may.
fn page(town: &Town, seen: &Seen, all: Vec<Value>) -> Response {
    let number = |name: &str| {
        seen.query
            .get(name)
            .and_then(|text| text.parse::<usize>().ok())
    };
    let start = number("start").unwrap_or(0);
    let limit = match town.page {
        0 => number("limit").unwrap_or(25),
        page => page,
    };
    // Page n begins at n * (limit + 1).
    let from = start / (limit + 1) * limit;
    let values: Vec<_> = all.iter().skip(from).take(limit).cloned().collect();
    let last = from + limit >= all.len();
    let next = if last {
        Value::Null
    } else {
        (start + limit + 1).into()
    };
    axum::Json(json!({
        "size": values.len(), "limit": limit, "start": start, "isLastPage": last,
        "nextPageStart": next, "values": values,
    }))
    .into_response()
}

/// Longer than any test should take.
pub(super) const LONG: Duration = Duration::from_secs(20);
