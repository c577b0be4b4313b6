//! Recognizes a visitor from a cookie; store, expiry, rotation.
//!
//! The cookie holds a random identifier and its signature, nothing else. Records, their identifiers
//! and the trait of the stores are tower-sessions'; the way from a request to a session is our own,
//! because most requests must not wait for a store: a session that was once loaded stays in memory,
//! and what changes in it is the moment of its last use, which the sweep writes down.
//!
//! What must never happen here: that a store which fails makes a stranger of somebody, or that a
//! session which has ended comes back.

mod administrator;
mod ended;
mod id;
mod limits;
mod live;
mod revoke;
mod rules;
mod store;
mod which;

#[cfg(test)]
mod tests;

pub use ended::{Bell, Endings, Mark};
pub use live::{InUse, Live, Present};
pub use which::{Summary, Which};

use crate::clock::{Clock, Timestamp};
use crate::config;
use crate::identity::Person;
use crate::secret::Secret;
use crate::state::{self, Database};
use crate::telemetry::Metrics;
use ended::Ended;
use http::{HeaderMap, HeaderValue};
use id::SessionId;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use rules::Rules;
use std::convert::Infallible;
use std::sync::Arc;
use store::{MemoryStore, SqliteStore, Store, Touch};
use tower_sessions::session_store;

/// Who is asking.
#[derive(Debug, Clone)]
pub enum Visitor {
    /// Nobody we know.
    Stranger,
    /// A person with a live session.
    Known(Arc<Live>),
}

/// How a person signed in.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum How {
    /// With a provider.
    Provider {
        /// The provider's id in the configuration.
        id: String,
        /// Its issuer.
        issuer: String,
        /// Its unchanging name for the person.
        subject: String,
    },
    /// With the emergency sign-in.
    Backdoor,
}

impl How {
    /// The provider's id, or `backdoor`.
    #[must_use]
    pub fn provider(&self) -> &str {
        match self {
            Self::Provider { id, .. } => id,
            Self::Backdoor => "backdoor",
        }
    }
}

/// What a sign-in hands over to begin a session.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// Who.
    pub person: Person,
    /// How.
    pub how: How,
    /// The ID token, for `id_token_hint` at sign-out. Never leaves the store but for that.
    pub id_token: Option<Secret<String>>,
    /// The person asked to be remembered (and the configuration offers it).
    pub remember: bool,
    /// A limit that replaces the configured ones, e.g. the backdoor's.
    pub max_age: Option<std::time::Duration>,
    /// The provider's name for its session, for its logout channels.
    pub sid: Option<String>,
    /// What looks at the claims again, and when that is due.
    pub upkeep: Option<Upkeep>,
    /// Where the person sat: for their own list of sessions.
    pub client: Option<std::net::IpAddr>,
    /// The `User-Agent`, cut to 256 characters.
    pub browser: Option<String>,
}

/// What keeps a session in step with its provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upkeep {
    /// The refresh token. Never leaves the store but for the provider.
    pub token: Secret<String>,
    /// When the claims have to be looked at again.
    pub due: Timestamp,
}

/// A signed assertion that is still fresh enough to be sent again.
#[derive(Debug)]
pub struct CachedAssertion {
    /// The JWT.
    pub value: HeaderValue,
    /// Send it until then.
    pub fresh_until: Timestamp,
    /// The fingerprint of the key and settings that made it; another one means: sign again.
    pub made_with: u64,
}

/// Everything about sessions. Cheap to clone; clones share store and memory.
#[derive(Debug, Clone)]
pub struct Sessions {
    shared: Arc<Shared>,
    rules: Arc<Rules>,
}

#[derive(Debug)]
struct Shared {
    store: Arc<dyn Store>,
    /// The live sessions that somebody has asked for: each is in the store too.
    known: Cache<SessionId, Arc<Live>, Weigh>,
    ended: Arc<Ended>,
    clock: Clock,
    metrics: Metrics,
}

/// Sessions weigh what they take in memory.
#[derive(Debug, Clone)]
struct Weigh;

impl Weighter<SessionId, Arc<Live>> for Weigh {
    fn weight(&self, _: &SessionId, live: &Arc<Live>) -> u64 {
        live.weight()
    }
}

/// How many bytes of sessions stay in memory. Others are loaded when they are asked for.
const KNOWN_BYTES: u64 = 256 * 1024 * 1024;
/// About how many sessions that is.
const KNOWN_COUNT: usize = 100_000;

/// Why the store could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be opened.
    #[error("the session store cannot be opened")]
    Open(#[source] state::Error),
    /// It did not answer, or answered something impossible.
    #[error("the session store cannot be used")]
    Store(#[from] session_store::Error),
    /// It did not end what it has.
    #[error("the session store cannot end sessions; of those in memory, {over} are over")]
    Revoke {
        /// How many of those in memory.
        over: usize,
        /// Why.
        source: session_store::Error,
    },
}

impl Sessions {
    /// Opens the store.
    ///
    /// # Errors
    ///
    /// If the store cannot be opened or is not ours.
    pub async fn open(
        config: &config::Session,
        https: bool,
        clock: Clock,
        metrics: Metrics,
    ) -> Result<Self, Error> {
        let store: Arc<dyn Store> = match &config.store {
            config::Store::Memory => Arc::new(MemoryStore::new(clock.clone())),
            config::Store::Sqlite(path) => {
                let database = Database::open(path).await.map_err(Error::Open)?;
                Arc::new(SqliteStore::new(database, clock.clone()))
            }
        };
        Ok(Self::with(store, config, https, clock, metrics))
    }

    fn with(
        store: Arc<dyn Store>,
        config: &config::Session,
        https: bool,
        clock: Clock,
        metrics: Metrics,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                store,
                known: Cache::with_weighter(KNOWN_COUNT, KNOWN_BYTES, Weigh),
                ended: Arc::default(),
                clock,
                metrics,
            }),
            rules: Arc::new(Rules::new(config, https)),
        }
    }

    /// The same store and live sessions under other keys, names and limits. `config.store` is not
    /// looked at: another store needs another start.
    #[must_use]
    pub fn reconfigured(&self, config: &config::Session, https: bool) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            rules: Arc::new(Rules::new(config, https)),
        }
    }

    /// Recognizes the visitor from the request's `Cookie` fields. Reads every cookie of our name
    /// (a stale one of another path must not shadow the good one). A session that is in memory
    /// costs no store round trip.
    ///
    /// # Errors
    ///
    /// If the store cannot answer: never "a stranger" then.
    pub async fn recognize(&self, headers: &HeaderMap) -> Result<Visitor, Error> {
        let now = self.shared.clock.now();
        // All cookies are looked up in memory before any is looked up in the store, so that a
        // stale one beside the good one costs nothing.
        let mut unknown = Vec::new();
        for id in self.rules.identifiers(headers) {
            match self.shared.known.get(&id) {
                Some(live) if !self.rules.limits.is_over(&live, now) => {
                    live.touch(now);
                    return Ok(Visitor::Known(live));
                }
                // Over: the sweep takes it away, from here and from the store.
                Some(_) => {}
                None => unknown.push(id),
            }
        }
        for id in unknown {
            if let Some(live) = Box::pin(self.load(id, now)).await? {
                return Ok(Visitor::Known(live));
            }
        }
        Ok(Visitor::Stranger)
    }

    /// Ends `previous` and begins a session under a new identifier. Answers the `Set-Cookie`.
    ///
    /// # Errors
    ///
    /// If the store cannot end the one or keep the other; `previous` is over all the same.
    pub async fn begin(
        &self,
        previous: &Visitor,
        signed_in: SignedIn,
    ) -> Result<(HeaderValue, Arc<Live>), Error> {
        if let Visitor::Known(previous) = previous {
            self.end(previous).await?;
        }
        let shared = &self.shared;
        let now = shared.ended.after_everybody(shared.clock.now());
        let live = Arc::new(self.rules.live(signed_in, now, &shared.ended));
        let mut record = store::record(&live, &live.present(), self.rules.limits.end(&live))?;
        shared.store.create(&mut record).await?;
        shared.metrics.session_begun();
        shared.known.insert(live.id(), Arc::clone(&live));
        // It may have been revoked already, between the store and here.
        if shared.ended.contains(&live.stored()) {
            self.forget(&live);
        }
        Ok((self.rules.cookie(&live), live))
    }

    /// Ends a session, in memory and in the store. [`Sessions::removal`] takes the cookie from the
    /// browser.
    ///
    /// # Errors
    ///
    /// If the store cannot be reached; the session is over all the same, and each sweep tries to
    /// delete it once more.
    pub async fn end(&self, live: &Live) -> Result<(), Error> {
        let shared = &self.shared;
        let id = live.stored();
        // This order: from the first line on, nothing that is loaded gets into memory to stay.
        shared.ended.note(id, shared.clock.now());
        // Of one that is not in memory it is not known whether it still was; the next sweep counts.
        if self.forget(live) {
            shared.metrics.session_ended();
        }
        shared.ended.ring();
        shared.store.delete(&id).await?;
        shared.ended.note_deleted(&id);
        Ok(())
    }

    /// Puts what the provider says now in the place of what it said before, for every request that
    /// comes from now on. No limit of the session moves, and one that has ended meanwhile stays
    /// ended.
    ///
    /// # Errors
    ///
    /// If the store cannot keep it. It is in force all the same, as the old token may work no more,
    /// and each sweep tries to write it once more.
    pub async fn renew(
        &self,
        live: &Live,
        person: Person,
        upkeep: Option<Upkeep>,
    ) -> Result<(), Error> {
        live.renew(&person, upkeep.as_ref());
        // Memory may have lost this one and loaded another of it since.
        match self.shared.known.get(&live.id()) {
            Some(known) if !std::ptr::eq(&*known, live) => {
                known.renew(&person, upkeep.as_ref());
                self.save(&known).await
            }
            _ => self.save(live).await,
        }
    }

    /// Whether this browser comes with a session that somebody has just ended: its person elsewhere,
    /// an administrator, or the provider. One that came to a limit is none.
    #[must_use]
    pub fn were_ended(&self, headers: &HeaderMap) -> bool {
        let ended = &self.shared.ended;
        self.rules
            .identifiers(headers)
            .any(|id| ended.was_ended(&id.stored()))
    }

    /// What open streams listen to.
    #[must_use]
    pub fn endings(&self) -> Endings {
        Endings(Arc::clone(&self.shared.ended))
    }

    /// The `Set-Cookie` that removes the cookie from the browser.
    #[must_use]
    pub fn removal(&self) -> HeaderValue {
        self.rules.removal.clone()
    }

    /// The cookie's name.
    #[must_use]
    pub fn cookie_name(&self) -> &str {
        &self.rules.cookie_name
    }

    /// Removes what has expired from memory and store, and writes down when sessions were last
    /// used. The gateway calls it every minute, and once at the end.
    ///
    /// # Errors
    ///
    /// If the store cannot be reached.
    pub async fn sweep(&self) -> Result<(), Error> {
        let shared = &self.shared;
        let limits = &self.rules.limits;
        let now = shared.clock.now();

        let (mut touches, mut written) = (Vec::new(), Vec::new());
        let mut unsaved = Vec::new();
        for (id, live) in shared.known.iter() {
            // A request that goes on is a use, for the store too.
            if live.is_in_use() {
                live.touch(now);
            }
            let last_used = live.last_used();
            let over = shared
                .known
                .remove_if(&id, |live| limits.is_over(live, now))
                .is_some();
            if over {
                live.finish();
                shared.ended.note_expired(live.stored(), now);
            }
            // Of one that is over, the store may still believe that it goes on, if the limits have
            // changed; with its true end written, it goes with the others below.
            if over || live.is_unwritten(last_used) {
                touches.push(Touch {
                    id: live.stored(),
                    last_used,
                    expires_at: limits.end(&live),
                });
                written.push((Arc::clone(&live), last_used));
            }
            if live.is_unsaved() {
                unsaved.push(live);
            }
        }
        // Also for streams that have missed their own bell: they hear this one.
        shared.ended.ring();

        shared.store.touch(touches).await?;
        for (live, last_used) in written {
            live.note_written(last_used);
        }
        for live in unsaved {
            self.save(&live).await?;
        }
        for id in shared.ended.undeleted() {
            shared.store.delete(&id).await?;
            shared.ended.note_deleted(&id);
        }
        if let Some(until) = shared.ended.everybody_undeleted() {
            shared.store.remove(&Which::All, until).await?;
            shared.ended.note_everybody_deleted();
        }
        shared.ended.sweep(now);
        shared.store.delete_expired(now).await?;
        shared.metrics.sessions(shared.store.count().await?);
        Ok(())
    }

    /// Whether the store answers.
    ///
    /// # Errors
    ///
    /// If not.
    pub async fn ready(&self) -> Result<(), Error> {
        Ok(self.shared.store.ready().await?)
    }

    /// Takes a session out of memory; whether it was there. Its requests that are under way learn
    /// of it too.
    fn forget(&self, live: &Live) -> bool {
        live.finish();
        let known = self.shared.known.remove(&live.id());
        known.is_some_and(|(_, known)| {
            known.finish();
            true
        })
    }

    /// Writes down who the person is at present, until the store has the newest version.
    async fn save(&self, live: &Live) -> Result<(), Error> {
        loop {
            let present = live.kept_present();
            // The store changes what is there and creates nothing.
            let record = store::record(live, &present, self.rules.limits.end(live))?;
            self.shared.store.save(&record).await?;
            if live.note_saved(present.version()) {
                return Ok(());
            }
        }
    }

    async fn load(&self, id: SessionId, now: Timestamp) -> Result<Option<Arc<Live>>, Error> {
        let shared = &self.shared;
        let stored = id.stored();
        if shared.ended.contains(&stored) {
            return Ok(None);
        }
        let Some(record) = shared.store.load(&stored).await? else {
            return Ok(None);
        };
        let Some(live) = store::live(id, record, &shared.ended) else {
            tracing::warn!("a stored session cannot be read and is as good as gone");
            return Ok(None);
        };
        if self.rules.limits.is_over(&live, now) {
            return Ok(None);
        }
        // Another request may have loaded it meanwhile: then both share that one.
        let Ok(live) = shared
            .known
            .get_or_insert_with(&id, || Ok::<_, Infallible>(Arc::new(live)));
        // It may also have ended meanwhile. `end` notes that before it clears the memory, so either
        // it clears what was just put there, or its note is seen here.
        if shared.ended.is_over(live.mark()) {
            self.forget(&live);
            return Ok(None);
        }
        live.touch(now);
        Ok(Some(live))
    }
}
