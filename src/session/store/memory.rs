//! Sessions that end with the process.

use super::super::Which;
use super::{Index, Row, Store, Touch};
use crate::clock::{Clock, Timestamp};
use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result};

/// As many sessions as are kept. Each of them cost somebody a sign-in.
const MOST: usize = 200_000;

/// A map. tower-sessions' own `MemoryStore` asks the operating system for the time.
#[derive(Debug, Clone)]
pub(in crate::session) struct MemoryStore {
    rows: Arc<Mutex<HashMap<Id, (Row, Index)>>>,
    clock: Clock,
}

impl MemoryStore {
    pub(in crate::session) fn new(clock: Clock) -> Self {
        Self {
            rows: Arc::default(),
            clock,
        }
    }

    fn rows(&self) -> MutexGuard<'_, HashMap<Id, (Row, Index)>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SessionStore for MemoryStore {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let (row, index) = (Row::of(record)?, Index::of(record));
        let mut rows = self.rows();
        if rows.contains_key(&row.id) {
            return Err(Error::Backend("the session is there already".to_owned()));
        }
        if rows.len() >= MOST {
            // The one that would be the first to go anyway.
            let first = rows
                .values()
                .min_by_key(|(row, _)| row.expires_at)
                .map(|(row, _)| row.id);
            first.and_then(|id| rows.remove(&id));
        }
        rows.insert(row.id, (row, index));
        Ok(())
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let new = (Row::of(record)?, Index::of(record));
        if let Some(row) = self.rows().get_mut(&record.id) {
            *row = new;
        }
        Ok(())
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let now = self.clock.now();
        let row = self.rows().get(id).cloned();
        row.map(|(row, _)| row)
            .filter(|row| row.expires_at > now)
            .map(Row::record)
            .transpose()
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.rows().remove(id);
        Ok(())
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn touch(&self, used: Vec<Touch>) -> Result<()> {
        let mut rows = self.rows();
        for touch in used {
            if let Some((row, _)) = rows.get_mut(&touch.id) {
                row.last_used = touch.last_used;
                row.expires_at = touch.expires_at;
            }
        }
        Ok(())
    }

    async fn delete_expired(&self, now: Timestamp) -> Result<()> {
        self.rows().retain(|_, (row, _)| row.expires_at > now);
        Ok(())
    }

    async fn find(&self, which: &Which, now: Timestamp, limit: u32) -> Result<Vec<Record>> {
        let mut found: Vec<Row> = self
            .rows()
            .iter()
            .filter(|(id, (row, index))| {
                row.expires_at > now && index.is(**id, which, Timestamp::from_millis(u64::MAX))
            })
            .map(|(_, (row, _))| row.clone())
            .collect();
        found.sort_by_key(|row| std::cmp::Reverse((row.last_used, row.id.0)));
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        found.into_iter().map(Row::record).collect()
    }

    async fn remove(&self, which: &Which, until: Timestamp) -> Result<Vec<Record>> {
        let removed: Vec<Row> = self
            .rows()
            .extract_if(|id, (_, index)| index.is(*id, which, until))
            .map(|(_, (row, _))| row)
            .collect();
        removed.into_iter().map(Row::record).collect()
    }

    async fn count(&self) -> Result<usize> {
        Ok(self.rows().len())
    }

    async fn ready(&self) -> Result<()> {
        Ok(())
    }
}
