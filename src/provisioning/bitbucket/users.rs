//! People: found, made, changed.

use super::http::Ask;
use super::{Bitbucket, TRIES};
use crate::identity::{Email, Username};
use crate::provisioning::error::Error;
use crate::provisioning::plan::{Account, Place};
use crate::provisioning::target::Made;
use crate::random;
use ::http::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::ops::ControlFlow;
use tokio::time::Instant;
use zeroize::Zeroizing;

const SEARCH: &str = "the search for people";
const CREATE: &str = "the creation of a person";
const UPDATE: &str = "the change of a profile";
const PASSWORD: &str = "the change of a password";

/// What Bitbucket's administration says of somebody. Only the name has to be there.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct User {
    pub(super) name: String,
    display_name: Option<String>,
    email_address: Option<String>,
    pub(super) active: Option<bool>,
    directory_name: Option<String>,
    mutable_details: Option<bool>,
    mutable_groups: Option<bool>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl User {
    /// A person; service users, which nobody can sign in as, are not.
    pub(super) fn read(value: Value) -> Option<Self> {
        let user: Self = serde_json::from_value(value).ok()?;
        (user.kind.as_deref() != Some("SERVICE")).then_some(user)
    }

    fn account(self, username: Username) -> Account {
        Account {
            username,
            display_name: self.display_name.unwrap_or_default(),
            email: self.email_address.unwrap_or_default(),
            active: self.active.unwrap_or(true),
            mutable_details: self.mutable_details.unwrap_or(true),
            mutable_groups: self.mutable_groups.unwrap_or(true),
            directory: self.directory_name,
        }
    }
}

/// The filter looks for a part of username, name or address.
fn search(part: &str) -> Ask {
    Ask::get(SEARCH, "/admin/users")
        .with("filter", part)
        .with("limit", "100")
}

impl Bitbucket {
    pub(super) async fn user_by_name(
        &self,
        username: &Username,
        until: Instant,
    ) -> Result<Option<Account>, Error> {
        let mut found = None;
        self.entries(search(username.as_str()), until, |value| {
            match User::read(value) {
                // Bitbucket's usernames are one without case, so there is but one.
                Some(user) if user.name.eq_ignore_ascii_case(username.as_str()) => {
                    found = Some(user);
                    ControlFlow::Break(())
                }
                _ => ControlFlow::Continue(()),
            }
        })
        .await?;
        Ok(found.map(|user| {
            let name = Username::parse(user.name.as_str()).unwrap_or_else(|_| username.clone());
            user.account(name)
        }))
    }

    pub(super) async fn user_by_email(
        &self,
        email: &Email,
        until: Instant,
    ) -> Result<Option<Account>, Error> {
        let mut found = Vec::new();
        // To the end: a second one with the same address would not be known otherwise.
        self.entries(search(email.as_str()), until, |value| {
            let user = User::read(value).filter(|user| {
                let address = user.email_address.as_deref().unwrap_or_default();
                address.eq_ignore_ascii_case(email.as_str())
            });
            found.extend(user);
            ControlFlow::Continue(())
        })
        .await?;
        // People may move to another page between two calls.
        found.sort_by_cached_key(|user| user.name.to_ascii_lowercase());
        found.dedup_by(|one, other| one.name.eq_ignore_ascii_case(&other.name));
        let target = Place::Bitbucket.name();
        let address = email.as_str().to_owned();
        if found.len() > 1 {
            return Err(Error::Ambiguous {
                target,
                email: address,
                count: found.len(),
            });
        }
        let Some(user) = found.pop() else {
            return Ok(None);
        };
        match Username::parse(user.name.as_str()) {
            Ok(username) => Ok(Some(user.account(username))),
            Err(reason) => Err(Error::UnusableName {
                target,
                email: address,
                reason,
            }),
        }
    }

    pub(super) async fn make_user(
        &self,
        username: &Username,
        display_name: &str,
        email: &Email,
        until: Instant,
    ) -> Result<Made, Error> {
        let ask = Ask::new(CREATE, Method::POST, "/admin/users")
            .with("name", username.as_str())
            .with("displayName", display_name)
            .with("emailAddress", email.as_str())
            .with("password", password().as_str())
            // Groups are the plan's business, and mail is nobody's.
            .with("addToDefaultGroup", "false")
            .with("notify", "false");
        match self.http.send(&ask, until).await {
            Ok(_) => {}
            Err(Error::Conflict { .. }) => return Ok(Made::Already),
            Err(error) => return Err(error),
        }
        self.forget_password(username, until).await;
        for tries in 0..TRIES {
            if let Some(account) = self.user_by_name(username, until).await? {
                return Ok(Made::Now(account));
            }
            if !self.pause(tries, until).await {
                break;
            }
        }
        Err(Error::NotShown {
            target: Place::Bitbucket.name(),
            username: username.clone(),
        })
    }

    /// The password of the creation stood in an address, and addresses stand in access logs. So
    /// it is replaced by another one that nobody keeps, in a body. Without this the account works as
    /// well, so a failure is only logged.
    async fn forget_password(&self, username: &Username, until: Instant) {
        let password = password();
        let ask = Ask::new(PASSWORD, Method::PUT, "/admin/users/credentials").json(json!({
            "name": username.as_str(),
            "password": password.as_str(),
            "passwordConfirm": password.as_str(),
        }));
        if let Err(error) = self.settled(&ask, until).await {
            tracing::warn!(
                user.name = %username,
                error = %error,
                "the first password of a new account could not be replaced; it is random and was \
                 thrown away, but access logs of Bitbucket may hold it"
            );
        }
    }

    pub(super) async fn change_user(
        &self,
        username: &Username,
        display_name: &str,
        email: &str,
        until: Instant,
    ) -> Result<(), Error> {
        let mut body = Map::new();
        body.insert("name".to_owned(), username.as_str().into());
        // What Bitbucket does not have stays out: an empty text is no address.
        for (name, value) in [("displayName", display_name), ("email", email)] {
            if !value.is_empty() {
                body.insert(name.to_owned(), value.into());
            }
        }
        let ask = Ask::new(UPDATE, Method::PUT, "/admin/users").json(Value::Object(body));
        self.settled(&ask, until).await
    }
}

/// 256 random bits, with what password rules commonly ask for. Nobody ever types it.
fn password() -> Zeroizing<String> {
    Zeroizing::new(format!("{}-Aa1!", random::token()))
}
