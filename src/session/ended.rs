//! Sessions that have just ended, so that none of them comes back.
//!
//! A request may be loading a session from the store at the moment in which another one ends it,
//! and would then put it into memory once more. And a store that can be read may still refuse to
//! delete (a full disk). So an end is noted here first; whoever loads looks here before and after.

use super::id::SessionId;
use crate::clock::Timestamp;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// No load takes this long: the store answers or fails within seconds.
const MEMORY: Duration = Duration::from_secs(600);
/// Every one of them cost somebody a sign-in, and most are forgotten after [`MEMORY`].
const MOST: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct Ended(Mutex<HashMap<SessionId, End>>);

#[derive(Debug, Clone, Copy)]
struct End {
    at: Timestamp,
    /// Whether the store has deleted it.
    deleted: bool,
}

impl Ended {
    /// Notes an end, before anything else happens to the session.
    pub(super) fn note(&self, id: SessionId, now: Timestamp) {
        let mut ended = self.lock();
        if ended.len() >= MOST {
            ended.retain(|_, end| !end.deleted);
        }
        // Full of sessions that the store refuses to delete: the others wait for the next sweep.
        if ended.len() < MOST {
            ended.insert(
                id,
                End {
                    at: now,
                    deleted: false,
                },
            );
        }
    }

    /// Notes that the store has deleted the session.
    pub(super) fn note_deleted(&self, id: SessionId) {
        if let Some(end) = self.lock().get_mut(&id) {
            end.deleted = true;
        }
    }

    pub(super) fn contains(&self, id: SessionId) -> bool {
        self.lock().contains_key(&id)
    }

    /// Those that the store still has.
    pub(super) fn undeleted(&self) -> Vec<SessionId> {
        let ended = self.lock();
        let undeleted = ended.iter().filter(|(_, end)| !end.deleted);
        undeleted.map(|(id, _)| *id).collect()
    }

    /// Forgets what no load can bring back any more.
    pub(super) fn sweep(&self, now: Timestamp) {
        self.lock()
            .retain(|_, end| !end.deleted || now.since(end.at) < MEMORY);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, End>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_remembered_until_no_load_can_be_under_way() {
        let (ended, now) = (Ended::default(), Timestamp::from_secs(1000));
        let (gone, stuck) = (SessionId::random(), SessionId::random());
        ended.note(gone, now);
        ended.note(stuck, now);
        ended.note_deleted(gone);
        ended.sweep(now.plus(Duration::from_secs(599)));
        assert!(ended.contains(gone) && ended.contains(stuck));
        ended.sweep(now.plus(Duration::from_secs(600)));
        assert!(!ended.contains(gone));
        assert_eq!(ended.undeleted(), [stuck]);
    }

    #[test]
    fn the_number_of_ends_is_bounded() {
        let (ended, now) = (Ended::default(), Timestamp::from_secs(1000));
        for _ in 0..MOST + 10 {
            let id = SessionId::random();
            ended.note(id, now);
            ended.note_deleted(id);
        }
        assert!(ended.lock().len() <= MOST);
        for _ in 0..MOST + 10 {
            ended.note(SessionId::random(), now);
        }
        assert!(ended.lock().len() <= MOST);
    }
}
