//! Global permissions of groups and people.

use super::caller::{Admin, Caller};
use super::shapes;
use crate::demo::bitbucket::Shared;
use crate::demo::bitbucket::input::Params;
use crate::demo::bitbucket::paging::Window;
use crate::demo::bitbucket::refusal::Refusal;
use crate::demo::bitbucket::register::{Permission, Register, contains};
use axum::Router;
use axum::extract::State;
use axum::response::Json;
use axum::routing::get;
use http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn api(base: &str) -> Router<Arc<Shared>> {
    let at = |path| format!("{base}/admin/permissions/{path}");
    Router::new()
        .route(
            &at("groups"),
            get(groups).put(grant_groups).delete(revoke_group),
        )
        .route(&at("groups/none"), get(groups_without))
        .route(
            &at("users"),
            get(users).put(grant_users).delete(revoke_user),
        )
        .route(&at("users/none"), get(users_without))
}

async fn groups(
    State(app): State<Arc<Shared>>,
    _: Admin,
    params: Params,
) -> Result<Json<Value>, Refusal> {
    let window = Window::asked(&params, app.page_cap())?;
    let register = app.register();
    let all = register.groups().into_iter().map(|group| {
        let granted = group.granted?.as_str();
        let shown = || json!({ "group": { "name": group.name }, "permission": granted });
        contains(&group.name, params.filter()).then(shown)
    });
    Ok(window.page(all))
}

async fn groups_without(
    State(app): State<Arc<Shared>>,
    _: Admin,
    params: Params,
) -> Result<Json<Value>, Refusal> {
    let window = Window::asked(&params, app.page_cap())?;
    let register = app.register();
    let all = register.groups().into_iter().map(|group| {
        let found = group.granted.is_none() && contains(&group.name, params.filter());
        found.then(|| shapes::group(&register, group))
    });
    Ok(window.page(all))
}

/// Their own alone; the description has groups here, copied from the call above.
async fn users(
    State(app): State<Arc<Shared>>,
    Admin(caller): Admin,
    params: Params,
) -> Result<Json<Value>, Refusal> {
    let window = Window::asked(&params, app.page_cap())?;
    let register = app.register();
    let all = register.people().into_iter().map(|person| {
        let granted = person.granted?.as_str();
        let shown = || json!({ "user": shapes::user(person, &caller.base), "permission": granted });
        person.matches(params.filter()).then(shown)
    });
    Ok(window.page(all))
}

async fn users_without(
    State(app): State<Arc<Shared>>,
    Admin(caller): Admin,
    params: Params,
) -> Result<Json<Value>, Refusal> {
    let window = Window::asked(&params, app.page_cap())?;
    let register = app.register();
    let all = register.people().into_iter().map(|person| {
        let found = person.granted.is_none() && person.matches(params.filter());
        found.then(|| shapes::user(person, &caller.base))
    });
    Ok(window.page(all))
}

/// The permission and the names, which may be several.
fn asked<'a>(params: &'a Params, caller: &Caller) -> Result<(Permission, Vec<&'a str>), Refusal> {
    params.required("name")?;
    let text = params.required("permission")?;
    let Some(permission) = Permission::parse(text) else {
        let message = format!("\"{text}\" is not a global permission");
        return Err(Refusal::invalid("permission", message));
    };
    if Some(permission) > caller.level {
        return Err(Refusal::GrantsTooMuch(permission.as_str()));
    }
    Ok((permission, params.all("name").collect()))
}

async fn grant_groups(
    State(app): State<Arc<Shared>>,
    Admin(caller): Admin,
    params: Params,
) -> Result<StatusCode, Refusal> {
    let (permission, names) = asked(&params, &caller)?;
    let mut register = app.register();
    for name in &names {
        caller.outranks_group(&register, name, StatusCode::CONFLICT)?;
    }
    register.attempt(caller.id, |register| {
        names
            .iter()
            .try_for_each(|name| register.grant_to_group(name, Some(permission)))
    })?;
    Ok(StatusCode::NO_CONTENT)
}

async fn grant_users(
    State(app): State<Arc<Shared>>,
    Admin(caller): Admin,
    params: Params,
) -> Result<StatusCode, Refusal> {
    let (permission, names) = asked(&params, &caller)?;
    let mut register = app.register();
    for name in &names {
        register.appear(name)?;
        own_rank(&caller, &register, name)?;
    }
    register.attempt(caller.id, |register| {
        names
            .iter()
            .try_for_each(|name| register.grant_to_person(name, Some(permission)))
    })?;
    Ok(StatusCode::NO_CONTENT)
}

async fn revoke_group(
    State(app): State<Arc<Shared>>,
    Admin(caller): Admin,
    params: Params,
) -> Result<StatusCode, Refusal> {
    let name = params.required("name")?;
    let mut register = app.register();
    caller.outranks_group(&register, name, StatusCode::CONFLICT)?;
    register.attempt(caller.id, |register| register.grant_to_group(name, None))?;
    Ok(StatusCode::NO_CONTENT)
}

async fn revoke_user(
    State(app): State<Arc<Shared>>,
    Admin(caller): Admin,
    params: Params,
) -> Result<StatusCode, Refusal> {
    let name = params.required("name")?;
    let mut register = app.register();
    own_rank(&caller, &register, name)?;
    register.attempt(caller.id, |register| register.grant_to_person(name, None))?;
    Ok(StatusCode::NO_CONTENT)
}

/// What somebody was given themselves counts here, as that alone is what the call changes.
fn own_rank(caller: &Caller, register: &Register, name: &str) -> Result<(), Refusal> {
    let granted = register.person(name)?.granted;
    caller.outranks(name, granted, StatusCode::CONFLICT)
}
