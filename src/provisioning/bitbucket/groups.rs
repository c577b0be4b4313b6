//! Groups: which there are, who is in them, and changes of both.

use super::Bitbucket;
use super::http::Ask;
use super::users::User;
use crate::identity::{GroupName, Username};
use crate::provisioning::Error;
use ::http::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use tokio::time::Instant;

const OF_USER: &str = "the list of somebody's groups";
const SEARCH: &str = "the search for groups";
const MEMBERS: &str = "the list of a group's members";
const CREATE: &str = "the creation of a group";
const ADD: &str = "the addition to groups";
const REMOVE: &str = "the removal from a group";

/// Up to so many groups are looked for one by one; for more, the list of all is read.
const ONE_BY_ONE: usize = 4;

/// A group as an object with a name, or the name alone. One whose name this program cannot carry is
/// not there for it, and so is never touched.
fn group(value: &Value) -> Option<GroupName> {
    let name = value.get("name").unwrap_or(value).as_str()?;
    GroupName::parse(name).ok()
}

/// Moves a group that exists from those that are wanted to those that are found.
fn take(value: &Value, wanted: &mut BTreeMap<String, &GroupName>, found: &mut BTreeSet<GroupName>) {
    if let Some(group) = group(value)
        && wanted.remove(&group.key()).is_some()
    {
        found.insert(group);
    }
}

/// For a list of which the rest does not matter any more.
pub(super) fn stop_if(done: bool) -> ControlFlow<()> {
    if done {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
    }
}

impl Bitbucket {
    pub(super) async fn groups_of_user(
        &self,
        username: &Username,
        until: Instant,
    ) -> Result<BTreeSet<GroupName>, Error> {
        let mut found = BTreeSet::new();
        // Its published description speaks of users here; what comes is groups.
        let ask = Ask::get(OF_USER, "/admin/users/more-members")
            .with("context", username.as_str())
            .with("limit", "1000");
        self.entries(ask, until, |value| {
            found.extend(group(&value));
            ControlFlow::Continue(())
        })
        .await?;
        Ok(found)
    }

    pub(super) async fn groups_that_exist(
        &self,
        groups: &[GroupName],
        until: Instant,
    ) -> Result<BTreeSet<GroupName>, Error> {
        let mut wanted: BTreeMap<_, _> = groups.iter().map(|g| (g.key(), g)).collect();
        let mut found = BTreeSet::new();
        let search = || Ask::get(SEARCH, "/admin/groups");
        if wanted.len() > ONE_BY_ONE {
            let all = search().with("limit", "1000");
            let listed = self.entries(all, until, |value| {
                take(&value, &mut wanted, &mut found);
                stop_if(wanted.is_empty())
            });
            match listed.await {
                // One by one, then: there are more groups than anybody should list.
                Err(Error::TooMany { .. }) => {}
                listed => return listed.map(|()| found),
            }
        }
        // A search finds every name that the text is a part of, so others may come along, and be
        // wanted too.
        while let Some((key, group)) = wanted.first_key_value() {
            let (key, filter) = (key.clone(), group.as_str());
            let ask = search().with("filter", filter).with("limit", "100");
            self.entries(ask, until, |value| {
                take(&value, &mut wanted, &mut found);
                stop_if(!wanted.contains_key(&key))
            })
            .await?;
            wanted.remove(&key);
        }
        Ok(found)
    }

    /// Whether somebody else who is active is in a group. The service account does not count: nobody
    /// administers anything as it.
    pub(super) async fn has_other_members(
        &self,
        group: &GroupName,
        than: &Username,
        until: Instant,
    ) -> Result<bool, Error> {
        let mut others = false;
        let ask = Ask::get(MEMBERS, "/admin/groups/more-members")
            .with("context", group.as_str())
            .with("limit", "25");
        self.entries(ask, until, |value| {
            let is = |user: &User, name: &str| user.name.eq_ignore_ascii_case(name);
            others = User::read(value).is_some_and(|user| {
                let own = self.http.own_name().is_some_and(|own| is(&user, own));
                user.active == Some(true) && !own && !is(&user, than.as_str())
            });
            stop_if(others)
        })
        .await?;
        Ok(others)
    }

    pub(super) async fn make_group(&self, group: &GroupName, until: Instant) -> Result<(), Error> {
        let ask = Ask::new(CREATE, Method::POST, "/admin/groups").with("name", group.as_str());
        match self.http.send(&ask, until).await {
            // Somebody else's sign-in has just made it.
            Ok(_) | Err(Error::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn add_user_to_groups(
        &self,
        username: &Username,
        groups: &[GroupName],
        until: Instant,
    ) -> Result<(), Error> {
        let ask = Ask::new(ADD, Method::POST, "/admin/users/add-groups")
            .json(json!({ "user": username.as_str(), "groups": groups }));
        self.settled(&ask, until).await
    }

    pub(super) async fn remove_user_from_group(
        &self,
        username: &Username,
        group: &GroupName,
        until: Instant,
    ) -> Result<(), Error> {
        let ask = Ask::new(REMOVE, Method::POST, "/admin/users/remove-group")
            .json(json!({ "context": username.as_str(), "itemName": group }));
        match self.http.send(&ask, until).await {
            // No such group or person, or no member: Bitbucket's own word that it is so already.
            Ok(_) | Err(Error::Missing { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
