//! Audit events: one JSON object a line on target `audit`.

use super::hours::{Hour, Hours};
use super::log;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::sync::{Arc, Mutex, PoisonError};
use time::format_description::well_known::Iso8601;
use time::format_description::well_known::iso8601::{Config, EncodedConfig, TimePrecision};

/// How many of the last events stay in memory.
const KEPT: usize = 500;

/// Something that somebody will want to know about later. Field names are the log's vocabulary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A person signed in.
    SignIn {
        /// Who.
        username: String,
        /// With which provider.
        provider: String,
        /// The provider's issuer.
        issuer: String,
        /// The provider's unchanging name for the person.
        subject: String,
    },
    /// A sign-in, or a request of somebody, was refused.
    Refusal {
        /// A short, stable code such as `unverified_email`.
        reason: String,
        /// The reason in full.
        detail: String,
        /// With which provider, if that far.
        provider: Option<String>,
        /// Who, if known.
        username: Option<String>,
    },
    /// A person signed out.
    SignOut {
        /// Who.
        username: String,
        /// How the person had signed in.
        provider: String,
    },
    /// A session ended by the provider's word, or because the provider could not be asked.
    SessionEnded {
        /// Whose.
        username: String,
        /// How the person had signed in.
        provider: String,
        /// `back_channel_logout`, `front_channel_logout`, `provider_unavailable`, or the code of what
        /// refuses the person now.
        reason: String,
        /// The reason in full.
        detail: String,
    },
    /// Sessions were ended by somebody who need not be their owner.
    Revocation {
        /// Whose; none for everybody's, and where none was found.
        username: Option<String>,
        /// The owner's name, an administrator's, or `command line`.
        by: String,
        /// How many ended.
        count: usize,
        /// Which were meant, in words.
        which: String,
        /// Why the store did not end what it has, if it failed; those that the gateway had in memory
        /// are over all the same.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// A person was made known to Bitbucket or the directory, or could not be.
    Provisioning {
        /// Who.
        username: String,
        /// `created`, `updated`, `refused`, `failed`, or `failed_and_admitted`.
        outcome: String,
        /// The decisions, or what went wrong, in words.
        changes: Vec<String>,
    },
    /// An attempt at the emergency sign-in.
    Backdoor {
        /// `admitted`, or why not.
        outcome: String,
        /// The name that was typed, cut to a sane length.
        username: String,
    },
    /// Somebody tried the sign-in out; it changed nothing.
    Test {
        /// With which provider.
        provider: String,
        /// Who it would have been, or the code of what refuses.
        outcome: String,
    },
    /// An administrator's order, from the command line or the console.
    Order {
        /// `relink`, `forget`, `test_url`, `revoke`.
        order: String,
        /// What it was about, and what it did.
        detail: String,
    },
    /// Whether the gateway signs people in: written at a start without it, and when a reload switches
    /// it off or on.
    SignInMode {
        /// Off: it forwards, asserts nobody, and Bitbucket's own login page serves.
        enabled: bool,
        /// `start` or `reload`.
        when: String,
    },
    /// The configuration was reloaded, or a reload was refused.
    Reload {
        /// `applied` or `refused`.
        outcome: String,
        /// The keys that changed, or what is wrong.
        detail: Vec<String>,
    },
}

/// An event with its circumstances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When, in RFC 3339.
    pub time: String,
    /// The request that caused it, if any.
    pub request_id: Option<String>,
    /// The client's address, if any.
    pub client: Option<IpAddr>,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// An entry as the log writes it, so that a pipeline can tell it from other lines.
#[derive(Serialize)]
struct Line<'a> {
    target: &'static str,
    #[serde(flatten)]
    entry: &'a Entry,
}

/// Where a request came from, for the audit log.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The request's id.
    pub request_id: Option<String>,
    /// The client's address.
    pub client: Option<IpAddr>,
}

/// Writes audit events and remembers the last ones. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Audit {
    clock: crate::clock::Clock,
    last: Arc<Mutex<VecDeque<Entry>>>,
    hours: Arc<Mutex<Hours>>,
}

impl Audit {
    /// An empty log.
    #[must_use]
    pub fn new(clock: crate::clock::Clock) -> Self {
        Self {
            clock,
            last: Arc::default(),
            hours: Arc::default(),
        }
    }

    /// Writes one event.
    pub fn record(&self, origin: &Origin, event: Event) {
        let now = self.clock.now();
        self.hours
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .count(&event, now);
        let entry = Entry {
            time: rfc3339(now),
            request_id: origin.request_id.clone(),
            client: origin.client,
            event,
        };
        match serde_json::to_string(&Line {
            target: log::AUDIT,
            entry: &entry,
        }) {
            Ok(line) => tracing::info!(target: log::AUDIT, "{line}"),
            Err(error) => tracing::error!(%error, "an audit event could not be written"),
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() == KEPT {
            last.pop_front();
        }
        last.push_back(entry);
    }

    /// The last events, oldest first.
    #[must_use]
    pub fn recent(&self) -> Vec<Entry> {
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }

    /// The last events under a request's id, oldest first.
    #[must_use]
    pub fn of_request(&self, id: &str) -> Vec<Entry> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let of_request = last
            .iter()
            .filter(|entry| entry.request_id.as_deref() == Some(id));
        of_request.cloned().collect()
    }

    /// Sign-ins and refusals of the last day, the oldest hour first.
    #[must_use]
    pub fn last_day(&self) -> Vec<Hour> {
        self.hours
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .last_day(self.clock.now())
    }
}

/// Three digits of a second, always: entries sort as text, and columns stay in line.
const MOMENT: EncodedConfig = Config::DEFAULT
    .set_time_precision(TimePrecision::Second {
        decimal_digits: NonZeroU8::new(3),
    })
    .encode();

/// A moment as RFC 3339 in UTC, to the millisecond.
#[must_use]
pub fn rfc3339(at: crate::clock::Timestamp) -> String {
    let nanos = i128::from(at.as_millis()) * 1_000_000;
    time::OffsetDateTime::from_unix_timestamp_nanos(nanos)
        .ok()
        .and_then(|t| t.format(&Iso8601::<MOMENT>).ok())
        .unwrap_or_else(|| format!("{}ms", at.as_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, Timestamp};

    #[test]
    fn an_entry_is_one_flat_json_object() {
        let audit = Audit::new(Clock::manual(Timestamp::from_millis(1_500)));
        audit.record(
            &Origin {
                request_id: Some("r1".into()),
                client: Some([127, 0, 0, 1].into()),
            },
            Event::Backdoor {
                outcome: "wrong_password".into(),
                username: "x\ny".into(),
            },
        );
        let line = serde_json::to_string(&audit.recent()[0]).unwrap();
        assert_eq!(
            line,
            r#"{"time":"1970-01-01T00:00:01.500Z","request_id":"r1","client":"127.0.0.1","event":"backdoor","outcome":"wrong_password","username":"x\ny"}"#
        );
    }

    #[test]
    fn moments_are_rfc_3339_of_one_width() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_070, "2000-02-29T00:00:00.070Z"),
        ] {
            assert_eq!(rfc3339(Timestamp::from_millis(millis)), text);
        }
    }

    #[test]
    fn memory_holds_only_the_last_events() {
        let audit = Audit::new(Clock::system());
        for n in 0..KEPT + 3 {
            audit.record(
                &Origin::default(),
                Event::SignOut {
                    username: n.to_string(),
                    provider: "p".into(),
                },
            );
        }
        assert_eq!(audit.recent().len(), KEPT);
    }
}
