//! What a reload of the configuration replaces: keys, names and limits.

use super::SignedIn;
use super::ended::Ended;
use super::id::{KeyRing, SessionId};
use super::limits::{Kind, Limits};
use super::live::{Facts, Live, Present};
use crate::clock::Timestamp;
use crate::config;
use crate::web::cookies;
use http::{HeaderMap, HeaderValue};
use std::sync::Arc;

/// As many cookies of our name as are looked at. A browser sends one, or a few when old paths or
/// domains have left some behind.
const MOST_COOKIES: usize = 8;

#[derive(Debug)]
pub(super) struct Rules {
    pub(super) limits: Limits,
    pub(super) cookie_name: String,
    pub(super) removal: HeaderValue,
    keys: KeyRing,
    remember_me: bool,
    secure: bool,
}

impl Rules {
    #[expect(
        clippy::expect_used,
        reason = "the configuration has checked that the name can be a cookie's"
    )]
    pub(super) fn new(config: &config::Session, https: bool) -> Self {
        Self {
            limits: Limits::new(config),
            removal: cookies::expired(&config.cookie_name, "/", https)
                .expect("the cookie's name fits into a header"),
            cookie_name: config.cookie_name.clone(),
            keys: KeyRing::new(&config.keys),
            remember_me: config.remember_me,
            secure: https,
        }
    }

    /// The identifiers in the cookies that one of the keys has signed, in the order in which they
    /// came. What is not signed is as good as not there.
    pub(super) fn identifiers<'a>(
        &'a self,
        headers: &'a HeaderMap,
    ) -> impl Iterator<Item = SessionId> + 'a {
        cookies::all(headers, &self.cookie_name)
            .take(MOST_COOKIES)
            .filter_map(|value| self.keys.verify(value))
    }

    /// A session that begins now.
    pub(super) fn live(&self, signed_in: SignedIn, now: Timestamp, ended: &Arc<Ended>) -> Live {
        let (kind, lasts) = match signed_in.max_age {
            Some(max_age) => (Kind::Fixed, Some(max_age)),
            None if signed_in.remember && self.remember_me => (Kind::Remembered, None),
            None => (Kind::Usual, None),
        };
        let lasts = lasts.or(self.limits.longest(kind)).unwrap_or_default();
        let facts = Facts {
            how: signed_in.how,
            id_token: signed_in.id_token,
            sid: signed_in.sid,
            client: signed_in.client,
            browser: signed_in.browser,
            kind,
            signed_in_at: now,
            expires_at: now.plus(lasts),
        };
        let present = Present::new(signed_in.person, signed_in.upkeep);
        Live::new(SessionId::random(), facts, present, now, ended)
    }

    /// The `Set-Cookie` of a session (RFC 6265 §4.1): without `Domain`, so that no other host gets
    /// it, and without `Max-Age` unless remembered, so that it ends with the browser.
    #[expect(
        clippy::expect_used,
        reason = "a checked name, base64url and constants fit into a header"
    )]
    pub(super) fn cookie(&self, live: &Live) -> HeaderValue {
        let facts = live.facts();
        let mut cookie = format!(
            "{}={}; Path=/; HttpOnly; SameSite=Lax",
            self.cookie_name,
            self.keys.sign(live.id())
        );
        if self.secure {
            cookie.push_str("; Secure");
        }
        if facts.kind == Kind::Remembered {
            let lasts = facts.expires_at.since(facts.signed_in_at).as_secs();
            cookie.push_str(&format!("; Max-Age={lasts}"));
        }
        HeaderValue::try_from(cookie).expect("the cookie fits into a header")
    }
}
