//! People: search, creation, change, removal.

use super::caller::{Admin, Authenticated, Caller, Licensed};
use super::shapes;
use crate::demo::bitbucket::Shared;
use crate::demo::bitbucket::input::{Entity, Params, email, required};
use crate::demo::bitbucket::paging::Window;
use crate::demo::bitbucket::refusal::Refusal;
use crate::demo::bitbucket::register::{Account, Directory, Permission, Person, Register, same};
use crate::demo::bitbucket::rest;
use crate::secret::Secret;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post, put};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn api(base: &str) -> Router<Arc<Shared>> {
    let at = |path| format!("{base}{path}");
    Router::new()
        .route(
            &at("/admin/users"),
            get(list).post(create).put(update).delete(delete),
        )
        .route(&at("/admin/users/rename"), post(rename))
        .route(&at("/admin/users/credentials"), put(set_password))
        .route(&at("/admin/user-directories"), get(directories))
        .route(&at("/users"), get(search))
        .route(&at("/users/{slug}"), get(one))
}

async fn list(
    State(app): State<Arc<Shared>>,
    Licensed(caller): Licensed,
    params: Params,
) -> Result<Json<Value>, Refusal> {
    let window = Window::asked(&params, app.page_cap())?;
    let register = app.register();
    let all = register.people().into_iter().map(|person| {
        let found = person.matches(params.filter());
        found.then(|| shapes::detailed(&register, person, &caller.base))
    });
    Ok(window.page(all))
}

async fn create(
    State(app): State<Arc<Shared>>,
    Admin(caller): Admin,
    params: Params,
) -> Result<StatusCode, Refusal> {
    let username = params.required("name")?;
    let name = params.required("displayName")?;
    let address = email("emailAddress", params.required("emailAddress")?)?;
    let yes = |name, default: bool| match params.first(name) {
        Some(value) => !value.eq_ignore_ascii_case("false"),
        None => default,
    };
    // There is no mail server here, and without one Bitbucket can't notify. The status of that is
    // not published.
    if yes("notify", false) {
        return Err(Refusal::invalid("notify", "No mail server is configured"));
    }
    let account = Account {
        name: name.to_owned(),
        email: address.to_owned(),
        password: Some(Secret::new(params.required("password")?.to_owned())),
        ..Account::new(username)
    };
    let add = yes("addToDefaultGroup", true);
    app.register()
        .attempt(caller.id, |register| register.create(account, add))?;
    Ok(StatusCode::NO_CONTENT)
}

/// The address is `email` here and `emailAddress` everywhere else.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Update {
    name: Option<String>,
    display_name: Option<String>,
    email: Option<String>,
}

/// Whether a body with only some of the fields is taken is not published, so it is refused: a
/// client that sends all of them is right either way.
async fn update(
    State(app): State<Arc<Shared>>,
    Admin(caller): Admin,
    Entity(said): Entity<Update>,
) -> Result<Json<Value>, Refusal> {
    let username = required("name", said.name.as_deref())?;
    let name = required("displayName", said.display_name.as_deref())?;
    let address = email("email", required("email", said.email.as_deref())?)?;
    let mut register = app.register();
    caller.outranks_person(&register, username, StatusCode::UNAUTHORIZED)?;
    register.attempt(caller.id, |register| {
        register.describe(username, name, address)
    })?;
    show(&register, username, &caller)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rename {
    name: Option<String>,
    new_name: Option<String>,
}

/// A new name that somebody has is 409, as it is on creation; what it is here is not published.
async fn rename(
    State(app): State<Arc<Shared>>,
    Admin(caller): Admin,
    Entity(said): Entity<Rename>,
) -> Result<Json<Value>, Refusal> {
    let username = required("name", said.name.as_deref())?;
    let new = required("newName", said.new_name.as_deref())?;
    let mut register = app.register();
    caller.outranks_person(&register, username, StatusCode::UNAUTHORIZED)?;
    register.attempt(caller.id, |register| register.rename(username, new))?;
    show(&register, new, &caller)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Credentials {
    name: Option<String>,
    password: Option<String>,
    password_confirm: Option<String>,
}

async fn set_password(
    State(app): State<Arc<Shared>>,
    Admin(caller): Admin,
    Entity(said): Entity<Credentials>,
) -> Result<StatusCode, Refusal> {
    let username = required("name", said.name.as_deref())?;
    let password = required("password", said.password.as_deref())?;
    if said.password_confirm.as_deref() != Some(password) {
        let message = "The two passwords are not the same";
        return Err(Refusal::invalid("passwordConfirm", message));
    }
    let mut register = app.register();
    caller.outranks_person(&register, username, StatusCode::UNAUTHORIZED)?;
    register.attempt(caller.id, |register| {
        register.set_password(username, Secret::new(password.to_owned()))
    })?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete(
    State(app): State<Arc<Shared>>,
    Admin(caller): Admin,
    params: Params,
) -> Result<Json<Value>, Refusal> {
    let username = params.required("name")?;
    let mut register = app.register();
    caller.outranks_person(&register, username, StatusCode::FORBIDDEN)?;
    let gone = show(&register, username, &caller)?;
    // Being gone is having no permission left: nobody deletes themselves.
    register.attempt(caller.id, |register| register.delete(username))?;
    Ok(gone)
}

fn show(register: &Register, username: &str, caller: &Caller) -> Result<Json<Value>, Refusal> {
    let person = register.person(username)?;
    Ok(Json(shapes::detailed(register, person, &caller.base)))
}

/// Bitbucket's own directory, and those of others where somebody lives there.
async fn directories(State(app): State<Arc<Shared>>, _: Admin) -> Json<Value> {
    let register = app.register();
    let people = register.people();
    let lived_in = |place: &Directory| {
        *place == Directory::Internal || people.iter().any(|person| person.directory == *place)
    };
    let list: Vec<Value> = Directory::ALL
        .into_iter()
        .filter(lived_in)
        .map(|place| {
            json!({
                "name": place.name(), "type": place.kind(), "active": true,
                "description": "A directory of the stand-in",
            })
        })
        .collect();
    Json(list.into())
}

async fn search(
    State(app): State<Arc<Shared>>,
    Authenticated(caller): Authenticated,
    params: Params,
) -> Result<Json<Value>, Refusal> {
    let window = Window::asked(&params, app.page_cap())?;
    let needed = permissions(&params)?;
    let register = app.register();
    let group = params.first("group").filter(|name| !name.is_empty());
    let fits = |person: &Person| {
        let member = group.is_none_or(|name| {
            register
                .groups_of(person.id)
                .any(|group| same(&group.name, name))
        });
        member && person.matches(params.filter()) && register.level(person.id) >= needed
    };
    let all = register
        .people()
        .into_iter()
        .map(|person| fits(person).then(|| shapes::user(person, &caller.base)));
    Ok(window.page(all))
}

/// The highest of the global permissions that `permission`, `permission.1` and so on ask for.
/// Permissions of projects and repositories are not looked at here, and asking for one without
/// naming its project is a mistake.
fn permissions(params: &Params) -> Result<Option<Permission>, Refusal> {
    let mut highest = None;
    for (name, value) in params.iter() {
        let numbered = name
            .strip_prefix("permission.")
            .is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()));
        if name != "permission" && !numbered {
            continue;
        }
        let Some(permission) = Permission::parse(value) else {
            let message = format!("\"{value}\" is not a global permission");
            return Err(Refusal::invalid("permission", message));
        };
        highest = highest.max(Some(permission));
    }
    Ok(highest)
}

async fn one(
    State(app): State<Arc<Shared>>,
    Authenticated(caller): Authenticated,
    Path(slug): Path<String>,
) -> Response {
    let known = app
        .register()
        .by_slug(&slug)
        .map(|person| shapes::user(person, &caller.base));
    match known.or_else(|| app.guest(&slug).map(|guest| rest::describe(&guest))) {
        Some(user) => Json(user).into_response(),
        None => Refusal::NoSuchUser(slug).into_response(),
    }
}
