//! The provider says, through a frame in the browser, that somebody has signed out (OpenID Connect
//! Front-Channel Logout 1.0).
//!
//! Anybody can make a browser ask for this address, so it must not be a way to sign out people of
//! one's choice. With `iss` and `sid` it needs no cookie and trusts what nobody can guess: the
//! provider's name for its session. Without them (Salesforce) there is only the cookie, which a
//! browser does not send from a frame of another site, and then the page that asks must be one of the
//! provider's own: a link or a frame elsewhere signs nobody out.

use super::Login;
use super::back_channel::never_kept;
use crate::provider::Provider;
use crate::session::{How, Visitor, Which};
use crate::web::{Context, Response, fields};
use axum::body::Body;
use http::{HeaderValue, StatusCode, header};
use url::Url;

/// As in a logout token.
const LONGEST_SID: usize = 255;

/// What the address, or the form, says.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// The browser's own session.
    Own,
    /// This one of that issuer.
    Session { issuer: String, sid: String },
    /// Something that cannot be meant.
    Nonsense,
}

impl Login {
    /// `GET` or `POST {prefix}/frontchannel-logout/{provider}`: ends the session that `iss` and `sid`
    /// name, or else the browser's own if it is this provider's and the provider asks.
    pub async fn front_channel(
        &self,
        context: &Context,
        visitor: &Visitor,
        provider: &str,
        query: &str,
        form: &[u8],
    ) -> Response {
        let Some(provider) = self.provider(provider) else {
            return answer(StatusCode::NOT_FOUND, &[]);
        };
        let framers = provider.origins();
        let (status, own) = match asked(query, form) {
            Asked::Nonsense => (StatusCode::BAD_REQUEST, false),
            Asked::Own => {
                self.end_the_browsers(context, visitor, provider, &framers)
                    .await
            }
            Asked::Session { issuer, .. } if !provider.is_issuer(&issuer) => {
                (StatusCode::BAD_REQUEST, false)
            }
            Asked::Session { sid, .. } => self.end_by_sid(context, visitor, provider, sid).await,
        };
        if status != StatusCode::OK {
            tracing::warn!(
                request.id = context.id.as_str(),
                http.status = status.as_u16(),
                provider = provider.config().id,
                "a front-channel logout was refused"
            );
        }
        let mut response = answer(status, &framers);
        if own {
            self.end_upstream_session(context).await;
            super::set_cookies(&mut response, [&self.parts.sessions.removal()]);
            super::set_cookies(&mut response, &self.remember_leaving());
            super::set_cookies(&mut response, &self.leftovers);
        }
        response
    }

    /// The issuer is in the provider already: its aliases are the same one, and of several tenants
    /// each has sessions of its own names.
    async fn end_by_sid(
        &self,
        context: &Context,
        visitor: &Visitor,
        provider: &Provider,
        sid: String,
    ) -> (StatusCode, bool) {
        let id = provider.config().id.as_str();
        let which = Which::Subject {
            provider: id.to_owned(),
            issuer: None,
            subject: None,
            sid: Some(sid),
        };
        match self.parts.sessions.revoke(&which).await {
            Ok(ended) => {
                self.ended_elsewhere(context, id, "front_channel_logout", &ended);
                let own = match visitor {
                    Visitor::Known(live) => {
                        let handle = live.handle();
                        ended.iter().any(|session| session.handle == handle)
                    }
                    Visitor::Stranger => false,
                };
                (StatusCode::OK, own)
            }
            Err(error) => {
                tracing::error!(%error, request.id = context.id.as_str(), "sessions could not be ended");
                (StatusCode::SERVICE_UNAVAILABLE, false)
            }
        }
    }

    async fn end_the_browsers(
        &self,
        context: &Context,
        visitor: &Visitor,
        provider: &Provider,
        framers: &[String],
    ) -> (StatusCode, bool) {
        let id = provider.config().id.as_str();
        let Visitor::Known(live) = visitor else {
            return (StatusCode::OK, false);
        };
        // Another provider's session, or the backdoor's, is none of its business.
        if *live.how() == How::Backdoor || live.how().provider() != id {
            return (StatusCode::OK, false);
        }
        if !is_from(context, framers) {
            return (StatusCode::FORBIDDEN, false);
        }
        let which = Which::Handle(live.handle());
        match self.parts.sessions.revoke(&which).await {
            Ok(ended) => {
                self.ended_elsewhere(context, id, "front_channel_logout", &ended);
                (StatusCode::OK, true)
            }
            Err(error) => {
                tracing::error!(%error, request.id = context.id.as_str(), "a session could not be ended");
                (StatusCode::SERVICE_UNAVAILABLE, true)
            }
        }
    }
}

/// `iss` and `sid` go together or not at all (§3), and each stands there once.
fn asked(query: &str, form: &[u8]) -> Asked {
    let mut all = fields(query.as_bytes());
    all.extend(fields(form));
    let values = |name: &str| -> Vec<&str> {
        let found = all.iter().filter(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).collect()
    };
    match (values("iss").as_slice(), values("sid").as_slice()) {
        ([], []) => Asked::Own,
        ([issuer], [sid]) if !sid.is_empty() && sid.len() <= LONGEST_SID => Asked::Session {
            issuer: (*issuer).to_owned(),
            sid: (*sid).to_owned(),
        },
        _ => Asked::Nonsense,
    }
}

/// Whether a page of the provider's asks. `Referer` is what browsers say by themselves about a frame
/// and a link, its origin at least unless the page forbids it, and no page can write it for another
/// origin. Without one the sign-out does not happen.
fn is_from(context: &Context, origins: &[String]) -> bool {
    let mut referers = context.headers.get_all(header::REFERER).iter();
    let (Some(referer), None) = (referers.next(), referers.next()) else {
        return false;
    };
    let origin = referer
        .to_str()
        .ok()
        .and_then(|referer| Url::parse(referer).ok())
        .map(|referer| referer.origin().ascii_serialization());
    origin.is_some_and(|origin| origins.contains(&origin))
}

/// Nothing to see. The provider's pages may frame it, and nobody else's.
fn answer(status: StatusCode, framers: &[String]) -> Response {
    // The grammar of a source has no IPv6 address (CSP Level 3, §2.3.1 `host-part`).
    let mut sources: Vec<&str> = framers
        .iter()
        .map(String::as_str)
        .filter(|origin| !origin.contains('['))
        .collect();
    if sources.is_empty() {
        sources.push("'none'");
    }
    let policy = format!(
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors {}",
        sources.join(" ")
    );
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    never_kept(&mut response);
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(issuer: &str, sid: &str) -> Asked {
        Asked::Session {
            issuer: issuer.to_owned(),
            sid: sid.to_owned(),
        }
    }

    #[test]
    fn issuer_and_session_go_together() {
        let both = session("https://idp", "s1");
        assert_eq!(asked("iss=https%3A%2F%2Fidp&sid=s1", b""), both);
        assert_eq!(asked("", b"sid=s1&iss=https%3A%2F%2Fidp"), both);
        assert_eq!(asked("", b""), Asked::Own);
        assert_eq!(asked("state=x", b""), Asked::Own);
        for nonsense in ["iss=a", "sid=a", "iss=a&sid=", "iss=a&sid=b&sid=c"] {
            assert_eq!(asked(nonsense, b""), Asked::Nonsense, "{nonsense}");
        }
        assert_eq!(asked("iss=a&sid=b", b"sid=b"), Asked::Nonsense);
        let long = format!("iss=a&sid={}", "x".repeat(LONGEST_SID + 1));
        assert_eq!(asked(&long, b""), Asked::Nonsense);
    }

    #[test]
    fn only_the_provider_may_frame_it() {
        let policy = |framers: &[&str]| {
            let framers: Vec<_> = framers.iter().map(|&it| it.to_owned()).collect();
            let response = answer(StatusCode::OK, &framers);
            assert!(!response.headers().contains_key(header::X_FRAME_OPTIONS));
            assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
            let policy = response.headers()[header::CONTENT_SECURITY_POLICY].clone();
            policy.to_str().unwrap().to_owned()
        };
        let framed = policy(&["https://a.example", "https://b.example:8443"]);
        assert!(framed.ends_with("frame-ancestors https://a.example https://b.example:8443"));
        assert!(policy(&[]).ends_with("frame-ancestors 'none'"));
        assert!(policy(&["http://[::1]:80"]).ends_with("frame-ancestors 'none'"));
    }
}
