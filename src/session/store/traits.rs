//! What sessions are found by, besides the cookie.

use super::super::live::{Live, id_of};
use super::super::{How, Which};
use super::FACTS;
use crate::clock::Timestamp;
use serde_json::Value;
use tower_sessions::session::{Id, Record};

/// The provider, its issuer and its name for the person.
type Subject<'a> = (&'a str, &'a str, &'a str);

/// What [`Which`] asks about.
pub(in crate::session) struct Traits<'a> {
    id: Id,
    username: &'a str,
    subject: Option<Subject<'a>>,
    sid: Option<&'a str>,
}

impl Traits<'_> {
    /// Whether a live session is one of these.
    pub(in crate::session) fn live_is(live: &Live, which: &Which) -> bool {
        let present = live.present();
        let traits = Traits {
            id: live.stored(),
            username: present.person().username.as_str(),
            subject: match live.how() {
                How::Provider {
                    id,
                    issuer,
                    subject,
                } => Some((id, issuer, subject)),
                How::Backdoor => None,
            },
            sid: live.sid(),
        };
        traits.are(which)
    }

    /// Names are compared as sqlite's NOCASE does it: usernames are ASCII.
    fn are(&self, which: &Which) -> bool {
        match which {
            Which::All => true,
            Which::Handle(handle) => id_of(handle) == Some(self.id),
            Which::Username(name) => name.as_str().eq_ignore_ascii_case(self.username),
            Which::OthersOf { username, but } => {
                username.as_str().eq_ignore_ascii_case(self.username) && id_of(but) != Some(self.id)
            }
            Which::Subject {
                provider,
                issuer,
                subject,
                sid,
            } => self.subject.is_some_and(|own| {
                let is = |wanted: &Option<String>, own: &str| {
                    wanted.as_ref().is_none_or(|wanted| wanted == own)
                };
                provider == own.0
                    && is(issuer, own.1)
                    && is(subject, own.2)
                    && sid.as_ref().is_none_or(|sid| self.sid == Some(sid))
            }),
        }
    }
}

/// The same of a record, for a store that cannot look into it.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    username: String,
    subject: Option<(String, String, String)>,
    sid: Option<String>,
    signed_in_at: Timestamp,
}

impl Index {
    pub(super) fn of(record: &Record) -> Self {
        let facts = record.data.get(FACTS);
        let text = |path: &str| {
            let value = facts?.pointer(path)?;
            value.as_str().map(str::to_owned)
        };
        let subject = || {
            Some((
                text("/how/id")?,
                text("/how/issuer")?,
                text("/how/subject")?,
            ))
        };
        let signed_in_at = facts.and_then(|facts| facts.get("signed_in_at"));
        Self {
            username: text("/person/username").unwrap_or_default(),
            subject: subject(),
            sid: text("/sid"),
            signed_in_at: Timestamp::from_millis(
                signed_in_at.and_then(Value::as_u64).unwrap_or_default(),
            ),
        }
    }

    pub(super) fn is(&self, id: Id, which: &Which, until: Timestamp) -> bool {
        let subject = self.subject.as_ref();
        let traits = Traits {
            id,
            username: &self.username,
            subject: subject.map(|(id, issuer, subject)| (&**id, &**issuer, &**subject)),
            sid: self.sid.as_deref(),
        };
        traits.are(which) && self.signed_in_at <= until
    }
}
