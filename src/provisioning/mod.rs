//! Makes Bitbucket know a person: finds them, plans what has to change, and changes it.
//!
//! A sign-in goes [`Provisioner::find`] (reads only; says who the person is in Bitbucket) → the pin of
//! the directory room → [`Provisioner::apply`] (writes). What is to change is decided by one pure
//! function, [`plan::plan`], over what the provider says, what Bitbucket says, and the rules. The
//! built-in directory is the other place where people can be made known, behind the same plan.
//!
//! What must never happen here: a write before the pin has said yes, a write when nothing changed, a
//! group touched that the rules do not name, the last administrator taken out of a group.
//!
//! Somebody for whom nothing changes costs two calls to Bitbucket: the person and their groups, or
//! the person alone where no rule can change groups of people who exist. A group that
//! the rules name and Bitbucket does not have is looked for at each sign-in. Only a change costs more.

mod bitbucket;
mod directory;
mod error;
pub mod plan;
mod preview;
mod read;
mod target;
mod turns;
mod write;

#[cfg(test)]
mod tests;

pub use error::{Error, Said};
pub use preview::Preview;

use crate::clock::Clock;
use crate::config::{Config, Groups, MatchBy, ProvisioningTarget, Users};
use crate::directory::people::People;
use crate::identity::Username;
use crate::mapping::Candidate;
use crate::telemetry::Metrics;
use bitbucket::{Bitbucket, Limits};
use directory::Directory;
use plan::{Account, Known, Plan};
use std::sync::Arc;
use std::time::Duration;
use target::Target;
use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, timeout_at};
use turns::{Turn, Turns};

/// How long what has begun may take to finish when the person does not wait any more.
const FINISH: Duration = Duration::from_secs(30);

/// Somebody who was looked for. Holds this person's turn: nobody else writes about the same person
/// until it is dropped, and the deadline of the whole is running.
#[derive(Debug)]
pub struct Found {
    username: Username,
    account: Option<Account>,
    until: Instant,
    _turn: Turn,
}

impl Found {
    /// Who the person is, or will be once made.
    #[must_use]
    pub const fn username(&self) -> &Username {
        &self.username
    }

    /// The account, if there is one.
    #[must_use]
    pub const fn account(&self) -> Option<&Account> {
        self.account.as_ref()
    }
}

/// Makes people known where `provisioning.target` says. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Provisioner {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    target: Box<dyn Target>,
    users: Users,
    groups: Groups,
    timeout: Duration,
    finish: Duration,
    turns: Turns,
    /// Held from the question who else administers until the removal is done: of two last
    /// administrators who sign in at once, one must see the other one gone.
    removals: Arc<tokio::sync::Mutex<()>>,
    metrics: Metrics,
}

/// A plan, what it was made of, and the lock of removals if it needs that.
#[derive(Debug)]
struct Prepared {
    plan: Plan,
    known: Known,
    removals: Option<OwnedMutexGuard<()>>,
}

/// Why a plan is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// To carry it out.
    Write,
    /// To show it, and whether the person could sign in afterwards.
    Show,
}

impl Provisioner {
    /// The provisioner of a configuration; none: `provisioning.target` is "none". `people` is the
    /// built-in directory, which is used when that is the target.
    ///
    /// # Errors
    ///
    /// If the CA file or the credentials cannot be used.
    pub fn new(
        config: &Config,
        people: &Arc<dyn People>,
        clock: Clock,
        metrics: Metrics,
    ) -> Result<Option<Self>, Error> {
        Self::with_limits(config, people, clock, metrics, Limits::default(), FINISH)
    }

    fn with_limits(
        config: &Config,
        people: &Arc<dyn People>,
        clock: Clock,
        metrics: Metrics,
        limits: Limits,
        finish: Duration,
    ) -> Result<Option<Self>, Error> {
        let target: Box<dyn Target> = match &config.provisioning.target {
            ProvisioningTarget::None => return Ok(None),
            ProvisioningTarget::Bitbucket(access) => {
                Box::new(Bitbucket::new(access, limits, clock)?)
            }
            ProvisioningTarget::Directory => {
                Box::new(Directory::new(Arc::clone(people), &config.admin.groups))
            }
        };
        Ok(Some(Self {
            inner: Arc::new(Inner {
                target,
                users: config.users.clone(),
                groups: config.groups.clone(),
                timeout: config.provisioning.timeout,
                finish,
                turns: Turns::default(),
                removals: Arc::default(),
                metrics,
            }),
        }))
    }

    /// Finds the person, by `users.match_by`, and waits for their turn. Reads only.
    ///
    /// # Errors
    ///
    /// A refusal, or why it could not be found out.
    pub async fn find(&self, candidate: &Candidate) -> Result<Found, Error> {
        let inner = &self.inner;
        let until = Instant::now() + inner.timeout;
        let found = inner
            .in_time(until, async {
                let target = inner.target.place().name();
                let turn = inner.turns.take(inner.key(candidate), target).await?;
                let (username, account) = inner.look(candidate, until).await?;
                Ok(Found {
                    username,
                    account,
                    until,
                    _turn: turn,
                })
            })
            .await;
        found.inspect_err(|error| inner.count_failure(error))
    }

    /// Whether the target knows this name; so also whether it can be asked at all. Reads only.
    ///
    /// # Errors
    ///
    /// Why it could not be found out.
    pub async fn knows(&self, username: &Username) -> Result<bool, Error> {
        let inner = &self.inner;
        let until = Instant::now() + inner.timeout;
        let asked = inner.target.by_username(username, until);
        Ok(inner.in_time(until, asked).await?.is_some())
    }

    /// What would be changed for somebody who was found. Reads only.
    ///
    /// # Errors
    ///
    /// Why it could not be found out.
    pub async fn plan(&self, found: &Found, candidate: &Candidate) -> Result<Plan, Error> {
        let inner = &self.inner;
        let (username, account) = (&found.username, found.account.clone());
        let prepared = inner.prepare(username, account, candidate, Purpose::Show, found.until);
        Ok(inner.in_time(found.until, prepared).await?.plan)
    }

    /// Plans and makes the changes. The answer is the plan that was carried out, empty if nothing
    /// had to change. When the person's patience ends before the last change, the changes are
    /// finished all the same, and what comes of them is logged.
    ///
    /// # Errors
    ///
    /// What failed; what was done until then stays, and the next sign-in goes on from there.
    pub async fn apply(&self, found: Found, candidate: &Candidate) -> Result<Plan, Error> {
        let inner = &self.inner;
        let until = found.until;
        let (username, account) = (&found.username, found.account.clone());
        let prepared = inner.prepare(username, account, candidate, Purpose::Write, until);
        let prepared = inner.in_time(until, prepared).await;
        let prepared = prepared.inspect_err(|error| inner.count_failure(error))?;
        if prepared.plan.is_empty() {
            inner.metrics.provisioned(prepared.plan.outcome());
            return Ok(prepared.plan);
        }
        let target = inner.target.place().name();
        let writing = Arc::clone(inner).write(found, candidate.clone(), prepared);
        // A task of its own: it goes on when this future is dropped with the person's connection.
        let task = tokio::spawn(writing);
        inner
            .in_time(until, async {
                task.await.unwrap_or(Err(Error::CutOff { target }))
            })
            .await
    }

    /// What a sign-in would do, without doing it: for the test page and `provision --dry-run`. It
    /// waits for nobody's turn, counts on no metric, and says also whether the person could sign in
    /// to Bitbucket afterwards.
    ///
    /// # Errors
    ///
    /// The refusal that a sign-in would meet, or why it could not be found out.
    pub async fn preview(&self, candidate: &Candidate) -> Result<Preview, Error> {
        let inner = &self.inner;
        let until = Instant::now() + inner.timeout;
        inner
            .in_time(until, async {
                let (username, account) = inner.look(candidate, until).await?;
                let prepared = inner
                    .prepare(&username, account, candidate, Purpose::Show, until)
                    .await?;
                Ok(Preview {
                    username,
                    account: prepared.known.account,
                    plan: prepared.plan,
                })
            })
            .await
    }
}

impl Inner {
    /// The fact that the person is found by, as two sign-ins of one person spell it alike.
    fn key(&self, candidate: &Candidate) -> String {
        match (self.users.match_by, &candidate.person.email) {
            (MatchBy::Email, Some(email)) => email.as_str().to_ascii_lowercase(),
            _ => candidate.person.username.as_str().to_ascii_lowercase(),
        }
    }

    async fn in_time<T>(
        &self,
        until: Instant,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let late = Error::TooSlow {
            target: self.target.place().name(),
            after: self.timeout,
        };
        timeout_at(until, work).await.unwrap_or(Err(late))
    }

    fn count_failure(&self, error: &Error) {
        self.metrics.provisioned(error.outcome());
    }
}
