//! Which one-time codes were used: each works once (RFC 6238 §5.2), also over a restart.

use super::code::{SKEW, STEP_SECS};
use crate::clock::Timestamp;
use crate::config::Store;
use crate::state::{self, Database};
use rusqlite::params;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The time step of the last code that each account used. Kept where the sessions are: with those
/// in memory, a restart forgets both.
#[derive(Debug, Clone)]
pub(super) enum Spent {
    Memory(Arc<Mutex<HashMap<String, u64>>>),
    Sqlite(Database),
}

impl Spent {
    pub(super) async fn open(store: &Store) -> Result<Self, state::Error> {
        Ok(match store {
            Store::Memory => Self::Memory(Arc::default()),
            Store::Sqlite(path) => Self::Sqlite(Database::open(path).await?),
        })
    }

    /// Marks a code's time step as used, in one atomic step. Answers whether it was still unused.
    pub(super) async fn spend(
        &self,
        name: &str,
        step: u64,
        now: Timestamp,
    ) -> Result<bool, state::Error> {
        // A step from far ahead was used under a clock that has been put right since. It must not
        // lock the account until that day comes.
        let plausible = now.as_secs() / STEP_SECS + SKEW;
        match self {
            Self::Memory(last) => {
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                if last
                    .get(name)
                    .is_some_and(|last| step <= *last && *last <= plausible)
                {
                    return Ok(false);
                }
                last.insert(name.to_owned(), step);
                Ok(true)
            }
            Self::Sqlite(database) => {
                let name = name.to_owned();
                let whole = |number| i64::try_from(number).unwrap_or(i64::MAX);
                let (step, plausible) = (whole(step), whole(plausible));
                let changed = database.ask(move |connection| {
                    connection
                        .prepare_cached(
                            "INSERT INTO spent_codes (username, step) VALUES (?1, ?2) \
                             ON CONFLICT (username) DO UPDATE SET step = excluded.step \
                             WHERE excluded.step > step OR step > ?3",
                        )?
                        .execute(params![name, step, plausible])
                });
                Ok(changed.await? == 1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    async fn stores() -> [(Spent, Option<TempDir>); 2] {
        let folder = tempfile::tempdir().unwrap();
        let file = Store::Sqlite(folder.path().join("state.db"));
        [
            (Spent::open(&Store::Memory).await.unwrap(), None),
            (Spent::open(&file).await.unwrap(), Some(folder)),
        ]
    }

    /// Spends one after the other: the account, the step, the present step, whether it works.
    async fn check(codes: &[(&str, u64, u64, bool)]) {
        for (spent, _folder) in stores().await {
            for (name, step, present, works) in codes {
                let now = Timestamp::from_secs(STEP_SECS * present);
                let spent = spent.spend(name, *step, now).await.unwrap();
                assert_eq!(spent, *works, "{name} {step} at {present}");
            }
        }
    }

    #[tokio::test]
    async fn a_code_works_once_and_an_older_one_not_after_it() {
        check(&[
            ("admin", 1000, 1000, true),
            ("admin", 1000, 1000, false),
            ("admin", 999, 1000, false),
            ("other", 1000, 1000, true),
            ("admin", 1001, 1000, true),
        ])
        .await;
    }

    #[tokio::test]
    async fn a_code_from_a_wrong_future_does_not_lock_the_account() {
        check(&[
            ("admin", 9_000, 9_000, true),
            ("admin", 1_000, 1_000, true),
            ("admin", 1_000, 1_000, false),
        ])
        .await;
    }

    #[tokio::test]
    async fn a_restart_does_not_make_a_code_work_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::Sqlite(folder.path().join("state.db"));
        let now = Timestamp::from_secs(30 * 1000);
        for works in [true, false] {
            let spent = Spent::open(&store).await.unwrap();
            assert_eq!(spent.spend("admin", 1000, now).await.unwrap(), works);
        }
    }
}
