//! One value that is fetched when needed and kept while it is good.
//!
//! A good value stays until a new one has parsed; a failure is remembered and answers everybody
//! for a while, so that a provider that is down is not asked by every visitor; one caller fetches
//! while the others wait. Readers take no lock, and nothing is locked across an `.await`: a
//! semaphore's permit lets one fetch at a time through.

use super::error::Error;
use crate::clock::{Clock, Timestamp};
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// The first pause after a failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause after a failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The least time between two fetches of a value that is still fresh.
const RENEWAL_PAUSE: Duration = Duration::from_secs(10);

/// A value and when it came.
#[derive(Debug)]
pub(super) struct Entry<T> {
    /// The value.
    pub(super) value: Arc<T>,
    /// When it was fetched.
    pub(super) at: Timestamp,
    generation: u64,
}

// Derived `Clone` would ask the same of `T`.
impl<T> Clone for Entry<T> {
    fn clone(&self) -> Self {
        Self {
            value: Arc::clone(&self.value),
            at: self.at,
            generation: self.generation,
        }
    }
}

struct State<T> {
    entry: Option<Entry<T>>,
    failures: u32,
    retry_at: Timestamp,
    last_error: Option<(Timestamp, Arc<Error>)>,
    renewed_at: Option<Timestamp>,
}

/// The kept value.
pub(super) struct Cached<T> {
    state: ArcSwap<State<T>>,
    /// Whoever holds the permit may fetch, and is the only one to replace the state.
    flight: Semaphore,
    max_age: Duration,
    clock: Clock,
}

impl<T> Cached<T> {
    pub(super) fn new(max_age: Duration, clock: Clock) -> Self {
        Self {
            state: ArcSwap::from_pointee(State {
                entry: None,
                failures: 0,
                retry_at: Timestamp::from_millis(0),
                last_error: None,
                renewed_at: None,
            }),
            flight: Semaphore::new(1),
            max_age,
            clock,
        }
    }

    /// The value as it is now, however old.
    pub(super) fn peek(&self) -> Option<Entry<T>> {
        self.state.load().entry.clone()
    }

    /// The last failure.
    pub(super) fn last_error(&self) -> Option<(Timestamp, Arc<Error>)> {
        self.state.load().last_error.clone()
    }

    /// The value: kept, or fetched when there is none or it is old. While fetching fails, the old
    /// one serves.
    pub(super) async fn get(
        &self,
        fetch: impl Future<Output = Result<T, Error>>,
    ) -> Result<Entry<T>, Error> {
        if let Some(entry) = self.fresh() {
            return Ok(entry);
        }
        // The semaphore is never closed, and a failure to wait would only mean one fetch more.
        let _flight = self.flight.acquire().await;
        if let Some(entry) = self.fresh() {
            return Ok(entry);
        }
        let state = self.state.load_full();
        let fetched = match self.cooling(&state) {
            Some(error) => Err(error),
            None => self.fetch(fetch, false).await,
        };
        match (fetched, &state.entry) {
            (Err(error), Some(old)) => {
                tracing::warn!(%error, "the old copy serves, because a new one cannot be had");
                Ok(old.clone())
            }
            (fetched, _) => fetched,
        }
    }

    /// A value newer than `seen`, which turned out not to be enough; `None` when there is none to
    /// be had: another renewal was just before, or fetching fails.
    pub(super) async fn renew(
        &self,
        seen: &Entry<T>,
        fetch: impl Future<Output = Result<T, Error>>,
    ) -> Option<Entry<T>> {
        let _flight = self.flight.acquire().await;
        let state = self.state.load_full();
        if let Some(entry) = &state.entry
            && entry.generation > seen.generation
        {
            return Some(entry.clone());
        }
        let now = self.clock.now();
        let just_renewed = state
            .renewed_at
            // A renewal in the future means that the clock was set back.
            .is_some_and(|at| at <= now && now.since(at) < RENEWAL_PAUSE);
        if just_renewed || self.cooling(&state).is_some() {
            return None;
        }
        match self.fetch(fetch, true).await {
            Ok(entry) => Some(entry),
            Err(error) => {
                tracing::warn!(%error, "the old copy serves, because a new one cannot be had");
                None
            }
        }
    }

    fn fresh(&self) -> Option<Entry<T>> {
        let now = self.clock.now();
        self.peek()
            .filter(|entry| now.since(entry.at) < self.max_age)
    }

    /// The remembered failure, while it stands.
    fn cooling(&self, state: &State<T>) -> Option<Error> {
        let retry_in = state.retry_at.since(self.clock.now());
        // More than the longest pause means that the clock was set back.
        if retry_in.is_zero() || retry_in > LONGEST_PAUSE {
            return None;
        }
        let (_, error) = state.last_error.as_ref()?;
        Some(Error::CoolingDown {
            retry_in,
            source: Arc::clone(error),
        })
    }

    /// Fetches and replaces the state. The caller holds the permit.
    async fn fetch(
        &self,
        fetch: impl Future<Output = Result<T, Error>>,
        renewal: bool,
    ) -> Result<Entry<T>, Error> {
        let fetched = fetch.await;
        let now = self.clock.now();
        let old = self.state.load_full();
        let renewed_at = if renewal { Some(now) } else { old.renewed_at };
        match fetched {
            Ok(value) => {
                let entry = Entry {
                    value: Arc::new(value),
                    at: now,
                    generation: old.entry.as_ref().map_or(0, |entry| entry.generation) + 1,
                };
                self.state.store(Arc::new(State {
                    entry: Some(entry.clone()),
                    failures: 0,
                    retry_at: Timestamp::from_millis(0),
                    last_error: old.last_error.clone(),
                    renewed_at,
                }));
                Ok(entry)
            }
            Err(error) => {
                let error = Arc::new(error);
                let pause = FIRST_PAUSE
                    .saturating_mul(1 << old.failures.min(6))
                    .min(LONGEST_PAUSE);
                self.state.store(Arc::new(State {
                    entry: old.entry.clone(),
                    failures: old.failures.saturating_add(1),
                    retry_at: now.plus(pause),
                    last_error: Some((now, Arc::clone(&error))),
                    renewed_at,
                }));
                Err(Error::CoolingDown {
                    retry_in: pause,
                    source: error,
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    struct Fixture {
        clock: Clock,
        cached: Cached<u32>,
        fetches: AtomicU32,
    }

    impl Fixture {
        fn new() -> Self {
            let clock = Clock::manual(Timestamp::from_secs(1_000_000));
            Self {
                cached: Cached::new(Duration::from_secs(3600), clock.clone()),
                clock,
                fetches: AtomicU32::new(0),
            }
        }
        async fn fetch(&self, answer: Option<u32>) -> Result<u32, Error> {
            self.fetches.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            answer.ok_or(Error::KeysMissing)
        }
        async fn get(&self, answer: Option<u32>) -> Option<u32> {
            let got = self.cached.get(self.fetch(answer)).await;
            got.ok().map(|entry| *entry.value)
        }
        async fn renew(&self, answer: Option<u32>) -> Option<u32> {
            let seen = self.cached.peek().unwrap();
            let got = self.cached.renew(&seen, self.fetch(answer)).await;
            got.map(|entry| *entry.value)
        }
        fn fetches(&self) -> u32 {
            self.fetches.load(Ordering::SeqCst)
        }
    }

    #[tokio::test]
    async fn a_value_is_fetched_once_and_again_when_old() {
        let it = Fixture::new();
        assert_eq!(it.get(Some(1)).await, Some(1));
        assert_eq!(it.get(Some(2)).await, Some(1));
        it.clock.advance(Duration::from_secs(3600));
        assert_eq!(it.get(Some(3)).await, Some(3));
        assert_eq!(it.fetches(), 2);
    }

    #[tokio::test]
    async fn the_old_value_serves_while_fetching_fails() {
        let it = Fixture::new();
        it.get(Some(1)).await;
        it.clock.advance(Duration::from_secs(4000));
        assert_eq!(it.get(None).await, Some(1));
        assert_eq!(it.renew(None).await, None);
        assert_eq!(it.get(Some(2)).await, Some(1), "cooling down");
        it.clock.advance(Duration::from_secs(2));
        assert_eq!(it.get(Some(2)).await, Some(2));
    }

    #[tokio::test]
    async fn failures_are_remembered_for_twice_as_long_each_time_up_to_a_minute() {
        let it = Fixture::new();
        for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
            let before = it.fetches();
            assert_eq!(it.get(None).await, None);
            assert_eq!(it.fetches(), before + 1);
            it.clock.advance(Duration::from_millis(pause * 1000 - 1));
            assert_eq!(it.get(Some(1)).await, None);
            assert_eq!(it.fetches(), before + 1);
            it.clock.advance(Duration::from_millis(1));
        }
        assert_eq!(it.get(Some(1)).await, Some(1));
    }

    #[tokio::test]
    async fn a_renewal_is_throttled_but_the_first_is_not() {
        let it = Fixture::new();
        it.get(Some(1)).await;
        assert_eq!(it.renew(Some(2)).await, Some(2));
        assert_eq!(it.renew(Some(3)).await, None);
        it.clock.advance(Duration::from_secs(10));
        assert_eq!(it.renew(Some(4)).await, Some(4));
    }

    #[tokio::test]
    async fn many_callers_at_once_cause_one_fetch() {
        let it = Fixture::new();
        let all = futures_util::future::join_all((0..20).map(|n| it.get(Some(n)))).await;
        assert!(all.iter().all(|got| *got == Some(0)), "{all:?}");
        let all = futures_util::future::join_all((0..20).map(|_| it.renew(Some(77)))).await;
        assert!(all.iter().all(|got| *got == Some(77)), "{all:?}");
        assert_eq!(it.fetches(), 2);
    }

    #[tokio::test]
    async fn a_caller_who_goes_away_does_not_block_the_next() {
        let it = Fixture::new();
        tokio::select! {
            biased;
            _ = it.cached.get(std::future::pending()) => unreachable!(),
            () = tokio::task::yield_now() => {}
        }
        assert_eq!(it.get(Some(1)).await, Some(1));
    }

    #[tokio::test]
    async fn a_clock_set_back_ends_the_pause() {
        // A manual clock only moves forward, so this one begins with a failure from the future.
        let it = Fixture::new();
        it.clock.advance(Duration::from_secs(7200));
        it.get(None).await;
        let back = Cached {
            state: ArcSwap::from(it.cached.state.load_full()),
            flight: Semaphore::new(1),
            max_age: Duration::from_secs(3600),
            clock: Clock::manual(Timestamp::from_secs(1_000_000)),
        };
        assert!(back.get(async { Ok(5) }).await.is_ok());
    }
}
