//! Carries a plan out.

use super::plan::{AccountChange, Known, Plan};
use super::read::address;
use super::target::Made;
use super::{Error, Found, Inner, Prepared, Purpose};
use crate::identity::{GroupName, Username};
use crate::mapping::Candidate;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};

impl Inner {
    /// Makes the changes within the time that finishing may take, and counts what came of it. The
    /// person's turn ends with it, however long the person has waited.
    pub(super) async fn write(
        self: Arc<Self>,
        found: Found,
        candidate: Candidate,
        prepared: Prepared,
    ) -> Result<Plan, Error> {
        let until = Instant::now() + self.finish;
        let late = Error::TooSlow {
            target: self.target.place().name(),
            after: self.finish,
        };
        let done = timeout_at(until, self.carry_out(&found, &candidate, prepared, until))
            .await
            .unwrap_or(Err(late));
        self.metrics
            .provisioned(done.as_ref().map_or_else(Error::outcome, Plan::outcome));
        if Instant::now() >= found.until {
            // Nobody waits for the answer any more, so this is the place where it is told.
            let username = &found.username;
            match &done {
                Ok(plan) => tracing::info!(
                    user.name = %username,
                    changes = ?plan.changes(),
                    "the person did not wait for the changes, which are made now"
                ),
                Err(error) => tracing::warn!(
                    user.name = %username,
                    error = error as &dyn std::error::Error,
                    "the changes that the person did not wait for have failed; the next sign-in \
                     goes on from there"
                ),
            }
        }
        done
    }

    async fn carry_out(
        &self,
        found: &Found,
        candidate: &Candidate,
        prepared: Prepared,
        until: Instant,
    ) -> Result<Plan, Error> {
        let Prepared {
            mut plan,
            mut known,
            // Until the end of this function.
            removals: mut _removals,
        } = prepared;
        if let AccountChange::Create {
            username,
            display_name,
            email,
        } = &plan.account
        {
            let made = self.target.create(username, display_name, email, until);
            match made.await? {
                Made::Now(account) => known.account = Some(account),
                Made::Already => {
                    // Somebody else was faster: another gateway, or an administrator. Who that
                    // account belongs to is asked again, by the same rules.
                    let again = self.found_meanwhile(found, candidate, until).await?;
                    Prepared {
                        plan,
                        known,
                        removals: _removals,
                    } = again;
                }
            }
        }
        let username = known
            .account
            .as_ref()
            .map_or(&found.username, |account| &account.username);
        if let AccountChange::Update {
            username,
            display_name,
            email,
        } = &plan.account
        {
            let updated = self.target.update(username, display_name, email, until);
            match updated.await {
                Ok(()) => {}
                // Somebody with SYS_ADMIN outranks a service account with ADMIN. An old name or
                // address is no reason to lock the highest administrators out.
                Err(error @ Error::Forbidden { .. }) => {
                    tracing::warn!(
                        user.name = %username,
                        error = &error as &dyn std::error::Error,
                        "name and address of somebody were left as they are in Bitbucket"
                    );
                    let warning =
                        format!("name and address of \"{username}\" were left alone: {error}");
                    plan.account = AccountChange::Keep;
                    plan.warn(&warning);
                }
                Err(error) => return Err(error),
            }
        }
        for group in &plan.create_groups {
            self.target.create_group(group, until).await?;
        }
        // Added before removed: at no moment is somebody without a group that lets them in.
        if !plan.add_to.is_empty() {
            self.target.add_to(username, &plan.add_to, until).await?;
        }
        for group in &plan.remove_from {
            self.target.remove_from(username, group, until).await?;
        }
        let is_new = matches!(plan.account, AccountChange::Create { .. });
        if is_new || !plan.add_to.is_empty() || !plan.remove_from.is_empty() {
            let username = username.clone();
            let patience = until.min(found.until);
            if self
                .warn_if_locked_out(&username, &mut plan, &known, patience)
                .await
            {
                tracing::warn!(
                    user.name = %username,
                    "somebody is known to Bitbucket and cannot sign in there: nothing gives them the \
                     global permission LICENSED_USER"
                );
            }
        }
        Ok(plan)
    }

    /// The plan for somebody whose username was taken between the search and the creation.
    async fn found_meanwhile(
        &self,
        found: &Found,
        candidate: &Candidate,
        until: Instant,
    ) -> Result<Prepared, Error> {
        let target = self.target.place().name();
        let (username, account) = self.look(candidate, until).await?;
        let same = username
            .as_str()
            .eq_ignore_ascii_case(found.username.as_str());
        match account {
            // The pin was for the other name.
            Some(_) if !same => Err(Error::NameTaken {
                target,
                username: found.username.clone(),
                email: address(candidate, target)?.as_str().to_owned(),
            }),
            None => Err(Error::NotShown { target, username }),
            account => {
                self.prepare(&username, account, candidate, Purpose::Write, until)
                    .await
            }
        }
    }

    /// Whoever has no global permission cannot sign in to Bitbucket, whatever was made for them;
    /// whether that is known to be so. It is asked for only after a change and for a preview, as it takes one or two calls. What
    /// fails here does not fail the sign-in.
    pub(super) async fn warn_if_locked_out(
        &self,
        username: &Username,
        plan: &mut Plan,
        known: &Known,
        until: Instant,
    ) -> bool {
        let mut groups: BTreeSet<_> = known.member_of.iter().map(GroupName::key).collect();
        groups.extend(plan.add_to.iter().map(GroupName::key));
        for removed in &plan.remove_from {
            groups.remove(&removed.key());
        }
        let asked = timeout_at(until, self.target.may_sign_in(username, &groups, until));
        match asked.await {
            Ok(Ok(may)) => {
                if may {
                    return false;
                }
                plan.warn(&format!(
                    "\"{username}\" cannot sign in to Bitbucket: neither a group of theirs nor the \
                     account itself has the global permission LICENSED_USER; grant it to one of \
                     groups.default, or to a group that the provider gives"
                ));
                return true;
            }
            Ok(Err(error)) => tracing::warn!(
                user.name = %username,
                error = &error as &dyn std::error::Error,
                "it is not known whether somebody can sign in to Bitbucket"
            ),
            Err(_) => tracing::debug!(
                user.name = %username,
                "no time was left to ask whether somebody can sign in to Bitbucket"
            ),
        }
        false
    }
}
