//! Who asks, and whether they may.

use crate::demo::bitbucket::Shared;
use crate::demo::bitbucket::pages::base;
use crate::demo::bitbucket::refusal::Refusal;
use crate::demo::bitbucket::register::{Permission, Register};
use crate::demo::bitbucket::visitor::{KnownBy, Visitor};
use axum::extract::FromRequestParts;
use http::StatusCode;
use http::request::Parts;
use std::sync::Arc;

/// Somebody who asks.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) id: u64,
    pub(super) level: Option<Permission>,
    /// The address that they used, for links.
    pub(super) base: String,
}

impl Caller {
    /// Refuses what has a higher permission than the caller, with the status of the call.
    pub(super) fn outranks(
        &self,
        name: &str,
        level: Option<Permission>,
        status: StatusCode,
    ) -> Result<(), Refusal> {
        if level > self.level {
            let name = name.to_owned();
            return Err(Refusal::Outranked { name, status });
        }
        Ok(())
    }

    /// The same for a person, who has to exist.
    pub(super) fn outranks_person(
        &self,
        register: &Register,
        username: &str,
        status: StatusCode,
    ) -> Result<(), Refusal> {
        let id = register.person(username)?.id;
        self.outranks(username, register.level(id), status)
    }

    /// The same for a group, which has to exist.
    pub(super) fn outranks_group(
        &self,
        register: &Register,
        group: &str,
        status: StatusCode,
    ) -> Result<(), Refusal> {
        let granted = register.group(group)?.granted;
        self.outranks(group, granted, status)
    }
}

/// Anybody who is known.
#[derive(Debug)]
pub(super) struct Authenticated(pub(super) Caller);

/// Somebody with `LICENSED_USER` or more.
#[derive(Debug)]
pub(super) struct Licensed(pub(super) Caller);

/// Somebody with `ADMIN` or more.
#[derive(Debug)]
pub(super) struct Admin(pub(super) Caller);

fn caller(parts: &Parts, app: &Shared) -> Result<Caller, Refusal> {
    let (user, by) = match parts.extensions.get() {
        Some(Visitor::Known(user, by)) => (user, by),
        Some(Visitor::Unlicensed) => return Err(Refusal::NotLicensed),
        Some(Visitor::Nobody) | None => return Err(Refusal::NotPermitted),
    };
    // HTTP access tokens are refused by everything administrative, whoever they are of. Which
    // status that has is not published; this is the one of every other lack of permission.
    let administrative = parts.uri.path().contains("/admin/");
    if administrative && *by == KnownBy::Token && !app.tokens_administer() {
        return Err(Refusal::NotPermitted);
    }
    Ok(Caller {
        id: user.id,
        level: user.level,
        base: base(&parts.headers),
    })
}

fn with(parts: &Parts, app: &Shared, needed: Permission) -> Result<Caller, Refusal> {
    let caller = caller(parts, app)?;
    match caller.level >= Some(needed) {
        true => Ok(caller),
        false => Err(Refusal::NotPermitted),
    }
}

impl FromRequestParts<Arc<Shared>> for Authenticated {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, app: &Arc<Shared>) -> Result<Self, Refusal> {
        caller(parts, app).map(Self)
    }
}

impl FromRequestParts<Arc<Shared>> for Licensed {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, app: &Arc<Shared>) -> Result<Self, Refusal> {
        with(parts, app, Permission::LicensedUser).map(Self)
    }
}

impl FromRequestParts<Arc<Shared>> for Admin {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, app: &Arc<Shared>) -> Result<Self, Refusal> {
        with(parts, app, Permission::Admin).map(Self)
    }
}
