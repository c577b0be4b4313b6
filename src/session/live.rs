//! A session in memory, and the form in which it is stored.

use super::id::SessionId;
use super::limits::Kind;
use super::{CachedAssertion, How};
use crate::clock::Timestamp;
use crate::identity::Person;
use crate::secret::Secret;
use arc_swap::ArcSwapOption;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// Bounces further apart than this do not belong together.
const BOUNCE_WINDOW: Duration = Duration::from_secs(30);
/// As many bounces as are told apart.
const BOUNCES: usize = 8;

/// A live session, shared by all its requests.
#[derive(Debug)]
pub struct Live {
    id: SessionId,
    facts: Facts,
    /// Milliseconds since 1970, as [`Live::written`].
    last_used: AtomicU64,
    /// What the store knows of `last_used`.
    written: AtomicU64,
    assertion: ArcSwapOption<CachedAssertion>,
    bounces: Bounces,
    weight: u64,
}

/// What does not change while a session lives.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) person: Person,
    pub(super) how: How,
    pub(super) id_token: Option<Secret<String>>,
    pub(super) kind: Kind,
    pub(super) signed_in_at: Timestamp,
    pub(super) expires_at: Timestamp,
}

impl Live {
    pub(super) fn new(id: SessionId, facts: Facts, last_used: Timestamp) -> Self {
        Self {
            id,
            weight: facts.weight(),
            facts,
            last_used: AtomicU64::new(last_used.as_millis()),
            written: AtomicU64::new(last_used.as_millis()),
            assertion: ArcSwapOption::empty(),
            bounces: Bounces::default(),
        }
    }

    /// Who.
    #[must_use]
    pub fn person(&self) -> &Person {
        &self.facts.person
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

    /// The last assertion signed for this session, if any.
    #[must_use]
    pub fn assertion(&self) -> &ArcSwapOption<CachedAssertion> {
        &self.assertion
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
        let [a, b, c, d, ..] = self.id.stored().0.to_be_bytes();
        format!("{:08x}", u32::from_be_bytes([a, b, c, d]))
    }

    pub(super) fn id(&self) -> SessionId {
        self.id
    }

    pub(super) fn facts(&self) -> &Facts {
        &self.facts
    }

    pub(super) fn weight(&self) -> u64 {
        self.weight
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

impl Facts {
    /// About how many bytes the session takes in memory.
    fn weight(&self) -> u64 {
        let person = &self.person;
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
            + self
                .id_token
                .as_ref()
                .map_or(0, |token| token.expose().len())
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
        u64::try_from(size_of::<Live>() + text + 1024).unwrap_or(u64::MAX)
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
