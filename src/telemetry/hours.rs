//! How many people signed in and how many were refused, hour by hour over the last day.

use super::audit::Event;
use crate::clock::Timestamp;
use std::collections::VecDeque;

/// As far back as is counted.
pub const HOURS: usize = 24;
/// In milliseconds.
const HOUR: u64 = 3_600_000;

/// One hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hour {
    /// When it began.
    pub begins: Timestamp,
    /// Sign-ins, the backdoor's included.
    pub sign_ins: u32,
    /// Refusals, the backdoor's included.
    pub refusals: u32,
}

/// The counters: one entry for each hour in which something happened, the newest last.
#[derive(Debug, Default)]
pub(super) struct Hours(VecDeque<Hour>);

impl Hours {
    pub(super) fn count(&mut self, event: &Event, now: Timestamp) {
        let (sign_ins, refusals) = match event {
            Event::SignIn { .. } => (1, 0),
            Event::Refusal { .. } => (0, 1),
            Event::Backdoor { outcome, .. } if outcome == "admitted" => (1, 0),
            Event::Backdoor { .. } => (0, 1),
            _ => return,
        };
        let begins = Timestamp::from_millis(now.as_millis() / HOUR * HOUR);
        // A clock that was far ahead and was set right counted where nobody will look for long.
        let next = begins.as_millis().saturating_add(HOUR);
        while self
            .0
            .back()
            .is_some_and(|last| last.begins.as_millis() > next)
        {
            self.0.pop_back();
        }
        match self.0.back_mut() {
            // A clock that went back counts where it was.
            Some(last) if begins <= last.begins => {
                last.sign_ins = last.sign_ins.saturating_add(sign_ins);
                last.refusals = last.refusals.saturating_add(refusals);
            }
            _ => {
                if self.0.len() == HOURS {
                    self.0.pop_front();
                }
                self.0.push_back(Hour {
                    begins,
                    sign_ins,
                    refusals,
                });
            }
        }
    }

    /// The last day, the oldest hour first, quiet ones included.
    pub(super) fn last_day(&self, now: Timestamp) -> Vec<Hour> {
        let current = now.as_millis() / HOUR;
        (0..HOURS as u64)
            .rev()
            .map(|ago| {
                let begins = Timestamp::from_millis(current.saturating_sub(ago) * HOUR);
                let known = self.0.iter().find(|hour| hour.begins == begins);
                known.copied().unwrap_or(Hour {
                    begins,
                    sign_ins: 0,
                    refusals: 0,
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backdoor(outcome: &str) -> Event {
        Event::Backdoor {
            outcome: outcome.to_owned(),
            username: String::new(),
        }
    }

    #[test]
    fn a_day_is_24_hours_whatever_happened_before() {
        let mut hours = Hours::default();
        for hour in 0..100 {
            hours.count(
                &backdoor("admitted"),
                Timestamp::from_millis(hour * HOUR + 5),
            );
        }
        hours.count(
            &backdoor("wrong_password"),
            Timestamp::from_millis(99 * HOUR),
        );
        let day = hours.last_day(Timestamp::from_millis(100 * HOUR));
        assert_eq!(day.len(), HOURS);
        assert_eq!(day[0].begins, Timestamp::from_millis(77 * HOUR));
        assert_eq!((day[22].sign_ins, day[22].refusals), (1, 1));
        assert_eq!((day[23].sign_ins, day[23].refusals), (0, 0));
        assert_eq!(hours.0.len(), HOURS);
    }

    #[test]
    fn a_clock_that_was_a_year_ahead_hides_no_day_after_it() {
        let mut hours = Hours::default();
        hours.count(&backdoor("admitted"), Timestamp::from_millis(9000 * HOUR));
        hours.count(&backdoor("admitted"), Timestamp::from_millis(100 * HOUR));
        hours.count(
            &backdoor("wrong_password"),
            Timestamp::from_millis(99 * HOUR),
        );
        let day = hours.last_day(Timestamp::from_millis(100 * HOUR));
        assert_eq!((day[23].sign_ins, day[23].refusals), (1, 1));
    }
}
