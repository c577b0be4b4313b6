//! When a session ends by itself.

use super::live::{Facts, Live};
use crate::clock::Timestamp;
use crate::config;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Which limits hold for a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// `idle_timeout_secs` and `max_age_secs`.
    Usual,
    /// `remember_me_max_age_secs` instead of both.
    Remembered,
    /// The limit that came with the sign-in instead of all of these.
    Fixed,
}

/// The limits of `[session]`.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    idle: Duration,
    max_age: Duration,
    remembered: Duration,
}

impl Limits {
    pub(super) fn new(config: &config::Session) -> Self {
        Self {
            idle: config.idle_timeout,
            max_age: config.max_age,
            remembered: config.remember_me_max_age,
        }
    }

    /// How long a session of this kind may last; none where the sign-in has said so.
    pub(super) fn longest(&self, kind: Kind) -> Option<Duration> {
        match kind {
            Kind::Usual => Some(self.max_age),
            Kind::Remembered => Some(self.remembered),
            Kind::Fixed => None,
        }
    }

    /// When the session ends if it is not used again. A limit that has become shorter since the
    /// sign-in holds; one that has become longer does not prolong what was promised then.
    pub(super) fn end(&self, live: &Live) -> Timestamp {
        self.end_of(live.facts(), live.last_used())
    }

    /// The same of one that may not be in memory.
    pub(super) fn end_of(&self, facts: &Facts, last_used: Timestamp) -> Timestamp {
        let mut end = facts.expires_at;
        if let Some(longest) = self.longest(facts.kind) {
            end = end.min(facts.signed_in_at.plus(longest));
        }
        if facts.kind == Kind::Usual {
            end = end.min(last_used.plus(self.idle));
        }
        end
    }

    pub(super) fn is_over(&self, live: &Live, now: Timestamp) -> bool {
        let last_used = match live.is_in_use() {
            true => live.last_used().max(now),
            false => live.last_used(),
        };
        now >= self.end_of(live.facts(), last_used)
    }
}
