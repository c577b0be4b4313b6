//! Logout tokens that were accepted, so that none works twice.

use crate::clock::Timestamp;
use aws_lc_rs::digest;
use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Only what a provider has signed gets in here. Beyond this the oldest goes: a sign-out that is
/// repeated costs a sign-in, and one that is refused for want of room would leave a session open.
const MOST: usize = 50_000;

type Name = [u8; 32];

#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    names: HashSet<Name>,
    /// In the order in which they came.
    ages: VecDeque<(Timestamp, Name)>,
}

impl Seen {
    /// Notes a name for as long as its token could be accepted. Answers whether it is new.
    pub(super) fn note(&self, name: &str, now: Timestamp, keep: Duration) -> bool {
        let name = hashed(name);
        let mut inner = self.lock();
        while let Some((at, old)) = inner.ages.front().copied() {
            if inner.ages.len() < MOST && now.since(at) < keep {
                break;
            }
            inner.ages.pop_front();
            inner.names.remove(&old);
        }
        let new = inner.names.insert(name);
        if new {
            inner.ages.push_back((now, name));
        }
        new
    }

    /// Forgets a name whose token could not take effect.
    pub(super) fn forget(&self, name: &str) {
        let name = hashed(name);
        let mut inner = self.lock();
        inner.names.remove(&name);
        inner.ages.retain(|(_, old)| *old != name);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One size, however long a name the provider chose.
fn hashed(name: &str) -> Name {
    let mut hashed = Name::default();
    let digest = digest::digest(&digest::SHA256, name.as_bytes());
    for (to, from) in hashed.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    hashed
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: Duration = Duration::from_secs(60);

    #[test]
    fn a_name_is_new_once_and_again_when_its_token_is_too_old_anyway() {
        let (seen, now) = (Seen::default(), Timestamp::from_secs(1000));
        assert!(seen.note("a", now, KEEP));
        assert!(!seen.note("a", now.plus(KEEP - Duration::from_secs(1)), KEEP));
        assert!(seen.note("b", now, KEEP));
        assert!(seen.note("a", now.plus(KEEP), KEEP));
        seen.forget("a");
        assert!(seen.note("a", now.plus(KEEP), KEEP));
    }

    #[test]
    fn the_number_of_names_is_bounded() {
        let (seen, now) = (Seen::default(), Timestamp::from_secs(1000));
        for name in 0..MOST + 10 {
            assert!(seen.note(&name.to_string(), now, KEEP));
        }
        let inner = seen.lock();
        assert_eq!((inner.names.len(), inner.ages.len()), (MOST, MOST));
    }
}
