//! One flight per person: whoever writes about somebody has their turn, and everybody else waits.

use super::Error;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::OwnedMutexGuard;

/// How many people are being made known at once, those who wait included only once.
pub(super) const MOST: usize = 10_000;

type Lock = Arc<tokio::sync::Mutex<()>>;

/// The people whose turn somebody has or waits for.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns(Arc<Mutex<HashMap<String, Lock>>>);

/// A turn, until dropped.
#[derive(Debug)]
pub(super) struct Turn {
    // In this order: the lock is free before the place is given back.
    _guard: OwnedMutexGuard<()>,
    _place: Place,
}

/// An interest in somebody's lock, which is forgotten with the last one.
#[derive(Debug)]
struct Place {
    turns: Turns,
    key: String,
    lock: Lock,
}

impl Turns {
    /// Waits for the turn of the person of this key. `target` is for the message.
    pub(super) async fn take(&self, key: String, target: &'static str) -> Result<Turn, Error> {
        let place = self.place(key, target)?;
        let guard = Arc::clone(&place.lock).lock_owned().await;
        Ok(Turn {
            _guard: guard,
            _place: place,
        })
    }

    fn place(&self, key: String, target: &'static str) -> Result<Place, Error> {
        let mut map = self.map();
        if map.len() >= MOST && !map.contains_key(&key) {
            return Err(Error::Busy { target, most: MOST });
        }
        let lock = Arc::clone(map.entry(key.clone()).or_default());
        drop(map);
        Ok(Place {
            turns: self.clone(),
            key,
            lock,
        })
    }

    fn map(&self) -> MutexGuard<'_, HashMap<String, Lock>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.map().len()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut map = self.turns.map();
        // The map's and ours: nobody else has it, and nobody can get it while the map is locked.
        if Arc::strong_count(&self.lock) == 2 {
            map.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn one_person_is_one_turn_and_nobody_is_remembered() {
        let turns = Turns::default();
        let ana = turns.take("ana".into(), "t").await.unwrap();
        let bob = turns.take("bob".into(), "t").await.unwrap();
        let mut second = Box::pin(turns.take("ana".into(), "t"));
        assert!(second.as_mut().now_or_never().is_none());
        assert_eq!(turns.len(), 2);
        drop(ana);
        let second = second.await.unwrap();
        // Somebody who does not want to wait any more.
        let mut third = Box::pin(turns.take("ana".into(), "t"));
        assert!(third.as_mut().now_or_never().is_none());
        drop(second);
        drop(third);
        drop(bob);
        assert_eq!(turns.len(), 0);
    }

    #[tokio::test]
    async fn there_is_a_limit() {
        let turns = Turns::default();
        let mut held = Vec::new();
        for n in 0..MOST {
            held.push(turns.take(n.to_string(), "t").await.unwrap());
        }
        let error = turns.take("ana".into(), "t").await.unwrap_err();
        assert_eq!(error.code(), "provisioning_busy");
        drop(held);
        assert_eq!(turns.len(), 0);
    }
}
