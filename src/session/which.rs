//! Sessions by name instead of by cookie.

use crate::identity::Username;
use crate::telemetry::audit::Event;
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
    /// The audit event of somebody's having ended these.
    #[must_use]
    pub fn revocation(&self, by: &str, ended: &[Summary]) -> Event {
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
            count: ended.len(),
            which,
        }
    }
}
