//! What an action came to, for the page after it.

use crate::clock::Timestamp;
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Long enough to read and copy it.
const SHOWN: Duration = Duration::from_secs(120);
/// Administrators at work at once.
const MOST: usize = 32;

/// What happened. The template has the words.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Notice {
    /// `revoked`, `forgotten`, `relinked`, `address`, `gone`, `failed`.
    pub(super) what: &'static str,
    /// How many.
    pub(super) count: usize,
    /// A name, or an address to copy.
    pub(super) text: String,
}

/// One notice for each session, for two minutes. Nobody else sees it: it may hold a one-time address.
#[derive(Debug, Default)]
pub(super) struct Notices(Mutex<VecDeque<(String, Timestamp, Notice)>>);

impl Notices {
    pub(super) fn leave(&self, session: String, now: Timestamp, notice: Notice) {
        let mut notices = self.lock();
        notices.retain(|(known, at, _)| *known != session && now.since(*at) < SHOWN);
        if notices.len() == MOST {
            notices.pop_front();
        }
        notices.push_back((session, now, notice));
    }

    pub(super) fn of(&self, session: &str, now: Timestamp) -> Option<Notice> {
        let notices = self.lock();
        let found = notices
            .iter()
            .find(|(known, at, _)| known == session && now.since(*at) < SHOWN);
        found.map(|(_, _, notice)| notice.clone())
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(String, Timestamp, Notice)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_for_one_session_and_two_minutes() {
        let notices = Notices::default();
        let at = Timestamp::from_secs;
        for n in 0..MOST + 2 {
            let notice = Notice {
                what: "revoked",
                count: n,
                text: String::new(),
            };
            notices.leave(n.to_string(), at(n as u64), notice);
        }
        assert_eq!(notices.lock().len(), MOST);
        assert!(notices.of("1", at(60)).is_none());
        assert_eq!(notices.of("20", at(60)).unwrap().count, 20);
        assert!(notices.of("20", at(140)).is_none());
    }
}
