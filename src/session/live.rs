//! A session in memory: what stays while it lives, and what its provider says at present.

use super::ended::{Ended, Endings, Mark};
use super::id::SessionId;
use super::limits::Kind;
use super::{CachedAssertion, How, Summary, Upkeep};
use crate::clock::Timestamp;
use crate::identity::Person;
use crate::secret::Secret;
use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{Relaxed, SeqCst},
};
use std::time::Duration;
use tower_sessions::session::Id;

/// Bounces further apart than this do not belong together.
const BOUNCE_WINDOW: Duration = Duration::from_secs(30);
/// As many bounces as are told apart.
const BOUNCES: usize = 8;

/// A live session, shared by all its requests.
#[derive(Debug)]
pub struct Live {
    id: SessionId,
    stored: Id,
    facts: Facts,
    present: ArcSwap<Present>,
    /// The version of `present` that the store has.
    saved: AtomicU64,
    /// Milliseconds since 1970, as [`Live::written`].
    last_used: AtomicU64,
    /// What the store knows of `last_used`.
    written: AtomicU64,
    over: AtomicBool,
    /// How many of its requests are being answered.
    in_use: AtomicU32,
    ended: Arc<Ended>,
    bounces: Bounces,
    weight: u64,
}

/// A request of a session that is being answered: as long as it goes on, the session is not idle.
#[derive(Debug)]
pub struct InUse(Arc<Live>);

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.in_use.fetch_sub(1, Relaxed);
    }
}

/// What does not change while a session lives.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) how: How,
    pub(super) id_token: Option<Secret<String>>,
    pub(super) sid: Option<String>,
    pub(super) client: Option<IpAddr>,
    pub(super) browser: Option<String>,
    pub(super) kind: Kind,
    pub(super) signed_in_at: Timestamp,
    pub(super) expires_at: Timestamp,
}

/// Who the person is at present, and what follows from exactly that. All of it is replaced at once,
/// so no request ever sees one person's name with another's groups, and an assertion that was
/// signed before a change is gone with it.
#[derive(Debug)]
pub struct Present {
    person: Arc<Person>,
    upkeep: Option<Upkeep>,
    assertion: ArcSwapOption<CachedAssertion>,
    version: u64,
}

impl Present {
    pub(super) fn new(person: Person, upkeep: Option<Upkeep>) -> Self {
        Self {
            person: Arc::new(person),
            upkeep,
            assertion: ArcSwapOption::empty(),
            version: 0,
        }
    }

    /// Who.
    #[must_use]
    pub fn person(&self) -> &Person {
        &self.person
    }

    /// What keeps the session in step with its provider, if anything does.
    #[must_use]
    pub fn upkeep(&self) -> Option<&Upkeep> {
        self.upkeep.as_ref()
    }

    /// The last assertion signed for this person, if any.
    #[must_use]
    pub fn assertion(&self) -> &ArcSwapOption<CachedAssertion> {
        &self.assertion
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }
}

impl Live {
    pub(super) fn new(
        id: SessionId,
        facts: Facts,
        present: Present,
        last_used: Timestamp,
        ended: &Arc<Ended>,
    ) -> Self {
        Self {
            id,
            stored: id.stored(),
            weight: facts.weight(&present),
            facts,
            present: ArcSwap::from_pointee(present),
            saved: AtomicU64::new(0),
            last_used: AtomicU64::new(last_used.as_millis()),
            written: AtomicU64::new(last_used.as_millis()),
            over: AtomicBool::new(false),
            in_use: AtomicU32::new(0),
            ended: Arc::clone(ended),
            bounces: Bounces::default(),
        }
    }

    /// Who. It may be somebody with other groups at the next call: whoever needs several facts that
    /// belong together asks once.
    #[must_use]
    pub fn person(&self) -> Arc<Person> {
        Arc::clone(&self.present.load().person)
    }

    /// Who, and what follows from it, for a moment: neither a lock nor a copy. Not to be kept
    /// across an `.await`; [`Live::kept_present`] is for that.
    #[must_use]
    pub fn present(&self) -> Guard<Arc<Present>> {
        self.present.load()
    }

    /// As [`Live::present`], to keep.
    #[must_use]
    pub fn kept_present(&self) -> Arc<Present> {
        self.present.load_full()
    }

    /// How.
    #[must_use]
    pub fn how(&self) -> &How {
        &self.facts.how
    }

    /// Since when.
    #[must_use]
    pub fn signed_in_at(&self) -> Timestamp {
        self.facts.signed_in_at
    }

    /// The absolute end, as it was decided at the sign-in.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.facts.expires_at
    }

    /// The ID token, for `id_token_hint`.
    #[must_use]
    pub fn id_token(&self) -> Option<&Secret<String>> {
        self.facts.id_token.as_ref()
    }

    /// The provider's name for its session.
    #[must_use]
    pub fn sid(&self) -> Option<&str> {
        self.facts.sid.as_deref()
    }

    /// What keeps it in step with its provider, if anything does. A copy: see [`Live::upkeep_due`].
    #[must_use]
    pub fn upkeep(&self) -> Option<Upkeep> {
        self.present.load().upkeep.clone()
    }

    /// When its claims have to be looked at again, if ever. For every request: it copies nothing.
    #[must_use]
    pub fn upkeep_due(&self) -> Option<Timestamp> {
        self.present.load().upkeep.as_ref().map(|upkeep| upkeep.due)
    }

    /// Names it in lists and orders; opens nothing.
    #[must_use]
    pub fn handle(&self) -> String {
        handle(&self.stored)
    }

    /// Ends when the session does: at once by a sign-out or a revocation, within a minute when it
    /// expires. Open streams wait for it.
    pub async fn over(&self) {
        Endings(Arc::clone(&self.ended)).over(self.mark()).await;
    }

    /// A request begins that may take long, such as an upload. Until what this answers is dropped,
    /// the idle limit does not end the session; every other end does.
    #[must_use]
    pub fn use_it(self: &Arc<Self>) -> InUse {
        self.in_use.fetch_add(1, Relaxed);
        InUse(Arc::clone(self))
    }

    /// Whether a request of it is being answered.
    pub(super) fn is_in_use(&self) -> bool {
        self.in_use.load(Relaxed) > 0
    }

    /// Whether it was ended since it was recognized.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.over.load(SeqCst)
    }

    /// Names it to [`Endings`].
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark::of(&self.stored, self.facts.signed_in_at)
    }

    /// As its owner and an administrator see it.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let present = self.present.load();
        summary(&self.stored, &self.facts, &present, self.last_used())
    }

    /// Notes that Bitbucket sent this session's browser to its sign-in page although the identity
    /// was asserted. Answers how often that happened within the last 30 seconds, this time
    /// included; more than 8 times are 8.
    pub fn note_bounce(&self, now: Timestamp) -> u32 {
        self.bounces.note(now)
    }

    /// Names the session in logs. It is a piece of the store's name for it, and opens nothing.
    #[must_use]
    pub fn label(&self) -> String {
        let [a, b, c, d, ..] = self.stored.0.to_be_bytes();
        format!("{:08x}", u32::from_be_bytes([a, b, c, d]))
    }

    pub(super) fn id(&self) -> SessionId {
        self.id
    }

    /// The store's name for it.
    pub(super) fn stored(&self) -> Id {
        self.stored
    }

    pub(super) fn facts(&self) -> &Facts {
        &self.facts
    }

    pub(super) fn weight(&self) -> u64 {
        self.weight
    }

    /// Nothing begins with it any more.
    pub(super) fn finish(&self) {
        self.over.store(true, SeqCst);
    }

    /// Puts another person in the place of the one before. Answers what is in force now.
    pub(super) fn renew(&self, person: &Person, upkeep: Option<&Upkeep>) {
        self.present.rcu(|before| Present {
            version: before.version + 1,
            ..Present::new(person.clone(), upkeep.cloned())
        });
    }

    /// Whether the store has an older version of the person.
    pub(super) fn is_unsaved(&self) -> bool {
        self.saved.load(SeqCst) < self.present.load().version
    }

    /// Notes that the store has this version. Answers whether there is none that is newer.
    pub(super) fn note_saved(&self, version: u64) -> bool {
        self.saved.fetch_max(version, SeqCst);
        self.present.load().version == version
    }

    pub(super) fn last_used(&self) -> Timestamp {
        Timestamp::from_millis(self.last_used.load(Relaxed))
    }

    /// Notes that the session is used now.
    pub(super) fn touch(&self, now: Timestamp) {
        let now = now.as_millis();
        if self.last_used.load(Relaxed) < now {
            self.last_used.fetch_max(now, Relaxed);
        }
    }

    /// Whether the store does not know yet that the session was used then.
    pub(super) fn is_unwritten(&self, last_used: Timestamp) -> bool {
        self.written.load(Relaxed) < last_used.as_millis()
    }

    /// Notes that the store knows that the session was used then.
    pub(super) fn note_written(&self, last_used: Timestamp) {
        self.written.fetch_max(last_used.as_millis(), Relaxed);
    }
}

/// 32 hexadecimal digits. What the store calls the session is a digest of what its cookie holds.
pub(super) fn handle(id: &Id) -> String {
    format!("{:032x}", u128::from_be_bytes(id.0.to_be_bytes()))
}

/// What [`handle`] has written.
pub(super) fn id_of(handle: &str) -> Option<Id> {
    let digits = handle.len() == 32 && handle.bytes().all(|byte| byte.is_ascii_hexdigit());
    let value = u128::from_str_radix(handle, 16).ok().filter(|_| digits)?;
    Some(Id(i128::from_be_bytes(value.to_be_bytes())))
}

pub(super) fn summary(id: &Id, facts: &Facts, present: &Present, last_used: Timestamp) -> Summary {
    Summary {
        handle: handle(id),
        username: present.person.username.clone(),
        provider: facts.how.provider().to_owned(),
        signed_in_at: facts.signed_in_at.as_millis(),
        last_used: last_used.as_millis(),
        expires_at: facts.expires_at.as_millis(),
        remembered: facts.kind == Kind::Remembered,
        client: facts.client,
        browser: facts.browser.clone(),
    }
}

impl Facts {
    /// About how many bytes the session takes in memory.
    fn weight(&self, present: &Present) -> u64 {
        let person = present.person();
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let secret = |text: Option<&Secret<String>>| text.map_or(0, |text| text.expose().len());
        let text = person.username.as_str().len()
            + person
                .email
                .as_ref()
                .map_or(0, |email| email.as_str().len())
            + person
                .display_name
                .as_ref()
                .map_or(0, |name| name.as_str().len())
            + person
                .groups
                .iter()
                .map(|group| group.as_str().len() + 24)
                .sum::<usize>()
            + secret(self.id_token.as_ref())
            + secret(present.upkeep().map(|upkeep| &upkeep.token))
            + length(&self.sid)
            + length(&self.browser)
            + match &self.how {
                How::Provider {
                    id,
                    issuer,
                    subject,
                } => id.len() + issuer.len() + subject.len(),
                How::Backdoor => 0,
            };
        // The assertion that will be cached is about as long as the facts in it; 1 kB is a round
        // figure for it, its header and the cache's own entry.
        let own = size_of::<Live>() + size_of::<Present>() + size_of::<Person>();
        u64::try_from(own + text + 1024).unwrap_or(u64::MAX)
    }
}

/// When the last bounces happened: a ring of moments, zero for none.
#[derive(Debug, Default)]
struct Bounces {
    next: AtomicUsize,
    at: [AtomicU64; BOUNCES],
}

impl Bounces {
    fn note(&self, now: Timestamp) -> u32 {
        let slot = self.next.fetch_add(1, Relaxed) % BOUNCES;
        if let Some(slot) = self.at.get(slot) {
            slot.store(now.as_millis(), Relaxed);
        }
        let since = now.minus(BOUNCE_WINDOW).as_millis();
        let recent = self.at.iter().filter(|at| at.load(Relaxed) > since);
        u32::try_from(recent.count()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounces_within_half_a_minute_are_counted() {
        let bounces = Bounces::default();
        let start = Timestamp::from_secs(1_000_000);
        for (after, count) in [
            (0, 1),
            (10, 2),
            (29, 3),
            (30, 3),
            (41, 3),
            (100, 1),
            (100, 2),
        ] {
            let now = start.plus(Duration::from_secs(after));
            assert_eq!(bounces.note(now), count, "after {after} s");
        }
        for _ in 0..100 {
            assert!(bounces.note(start.plus(Duration::from_secs(200))) <= 8);
        }
    }
}
