//! Sessions by name instead of by cookie.

use super::Error;
use crate::identity::Username;
use crate::telemetry::audit::Event;
use crate::telemetry::chain;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// A session, as its owner and an administrator see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Names it here and in orders; opens nothing.
    pub handle: String,
    /// Whose.
    pub username: Username,
    /// The provider's id, or `backdoor`.
    pub provider: String,
    /// Milliseconds since 1970, as the other two.
    pub signed_in_at: u64,
    /// The last request.
    pub last_used: u64,
    /// The absolute end.
    pub expires_at: u64,
    /// It outlives the browser.
    pub remembered: bool,
    /// Where the person sat at the sign-in.
    pub client: Option<IpAddr>,
    /// The browser at the sign-in.
    pub browser: Option<String>,
}

/// Which sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// The one of this handle.
    Handle(String),
    /// All of this person (compared without case).
    Username(Username),
    /// All of this person but one.
    OthersOf {
        /// Whose.
        username: Username,
        /// The handle of the one that stays.
        but: String,
    },
    /// All of a subject of a provider; with a `sid`, those of that session there.
    Subject {
        /// The provider's id.
        provider: String,
        /// The issuer; none: whichever.
        issuer: Option<String>,
        /// Its name for the person; none: whoever.
        subject: Option<String>,
        /// Its name for the session; none: all.
        sid: Option<String>,
    },
    /// Everybody's.
    All,
}

impl Which {
    /// The audit event of somebody's having ended these, or of the attempt.
    #[must_use]
    pub fn revocation(&self, by: &str, revoked: &Result<Vec<Summary>, Error>) -> Event {
        let (ended, count, error) = match revoked {
            Ok(ended) => (ended.as_slice(), ended.len(), None),
            Err(error) => {
                let over = match error {
                    Error::Revoke { over, .. } => *over,
                    Error::Open(_) | Error::Store(_) => 0,
                };
                (<&[_]>::default(), over, Some(chain(error)))
            }
        };
        let first = || ended.first().map(|session| session.username.to_string());
        let (username, which) = match self {
            Self::Handle(handle) => (first(), format!("handle {handle:?}")),
            Self::Username(name) => (Some(name.to_string()), "all of a person".to_owned()),
            Self::OthersOf { username, .. } => (
                Some(username.to_string()),
                "all of a person but one".to_owned(),
            ),
            Self::Subject {
                provider,
                subject,
                sid,
                ..
            } => {
                let mut which = format!("provider \"{provider}\"");
                for (what, value) in [("subject", subject), ("sid", sid)] {
                    if let Some(value) = value {
                        which.push_str(&format!(", {what} {value:?}"));
                    }
                }
                (first(), which)
            }
            Self::All => (None, "everybody".to_owned()),
        };
        Event::Revocation {
            username,
            by: by.to_owned(),
            count,
            which,
            error,
        }
    }
}
