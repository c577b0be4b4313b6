//! What has to be known before anything is written: who the person is, and what the plan needs.

use super::plan::{self, Account, Known, Wish, creatable};
use super::{Error, Inner, Prepared, Purpose};
use crate::config::MatchBy;
use crate::identity::{Email, Username};
use crate::mapping::Candidate;
use std::sync::Arc;
use tokio::time::Instant;

impl Inner {
    /// Who the person is, and the account if there is one. Whoever has none may be made.
    pub(super) async fn look(
        &self,
        candidate: &Candidate,
        until: Instant,
    ) -> Result<(Username, Option<Account>), Error> {
        let place = self.target.place();
        let account = match self.users.match_by {
            MatchBy::Username => {
                let username = &candidate.person.username;
                // Before Bitbucket is asked: a failure might be tolerated.
                self.refuse_own(username)?;
                self.target.by_username(username, until).await?
            }
            MatchBy::Email => {
                let email = address(candidate, place.name())?;
                self.target.by_email(email, until).await?
            }
        };
        if let Some(account) = account {
            let username = account.username.clone();
            self.refuse_own(&username)?;
            if !account.active {
                let target = place.name();
                return Err(Error::Inactive { target, username });
            }
            return Ok((username, Some(account)));
        }
        let email = creatable(candidate, place, &self.users, &self.groups)?;
        let username = match (self.users.match_by, &candidate.claimed_username) {
            (MatchBy::Email, Some(claimed)) => claimed,
            _ => &candidate.person.username,
        };
        // Whoever is known by the address does not get an account by a name, which may be
        // another person's.
        if self.users.match_by == MatchBy::Email
            && self.target.by_username(username, until).await?.is_some()
        {
            return Err(Error::NameTaken {
                target: place.name(),
                username: username.clone(),
                email: email.as_str().to_owned(),
            });
        }
        Ok((username.clone(), None))
    }

    /// Nobody is the account that this program uses. It administers Bitbucket, and as it never signs
    /// in, no pin would keep somebody of that name at the provider from becoming it.
    fn refuse_own(&self, username: &Username) -> Result<(), Error> {
        match self.target.own_name() {
            Some(own) if own.eq_ignore_ascii_case(username.as_str()) => Err(Error::OwnAccount {
                target: self.target.place().name(),
                username: username.clone(),
            }),
            _ => Ok(()),
        }
    }

    /// Asks for everything that the plan needs, and makes it.
    pub(super) async fn prepare(
        &self,
        username: &Username,
        account: Option<Account>,
        candidate: &Candidate,
        purpose: Purpose,
        until: Instant,
    ) -> Result<Prepared, Error> {
        let mut known = Known {
            place: self.target.place(),
            account,
            ..Known::default()
        };
        if let Some(account) = &known.account
            && (purpose == Purpose::Show || plan::may_change_groups(account, &self.groups))
        {
            known.member_of = self.target.member_of(&account.username, until).await?;
        }
        let wish = Wish::of(candidate, &known, &self.groups);
        known.existing = self.target.existing(&wish.added(), until).await?;
        let mut removals = None;
        if !wish.removed().is_empty() {
            if purpose == Purpose::Write {
                removals = Some(Arc::clone(&self.removals).lock_owned().await);
            }
            let removed = wish.removed();
            let asked = self.target.administration(username, removed, until).await?;
            known.last_administrator_of = asked.last;
            if asked.gives.is_empty() {
                removals = None;
            }
        }
        let mut plan = plan::plan(username, candidate, &known, &self.users, &self.groups)?;
        if purpose == Purpose::Show {
            self.warn_if_locked_out(username, &mut plan, &known, until)
                .await;
        }
        Ok(Prepared {
            plan,
            known,
            removals,
        })
    }
}

/// The address that somebody is known by.
pub(super) fn address<'a>(
    candidate: &'a Candidate,
    target: &'static str,
) -> Result<&'a Email, Error> {
    let email = candidate.person.email.as_ref();
    email.ok_or_else(|| Error::NoEmail {
        target,
        username: candidate.person.username.clone(),
    })
}
