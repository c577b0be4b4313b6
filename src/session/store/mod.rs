//! Where sessions are kept: what `session` asks of a store beyond tower-sessions' trait, and the
//! row that both stores hold.

mod memory;
mod sqlite;
mod traits;

pub(super) use memory::MemoryStore;
pub(super) use sqlite::SqliteStore;
pub(super) use traits::Traits;

use super::ended::Ended;
use super::id::SessionId;
use super::limits::Kind;
use super::live::{Facts, Live, Present};
use super::{How, Upkeep, Which};
use crate::clock::Timestamp;
use crate::identity::Person;
use crate::secret::Secret;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use time::OffsetDateTime;
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result};
use traits::Index;

/// The facts of a session, in [`Record::data`].
const FACTS: &str = "session";
/// When it was last used, in milliseconds since 1970, in [`Record::data`].
const LAST_USED: &str = "last_used";

/// A store of sessions.
///
/// Of [`SessionStore`]: `create` fails for an id that is there, as an id is derived from a cookie
/// and cannot be changed to another; `save` changes what is there and never creates, so that an
/// ended session does not come back; `load` does not find what has expired.
#[async_trait]
pub(super) trait Store: SessionStore {
    /// Writes down when sessions were last used, and when they end therefore. What is not there is
    /// not created.
    async fn touch(&self, used: Vec<Touch>) -> Result<()>;
    /// Deletes what has expired by now.
    async fn delete_expired(&self, now: Timestamp) -> Result<()>;
    /// Those of these that have not expired by now, the last used first, at most `limit`.
    async fn find(&self, which: &Which, now: Timestamp, limit: u32) -> Result<Vec<Record>>;
    /// Deletes those of these that began until then, all or none, and answers them, expired ones
    /// included.
    async fn remove(&self, which: &Which, until: Timestamp) -> Result<Vec<Record>>;
    /// How many sessions there are, expired ones that are not deleted yet included.
    async fn count(&self) -> Result<usize>;
    /// Whether the store could take a session.
    async fn ready(&self) -> Result<()>;
}

/// A session was used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Touch {
    pub(super) id: Id,
    pub(super) last_used: Timestamp,
    pub(super) expires_at: Timestamp,
}

/// [`Facts`] as written.
#[derive(Serialize, Deserialize)]
struct StoredFacts {
    person: Person,
    how: How,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upkeep: Option<StoredUpkeep>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    browser: Option<String>,
    kind: Kind,
    signed_in_at: u64,
    expires_at: u64,
}

/// [`Upkeep`] as written.
#[derive(Serialize, Deserialize)]
struct StoredUpkeep {
    token: String,
    due: u64,
}

/// What the store shall keep of a session that ends at `end` if it is not used again.
pub(super) fn record(live: &Live, present: &Present, end: Timestamp) -> Result<Record> {
    let facts = live.facts();
    let stored = StoredFacts {
        person: present.person().clone(),
        how: facts.how.clone(),
        id_token: facts.id_token.as_ref().map(|token| token.expose().clone()),
        sid: facts.sid.clone(),
        upkeep: present.upkeep().map(|upkeep| StoredUpkeep {
            token: upkeep.token.expose().clone(),
            due: upkeep.due.as_millis(),
        }),
        client: facts.client,
        browser: facts.browser.clone(),
        kind: facts.kind,
        signed_in_at: facts.signed_in_at.as_millis(),
        expires_at: facts.expires_at.as_millis(),
    };
    let stored = serde_json::to_value(stored).map_err(|e| Error::Encode(e.to_string()))?;
    let last_used = live.last_used().as_millis().into();
    Ok(Record {
        id: live.stored(),
        data: [
            (FACTS.to_owned(), stored),
            (LAST_USED.to_owned(), last_used),
        ]
        .into(),
        expiry_date: date(end),
    })
}

/// The session that a record holds; none if another version has written it in another way.
pub(super) fn live(id: SessionId, record: Record, ended: &Arc<Ended>) -> Option<Live> {
    let (facts, present, last_used) = read(record)?;
    Some(Live::new(id, facts, present, last_used, ended))
}

/// What a record holds; none if another version has written it in another way.
pub(super) fn read(mut record: Record) -> Option<(Facts, Present, Timestamp)> {
    let last_used = record.data.get(LAST_USED)?.as_u64()?;
    let stored: StoredFacts = serde_json::from_value(record.data.remove(FACTS)?).ok()?;
    let facts = Facts {
        how: stored.how,
        id_token: stored.id_token.map(Secret::new),
        sid: stored.sid,
        client: stored.client,
        browser: stored.browser,
        kind: stored.kind,
        signed_in_at: Timestamp::from_millis(stored.signed_in_at),
        expires_at: Timestamp::from_millis(stored.expires_at),
    };
    let upkeep = stored.upkeep.map(|upkeep| Upkeep {
        token: Secret::new(upkeep.token),
        due: Timestamp::from_millis(upkeep.due),
    });
    let present = Present::new(stored.person, upkeep);
    Some((facts, present, Timestamp::from_millis(last_used)))
}

/// A record as both stores hold it: the times, which change, beside the text, which does not and
/// holds tokens, so it does not print itself.
#[derive(Clone)]
struct Row {
    id: Id,
    expires_at: Timestamp,
    last_used: Timestamp,
    data: String,
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Row {
    fn of(record: &Record) -> Result<Self> {
        let last_used = record
            .data
            .get(LAST_USED)
            .and_then(serde_json::Value::as_u64);
        Ok(Self {
            id: record.id,
            expires_at: timestamp(record.expiry_date),
            last_used: Timestamp::from_millis(last_used.unwrap_or_default()),
            data: serde_json::to_string(&record.data).map_err(|e| Error::Encode(e.to_string()))?,
        })
    }

    fn record(self) -> Result<Record> {
        let mut record = Record {
            id: self.id,
            data: serde_json::from_str(&self.data).map_err(|e| Error::Decode(e.to_string()))?,
            expiry_date: date(self.expires_at),
        };
        let last_used = self.last_used.as_millis().into();
        record.data.insert(LAST_USED.to_owned(), last_used);
        Ok(record)
    }
}

/// Saturates at the end of the calendar, which is far beyond any limit.
fn date(at: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.as_millis()) * 1_000_000).unwrap_or(
        OffsetDateTime::new_utc(time::Date::MAX, time::Time::MIDNIGHT),
    )
}

/// Saturates at the epoch.
fn timestamp(date: OffsetDateTime) -> Timestamp {
    let millis = date.unix_timestamp_nanos().max(0) / 1_000_000;
    Timestamp::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}
