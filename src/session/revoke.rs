//! Looking sessions up by whose they are, and ending them without their cookies.

use super::live::{self, Live};
use super::store::{self, Traits};
use super::{Error, Sessions, Summary, Which};
use crate::clock::Timestamp;
use crate::identity::Username;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tower_sessions::session::Record;

/// Whatever a session says of when it began: a clock that was set back in between makes it look
/// later than now.
const EVER: Timestamp = Timestamp::from_millis(u64::MAX);

impl Sessions {
    /// The live sessions of a person, or of all, the last used first; at most `limit`.
    ///
    /// # Errors
    ///
    /// If the store cannot answer.
    pub async fn list(
        &self,
        username: Option<&Username>,
        limit: u32,
    ) -> Result<Vec<Summary>, Error> {
        let which = username.map_or(Which::All, |name| Which::Username(name.clone()));
        self.find(&which, limit).await
    }

    /// The live ones of these, the last used first; at most `limit`.
    ///
    /// # Errors
    ///
    /// If the store cannot answer.
    pub async fn find(&self, which: &Which, limit: u32) -> Result<Vec<Summary>, Error> {
        let now = self.shared.clock.now();
        let found = self.shared.store.find(which, now, limit).await?;
        Ok(self.summaries(found, &self.in_memory(which), now))
    }

    /// Ends these sessions, in memory and in the store, and cuts their open streams. Answers those
    /// that ended.
    ///
    /// # Errors
    ///
    /// [`Error::Revoke`] if the store cannot be reached; what is in memory is over all the same, and
    /// each sweep tries to delete it once more.
    pub async fn revoke(&self, which: &Which) -> Result<Vec<Summary>, Error> {
        let shared = &self.shared;
        let now = shared.clock.now();
        let everybody = *which == Which::All;
        if everybody {
            shared.ended.note_everybody(now);
        }
        // Before the store is asked: it may not answer.
        let known = self.in_memory(which);
        for live in &known {
            shared.ended.note(live.stored(), now);
            self.forget(live);
        }
        // Only for an end: a ring wakes every open connection, and a logout of nobody is something
        // that strangers can ask for.
        if everybody || !known.is_empty() {
            shared.ended.ring();
        }

        let over = known.len();
        let removed = shared.store.remove(which, EVER).await;
        let removed = removed.map_err(|source| Error::Revoke { over, source })?;
        for record in &removed {
            shared.ended.note_gone(record.id, now);
        }
        for live in &known {
            shared.ended.note_deleted(&live.stored());
        }
        if everybody {
            shared.ended.note_everybody_deleted();
        }
        // What was loaded meanwhile. `load` looks at the notes after it has put something into
        // memory, so either it is cleared here or there. Who signed in again meanwhile stays.
        let gone: HashSet<_> = removed.iter().map(|record| record.id).collect();
        for (_, live) in shared.known.iter() {
            if gone.contains(&live.stored()) {
                self.forget(&live);
            }
        }
        if everybody || !removed.is_empty() {
            shared.ended.ring();
            // All of it is done; if this fails, the next sweep counts.
            if let Ok(count) = shared.store.count().await {
                shared.metrics.sessions(count);
            }
        }
        Ok(self.summaries(removed, &known, now))
    }

    /// The sessions in memory that are these.
    fn in_memory(&self, which: &Which) -> Vec<Arc<Live>> {
        let known = self.shared.known.iter();
        known
            .filter(|(_, live)| Traits::live_is(live, which))
            .map(|(_, live)| live)
            .collect()
    }

    /// Records without those that are over, with the moments of last use that memory knows.
    fn summaries(&self, records: Vec<Record>, known: &[Arc<Live>], now: Timestamp) -> Vec<Summary> {
        let known: HashMap<_, _> = known.iter().map(|live| (live.stored(), live)).collect();
        let mut summaries: Vec<_> = records
            .into_iter()
            .filter_map(|record| {
                let id = record.id;
                let (facts, present, mut last_used) = store::read(record)?;
                if let Some(live) = known.get(&id) {
                    last_used = last_used.max(live.last_used());
                }
                let end = self.rules.limits.end_of(&facts, last_used);
                (now < end).then(|| live::summary(&id, &facts, &present, last_used))
            })
            .collect();
        summaries.sort_by(|a, b| (b.last_used, &b.handle).cmp(&(a.last_used, &a.handle)));
        summaries
    }
}
