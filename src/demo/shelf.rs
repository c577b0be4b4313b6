//! Values under keys that nobody can guess, for a limited time: codes, tokens, sessions.

use crate::clock::{Clock, Timestamp};
use crate::random;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Keeps at most `capacity` values, each for `lifetime`; the oldest goes first.
#[derive(Debug)]
pub(super) struct Shelf<T> {
    clock: Clock,
    lifetime: Duration,
    capacity: usize,
    entries: Mutex<VecDeque<Entry<T>>>,
}

#[derive(Debug)]
struct Entry<T> {
    key: String,
    until: Timestamp,
    value: T,
}

impl<T> Shelf<T> {
    pub(super) fn new(clock: Clock, lifetime: Duration, capacity: usize) -> Self {
        Self {
            clock,
            lifetime,
            capacity,
            entries: Mutex::default(),
        }
    }

    /// Keeps a value and answers its key.
    pub(super) fn put(&self, value: T) -> String {
        let key = random::token();
        let until = self.clock.now().plus(self.lifetime);
        let mut entries = self.lock();
        while entries.len() >= self.capacity {
            entries.pop_front();
        }
        entries.push_back(Entry {
            key: key.clone(),
            until,
            value,
        });
        key
    }

    /// Removes a value: the second to ask finds nothing.
    pub(super) fn take(&self, key: &str) -> Option<T> {
        let mut entries = self.lock();
        let place = entries.iter().position(|entry| entry.key == key)?;
        let entry = entries.remove(place)?;
        (self.clock.now() < entry.until).then_some(entry.value)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Entry<T>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone> Shelf<T> {
    /// Looks at a value.
    pub(super) fn look(&self, key: &str) -> Option<T> {
        let now = self.clock.now();
        self.lock()
            .iter()
            .find(|entry| entry.key == key && now < entry.until)
            .map(|entry| entry.value.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf(clock: &Clock) -> Shelf<u8> {
        Shelf::new(clock.clone(), Duration::from_secs(60), 2)
    }

    #[test]
    fn a_value_is_taken_once_and_not_after_its_time() {
        let clock = Clock::manual(Timestamp::from_secs(0));
        let shelf = shelf(&clock);
        let (a, b) = (shelf.put(1), shelf.put(2));
        assert_eq!(
            (shelf.look(&a), shelf.take(&a), shelf.take(&a)),
            (Some(1), Some(1), None)
        );
        clock.advance(Duration::from_secs(60));
        assert_eq!((shelf.look(&b), shelf.take(&b)), (None, None));
    }

    #[test]
    fn a_full_shelf_drops_the_oldest() {
        let shelf = shelf(&Clock::system());
        let (a, b, c) = (shelf.put(1), shelf.put(2), shelf.put(3));
        assert_eq!(
            (shelf.look(&a), shelf.look(&b), shelf.look(&c)),
            (None, Some(2), Some(3))
        );
    }
}
