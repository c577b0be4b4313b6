//! Global permissions: who administers, and who may sign in at all.

use super::Bitbucket;
use super::groups::stop_if;
use super::http::Ask;
use crate::identity::{GroupName, Username};
use crate::provisioning::Error;
use serde_json::Value;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use tokio::time::Instant;

const OF_GROUPS: &str = "the list of groups with global permissions";
const OF_USERS: &str = "the list of people with global permissions";

/// The key of the group in an entry; only the highest permission of each is listed.
fn group_key(value: &Value) -> Option<String> {
    let name = value.pointer("/group/name")?.as_str()?;
    GroupName::parse(name).ok().map(|group| group.key())
}

impl Bitbucket {
    /// The keys of the groups that give administration.
    pub(super) async fn administrators_groups(
        &self,
        until: Instant,
    ) -> Result<BTreeSet<String>, Error> {
        let mut found = BTreeSet::new();
        self.entries(of_groups(), until, |value| {
            let permission = value.get("permission").and_then(Value::as_str);
            if matches!(permission, Some("ADMIN" | "SYS_ADMIN")) {
                found.extend(group_key(&value));
            }
            ControlFlow::Continue(())
        })
        .await?;
        Ok(found)
    }

    /// Whether one of these groups, given by their keys, has a global permission. Every one of them
    /// includes `LICENSED_USER`.
    pub(super) async fn any_is_licensed(
        &self,
        groups: &BTreeSet<String>,
        until: Instant,
    ) -> Result<bool, Error> {
        let mut licensed = false;
        if groups.is_empty() {
            return Ok(licensed);
        }
        self.entries(of_groups(), until, |value| {
            licensed = group_key(&value).is_some_and(|key| groups.contains(&key));
            stop_if(licensed)
        })
        .await?;
        Ok(licensed)
    }

    /// Whether somebody has a global permission of their own.
    pub(super) async fn user_is_licensed(
        &self,
        username: &Username,
        until: Instant,
    ) -> Result<bool, Error> {
        let mut licensed = false;
        let ask = Ask::get(OF_USERS, "/admin/permissions/users")
            .with("filter", username.as_str())
            .with("limit", "100");
        self.entries(ask, until, |value| {
            let name = value.pointer("/user/name").and_then(Value::as_str);
            licensed = name.is_some_and(|name| name.eq_ignore_ascii_case(username.as_str()));
            stop_if(licensed)
        })
        .await?;
        Ok(licensed)
    }
}

fn of_groups() -> Ask {
    Ask::get(OF_GROUPS, "/admin/permissions/groups").with("limit", "1000")
}
