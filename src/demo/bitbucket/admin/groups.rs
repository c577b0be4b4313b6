//! Groups, and who is in which.
//!
//! Two families of calls say the same from two sides: below `users` the context is a person and
//! the item a group, below `groups` it is the other way round.

use super::caller::{Admin, Caller, Licensed};
use super::shapes;
use crate::demo::bitbucket::Shared;
use crate::demo::bitbucket::input::{Entity, Params, required};
use crate::demo::bitbucket::paging::Window;
use crate::demo::bitbucket::refusal::Refusal;
use crate::demo::bitbucket::register::{Group, Person, contains};
use axum::Router;
use axum::extract::State;
use axum::response::Json;
use axum::routing::{get, post};
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

pub(super) fn api(base: &str) -> Router<Arc<Shared>> {
    let at = |path| format!("{base}{path}");
    Router::new()
        .route(&at("/groups"), get(names))
        .route(&at("/admin/groups"), get(list).post(create).delete(delete))
        .route(&at("/admin/users/add-groups"), post(add_groups))
        .route(&at("/admin/users/add-group"), post(add_group))
        .route(&at("/admin/users/remove-group"), post(remove_group))
        .route(&at("/admin/users/more-members"), get(groups_of_user))
        .route(&at("/admin/users/more-non-members"), get(groups_user_lacks))
        .route(&at("/admin/groups/add-users"), post(add_users))
        .route(&at("/admin/groups/add-user"), post(add_user))
        .route(&at("/admin/groups/remove-user"), post(remove_user))
        .route(&at("/admin/groups/more-members"), get(members))
        .route(&at("/admin/groups/more-non-members"), get(non_members))
}

/// A page of names alone.
async fn names(
    State(app): State<Arc<Shared>>,
    _: Licensed,
    params: Params,
) -> Result<Json<Value>, Refusal> {
    let window = Window::asked(&params, app.page_cap())?;
    let register = app.register();
    let all = register.groups().into_iter().map(|group| {
        contains(&group.name, params.filter()).then(|| Value::from(group.name.as_str()))
    });
    Ok(window.page(all))
}

async fn list(
    State(app): State<Arc<Shared>>,
    _: Licensed,
    params: Params,
) -> Result<Json<Value>, Refusal> {
    groups(&app, &params, |_| true)
}

async fn create(
    State(app): State<Arc<Shared>>,
    Admin(caller): Admin,
    params: Params,
) -> Result<Json<Value>, Refusal> {
    let name = params.required("name")?;
    let mut register = app.register();
    register.attempt(caller.id, |register| register.create_group(name))?;
    let group = register.group(name)?;
    Ok(Json(shapes::group(&register, group)))
}

async fn delete(
    State(app): State<Arc<Shared>>,
    Admin(caller): Admin,
    params: Params,
) -> Result<Json<Value>, Refusal> {
    let name = params.required("name")?;
    let mut register = app.register();
    caller.outranks_group(&register, name, StatusCode::FORBIDDEN)?;
    let gone = shapes::group(&register, register.group(name)?);
    register.attempt(caller.id, |register| register.delete_group(name))?;
    Ok(Json(gone))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserAndGroups {
    user: Option<String>,
    groups: Option<Vec<String>>,
}

async fn add_groups(
    State(app): State<Arc<Shared>>,
    Admin(caller): Admin,
    Entity(said): Entity<UserAndGroups>,
) -> Result<StatusCode, Refusal> {
    let user = required("user", said.user.as_deref())?;
    let groups = some("groups", said.groups)?;
    add(&app, &caller, &[user.to_owned()], &groups)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupAndUsers {
    group: Option<String>,
    users: Option<Vec<String>>,
}

async fn add_users(
    State(app): State<Arc<Shared>>,
    Admin(caller): Admin,
    Entity(said): Entity<GroupAndUsers>,
) -> Result<StatusCode, Refusal> {
    let group = required("group", said.group.as_deref())?;
    let users = some("users", said.users)?;
    add(&app, &caller, &users, &[group.to_owned()])
}

fn some(name: &'static str, list: Option<Vec<String>>) -> Result<Vec<String>, Refusal> {
    list.filter(|list| !list.is_empty() && list.iter().all(|item| !item.trim().is_empty()))
        .ok_or_else(|| Refusal::invalid(name, format!("\"{name}\" is required")))
}

/// The two sides of one membership.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Pair {
    context: Option<String>,
    item_name: Option<String>,
}

impl Pair {
    fn read(self) -> Result<(String, String), Refusal> {
        let context = required("context", self.context.as_deref())?;
        let item = required("itemName", self.item_name.as_deref())?;
        Ok((context.to_owned(), item.to_owned()))
    }
}

async fn add_group(
    State(app): State<Arc<Shared>>,
    Admin(caller): Admin,
    Entity(pair): Entity<Pair>,
) -> Result<StatusCode, Refusal> {
    let (user, group) = pair.read()?;
    add(&app, &caller, &[user], &[group])
}

async fn add_user(
    State(app): State<Arc<Shared>>,
    Admin(caller): Admin,
    Entity(pair): Entity<Pair>,
) -> Result<StatusCode, Refusal> {
    let (group, user) = pair.read()?;
    add(&app, &caller, &[user], &[group])
}

async fn remove_group(
    State(app): State<Arc<Shared>>,
    Admin(caller): Admin,
    Entity(pair): Entity<Pair>,
) -> Result<StatusCode, Refusal> {
    let (user, group) = pair.read()?;
    remove(&app, &caller, &user, &group)
}

async fn remove_user(
    State(app): State<Arc<Shared>>,
    Admin(caller): Admin,
    Entity(pair): Entity<Pair>,
) -> Result<StatusCode, Refusal> {
    let (group, user) = pair.read()?;
    remove(&app, &caller, &user, &group)
}

/// All or nothing. Whether Bitbucket keeps a part when one group is missing is not published.
fn add(
    app: &Shared,
    caller: &Caller,
    users: &[String],
    groups: &[String],
) -> Result<StatusCode, Refusal> {
    let mut register = app.register();
    for user in users {
        register.appear(user)?;
    }
    for group in groups {
        caller.outranks_group(&register, group, StatusCode::FORBIDDEN)?;
    }
    register.attempt(caller.id, |register| {
        for user in users {
            for group in groups {
                register.enter(user, group)?;
            }
        }
        Ok(())
    })?;
    Ok(StatusCode::OK)
}

/// Taking oneself out of what makes one an administrator is refused as deletion of that group is.
fn remove(app: &Shared, caller: &Caller, user: &str, group: &str) -> Result<StatusCode, Refusal> {
    let mut register = app.register();
    register.person(user)?;
    caller.outranks_group(&register, group, StatusCode::FORBIDDEN)?;
    register.attempt(caller.id, |register| register.leave(user, group))?;
    Ok(StatusCode::OK)
}

async fn members(
    State(app): State<Arc<Shared>>,
    Licensed(caller): Licensed,
    params: Params,
) -> Result<Json<Value>, Refusal> {
    people(&app, &caller, &params, |person, group| {
        group.is_some_and(|group| group.members.contains(&person.id))
    })
}

async fn non_members(
    State(app): State<Arc<Shared>>,
    Licensed(caller): Licensed,
    params: Params,
) -> Result<Json<Value>, Refusal> {
    people(&app, &caller, &params, |person, group| {
        group.is_none_or(|group| !group.members.contains(&person.id))
    })
}

/// The description has people here, copied from the other family; what comes are groups.
async fn groups_of_user(
    State(app): State<Arc<Shared>>,
    _: Licensed,
    params: Params,
) -> Result<Json<Value>, Refusal> {
    let id = context_id(&app, &params)?;
    groups(&app, &params, |group| {
        id.is_some_and(|id| group.members.contains(&id))
    })
}

async fn groups_user_lacks(
    State(app): State<Arc<Shared>>,
    _: Licensed,
    params: Params,
) -> Result<Json<Value>, Refusal> {
    let id = context_id(&app, &params)?;
    groups(&app, &params, |group| {
        id.is_none_or(|id| !group.members.contains(&id))
    })
}

/// A context that nobody has makes an empty page: these calls have no 404.
fn context_id(app: &Shared, params: &Params) -> Result<Option<u64>, Refusal> {
    let username = params.required("context")?;
    Ok(app.register().find(username).map(|person| person.id))
}

fn people(
    app: &Shared,
    caller: &Caller,
    params: &Params,
    fits: impl Fn(&Person, Option<&Group>) -> bool,
) -> Result<Json<Value>, Refusal> {
    let window = Window::asked(params, app.page_cap())?;
    let context = params.required("context")?;
    let register = app.register();
    let group = register.find_group(context);
    let all = register.people().into_iter().map(|person| {
        let found = person.matches(params.filter()) && fits(person, group);
        found.then(|| shapes::detailed(&register, person, &caller.base))
    });
    Ok(window.page(all))
}

fn groups(
    app: &Shared,
    params: &Params,
    fits: impl Fn(&Group) -> bool,
) -> Result<Json<Value>, Refusal> {
    let window = Window::asked(params, app.page_cap())?;
    let register = app.register();
    let all = register.groups().into_iter().map(|group| {
        let found = contains(&group.name, params.filter()) && fits(group);
        found.then(|| shapes::group(&register, group))
    });
    Ok(window.page(all))
}
