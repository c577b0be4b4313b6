//! One-time addresses of the test page, for before anyone can sign in.

use crate::clock::{Clock, Timestamp};
use crate::random;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Long enough to hand an address to a colleague, too short to find it in a log next week.
pub(super) const LIFETIME: Duration = Duration::from_secs(15 * 60);
/// Open tickets at once; the oldest gives way.
const MOST: usize = 32;

/// Tickets that were given out and not used. In memory only. Clones share them, so that a reload
/// keeps them.
#[derive(Debug, Clone)]
pub struct Tickets {
    clock: Clock,
    open: Arc<Mutex<VecDeque<Ticket>>>,
}

struct Ticket {
    provider: String,
    token: String,
    ends: Timestamp,
}

/// Without the token.
impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticket")
            .field("provider", &self.provider)
            .finish_non_exhaustive()
    }
}

impl Tickets {
    /// None yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            open: Arc::default(),
        }
    }

    /// A fresh ticket for one test with this provider.
    #[must_use]
    pub fn issue(&self, provider: &str) -> String {
        let now = self.clock.now();
        let token = random::token();
        let mut open = self.open();
        open.retain(|ticket| now < ticket.ends);
        if open.len() == MOST {
            open.pop_front();
        }
        open.push_back(Ticket {
            provider: provider.to_owned(),
            token: token.clone(),
            ends: now.plus(LIFETIME),
        });
        token
    }

    /// Spends a ticket. Whether there was one, for this provider, and in time.
    #[must_use]
    pub fn spend(&self, provider: &str, token: &str) -> bool {
        let now = self.clock.now();
        let mut open = self.open();
        let place = open.iter().position(|ticket| {
            ticket.provider == provider
                && verify_slices_are_equal(ticket.token.as_bytes(), token.as_bytes()).is_ok()
        });
        place
            .and_then(|place| open.remove(place))
            .is_some_and(|ticket| now < ticket.ends)
    }

    fn open(&self) -> MutexGuard<'_, VecDeque<Ticket>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tickets() -> Tickets {
        Tickets::new(Clock::manual(Timestamp::from_secs(1000)))
    }

    #[test]
    fn a_ticket_works_once_for_its_provider() {
        let tickets = tickets();
        let token = tickets.issue("salesforce");
        assert!(!tickets.spend("okta", &token));
        assert!(!tickets.spend("salesforce", ""));
        assert!(tickets.spend("salesforce", &token));
        assert!(!tickets.spend("salesforce", &token));
    }

    #[test]
    fn a_ticket_ends() {
        let tickets = tickets();
        let token = tickets.issue("salesforce");
        tickets.clock.advance(LIFETIME);
        assert!(!tickets.spend("salesforce", &token));
    }

    #[test]
    fn of_too_many_the_oldest_gives_way() {
        let tickets = tickets();
        let first = tickets.issue("a");
        let second = tickets.issue("a");
        for _ in 0..MOST - 1 {
            let _ = tickets.issue("a");
        }
        assert!(!tickets.spend("a", &first));
        assert!(tickets.spend("a", &second));
        assert!(!format!("{tickets:?}").contains(&second));
    }
}
