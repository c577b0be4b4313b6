//! Counts attempts per address and per account, and makes the next one wait.

use super::Error;
use super::spent::Spent;
use crate::clock::Timestamp;
use crate::config;
use crate::state;
use quick_cache::unsync::Cache;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Failures without a wait.
const FREE: u32 = 3;
/// The longest wait.
const MAX_WAIT: Duration = Duration::from_secs(15 * 60);
/// After so long without an attempt, a counter begins anew.
const FORGET: Duration = Duration::from_secs(24 * 60 * 60);
/// Addresses, and names that are nobody's, that are remembered.
const MAX_ENTRIES: usize = 10_000;
/// Passwords hashed at once: each takes a core for tens of milliseconds, and 19 MB.
const AT_ONCE: usize = 2;
/// How long an attempt waits for its turn.
const QUEUE: Duration = Duration::from_secs(10);

/// Who has failed how often, which codes were used, and whose turn it is to compute. Clones share
/// it, so that a reload forgives nobody.
///
/// A network limiter with a fixed rate would either let a password be guessed over months or lock
/// an administrator out in a minute of trembling fingers; hence waits that double.
#[derive(Debug, Clone)]
pub struct Attempts {
    state: Arc<Mutex<State>>,
    codes: Spent,
    turns: Arc<Semaphore>,
}

#[derive(Debug)]
struct State {
    addresses: Cache<IpAddr, Counter>,
    /// Accounts that exist have a counter that nothing pushes out.
    accounts: HashMap<String, Counter>,
    /// Names that are nobody's are treated alike, or the wait would tell which names exist.
    others: Cache<String, Counter>,
}

#[derive(Debug, Clone, Copy)]
struct Counter {
    failures: u32,
    last: Timestamp,
}

impl Attempts {
    /// Nobody has failed yet. Which codes were used is kept where the sessions are.
    ///
    /// # Errors
    ///
    /// If the store cannot be opened.
    pub async fn open(store: &config::Store) -> Result<Self, Error> {
        Ok(Self::with(Spent::open(store).await.map_err(Error::Store)?))
    }

    fn with(codes: Spent) -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                addresses: Cache::new(MAX_ENTRIES),
                accounts: HashMap::new(),
                others: Cache::new(MAX_ENTRIES),
            })),
            codes,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    #[cfg(test)]
    pub(super) fn new() -> Self {
        Self::with(Spent::Memory(Arc::default()))
    }

    /// Counts an attempt as a failure, unless its address or its account has to wait. Attempts that
    /// come too early are not counted, so that the wait that was named is enough.
    ///
    /// # Errors
    ///
    /// How long to wait.
    pub(super) fn begin(
        &self,
        now: Timestamp,
        address: IpAddr,
        name: &str,
        exists: bool,
    ) -> Result<(), Duration> {
        let address = network(address);
        let mut state = self.lock();
        let by_address = state.addresses.get(&address).copied();
        let by_name = if exists {
            state.accounts.get(name).copied()
        } else {
            state.others.get(name).copied()
        };
        let by_address = Counter::next(by_address, now)?;
        let by_name = Counter::next(by_name, now)?;
        state.addresses.insert(address, by_address);
        if exists {
            state.accounts.insert(name.to_owned(), by_name);
        } else {
            state.others.insert(name.to_owned(), by_name);
        }
        Ok(())
    }

    /// The attempt was right after all: its address and its account begin anew.
    pub(super) fn succeeded(&self, address: IpAddr, name: &str) {
        let mut state = self.lock();
        state.addresses.remove(&network(address));
        state.accounts.remove(name);
    }

    /// Marks a code's time step as used. Answers whether it was still unused.
    pub(super) async fn spend_code(
        &self,
        name: &str,
        step: u64,
        now: Timestamp,
    ) -> Result<bool, state::Error> {
        self.codes.spend(name, step, now).await
    }

    /// A turn to compute, to be kept while computing; nothing when the queue does not move.
    pub(super) async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        let turn = Arc::clone(&self.turns).acquire_owned();
        tokio::time::timeout(QUEUE, turn).await.ok()?.ok()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counter {
    /// The counter with one more failure, or how long to wait before that.
    fn next(counter: Option<Self>, now: Timestamp) -> Result<Self, Duration> {
        let Some(counter) = counter.filter(|counter| now.since(counter.last) < FORGET) else {
            return Ok(Self {
                failures: 1,
                last: now,
            });
        };
        // Elapsed time is zero when the clock went back, so nobody waits longer than the wait that
        // is due, whatever the clock said before.
        let wait = wait(counter.failures).saturating_sub(now.since(counter.last));
        if !wait.is_zero() {
            return Err(wait);
        }
        Ok(Self {
            failures: counter.failures.saturating_add(1),
            last: now,
        })
    }
}

/// Nothing for the first failures, then 2, 4, 8 seconds and so on.
fn wait(failures: u32) -> Duration {
    match failures.checked_sub(FREE) {
        None => Duration::ZERO,
        Some(more) => {
            Duration::from_secs(1_u64.checked_shl(more + 1).unwrap_or(u64::MAX)).min(MAX_WAIT)
        }
    }
}

/// One customer's network: a single IPv4 address, or the /64 that an IPv6 host can choose from.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let prefix = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(prefix))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(1_000_000 + secs)
    }

    fn fail(attempts: &Attempts, secs: u64, address: IpAddr, name: &str) -> Result<(), u64> {
        attempts
            .begin(at(secs), address, name, name == "admin")
            .map_err(|wait| wait.as_secs())
    }

    #[test]
    fn three_failures_are_free_and_then_the_wait_doubles() {
        for name in ["admin", "nobody"] {
            let attempts = Attempts::new();
            for _ in 0..3 {
                assert_eq!(fail(&attempts, 0, HERE, name), Ok(()));
            }
            assert_eq!(fail(&attempts, 0, HERE, name), Err(2));
            assert_eq!(fail(&attempts, 1, HERE, name), Err(1));
            assert_eq!(fail(&attempts, 2, HERE, name), Ok(()));
            assert_eq!(fail(&attempts, 2, HERE, name), Err(4));
            assert_eq!(fail(&attempts, 6, HERE, name), Ok(()));
            assert_eq!(fail(&attempts, 6, HERE, name), Err(8));
        }
        assert_eq!(wait(100), MAX_WAIT);
        assert_eq!(wait(u32::MAX), MAX_WAIT);
        assert_eq!(wait(11), Duration::from_secs(512));
    }

    #[test]
    fn one_account_cannot_be_guessed_from_many_addresses() {
        let attempts = Attempts::new();
        for host in 0..3 {
            let from = IpAddr::from([198, 51, 100, host]);
            assert_eq!(fail(&attempts, 0, from, "admin"), Ok(()));
        }
        assert_eq!(fail(&attempts, 0, HERE, "admin"), Err(2));
        assert_eq!(fail(&attempts, 0, HERE, "other"), Ok(()));
    }

    #[test]
    fn many_accounts_cannot_be_guessed_from_one_network() {
        let attempts = Attempts::new();
        for host in 0..3_u16 {
            let from = IpAddr::from([0x2001, 0xdb8, 0, 7, host, 1, 2, 3]);
            assert_eq!(fail(&attempts, 0, from, &format!("n{host}")), Ok(()));
        }
        let from = IpAddr::from([0x2001, 0xdb8, 0, 7, 9, 9, 9, 9]);
        assert_eq!(fail(&attempts, 0, from, "n9"), Err(2));
        let mapped = "::ffff:192.0.2.1".parse().unwrap();
        assert_eq!(network(mapped), HERE);
    }

    #[test]
    fn a_flood_of_names_does_not_push_out_an_account() {
        let attempts = Attempts::new();
        for _ in 0..3 {
            fail(&attempts, 0, HERE, "admin").unwrap();
        }
        for n in 0..30_000_u32 {
            let from = IpAddr::from((0x0a00_0000 + n).to_be_bytes());
            fail(&attempts, 0, from, &format!("n{n}")).unwrap();
        }
        let elsewhere = IpAddr::from([203, 0, 113, 9]);
        assert_eq!(fail(&attempts, 0, elsewhere, "admin"), Err(2));
        let state = attempts.lock();
        assert!(state.addresses.len() <= MAX_ENTRIES && state.others.len() <= MAX_ENTRIES);
    }

    #[test]
    fn success_and_a_day_begin_anew() {
        let attempts = Attempts::new();
        for _ in 0..3 {
            fail(&attempts, 0, HERE, "admin").unwrap();
        }
        attempts.succeeded(HERE, "admin");
        assert_eq!(fail(&attempts, 0, HERE, "admin"), Ok(()));
        for secs in [0, 0, 2, 6] {
            fail(&attempts, secs, HERE, "admin").unwrap();
        }
        assert_eq!(fail(&attempts, 6 + 86_400, HERE, "admin"), Ok(()));
        assert_eq!(fail(&attempts, 6 + 86_400, HERE, "admin"), Ok(()));
    }

    #[test]
    fn a_clock_that_goes_back_makes_nobody_wait_for_years() {
        let attempts = Attempts::new();
        for _ in 0..3 {
            fail(&attempts, 500_000_000, HERE, "admin").unwrap();
        }
        assert_eq!(fail(&attempts, 0, HERE, "admin"), Err(2));
    }

    #[test]
    fn a_reload_forgives_nobody() {
        let attempts = Attempts::new();
        for _ in 0..3 {
            fail(&attempts.clone(), 0, HERE, "admin").unwrap();
        }
        assert_eq!(fail(&attempts, 0, HERE, "admin"), Err(2));
    }
}
