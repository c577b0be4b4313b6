//! Sessions that have just ended, so that none of them comes back and none of their streams goes on.
//!
//! A request may be loading a session from the store at the moment in which another one ends it,
//! and would then put it into memory once more. And a store that can be read may still refuse to
//! delete (a full disk). So an end is noted here first; whoever loads looks here before and after.
//!
//! Whoever keeps a stream open listens to the bell, which rings after ends were noted, and looks
//! whether its own session is among them. That costs nothing until something ends.

use crate::clock::Timestamp;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tower_sessions::session::Id;

/// No load takes this long: the store answers or fails within seconds.
const MEMORY: Duration = Duration::from_secs(600);
/// Every one of them cost somebody a sign-in, and most are forgotten after [`MEMORY`].
const MOST: usize = 100_000;

/// Names a session to what has to end with it. Nobody's is the default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark {
    /// Half of the store's name for it; zero for none.
    pub(crate) name: u64,
    /// When it began, in milliseconds since 1970.
    pub(crate) since: u64,
}

impl Mark {
    pub(super) fn of(id: &Id, since: Timestamp) -> Self {
        Self {
            name: name(id),
            since: since.as_millis(),
        }
    }
}

/// Tells open streams that sessions have ended. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Endings(pub(super) Arc<Ended>);

impl Endings {
    /// Waits until sessions end, from the moment of the call on. For a task that is polled often and
    /// rung hardly ever: see [`Bell`].
    #[must_use]
    pub fn bell(&self) -> Bell<'_> {
        Bell {
            // Before the waiting: what rings in between is asked for once too often, and not missed.
            rings: self.0.rings.load(SeqCst),
            rung: Box::pin(self.0.bell.notified()),
            hung: false,
            ended: &self.0,
        }
    }

    /// Whether this session is among those that have just ended. For whoever was rung.
    #[must_use]
    pub fn include(&self, mark: Mark) -> bool {
        mark != Mark::default() && self.0.is_over(mark)
    }

    /// Ends with the session.
    pub async fn over(&self, mark: Mark) {
        loop {
            // Before the look: what is noted after it rings this bell.
            let rung = self.0.bell.notified();
            if self.include(mark) {
                return;
            }
            rung.await;
        }
    }
}

/// What [`Endings::bell`] answers. Every poll of a [`Notify`] takes the one lock of all who wait;
/// asked again without a ring in between, this costs a comparison. So whoever asked first is the one
/// that is woken: it belongs into a task that awaits it itself, whose waker never changes.
#[derive(Debug)]
pub struct Bell<'a> {
    ended: &'a Ended,
    rings: u64,
    rung: Pin<Box<Notified<'a>>>,
    hung: bool,
}

impl Future for Bell<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.hung && self.ended.rings.load(SeqCst) == self.rings {
            return Poll::Pending;
        }
        self.hung = true;
        self.rung.as_mut().poll(context)
    }
}

#[derive(Debug, Default)]
pub(super) struct Ended {
    notes: Mutex<HashMap<u64, End>>,
    /// Whoever signed in until then (milliseconds since 1970) is over, noted or not.
    everybody: AtomicU64,
    /// The store still has some of them.
    everybody_stored: AtomicBool,
    bell: Notify,
    /// How often it has rung.
    rings: AtomicU64,
}

#[derive(Debug, Clone, Copy)]
struct End {
    id: Id,
    at: Timestamp,
    /// Whether the store has deleted it.
    deleted: bool,
    /// Whether it ended by itself, at one of its limits.
    expired: bool,
}

impl Ended {
    /// Notes an end, before anything else happens to the session.
    pub(super) fn note(&self, id: Id, now: Timestamp) {
        self.insert(End {
            id,
            at: now,
            deleted: false,
            expired: false,
        });
    }

    /// Notes the end of one that the store does not have any more.
    pub(super) fn note_gone(&self, id: Id, now: Timestamp) {
        self.insert(End {
            id,
            at: now,
            deleted: true,
            expired: false,
        });
    }

    /// Notes the end of one that came to a limit, which the store is about to delete by itself.
    pub(super) fn note_expired(&self, id: Id, now: Timestamp) {
        self.insert(End {
            id,
            at: now,
            deleted: true,
            expired: true,
        });
    }

    fn insert(&self, end: End) {
        let mut ended = self.lock();
        if ended.len() >= MOST {
            ended.retain(|_, end| !end.deleted);
        }
        // Full of sessions that the store refuses to delete: the others wait for the next sweep.
        if ended.len() < MOST {
            ended.insert(name(&end.id), end);
        }
    }

    /// Notes that the store has deleted the session.
    pub(super) fn note_deleted(&self, id: &Id) {
        if let Some(end) = self.lock().get_mut(&name(id)) {
            end.deleted = true;
        }
    }

    /// Notes that everybody's session is over who signed in until now.
    pub(super) fn note_everybody(&self, now: Timestamp) {
        self.everybody.fetch_max(now.as_millis(), SeqCst);
        self.everybody_stored.store(true, SeqCst);
    }

    /// When a session begins of which `now` is the time: after the last of these notes, also if the
    /// clock was set back, or has not moved since.
    pub(super) fn after_everybody(&self, now: Timestamp) -> Timestamp {
        let noted = self.everybody.load(SeqCst);
        now.max(Timestamp::from_millis(noted.saturating_add(1)))
    }

    /// Notes that the store has deleted all of these.
    pub(super) fn note_everybody_deleted(&self) {
        self.everybody_stored.store(false, SeqCst);
    }

    /// Until when everybody's sessions are over that the store still has.
    pub(super) fn everybody_undeleted(&self) -> Option<Timestamp> {
        let until = Timestamp::from_millis(self.everybody.load(SeqCst));
        self.everybody_stored.load(SeqCst).then_some(until)
    }

    /// Tells open streams to look here.
    pub(super) fn ring(&self) {
        self.rings.fetch_add(1, SeqCst);
        self.bell.notify_waiters();
    }

    pub(super) fn contains(&self, id: &Id) -> bool {
        self.lock().contains_key(&name(id))
    }

    /// Whether somebody has ended this one a moment ago.
    pub(super) fn was_ended(&self, id: &Id) -> bool {
        let ended = self.lock();
        ended.get(&name(id)).is_some_and(|end| !end.expired)
    }

    pub(super) fn is_over(&self, mark: Mark) -> bool {
        mark.since <= self.everybody.load(SeqCst) || self.lock().contains_key(&mark.name)
    }

    /// Those that the store still has.
    pub(super) fn undeleted(&self) -> Vec<Id> {
        let ended = self.lock();
        let undeleted = ended.values().filter(|end| !end.deleted);
        undeleted.map(|end| end.id).collect()
    }

    /// Forgets what no load can bring back any more.
    pub(super) fn sweep(&self, now: Timestamp) {
        self.lock()
            .retain(|_, end| !end.deleted || now.since(end.at) < MEMORY);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, End>> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 64 bits of a digest: no two of the sessions that a gateway ever has share them.
fn name(id: &Id) -> u64 {
    let bytes = id.0.to_be_bytes();
    let half = bytes.first_chunk().copied().unwrap_or_default();
    u64::from_be_bytes(half).max(1)
}

#[cfg(test)]
mod tests {
    use super::super::id::SessionId;
    use super::*;
    use futures_util::FutureExt;

    fn id() -> Id {
        SessionId::random().stored()
    }

    #[test]
    fn an_end_is_remembered_until_no_load_can_be_under_way() {
        let (ended, now) = (Ended::default(), Timestamp::from_secs(1000));
        let (gone, stuck) = (id(), id());
        ended.note(gone, now);
        ended.note(stuck, now);
        ended.note_deleted(&gone);
        ended.sweep(now.plus(Duration::from_secs(599)));
        assert!(ended.contains(&gone) && ended.contains(&stuck));
        ended.sweep(now.plus(Duration::from_secs(600)));
        assert!(!ended.contains(&gone));
        assert_eq!(ended.undeleted(), [stuck]);
    }

    #[test]
    fn what_came_to_a_limit_was_ended_by_nobody() {
        let (ended, now) = (Ended::default(), Timestamp::from_secs(1000));
        let (revoked, expired) = (id(), id());
        ended.note_gone(revoked, now);
        ended.note_expired(expired, now);
        assert!(ended.was_ended(&revoked));
        assert!(ended.contains(&expired) && !ended.was_ended(&expired));
    }

    #[test]
    fn the_number_of_ends_is_bounded() {
        let (ended, now) = (Ended::default(), Timestamp::from_secs(1000));
        for _ in 0..MOST + 10 {
            ended.note_gone(id(), now);
        }
        assert!(ended.lock().len() <= MOST);
        for _ in 0..MOST + 10 {
            ended.note(id(), now);
        }
        assert!(ended.lock().len() <= MOST);
    }

    #[test]
    fn the_bell_wakes_the_streams_of_what_has_ended_and_no_others() {
        let (endings, now) = (Endings::default(), Timestamp::from_secs(1000));
        let (ended, goes_on) = (id(), id());
        let mut over = Box::pin(endings.over(Mark::of(&ended, now)));
        let mut other = Box::pin(endings.over(Mark::of(&goes_on, now)));
        let mut nobody = Box::pin(endings.over(Mark::default()));
        assert!(over.as_mut().now_or_never().is_none());
        assert!(other.as_mut().now_or_never().is_none());
        endings.0.note(ended, now);
        endings.0.ring();
        assert!(over.now_or_never().is_some());
        assert!(other.as_mut().now_or_never().is_none());

        endings.0.note_everybody(now);
        endings.0.ring();
        assert!(other.now_or_never().is_some());
        assert!(nobody.as_mut().now_or_never().is_none());
        let later = Mark::of(&id(), now.plus(Duration::from_millis(1)));
        assert!(!endings.include(later));
    }

    #[test]
    fn a_bell_is_heard_before_and_after_it_was_asked() {
        let endings = Endings::default();
        let mut bell = endings.bell();
        endings.0.ring();
        assert!((&mut bell).now_or_never().is_some());

        let mut bell = endings.bell();
        for _ in 0..3 {
            assert!((&mut bell).now_or_never().is_none());
        }
        endings.0.ring();
        assert!((&mut bell).now_or_never().is_some());
    }
}
