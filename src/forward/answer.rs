//! The head of the response as the client gets it.

use super::head::X_REQUEST_ID;
use crate::config::{Config, Kind};
use crate::telemetry::Metrics;
use crate::web::{RequestId, cookies};
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Version, response};

/// Bitbucket's word on who it believes the request came from.
const X_AUSERNAME: HeaderName = HeaderName::from_static("x-ausername");

/// Bitbucket's own remember-me cookie would bring a session back that has ended here.
const REMEMBER_ME: &str = "_atl_bitbucket_remember_me";

/// Fields that only have a meaning between two neighbours (RFC 9110 §7.6.1). Those that
/// `Connection` names come on top.
const HOP_BY_HOP: [HeaderName; 6] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Fields that a `Connection` of the upstream cannot take away: a browser is less safe, or reads
/// the body wrongly, without them.
const KEPT: [HeaderName; 19] = [
    header::CACHE_CONTROL,
    header::CONTENT_DISPOSITION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_SECURITY_POLICY,
    header::CONTENT_TYPE,
    header::DATE,
    header::ETAG,
    header::LOCATION,
    header::REFERRER_POLICY,
    header::SET_COOKIE,
    header::STRICT_TRANSPORT_SECURITY,
    header::TRAILER,
    header::VARY,
    header::WWW_AUTHENTICATE,
    header::X_CONTENT_TYPE_OPTIONS,
    header::X_FRAME_OPTIONS,
    X_AUSERNAME,
];

/// Cleans response heads.
#[derive(Debug)]
pub(super) struct Answers {
    identity: Vec<HeaderName>,
    /// Cookies that only the gateway sets.
    cookies: [String; 2],
    bitbucket: bool,
    /// Sign-in is off: Bitbucket's own page signs in, and remembering is its business.
    remember_me: bool,
    metrics: Metrics,
}

impl Answers {
    pub(super) fn new(config: &Config, metrics: Metrics) -> Self {
        Self {
            identity: config.identity.headers().cloned().collect(),
            cookies: [
                config.session.cookie_name.clone(),
                cookies::sign_in_cookie_name(&config.session.cookie_name),
            ],
            bitbucket: config.upstream.kind == Kind::Bitbucket,
            remember_me: config.upstream.kind == Kind::Bitbucket && !config.sign_in.enabled,
            metrics,
        }
    }

    /// Turns what the upstream said into what the client gets. `asserted` is the user header that
    /// went with the request, if any.
    pub(super) fn clean(
        &self,
        parts: &mut response::Parts,
        asserted: Option<&HeaderValue>,
        id: &RequestId,
    ) {
        parts.version = Version::HTTP_11;
        let headers = &mut parts.headers;
        if self.bitbucket {
            self.compare(headers, asserted, id);
        }
        one_length(headers);
        hop_by_hop(headers);
        for name in &self.identity {
            headers.remove(name);
        }
        self.cookies(headers);
        if let Ok(id) = HeaderValue::from_str(id.as_str()) {
            headers.insert(X_REQUEST_ID, id);
        }
    }

    /// Bitbucket may believe somebody else than the one asserted: an old session cookie of its
    /// own, a plugin that maps names. Without the field (assets, error pages, a Bitbucket that
    /// took nobody's word) there is nothing to compare.
    fn compare(&self, headers: &HeaderMap, asserted: Option<&HeaderValue>, id: &RequestId) {
        let (Some(asserted), Some(believed)) = (asserted, headers.get(X_AUSERNAME)) else {
            return;
        };
        if believed.is_empty()
            || believed
                .as_bytes()
                .eq_ignore_ascii_case(asserted.as_bytes())
        {
            return;
        }
        let decoded = percent_encoding::percent_decode(believed.as_bytes()).decode_utf8_lossy();
        let expected = String::from_utf8_lossy(asserted.as_bytes());
        if decoded.to_lowercase() == expected.to_lowercase() {
            return;
        }
        self.metrics.identity_mismatch();
        tracing::warn!(
            request.id = %id,
            user.name = %expected,
            upstream.user = %decoded.escape_debug(),
            "Bitbucket took the request for somebody else's"
        );
    }

    /// An upstream cannot set the gateway's cookies.
    fn cookies(&self, headers: &mut HeaderMap) {
        let header::Entry::Occupied(entry) = headers.entry(header::SET_COOKIE) else {
            return;
        };
        if !entry.iter().any(|value| self.is_ours(value)) {
            return;
        }
        let (_, values) = entry.remove_entry_mult();
        let kept: Vec<HeaderValue> = values.filter(|value| !self.is_ours(value)).collect();
        for value in kept {
            headers.append(header::SET_COOKIE, value);
        }
    }

    fn is_ours(&self, value: &HeaderValue) -> bool {
        let name = value
            .as_bytes()
            .split(|byte| matches!(byte, b'=' | b';'))
            .next()
            .unwrap_or_default()
            .trim_ascii();
        // Cookie names are case-sensitive, their prefixes are not; nobody needs a near miss.
        self.cookies
            .iter()
            .any(|own| name.eq_ignore_ascii_case(own.as_bytes()))
            || (self.bitbucket
                && !self.remember_me
                && name.eq_ignore_ascii_case(REMEMBER_ME.as_bytes()))
    }
}

/// Leaves the length that hyper has read the body by. `Transfer-Encoding` overrides
/// `Content-Length`, and of equal repetitions one is enough (RFC 9112 §6.3); hyper refuses others.
fn one_length(headers: &mut HeaderMap) {
    if headers.contains_key(header::TRANSFER_ENCODING) {
        headers.remove(header::CONTENT_LENGTH);
        return;
    }
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(first) = lengths.next() else {
        return;
    };
    let repeated = lengths.next().is_some() || first.as_bytes().contains(&b',');
    if repeated {
        let one = first.as_bytes().split(|byte| *byte == b',').next();
        match HeaderValue::from_bytes(one.unwrap_or_default().trim_ascii()) {
            Ok(one) => headers.insert(header::CONTENT_LENGTH, one),
            Err(_) => headers.remove(header::CONTENT_LENGTH),
        };
    }
}

/// Removes what has a meaning between us and the upstream only (RFC 9110 §7.6.1).
fn hop_by_hop(headers: &mut HeaderMap) {
    let nominated: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .filter(|name| !KEPT.contains(name))
        .collect();
    for name in nominated.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}
