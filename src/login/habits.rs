//! Two small cookies about a browser's habits: which provider it used last, and that somebody has
//! just signed out. Neither proves anything, so neither is signed: one chooses the order of buttons,
//! the other keeps the page from going on by itself.

use super::Login;
use crate::config;
use crate::web::{Context, cookies};
use http::HeaderValue;

/// How long a browser remembers its provider: 180 days.
const USED_SECS: u64 = 180 * 24 * 60 * 60;
/// How long after a sign-out nothing signs in by itself. The next choice ends it sooner.
const LEFT_SECS: u64 = 60;

impl Login {
    /// Notes in the browser which provider it used.
    pub(super) fn remember_provider(&self, id: &str) -> Option<HeaderValue> {
        let used = cookies::last_provider_cookie_name(&self.config.session.cookie_name);
        self.habit(&used, id, USED_SECS)
    }

    /// The provider that this browser used last, if it is still one.
    pub(super) fn used_last(&self, context: &Context) -> Option<&config::Provider> {
        let name = cookies::last_provider_cookie_name(&self.config.session.cookie_name);
        let id = cookies::all(&context.headers, &name).next()?;
        self.provider(id).map(|provider| provider.config())
    }

    /// Notes in the browser that somebody has signed out: for the answer to a sign-out.
    pub(super) fn remember_leaving(&self) -> Option<HeaderValue> {
        let left = cookies::signed_out_cookie_name(&self.config.session.cookie_name);
        self.habit(&left, "1", LEFT_SECS)
    }

    /// The person has chosen to sign in again.
    pub(super) fn forget_leaving(&self) -> Option<HeaderValue> {
        let left = cookies::signed_out_cookie_name(&self.config.session.cookie_name);
        self.habit(&left, "", 0)
    }

    /// Whether somebody signed out in this browser a moment ago: signing in without being asked
    /// would undo it.
    pub(super) fn has_just_left(&self, context: &Context) -> bool {
        let left = cookies::signed_out_cookie_name(&self.config.session.cookie_name);
        cookies::all(&context.headers, &left).next().is_some()
    }

    /// Whether signing in without being asked would undo a sign-out: one in this browser, or one from
    /// elsewhere of the session with which this browser still comes.
    pub(super) fn was_signed_out(&self, context: &Context) -> bool {
        self.has_just_left(context) || self.parts.sessions.were_ended(&context.headers)
    }

    /// Sent to our own pages alone, so that Bitbucket never sees it.
    fn habit(&self, name: &str, value: &str, secs: u64) -> Option<HeaderValue> {
        let server = &self.config.server;
        let secure = if server.public_url.https {
            "; Secure"
        } else {
            ""
        };
        HeaderValue::from_str(&format!(
            "{name}={value}; Path={}; Max-Age={secs}; HttpOnly; SameSite=Lax{secure}",
            server.prefix
        ))
        .ok()
    }
}
